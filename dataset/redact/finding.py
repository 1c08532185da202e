"""What of a text must go: the finds of detectors and of people's names, overlaps settled."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from dataset.redact.people import PersonSpan
from dataset.redact.span import Span
from dataset.redact.written import PLACEHOLDER

PERSON = "person"
"""The kind of names."""

Find = Callable[[str], list[Span]]
FindPeople = Callable[[str], list[PersonSpan]]
Write = Callable[[PersonSpan, str], str]
"""Gives what to write for a person, from the span and the name that stands there."""

_EDGES = " \t\r\n\"'`“”‘’«»"
_NOT_PLAIN = re.compile(r"[\W_]+")
_LEAST_LEFT = 4


class Finders(NamedTuple):
    """What looks for things in a text.

    Attributes:
        find: finds everything but people.
        people: finds people.
        write: what to write for a person.
        keep: values that stay, folded by ``str.casefold``.
    """

    find: Find
    people: FindPeople
    write: Write
    keep: frozenset[str] = frozenset()


class Found(NamedTuple):
    """One find, and the person if it is a name."""

    start: int
    end: int
    kind: str
    person: PersonSpan | None = None


def found_in(
    text: str,
    finders: Finders,
    key: str = "",
    written: Iterable[tuple[int, int]] = (),
    *,
    quiet: bool = False,
) -> list[Found]:
    """What was found, in order and disjoint, outside of placeholders.

    Args:
        text: any text.
        finders: what looks.
        key: what detectors should see before the text.
        written: (start, end) of what redaction wrote into it already.
        quiet: whether it is known that detectors find nothing.
    """
    finds = [] if quiet else finders.find(f"{key}{text}" if key else text)
    people = finders.people(text)
    if not finds and not people:
        return []
    skip = len(key)
    spans = [
        Found(max(span.start - skip, 0), span.end - skip, span.kind)
        for span in finds
        if span.end > skip
    ]
    spans += [Found(each.start, each.end, PERSON, each) for each in people]
    if finders.keep:
        spans = [
            each for each in spans if text[each.start : each.end].casefold() not in finders.keep
        ]
    walls = sorted({*(found.span() for found in PLACEHOLDER.finditer(text)), *written})
    whole = [piece for each in _together(spans) for piece in _pieces(text, each, walls)]
    return [each for each in whole if each.start < each.end]


def _together(spans: list[Found]) -> list[Found]:
    """Those that overlap as one, of the kind of the longest; at equal length not a person."""
    found: list[Found] = []
    best: Found | None = None
    for span in sorted(spans, key=lambda each: (each.start, each.end)):
        if best is None or span.start >= found[-1].end:
            found.append(span)
            best = span
            continue
        length, worth = best.end - best.start, span.end - span.start
        if worth > length or (worth == length and best.person):
            best = span
        last = found[-1]
        found[-1] = best._replace(start=last.start, end=max(last.end, span.end))
    return found


def _pieces(text: str, found: Found, walls: Sequence[tuple[int, int]]) -> list[Found]:
    """What is left of a find outside of placeholders, and without quotes at its ends."""
    if found.person:
        hits_wall = any(low < found.end and found.start < high for low, high in walls)
        return [] if hits_wall else [found]
    pieces: list[Found] = []
    start = found.start
    for low, high in [wall for wall in walls if wall[0] < found.end and found.start < wall[1]]:
        pieces.append(found._replace(start=start, end=max(low, start)))
        start = max(high, start)
    pieces.append(found._replace(start=start))
    return [_trimmed(text, piece) for piece in pieces if _says_something(text, piece, found)]


def _says_something(text: str, piece: Found, whole: Found) -> bool:
    if (piece.start, piece.end) == (whole.start, whole.end):
        return True
    return len(_NOT_PLAIN.sub("", text[piece.start : piece.end])) >= _LEAST_LEFT


def _trimmed(text: str, found: Found) -> Found:
    start, end = found.start, found.end
    while start < end and text[start] in _EDGES:
        start += 1
    while end > start and text[end - 1] in _EDGES:
        end -= 1
    return found._replace(start=start, end=end)
