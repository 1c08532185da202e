"""The conversations of a workspace in DuckDB. The only module that opens it.

All SQL stands here and, for the tables and questions that are theirs alone, in
:mod:`ingest.decisions`, :mod:`ingest.forgotten` and :mod:`ingest.erasure`.

One process may write at a time (DuckDB's rule). Rows go in as Arrow tables, never one by one, and
each import is one transaction: it lands whole or not at all.
"""

import contextlib
import json
import shutil
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from ingest import columns
from ingest.connection import over
from ingest.decisions import Decisions
from ingest.erasure import Erasure
from ingest.errors import StoreError
from ingest.forgotten import Forgotten
from ingest.importers.base import Reject
from ingest.message import Conversation
from ingest.times import naive_utc
from ingest.workspace import make_folder

SCHEMA_VERSION = 2
_MEMORY = 1024  # MiB of DuckDB's own, while reading ...
_LANDING_MEMORY = 80  # ... and while rows come in
_CONFIG = {
    # nothing is fetched behind the user's back
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    # full row groups go to disk while an import is still running
    "write_buffer_row_group_memory_limit": "10MB",
    "memory_limit": f"{_MEMORY}MiB",
}
_DISK_FAULTS = (duckdb.IOException, duckdb.OutOfMemoryException, duckdb.FatalException)
# "Extension": the file is of another database, which DuckDB would fetch a reader for
_DAMAGED = ("Corrupt database", "not a valid DuckDB", "Could not read", "Is a directory",
            "Extension ")  # fmt: skip

_INTERRUPTED = "Query interrupted"


class SourceRecord(NamedTuple):
    """What an earlier import of the same file with the same options found."""

    read: int
    rejected: int
    skipped: dict[str, int]
    messages: int
    one_sided: int


class Known(NamedTuple):
    """What is stored under an id: order number, content hash, time of the newest message."""

    ord: int
    content_hash: str
    updated_at: datetime | None


@dataclass(frozen=True)
class Where:
    """Which conversations to list; None means any.

    Attributes:
        search: text that a message's content or the title must contain, case-insensitive.
        importer: importer name.
        participant: name of somebody who takes part.
    """

    search: str | None = None
    importer: str | None = None
    participant: str | None = None


