"""The row of a dataset version: its Arrow schema, its canonical form, its chat form."""

import hashlib
from collections.abc import Iterator
from typing import Any

import msgspec
import orjson
import pyarrow as pa

from ingest.message import Conversation, Message

_SYSTEM = ("system", "developer")

MESSAGE_TYPE = pa.struct(
    [
        ("role", pa.string()),
        ("content", pa.string()),
        ("name", pa.string()),
        ("reasoning", pa.string()),
        (
            "tool_calls",
            pa.list_(
                pa.struct([("id", pa.string()), ("name", pa.string()), ("arguments", pa.string())])
            ),
        ),
        ("tool_call_id", pa.string()),
        ("train", pa.bool_()),
    ]
)
ROW_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("importer", pa.string()),
        ("title", pa.string()),
        ("created_at", pa.string()),
        ("participants", pa.list_(pa.string())),
        ("tools", pa.string()),
        ("messages", pa.list_(MESSAGE_TYPE)),
        ("content_hash", pa.string()),
    ]
)
"""One row is one conversation, active path only.

``created_at`` is ISO 8601, with an offset only if the export states a zone; ``tools`` and each
``tool_calls[].arguments`` are JSON text; ``content_hash`` is the stored conversation's.
"""


def message_columns(schema: pa.Schema) -> list[str]:
    """The columns that hold messages: one of a conversation, three of a preference pair."""
    return [
        column.name
        for column in schema
        if pa.types.is_list(column.type) and pa.types.is_struct(column.type.value_type)
    ]


def to_row(conversation: Conversation, content_hash: str) -> dict[str, Any]:
    """The row of a stored conversation: side branches and import-only fields are left out."""
    created = conversation.created_at
    return {
        "id": conversation.id,
        "importer": conversation.importer,
        "title": conversation.title,
        "created_at": created.isoformat() if created else None,
        "participants": [participant.name for participant in conversation.participants],
        "tools": conversation.tools,
        "messages": [_message(message) for message in _turns(conversation)],
        "content_hash": content_hash,
    }


def _turns(conversation: Conversation) -> Iterator[Message]:
    """The messages of the active path as a model would have seen them.

    Blank system messages say nothing and are left out. Reasoning that an export keeps in a message
    of its own goes to the assistant message that it led to.
    """
    reasoning: str | None = None
    for message in conversation.messages:
        if not message.on_path or (message.role in _SYSTEM and not message.content.strip()):
            continue
        if message.role == "assistant" and message.reasoning and not _visible(message):
            reasoning = "\n\n".join(filter(None, (reasoning, message.reasoning)))
            continue
        if reasoning and message.role == "assistant":
            whole = "\n\n".join(filter(None, (reasoning, message.reasoning)))
            yield msgspec.structs.replace(message, reasoning=whole)
        else:
            yield message
        reasoning = None


def _visible(message: Message) -> bool:
    return bool(message.content or message.tool_calls or message.attachments)


def _message(message: Message) -> dict[str, Any]:
    calls = [
        {"id": call.id, "name": call.name, "arguments": call.arguments}
        for call in message.tool_calls
    ]
    return {
        "role": message.role,
        "content": message.content,
        "name": message.name,
        "reasoning": message.reasoning,
        "tool_calls": calls or None,
        "tool_call_id": message.tool_call_id,
        "train": message.train,
    }


def row_hash(row: dict[str, Any]) -> str:
    """sha256 (hex) of the row as canonical JSON: sorted keys, no spaces, UTF-8."""
    return row_digest(row).hex()


def row_digest(row: dict[str, Any]) -> bytes:
    """The 32 bytes of :func:`row_hash`."""
    return hashlib.sha256(orjson.dumps(row, option=orjson.OPT_SORT_KEYS)).digest()


def to_chat(row: dict[str, Any]) -> dict[str, Any]:
    """A row as chat templates and OpenAI clients take it.

    Returns:
        ``{"messages": [...], "tools": [...] or None}``. Messages hold only the keys that say
        something: ``role``, ``content``, and where present ``name``, ``reasoning_content``,
        ``tool_calls`` (``{"id", "type": "function", "function": {"name", "arguments"}}``, with
        arguments decoded when they are a JSON object), ``tool_call_id``, ``train``.
    """
    tools = orjson.loads(row["tools"]) if row.get("tools") else None
    return {"messages": [chat_message(message) for message in row["messages"]], "tools": tools}


def chat_message(message: dict[str, Any]) -> dict[str, Any]:
    """One message of a row in the shape described at :func:`to_chat`."""
    chat: dict[str, Any] = {"role": message["role"], "content": message["content"] or ""}
    for key, name in (("name", "name"), ("reasoning", "reasoning_content"),
                      ("tool_call_id", "tool_call_id"), ("train", "train")):  # fmt: skip
        if message.get(key) is not None:
            chat[name] = message[key]
    if message.get("tool_calls"):
        chat["tool_calls"] = [
            {
                "id": call["id"],
                "type": "function",
                "function": {"name": call["name"], "arguments": _arguments(call["arguments"])},
            }
            for call in message["tool_calls"]
        ]
    return chat


def _arguments(text: str) -> Any:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return value if isinstance(value, dict) else text
