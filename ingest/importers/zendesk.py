"""Zendesk: tickets with their comments, audits and users, as JSON lines, arrays or API pages.

Talks of Zendesk Messaging are in the audits of a ticket, not in its comments. The files may come in
any order, so users are held in memory (a name and a role each); comments and audits that stand
apart from their tickets wait on disk.
"""

from collections.abc import Iterator

import msgspec

from ingest.archive import Export, Member
from ingest.importers.base import ImporterKind, ImportOptions, Item, Reject, Skip
from ingest.importers.fields import name_of, object_of, objects, stated, text_of
from ingest.importers.pages import Listed, Source, listed, samples
from ingest.importers.records import record, zoned
from ingest.importers.tickets import messages, participants
from ingest.importers.zendesk_replies import Ground, replies
from ingest.message import Conversation, conversation_id
from ingest.shape import Peek, holds, like
from ingest.spool import Spool
from ingest.times import from_any

_PAGES = ("users", "tickets", "comments", "audits")
_ROLES = {"end-user", "agent", "admin"}
_FACTS = (
    "status", "priority", "type", "tags", "via", "satisfaction_rating", "group_id", "brand_id",
    "organization_id", "custom_fields", "fields", "custom_status_id", "external_id", "problem_id",
    "followup_ids",
)  # fmt: skip


class Zendesk:
    """The importer of Zendesk's tickets."""

    name = "zendesk"
    title = "Zendesk tickets with comments, audits and users (JSON lines, JSON, API pages)"
    kind: ImporterKind = "assistant"
    needs = "export tickets and users as JSON; the audits too for Messaging; --as-assistant BOT"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when records have a ticket's requester or are a ticket's audits."""
        return 0.95 if holds(export, _is_ticket) else 0.0

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:
        """Every ticket; then talks in audits whose ticket is not in the export."""
        members = export.members if len(export.members) == 1 else tuple(like(export, _is_ours))
        with Spool() as apart:
            users: dict[str, tuple[str, str]] = {}
            for member in members:
                yield from _collect(member, users, apart)
            ground = Ground(users, options.as_assistant)
            waiting, done = set(apart.chats()), set[str]()
            for member in members:
                for found in _tickets(member):
                    if isinstance(found, Listed):
                        key = name_of(found.value.get("id")) or found.where
                        if key in done:
                            yield Skip(found.where, "the ticket comes twice")
                            continue
                        done.add(key)
                        parts = _apart(apart, key) if key in waiting else iter(())
                        item = _conversation(found.where, key, found.value, parts, ground)
                        yield zoned(item, options.tz)
            for key in apart.chats():
                if key not in done:
                    item = _conversation(f"ticket {key}", key, {}, _apart(apart, key), ground)
                    yield zoned(item, options.tz)


def _is_ours(look: Peek) -> bool:
    found = samples(look, _PAGES)
    return any(_kind(each) or "author_id" in each.value for each in found)


def _is_ticket(look: Peek) -> bool:
    # a page of any service may have such a list: its records tell
    found = samples(look, _PAGES)
    return any(_kind(each._replace(key="")) in ("tickets", "audits") for each in found)


def _kind(found: Listed) -> str:
    """What a record is: a name in ``_PAGES``, ``""`` if none."""
    source = found.value
    if found.key:
        return found.key
    if isinstance(source.get("events"), list) and "ticket_id" in source:
        return "audits"
    if "requester_id" in source and ("subject" in source or "comments" in source):
        return "tickets"
    if source.get("role") in tuple(_ROLES) and ("email" in source or "name" in source):
        return "users"
    if "author_id" in source and "public" in source:
        return "comments"
    return ""


def _collect(member: Member, users: dict[str, tuple[str, str]], apart: Spool) -> Iterator[Item]:
    """Hold the users, put comments and audits in order; what is damaged is told here, once."""
    for found in listed(member, _PAGES):
        if isinstance(found, Reject):
            yield found
            continue
        kind, source = _kind(found), found.value
        key = name_of(source.get("id"))
        if kind == "users":
            role = text_of(source.get("role"))
            if key and role:
                users[key] = (text_of(source.get("name")) or key, role)
        elif kind in ("comments", "audits"):
            ticket = name_of(source.get("ticket_id"))
            if ticket is None:
                yield Reject(found.where, "the record names no ticket", "export it with ticket_id")
                continue
            rank = text_of(source.get("created_at")) or ""
            raw = msgspec.json.encode({kind: source})
            apart.add(ticket, f"{kind} {key or found.where}", raw, rank=rank)
        elif not kind:
            yield Reject(found.where, "neither a ticket nor a part of one", "is this Zendesk's?")


def _tickets(member: Member) -> Iterator[Listed]:
    for found in listed(member, _PAGES):
        if isinstance(found, Listed) and _kind(found) == "tickets":
            yield found


def _conversation(
    where: str, key: str, ticket: Source, apart: Iterator[tuple[str, Source]], ground: Ground
) -> Item:
    comments = objects(ticket.get("comments"))
    audits = objects(ticket.get("audits"))
    for kind, source in apart:
        (comments if kind == "comments" else audits).append(source)
    if ticket.get("status") == "deleted":
        return Skip(where, "the ticket is deleted")
    said, events = replies(ticket, comments, audits, ground)
    if not said:
        return Skip(where, "no messages")
    facts = {name: ticket.get(name) for name in _FACTS}
    return Conversation(
        id=conversation_id("zendesk", key),
        importer="zendesk",
        source_id=key,
        title=text_of(ticket.get("subject")),
        created_at=from_any(ticket.get("created_at")) or said[0].at,
        messages=messages(said, ground.as_assistant),
        participants=participants(said, ground.as_assistant),
        metadata=stated({**facts, "events": events}),
    )


def _apart(apart: Spool, ticket: str) -> Iterator[tuple[str, Source]]:
    for raw in apart.in_order(ticket):
        decoded = record(raw, dict[str, Source], ticket)
        if not isinstance(decoded, Reject):
            ((kind, source),) = decoded.value.items()
            yield kind, object_of(source)
