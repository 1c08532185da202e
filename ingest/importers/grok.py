"""Grok data export: ``prod-grok-backend.json``, conversations with their responses as trees.

The export also holds files of the account (sign-in, billing): those are never opened.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from ingest.archive import Export
from ingest.errors import ExportError
from ingest.importers.base import ImporterKind, ImportOptions, Item, Skip
from ingest.importers.fields import distinct, object_of, stated, text_of
from ingest.importers.records import Record, records
from ingest.message import Attachment, Conversation, Message, conversation_id
from ingest.shape import Peek, holds, like
from ingest.times import from_any, sort_key
from ingest.tree import read_tree

_IMAGES = ("generated_image_urls", "image_attachments", "image_edit_uris")
_KEPT = (
    "model", "query_type", "steps", "agent_thinking_traces", "web_search_results", "xposts",
    "card_attachments_json", "error", "partial",
)  # fmt: skip
_POINTERS = ("uri", "url", "file_id", "asset_id", "id", "_id")
_PEOPLE = ("human", "user")


class _Conversation(msgspec.Struct, gc=False):
    conversation: dict[str, Any]
    responses: list[dict[str, Any]] | None


class Grok:
    """The importer of Grok's data export."""

    name = "grok"
    title = "Grok data export (prod-grok-backend.json, zip)"
    kind: ImporterKind = "assistant"
    needs = "accounts.x.ai > Download your data; the zip as it comes"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when the first conversation has ``conversation`` and ``responses``."""
        return 0.95 if holds(export, _is_ours) else 0.0

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:  # noqa: ARG002
        """Every conversation.

        Raises:
            ExportError: there is more than one backend file; which one counts is not for us to say.
        """
        members = export.members
        if len(members) > 1:
            members = tuple(like(export, _is_ours))
        if len(members) > 1:
            names = ", ".join(member.name for member in members)
            raise ExportError(
                f"{export.path}: more than one Grok backend file ({names})",
                "unpack it and import each of them on its own",
            )
        for member in members:
            for record in records(member, _Conversation, path=("conversations",)):
                yield _item(record) if isinstance(record, Record) else record


def _is_ours(look: Peek) -> bool:
    first = look.first_of("conversations")
    return isinstance(first.get("conversation"), dict) and "responses" in first


def _item(record: Record[_Conversation]) -> Item:
    facts = record.value.conversation
    if not record.value.responses:
        return Skip(record.where, "no messages")
    native = _id(facts.get("id")) or _id(facts.get("_id")) or record.where
    leaf = _id(facts.get("leaf_response_id"))
    messages, damaged = _messages(record.value.responses, leaf)
    metadata = {
        "summary": facts.get("summary"),
        "system_prompt_name": facts.get("system_prompt_name"),
        "unreadable": list(record.odd),
        "damaged_tree": damaged,
    }
    return Conversation(
        id=conversation_id("grok", native),
        importer="grok",
        source_id=native,
        title=text_of(facts.get("title")),
        created_at=from_any(facts.get("create_time")),
        messages=messages,
        metadata=stated(metadata),
    )


def _id(value: Any) -> str | None:
    """An id, also one in MongoDB's extended JSON."""
    return text_of(value.get("$oid")) if isinstance(value, dict) else text_of(value)


def _messages(wrapped: list[dict[str, Any]], leaf: str | None) -> tuple[tuple[Message, ...], bool]:
    """Messages in reading order, and whether the tree is damaged."""
    # the flat form has no object `response` around each
    sources = [object_of(each["response"]) if "response" in each else each for each in wrapped]
    keys = distinct(_id(each.get("_id")) or _id(each.get("id")) for each in sources)
    by_key = dict(zip(keys, sources, strict=True))
    links = {key: _id(each.get("parent_response_id")) for key, each in by_key.items()}
    if not any(parent in by_key for parent in links.values()):
        linear = (_message(key, each, None, on_path=True) for key, each in by_key.items())
        return tuple(linear), False
    times = {key: sort_key(from_any(each.get("create_time"))) for key, each in by_key.items()}
    reading = read_tree(links, leaf, times)
    found = (
        _message(
            key,
            by_key[key],
            links[key] if links[key] in by_key else None,
            on_path=key in reading.path,
        )
        for key in reading.order
    )
    return tuple(found), reading.damaged


def _message(key: str, source: dict[str, Any], parent: str | None, *, on_path: bool) -> Message:
    sender = text_of(source.get("sender")) or ""
    is_person = sender.lower() in _PEOPLE
    text = text_of(source.get("message")) or ""
    failed = bool(source.get("error")) or source.get("partial") is True
    attachments = tuple(_attachments(source))
    if not text and not attachments and not failed:
        attachments = (Attachment("image"),)  # what an empty message is; the file is not named
    extra = {name: source.get(name) for name in _KEPT}
    if not is_person and sender.lower() != "assistant":
        extra["sender"] = sender  # the name of a model, mostly
    return Message(
        role="user" if is_person else "assistant",
        content=text,
        reasoning=None if is_person else text_of(source.get("thinking_trace")),
        attachments=attachments,
        created_at=from_any(source.get("create_time")),
        train=False if failed or not sender else None,
        source_id=key,
        parent_id=parent,
        on_path=on_path,
        extra=stated(extra),
    )


def _attachments(source: dict[str, Any]) -> Iterator[Attachment]:
    for name in (*_IMAGES, "file_attachments"):
        listed = source.get(name)
        for each in listed if isinstance(listed, list) else ():
            facts = each if isinstance(each, dict) else {"uri": each}
            uri = next((found for found in map(_id, map(facts.get, _POINTERS)) if found), None)
            label = text_of(facts.get("file_name")) or text_of(facts.get("name"))
            yield Attachment("image" if name in _IMAGES else "file", name=label, uri=uri)
