"""What several formats ask of a row."""

from collections import deque
from typing import Any

import orjson

from dataset.export.base import Misfit, Row

Message = dict[str, Any]


def require_assistant(row: Row) -> None:
    """Refuse a conversation in which the assistant says nothing.

    Raises:
        Misfit: there is no assistant message.
    """
    if not any(message["role"] == "assistant" for message in row["messages"]):
        raise Misfit("no assistant message")


def system_apart(row: Row) -> tuple[Message | None, list[Message]]:
    """The system message and the messages after it, for formats with one place for it.

    Raises:
        Misfit: there are several system or developer messages, or one that is not the first.
    """
    messages = row["messages"]
    at = [n for n, each in enumerate(messages) if each["role"] in ("system", "developer")]
    if at not in ([], [0]):
        raise Misfit("system messages elsewhere than at the beginning, or several")
    return (messages[0], messages[1:]) if at else (None, messages)


def has_objects(message: Message) -> bool:
    """Whether the arguments of the message's calls are JSON objects."""
    calls = message["tool_calls"] or ()
    return all(isinstance(_decoded(call["arguments"]), dict) for call in calls)


def require_objects(messages: list[Message]) -> None:
    """Refuse calls whose arguments a reader would not decode to an object.

    Raises:
        Misfit: arguments that are no JSON object.
    """
    if not all(map(has_objects, messages)):
        raise Misfit("tool arguments that are no JSON object")


def require_order(messages: list[Message]) -> None:
    """Refuse results that their order does not pair with their calls, for formats without ids.

    Raises:
        Misfit: results and calls do not pair in order.
    """
    waiting: deque[str] = deque()
    for message in messages:
        if message["role"] == "tool" and (waiting or message["tool_call_id"]):
            if not waiting:
                raise Misfit("a tool result without its call")
            if message["tool_call_id"] not in (None, waiting.popleft()):
                raise Misfit("tool results in another order than their calls")
        elif waiting:
            raise Misfit("a tool call without its result")
        waiting.extend(call["id"] for call in message["tool_calls"] or ())


def require_tools(row: Row) -> None:
    """Refuse tool definitions that a reader would not decode to a list of objects.

    Raises:
        Misfit: they are no such list.
    """
    tools = _decoded(row["tools"]) if row["tools"] else []
    if not isinstance(tools, list) or not all(isinstance(each, dict) for each in tools):
        raise Misfit("tool definitions that are no JSON list of objects")


def functions(row: Row) -> list[dict[str, Any]] | None:
    """The tool definitions, where they are functions in OpenAI's shape; None if there are none.

    Raises:
        Misfit: they have another shape.
    """
    if not row["tools"]:
        return None
    tools = _decoded(row["tools"])
    if not isinstance(tools, list) or not all(map(_is_function, tools)):
        raise Misfit("tool definitions of another shape than OpenAI's functions")
    return tools


def _is_function(tool: Any) -> bool:
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict) or tool.get("type") != "function":
        return False
    return isinstance(function.get("name"), str)


def unnamed(messages: list[Message]) -> frozenset[str]:
    """What is left out by a format without names and ids: as :attr:`Record.left_out` says it."""
    calls = {call["id"]: call["name"] for m in messages for call in m["tool_calls"] or ()}
    found = {"tool call ids"} if calls else set()
    for message in messages:
        # a result's name is its call's
        if message["name"] not in (None, calls.get(message["tool_call_id"])):
            found.add("names")
    return frozenset(found)


def _decoded(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
