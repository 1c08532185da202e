"""JSON text changed value by value: everything else stays byte for byte, and it still parses.

Keys are never changed. Strings may be; a number is only ever exchanged for another number, because
no schema is at hand that would allow anything else.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|[{}\[\],:]')


class Value(NamedTuple):
    """A string or number in JSON text.

    Attributes:
        start: its first character, the quote of a string.
        end: after its last.
        path: the keys that lead to it, outermost first; items of a list have the list's.
    """

    start: int
    end: int
    path: tuple[str, ...]


class Change(NamedTuple):
    """Something put in place of something.

    Attributes:
        kind: what was found.
        start: where the placeholder begins in the new text.
        end: where it ends.
        placeholder: what stands there now.
        value: what stood there.
    """

    kind: str
    start: int
    end: int
    placeholder: str
    value: str


Changed = tuple[str, list[Change]]
OnString = Callable[[str, tuple[str, ...]], Changed]
"""Gives a string's new value and its changes, from the string and its path."""
OnNumber = Callable[[str, tuple[str, ...]], str | None]
"""Gives the kind of thing a number is, or None if it stays."""

INSTEAD_OF_NUMBER = "0"
"""What a number becomes that must go."""


def is_json(text: str) -> bool:
    """Whether a text is a JSON object or list."""
    if text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def change_json(text: str, on_string: OnString, on_number: OnNumber) -> Changed:
    """Change the values of JSON text; text that is JSON within a string is changed the same way.

    Args:
        text: a JSON object or list, as :func:`is_json` says.
        on_string: see the type.
        on_number: see the type.
    """
    pieces: list[str] = []
    changes: list[Change] = []
    done = length = 0
    for value in values(text):
        literal = text[value.start : value.end]
        if literal[0] != '"':
            kind = on_number(literal, value.path)
            if kind is None:
                continue
            new, found = INSTEAD_OF_NUMBER, [Change(kind, 0, 1, INSTEAD_OF_NUMBER, literal)]
        else:
            new, found = _string(literal, value.path, on_string, on_number)
            if not found:
                continue
        pieces += [text[done : value.start], new]
        length += value.start - done
        changes += [
            each._replace(start=each.start + length, end=each.end + length) for each in found
        ]
        length += len(new)
        done = value.end
    pieces.append(text[done:])
    return "".join(pieces), changes


def _string(
    literal: str, path: tuple[str, ...], on_string: OnString, on_number: OnNumber
) -> Changed:
    old: str = json.loads(literal)
    if is_json(old):
        new, changes = change_json(old, on_string, on_number)
    else:
        new, changes = on_string(old, path)
    if not changes:
        return literal, []
    ascii_only = literal.isascii()

    def length(part: str) -> int:
        return len(_dump(part, ascii_only)) - 1  # without the closing quote

    placed = [
        each._replace(start=length(new[: each.start]), end=length(new[: each.end]))
        for each in changes
    ]
    return _dump(new, ascii_only), placed


def _dump(text: str, ascii_only: bool) -> str:
    return json.dumps(text, ensure_ascii=ascii_only)


def values(text: str) -> Iterator[Value]:
    """The strings that are values, and the numbers, of JSON text, in order."""
    path: list[str] = []
    open_: list[str] = []
    key: str | None = None
    pending: re.Match[str] | None = None
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign == ":":
            assert pending is not None
            key = json.loads(pending[0])
            pending = None
            continue
        if pending is not None:
            yield _value(pending, path, key)
            pending, key = None, None
        if sign in "{[":
            open_.append(sign)
            path.append(key if key is not None else "")
            key = None
        elif sign in "}]":
            open_.pop()
            path.pop()
            key = None
        elif sign == ",":
            key = None
        else:
            pending = token
    if pending is not None:
        yield _value(pending, path, key)


def _value(token: re.Match[str], path: list[str], key: str | None) -> Value:
    keys = [each for each in path if each]
    return Value(token.start(), token.end(), (*keys, key) if key else tuple(keys))


_FIXED = frozenset({"name", "type", "format", "pattern", "$ref", "$schema", "$id", "required"})
_FREE = frozenset({"default", "examples", "example", "enum", "const"})


def is_fixed(path: tuple[str, ...]) -> bool:
    """Whether a value of a tool's definition is part of its form: a name, a type, a pattern."""
    return bool(path) and path[-1] in _FIXED and not _FREE & set(path)
