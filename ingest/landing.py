"""What goes into the tables of the store: the half of :class:`ingest.store.Store` that imports use.

Rows go in as Arrow tables, never one by one.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from ingest.connection import Connection, over
from ingest.importers.base import Reject

MEMORY = 1024
"""MiB of DuckDB's own, while reading."""
LANDING_MEMORY = 80
"""MiB of DuckDB's own, while rows come in."""


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


class Landing:
    """Writes rows.

    Args:
        connection: open.
    """

    def __init__(self, connection: Connection) -> None:
        self._db = connection
        self._memory = MEMORY

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
        if (needed := LANDING_MEMORY + 4 * (rows.nbytes >> 20)) > self._memory:
            self._limit_memory(needed)
        over(self._db, rows, f"INSERT INTO {table} SELECT * FROM rows")

    def _row(self, query: str, *values: Any) -> tuple[Any, ...] | None:
        # fetchall, not fetchone: a result that is not drained keeps the connection busy
        rows: list[tuple[Any, ...]] = self._db.execute(query, list(values)).fetchall()
        return rows[0] if rows else None


def _literal(text: str) -> str:
    """A text inside a statement that takes its rows from Arrow and so no parameters."""
    return "'" + text.replace("'", "''") + "'"


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
