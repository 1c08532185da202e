"""Claude.ai data export: ``conversations.json``, or the document of a single conversation.

Older exports are a list of messages, newer ones a tree. A message of the assistant holds a whole
turn with thinking, tool calls and results; it comes out as the steps that the model took.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from ingest.archive import Export, Member
from ingest.importers.base import ImporterKind, ImportOptions, Item, Skip
from ingest.importers.claude_blocks import attachments, messages_of
from ingest.importers.fields import distinct, stated, text_of
from ingest.importers.records import Record, records, whole
from ingest.message import Conversation, Message, Role, conversation_id
from ingest.shape import Peek, holds, like, peek
from ingest.times import from_any, sort_key
from ingest.tree import read_tree

_ROLES: dict[str, Role] = {"human": "user", "user": "user", "assistant": "assistant"}
_UNFINISHED = {"user_canceled", "user_cancelled", "cancelled", "error", "max_tokens"}


class _Message(msgspec.Struct, gc=False):
    uuid: str | None = None
    sender: str | None = None
    role: str | None = None
    text: str | None = None
    content: Any = None
    created_at: Any = None
    parent_message_uuid: str | None = None
    attachments: Any = None
    files: Any = None
    files_v2: Any = None
    truncated: bool | None = None
    stop_reason: str | None = None
    input_mode: str | None = None
    compaction_summary: Any = None


class _Conversation(msgspec.Struct, gc=False):
    chat_messages: list[_Message] | None
    uuid: str | None = None
    id: str | None = None
    name: str | None = None
    title: str | None = None
    summary: str | None = None
    created_at: Any = None
    current_leaf_message_uuid: str | None = None
    project_uuid: str | None = None
    model: str | None = None


class Claude:
    """The importer of Claude.ai's data export."""

    name = "claude"
    title = "Claude.ai data export (conversations.json, zip)"
    kind: ImporterKind = "assistant"
    needs = "Settings > Privacy > Export data; the zip as it comes"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when the first conversation has ``chat_messages``."""
        return 0.95 if holds(export, _is_ours) else 0.0

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:  # noqa: ARG002
        """Every conversation; files of users, projects and memories are not read."""
        members = export.members if len(export.members) == 1 else like(export, _is_ours)
        for member in members:
            for record in _records(member):
                yield _item(record) if isinstance(record, Record) else record


def _is_ours(look: Peek) -> bool:
    return "chat_messages" in look.first_of("conversations") or _is_single(look)


def _is_single(look: Peek) -> bool:
    return look.kind == "object" and "chat_messages" in look.first


def _records(member: Member) -> Iterator[Any]:
    if _is_single(peek(member)):
        yield whole(member, _Conversation)
    else:
        yield from records(member, _Conversation, path=("conversations",))


def _item(record: Record[_Conversation]) -> Item:
    source = record.value
    if not source.chat_messages:
        return Skip(record.where, "no messages")
    native = source.uuid or source.id or record.where
    metadata = {
        "summary": source.summary,
        "model": source.model,
        "project_uuid": source.project_uuid,
        "unreadable": list(record.odd),
    }
    messages, damaged = _messages(source.chat_messages, source.current_leaf_message_uuid)
    return Conversation(
        id=conversation_id("claude", native),
        importer="claude",
        source_id=native,
        title=source.name or source.title or None,
        created_at=from_any(source.created_at),
        messages=messages,
        metadata=stated(metadata | {"damaged_tree": damaged}),
    )


def _messages(sources: list[_Message], leaf: str | None) -> tuple[tuple[Message, ...], bool]:
    """Messages in reading order, and whether the tree is damaged."""
    by_key = dict(zip(distinct(each.uuid for each in sources), sources, strict=True))
    is_tree = any(each.parent_message_uuid in by_key for each in sources)
    if not is_tree:
        found = [m for key, each in by_key.items() for m in _pieces(key, each, None, on_path=True)]
        return tuple(found), False
    parents = {key: each.parent_message_uuid for key, each in by_key.items()}
    times = {key: sort_key(from_any(each.created_at)) for key, each in by_key.items()}
    reading = read_tree(parents, leaf, times)
    last: dict[str | None, str | None] = {}  # a message's uuid -> its last piece
    made: list[Message] = []
    for key in reading.order:
        above = parents[key]
        parent = last.get(above, above) if above in by_key else None
        made += _pieces(key, by_key[key], parent, on_path=key in reading.path)
        last[key] = made[-1].source_id
    return tuple(made), reading.damaged


def _pieces(key: str, source: _Message, parent: str | None, *, on_path: bool) -> list[Message]:
    sender = source.sender or source.role or ""
    role = _ROLES.get(sender.lower())
    extra = stated(
        {
            "sender": None if role else sender,
            "truncated": source.truncated,
            "stop_reason": source.stop_reason,
            "input_mode": source.input_mode,
            "compaction_summary": source.compaction_summary,
        }
    )
    unfinished = source.truncated or source.stop_reason in _UNFINISHED
    stored = Message(
        role=role or "system",
        attachments=attachments(source.attachments, source.files, source.files_v2),
        created_at=from_any(source.created_at),
        train=False if unfinished or role is None else None,
        source_id=key,
        parent_id=parent,
        on_path=on_path,
        extra=extra,
    )
    # `text` repeats the blocks, or stands for them where a block cannot be shown
    content = source.content or text_of(source.text) or ""
    return messages_of(key, content, stored)
