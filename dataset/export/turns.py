"""ShareGPT's turns ``{"from", "value"}``: what the two formats that use them share."""

from typing import Any

import orjson

from dataset.export.checks import require_objects, require_order

SPEAKERS = {"user": "human", "assistant": "gpt", "tool": "observation"}
CALLS = "function_call"
SYSTEM = "system"


def turns(messages: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Messages without system message as turns; calls are JSON text in a turn of their own kind.

    Raises:
        Misfit: calls and results do not pair in order, or arguments are no object.
    """
    require_objects(messages)
    require_order(messages)
    return [_turn(message) for message in messages]


def _turn(message: dict[str, Any]) -> dict[str, str]:
    if message["tool_calls"]:
        return {"from": CALLS, "value": calls_text(message["tool_calls"])}
    return {"from": SPEAKERS[message["role"]], "value": message["content"] or ""}


def calls_text(calls: list[dict[str, str]]) -> str:
    """Calls as JSON text: one object, or a list of several; arguments exactly as written."""
    parts = [_call_text(call["name"], call["arguments"].strip()) for call in calls]
    return parts[0] if len(parts) == 1 else f"[{', '.join(parts)}]"


def _call_text(name: str, arguments: str) -> str:
    return f'{{"name": {orjson.dumps(name).decode()}, "arguments": {arguments}}}'
