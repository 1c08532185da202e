"""iMessage's ``chat.db`` of a Mac: the whole folder of Messages, or the database alone.

The newest messages lie in ``chat.db-wal`` beside it. Newer systems leave ``text`` empty and archive
the words in ``attributedBody``.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from typing import Any

from ingest.archive import Export, Member
from ingest.errors import ExportError
from ingest.importers.base import ImporterKind, ImportOptions, Item, Reject, Skip
from ingest.importers.chats import conversations
from ingest.importers.imessage_edits import edits_of
from ingest.importers.imessage_rows import (
    TABLES,
    Chat,
    attachments,
    chats,
    handles,
    is_imessage,
    messages,
)
from ingest.importers.media import media_kind
from ingest.importers.typedstream import text_of_archive
from ingest.message import Attachment
from ingest.people import Event, Line
from ingest.sqlite import FAULTS, fault, is_sqlite, logs_of, open_sqlite
from ingest.times import from_apple

ME = "Me"
_LOOKED_AT = 64
_OBJECT = "\ufffc"
_KEPT = (
    "subject", "service", "balloon_bundle_id", "expressive_send_style_id",
    "associated_message_type",
)  # fmt: skip
_TAPBACKS = (
    "loved",
    "liked",
    "disliked",
    "laughed",
    "emphasized",
    "questioned",
    "emoji",
    "sticker",
)


class IMessage:
    """The importer of iMessage's database."""

    name = "imessage"
    title = "iMessage (chat.db of a Mac)"
    kind: ImporterKind = "people"
    needs = "chat.db with chat.db-wal beside it; --as-assistant Me or a number"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when a SQLite database has the four tables."""
        likely = sorted(export.members, key=lambda member: not member.base.endswith(".db"))
        return 0.95 if any(_is_ours(member, export) for member in likely[:_LOOKED_AT]) else 0.0

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:
        """Every chat's sessions."""
        seen: Counter[str] = Counter()
        for member in [m for m in export.members if _is_ours(m, export)] or export.members:
            with open_sqlite(member, logs_of(member, export)) as db:
                if not is_imessage(db):
                    yield Reject(member.name, "no database of iMessage", "give a copy of chat.db")
                    continue
                people = handles(db)
                for chat in chats(db):
                    try:
                        yield from _chat(db, chat, people, options, seen)
                    except FAULTS as error:
                        where = f"{member.name}: chat {chat.value}"
                        yield Reject(where, fault(error), "copy the database again")


def _is_ours(member: Member, export: Export) -> bool:
    if not is_sqlite(member):
        return False
    # most databases tell by their first pages; a copy only for the rest
    if all(name.encode() in member.head() for name in TABLES):
        return True
    try:
        with open_sqlite(member, logs_of(member, export)) as db:
            return is_imessage(db)
    except ExportError:
        return False


def _chat(
    db: sqlite3.Connection,
    chat: Chat,
    people: dict[int, str],
    options: ImportOptions,
    seen: Counter[str],
) -> Iterator[Item]:
    title = people.get(chat.value, chat.name) if chat.guid.startswith("handle ") else chat.name
    reactions = _reactions(db, chat, people)
    items = (_item(db, row, people, reactions) for row in messages(db, chat, tapbacks=False))
    found = None
    for found in conversations("imessage", chat.guid, items, options, seen, title=title):
        yield found
    if found is None:
        yield Skip(f"chat {chat.value}", "no messages")


def _reactions(
    db: sqlite3.Connection, chat: Chat, people: dict[int, str]
) -> dict[str, list[list[str]]]:
    """Tapbacks ``[who, what]`` by message: no messages themselves. One taken back is gone."""
    found: dict[str, list[list[str]]] = {}
    for row in messages(db, chat, tapbacks=True):
        # 'p:0/GUID' names a part of the message, 'bp:GUID' its bubble
        target = str(row["associated_message_guid"] or "").rpartition("/")[2].removeprefix("bp:")
        kind = int(row["associated_message_type"])
        at = kind % 1000
        what = row["associated_message_emoji"] or (
            _TAPBACKS[at] if at < len(_TAPBACKS) else str(kind)
        )
        tap = [_speaker(row, people), str(what)]
        taps = found.setdefault(target, [])
        if kind < 3000:
            taps.append(tap)
        elif tap in taps:
            taps.remove(tap)
    return found


def _speaker(row: dict[str, Any], people: dict[int, str]) -> str:
    if row["is_from_me"]:
        return ME
    return people.get(row["handle_id"] or 0, "Unknown")


def _item(
    db: sqlite3.Connection,
    row: dict[str, Any],
    people: dict[int, str],
    reactions: dict[str, list[list[str]]],
) -> Line | Event:
    at = from_apple(row["date"] if isinstance(row["date"], int) else None)
    speaker = _speaker(row, people)
    if row["item_type"]:
        return Event(at, _event(row, speaker, people))
    edits = edits_of(_bytes(row["message_summary_info"]))
    archived = text_of_archive(_bytes(row["attributedBody"]))
    said = row["text"] if isinstance(row["text"], str) else None
    text = edits.last or said or archived or ""
    extra = {key: row[key] for key in _KEPT if row[key]}
    if row["service"] == "iMessage":
        del extra["service"]
    if edits.earlier or edits.last is not None:
        extra["edited"] = list(edits.earlier)
    if taps := reactions.get(str(row["guid"])):
        extra["reactions"] = taps
    unsent = edits.unsent or (bool(row["date_retracted"]) and not text)
    if unsent:
        extra["unsent"] = True
        text = ""
    has_files = row["cache_has_attachments"] or _OBJECT in text
    return Line(
        speaker=speaker,
        text=text.replace(_OBJECT, "").strip("\n"),
        at=at,
        attachments=tuple(map(_attachment, attachments(db, row["ROWID"]))) if has_files else (),
        alone=unsent,
        train=False if unsent else None,
        extra=extra or None,
        speaker_id=ME if row["is_from_me"] else speaker,
        source_id=row["guid"],
        parent_id=row["thread_originator_guid"],
        on_path=not unsent,
    )


def _bytes(value: object) -> bytes | None:
    return value if isinstance(value, bytes) else None


def _event(row: dict[str, Any], speaker: str, people: dict[int, str]) -> str:
    """What an item that is no message reports, in our words."""
    other = people.get(row["other_handle"] or 0, "somebody")
    match row["item_type"], row["group_action_type"]:
        case 1, 1:
            return f"{speaker} removed {other}"
        case 1, _:
            return f"{speaker} added {other}"
        case 2, _:
            return f"{speaker} named the conversation {row['group_title'] or ''}".rstrip()
        case 3, 0 | None:
            return f"{speaker} left"
        case kind, action:
            return f"{speaker}: item {kind}, action {action}"


def _attachment(row: dict[str, Any]) -> Attachment:
    name, mime = row["transfer_name"], row["mime_type"]
    size = row["total_bytes"]
    return Attachment(
        media_kind(name or row["filename"], mime),
        name=name,
        uri=row["filename"],
        mime_type=mime,
        size_bytes=size if isinstance(size, int) and size > 0 else None,
    )
