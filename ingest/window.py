"""A window on a file that is read forward only, and JSON's strings and brackets followed in it."""

import json
import re
from typing import BinaryIO

from ingest.damage import TOKEN

BOM = b"\xef\xbb\xbf"
SPACE = b" \t\r\n"
QUOTE = ord('"')
_END_OF_SCALAR = re.compile(rb"[,\]}]")


class Window:
    """A stretch of the file: ``_buf``, which begins at the file's byte ``_base``.

    Positions are places in the window. Methods that read on may only add to its end, so that a
    position stays right; those that let go of its beginning return the new position.

    Args:
        file: binary.
        block: bytes read at a time.
        max_element: bytes after which a value without an end is given up.
    """

    def __init__(self, file: BinaryIO, block: int, max_element: int) -> None:
        self._file = file
        self._block = block
        self._max_element = max_element
        self._buf = b""
        self._base = 0
        self._eof = False

    def _descend(self, start: int, path: tuple[str, ...]) -> int | None:
        """Position of the ``[`` of the array at ``path``; None if the document has no such array.

        Follows strings and brackets only: values on the way are passed over, never decoded.
        """
        keys = [json.dumps(key).encode() for key in path]
        start = self._skip_space(start + 1)
        while self._buf.startswith(b'"', start):
            end = self._scan(start)
            if end is None:
                return None
            found = self._buf[start:end] == keys[0]
            value = self._skip_space(self._skip_space(end) + 1)  # past the colon
            if found and len(keys) == 1 and self._buf.startswith(b"[", value):
                return value
            if found and len(keys) > 1 and self._buf.startswith(b"{", value):
                keys, start = keys[1:], self._skip_space(value + 1)
                continue
            after = self._scan(value) if value < len(self._buf) else None
            if after is None:
                return None
            start = self._after(self._drop_before(after))
        return None

    def _bom(self) -> int:
        while len(self._buf) < len(BOM) and not self._eof:
            self._fill()
        return len(BOM) if self._buf.startswith(BOM) else 0

    def _scan(self, start: int) -> int | None:
        """Position after the value at ``start``, or None if the file ends (or the cap) first."""
        if self._buf[start] not in b'{["':
            return self._scan_scalar(start)
        depth = 0
        position = start
        while True:
            position, depth, done = scan_tokens(self._buf, position, depth)
            if done:
                return position
            if self._eof or len(self._buf) - start > self._max_element:
                return None
            self._fill(len(self._buf) - start)

    def _scan_scalar(self, start: int) -> int | None:
        while True:
            match = _END_OF_SCALAR.search(self._buf, start)
            if match:
                end = start + len(self._buf[start : match.start()].rstrip(SPACE))
                return end if end > start else None
            if self._eof or len(self._buf) - start > self._max_element:
                return None
            self._fill(len(self._buf) - start)

    def _after(self, position: int) -> int:
        """Skip the comma between two elements; anything else there is the next item's trouble."""
        position = self._skip_space(position)
        if self._buf.startswith(b",", position):
            return self._skip_space(position + 1)
        return position

    def _skip_space(self, position: int) -> int:
        while True:
            while position < len(self._buf) and self._buf[position] in SPACE:
                position += 1
            if position < len(self._buf) or self._eof:
                return position
            self._fill()

    def _drop_before(self, start: int) -> int:
        """Let go of what was read already once it is most of the window."""
        if start * 2 > len(self._buf) and start > self._block // 2:
            self._buf = self._buf[start:]
            self._base += start
            return 0
        return start

    def _fill(self, want: int = 0) -> None:
        data = self._file.read(max(self._block, want))
        if data:
            self._buf += data
        else:
            self._eof = True


def scan_tokens(buf: bytes, position: int, depth: int) -> tuple[int, int, bool]:
    """Follow strings and brackets from ``position``.

    Returns:
        (position, depth, done): ``done`` when the value that began has closed; else the position
        to go on from once more bytes are there.
    """
    end = position
    for match in TOKEN.finditer(buf, position):
        token = buf[match.start()]
        if token == QUOTE and match.end() - match.start() == 1:
            return match.start(), depth, False
        if token in b"{[":
            depth += 1
        elif token in b"}]":
            depth -= 1
        end = match.end()
        if depth == 0:
            return end, depth, True
    return end, depth, False