class Store:
    """An open store. Use :func:`open_store`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        self._db = connection
        self._memory = _MEMORY
        self.path = path
        self.decisions = Decisions(connection)
        self.forgotten = Forgotten(connection)
        self.erasure = Erasure(connection)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing."""
        # rows arrive from one Python thread; more threads of DuckDB's only cost time and memory,
        # and so does keeping in memory what was written and is not read again
        self._db.execute("SET threads = 1")
        self._limit_memory(_LANDING_MEMORY)
        self._db.execute("BEGIN")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            # after a failed commit the transaction is gone already
            with contextlib.suppress(duckdb.Error):
                self._db.execute("ROLLBACK")
            raise
        finally:
            with contextlib.suppress(duckdb.Error):  # after a fatal error nothing runs any more
                self._db.execute("RESET threads")
                self._limit_memory(_MEMORY)

    # -- writing ------------------------------------------------------------------------------

    def source_record(self, sha256: str, options: str) -> SourceRecord | None:
        """What the last import of this file with these options found, if there was one."""
        row = self._row(
            "SELECT read, rejected, skipped, messages, one_sided FROM sources "
            "WHERE sha256 = ? AND options = ?",
            sha256,
            options,
        )
        return SourceRecord(row[0], row[1], json.loads(row[2]), row[3], row[4]) if row else None

    def put_source(
        self, sha256: str, options: str, importer: str, path: str, record: SourceRecord
    ) -> None:
        """Remember an import; one of the same file with other options is forgotten."""
        self._db.execute("DELETE FROM sources WHERE sha256 = ?", [sha256])
        self._db.execute(
            "INSERT INTO sources VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [sha256, options, importer, path, record.read, record.rejected,
             json.dumps(record.skipped), record.messages, record.one_sided, _now()],
        )  # fmt: skip

    def known(self, ids: Sequence[str]) -> dict[str, Known]:
        """What is stored of those ids."""
        wanted = pa.table({"id": pa.array(ids, pa.string())})
        rows = over(
            self._db,
            wanted,
            "SELECT c.id, c.ord, c.content_hash, c.updated_at FROM conversations c "
            "SEMI JOIN rows USING (id)",
        )
        return {row[0]: Known(*row[1:]) for row in rows}

    def next_ord(self) -> int:
        """The order number of the next new conversation."""
        row = self._row("SELECT coalesce(max(ord), 0) + 1 FROM conversations")
        assert row is not None
        return int(row[0])

    def is_empty(self) -> bool:
        """Whether no conversation is stored."""
        return self._row("SELECT 1 FROM conversations LIMIT 1") is None

    def insert(self, conversations: pa.Table, messages: pa.Table) -> None:
        """Add rows of the schemas in :mod:`ingest.columns`."""
        self._append("messages", messages)
        self._append("conversations", conversations)

    def mark_seen(self, importer: str, source: str, ords: Sequence[int]) -> int:
        """Say which stored conversations an export held, and which it no longer does.

        An earlier export is of the same account when the new one holds more than half of what it
        held; what it held and the new one does not is marked and kept. A conversation that goes on
        after the new export's newest one is only younger.

        Args:
            importer: name of the export's importer.
            source: sha256 of the export.
            ords: of all its conversations.

        Returns:
            How many are marked now that were not before.
        """
        held = pa.table({"ord": pa.array(ords, pa.int64())})
        accounts = over(
            self._db,
            held,
            f"SELECT seen FROM conversations WHERE importer = {_literal(importer)} "
            f"AND seen <> {_literal(source)} GROUP BY seen "
            "HAVING count(*) FILTER (ord IN (SELECT ord FROM rows)) * 2 > count(*)",
        )
        gone = over(
            self._db,
            held,
            f"UPDATE conversations SET missing_from = {_literal(source)} "
            f"WHERE importer = {_literal(importer)} AND missing_from IS NULL "
            f"AND seen IN ({', '.join([_literal(seen) for (seen,) in accounts] or ['NULL'])}) "
            "AND ord NOT IN (SELECT ord FROM rows) AND updated_at <= "
            "(SELECT max(updated_at) FROM conversations WHERE ord IN (SELECT ord FROM rows))",
        )
        over(
            self._db,
            held,
            f"UPDATE conversations SET seen = {_literal(source)}, missing_from = NULL "
            f"WHERE ord IN (SELECT ord FROM rows) AND (seen <> {_literal(source)} "
            "OR missing_from IS NOT NULL)",
        )
        return int(gone[0][0]) if gone else 0

    def delete(self, ords: Sequence[int]) -> None:
        """Remove conversations and their messages."""
        if ords:
            gone = pa.table({"ord": pa.array(ords, pa.int64())})
            for table in ("messages", "conversations"):
                over(self._db, gone, f"DELETE FROM {table} WHERE ord IN (SELECT ord FROM rows)")

    def put_rejects(self, source: str, importer: str, path: str, rejects: Sequence[Reject]) -> None:
        """Replace the quarantine entries of one export."""
        self._db.execute("DELETE FROM rejects WHERE source = ?", [source])
        if rejects:
            count = len(rejects)
            table = pa.table(
                {
                    "source": pa.array([source] * count, pa.string()),
                    "importer": pa.array([importer] * count, pa.string()),
                    "path": pa.array([path] * count, pa.string()),
                    "place": pa.array([reject.where for reject in rejects], pa.string()),
                    "reason": pa.array([reject.reason for reject in rejects], pa.string()),
                    "hint": pa.array([reject.hint for reject in rejects], pa.string()),
                }
            )
            self._append("rejects", table)

    def copy_from(self, path: Path) -> None:
        """Take over every row of another store, which nobody has open; this one is empty."""
        self._db.execute(f"ATTACH {_literal(str(path))} AS other (READ_ONLY)")
        tables = self._db.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = 'other' "
            "AND table_name <> 'schema_version' ORDER BY table_name"
        ).fetchall()
        for (table,) in tables:
            self._db.execute(f"INSERT INTO {table} SELECT * FROM other.{table}")
        self._db.execute("DETACH other")
        self._db.execute("CHECKPOINT")

    def _limit_memory(self, mebibytes: int) -> None:
        self._db.execute(f"SET memory_limit = '{mebibytes}MiB'")
        self._memory = mebibytes

    def _append(self, table: str, rows: pa.Table) -> None:
        # a message may be larger than what is enough for all others
        if (needed := _LANDING_MEMORY + 4 * (rows.nbytes >> 20)) > self._memory:
            self._limit_memory(needed)
        over(self._db, rows, f"INSERT INTO {table} SELECT * FROM rows")

    # -- reading ------------------------------------------------------------------------------

    def rejects(self) -> list[dict[str, Any]]:
        """The quarantine."""
        rows = self._db.execute(
            "SELECT path, place, reason, hint FROM rejects ORDER BY path, place"
        ).fetchall()
        keys = ("source", "where", "reason", "hint")
        return [dict(zip(keys, row, strict=True)) for row in rows]

    def counts(self) -> dict[str, int]:
        """Conversations by importer."""
        rows = self._db.execute(
            "SELECT importer, count(*) FROM conversations GROUP BY importer ORDER BY importer"
        ).fetchall()
        return dict(rows)

    def people(self, by_alias: Mapping[str, str]) -> list[dict[str, Any]]:
        """Everybody who speaks under a name in conversations with participants.

        Args:
            by_alias: the name under which to count another name.

        Returns:
            Most messages first: ``name``, ``conversations``, ``messages``, of which
            ``assistant_messages``, and ``importers``.
        """
        rows = self._db.execute(
            "WITH alias AS (SELECT unnest(?::VARCHAR[]) AS other, unnest(?::VARCHAR[]) AS name) "
            "SELECT coalesce(alias.name, m.name) AS person, count(DISTINCT m.ord), count(*), "
            "count(*) FILTER (WHERE m.role = 'assistant'), list_sort(list(DISTINCT c.importer)) "
            "FROM messages m JOIN conversations c ON c.ord = m.ord "
            "LEFT JOIN alias ON alias.other = m.name "
            "WHERE m.name IS NOT NULL AND m.role <> 'tool' AND c.participants IS NOT NULL "
            "GROUP BY person ORDER BY count(*) DESC, person",
            [list(by_alias), list(by_alias.values())],
        ).fetchall()
        keys = ("name", "conversations", "messages", "assistant_messages", "importers")
        return [dict(zip(keys, row, strict=True)) for row in rows]

    def marked_answers(self, keys: Sequence[str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Answers of which the export says something more, in order of first import.

        Args:
            keys: names in :attr:`Message.extra`, one of which must be there.

        Yields:
            The conversation's id, the answer's content, and its ``extra``.
        """
        rows = self._cursor_rows(
            "SELECT c.id, m.content, m.extra FROM messages m JOIN conversations c ON c.ord = m.ord "
            "WHERE m.role = 'assistant' AND m.on_path AND m.extra IS NOT NULL "
            "AND list_has_any(json_keys(m.extra), ?::VARCHAR[]) ORDER BY m.ord, m.position",
            [list(keys)],
        )
        for row in rows:
            yield row["id"], row["content"], json.loads(row["extra"])

    def people_seen(self) -> Iterator[tuple[str, str | None]]:
        """(name, the export's id) of everybody who takes part, in order of first appearance.

        Names come again where somebody takes part among others.
        """
        groups = self._db.execute(
            "SELECT min(ord) AS first, participants, NULL FROM conversations "
            "WHERE participants IS NOT NULL GROUP BY participants UNION ALL "
            "SELECT min(m.ord), NULL, m.name FROM messages m JOIN conversations c ON c.ord = m.ord "
            "WHERE c.participants IS NULL AND m.name IS NOT NULL AND m.role <> 'tool' "
            "GROUP BY m.name ORDER BY first, 2, 3"
        ).fetchall()
        for _, participants, name in groups:
            if participants is None:
                yield name, None
            else:
                for each in json.loads(participants):
                    yield each["name"], each.get("id")

    def participants_of(self, ids: Sequence[str]) -> dict[str, list[str]]:
        """Names of those who take part, by id, of those conversations that are stored."""
        wanted = pa.table({"id": pa.array(ids, pa.string())})
        rows = over(
            self._db,
            wanted,
            "SELECT c.id, c.participants FROM conversations c SEMI JOIN rows USING (id)",
        )
        return {id_: [each["name"] for each in json.loads(people or "[]")] for id_, people in rows}

    def list_conversations(self, where: Where, limit: int) -> list[dict[str, Any]]:
        """Newest import last; at most ``limit`` rows."""
        clauses, values = _conditions(where)
        rows = self._db.execute(
            "SELECT id, importer, title, messages, created_at, zoned, content_hash, missing_from "
            f"FROM conversations c WHERE {' AND '.join(clauses)} ORDER BY ord LIMIT ?",
            [*values, limit],
        ).fetchall()
        return [
            {
                "id": id_,
                "importer": importer,
                "title": title,
                "messages": messages,
                "created_at": _iso(created, zoned),
                "content_hash": content_hash,
                "missing_from": missing_from,
            }
            for id_, importer, title, messages, created, zoned, content_hash, missing_from in rows
        ]

    def get(self, prefix: str) -> Conversation:
        """The conversation whose id is, or alone begins with, ``prefix``.

        Raises:
            StoreError: none or several fit.
        """
        ord_, _ = self.find(prefix)
        with contextlib.closing(self.stream("ord = ?", [ord_])) as found:
            return next(found)[0]

    def find(self, prefix: str) -> tuple[int, str]:
        """Order number and id of the conversation whose id is, or alone begins with, ``prefix``.

        Raises:
            StoreError: none or several fit.
        """
        rows = self.fitting(prefix)
        if not rows:
            raise StoreError(
                f"{prefix}: no such conversation", "list them with 'turnmill conversations'"
            )
        if len(rows) > 1 and rows[0][1] != prefix:
            raise StoreError(f"{prefix}: fits several conversations", "give more of the id")
        return rows[0]

    def fitting(self, prefix: str) -> list[tuple[int, str]]:
        """Order number and id of at most two whose ids begin so, the very id first."""
        rows: list[tuple[int, str]] = self._db.execute(
            "SELECT ord, id FROM conversations WHERE starts_with(id, ?) "
            "ORDER BY id <> ?, id LIMIT 2",
            [prefix, prefix],
        ).fetchall()
        return rows

    def ids(self, where: Where) -> list[str]:
        """The ids of all conversations that fit, in order of first import."""
        clauses, values = _conditions(where)
        rows = self._db.execute(
            f"SELECT id FROM conversations c WHERE {' AND '.join(clauses)} ORDER BY ord", values
        ).fetchall()
        return [row[0] for row in rows]

    def stream(
        self, condition: str = "true", values: Sequence[Any] = ()
    ) -> Generator[tuple[Conversation, str, str], None, None]:
        """Every conversation with its content hash and source, in order of first import.

        Memory is bounded by one batch of rows and the longest conversation.
        """
        heads = self._cursor_rows(
            f"SELECT * FROM conversations WHERE {condition} ORDER BY ord",
            values,
        )
        bodies = self._cursor_rows(
            f"SELECT m.* FROM messages m WHERE {condition} ORDER BY ord, position",
            values,
        )
        with contextlib.closing(heads), contextlib.closing(bodies):
            message = next(bodies, None)
            for head in heads:
                messages = []
                while message is not None and message["ord"] == head["ord"]:
                    messages.append(message)
                    message = next(bodies, None)
                found = columns.conversation_from(head, messages)
                yield found, head["content_hash"], head["source"]

    def select_ords(
        self,
        importers: Sequence[str],
        people: Sequence[str],
        since: datetime | None,
        until: datetime | None,
    ) -> list[int]:
        """Order numbers of the conversations that fit all conditions given."""
        clauses = ["true"]
        values: list[Any] = []
        if importers:
            clauses.append("importer IN (SELECT unnest(?))")
            values.append(list(importers))
        if people:
            clauses.append(f"({' OR '.join(['contains(participants, ?)'] * len(people))})")
            values += [_participant_text(name) for name in people]
        for time, comparison in ((since, ">="), (until, "<")):
            if time is not None:
                clauses.append(f"created_at {comparison} ?")
                values.append(naive_utc(time))
        rows = self._db.execute(
            f"SELECT ord FROM conversations WHERE {' AND '.join(clauses)} ORDER BY ord",
            values,
        ).fetchall()
        return [row[0] for row in rows]

    def stream_ords(self, ords: Sequence[int]) -> Iterator[tuple[Conversation, str, str]]:
        """:meth:`stream` for the given order numbers."""
        return self.stream("ord IN (SELECT unnest(?))", [list(ords)])

    def _cursor_rows(
        self, query: str, values: Sequence[Any]
    ) -> Generator[dict[str, Any], None, None]:
        # a cursor of its own: an open result owns its connection until it is drained. Closed at
        # once: while one lives, the file can be neither closed nor opened again
        with contextlib.closing(self._db.cursor()) as cursor:
            for batch in cursor.sql(query, params=list(values)).to_arrow_reader(4096):
                yield from batch.to_pylist()

    def _row(self, query: str, *values: Any) -> tuple[Any, ...] | None:
        # fetchall, not fetchone: a result that is not drained keeps the connection busy
        rows: list[tuple[Any, ...]] = self._db.execute(query, list(values)).fetchall()
        return rows[0] if rows else None


def _conditions(where: Where) -> tuple[list[str], list[Any]]:
    clauses = ["true"]
    values: list[Any] = []
    if where.importer:
        clauses.append("importer = ?")
        values.append(where.importer)
    if where.participant:
        clauses.append("contains(participants, ?)")
        values.append(_participant_text(where.participant))
    if where.search:
        clauses.append(
            "(contains(lower(title), lower(?)) OR EXISTS (SELECT 1 FROM messages m "
            "WHERE m.ord = c.ord AND contains(lower(m.content), lower(?))))"
        )
        values += [where.search, where.search]
    return clauses, values


def _participant_text(name: str) -> str:
    """How a participant's name stands in the JSON column."""
    return f'"name":{json.dumps(name, ensure_ascii=False)}'


def _literal(text: str) -> str:
    """A text inside a statement that takes its rows from Arrow and so no parameters."""
    return "'" + text.replace("'", "''") + "'"


def _iso(time: datetime | None, zoned: bool | None) -> str | None:
    if time is None:
        return None
    return (time.replace(tzinfo=UTC) if zoned else time).isoformat()


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def _mendable(path: Path, error: duckdb.Error) -> StoreError | None:
    """The error for trouble with the file or the disk; None for anything else, a bug of ours.

    DuckDB says by its text, not by its type, what became of a file.
    """
    detail = str(error).splitlines()[0]
    if "set lock on file" in detail:
        return StoreError(
            f"{path}: another process has the store open",
            "wait for it to end, or stop it; one process may use the store at a time",
        )
    if any(sign in detail for sign in _DAMAGED):
        return StoreError(
            f"{path}: cannot be read: {detail}",
            "it is damaged or no store; move it away and import again",
        )
    if isinstance(error, _DISK_FAULTS) or "Failed to commit" in detail:
        return StoreError(
            f"{path}: cannot be written: {detail}",
            "nothing of this command was stored; free disk space and run it again",
        )
    return None


@contextlib.contextmanager
def open_store(path: Path) -> Iterator[Store]:
    """Open the store, making it on first use, and close it at the end.

    Raises:
        StoreError: another process has it open, it is not a store, a newer turnmill made it, or,
            while it is open, the disk is full or the file turns out to be damaged.
    """
    make_folder(path.parent)
    try:
        connection = duckdb.connect(str(path), config=_CONFIG)
        try:
            store = Store(connection, path)
            _prepare(connection, store)
            yield store
        finally:
            connection.close()
    except duckdb.Error as error:
        mendable = _mendable(path, error)
        if mendable is None:
            raise
        raise mendable from None
    except RuntimeError as error:
        if str(error) == _INTERRUPTED:  # how DuckDB passes Ctrl-C on
            raise KeyboardInterrupt from None
        raise


def _prepare(connection: duckdb.DuckDBPyConnection, store: Store) -> None:
    tables = connection.execute(
        "SELECT 1 FROM duckdb_tables() WHERE table_name = 'schema_version'"
    ).fetchall()
    if not tables:
        with store.transaction():
            connection.execute(files("ingest").joinpath("store.sql").read_text("utf-8"))
        store.path.chmod(0o600)
        return
    ((version,),) = connection.execute("SELECT max(version) FROM schema_version").fetchall()
    if version != SCHEMA_VERSION:
        raise StoreError(
            f"{store.path}: has schema version {version}, this turnmill knows {SCHEMA_VERSION}",
            "use that one or a newer one; or move it away and import again: "
            "the exports are kept in 'raw'",
        )


def rewrite_store(path: Path) -> None:
    """Copy a closed store into a new file that takes its place.

    DuckDB leaves the bytes of deleted rows where they were; nothing of them is in the new file.

    Raises:
        StoreError: the disk cannot hold both for a moment, or the store is in use or damaged.
    """
    fresh = path.with_name(f".{path.name}.new")
    _remove(fresh)
    try:
        with open_store(fresh) as store:
            store.copy_from(path)
        fresh.replace(path)
    finally:
        _remove(fresh)
    # what the log holds was copied with the rest; the folder is left where a process was ended
    path.with_name(f"{path.name}.wal").unlink(missing_ok=True)
    shutil.rmtree(path.with_name(f"{path.name}.tmp"), ignore_errors=True)


def _remove(path: Path) -> None:
    for file in (path, path.with_name(f"{path.name}.wal")):
        file.unlink(missing_ok=True)
