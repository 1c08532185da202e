"""What a file looks like from its first bytes: importers tell formats apart by this, never by name.

``peek`` reads the beginning of a file as JSON even though it is cut off in the middle, so that an
importer can ask for keys instead of matching text.
"""

import json
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any, Literal, NamedTuple

from ingest.archive import Export, Member

Kind = Literal["array", "object", "lines", "text", "binary", "empty"]

# a quote alone is a string that the head cuts: what follows it is not structure
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:"]|[^\s"{}\[\],:]+', re.DOTALL)


def _integer(text: str) -> int | float:
    return int(text) if len(text) < 20 else float(text)


_load = json.JSONDecoder(strict=False, parse_int=_integer).decode


class Peek(NamedTuple):
    """The beginning of a file.

    Attributes:
        kind: ``array`` and ``object`` for one JSON document, ``lines`` for JSON lines (two objects
            or more, one a line), ``text`` for other text.
        value: for JSON, as much of the document as the head holds; for ``lines``, the list of the
            whole lines in the head.
        text: the head as text, BOM dropped.
    """

    kind: Kind
    value: Any
    text: str

    @property
    def first(self) -> dict[str, Any]:
        """The first object: the array's first element, the object itself, the first line."""
        value = self.value
        if self.kind in ("array", "lines") and value:
            value = value[0]
        return value if isinstance(value, dict) else {}

    def first_of(self, key: str) -> dict[str, Any]:
        """The first object of the array at the root, or of the root object's array ``key``."""
        value = self.value.get(key) if self.kind == "object" else self.value
        if self.kind not in ("array", "object") or not isinstance(value, list):
            return {}
        return next((each for each in value if isinstance(each, dict)), {})


_MEDIA = {
    ".jpg", ".jpeg", ".png", ".gif", ".webp", ".heic", ".svg", ".mp3", ".m4a", ".ogg", ".opus",
    ".wav", ".mp4", ".mov", ".webm", ".mkv", ".pdf", ".zip", ".gz", ".docx", ".xlsx", ".pptx",
}  # fmt: skip
_TEXT = {".json", ".jsonl", ".txt"}
_LOOKED_AT = 64
_RETRIES = 4
_DEEPEST = 200
_BINARY = (b"SQLite format 3", b"PAR1", b"\x89PNG", b"%PDF")


def like(export: Export, test: Callable[[Peek], bool]) -> Iterator[Member]:
    """The members whose beginning passes ``test``; media by their suffix are not opened."""
    return (member for member in export.members if _may_be_text(member) and test(peek(member)))


def holds(export: Export, test: Callable[[Peek], bool]) -> bool:
    """Whether the beginning of a member passes ``test``, among the likeliest ones to hold text.

    An export may have thousands of members, and every importer asks.
    """
    likely = sorted(
        (member for member in export.members if _may_be_text(member)),
        key=lambda member: PurePosixPath(member.name).suffix.lower() not in _TEXT,
    )
    return any(test(peek(member)) for member in likely[:_LOOKED_AT])


def _may_be_text(member: Member) -> bool:
    return PurePosixPath(member.name).suffix.lower() not in _MEDIA


def peek(member: Member) -> Peek:
    """Look at a member's head."""
    return peek_bytes(member.head(), whole=member.size <= len(member.head()))


@lru_cache(maxsize=_LOOKED_AT)  # every importer asks about the same file in turn
def peek_bytes(head: bytes, *, whole: bool) -> Peek:
    """Look at the first bytes of a file.

    Args:
        head: the bytes.
        whole: whether they are the whole file.
    """
    if not head.strip():
        return Peek("empty", None, "")
    text = _decode(head)
    if text is None:
        return Peek("binary", None, "")
    start = text.lstrip()[:1]
    if start not in ("{", "["):
        return Peek("text", None, text)
    if start == "{":
        lines = _json_lines(text, whole=whole)
        if len(lines) > 1:
            return Peek("lines", lines, text)
    else:
        lines = []
    value, is_sound = _partial_json(text)
    if lines and not is_sound:
        return Peek("lines", lines, text)  # of two lines the first is damaged
    if value is None:
        return Peek("text", None, text)
    return Peek("array" if isinstance(value, list) else "object", value, text)


def _decode(head: bytes) -> str | None:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head[: len(head) // 2 * 2].decode("utf-16", "replace").lstrip("\ufeff")
    if b"\0" in head and _is_binary(head):
        return None
    return head.decode("utf-8-sig", "replace")


def _is_binary(head: bytes) -> bool:
    """Whether bytes with NUL among them are no damaged text."""
    if head.startswith(_BINARY):
        return True
    begin = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:2]
    return not (begin[:1] in (b"{", b"[") and b"\0" not in begin) and head.count(0) * 8 > len(head)


def _json_lines(text: str, *, whole: bool) -> list[Any]:
    lines = text.split("\n")
    if not whole:
        lines = lines[:-1]
    values = []
    for line in lines[:50]:
        if line.strip():
            try:
                values.append(_load(line.strip()))
            except (ValueError, RecursionError):
                continue
    return values if values and isinstance(values[0], dict) and text.lstrip()[:1] == "{" else []


def _partial_json(text: str) -> tuple[Any, bool]:
    """Decode a JSON text that may be cut off: what is complete is kept, the rest closed.

    Where it is damaged further on, what comes before still tells the format.

    Returns:
        What was decoded, None if nothing was, and whether no damage was met.
    """
    text = _shallow(text)
    limit = len(text)
    for _ in range(_RETRIES):
        cut, first = _cut(text, limit)
        try:
            found = _load(cut)
        except json.JSONDecodeError as error:
            if not 0 < error.pos < limit:
                break
            limit = error.pos
        except (ValueError, RecursionError):
            break
        else:
            # an opening bracket alone, and then something else, is no JSON
            is_sound = limit == len(text)
            return (found if found or is_sound else None), is_sound
    try:
        return _load(first), False
    except (ValueError, RecursionError):
        return None, False


def _shallow(text: str) -> str:
    """The text without what is nested too deeply for a decoder, and for any format."""
    if text.count("[") + text.count("{") <= _DEEPEST:
        return text
    kept: list[str] = []
    depth = done = 0
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token in "{[":
            depth += 1
            if depth == _DEEPEST + 1:
                kept.append(text[done : match.start()] + "null")
                done = len(text)  # unless it ends before the text does
        elif token in "}]":
            if depth == _DEEPEST + 1:
                done = match.end()
            depth -= 1
    return "".join(kept) + text[done:]


def _cut(text: str, limit: int) -> tuple[str, str]:
    """The longest beginning that brackets can close, and the one that ends with an element."""
    stack: list[str] = []
    cut, closers = 0, ""
    first = ""
    for match in _TOKEN.finditer(text, 0, limit):
        token = match.group()
        if token in "{[":
            stack.append("}" if token == "{" else "]")
            cut, closers = match.end(), "".join(reversed(stack))
        elif token in "}]":
            if not stack or stack[-1] != token:
                break
            stack.pop()
            cut, closers = match.end(), "".join(reversed(stack))
            if not stack:
                break
            if len(stack) == 1 and not first:
                first = text[:cut] + closers
        elif token == '"':
            break
        elif token == ",":
            cut, closers = match.start(), "".join(reversed(stack))
    return text[:cut] + closers, first
