"""Rows of iMessage's ``chat.db``.

Columns differ between versions of macOS: a missing one is NULL. Names in queries are ours, values
are bound.
"""

# ruff: noqa: S608

import sqlite3
from collections.abc import Iterator
from typing import Any, NamedTuple

from ingest.sqlite import has_table, rows

_MESSAGE = (
    "ROWID", "guid", "text", "attributedBody", "date", "is_from_me", "handle_id", "item_type",
    "associated_message_type", "associated_message_guid", "associated_message_emoji",
    "message_summary_info", "cache_has_attachments", "group_title", "group_action_type",
    "thread_originator_guid", "date_edited", "date_retracted", "subject", "service",
    "balloon_bundle_id", "expressive_send_style_id", "other_handle",
)  # fmt: skip
_TEXTS = {
    "guid", "associated_message_guid", "associated_message_emoji", "group_title",
    "thread_originator_guid", "service", "balloon_bundle_id", "expressive_send_style_id",
    "subject", "filename", "transfer_name", "mime_type", "display_name", "chat_identifier",
    "service_name",
}  # fmt: skip
_BLOBS = {"text", "attributedBody", "message_summary_info"}
_CHAT = ("ROWID", "guid", "chat_identifier", "display_name", "service_name")
_ATTACHMENT = ("guid", "filename", "transfer_name", "mime_type", "total_bytes")
TABLES = ("message", "handle", "chat", "chat_message_join")


class Chat(NamedTuple):
    """A chat, or the messages of one handle that lie in no chat any more.

    Attributes:
        guid: the export's id.
        name: the displayed name, else the other side's number or address.
        where: condition that selects its messages.
        value: its value.
    """

    guid: str
    name: str
    where: str
    value: int


def is_imessage(db: sqlite3.Connection) -> bool:
    """Whether a database is a ``chat.db``."""
    return all(has_table(db, name) for name in TABLES)


def chats(db: sqlite3.Connection) -> Iterator[Chat]:
    """The chats, then what lies in none."""
    joined = "m.ROWID IN (SELECT message_id FROM chat_message_join WHERE chat_id = ?)"
    query = f"SELECT {_columns(db, 'chat', _CHAT)} FROM chat t ORDER BY ROWID"
    for row in map(_typed, list(rows(db, query))):
        name = row["display_name"] or row["chat_identifier"] or f"chat {row['ROWID']}"
        yield Chat(row["guid"] or str(name), str(name), joined, row["ROWID"])
    lost = "SELECT DISTINCT handle_id FROM message m WHERE {} ORDER BY handle_id"
    alone = "m.ROWID NOT IN (SELECT message_id FROM chat_message_join WHERE message_id NOTNULL)"
    for row in list(rows(db, lost.format(alone))):
        handle = row["handle_id"] or 0
        name = f"handle {handle}"
        yield Chat(name, name, f"coalesce(m.handle_id, 0) = ? AND {alone}", handle)


def handles(db: sqlite3.Connection) -> dict[int, str]:
    """Numbers and addresses by row."""
    found = rows(db, f"SELECT {_columns(db, 'handle', ('ROWID', 'id'))} FROM handle t")
    return {row["ROWID"]: str(row["id"]) for row in found if row["id"]}


def messages(db: sqlite3.Connection, chat: Chat, *, tapbacks: bool) -> Iterator[dict[str, Any]]:
    """The messages of a chat by time, or the tapbacks on them."""
    kind = "coalesce(t.associated_message_type, 0) BETWEEN 2000 AND 3999"
    if "associated_message_type" not in _known(db, "message"):
        kind = "0"
    query = (
        f"SELECT {_columns(db, 'message', _MESSAGE)} FROM message t"
        f" WHERE {chat.where.replace('m.', 't.')} AND {kind} = ? ORDER BY date, ROWID"
    )
    return map(_typed, rows(db, query, [chat.value, int(tapbacks)]))


def attachments(db: sqlite3.Connection, message: int) -> list[dict[str, Any]]:
    """The files of a message."""
    if not has_table(db, "attachment") or not has_table(db, "message_attachment_join"):
        return []
    query = (
        f"SELECT {_columns(db, 'attachment', _ATTACHMENT)} FROM attachment t"
        " JOIN message_attachment_join j ON j.attachment_id = t.ROWID WHERE j.message_id = ?"
        " ORDER BY t.ROWID"
    )
    return [_typed(row) for row in rows(db, query, [message])]


def _typed(row: dict[str, Any]) -> dict[str, Any]:
    """The row with what its columns are for: SQLite lets any value stand in any column."""
    return {name: _cell(name, value) for name, value in row.items()}


def _cell(name: str, value: Any) -> Any:
    if name in _BLOBS or value is None:
        return value
    if isinstance(value, bytes):
        return None
    return str(value) if name in _TEXTS else value


def _known(db: sqlite3.Connection, table: str) -> set[str]:
    return {row["name"] for row in rows(db, f"PRAGMA table_info({table})")} | {"ROWID"}


def _columns(db: sqlite3.Connection, table: str, wanted: tuple[str, ...]) -> str:
    known = _known(db, table)
    return ", ".join(
        f"t.{name} AS {name}" if name in known else f"NULL AS {name}" for name in wanted
    )
