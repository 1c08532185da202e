"""Small readings of loosely typed values, as several importers of JSON need them."""

from collections.abc import Iterable
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
