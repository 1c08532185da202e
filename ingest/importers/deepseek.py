"""DeepSeek: the data export (trees of fragments), and the answer of its API as a browser saved it.

In the export no message has a role: it is told by the types of a message's fragments.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from ingest.archive import Export, Member
from ingest.importers.base import ImporterKind, ImportOptions, Item, Reject, Skip
from ingest.importers.deepseek_messages import Node, Source, messages
from ingest.importers.fields import distinct, name_of, stated
from ingest.importers.records import Record, records, whole
from ingest.message import Conversation, conversation_id
from ingest.shape import Peek, holds, like, peek
from ingest.times import from_any


class _Exported(msgspec.Struct, gc=False):
    mapping: dict[str, Node] | None
    id: Any = None
    title: str | None = None
    inserted_at: Any = None
    current_message_id: Any = None


class _Session(msgspec.Struct, gc=False):
    id: Any = None
    title: str | None = None
    inserted_at: Any = None
    current_message_id: Any = None


class _Content(msgspec.Struct, gc=False):
    chat_messages: list[Source] | None
    chat_session: _Session | None = None


class _Data(msgspec.Struct, gc=False):
    biz_data: _Content


class _Capture(msgspec.Struct, gc=False):
    data: _Data


class DeepSeek:
    """The importer of DeepSeek's data export and of captured API answers."""

    name = "deepseek"
    title = "DeepSeek data export (conversations.json, zip) or a saved API answer"
    kind: ImporterKind = "assistant"
    needs = "Settings > Data > Export; the zip as it comes"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when the first conversation has ``mapping`` and ``inserted_at``."""
        return 0.95 if holds(export, _is_ours) else 0.0

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:  # noqa: ARG002
        """Every conversation; the file of the user is not read."""
        members = export.members if len(export.members) == 1 else like(export, _is_ours)
        for member in members:
            yield from _items(member)


def _is_ours(look: Peek) -> bool:
    first = look.first_of("conversations")
    return ("mapping" in first and "inserted_at" in first) or _is_capture(look)


def _is_capture(look: Peek) -> bool:
    data = look.value.get("data") if look.kind == "object" else None
    content = data.get("biz_data") if isinstance(data, dict) else None
    return isinstance(content, dict) and "chat_messages" in content


def _items(member: Member) -> Iterator[Item]:
    if _is_capture(peek(member)):
        captured = whole(member, _Capture)
        yield _captured(captured) if isinstance(captured, Record) else captured
        return
    for record in records(member, _Exported, path=("conversations",)):
        yield _exported(record) if isinstance(record, Record) else record


def _exported(record: Record[_Exported]) -> Item:
    source = record.value
    if source.mapping is None:
        return Reject(record.where, "the conversation has no mapping", "is this DeepSeek's export?")
    sources = {key: node.message for key, node in source.mapping.items()}
    links = {key: node.parent for key, node in source.mapping.items()}
    facts = _Session(source.id, source.title, source.inserted_at, source.current_message_id)
    return _conversation(record.where, record.odd, facts, sources, links)


def _captured(record: Record[_Capture]) -> Item:
    content = record.value.data.biz_data
    listed = content.chat_messages or []
    keys = distinct(name_of(each.message_id) for each in listed)
    sources = dict(zip(keys, listed, strict=True))
    links = {key: name_of(each.parent_id) for key, each in sources.items()}
    return _conversation(
        record.where, record.odd, content.chat_session or _Session(), sources, links
    )


def _conversation(
    where: str,
    odd: tuple[str, ...],
    facts: _Session,
    sources: Mapping[str, Source | None],
    links: dict[str, str | None],
) -> Item:
    found, damaged = messages(sources, links, name_of(facts.current_message_id))
    if not found:
        return Skip(where, "no messages")
    native = name_of(facts.id) or where
    return Conversation(
        id=conversation_id("deepseek", native),
        importer="deepseek",
        source_id=native,
        title=facts.title or None,
        created_at=from_any(facts.inserted_at),
        messages=found,
        metadata=stated({"unreadable": list(odd), "damaged_tree": damaged}),
    )
