"""JSON nested deeper than decoders go: trees that hold each answer inside its question.

Decoders recurse and give up at about a thousand levels, which is a talk of 500 turns. This one
keeps its own stack; it is slow and only for what they refuse.
"""

import json
import re
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

_TOKEN = re.compile(r'[ \t\r\n]*(?:(?P<mark>[\[\]{},:"])|(?P<scalar>[^\s\[\]{},:"]+))')
_CLOSING = {"]": list, "}": dict}


class _Open:
    """A list or an object that is being filled."""

    def __init__(self, made: list[Any] | dict[str, Any]) -> None:
        self.made = made
        self._key: str | None = None

    def put(self, value: Any) -> None:
        if isinstance(self.made, list):
            self.made.append(value)
        elif self._key is not None:
            self.made[self._key], self._key = value, None
        elif isinstance(value, str):
            self._key = value
        else:
            raise ValueError("a key is no text")

    def close(self, mark: str) -> None:
        if not isinstance(self.made, _CLOSING[mark]) or self._key is not None:
            raise ValueError("brackets do not match")


def loads_deep(raw: bytes) -> Any:
    """Decode JSON however deep it is nested; bad UTF-8 becomes U+FFFD.

    Separators are not checked: it is for text whose beginning has been seen to be JSON.

    Raises:
        ValueError: it is not JSON or not whole; the text says nothing of the content.
    """
    text = raw.decode("utf-8", "replace")
    stack: list[_Open] = []
    at = 0
    while match := _TOKEN.match(text, at):
        at = match.end()
        mark = match["mark"]
        value: Any = None
        if mark in (",", ":"):
            continue
        if mark in ("[", "{"):
            stack.append(_Open([] if mark == "[" else {}))
            continue
        if mark in ("]", "}"):
            if not stack:
                break
            closed = stack.pop()
            closed.close(mark)
            value = closed.made
        elif mark:
            value, at = scanstring(text, at, False)
        else:
            value = _scalar(match["scalar"])
        if not stack:
            return value
        stack[-1].put(value)
    raise ValueError("broken JSON")


def _scalar(text: str) -> Any:
    if text in ("NaN", "Infinity", "-Infinity"):
        return None
    try:
        return json.loads(text)
    except ValueError:
        raise ValueError("broken JSON") from None
