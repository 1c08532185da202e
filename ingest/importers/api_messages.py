"""Messages as requests and answers of model APIs hold them, whatever the provider's dialect.

Logs mix dialects: OpenAI's chat messages and response items, Anthropic's blocks, Gemini's contents,
the parts of OpenTelemetry, the numbered fields of OpenInference. They differ in names, not in what
they say. What is unknown stays in ``extra``; bytes inside a message are never kept.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from ingest.importers.api_parts import Parts, numbered
from ingest.importers.fields import name_of, object_of, stated, text_of
from ingest.importers.training import RecordError
from ingest.message import Message, Role

_ROLES: dict[str, Role] = {
    "system": "system", "developer": "developer", "user": "user", "human": "user",
    "assistant": "assistant", "model": "assistant", "ai": "assistant", "tool": "tool",
    "function": "tool", "toolresult": "tool",
}  # fmt: skip
_ITEMS = {"reasoning", "function_call", "custom_tool_call"}
_USED = {"role", "type", "content", "contents", "parts", "name", "tool_calls", "tool_call_id",
         "function_call", "reasoning_content", "reasoning", "thinking", "id", "status",
         "finish_reason"}  # fmt: skip


def messages(value: Any, *, start: int = 0, role: str = "user") -> list[Message]:
    """The messages of a value: a list of them, one, or the text of one.

    Args:
        value: as decoded.
        start: messages that stand before them; made-up ids of calls hold the place.
        role: the role of text without one.

    Raises:
        RecordError: one of them is no message.
    """
    if isinstance(value, str):
        return [Message(_role(role, start), value)] if value else []
    if isinstance(value, dict) and not (value.keys() - _digits(value)):
        value = numbered(value)
    found: list[Message] = []
    for at, source in enumerate(_grouped(value if isinstance(value, list) else [value])):
        found += _of_one(source, start + at, role)
    return paired(found)


def paired(found: Iterable[Message]) -> list[Message]:
    """Messages with a name and an id at every result: without an id it answers the first call."""
    waiting: dict[str, str] = {}
    done: list[Message] = []
    for message in found:
        for call in message.tool_calls:
            waiting[call.id] = call.name
        if message.role == "tool":
            key = message.tool_call_id or next(iter(waiting), None)
            name = waiting.pop(key, None) if key else None
            message = msgspec.structs.replace(  # noqa: PLW2901
                message, tool_call_id=key, name=message.name or name
            )
        done.append(message)
    return done


def _digits(value: dict[str, Any]) -> set[str]:
    return {key for key in value if key.isdecimal()}


def _grouped(sources: Iterable[Any]) -> list[Any]:
    """Sources with the response items of one answer put together."""
    grouped: list[Any] = []
    for source in sources:
        kind = source.get("type") if isinstance(source, dict) else None
        if not isinstance(kind, str) or "role" in object_of(source):
            grouped.append(source)
        elif kind in _ITEMS:
            last = grouped[-1] if grouped else None
            if isinstance(last, dict) and last.get("items") is True:
                last["parts"].append(source)
            else:
                grouped.append({"role": "assistant", "parts": [source], "items": True})
        elif kind.endswith("_output"):
            grouped.append({"role": "tool", "parts": [source]})
        else:
            grouped.append(source)
    return grouped


def _of_one(source: Any, at: int, role: str) -> list[Message]:
    if isinstance(source, str):
        return [Message(_role(role, at), source)]
    if isinstance(source, dict) and isinstance(source.get("message"), dict):
        source = source["message"]
    if not isinstance(source, dict):
        raise RecordError(f"message {at} is not an object")
    said = source.get("role")
    if said is None:  # LangChain's type is the role; OpenAI's is only "message"
        kind = source.get("type")
        said = kind if isinstance(kind, str) and kind.lower() in _ROLES else role
    who = _role(said, at)
    parts = Parts(at)
    for key in ("reasoning_content", "reasoning", "thinking"):
        parts.think(source.get(key))
    for key in ("content", "contents", "parts"):
        parts.take(source.get(key))
    for call in numbered(source.get("tool_calls")):
        parts.call(call)
    if source.get("function_call") is not None:
        parts.call(source["function_call"])
    extra = stated({key: each for key, each in source.items() if key not in {*_USED, "items"}})
    if parts.unknown:
        extra["parts"] = parts.unknown
    return _made(who, source, parts, extra)


def _made(who: Role, source: dict[str, Any], parts: Parts, extra: dict[str, Any]) -> list[Message]:
    made = [
        Message("tool", text, name=text_of(source.get("name")), tool_call_id=key)
        for key, text in parts.results
    ]
    if made and not (parts.texts or parts.calls or parts.attachments or parts.thoughts or extra):
        return made
    content = "\n".join(parts.texts)
    call_id = name_of(source.get("tool_call_id")) if who == "tool" else None
    own = Message(
        who,
        content,
        name=text_of(source.get("name")),
        reasoning="\n\n".join(parts.thoughts) or None,
        tool_calls=tuple(parts.calls),
        tool_call_id=call_id,
        attachments=tuple(parts.attachments),
        extra=extra,
    )
    return [*made, own]


def _role(said: Any, at: int) -> Role:
    role = _ROLES.get(said.lower()) if isinstance(said, str) else None
    if role is None:
        raise RecordError(f"message {at} has an unknown role")
    return role
