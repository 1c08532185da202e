"""Puts placeholders where something was found: ``[EMAIL_1]``, ``Person_7``.

The same value gets the same placeholder within a conversation. What stands in a placeholder is
never taken for anything again, so redacting twice changes nothing.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from dataset.redact.json_text import Change, Changed, change_json, is_fixed, is_json, values
from dataset.redact.people import PersonSpan
from dataset.redact.span import Span

PERSON = "person"
"""The kind of names."""

PLACEHOLDER = re.compile(r"\[([A-Z][A-Z0-9_]*)_(\d+)\]|(?<![^\W_])Person_\d+")
"""What redaction writes, except realistic names."""

Find = Callable[[str], list[Span]]
FindPeople = Callable[[str], list[PersonSpan]]
Write = Callable[[PersonSpan, str], str]
"""Gives what to write for a person, from the span and the name that stands there."""

_SAME_WHEN_SPACED = frozenset({"phone", "card", "iban", "national_id"})
_EDGES = " \t\r\n\"'`“”‘’«»"
_NOT_PLAIN = re.compile(r"[\W_]+")
_LONGEST_KEY = 40
_TELEPHONE = re.compile(r"phone|mobile|tel\b|whatsapp|handy", re.IGNORECASE)


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


class _Found(NamedTuple):
    start: int
    end: int
    kind: str
    person: PersonSpan | None = None


class Placeholders:
    """The placeholders of one conversation.

    Args:
        texts: all its texts; numbers of placeholders that stand in them are not given again.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._taken = set[str]()
        for text in texts:
            if "[" in text:
                self._taken.update(found[0] for found in PLACEHOLDER.finditer(text))
        self._given: dict[tuple[str, str], str] = {}
        self._last: dict[str, int] = {}

    def of(self, kind: str, value: str) -> str:
        """The placeholder of a value."""
        key = kind, _plain(kind, value)
        if key not in self._given:
            self._given[key] = self._next(kind.upper().replace("-", "_"))
        return self._given[key]

    def _next(self, label: str) -> str:
        number = self._last.get(label, 0) + 1
        while f"[{label}_{number}]" in self._taken:
            number += 1
        self._last[label] = number
        return f"[{label}_{number}]"


def _plain(kind: str, value: str) -> str:
    if kind in _SAME_WHEN_SPACED:
        return _NOT_PLAIN.sub("", value).casefold()
    return value.casefold() if kind == "email" else value


def redact_text(text: str, finders: Finders, placeholders: Placeholders) -> Changed:
    """A text without what was found in it.

    Returns:
        The new text, and for each place what was done.
    """
    return _replace(text, _found(text, finders), finders, placeholders)


def redact_value(text: str, finders: Finders, placeholders: Placeholders) -> Changed:
    """A text that may be JSON, as arguments and results of tools are: it then still parses."""
    if is_json(text):
        return _redact_json(text, finders, placeholders, fixed=False)
    return redact_text(text, finders, placeholders)


def redact_tools(text: str, finders: Finders, placeholders: Placeholders) -> Changed:
    """Definitions of tools: names, types and patterns stay, descriptions and examples may not."""
    return _redact_json(text, finders, placeholders, fixed=True) if is_json(text) else (text, [])


def _redact_json(
    text: str, finders: Finders, placeholders: Placeholders, *, fixed: bool
) -> Changed:
    # one look at all values at once; nearly all JSON of tools holds nothing
    if not _found("\n".join(_lines(text)), finders):
        return text, []

    def on_string(value: str, path: tuple[str, ...]) -> Changed:
        if fixed and is_fixed(path):
            return value, []
        return _replace(value, _found(value, finders, _key(path)), finders, placeholders)

    def on_number(literal: str, path: tuple[str, ...]) -> str | None:
        if not literal.lstrip("-").isdigit() or len(literal) < 6:
            return None
        key = _key(path)
        kind = _kind_of_number(key, literal, finders)
        if kind is None and _TELEPHONE.search(key):  # as a number it has lost its "+"
            kind = _kind_of_number(key, f"+{literal}", finders)
        return kind

    return change_json(text, on_string, on_number)


