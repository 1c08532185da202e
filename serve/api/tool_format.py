"""How a model writes tool calls and thoughts, found out from its own chat template.

Nothing here knows the name of a model: an invented call and an invented thought are rendered by
the template, and what it writes around them is what the model was taught to write.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from serve.engine.base import Engine, PromptError

_NAME, _KEY, _VALUE = "probe_tool", "probe_key", "probe value"
_THOUGHT, _SAID = "probe thought", "probe answer"
# nine letters and digits: some templates refuse any other
_CALL_ID = "probecal1"
_USER = {"role": "user", "content": "probe question"}
_TOOL = {
    "type": "function",
    "function": {
        "name": _NAME,
        "description": "probe",
        "parameters": {
            "type": "object",
            "properties": {_KEY: {"type": "string", "description": "probe"}},
            "required": [_KEY],
        },
    },
}


@dataclass(frozen=True)
class ToolFormat:
    """A model's tool calls: a JSON object each, or a JSON list of them, between two markers.

    Attributes:
        opener: what stands before a call; may be empty.
        closer: what stands after it; may be empty.
        name_key: the object's key for the function's name.
        arguments_key: its key for the arguments.
        listed: whether the calls stand in one list.
    """

    opener: str
    closer: str
    name_key: str
    arguments_key: str
    listed: bool


@dataclass(frozen=True)
class ThoughtFormat:
    """A model's thoughts before its answer.

    Attributes:
        opener: marker before them; empty if the prompt already ends with it.
        closer: marker after them.
    """

    opener: str
    closer: str


@dataclass(frozen=True)
class AnswerFormat:
    """What a model's answers hold besides text.

    Attributes:
        tools: how it calls; None = its template writes no calls that are JSON.
        thoughts: how it thinks; None = its template writes no thoughts.
    """

    tools: ToolFormat | None
    thoughts: ThoughtFormat | None


def find_format(engine: Engine) -> AnswerFormat:
    """The format of an engine's template. Renders a few short prompts: call off the event loop."""
    return AnswerFormat(_tools(engine), _thoughts(engine))


def _tools(engine: Engine) -> ToolFormat | None:
    call = {
        "id": _CALL_ID,
        "type": "function",
        "function": {"name": _NAME, "arguments": {_KEY: _VALUE}},
    }
    answer = {"role": "assistant", "content": "", "tool_calls": [call]}
    turn = _turn(engine, answer, [_TOOL])
    if turn is None:
        return None
    decoder = json.JSONDecoder()
    for start in (place for place, char in enumerate(turn.text) if char in "{["):
        try:
            value, end = decoder.raw_decode(turn.text, start)
        except ValueError:
            continue
        listed = isinstance(value, list) and len(value) == 1
        keys = _keys(value[0] if listed else value)
        if keys is not None:
            closes = min((one for one in turn.special if one >= end), default=len(turn.text))
            closer = turn.text[end:closes].strip()
            return ToolFormat(turn.text[:start].strip(), closer, *keys, listed=listed)
    return None


def _keys(call: Any) -> tuple[str, str] | None:
    """The keys of name and arguments in the probe's call."""
    if not isinstance(call, dict):
        return None
    name = next((key for key, value in call.items() if value == _NAME), None)
    arguments = next((key for key, value in call.items() if value == {_KEY: _VALUE}), None)
    return None if name is None or arguments is None else (name, arguments)


def _thoughts(engine: Engine) -> ThoughtFormat | None:
    answer = {"role": "assistant", "content": _SAID, "reasoning_content": _THOUGHT}
    turn = _turn(engine, answer, None)
    if turn is None:
        return None
    before, thought, rest = turn.text.partition(_THOUGHT)
    between, said, _ = rest.partition(_SAID)
    if not thought or not said or not between.strip():
        return None
    return ThoughtFormat(before.strip(), between.strip())


@dataclass(frozen=True)
class _Turn:
    """What a template writes for an answer and after it; where special tokens start in it."""

    text: str
    special: list[int]


def _turn(
    engine: Engine, answer: dict[str, Any], tools: list[dict[str, Any]] | None
) -> _Turn | None:
    """The probe's answer as the template writes it; None if it refuses or hides it."""
    try:
        opened = engine.prompt([_USER], tools)
        whole = engine.prompt([_USER, answer], tools)
    except PromptError:
        return None
    head, text = b"".join(map(engine.token_bytes, opened)), ""
    special, size = [], 0
    raw = b"".join(map(engine.token_bytes, whole))
    if not raw.startswith(head):
        return None
    text = raw[len(head) :].decode("utf-8", "replace")
    for token in whole:
        if size >= len(head) and is_special(engine, token):
            special.append(len(raw[len(head) : size].decode("utf-8", "replace")))
        size += len(engine.token_bytes(token))
    return _Turn(text, special)


def shows_tools(engine: Engine) -> bool:
    """Whether the template tells the model of the tools that it is offered."""
    try:
        ids = engine.prompt([_USER], [_TOOL])
    except PromptError:
        return False
    return _NAME.encode() in b"".join(map(engine.token_bytes, ids))


def is_special(engine: Engine, token_id: int) -> bool:
    """Whether a token is left out of decoded text."""
    return not engine.decode([token_id]) and bool(engine.token_bytes(token_id))


class MarkedText:
    """Decodes answers so that markers made of special tokens stay in the text.

    Args:
        engine: whose tokens are decoded.
        markers: texts that matter; special tokens that are in none of them are left out.
    """

    def __init__(self, engine: Engine, markers: Sequence[str]) -> None:
        self._engine = engine
        self._markers = markers
        self._kept: dict[int, bool] = {}

    def __call__(self, ids: Sequence[int]) -> str:
        """The text of ``ids``."""
        return self._engine.detokenize([token for token in ids if self._keeps(token)])

    def _keeps(self, token_id: int) -> bool:
        if token_id not in self._kept:
            name = self._engine.token_bytes(token_id).decode("utf-8", "replace")
            named = any(name in marker for marker in self._markers)
            self._kept[token_id] = named or not is_special(self._engine, token_id)
        return self._kept[token_id]
