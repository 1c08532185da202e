"""An answer's text taken apart as it comes: thoughts, text and tool calls."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from serve.api.tool_format import ThoughtFormat, ToolFormat


@dataclass(frozen=True)
class Said:
    """Text for the reader."""

    text: str


@dataclass(frozen=True)
class Thought:
    """Text that the model wrote for itself."""

    text: str


@dataclass(frozen=True)
class Called:
    """One whole tool call.

    Attributes:
        name: of the function.
        arguments: JSON text.
    """

    name: str
    arguments: str


Part = Said | Thought | Called


class AnswerParts:
    """Takes text piece by piece; how it is cut into pieces makes no difference to the parts.

    What looks like a call and is none, or is cut off, is text: nothing is lost.

    Args:
        thoughts: markers of thoughts; None = there are none.
        tools: format of calls; None = nothing is a call.
        names: of the tools on offer.
    """

    def __init__(
        self,
        thoughts: ThoughtFormat | None = None,
        tools: ToolFormat | None = None,
        names: Collection[str] = (),
    ) -> None:
        self._thoughts = thoughts
        self._tools = tools
        self._names = names
        self._held = ""
        self._step = self._text if thoughts is None else self._start
        self._bare = tools is not None and not tools.opener
        self._trim = False

    def push(self, text: str) -> list[Part]:
        """The parts that became certain with ``text``."""
        self._held += text
        parts: list[Part] = []
        while self._step(parts):
            pass
        return parts

    def finish(self) -> list[Part]:
        """What was still held back, at the end of the answer."""
        parts: list[Part] = []
        if self._step == self._thinking:
            _add(parts, Thought(self._held))
        elif self._step == self._call:
            assert self._tools is not None
            done = self._parsed()
            if done is not None:
                parts += done[0]
                _add(parts, Said(self._held[done[1] :].strip()))
            else:
                _add(parts, Said(self._tools.opener + self._held))
        else:
            _add(parts, Said(self._held.lstrip() if self._trim else self._held))
        self._held = ""
        return parts

    def _start(self, _parts: list[Part]) -> bool:
        """Does the answer begin with a thought?"""
        assert self._thoughts is not None
        opener, seen = self._thoughts.opener, self._held.lstrip()
        if seen.startswith(opener):
            self._held, self._step = seen[len(opener) :], self._thinking
            self._trim = True
            return True
        if opener.startswith(seen):
            return False
        self._step = self._text
        return True

    def _thinking(self, parts: list[Part]) -> bool:
        assert self._thoughts is not None
        if self._trim:
            self._held = self._held.lstrip()
            self._trim = not self._held
        thought, closer, rest = self._held.partition(self._thoughts.closer)
        if closer:
            _add(parts, Thought(thought.rstrip()))
            self._held, self._step, self._trim = rest, self._text, True
            return True
        certain = _certain(self._held, self._thoughts.closer)
        _add(parts, Thought(self._held[:certain]))
        self._held = self._held[certain:]
        return False

    def _text(self, parts: list[Part]) -> bool:
        if self._trim:
            self._held = self._held.lstrip()
            if not self._held:
                return False
        if self._tools is None:
            self._trim = False
            _add(parts, Said(self._held))
            self._held = ""
            return False
        if self._bare:
            return self._bare_call()
        if not self._tools.opener:
            _add(parts, Said(self._held))
            self._held, self._trim = "", False
            return False
        text, opener, rest = self._held.partition(self._tools.opener)
        if opener:
            _add(parts, Said(text.rstrip()))
            self._held, self._step, self._trim = rest, self._call, False
            return True
        certain = _certain(self._held, self._tools.opener)
        self._trim = self._trim and not certain
        _add(parts, Said(self._held[:certain]))
        self._held = self._held[certain:]
        return False

    def _bare_call(self) -> bool:
        """Without a marker, only what starts an answer, or follows a call, is a call."""
        assert self._tools is not None
        seen = self._held.lstrip("; \n\t")
        if not seen:
            return False
        if seen[0] == ("[" if self._tools.listed else "{"):
            self._held, self._step = seen, self._call
        else:
            self._bare = False
        return True

    def _call(self, parts: list[Part]) -> bool:
        assert self._tools is not None
        done = self._parsed()
        closer = self._tools.closer
        if done is None:
            before, closed, rest = self._held.partition(closer) if closer else ("", "", "")
            if closed and not _in_string(before):
                _add(parts, Said(self._tools.opener + before + closed))
                self._held, self._step = rest, self._text
                return True
            return False
        calls, end = done
        rest = self._held[end:].lstrip()
        if closer and len(rest) < len(closer) and closer.startswith(rest):
            return False
        parts += calls
        self._held, self._step, self._trim = rest.removeprefix(closer), self._text, True
        return True

    def _parsed(self) -> tuple[list[Part], int] | None:
        """The calls that the held text begins with, and where they end."""
        assert self._tools is not None
        start = len(self._held) - len(self._held.lstrip())
        # cheap look before a parse of everything so far
        if not any(mark in self._held for mark in "}]"):
            return None
        try:
            value, end = json.JSONDecoder().raw_decode(self._held, start)
        except ValueError:
            return None
        found = value if isinstance(value, list) else [value]
        calls = [call for one in found if (call := self._called(one)) is not None]
        return (calls, end) if calls and len(calls) == len(found) else None

    def _called(self, value: Any) -> Part | None:
        assert self._tools is not None
        if not isinstance(value, dict):
            return None
        name, given = value.get(self._tools.name_key), value.get(self._tools.arguments_key, {})
        if not isinstance(name, str) or not isinstance(given, dict | str):
            return None
        if not self._tools.opener and name not in self._names:
            return None
        return Called(name, given if isinstance(given, str) else json.dumps(given,
                      ensure_ascii=False))  # fmt: skip


def _add(parts: list[Part], part: Said | Thought) -> None:
    if part.text:
        parts.append(part)


def _certain(text: str, marker: str) -> int:
    """Length of the part of ``text`` that neither begins ``marker`` nor is space before it."""
    longest = min(len(marker) - 1, len(text))
    overlap = next((n for n in range(longest, 0, -1) if text.endswith(marker[:n])), 0)
    return len(text[: len(text) - overlap].rstrip())


def _in_string(text: str) -> bool:
    """Whether JSON that begins with ``text`` is inside a string at its end."""
    inside = escaped = False
    for char in text:
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = inside
        elif char == '"':
            inside = not inside
    return inside
