"""Strings that remember which message each of their characters came from.

A plain ``str`` means: no message had a part in it. Every operation of ``str`` that makes text keeps
the origin of each character; where that cannot be told cheaply, the whole result counts as
contributed by every message that had a part in it. The text itself is always what ``str`` makes.
"""

# ruff: noqa: D102 - the methods are those of str

import operator
from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, Sequence, ValuesView
from typing import Any, SupportsIndex, cast

from jinja2.utils import Namespace

from train.provenance_spans import (
    Origins,
    Span,
    Spans,
    clipped,
    continues,
    count,
    cut,
    laid,
    mapped,
    over,
    shifted,
    stepped,
)

__all__ = ["TOOLS", "Span", "Traced", "concat", "opaque", "origins_of", "spans_of", "traced"]

TOOLS = -1
"""``Span.message`` of what a tool definition or another input contributed."""

_new = str.__new__
_plus = str.__add__
_item = str.__getitem__
_lists = (list, tuple, KeysView, ValuesView, ItemsView, set, frozenset)


class Traced(str):
    """A string that knows where its characters come from.

    Attributes:
        spans: sorted by start.
    """

    __slots__ = ("spans",)
    spans: Spans

    def __new__(cls, text: str, message: int, field: str) -> "Traced":
        return _of(text, (Span(0, len(text), message, field),))

    def __str__(self) -> str:
        # str() of a subclass may be one, and so compiled templates keep it
        return self

    def __repr__(self) -> str:
        return opaque(str.__repr__(self), _origins(self.spans))

    def __format__(self, spec: str) -> str:
        if not spec:
            return self
        return opaque(str.__format__(self, spec), origins_of([self, spec]))

    def __add__(self, other: str) -> str:
        kind = type(other)
        if kind is str:
            new = _new(Traced, _plus(self, other))
            new.spans = self.spans
            return new
        if kind is Traced:
            return _of(_plus(self, other), _beside(self, cast("Traced", other)))
        if not isinstance(other, str) or hasattr(other, "__html__"):
            return NotImplemented
        return _of(_plus(self, other), laid([_laying(self), _laying(other)]))

    def __radd__(self, other: str) -> str:
        if not isinstance(other, str):
            return NotImplemented
        new = _new(Traced, _plus(other, self))
        new.spans = shifted(self.spans, len(other))
        return new

    def __mul__(self, times: SupportsIndex) -> str:
        text = str.__mul__(self, times)
        return _of(text, laid([_laying(self)] * max(operator.index(times), 0)))

    __rmul__ = __mul__

    def __mod__(self, values: Any) -> str:
        return opaque(str.__mod__(self, values), origins_of([self, values]))

    def __rmod__(self, pattern: Any) -> str:
        if not isinstance(pattern, str):
            return NotImplemented
        return opaque(str.__mod__(pattern, self), origins_of([pattern, self]))

    def __getitem__(self, key: SupportsIndex | slice) -> str:
        text = _item(self, key)
        spans = self.spans
        if isinstance(key, slice):
            start, stop, step = key.indices(len(self))
            if step != 1:
                return _of(text, stepped(spans, range(start, stop, step)))
            return _of(text, cut(spans, start, max(start, stop)))
        at = operator.index(key)
        at += len(self) if at < 0 else 0
        return _of(text, cut(spans, at, at + 1))

    def __iter__(self) -> Iterator[str]:
        for at, character in enumerate(str.__iter__(self)):
            yield _of(character, cut(self.spans, at, at + 1))

    # cutting

    def strip(self, chars: str | None = None, /) -> str:
        text = str.strip(self, chars)
        if len(text) == len(self):
            return self
        return _clip(self, text, len(self) - len(str.lstrip(self, chars)))

    def lstrip(self, chars: str | None = None, /) -> str:
        text = str.lstrip(self, chars)
        return _clip(self, text, len(self) - len(text))

    def rstrip(self, chars: str | None = None, /) -> str:
        return _clip(self, str.rstrip(self, chars), 0)

    def removeprefix(self, prefix: str, /) -> str:
        text = str.removeprefix(self, prefix)
        return _clip(self, text, len(self) - len(text))

    def removesuffix(self, suffix: str, /) -> str:
        return _clip(self, str.removesuffix(self, suffix), 0)

    def split(self, sep: str | None = None, maxsplit: SupportsIndex = -1) -> list[str]:
        return _pieces(self, str.split(self, sep, maxsplit), sep)

    def rsplit(self, sep: str | None = None, maxsplit: SupportsIndex = -1) -> list[str]:
        return _pieces(self, str.rsplit(self, sep, maxsplit), sep)

    def splitlines(self, keepends: bool = False) -> list[str]:
        pieces: list[str] = []
        at = 0
        lines = zip(str.splitlines(self, keepends), str.splitlines(self, True), strict=True)
        for line, whole in lines:
            pieces.append(_of(line, cut(self.spans, at, at + len(line))))
            at += len(whole)
        return pieces

    def partition(self, sep: str, /) -> tuple[str, str, str]:
        return _three(self, str.partition(self, sep))

    def rpartition(self, sep: str, /) -> tuple[str, str, str]:
        return _three(self, str.rpartition(self, sep))

    # putting together

    def join(self, iterable: Iterable[str], /) -> str:
        parts = list(iterable)
        text = str.join(self, parts)
        if self.spans:
            between = [part for one in parts for part in (self, one)][1:]
            return _of(text, laid(map(_laying, between)))
        return _of(text, laid(map(_laying, parts), len(self)))

    def replace(self, old: str, new: str, count: SupportsIndex = -1, /) -> str:
        text = str.replace(self, old, new, count)
        if old:
            parts = self.split(old, count)
        else:  # before each character and at the end
            most = operator.index(count)
            most = len(self) + 1 if most < 0 else min(most, len(self) + 1)
            parts = [*([""] if most else []), *self[: max(most - 1, 0)]]
            parts = [*parts, self[max(most - 1, 0) :]] if most <= len(self) else [*parts, ""]
        return _of(text, _of(new, spans_of(new)).join(parts).spans)  # type: ignore[attr-defined]

    def format(self, *values: Any, **named: Any) -> str:
        return opaque(str.format(self, *values, **named), origins_of([self, values, named]))

    def format_map(self, values: Any, /) -> str:
        return opaque(str.format_map(self, values), origins_of([self, values]))

    def center(self, width: SupportsIndex, fill: str = " ", /) -> str:
        text = str.center(self, width, fill)
        more = len(text) - len(self)
        # the odd one goes left where the width is odd
        return _padded(self, text, fill, more // 2 + (more & operator.index(width) & 1))

    def ljust(self, width: SupportsIndex, fill: str = " ", /) -> str:
        return _padded(self, str.ljust(self, width, fill), fill, 0)

    def rjust(self, width: SupportsIndex, fill: str = " ", /) -> str:
        text = str.rjust(self, width, fill)
        return _padded(self, text, fill, len(text) - len(self))

    def zfill(self, width: SupportsIndex, /) -> str:
        text = str.zfill(self, width)
        sign = self[: 1 if str.startswith(self, ("+", "-")) else 0]
        zeros = "0" * (len(text) - len(self))
        return _of(text, laid(map(_laying, (sign, zeros, self[len(sign) :])))) if zeros else self

    # changing characters: what becomes of the text before a place tells where the place goes

    def upper(self) -> str:
        return changed(self, str.upper)

    def lower(self) -> str:
        return changed(self, str.lower)

    def title(self) -> str:
        return changed(self, str.title)

    def capitalize(self) -> str:
        return changed(self, str.capitalize)

    def swapcase(self) -> str:
        return changed(self, str.swapcase)

    def casefold(self) -> str:
        return changed(self, str.casefold)

    def expandtabs(self, tabsize: SupportsIndex = 8) -> str:
        return changed(self, lambda text: str.expandtabs(text, tabsize))

    def translate(self, table: Any, /) -> str:
        origins = origins_of(table)
        if origins:
            count(self.spans, origins)
            return opaque(str.translate(self, table), origins)
        text = str.translate(self, table)
        return _of(
            text, mapped(self.spans, lambda at: len(_item(self, slice(at)).translate(table)))
        )

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return TracedBytes.of(str.encode(self, encoding, errors), _origins(self.spans))


class TracedBytes(bytes):
    """Encoded text that knows which messages it came from, though not where."""

    _origins: Origins

    @staticmethod
    def of(value: bytes, origins: Origins) -> "TracedBytes":
        """The bytes with their origins."""
        new = TracedBytes(value)
        new._origins = origins
        return new

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return opaque(bytes.decode(self, encoding, errors), self._origins)

    def __repr__(self) -> str:
        return opaque(bytes.__repr__(self), self._origins)

    __str__ = __repr__

    def __getitem__(self, key: Any) -> Any:
        part = bytes.__getitem__(self, key)
        return TracedBytes.of(part, self._origins) if isinstance(part, bytes) else part

    def __add__(self, other: Any) -> bytes:
        return TracedBytes.of(bytes.__add__(self, other), origins_of([self, other]))

    def __radd__(self, other: Any) -> bytes:
        return TracedBytes.of(bytes.__add__(other, self), origins_of([self, other]))


def traced(value: Any, message: int, field: str) -> Any:
    """``value`` with every string in it (also keys) made :class:`Traced` over its whole length."""
    if isinstance(value, str):
        # a subclass may print another text than it holds
        return Traced(str.__str__(value), message, field)
    if isinstance(value, dict):
        return {
            traced(key, message, field): traced(item, message, field) for key, item in value.items()
        }
    if isinstance(value, list):
        return [traced(item, message, field) for item in value]
    if isinstance(value, tuple):
        return tuple(traced(item, message, field) for item in value)
    return value


def spans_of(text: str) -> Spans:
    """Where the characters of a string come from; nothing for a plain ``str``."""
    return text.spans if isinstance(text, Traced) else ()


def concat(parts: Iterable[str]) -> str:
    """The strings one after the other; a plain ``str`` when none of them is traced."""
    parts = list(parts)
    text = "".join(parts)
    spans = laid(map(_laying, parts))
    return _of(text, spans) if spans else text


def lifted(text: str) -> Traced:
    """The text as one whose operations keep origins, with none of its own unless it has some."""
    return text if isinstance(text, Traced) else _of(text, ())


def with_spans(text: str, spans: Spans) -> Traced:
    """The text with these origins."""
    return _of(text, spans)


def opaque(text: str, origins: Origins) -> str:
    """``text`` as contributed in whole by each message of ``origins``."""
    return _of(str.__str__(text), over(len(text), origins)) if origins else text


def origins_of(value: Any, origins: Origins | None = None) -> Origins:
    """Which messages contributed strings that a value holds, and how many characters."""
    found: Origins = {} if origins is None else origins
    if isinstance(value, Traced):
        count(value.spans, found)
    elif isinstance(value, dict):
        for key, item in value.items():
            origins_of(key, found)
            origins_of(item, found)
    elif isinstance(value, _lists):
        for item in value:
            origins_of(item, found)
    elif isinstance(value, Namespace):
        origins_of(object.__getattribute__(value, "_Namespace__attrs"), found)
    elif isinstance(value, TracedBytes):
        for origin, characters in value._origins.items():
            found[origin] = found.get(origin, 0) + characters
    return found


def changed(source: Traced, change: Callable[[str], str]) -> Traced:
    """The text after a change whose effect on a part does not depend on what follows the part."""
    text = change(source)
    if len(text) == len(source):  # no change of case makes a character vanish
        return _of(text, source.spans)
    return _of(text, mapped(source.spans, lambda at: len(change(_item(source, slice(at))))))


def _of(text: str, spans: Spans) -> Traced:
    new = _new(Traced, text)
    new.spans = spans
    return new


def _origins(spans: Spans) -> Origins:
    origins: Origins = {}
    count(spans, origins)
    return origins


def _laying(text: str) -> tuple[int, Spans]:
    return len(text), text.spans if isinstance(text, Traced) else ()


def _beside(left: Traced, right: Traced) -> Spans:
    if not left.spans or not right.spans:
        return left.spans or shifted(right.spans, len(left))
    if right.spans[0][0] == 0 and continues(left.spans[-1], right.spans[0], len(left)):
        return laid([_laying(left), _laying(right)])
    return left.spans + shifted(right.spans, len(left))


def _clip(source: Traced, text: str, start: int) -> Traced:
    if len(text) == len(source):
        return source
    return _of(text, clipped(source.spans, start, start + len(text)))


def _pieces(source: Traced, pieces: Sequence[str], sep: str | None) -> list[str]:
    if len(pieces) == 1 and len(pieces[0]) == len(source):
        return [source]
    found: list[str] = []
    at = 0
    for piece in pieces:
        if sep is None:  # only white space lies between
            at = str.find(source, piece, at)
        found.append(_of(piece, cut(source.spans, at, at + len(piece))))
        at += len(piece) + len(sep or "")
    return found


def _three(source: Traced, parts: tuple[str, str, str]) -> tuple[str, str, str]:
    head, sep, tail = parts
    if not sep:  # not found: two of them are nobody's
        return (source, "", "") if head else ("", "", source)
    middle, rest = len(head), len(head) + len(sep)
    spans = source.spans
    return (
        _of(head, cut(spans, 0, middle)),
        _of(sep, cut(spans, middle, rest)),
        _of(tail, cut(spans, rest, len(source))),
    )


def _padded(source: Traced, text: str, fill: str, left: int) -> str:
    more = len(text) - len(source)
    if not more:
        return source
    parts = [*[fill] * left, source, *[fill] * (more - left)]
    return _of(text, laid(map(_laying, parts)))
