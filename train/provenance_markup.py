"""Markup with origins: what the filters that escape give.

Chat templates are rendered without escaping, but ``|e`` and ``|safe`` work all the same.
"""

# ruff: noqa: D102, S704 - the methods are those of Markup; nothing here is shown to a browser

from collections.abc import Callable
from types import GeneratorType
from typing import Any

from markupsafe import Markup, escape

from train.provenance import (
    Traced,
    TracedBytes,
    opaque,
    origins_of,
    spans_of,
    with_spans,
)
from train.provenance_spans import Spans, laid, mapped, over


class TracedMarkup(Markup, Traced):  # type: ignore[misc]
    """Markup that knows where it comes from; most operations count as one piece."""

    __slots__ = ()

    @staticmethod
    def of(text: str, spans: Spans) -> "TracedMarkup":
        """The markup with its origins."""
        new = str.__new__(TracedMarkup, str.__str__(text))
        new.spans = spans
        return new

    def __new__(cls, *values: Any) -> "TracedMarkup":
        return TracedMarkup.of(Markup(*values), ())

    def __str__(self) -> str:
        return with_spans(str.__str__(self), self.spans)

    def __html__(self) -> "TracedMarkup":
        return self

    def __add__(self, other: Any) -> Any:
        return _sum(self, escaped(other)) if _is_text(other) else NotImplemented

    def __radd__(self, other: Any) -> Any:
        return _sum(escaped(other), self) if _is_text(other) else NotImplemented


def escaped(value: Any) -> TracedMarkup:
    """``value`` escaped, unless it is markup."""
    text = escape(value)
    if not isinstance(value, str):
        return TracedMarkup.of(text, over(len(text), origins_of(value)))
    spans = spans_of(value)
    if spans and len(text) != len(value):
        plain = str.__str__(value)
        spans = mapped(spans, lambda at: len(escape(plain[:at])))
    return TracedMarkup.of(text, spans)


def carry(result: Any, sources: Any) -> Any:
    """What a function made of ``sources``, with every text in it contributed by all of them.

    Text that already names each of their messages is left as it is.
    """
    if isinstance(result, str):
        origins = origins_of(sources)
        known = {span.message for span in spans_of(result)}
        if isinstance(result, Traced) and {message for message, _ in origins} <= known:
            return result
        if isinstance(result, Markup):
            return TracedMarkup.of(result, over(len(result), origins))
        return opaque(result, origins)
    if isinstance(result, bytes):
        origins = origins_of(sources)
        return TracedBytes.of(result, origins) if origins else result
    if type(result) is list or type(result) is tuple:
        return type(result)(carry(item, sources) for item in result)
    if type(result) is dict:
        return {carry(key, sources): carry(item, sources) for key, item in result.items()}
    if isinstance(result, GeneratorType):
        return (carry(item, sources) for item in result)
    return result


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or hasattr(value, "__html__")


def _sum(left: TracedMarkup, right: TracedMarkup) -> TracedMarkup:
    spans = laid([(len(left), left.spans), (len(right), right.spans)])
    return TracedMarkup.of(str.__add__(left, right), spans)


def _in_one_piece(name: str) -> Callable[..., Any]:
    def method(self: TracedMarkup, *values: Any, **named: Any) -> Any:
        plain = Markup(str.__str__(self))
        made = getattr(plain, name)(*values, **named)
        return carry(made, [self, values, named])

    method.__name__ = name
    return method


for _name in ({*vars(Markup), *vars(Traced)} - {*vars(TracedMarkup), "spans", "escape"}) & {
    *dir(str),
    "unescape",
    "striptags",
    "__html_format__",
}:
    if _name not in ("__init_subclass__", "__class__", "__getattribute__", "__iter__"):
        setattr(TracedMarkup, _name, _in_one_piece(_name))
