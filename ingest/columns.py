"""Conversations as Arrow columns, in the order of the store's tables."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
from msgspec.structs import astuple

from ingest.message import Attachment, Conversation, Message, Participant, ToolCall
from ingest.times import naive_utc

if TYPE_CHECKING:
    import numpy as np

_US = pa.timestamp("us")

CONVERSATIONS = pa.schema(
    [
        ("ord", pa.int64()),
        ("id", pa.string()),
        ("importer", pa.string()),
        ("source", pa.string()),
        ("source_id", pa.string()),
        ("title", pa.string()),
        ("created_at", _US),
        ("zoned", pa.bool_()),
        ("participants", pa.string()),
        ("tools", pa.string()),
        ("metadata", pa.string()),
        ("content_hash", pa.string()),
        ("messages", pa.int32()),
        ("updated_at", _US),
        ("seen", pa.string()),
        ("missing_from", pa.string()),
    ]
)
MESSAGES = pa.schema(
    [
        ("ord", pa.int64()),
        ("position", pa.int32()),
        ("role", pa.string()),
        ("content", pa.string()),
        ("name", pa.string()),
        ("reasoning", pa.string()),
        ("tool_calls", pa.string()),
        ("tool_call_id", pa.string()),
        ("attachments", pa.string()),
        ("created_at", _US),
        ("zoned", pa.bool_()),
        ("train", pa.bool_()),
        ("source_id", pa.string()),
        ("parent_id", pa.string()),
        ("on_path", pa.bool_()),
        ("extra", pa.string()),
    ]
)

_json = msgspec.json.Encoder(order="deterministic").encode
_calls = msgspec.json.Decoder(tuple[ToolCall, ...]).decode
_files = msgspec.json.Decoder(tuple[Attachment, ...]).decode
_people = msgspec.json.Decoder(tuple[Participant, ...]).decode
_object = msgspec.json.Decoder(dict[str, Any]).decode


def _text(value: Any) -> str | None:
    return _json(value).decode() if value else None


def _zoned(value: datetime | None) -> bool | None:
    return None if value is None else value.tzinfo is not None


def conversation_columns(
    source: str, conversations: Sequence[Conversation], hashes: Sequence[str]
) -> pa.Table:
    """One row a conversation, schema ``CONVERSATIONS``; ``ord`` counts from 0."""
    count = len(conversations)
    sources = pa.array([source] * count, pa.string())
    return pa.table(
        [
            pa.array(range(count), pa.int64()),
            [c.id for c in conversations],
            [c.importer for c in conversations],
            sources,
            pa.array([c.source_id for c in conversations], pa.string()),
            pa.array([c.title for c in conversations], pa.string()),
            pa.array([c.created_at for c in conversations], _US),
            pa.array([_zoned(c.created_at) for c in conversations], pa.bool_()),
            pa.array([_text(c.participants) for c in conversations], pa.string()),
            pa.array([c.tools for c in conversations], pa.string()),
            pa.array([_text(c.metadata) for c in conversations], pa.string()),
            pa.array(hashes, pa.string()),
            pa.array([len(c.messages) for c in conversations], pa.int32()),
            pa.array([_updated(c) for c in conversations], _US),
            sources,
            pa.nulls(count, pa.string()),
        ],
        schema=CONVERSATIONS,
    )


def _updated(conversation: Conversation) -> datetime | None:
    """When the newest message was written, or the conversation began; naive and UTC."""
    times = [m.created_at for m in conversation.messages if m.created_at is not None]
    if conversation.created_at is not None:
        times.append(conversation.created_at)
    if not times:
        return None
    # an export states all zones or none, but damage may mix them
    if any(at.tzinfo is None for at in times):
        return max(naive_utc(at) for at in times)
    return naive_utc(max(times))


def message_columns(conversations: Sequence[Conversation]) -> pa.Table:
    """One row a message, schema ``MESSAGES``; ``ord`` is the conversation's place in the list."""
    import numpy as np

    counts = [len(c.messages) for c in conversations]
    ends = np.cumsum(np.asarray(counts, dtype=np.int64))
    starts = np.repeat(ends - counts, counts)
    # turned on its side at once: one tuple a message costs less than one look at each field
    rows = [astuple(message) for c in conversations for message in c.messages]
    if not rows:
        return MESSAGES.empty_table()
    by_field = dict(zip(Message.__struct_fields__, zip(*rows, strict=True), strict=True))
    times = by_field["created_at"]
    fields = {
        **by_field,
        "ord": np.repeat(np.arange(len(counts), dtype=np.int64), counts),
        "position": np.arange(len(rows), dtype=np.int64) - starts,
        "tool_calls": _texts(by_field["tool_calls"]),
        "attachments": _texts(by_field["attachments"]),
        "zoned": [at and at.tzinfo is not None for at in times],
        "extra": _texts(by_field["extra"]),
    }
    # aware times come out as UTC, naive ones as they are
    return pa.table([pa.array(fields[f.name], f.type) for f in MESSAGES], schema=MESSAGES)


def renumbered(table: pa.Table, ords: "np.ndarray[Any, np.dtype[np.int64]]") -> pa.Table:
    """The table with other order numbers.

    Args:
        table: with a column ``ord`` that counts from 0.
        ords: (conversations,) the number to write in place of each; -1 leaves the rows out.
    """
    new = ords[table["ord"].to_numpy()]
    if (new < 0).any():
        table = table.filter(pa.array(new >= 0))
        new = new[new >= 0]
    return table.set_column(0, "ord", pa.array(new))


def _texts(values: Sequence[Any]) -> Sequence[str | None]:
    """JSON text of every value that says something; mostly none does."""
    if not any(values):
        return [None] * len(values)
    return [_json(value).decode() if value else None for value in values]


def _restore(value: datetime | None, zoned: bool | None) -> datetime | None:
    return value.replace(tzinfo=UTC) if value is not None and zoned else value


def conversation_from(row: dict[str, Any], messages: Sequence[dict[str, Any]]) -> Conversation:
    """The conversation back from its rows."""
    return Conversation(
        id=row["id"],
        importer=row["importer"],
        source_id=row["source_id"],
        title=row["title"],
        created_at=_restore(row["created_at"], row["zoned"]),
        messages=tuple(message_from(message) for message in messages),
        participants=_people(row["participants"]) if row["participants"] else (),
        tools=row["tools"],
        metadata=_object(row["metadata"]) if row["metadata"] else {},
    )


def message_from(row: dict[str, Any]) -> Message:
    """The message back from its row."""
    return Message(
        role=row["role"],
        content=row["content"],
        name=row["name"],
        reasoning=row["reasoning"],
        tool_calls=_calls(row["tool_calls"]) if row["tool_calls"] else (),
        tool_call_id=row["tool_call_id"],
        attachments=_files(row["attachments"]) if row["attachments"] else (),
        created_at=_restore(row["created_at"], row["zoned"]),
        train=row["train"],
        source_id=row["source_id"],
        parent_id=row["parent_id"],
        on_path=row["on_path"],
        extra=_object(row["extra"]) if row["extra"] else {},
    )