def _kind_of_number(key: str, literal: str, finders: Finders) -> str | None:
    seen = f"{key}{literal}"
    for span in finders.find(seen):
        if span.start <= len(key) + 1 and span.end == len(seen):
            return span.kind
    return None


def _lines(text: str) -> Iterator[str]:
    for value in values(text):
        literal = text[value.start : value.end]
        plain = json.loads(literal) if literal[0] == '"' else literal
        if plain[:1] in ("{", "[") and is_json(plain):
            yield from _lines(plain)
        else:
            key = _key(value.path)
            plus = "+" if literal[0] != '"' and _TELEPHONE.search(key) else ""
            yield f"{key}{plus}{plain}"


def _key(path: tuple[str, ...]) -> str:
    """What a detector should see before a value: its key, for keys tell what values are."""
    return f"{path[-1]}: " if path and len(path[-1]) <= _LONGEST_KEY else ""


def _found(text: str, finders: Finders, key: str = "") -> list[_Found]:
    """What was found, in order and disjoint."""
    seen = f"{key}{text}" if key else text
    spans = [
        _Found(max(span.start - len(key), 0), span.end - len(key), span.kind)
        for span in finders.find(seen)
        if span.end > len(key)
    ]
    spans += [_Found(each.start, each.end, PERSON, each) for each in finders.people(text)]
    if not spans:
        return []
    if finders.keep:
        spans = [
            each for each in spans if text[each.start : each.end].casefold() not in finders.keep
        ]
    walls = [found.span() for found in PLACEHOLDER.finditer(text)]
    whole = [piece for each in _together(spans) for piece in _pieces(text, each, walls)]
    return [each for each in whole if each.start < each.end]


def _together(spans: list[_Found]) -> list[_Found]:
    """Those that overlap as one, of the kind of the longest; at equal length not a person."""
    found: list[_Found] = []
    best: _Found | None = None
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


def _pieces(text: str, found: _Found, walls: Sequence[tuple[int, int]]) -> list[_Found]:
    """What is left of a find outside of placeholders, and without quotes at its ends."""
    if found.person:
        hits_wall = any(low < found.end and found.start < high for low, high in walls)
        return [] if hits_wall else [found]
    pieces: list[_Found] = []
    start = found.start
    for low, high in [wall for wall in walls if wall[0] < found.end and found.start < wall[1]]:
        pieces.append(found._replace(start=start, end=max(low, start)))
        start = max(high, start)
    pieces.append(found._replace(start=start))
    return [_trimmed(text, piece) for piece in pieces if _says_something(text, piece, found)]


def _says_something(text: str, piece: _Found, whole: _Found) -> bool:
    if (piece.start, piece.end) == (whole.start, whole.end):
        return True
    return len(_NOT_PLAIN.sub("", text[piece.start : piece.end])) >= 4


def _trimmed(text: str, found: _Found) -> _Found:
    start, end = found.start, found.end
    while start < end and text[start] in _EDGES:
        start += 1
    while end > start and text[end - 1] in _EDGES:
        end -= 1
    return found._replace(start=start, end=end)


def _replace(
    text: str, found: list[_Found], finders: Finders, placeholders: Placeholders
) -> Changed:
    if not found:
        return text, []
    pieces: list[str] = []
    changes: list[Change] = []
    done = length = 0
    for each in found:
        value = text[each.start : each.end]
        if each.person:
            instead = finders.write(each.person, value)
        else:
            instead = placeholders.of(each.kind, value)
        pieces += [text[done : each.start], instead]
        length += each.start - done
        changes.append(Change(each.kind, length, length + len(instead), instead, value))
        length += len(instead)
        done = each.end
    pieces.append(text[done:])
    return "".join(pieces), changes
