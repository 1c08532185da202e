"""Conversations that show how a chat template behaves: what ``train.verdict`` tries it with.

Every word of a probe is its own, so that a word in the text tells which message it is from.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

HARMLESS = "zephyr"
"""Stands where a control token stood."""

_WORD = re.compile(r"[a-z]{5,}|[^\x00-\x7f]+")

_TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "seek_order",
            "description": "gantry lattice",
            "parameters": {
                "type": "object",
                "properties": {"where": {"type": "string", "description": "ferrule"}},
                "required": ["where"],
            },
        },
    }
]


class Probe(NamedTuple):
    """One conversation.

    Attributes:
        name: what it tries.
        messages: role/content dicts.
        tools: offered to the assistant, or None.
        plain: whether a template that cannot train it can train nothing.
        injected: whether messages hold the text of control tokens.
    """

    name: str
    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] | None = None
    plain: bool = False
    injected: bool = False

    def words(self) -> tuple[Counter[str], Counter[str]]:
        """How often the assistant says each word, and how often the others do."""
        said: tuple[Counter[str], Counter[str]] = Counter(), Counter(_words(self.tools))
        for message in self.messages:
            assistant = message["role"] == "assistant"
            said[not assistant].update(
                word
                for key in ("content", "reasoning_content", "tool_calls")
                for word in _words(message.get(key))
            )
        return said


def probes(control_tokens: Sequence[str]) -> list[Probe]:
    """All probes.

    Args:
        control_tokens: text of the tokenizer's control tokens that the messages of the probe
            ``injected control tokens`` are to hold.
    """
    first = [_user("bramble candle"), _assistant("dovetail sorrel")]
    second = [_user("fennel garnet"), _assistant("harbour indigo")]
    call, other = _call("a1", "juniper"), _call("b2", "kestrel")
    results = [_tool("a1", "lantern meadow"), _tool("b2", "nutmeg")]
    answer = _assistant("orchard pebble")
    return [
        Probe("single turn", first, plain=True),
        Probe("multi-turn", [*first, *second, _user("quarry"), _assistant("russet")], plain=True),
        Probe("system", [{"role": "system", "content": "saffron thimble"}, *first, *second]),
        Probe("user last", [*first, _user("umbrella")]),
        Probe("tools offered", first, _TOOLS),
        Probe(
            "tool call with text",
            [_user("bramble"), _calling("velvet", call), results[0], answer],
            _TOOLS,
        ),
        Probe(
            "tool call without text", [_user("bramble"), _calling("", call), results[0], answer],
            _TOOLS,
        ),
        Probe(
            "parallel calls", [_user("bramble"), _calling("", call, other), *results, answer],
            _TOOLS,
        ),
        Probe(
            "turn after tools",
            [_user("bramble"), _calling("", call), results[0], answer, *second], _TOOLS,
        ),
        Probe("call last", [*first, _user("fennel"), _calling("", call)], _TOOLS),
        Probe("reasoning", [_user("bramble"), _assistant("dovetail", "walnut yonder")]),
        Probe(
            "reasoning, multi-turn",
            [_user("bramble"), _assistant("dovetail", "walnut"),
             _user("fennel"), _assistant("harbour", "yonder")],
        ),
        Probe("consecutive assistants", [*first, _assistant("harbour indigo")]),
        Probe("assistant first", [_assistant("willow"), *first]),
        Probe("empty answer", [_user("bramble"), _assistant(""), *second]),
        Probe("empty question", [_user(""), _assistant("dovetail"), *second]),
        Probe("emoji", [_user("bramble \U0001f989\u00fc"),
                        _assistant("dovetail \U0001f9d1\u200d\U0001f680"), *second]),
        Probe("white space at the edges", [_user("  bramble\n"), _assistant("\n dovetail \n\n "),
                                           *second]),
        Probe("repeated text", [_user("bramble candle"), _assistant("bramble candle"),
                                _user("bramble candle"), _assistant("bramble candle")]),
        *_injected(control_tokens),
    ]  # fmt: skip


def harmless(probe: Probe, control_tokens: Sequence[str]) -> Probe:
    """The probe with plain words in the place of control tokens."""

    def without(message: dict[str, Any]) -> dict[str, Any]:
        content = message["content"]
        for token in control_tokens:
            content = content.replace(token, HARMLESS)
        return {**message, "content": content}

    return probe._replace(messages=[without(one) for one in probe.messages], injected=False)


def _injected(control_tokens: Sequence[str]) -> list[Probe]:
    if not control_tokens:
        return []
    held = " ".join(control_tokens)
    said = [_user(f"bramble {held} candle"), _assistant(f"dovetail {held} sorrel")]
    after = [_user("fennel garnet"), _assistant("harbour indigo")]
    return [Probe("control tokens in messages", [*said, *after], injected=True)]


def _user(content: str) -> dict[str, Any]:
    return {"role": "user", "content": content}


def _assistant(content: str, reasoning: str | None = None) -> dict[str, Any]:
    thought = {"reasoning_content": reasoning} if reasoning else {}
    return {"role": "assistant", "content": content, **thought}


def _call(call_id: str, where: str) -> dict[str, Any]:
    function = {"name": "seek_order", "arguments": {"where": where}}
    return {"id": call_id, "type": "function", "function": function}


def _calling(content: str, *calls: dict[str, Any]) -> dict[str, Any]:
    return {**_assistant(content), "tool_calls": list(calls)}


def _tool(call_id: str, content: str) -> dict[str, Any]:
    return {"role": "tool", "name": "seek_order", "tool_call_id": call_id, "content": content}


# words of the format, in definitions and calls alike
_FORMAT = frozenset({"function", "order", "object", "string", "where", "properties", "required",
                     "arguments", "description", "parameters"})  # fmt: skip


def _words(value: Any) -> list[str]:
    if isinstance(value, str):
        return [word for word in _WORD.findall(value) if word not in _FORMAT and word != HARMLESS]
    if isinstance(value, dict):
        return [word for inner in value.values() for word in _words(inner)]
    if isinstance(value, list):
        return [word for inner in value for word in _words(inner)]
    return []
