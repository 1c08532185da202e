"""Where a damaged JSON array goes on: what brackets and strings still tell around the damage."""

import json
import re
from typing import Literal

import msgspec

Place = Literal["outer", "inner", "unclear", "more"]
"""Where an object stands: in the array itself, in a list inside an element, or neither is seen;
``more`` if the window has to show more."""

TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]"]', re.DOTALL)
"""Strings and brackets; a quote alone is a string that the window cuts: no structure follows it."""

_PREFIX = 16 << 20
"""Bytes of a damaged element that are decoded to find the damage."""
_LOOK_ON = 8 << 20
"""Bytes after which a list that has not ended is no list inside an element."""
_CLOSE, _BRACKET = b"}]"
# numbers are of no interest, and long ones are refused
_find_fault = json.JSONDecoder(strict=False, parse_int=len, parse_float=len).raw_decode


def sound_until(buf: bytes, start: int) -> int:
    """A position up to which the element at ``start`` is sound, so that nothing else begins before.

    The damage may be a lost quote: then the string ends with the next one, and what follows it is
    the fault that is seen. Hence it is the beginning of the last string before the fault.
    """
    # one byte is one character, so that places agree
    text = buf[start : start + _PREFIX].decode("latin-1")
    try:
        _, fault = _find_fault(text)
    except json.JSONDecodeError as error:
        fault = error.pos
    except (RecursionError, ValueError):
        return start
    last = 0
    for match in TOKEN.finditer(buf, start, start + fault):
        if buf[match.start()] == ord(b'"'):
            last = match.start() - start
    return start + min(last, fault)


def place_of(buf: bytes, end: int, *, eof: bool, nested: bool) -> tuple[Place, int]:
    """Where the object that ends at ``end`` stands.

    It stands in the array itself if the brackets that close after it are the array's and those of
    the objects around it, and the file ends with them; inside an element if the list around it is
    whole and something else follows that list.

    Args:
        buf: a window of the file.
        end: position after the object.
        eof: whether the file ends with the window.
        nested: whether the array lies inside a document.

    Returns:
        The place, and how many bytes were looked at.
    """
    until = min(len(buf), end + _LOOK_ON)
    depth = closed = last = 0
    list_end = -1
    for match in TOKEN.finditer(buf, end, until):
        token = buf[match.start()]
        if token in b"{[":
            depth += 1
        elif token in b"}]" and depth:
            depth -= 1
        elif token in b"}]":
            list_end = match.start() if list_end < 0 else list_end
            if token != (_BRACKET if closed == 0 else _CLOSE) or (closed and not nested):
                return "inner" if _is_list(buf[end:list_end]) else "unclear", match.end() - end
            closed += 1
            last = match.end()
    if until < len(buf):
        return "unclear" if closed else "outer", until - end
    if not eof:
        return "more", until - end
    is_end = closed > nested and not buf[last:until].strip()
    return "outer" if is_end else "unclear", until - end


def _is_list(rest: bytes) -> bool:
    """Whether bytes are the rest of a list, after an element and before its bracket."""
    try:
        msgspec.json.decode(b"[0" + rest + b"]", type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
