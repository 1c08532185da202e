"""Bounded-memory readers: elements of a giant JSON array, JSON lines, text lines.

No reader here holds a whole file. A damaged element costs itself and nothing else: it comes out as
a :class:`Broken` with its place, and the elements around it as they are.

How the array splitter works. Inside a JSON string every quote is escaped, so the bytes
``} , {"<first key>`` can only stand between two objects: either between two elements of the array
or between two objects nested in one element. No proper prefix of a JSON object is an object, so a
slice that decodes *is* the whole element. Candidates are found by ``bytes.find`` and confirmed
by decoding; an exact scanner settles the rest.
"""

import io
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple

import msgspec

from ingest.damage import TOKEN, place_of, sound_until
from ingest.loose import TOO_DEEP, loads_loose

BLOCK = 4 << 20
MAX_ELEMENT = 512 << 20
"""Bytes of the largest element that is looked for; a damaged file must not fill the memory."""

_BOM = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n"
_BRACE, _BRACKET, _QUOTE = b'{]"'
_HEAD = re.compile(rb'(?P<head>\{\s*"[^"\\]*")\s*:')
_STRING = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_SCALAR = rb"(?:" + _STRING + rb"|[^\s\"{}\[\],]+)"
_TWO_KEYS = re.compile(
    rb'\{\s*(?P<one>"[^"\\]*")\s*:\s*' + _SCALAR + rb'\s*,\s*(?P<two>"[^"\\]*")\s*:', re.DOTALL
)
_END_OF_SCALAR = re.compile(rb"[,\]}]")
_TRIES = 3
_FREE_MISSES = 8
_REACH = 4096
_OPENING = re.compile(rb",\s*(?=\{)")
_LOOKED_AT = 64 << 20
"""Bytes of looking on that one stretch of damage is worth."""
_DAMAGED = "the element is damaged"
_AFTER_END = "bytes after the end of the array"


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


class Block(NamedTuple):
    """A run of elements of an array, as bytes that another process can read.

    Attributes:
        offset: of its first byte in the file.
        data: the elements and the commas between them; the last block holds what follows them, too.
        last: whether the file ends with it.
        nested: whether the array lies inside a document.
    """

    offset: int
    data: bytes
    last: bool
    nested: bool


_DECODE_FAULTS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def iter_array(
    file: BinaryIO,
    decode: Callable[[bytes], Any],
    *,
    path: tuple[str, ...] = (),
    block: int = BLOCK,
    max_element: int = MAX_ELEMENT,
) -> Iterator[Element | Broken]:
    """The elements of the JSON array that starts at the file's position, or of one inside it.

    Args:
        file: binary, read forward only.
        decode: typed decoder of one element; raises msgspec's errors on a wrong one.
        path: keys from the document's root object to the array, e.g. ``("chats", "list")``. An
            object without such an array has no elements; an array at the root is read as it is.
        block: bytes read at a time.
        max_element: bytes after which an element without an end is given up.

    Yields:
        Every element in order; damaged stretches as :class:`Broken`. A file that does not start
        with ``[`` yields one Broken.
    """
    yield from _Splitter(file, decode, block, max_element).run(path)


