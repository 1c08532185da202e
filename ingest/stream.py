"""The elements of a giant JSON array, in bounded memory.

The file is never held whole. A damaged element costs itself and nothing else: it comes out as a
:class:`Broken` with its place, and the elements around it as they are.

No proper prefix of a JSON object is an object, so a slice that decodes *is* the whole element.
Candidates are found by ``bytes.find`` (see :mod:`ingest.boundary`) and confirmed by decoding; an
exact scanner settles the rest.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple

import msgspec

from ingest.boundary import PartedWindow
from ingest.damage import place_of, sound_until
from ingest.loose import TOO_DEEP, loads_loose
from ingest.window import QUOTE, scan_tokens

BLOCK = 4 << 20
MAX_ELEMENT = 512 << 20
"""Bytes of the largest element that is looked for; a damaged file must not fill the memory."""

_BRACE = ord("{")
_TRIES = 3
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
    yield from Splitter(file, decode, block, max_element).run(path)


class Splitter(PartedWindow):
    """One pass over an array."""

    def __init__(
        self, file: BinaryIO, decode: Callable[[bytes], Any], block: int, max_element: int
    ) -> None:
        super().__init__(file, block, max_element)
        self._decode = decode
        self._nested = False
        self._sound = False  # whether an element was read: until then the first key may be damage

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
        self._miss(start)
        return self._exact(start)

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
        if self._buf[start] != QUOTE:
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
            self._unlearn()
        if resume < len(self._buf) and reason != _AFTER_END:
            reason = _DAMAGED
        return Broken(offset, self._base + resume, reason), resume

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
            end, _, done = scan_tokens(self._buf, begin, 0)
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
