"""What was said in a Zendesk ticket: its comments, the live chat in its audits, its description."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ingest.html import to_text
from ingest.importers.fields import name_of, object_of, objects, stated, text_of
from ingest.importers.media import media_kind
from ingest.importers.pages import Source
from ingest.importers.tickets import Reply, Side
from ingest.message import Attachment
from ingest.times import from_any, sort_key

_SYSTEM = "-1"  # Zendesk's id of itself: triggers, automations, its own bot
_TRANSCRIPTS = {"chat", "chat_transcript", "native_messaging"}
_SIDES: dict[str, Side] = {"agent": "agent", "end-user": "customer", "bot": "bot"}


class Ground(NamedTuple):
    """What tells who speaks.

    Attributes:
        users: (name, role) by user id.
        as_assistant: whom the user chose.
    """

    users: Mapping[str, tuple[str, str]]
    as_assistant: Sequence[str]


def replies(
    ticket: Source, comments: list[Source], audits: list[Source], ground: Ground
) -> tuple[list[Reply], list[list[Any]]]:
    """What was said in a ticket, in the order of time, and what happened in its chat.

    Comments come from the ticket or, where it has none, from its audits.
    """
    chat, events = _chat(audits, ground)
    comments = comments or list(_audited(audits))
    said = [_comment(each, ticket, ground, bool(chat)) for each in comments] + chat
    if not said and text_of(ticket.get("description")):
        first = {
            "author_id": ticket.get("requester_id"),
            "body": ticket["description"],
            "public": ticket.get("is_public", True),
            "created_at": ticket.get("created_at"),
        }
        said = [_comment(first, ticket, ground, False)]
    said = [reply for reply in said if reply.text or reply.attachments]
    # the sort is stable: what has no time stays with what stands before it
    last = 0.0
    ranks: list[float] = []
    for reply in said:
        last = sort_key(reply.at) or last
        ranks.append(last)
    order = sorted(range(len(said)), key=ranks.__getitem__)
    return [said[at] for at in order], events


def _audited(audits: list[Source]) -> Iterator[Source]:
    for audit in audits:
        for event in objects(audit.get("events")):
            if event.get("type") == "Comment":
                # an event has no time and may leave its author to the audit
                facts = {"created_at": audit.get("created_at"), "via": audit.get("via")}
                yield facts | {"author_id": audit.get("author_id")} | _not_null(event)


def _not_null(event: Source) -> Source:
    """The entries of an event that are not null; false says something here."""
    return {key: value for key, value in event.items() if value is not None}


def _comment(source: Source, ticket: Source, ground: Ground, has_chat: bool) -> Reply:
    author = name_of(source.get("author_id"))
    side, name, known = _who(author, ticket, ground)
    channel = object_of(source.get("via")).get("channel")
    # the transcript of a chat whose lines are there already
    again = has_chat and isinstance(channel, str) and channel in _TRANSCRIPTS
    via = channel if isinstance(channel, str) else None
    return Reply(
        side,
        # what does not say that it is public is not
        source.get("public") is True and not again,
        name,
        author,
        _text(source),
        from_any(source.get("created_at")),
        name_of(source.get("id")),
        tuple(_attachment(each) for each in objects(source.get("attachments"))),
        stated({"via": via, "transcript": again, "author_unknown": not known}),
    )


def _who(author: str | None, ticket: Source, ground: Ground) -> tuple[Side, str, bool]:
    """(side, name, whether the export tells the side) of an author.

    The requester is the customer of this ticket, also an agent who asks a colleague. Without the
    table of users only requester and assignee are known; others count as customers.
    """
    if author is None or author == _SYSTEM:
        return "bot", "Zendesk", True
    name, role = ground.users.get(author, (author, ""))
    if author == name_of(ticket.get("requester_id")):
        return "customer", name, True
    if role in ("agent", "admin") or (not role and author == name_of(ticket.get("assignee_id"))):
        return "agent", name, True
    return "customer", name, bool(role)


def _text(source: Source) -> str:
    plain = text_of(source.get("plain_body"))
    if plain is None and (html := text_of(source.get("html_body"))) and not source.get("body"):
        plain = to_text(html)
    # Zendesk writes the blanks of its HTML into the plain text
    return (plain or text_of(source.get("body")) or "").replace("&nbsp;", " ").strip()


def _attachment(source: Source) -> Attachment:
    name, mime = text_of(source.get("file_name")), text_of(source.get("content_type"))
    size = source.get("size")
    return Attachment(
        media_kind(name, mime),
        name,
        text_of(source.get("content_url")),
        mime,
        size if isinstance(size, int) and not isinstance(size, bool) else None,
    )


def _chat(audits: list[Source], ground: Ground) -> tuple[list[Reply], list[list[Any]]]:
    """Lines and events of the chats in the audits; the end of a chat tells its start again."""
    said: list[Reply] = []
    events: list[list[Any]] = []
    seen: set[tuple[Any, ...]] = set()
    for audit in audits:
        for event in objects(audit.get("events")):
            kind = event.get("type")
            if not (isinstance(kind, str) and kind.startswith("Chat")):
                continue
            for line in objects(object_of(event.get("value")).get("history")):
                key = tuple(map(str, map(line.get, ("timestamp", "chat_index", "actor_id", "type",
                                                    "message"))))  # fmt: skip
                if key in seen:
                    continue
                seen.add(key)
                reply = _bubble(line, ground)
                if reply is not None:
                    said.append(reply)
                else:
                    at = from_any(line.get("timestamp"))
                    events.append([at.isoformat() if at else None, text_of(line.get("type")) or ""])
    return said, events


def _bubble(line: Source, ground: Ground) -> Reply | None:
    """A line of a chat; None for what nobody said."""
    actor = name_of(line.get("actor_id"))
    kind = line.get("actor_type")
    if not isinstance(kind, str) or kind not in _SIDES:
        return None
    user = ground.users.get(actor or "", ("", ""))
    side = _SIDES[kind]
    if side == "agent" and (actor in (None, "", _SYSTEM) or line.get("is_bot") is True):
        side = "bot"
    attachments: tuple[Attachment, ...] = ()
    name = text_of(line.get("filename"))
    if name or text_of(line.get("url")):
        attachments = (
            _attachment({"file_name": name, "content_url": line.get("url"),
                         "content_type": line.get("mime_type"), "size": line.get("size")}),
        )  # fmt: skip
    text = text_of(line.get("message")) or ""
    if not text and not attachments:
        return None
    return Reply(
        side,
        True,
        user[0] or text_of(line.get("actor_name")) or actor or kind,
        actor,
        text,
        from_any(line.get("timestamp")),
        name_of(line.get("id")),
        attachments,
        bubble=True,
    )
