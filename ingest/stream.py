"""Bounded-memory readers: elements of a giant JSON array, JSON lines, text lines.

No reader here holds a whole file. A damaged element costs itself and nothing else: it comes out as
a :class:`Broken` with its place, and the elements around it as they are.

How the array splitter works. Inside a JSON string every quote is escaped, so the bytes
``} , {"<first key>`` can only stand between two objects: either between two elements of the array
or between two objects nested in one element. No proper prefix of a JSON object is an object, so a
slice that decodes *is* the whole element. Candidates are found by ``bytes.find`` and confirmed
by decoding; an exact scanner settles the rest.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple

import msgspec

BLOCK = 4 << 20
MAX_ELEMENT = 512 << 20
"""Bytes of the largest element that is looked for; a damaged file must not fill the memory."""

_BOM = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n"
_HEAD = re.compile(rb'\{\s*"[^"\\]*"\s*:')
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]', re.DOTALL)
_TRIES = 3


class Element(NamedTuple):
    """One element of an array or one line.

    Attributes:
        offset: first byte in the file.
        raw: the element's bytes.
        value: what ``decode`` made of it; ``None`` if ``decode`` refused a complete element,
            which the caller may still read loosely.
    """

    offset: int
    raw: bytes
    value: Any


class Broken(NamedTuple):
    """A stretch of bytes that is no element.

    Attributes:
        offset: first byte in the file.
        end: byte after the last.
        reason: why, without any content.
    """

    offset: int
    end: int
    reason: str


_DECODE_FAULTS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def iter_array(
    file: BinaryIO,
    decode: Callable[[bytes], Any],
    *,
    block: int = BLOCK,
    max_element: int = MAX_ELEMENT,
) -> Iterator[Element | Broken]:
    """The elements of the JSON array that starts at the file's position.

    Args:
        file: binary, read forward only.
        decode: typed decoder of one element; raises msgspec's errors on a wrong one.
        block: bytes read at a time.
        max_element: bytes after which an element without an end is given up.

    Yields:
        Every element in order; damaged stretches as :class:`Broken`. A file that does not start
        with ``[`` yields one Broken.
    """
    yield from _Splitter(file, decode, block, max_element).run()


class _Splitter:
    """The state of one pass: a window ``buf`` of the file and the start of the current element."""

    def __init__(
        self, file: BinaryIO, decode: Callable[[bytes], Any], block: int, max_element: int
    ) -> None:
        self._file = file
        self._decode = decode
        self._block = block
        self._max_element = max_element
        self._buf = b""
        self._base = 0  # file offset of buf[0]
        self._eof = False
        self._head = b""  # '{"<first key>"' of the first element, compact
        self._separator = b""  # '}' ... head, learned from the first true boundary
        self._boundary: re.Pattern[bytes] | None = None

    def run(self) -> Iterator[Element | Broken]:
        start = self._skip_space(3 if self._starts_with_bom() else 0)
        if self._buf[start : start + 1] != b"[":
            yield Broken(self._base, self._base + len(self._buf), "does not start with '['")
            return
        start = self._skip_space(start + 1)
        self._learn_head(start)
        while True:
            start = self._drop_before(start)
            first = self._buf[start : start + 1]
            if first == b"]":
                return
            if first == b"":
                yield Broken(self._base + start, self._base + start, "the array has no end")
                return
            item, start = self._next(start)
            yield item
            if isinstance(item, Broken) and self._eof and start == len(self._buf):
                return
            start = self._after(start)

    def _starts_with_bom(self) -> bool:
        self._fill()
        return self._buf.startswith(_BOM)

    def _next(self, start: int) -> tuple[Element | Broken, int]:
        """The item that starts at ``start`` and the position after it."""
        search = start
        for _ in range(_TRIES):
            end = self._candidate(start, search)
            if end is None:
                break
            raw = self._buf[start:end]
            value = self._try(raw)
            if value is not None:
                return Element(self._base + start, raw, value), end
            if _is_whole(raw):
                return Element(self._base + start, raw, None), end
            search = end
        return self._exact(start)

    def _candidate(self, start: int, search: int) -> int | None:
        """Where the element may end: after a ``}`` that stands before a like object, or at EOF."""
        if self._boundary is None:
            return None
        while True:
            at = self._find(search)
            if at is not None:
                return at
            if self._eof or len(self._buf) - start > self._max_element:
                return self._at_end(start, search)
            # a separator may straddle the border of two blocks
            search = max(start, len(self._buf) - len(self._separator) - 16)
            self._fill(len(self._buf) - start)

    def _find(self, search: int) -> int | None:
        if self._separator:
            at = self._buf.find(self._separator, search)
            return None if at < 0 else at + 1
        assert self._boundary is not None
        match = self._boundary.search(self._buf, search)
        if match is None:
            return None
        self._separator = match.group() + self._head
        return match.start() + 1

    def _at_end(self, start: int, search: int) -> int | None:
        """End of the last element: the file less its closing bracket."""
        end = len(self._buf.rstrip(_SPACE))
        if self._eof and end > start and self._buf[end - 1 : end] == b"]":
            end = len(self._buf[: end - 1].rstrip(_SPACE))
        return end if self._eof and end > max(start, search) else None

    def _exact(self, start: int) -> tuple[Element | Broken, int]:
        """Settle the element by scanning strings and brackets."""
        end = self._scan(start)
        if end is not None:
            raw = self._buf[start:end]
            # an unclosed string turns text into brackets and back: trust only what reads as JSON
            if _reads(raw) or self._resume(start) >= end:
                return Element(self._base + start, raw, self._try(raw)), end
        resume = self._resume(start)
        reason = "the element has no end" if resume == len(self._buf) else "the element is damaged"
        return Broken(self._base + start, self._base + resume, reason), resume

    def _scan(self, start: int) -> int | None:
        """Position after the value at ``start``, or None if the file ends (or the cap) first."""
        if self._buf[start : start + 1] not in (b"{", b"[", b'"'):
            return self._scan_scalar(start)
        depth = 0
        position = start
        while True:
            position, depth, done = _scan_tokens(self._buf, position, depth)
            if done:
                return position
            if self._eof or len(self._buf) - start > self._max_element:
                return None
            self._fill(len(self._buf) - start)

    def _scan_scalar(self, start: int) -> int | None:
        while True:
            match = re.compile(rb"[,\]]").search(self._buf, start)
            if match:
                end = len(self._buf[: match.start()].rstrip(_SPACE))
                return end if end > start else None
            if self._eof or len(self._buf) - start > self._max_element:
                return None
            self._fill()

    def _resume(self, start: int) -> int:
        """Where the next element that decodes begins; the end of the window if there is none."""
        if self._boundary is None:
            return len(self._buf)
        # the damage may have taken the closing brace, so a comma before a like object will do
        opening = re.compile(rb",\s*(?=" + re.escape(self._head) + rb")")
        search = start
        while match := opening.search(self._buf, search):
            begin = match.end()
            after = self._boundary.search(self._buf, begin)
            end = after.start() + 1 if after else self._at_end(begin, begin)
            if end is not None and self._try(self._buf[begin:end]) is not None:
                return begin
            search = begin
        return len(self._buf)

    def _try(self, raw: bytes) -> Any:
        try:
            return self._decode(raw)
        except _DECODE_FAULTS:
            return None

    def _after(self, position: int) -> int:
        """Skip the comma (or anything else that stands between two elements)."""
        position = self._skip_space(position)
        if self._buf[position : position + 1] == b",":
            return self._skip_space(position + 1)
        if self._buf[position : position + 1] in (b"]", b"", b"{"):
            return position
        # garbage between elements: the next boundary or bracket goes on
        match = re.compile(rb"[,\]{]").search(self._buf, position)
        return match.start() if match else len(self._buf)

    def _learn_head(self, start: int) -> None:
        match = _HEAD.match(self._buf, start)
        while match is None and not self._eof and len(self._buf) - start < 1 << 16:
            self._fill()
            match = _HEAD.match(self._buf, start)
        if match is not None:
            key = match.group()[match.group().index(b'"') : match.group().rindex(b'"') + 1]
            opening = match.group()[: match.group().index(b'"')]
            self._head = opening + key
            self._boundary = re.compile(rb"\}\s*,\s*(?=" + re.escape(self._head) + rb")")

    def _skip_space(self, position: int) -> int:
        while True:
            while position < len(self._buf) and self._buf[position] in _SPACE:
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


def _scan_tokens(buf: bytes, position: int, depth: int) -> tuple[int, int, bool]:
    """Follow strings and brackets from ``position``.

    Returns:
        (position, depth, done): ``done`` when the value that began has closed; else the position
        to go on from once more bytes are there.
    """
    end = position
    for match in _TOKEN.finditer(buf, position):
        token = buf[match.start()]
        if token in b"{[":
            depth += 1
        elif token in b"}]":
            depth -= 1
        end = match.end()
        if depth == 0:
            return end, depth, True
    return end, depth, False


def _is_whole(raw: bytes) -> bool:
    """Whether ``raw`` is one complete JSON value, whatever its type."""
    try:
        msgspec.json.decode(raw, type=msgspec.Raw)
    except _DECODE_FAULTS:
        return False
    return True


def loads_loose(raw: bytes) -> Any:
    """Decode JSON that a strict decoder refuses: bad UTF-8 and lone surrogates become U+FFFD.

    Raises:
        ValueError: it is not JSON, or nested too deeply.
    """
    try:
        value = json.loads(raw.decode("utf-8", "replace"))
        # only a string with a lone surrogate cannot be encoded
        return json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _reads(raw: bytes) -> bool:
    try:
        loads_loose(raw)
    except ValueError:
        return False
    return True


def iter_lines(
    file: BinaryIO, *, block: int = BLOCK, max_line: int = MAX_ELEMENT
) -> Iterator[tuple[int, bytes]]:
    """The non-empty lines of a file with their byte offsets; a BOM is dropped.

    Yields:
        (offset, line) without the line end, LF or CR LF. A line longer than ``max_line`` comes
        out cut there.
    """
    rest = b""
    base = 0
    first = True
    while data := file.read(max(block, len(rest))):
        if first:
            first = False
            if data.startswith(_BOM):
                data, base = data[3:], 3
        buf = rest + data
        start = 0
        while (end := buf.find(b"\n", start)) >= 0:
            line = buf[start:end].rstrip(b"\r")
            if line.strip():
                yield base + start, line
            start = end + 1
        rest = buf[start:]
        base += start
        if len(rest) > max_line:
            yield base, rest
            base, rest = base + len(rest), b""
    if rest.strip():
        yield base, rest.rstrip(b"\r")
