"""OpenAI-style training files: records ``{"messages": [...]}``."""

from collections.abc import Iterator
from typing import Any

import orjson

from ingest.archive import Export
from ingest.importers.base import ImporterKind, ImportOptions, Item
from ingest.importers.training import (
    RecordError,
    Source,
    first_item,
    listed,
    read_records,
    rest,
    sniff_records,
    tools_text,
    word,
)
from ingest.message import ROLES, Attachment, Conversation, Message, ToolCall, conversation_id

_ROLES = tuple(ROLES)  # a list or object has no hash
_MESSAGE_KEYS = {"role", "content", "name", "tool_calls", "tool_call_id", "weight",
                 "reasoning_content", "reasoning"}  # fmt: skip


class OpenAIMessages:
    """The importer of OpenAI-style messages."""

    name = "openai"
    title = "OpenAI messages with tools and weight (JSON lines, JSON, parquet)"
    kind: ImporterKind = "training"
    needs = 'one {"messages": [...]} a line or row, or an array of them'
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when a first record has a list ``messages`` of objects with ``role``."""
        return sniff_records(export, _is_ours)

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:  # noqa: ARG002
        """Every record, by line, array element or row."""
        return read_records(export, _is_ours, _conversation)


def _is_ours(record: Source) -> bool:
    first = first_item(record.get("messages"))
    if not ("role" in first and ("content" in first or "tool_calls" in first)):
        return False
    if record.get("object") == "chat.completion" or record.keys() >= {"request_id", "startTime"}:
        return False  # a logged call, which repeats the talk before it
    return not ({"chosen", "rejected"} <= record.keys())  # a pair that says its messages again


def _conversation(record: Source, native: str) -> Conversation | None:
    messages = listed(record.get("messages"))
    if messages is None:
        raise RecordError("the record has no list 'messages'")
    if not messages:
        return None
    return Conversation(
        id=conversation_id("openai", native),
        importer="openai",
        messages=chat_messages(messages),
        tools=tools_text(record.get("tools")),
        metadata=rest(record, "messages", "tools"),
    )


def chat_messages(sources: list[Any]) -> tuple[Message, ...]:
    """Messages in the shape of OpenAI's API.

    Raises:
        RecordError: one of them is no such message.
    """
    return tuple(_message(source, at) for at, source in enumerate(sources))


def _message(source: Any, at: int) -> Message:
    if not isinstance(source, dict):
        raise RecordError(f"message {at} is not an object")
    role = source.get("role")
    if role not in _ROLES:
        raise RecordError(f"message {at} has the unknown role {word(role)}")
    content, attachments, unknown = _content(source.get("content"), at)
    extra = {key: value for key, value in source.items() if key not in _MESSAGE_KEYS}
    if unknown:
        extra["parts"] = unknown
    weight = source.get("weight")
    return Message(
        role=role,
        content=content,
        name=_text(source, "name", at),
        reasoning=_text(source, "reasoning_content", at) or _text(source, "reasoning", at),
        tool_calls=_calls(source.get("tool_calls") or [], at),
        tool_call_id=_text(source, "tool_call_id", at),
        attachments=attachments,
        train=None if weight is None else bool(weight),
        extra=extra,
    )


def _text(source: dict[str, Any], key: str, at: int) -> str | None:
    value = source.get(key)
    if value is not None and not isinstance(value, str):
        raise RecordError(f"message {at}: {key!r} is not text")
    return value


def _content(content: Any, at: int) -> tuple[str, tuple[Attachment, ...], list[Any]]:
    if content is None:
        return "", (), []
    if isinstance(content, str):
        return content, (), []
    if not isinstance(content, list):
        raise RecordError(f"message {at}: 'content' is neither text nor a list of parts")
    texts: list[str] = []
    attachments: list[Attachment] = []
    unknown: list[Any] = []
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in ("text", "input_text", "output_text") and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif kind == "image_url" and isinstance(part.get("image_url"), dict):
            attachments.append(Attachment("image", uri=str(part["image_url"].get("url"))))
        else:
            unknown.append(part)
    return "\n".join(texts), tuple(attachments), unknown


def _calls(calls: Any, at: int) -> tuple[ToolCall, ...]:
    if not isinstance(calls, list):
        raise RecordError(f"message {at}: 'tool_calls' is not a list")
    return tuple(_call(call, at, number) for number, call in enumerate(calls))


def _call(call: Any, at: int, number: int) -> ToolCall:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise RecordError(f"message {at}: a tool call has no function name")
    arguments = function.get("arguments", "{}")
    if not isinstance(arguments, str):
        arguments = orjson.dumps(arguments).decode()
    made_up = f"call_{at}_{number}" if number else f"call_{at}"
    return ToolCall(str(call.get("id") or made_up), function["name"], arguments)
