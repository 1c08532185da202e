"""Text made of values - as Python shows them, by ``%``, by format, as JSON - with its origins.

The text always comes from the library's own function; origins are laid over it, exactly where the
parts can be found in it, else over the whole.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from string import Formatter
from typing import Any

from train.provenance import Traced, concat, lifted, opaque, origins_of, spans_of, with_spans
from train.provenance_spans import Span, over, shifted

_conversion = re.compile(
    r"%(?:\((?P<key>[^()]*)\))?(?P<how>[-#0 +]*\d*(?:\.\d+)?)[hlL]?(?P<kind>.)"
)
_token = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


def shown(value: Any) -> str:
    """``str(value)``."""
    if type(value) is str or type(value) is Traced:
        return value
    text = str(value)
    if type(text) is not str or isinstance(value, bool | int | float | None):
        return text
    return _represented(value, text)


def _represented(value: Any, text: str) -> str:
    origins = origins_of(value)
    messages = {message for message, _ in origins}
    if len(messages) < 2 or isinstance(value, str):
        return opaque(text, origins)
    how: object = type(value).__repr__
    parts: list[str]
    if how is dict.__repr__:
        parts = [concat([_repr(key), ": ", _repr(item)]) for key, item in value.items()]
        built = concat(["{", lifted(", ").join(parts), "}"])
    elif how is list.__repr__ or how is tuple.__repr__:
        opened, closed = "[]" if how is list.__repr__ else "()"
        closed = f",{closed}" if how is tuple.__repr__ and len(value) == 1 else closed
        built = concat([opened, lifted(", ").join(map(_repr, value)), closed])
    else:
        return opaque(text, origins)
    return built if built == text else opaque(text, origins)


def _repr(value: Any) -> str:
    text = repr(value)
    return text if type(text) is not str else _represented(value, text)


def percent(pattern: str, values: Any) -> str:
    """``pattern % values``."""
    text = str.__mod__(pattern, values)
    origins = origins_of([pattern, values])
    if not origins:
        return text
    if not spans_of(pattern):
        built = concat(_filled(pattern, values))
        if built == text:
            return built
    return opaque(text, origins)


def _filled(pattern: str, values: Any) -> Iterator[str]:
    """The parts of a filled pattern; not all of them where a width comes with the values."""
    left = iter(values if isinstance(values, tuple) else (values,))
    at = 0
    for match in _conversion.finditer(pattern):
        yield pattern[at : match.start()]
        at = match.end()
        key, how, kind = match.group("key", "how", "kind")
        if kind == "%":
            yield "%"
            continue
        value = values[key] if key is not None else next(left, None)
        if kind == "s" and not how:
            yield shown(value)
        elif kind in "sradiouxXeEfFgGc":
            yield opaque(str.__mod__(f"%{how}{kind}", (value,)), origins_of(value))
        else:
            return
    yield pattern[at:]


def formatted(
    formatter: Formatter, pattern: str, values: Sequence[Any], named: Mapping[str, Any]
) -> str:
    """``formatter.vformat``: ``pattern.format(*values, **named)``."""
    text = formatter.vformat(pattern, values, named)
    origins = origins_of([pattern, list(values), dict(named)])
    if not origins:
        return text
    if not spans_of(pattern):
        built = concat(_fields(formatter, pattern, values, named))
        if built == text:
            return built
    return opaque(text, origins)


def _fields(
    formatter: Formatter, pattern: str, values: Sequence[Any], named: Mapping[str, Any]
) -> Iterator[str]:
    """The parts of a formatted pattern; not all of them where a format comes with the values."""
    number = 0
    for literal, name, spec, conversion in formatter.parse(pattern):
        yield literal
        if name is None:
            continue
        if spec and "{" in spec:
            return
        automatic = not name or name[0] in ".["
        value, _ = formatter.get_field(f"{number}{name}" if automatic else name, values, named)
        number += automatic
        if conversion == "r":
            value = _repr(value)
        elif conversion:
            value = shown(value)
        if spec:
            yield opaque(formatter.format_field(value, spec), origins_of(value))
        else:
            yield shown(value)


def dumped(value: Any, text: str) -> str:
    """The JSON ``text`` of ``value``, with origins.

    What holds strings of one message only (and perhaps the template's) is that message's from end
    to end.
    """
    origins = origins_of(value)
    if not origins:
        return text
    if len({message for message, _ in origins}) > 1 and not isinstance(value, str):
        tokens = list(_token.finditer(text))
        for in_order in (False, True):
            spans: list[Span] = []
            if _matched(value, tokens, 0, spans, in_order) == len(tokens):
                return with_spans(text, tuple(sorted(spans)))
    return opaque(text, origins)


def _matched(
    value: Any, tokens: list[re.Match[str]], at: int, spans: list[Span], in_order: bool
) -> int:
    """Find a value's strings among the tokens of its JSON, from token ``at`` on.

    Returns:
        The token that follows; -1 if they do not fit.
    """
    if not isinstance(value, str | dict | list | tuple):
        return at
    if at >= len(tokens):
        return -1
    first = tokens[at]
    if isinstance(value, str):
        if first.group()[0] != '"' or json.loads(first.group()) != value:
            return -1
        spans += shifted(over(len(first.group()), origins_of(value)), first.start())
        return at + 1
    end = at + 1
    inner: list[Span] = []
    for item in _members(value, in_order):
        end = _matched(item, tokens, end, inner, in_order)
        if end < 0:
            return -1
    if end >= len(tokens) or first.group() + tokens[end].group() not in ("{}", "[]"):
        return -1
    origins = origins_of(value)
    if len({message for message, _ in origins}) == 1:
        start = first.start()
        spans += shifted(over(tokens[end].end() - start, origins), start)
    else:
        spans += inner
    return end + 1


def _members(value: Any, in_order: bool) -> Iterator[Any]:
    if not isinstance(value, dict):
        yield from value
        return
    items = sorted(value.items()) if in_order else value.items()
    for key, item in items:
        # numbers, booleans and null become strings
        yield key if isinstance(key, str) else next(iter(json.loads(json.dumps({key: 0}))))
        yield item
