"""What comes out of the tables of the store: the half of :class:`ingest.store.Store` that reads."""

import contextlib
import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from ingest import columns
from ingest.connection import Connection, over
from ingest.errors import StoreError
from ingest.message import Conversation
from ingest.times import naive_utc


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


class Reading:
    """Reads rows.

    Args:
        connection: open.
    """

    def __init__(self, connection: Connection) -> None:
        self._db = connection

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


def _iso(time: datetime | None, zoned: bool | None) -> str | None:
    if time is None:
        return None
    return (time.replace(tzinfo=UTC) if zoned else time).isoformat()
