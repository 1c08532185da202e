"""Which characters of a string came from which message, and how that moves when strings are cut.

Spans may overlap where several messages made the same characters. Those of no length tell where an
empty text stands.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple


class Span(NamedTuple):
    """``text[start:end]`` was contributed by a field of a message."""

    start: int
    end: int
    message: int
    field: str


Spans = tuple[Span, ...]
Origins = dict[tuple[int, str], int]
"""How many characters each message and field contributed."""

_new = tuple.__new__  # twice as fast as calling the named tuple


def shifted(spans: Spans, by: int) -> Spans:
    """The spans ``by`` characters further on."""
    if not by:
        return spans
    if len(spans) == 1:  # the usual case: no loop
        s, e, m, f = spans[0]
        return (_new(Span, (s + by, e + by, m, f)),)
    return tuple([_new(Span, (s + by, e + by, m, f)) for s, e, m, f in spans])


def cut(spans: Spans, start: int, stop: int) -> Spans:
    """What of the spans lies in ``text[start:stop]``.

    A cut of no length keeps, without length, whatever it touches.
    """
    if start == stop:
        touched = dict.fromkeys((m, f) for s, e, m, f in spans if s <= start <= e)
        return tuple([Span(0, 0, m, f) for m, f in touched])
    return tuple(
        [
            _new(Span, ((s if s > start else start) - start, min(e, stop) - start, m, f))
            for s, e, m, f in spans
            if (s < stop and e > start if s < e else start <= s <= stop)
        ]
    )


def clipped(spans: Spans, start: int, stop: int) -> Spans:
    """All spans, brought into ``text[start:stop]``: those outside lose their length, no more."""
    return tuple(
        [
            _new(Span, (min(max(s, start), stop) - start, min(max(e, start), stop) - start, m, f))
            for s, e, m, f in spans
        ]
    )


def stepped(spans: Spans, places: range) -> Spans:
    """What of the spans lies in the characters at ``places``, in their order."""
    count, start, step = len(places), places.start, places.step
    kept: list[Span] = []
    for s, e, m, f in spans:
        if step > 0:
            low, high = -((start - s) // step), -((start - e) // step)
        else:
            low, high = (start - e) // -step + 1, (start - s) // -step + 1
        low, high = min(max(low, 0), count), min(max(high, 0), count)
        if low < high or s == e or not count:
            kept.append(Span(low, high, m, f))
    return tuple(sorted(kept))


def mapped(spans: Spans, place: Callable[[int], int]) -> Spans:
    """The spans with every border moved by ``place``, which keeps their order."""
    return tuple([Span(place(s), place(e), m, f) for s, e, m, f in spans])


def laid(parts: Iterable[tuple[int, Spans]], gap: int = 0) -> Spans:
    """Spans of strings set one after the other with ``gap`` characters between.

    Args:
        parts: length and spans of each.
        gap: characters that no message contributed.
    """
    found: list[Span] = []
    at = 0
    for length, spans in parts:
        if spans:
            if found and spans[0][0] == 0 and continues(found[-1], spans[0], at):
                last, first, *rest = (found.pop(), *spans)
                found.append(Span(last[0], first[1] + at, last[2], last[3]))
                found += [_new(Span, (s + at, e + at, m, f)) for s, e, m, f in rest]
            else:
                found += [_new(Span, (s + at, e + at, m, f)) for s, e, m, f in spans]
        at += length + gap
    return tuple(found)


def continues(last: Span, first: Span, at: int) -> bool:
    """Whether ``first``, shifted by ``at``, goes on where ``last`` ends."""
    return last[1] == at and last[2] == first[2] and last[3] == first[3] and last[0] < last[1]


def count(spans: Spans, origins: Origins) -> None:
    """Add what the spans stand for to ``origins``."""
    for s, e, m, f in spans:
        origins[m, f] = origins.get((m, f), 0) + e - s


def over(length: int, origins: Origins) -> Spans:
    """One span over everything for each message; its field is the one that contributed most."""
    fields: dict[int, tuple[int, str]] = {}
    for (message, field), characters in origins.items():
        if message not in fields or characters > fields[message][0]:
            fields[message] = (characters, field)
    return tuple([Span(0, length, m, field) for m, (_, field) in sorted(fields.items())])
