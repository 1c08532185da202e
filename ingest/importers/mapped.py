"""Any table of messages, by a mapping that the user gives: CSV, JSON, parquet or SQLite.

``--map role=author --map content=body --map thread=ticket_id`` says which column is what; nothing
is guessed beyond the usual words for roles.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from ingest.archive import Export, Member
from ingest.errors import ExportError
from ingest.importers.base import ImporterKind, ImportOptions, Item, Reject, Skip
from ingest.importers.mapped_rows import is_table, lookup, tables
from ingest.importers.mapping import Mapping
from ingest.importers.records import as_text
from ingest.message import Conversation, Message, Participant, Role, conversation_id
from ingest.spool import Spool
from ingest.sqlite import logs_of
from ingest.times import from_any, in_zone, sort_key

_LOOKED_AT = 1000
"""Rows of a JSON file that are asked which columns there are: its rows may leave some out."""


class _Row(msgspec.Struct):
    """A row as it lies in the spool."""

    role: Role
    content: str
    thread: str
    name: str | None
    time: Any
    id: str | None
    title: str | None
    extra: dict[str, Any]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Row).decode


class Mapped:
    """The importer of tables with a mapping."""

    name = "mapped"
    title = "any table of messages (CSV, JSON lines, JSON array, parquet, SQLite)"
    kind: ImporterKind = "training"
    needs = "--map role=COLUMN --map content=COLUMN [--map thread=COLUMN]; --query for SQLite"
    version = 1

    def sniff(self, export: Export) -> float:  # noqa: ARG002
        """Never sure: it is chosen by giving a mapping."""
        return 0.0

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:
        """One conversation for each value of the thread column, by its first row.

        Without a thread column each file is one conversation. Rows keep the file's order or, where
        a time column is mapped, that of time. Columns without a meaning go to ``extra``.

        The rows of a thread may lie anywhere in the file, so all of them go through a spool on
        disk; held in memory are the names of the threads and the rows of one of them.

        Raises:
            UserError: the mapping names a column that is not there.
        """
        mapping = Mapping.of(options.mapping)
        are_tables = [(member, is_table(member)) for member in export.members]
        members = [member for member, is_ours in are_tables if is_ours]
        if not members:
            raise ExportError(
                f"{export.path}: no table", "a mapping is for CSV, JSON, parquet and SQLite files"
            )
        logs = {f"{member.name}{end}" for member in members for end in ("-wal", "-shm")}
        for member, is_ours in are_tables:
            if not is_ours and member.name not in logs:
                yield Skip(member.name, "no table")
        with Spool() as spool:
            for member in members:
                yield from _fill(spool, member, logs_of(member, export), mapping, options)
            for thread in spool.chats():
                rows = [_decode(raw) for raw in spool.in_order(thread)]
                yield _conversation(thread, rows, mapping, options)


def _fill(
    spool: Spool,
    member: Member,
    beside: Sequence[Member],
    mapping: Mapping,
    options: ImportOptions,
) -> Iterator[Reject]:
    """Put a file's rows into the spool by thread; what is no row comes out."""
    used = {column.split(".")[0] for column in mapping.columns.values()}
    used |= set(mapping.columns.values())
    wanted = tuple(mapping.columns.values())
    for table in tables(member, options.query, wanted, _LOOKED_AT, beside):
        mapping.check(member, table.columns, dotted=table.dotted)
        last: tuple[str, str] | None = None
        for found in table.rows:
            if isinstance(found, Reject):
                yield found
                continue
            where, values = found
            row = _row(values, mapping, member, used)
            if row is None:
                hint = "say what it means with --map role:VALUE=assistant (or user, system, tool)"
                yield Reject(where, "the role is none of the known words", hint)
                continue
            rank = _rank(row, options)
            if rank is None:  # no time of its own: it stays behind the row before it
                rank = last[1] if last and last[0] == row.thread else ""
            last = row.thread, rank
            spool.add(row.thread, where, _encode(row), rank=rank)


def _row(values: dict[str, Any], mapping: Mapping, member: Member, used: set[str]) -> _Row | None:
    """A row of a table; None if its role is unknown."""
    at = {field: lookup(values, column) for field, column in mapping.columns.items()}
    role = mapping.role(at["role"])
    if role is None:
        return None
    thread = _text(at.get("thread")) if "thread" in mapping.columns else f"\0{member.name}"
    return _Row(
        role=role,
        content=_text(at["content"]) or "",
        # rows without a thread are no conversation with each other
        thread=thread or f"\0{_digest(values)}",
        name=_text(at.get("name")),
        time=at.get("time"),
        id=_text(at.get("id")),
        title=_text(at.get("title")),
        extra={
            key: value
            for key, value in values.items()
            if key not in used and value is not None and value != ""
        },
    )


def _text(value: Any) -> str | None:
    return None if value is None or value == "" else as_text(value)


def _digest(values: dict[str, Any]) -> str:
    raw = msgspec.json.encode(values, order="deterministic")
    return hashlib.sha256(raw).hexdigest()[:32]


def _rank(row: _Row, options: ImportOptions) -> str | None:
    """Text that sorts by time."""
    at = in_zone(from_any(row.time), options.tz)
    return None if at is None else f"{sort_key(at):020.6f}"


def _conversation(
    thread: str, rows: list[_Row], mapping: Mapping, options: ImportOptions
) -> Conversation:
    # ids of threads are often small numbers: the columns' names tell one table from another
    columns = "&".join(f"{field}={name}" for field, name in sorted(mapping.columns.items()))
    native = thread if thread.startswith("\0") else f"{columns}|{thread}"
    messages = tuple(_message(row, mapping, options) for row in rows)
    people: dict[str, Participant] = {}
    for row in rows:
        if row.name is not None and row.role in ("user", "assistant"):
            people.setdefault(row.name, Participant(row.name, None, row.role == "assistant"))
    return Conversation(
        id=conversation_id("mapped", native),
        importer="mapped",
        source_id=thread.removeprefix("\0"),
        title=next((row.title for row in rows if row.title), None),
        created_at=messages[0].created_at,
        messages=messages,
        participants=tuple(people.values()),
    )


def _message(row: _Row, mapping: Mapping, options: ImportOptions) -> Message:
    at = in_zone(from_any(row.time), options.tz)
    extra = row.extra
    if at is None and row.time not in (None, ""):
        extra = {**extra, mapping.columns["time"]: row.time}
    return Message(
        role=row.role,
        content=row.content,
        name=row.name,
        created_at=at,
        train=None if row.content.strip() else False,
        source_id=row.id,
        extra=extra,
    )
