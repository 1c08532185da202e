"""Intercom: conversations with their parts, as JSON lines, an array, API pages or one a file."""

from collections.abc import Iterator
from typing import Any

from ingest.archive import Export
from ingest.html import to_text
from ingest.importers.base import ImporterKind, ImportOptions, Item, Reject, Skip
from ingest.importers.fields import name_of, object_of, objects, stated, text_of
from ingest.importers.media import media_kind
from ingest.importers.pages import Source, listed, samples
from ingest.importers.tickets import Reply, Side, messages, participants
from ingest.message import Attachment, Conversation, conversation_id
from ingest.shape import Peek, holds, like
from ingest.times import from_any

_PAGES = ("conversations",)
_SIDES: dict[str, Side] = {
    "user": "customer", "lead": "customer", "contact": "customer", "visitor": "customer",
    "admin": "agent", "team": "agent", "bot": "bot",
}  # fmt: skip
# a reply may close or open the conversation at once; other parts with a text are for colleagues
_PUBLIC = {"comment", "open", "close", "quick_reply"}
_BY_HAND = {"customer_initiated", "admin_initiated"}
_FACTS = ("state", "priority", "tags", "ai_agent", "ai_agent_participated", "conversation_rating",
          "custom_attributes", "team_assignee_id", "admin_assignee_id", "linked_objects",
          "company")  # fmt: skip


class Intercom:
    """The importer of Intercom's conversations."""

    name = "intercom"
    title = "Intercom conversations with their parts (JSON lines, JSON, API pages)"
    kind: ImporterKind = "assistant"
    needs = "conversations as the API gives them one by one; --as-assistant BOT for a bot's replies"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when a record has a source with an author, and parts."""
        return 0.95 if holds(export, _is_ours) else 0.0

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:
        """Every conversation."""
        members = export.members if len(export.members) == 1 else like(export, _is_ours)
        for member in members:
            for found in listed(member, _PAGES):
                yield (
                    found
                    if isinstance(found, Reject)
                    else _conversation(found.where, found.value, options)
                )


def _is_ours(look: Peek) -> bool:
    return any(_is_conversation(found.value) for found in samples(look, _PAGES))


def _is_conversation(first: Source) -> bool:
    source = first.get("source")
    if not isinstance(source, dict):
        return False
    return "conversation_parts" in first or (
        first.get("type") == "conversation" and "author" in source
    )


def _conversation(where: str, source: Source, options: ImportOptions) -> Item:
    if not isinstance(source.get("source"), dict) and "conversation_parts" not in source:
        return Reject(where, "the record has neither source nor parts", "is this Intercom's?")
    opening = object_of(source.get("source"))
    held = source.get("conversation_parts")
    parts = objects(held if isinstance(held, list) else object_of(held).get("conversation_parts"))
    said = [_opening(opening, source)]
    events: list[list[Any]] = []
    for part in parts:
        reply = _reply(part, _kind(part) in _PUBLIC)
        if reply.text or reply.attachments or part.get("redacted") is True:
            said.append(reply)
        else:
            events.append([reply.at.isoformat() if reply.at else None, _kind(part)])
    said = [
        reply for reply in said if reply.text or reply.attachments or reply.extra.get("redacted")
    ]
    if not said:
        return Skip(where, "no messages")
    native = name_of(source.get("id")) or where
    total = object_of(held).get("total_count")
    missing = total - len(parts) if isinstance(total, int) else 0
    facts = {name: source.get(name) for name in _FACTS}
    return Conversation(
        id=conversation_id("intercom", native),
        importer="intercom",
        source_id=native,
        title=text_of(source.get("title")) or text_of(_plain(opening.get("subject"))),
        created_at=from_any(source.get("created_at")) or said[0].at,
        messages=messages(said, options.as_assistant),
        participants=participants(said, options.as_assistant),
        metadata=stated({**facts, "events": events})
        | ({"missing_parts": missing} if missing > 0 else {}),
    )


def _opening(opening: Source, source: Source) -> Reply:
    """What the conversation begins with; a message sent to many at once is nobody's answer."""
    reply = _reply({"created_at": source.get("created_at"), **opening}, True)
    delivered = text_of(opening.get("delivered_as"))
    by_hand = delivered is None or delivered in _BY_HAND
    return reply._replace(
        train=reply.train if by_hand else False,
        extra=stated({**reply.extra, "part_type": None, "delivered_as": delivered}),
    )


def _kind(part: Source) -> str:
    return text_of(part.get("part_type")) or ""


def _reply(part: Source, public: bool) -> Reply:
    author = object_of(part.get("author"))
    kind = author.get("type")
    side = _SIDES.get(kind) if isinstance(kind, str) else None
    author_id = name_of(author.get("id"))
    redacted = part.get("redacted") is True
    # Intercom's own AI agent answers as an admin
    bot = author.get("from_ai_agent") is True or author.get("is_ai_answer") is True
    part_type = _kind(part)
    return Reply(
        "bot" if bot else side or "customer",
        public,
        text_of(author.get("name")) or author_id or "?",
        author_id,
        "" if redacted else _plain(part.get("body")),
        from_any(part.get("created_at")),
        name_of(part.get("id")),
        tuple(_attachment(each) for each in objects(part.get("attachments"))),
        stated({
            "part_type": part_type if part_type != "comment" else None,
            "redacted": redacted,
            "author_type": kind if side is None else None,
        }),
        train=False if redacted else None,
    )  # fmt: skip


def _plain(body: Any) -> str:
    text = text_of(body) or ""
    return to_text(text).strip() if "<" in text or "&" in text else text.strip()


def _attachment(source: Source) -> Attachment:
    name, mime = text_of(source.get("name")), text_of(source.get("content_type"))
    size = source.get("filesize")
    return Attachment(
        media_kind(name, mime),
        name,
        text_of(source.get("url")),
        mime,
        size if isinstance(size, int) and not isinstance(size, bool) else None,
    )
