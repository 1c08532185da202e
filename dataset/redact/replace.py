"""Puts placeholders where something was found: ``[EMAIL_1]``, ``Person_7``.

The same value gets the same placeholder within a conversation. What stands in a placeholder is
never taken for anything again, so redacting twice changes nothing.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence

from dataset.redact.finding import Finders, Found, found_in
from dataset.redact.json_text import Change, Changed, change_json, is_fixed, is_json, values
from dataset.redact.written import PLACEHOLDER

_SAME_WHEN_SPACED = frozenset({"phone", "card", "iban", "national_id"})
_NOT_PLAIN = re.compile(r"[\W_]+")
_LONGEST_KEY = 40
_TELEPHONE = re.compile(r"phone|mobile|tel\b|whatsapp|handy", re.IGNORECASE)


class Placeholders:
    """The placeholders of one conversation.

    Args:
        texts: all its texts as they are; numbers of placeholders in them are not given again.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = texts
        self._taken: set[str] | None = None
        self._given: dict[tuple[str, str], str] = {}
        self._last: dict[str, int] = {}

    def of(self, kind: str, value: str) -> str:
        """The placeholder of a value."""
        key = kind, _plain(kind, value)
        if key not in self._given:
            self._given[key] = self._next(kind.upper().replace("-", "_"))
        return self._given[key]

    def _next(self, label: str) -> str:
        if self._taken is None:  # most conversations need none, and are not looked through
            self._taken = {
                found[0]
                for text in self._texts
                if "[" in text
                for found in PLACEHOLDER.finditer(text)
            }
        number = self._last.get(label, 0) + 1
        while f"[{label}_{number}]" in self._taken:
            number += 1
        self._last[label] = number
        return f"[{label}_{number}]"


def _plain(kind: str, value: str) -> str:
    if kind in _SAME_WHEN_SPACED:
        return _NOT_PLAIN.sub("", value).casefold()
    return value.casefold() if kind == "email" else value


def redact_text(
    text: str, finders: Finders, placeholders: Placeholders, *, quiet: bool = False
) -> Changed:
    """A text without what was found in it.

    Args:
        text: any text.
        finders: what looks.
        placeholders: of the conversation.
        quiet: whether it is known that detectors find nothing in the text.

    Returns:
        The new text, and for each place what was done.
    """
    return _redact(text, finders, placeholders, quiet=quiet)


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
    if not found_in("\n".join(_lines(text)), finders):
        return text, []

    def on_string(value: str, path: tuple[str, ...]) -> Changed:
        if fixed and is_fixed(path):
            return value, []
        return _redact(value, finders, placeholders, _key(path))

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


def _redact(
    text: str, finders: Finders, placeholders: Placeholders, key: str = "", *, quiet: bool = False
) -> Changed:
    """Replace until nothing more is found.

    A find hides what touches it: of "a@b.org+49 170 1234567" the number is seen only when the
    address is gone. Each round leaves less of the original, so this ends.
    """
    found = found_in(text, finders, key, quiet=quiet)
    if not found:
        return text, []
    text, changes = _replace(text, found, finders, placeholders)
    while found := found_in(text, finders, key, [(each.start, each.end) for each in changes]):
        text, new = _replace(text, found, finders, placeholders)
        changes = _with_earlier(changes, found, new)
    return text, changes


def _with_earlier(
    earlier: Sequence[Change], found: Sequence[Found], new: Sequence[Change]
) -> list[Change]:
    """All changes in order, the earlier ones where they are now."""
    moved: list[Change] = []
    shift = at = 0
    for change in earlier:
        while at < len(found) and found[at].end <= change.start:
            shift = new[at].end - found[at].end
            at += 1
        moved.append(change._replace(start=change.start + shift, end=change.end + shift))
    return sorted([*moved, *new], key=lambda each: each.start)


def _replace(
    text: str, found: list[Found], finders: Finders, placeholders: Placeholders
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
            if text[each.end : each.end + 1].isdigit():
                instead += " "  # "王小明3" is not Person_73
        else:
            instead = placeholders.of(each.kind, value)
        pieces += [text[done : each.start], instead]
        length += each.start - done
        changes.append(Change(each.kind, length, length + len(instead), instead, value))
        length += len(instead)
        done = each.end
    pieces.append(text[done:])
    return "".join(pieces), changes
