"""Small readings of loosely typed fields, as several importers of JSON need them."""

from collections.abc import Callable, Iterable
from typing import Any


def distinct(ids: Iterable[str | None]) -> list[str]:
    """Ids in their order, each once: a repeated one gets ``#2``, a missing one its place."""
    found: dict[str, None] = {}
    for at, id_ in enumerate(ids):
        key = base = id_ or f"#{at}"
        number = 1
        while key in found:
            number += 1
            key = f"{base}#{number}"
        found[key] = None
    return list(found)


def joined(texts: Iterable[Any], by: str = "\n") -> str:
    """The non-empty ones among ``texts`` that are text, with ``by`` between them."""
    return by.join(text for text in texts if isinstance(text, str) and text)


def stated(source: dict[str, Any]) -> dict[str, Any]:
    """Entries that state something: not null, not empty, not false."""
    return {
        key: value
        for key, value in source.items()
        if value is not None and value is not False and value not in ("", [], {})
    }


def text_of(value: Any) -> str | None:
    """A value if it is text and not empty."""
    return value if isinstance(value, str) and value else None


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a value that should be a list of them."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def object_of(value: Any) -> dict[str, Any]:
    """A value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def name_of(value: Any) -> str | None:
    """A value as an id or name: text that is not empty, or a number as text."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return text_of(value)


def thoughts_first(
    steps: Iterable[Any], is_thought: Callable[[Any], bool], is_tool: Callable[[Any], bool]
) -> list[Any]:
    """Steps of one answer with thoughts before the text around them, up to the next tool.

    A message has one place for reasoning, before its text: thinking between two stretches of text
    would part one answer in two.
    """
    order: list[tuple[int, bool, Any]] = []
    stretch = 0
    for step in steps:
        order.append((stretch, not is_thought(step), step))
        stretch += is_tool(step)
    return [step for _, _, step in sorted(order, key=lambda entry: entry[:2])]