class _Splitter:
    """One pass over an array: ``buf`` is a window of the file, ``base`` its place in the file.

    Positions are places in the window. Methods that read on may only add to its end, so that a
    position stays right; the two that let go of its beginning return the new position.
    """

    def __init__(
        self, file: BinaryIO, decode: Callable[[bytes], Any], block: int, max_element: int
    ) -> None:
        self._file = file
        self._decode = decode
        self._block = block
        self._max_element = max_element
        self._buf = b""
        self._base = 0
        self._eof = False
        self._nested = False
        self._sound = False  # whether an element was read: until then the first key may be damage
        self._head = b""  # '{"<first key>"' of the first object, as it is written
        self._like: re.Pattern[bytes] | None = None  # the same, however it is spaced
        self._separator = b""  # '}' ... head, as it stands between two elements
        self._boundary: re.Pattern[bytes] | None = None
        self._count = 0
        self._misses = 0
        self._refined = False

    def run(self, path: tuple[str, ...]) -> Iterator[Element | Broken]:
        """The elements of the array at ``path``."""
        start = self.open_array(path)
        if isinstance(start, Broken):
            yield start
        elif start is not None:
            yield from self._elements_from(start)

    def open_array(self, path: tuple[str, ...]) -> int | Broken | None:
        """Position of the array's first element; None if the document has no such array."""
        start = self._skip_space(self._bom())
        self._nested = bool(path) and self._buf.startswith(b"{", start)
        if self._nested:
            found = self._descend(start, path)
            if found is None:
                return None
            start = found
        if not self._buf.startswith(b"[", start):
            return Broken(self._base, self._base + len(self._buf), "does not start with '['")
        return self._skip_space(start + 1)

    def array_of(self, block: Block) -> Iterator[Element | Broken]:
        """The elements of a block that has been made an array, with their places in the file."""
        self._fill()
        self._base = block.offset - 1
        self._nested = block.nested and block.last  # elsewhere nothing may follow the bracket
        yield from self._elements_from(self._skip_space(1))

    def blocks(self, path: tuple[str, ...]) -> Iterator[Block | Broken]:
        """See :func:`iter_blocks`."""
        start = self.open_array(path)
        if start is None or isinstance(start, Broken):
            if start is not None:
                yield start
            return
        self._learn_head(start)
        self._refine(start)
        while True:
            start = self._drop_before(start)
            cut = self._cut(start)
            if cut is None:
                yield Block(self._base + start, self._buf[start:], last=True, nested=self._nested)
                return
            yield Block(self._base + start, self._buf[start:cut], last=False, nested=self._nested)
            start = self._after(cut)

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

    def _elements_from(self, start: int) -> Iterator[Element | Broken]:
        item: Element | Broken
        while True:
            start = self._drop_before(start)
            first = self._buf[start : start + 1]
            if first == b"":
                yield Broken(self._base + start, self._base + start, "the array has no end")
                return
            if first == b"]":
                rest = self._skip_space(start + 1)
                if rest == len(self._buf) or (self._nested and not self._is_inner(start)):
                    return
                item, start = self._broken(rest, _AFTER_END)
            elif first == b",":
                item = Broken(self._base + start, self._base + start + 1, "an element is missing")
                start = self._skip_space(start + 1)
            else:
                item, start = self._next(start)
            yield item
            if isinstance(item, Broken) and self._eof and start == len(self._buf):
                return
            start = self._after(start)

    def _is_inner(self, end: int) -> bool:
        """Whether the bracket at ``end`` closes a list of an element whose beginning is lost."""
        while True:
            place, _ = place_of(self._buf, end, eof=self._eof, nested=True)
            if place != "more":
                return place == "inner"
            self._fill()

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
        while len(self._buf) < len(_BOM) and not self._eof:
            self._fill()
        return len(_BOM) if self._buf.startswith(_BOM) else 0

    def _next(self, start: int) -> tuple[Element | Broken, int]:
        """The item that starts at ``start`` and the position after it."""
        self._count += 1
        if not self._head:
            self._learn_head(start)
        if self._boundary is None or not self._is_fast() or self._buf[start] != _BRACE:
            return self._exact(start)
        search = start
        for _ in range(_TRIES):
            end = self._candidate(start, search)
            if end is None:
                break
            raw = self._buf[start:end]
            value = self._try(raw)
            if value is not None or _is_whole(raw):
                self._sound = True
                self._learn_separator(end)
                return Element(self._base + start, raw, value), end
            search = end
        self._misses += 1
        if self._misses == _FREE_MISSES and not self._refined:
            self._refine(start)
        return self._exact(start)

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
        end = len(self._buf.rstrip(_SPACE))
        if end > start and self._buf[end - 1] == _BRACKET:
            end = len(self._buf[: end - 1].rstrip(_SPACE))
        return end if end > max(start, search) else None

    def _exact(self, start: int) -> tuple[Element | Broken, int]:
        """Settle the element by scanning strings and brackets."""
        end = self._scan(start)
        if end is not None:
            raw = self._buf[start:end]
            value = self._try(raw)
            if (value is not None or _is_json(raw)) and self._is_whole_text(start, end):
                self._sound = True
                return Element(self._base + start, raw, value), end
            # an unclosed string turns text into brackets and back: trust only what leads on
            until = self._base + end if self._leads_on(end) else None
            return self._broken(start, _DAMAGED, until)
        return self._broken(start, "the element has no end")

    def _is_whole_text(self, start: int, end: int) -> bool:
        """Whether a string is an element, not one that goes on into the next by a lost quote."""
        if self._buf[start] != _QUOTE:
            return True
        after = self._skip_space(end)
        return self._buf[after : after + 1] in (b",", b"]", b"")

    def _broken(self, start: int, reason: str, until: int | None = None) -> tuple[Broken, int]:
        """The damage at ``start`` up to the next element that decodes, or to the end.

        Args:
            start: position in the window.
            reason: as of :class:`Broken`.
            until: place in the file at which the damage ends, unless an element begins before.
        """
        offset = self._base + start
        resume = self._resume(start)
        if until is not None:
            resume = min(resume, max(until - self._base, 0))
        if not self._sound:
            self._head, self._like, self._boundary = b"", None, None
        if resume < len(self._buf) and reason != _AFTER_END:
            reason = _DAMAGED
        return Broken(offset, self._base + resume, reason), resume

    def _scan(self, start: int) -> int | None:
        """Position after the value at ``start``, or None if the file ends (or the cap) first."""
        if self._buf[start] not in b'{["':
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
            match = _END_OF_SCALAR.search(self._buf, start)
            if match:
                end = start + len(self._buf[start : match.start()].rstrip(_SPACE))
                return end if end > start else None
            if self._eof or len(self._buf) - start > self._max_element:
                return None
            self._fill(len(self._buf) - start)

    def _leads_on(self, end: int) -> bool:
        """Whether what follows is another element, or the end of array and file."""
        position = self._skip_space(end)
        if self._buf.startswith(b"]", position):
            return self._nested or self._skip_space(position + 1) == len(self._buf)
        if not self._buf.startswith(b",", position):
            return False
        begin = self._skip_space(position + 1)
        after = self._scan(begin) if begin < len(self._buf) else None
        return after is not None and self._try(self._buf[begin:after]) is not None

    def _resume(self, start: int) -> int:
        """Read on to the next element that decodes; the end of the window if there is none."""
        sound = sound_until(self._buf, start)
        while True:
            begin = self._restart(start, sound)
            if begin is not None:
                return begin
            if self._eof:
                # cut off inside a list, an element takes those after it for that list's: the file
                # looks sound to its end
                begin = self._restart(start, start, only_seen=True)
                return len(self._buf) if begin is None else begin
            if len(self._buf) - start > self._max_element:
                half = len(self._buf) - self._max_element // 2
                self._buf = self._buf[half:]
                self._base += half
                start = sound = 0
            self._fill(len(self._buf) - start)

    def _restart(self, start: int, sound: int, *, only_seen: bool = False) -> int | None:
        """Where the next element begins; None if the window does not show it.

        The damage may have taken the closing brace, so a comma before an object will do: before one
        that is seen to lie in no other, or begins like the first element and is not seen to.

        Args:
            start: where the damaged element begins.
            sound: position before which nothing is looked for.
            only_seen: whether to take only what is seen to lie in no other.
        """
        over = self._eof or len(self._buf) - start > self._max_element
        worth = _LOOKED_AT
        for match in _OPENING.finditer(self._buf, sound):
            begin = match.end()
            like = (
                not only_seen
                and self._like is not None
                and self._like.match(self._buf, begin) is not None
            )
            if not like and worth <= 0:
                continue
            end, _, done = _scan_tokens(self._buf, begin, 0)
            if not done:
                if like and not over:
                    return None  # it may be whole once more is read
                worth -= len(self._buf) - begin
                continue
            if self._try(self._buf[begin:end]) is None:
                continue
            if worth <= 0:
                return begin
            place, looked = place_of(self._buf, end, eof=self._eof, nested=self._nested)
            worth -= looked
            if place == "more" and not over:
                return None
            if place == "outer" or (like and place != "inner"):
                return begin
        return None

    def _try(self, raw: bytes) -> Any:
        try:
            return self._decode(raw)
        except _DECODE_FAULTS:
            return None

    def _after(self, position: int) -> int:
        """Skip the comma between two elements; anything else there is the next item's trouble."""
        position = self._skip_space(position)
        if self._buf.startswith(b",", position):
            return self._skip_space(position + 1)
        return position

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


