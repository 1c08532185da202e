"""What stands between two elements of an array, learnt from the first: where one may end.

Inside a JSON string every quote is escaped, so the bytes ``} , {"<first key>`` can only stand
between two objects: either between two elements of the array or between two objects nested in one
element. What is found here is a guess that has to be confirmed.
"""

import re
from typing import BinaryIO

from ingest.window import SPACE, Window

_BRACKET = ord("]")
_HEAD = re.compile(rb'(?P<head>\{\s*"[^"\\]*")\s*:')
_STRING = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_SCALAR = rb"(?:" + _STRING + rb"|[^\s\"{}\[\],]+)"
_TWO_KEYS = re.compile(
    rb'\{\s*(?P<one>"[^"\\]*")\s*:\s*' + _SCALAR + rb'\s*,\s*(?P<two>"[^"\\]*")\s*:', re.DOTALL
)
_FREE_MISSES = 8
_REACH = 4096


class PartedWindow(Window):
    """A window on an array whose elements are parted as the first from the second."""

    def __init__(self, file: BinaryIO, block: int, max_element: int) -> None:
        super().__init__(file, block, max_element)
        self._head = b""  # '{"<first key>"' of the first object, as it is written
        self._like: re.Pattern[bytes] | None = None  # the same, however it is spaced
        self._separator = b""  # '}' ... head, as it stands between two elements
        self._boundary: re.Pattern[bytes] | None = None
        self._count = 0
        self._misses = 0
        self._refined = False

    def _cut(self, start: int) -> int | None:
        """Where to end the block that starts at ``start``; None for the end of the file."""
        search = start + self._block
        while True:
            match = self._boundary.search(self._buf, search) if self._boundary else None
            if match is not None:
                return match.start() + 1
            search = max(search, len(self._buf) - _REACH)
            if self._eof:
                return None
            self._fill()

    def _is_fast(self) -> bool:
        """Whether boundaries are worth looking for: not where they keep misleading."""
        return self._misses < _FREE_MISSES + self._count // 10

    def _candidate(self, start: int, search: int) -> int | None:
        """Where the element may end: after a ``}`` that stands before a like object, or at EOF."""
        while True:
            at = self._find(search)
            if at is not None:
                return at
            if self._eof:
                return self._at_end(start, search)
            if len(self._buf) - start > 2 * self._block:
                return None  # the scanner needs no more of the file than the element itself
            # a separator may straddle the border of two blocks
            reach = _REACH if self._refined else len(self._head) + 64
            search = max(search, len(self._buf) - reach)
            self._fill()

    def _find(self, search: int) -> int | None:
        assert self._boundary is not None
        if self._separator and (at := self._buf.find(self._separator, search)) >= 0:
            return at + 1
        match = self._boundary.search(self._buf, search)
        return match.start() + 1 if match else None

    def _at_end(self, start: int, search: int) -> int | None:
        """End of the last element: the file less its closing bracket."""
        end = len(self._buf.rstrip(SPACE))
        if end > start and self._buf[end - 1] == _BRACKET:
            end = len(self._buf[: end - 1].rstrip(SPACE))
        return end if end > max(start, search) else None

    def _learn_head(self, start: int) -> None:
        match = _HEAD.match(self._buf, start)
        while match is None and not self._eof and len(self._buf) - start < 1 << 16:
            self._fill()
            match = _HEAD.match(self._buf, start)
        if match is not None:
            self._head = match["head"]
            self._like = re.compile(rb"\{\s*" + re.escape(self._head[1:].lstrip()))
            self._boundary = re.compile(rb"\}\s*,\s*(?=" + re.escape(self._head) + rb")")

    def _refine(self, start: int) -> None:
        """Look for two keys where one misleads.

        In Claude.ai's export every message begins like the conversation that holds it.
        """
        match = _TWO_KEYS.match(self._buf, start)
        if match is not None:
            self._refined = True
            one, two = re.escape(match["one"]), re.escape(match["two"])
            head = rb"\{\s*" + one + rb"\s*:\s*" + _SCALAR + rb"\s*,\s*" + two + rb"\s*:"
            self._boundary = re.compile(rb"\}\s*,\s*(?=" + head + rb")", re.DOTALL)
            self._separator = b""
            self._misses = 0

    def _learn_separator(self, end: int) -> None:
        """Keep how two elements are parted: a plain search finds the next such place faster."""
        assert self._boundary is not None
        if self._refined:
            return  # what parts two elements holds a value that differs
        if not (self._separator and self._buf.startswith(self._separator, end - 1)):
            match = self._boundary.match(self._buf, end - 1)
            self._separator = match.group() + self._head if match else b""

    def _miss(self, start: int) -> None:
        """Note that no guess was right about the element at ``start``."""
        self._misses += 1
        if self._misses == _FREE_MISSES and not self._refined:
            self._refine(start)

    def _unlearn(self) -> None:
        self._head, self._like, self._boundary = b"", None, None