def iter_blocks(
    file: BinaryIO, path: tuple[str, ...], *, block: int = BLOCK
) -> Iterator[Block | Broken]:
    """Cut the array at ``path`` into blocks of about ``block`` bytes, without decoding.

    A cut is only a guess, made where an object like the first one begins. :func:`read_block` proves
    it: if a block that begins with an element is nothing but elements to its last byte, the next
    block begins with an element as well.
    """
    yield from _Splitter(file, _undecoded, block, MAX_ELEMENT).blocks(path)


def _undecoded(raw: bytes) -> bytes:
    return raw


def read_block(block: Block, decode: Callable[[bytes], Any]) -> Iterator[Element | Broken]:
    """The elements of a block, one after the other.

    Args:
        block: one that begins with an element.
        decode: as for :func:`iter_array`.

    Raises:
        CutError: the block is not the last and does not end where an element does, or is damaged.
    """
    data = b"[" + block.data + (b"" if block.last else b"]")
    splitter = _Splitter(io.BytesIO(data), decode, len(data), MAX_ELEMENT)
    for item in splitter.array_of(block):
        if isinstance(item, Broken) and not block.last:
            raise CutError
        yield item


class CutError(Exception):
    """A block that is not one run of whole elements."""


def _scan_tokens(buf: bytes, position: int, depth: int) -> tuple[int, int, bool]:
    """Follow strings and brackets from ``position``.

    Returns:
        (position, depth, done): ``done`` when the value that began has closed; else the position
        to go on from once more bytes are there.
    """
    end = position
    for match in TOKEN.finditer(buf, position):
        token = buf[match.start()]
        if token == _QUOTE and match.end() - match.start() == 1:
            return match.start(), depth, False
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


def _is_json(raw: bytes) -> bool:
    try:
        loads_loose(raw)
    except ValueError as error:
        return str(error) == TOO_DEEP  # the scanner has found its end all the same
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
    while data := file.read(max(block, len(_BOM), len(rest))):
        if first and data.startswith(_BOM):
            data, base = data[len(_BOM) :], len(_BOM)
        first = False
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
