"""Takes conversations out of the store for good: rows, what refers to them, and the file's bytes.

Deleting rows leaves their bytes in a database file. So what stays is copied into a new file, which
takes the old one's place. The SQL of it stands here and not in ``ingest/store.py``, as no other
command needs it.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ingest.connection import Connection, over
from ingest.forgotten import OF_CONVERSATION, OF_MESSAGE, plain

_BATCH = 4096
_OF_SOURCES = ("source", "seen", "missing_from")
"""Columns of a conversation that name an export by its hash."""


@dataclass(frozen=True)
class Stored:
    """A conversation to erase.

    Attributes:
        ord: its order number.
        id: its id.
        content_hash: of its content.
        messages: how many it has.
        sources: sha256 of exports that are known to have held it.
    """

    ord: int
    id: str
    content_hash: str
    messages: int
    sources: tuple[str, ...]


class Erasure:
    """What erasing asks of an open store."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    # -- finding ------------------------------------------------------------------------------

    def stored(self, ords: Iterable[int]) -> list[Stored]:
        """The conversations with these order numbers, in their order."""
        rows = over(
            self._db,
            pa.table({"ord": pa.array(sorted(set(ords)), pa.int64())}),
            "SELECT c.ord, c.id, c.content_hash, c.messages, c.source, c.seen FROM conversations c "
            "SEMI JOIN rows USING (ord) ORDER BY c.ord",
        )
        return [
            Stored(ord_, id_, hash_, messages, tuple(dict.fromkeys((source, seen))))
            for ord_, id_, hash_, messages, source, seen in rows
        ]

    def ords_of_people(self, names: Iterable[str]) -> tuple[list[int], set[str]]:
        """Conversations in which somebody takes part, and the ids that exports give them.

        Args:
            names: the names and ids that they are known under; case does not matter.
        """
        wanted = {plain(name) for name in names}
        ords: set[int] = set()
        ids: set[str] = set()
        groups = self._db.execute(
            "SELECT participants, list(ord) FROM conversations WHERE participants IS NOT NULL "
            "GROUP BY participants"
        ).fetchall()
        for participants, held in groups:
            for person in json.loads(participants):
                known = [person["name"], *([person["id"]] if person.get("id") else [])]
                if wanted.intersection(map(plain, known)):
                    ords.update(held)
                    ids.update(known[1:])
        spoken = self._db.execute(
            "SELECT name, list(DISTINCT ord) FROM messages "
            "WHERE name IS NOT NULL AND role <> 'tool' GROUP BY name"
        ).fetchall()
        for name, held in spoken:
            if plain(name) in wanted:
                ords.update(held)
        return sorted(ords), ids

    def ords_with_text(self, text_forms: Sequence[str]) -> list[int]:
        """Conversations that hold a text in any of its forms, anywhere."""
        ords: set[int] = set()
        for table, names in (("messages", OF_MESSAGE), ("conversations", OF_CONVERSATION)):
            query = f"SELECT ord, {', '.join(names)} FROM {table}"  # noqa: S608 - our own names
            for batch in self._db.sql(query).to_arrow_reader(_BATCH):
                held = batch.column(0).to_pylist()
                for column in batch.columns[1:]:
                    for ord_, text in zip(held, column.to_pylist(), strict=True):
                        if text and ord_ not in ords and holds(text, text_forms):
                            ords.add(ord_)
        return sorted(ords)

    def sources(self) -> dict[str, tuple[str, str, str]]:
        """Importer, options and path of every import by the export's sha256."""
        rows = self._db.execute("SELECT sha256, importer, options, path FROM sources").fetchall()
        return {sha256: (importer, options, path) for sha256, importer, options, path in rows}

    # -- erasing ------------------------------------------------------------------------------

    def erase(
        self,
        conversations: Sequence[Stored],
        *,
        sources: Iterable[str],
        renamed: Mapping[str, str],
        tells: Callable[[str], bool],
    ) -> dict[str, int]:
        """Delete conversations and whatever tells of them; call inside a transaction.

        Args:
            conversations: to erase.
            sources: sha256 of exports whose imports are to be unknown from now on.
            renamed: new sha256 by old one, of exports that are kept without the erased ones.
            tells: whether a path, reason or tag tells of what is erased.

        Returns:
            Rows deleted, by table.
        """
        gone = pa.table(
            {
                "ord": pa.array([each.ord for each in conversations], pa.int64()),
                "id": pa.array([each.id for each in conversations], pa.string()),
            }
        )
        counts = {
            table: self._count(
                gone,
                f"DELETE FROM {table} WHERE {key} IN (SELECT {of} FROM rows)",  # noqa: S608
            )
            for table, key, of in (
                ("messages", "ord", "ord"),
                ("conversations", "ord", "ord"),
                ("decisions", "conversation", "id"),
            )
        }
        known = pa.table({"sha256": pa.array(sorted(set(sources)), pa.string())})
        counts["sources"] = self._count(
            known, "DELETE FROM sources WHERE sha256 IN (SELECT sha256 FROM rows)"
        )
        counts["rejects"] = self._count(
            known, "DELETE FROM rejects WHERE source IN (SELECT sha256 FROM rows)"
        )
        counts["rejects"] += self._delete_where(
            "rejects", ("path", "place", "reason", "hint"), tells
        )
        counts["sources"] += self._delete_where("sources", ("path", "options"), tells)
        counts["decisions"] += self._delete_where("decisions", ("tag",), tells)
        self._blank_reasons(tells)
        for old, new in renamed.items():
            for column in _OF_SOURCES:
                self._db.execute(
                    f"UPDATE conversations SET {column} = ? WHERE {column} = ?",  # noqa: S608
                    [new, old],
                )
        return counts

    def _delete_where(self, table: str, names: Sequence[str], tells: Callable[[str], bool]) -> int:
        found = [
            values
            for values in self._distinct(table, names)
            if any(text and tells(text) for text in values)
        ]
        same = " AND ".join(f"{name} IS NOT DISTINCT FROM ?" for name in names)
        count = 0
        for values in found:
            ((deleted,),) = self._db.execute(
                f"DELETE FROM {table} WHERE {same}",  # noqa: S608
                list(values),
            ).fetchall()
            count += deleted
        return count

    def _blank_reasons(self, tells: Callable[[str], bool]) -> None:
        for (reason,) in self._distinct("decisions", ("reason",)):
            if reason and tells(reason):
                self._db.execute("UPDATE decisions SET reason = NULL WHERE reason = ?", [reason])

    def _distinct(self, table: str, names: Sequence[str]) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = self._db.execute(
            f"SELECT DISTINCT {', '.join(names)} FROM {table}"  # noqa: S608
        ).fetchall()
        return found

    def _count(self, rows: pa.Table, query: str) -> int:
        ((count,),) = over(self._db, rows, query)
        return int(count)


def holds(text: str, text_forms: Sequence[str]) -> bool:
    """Whether a text holds another in any of its forms; see :func:`ingest.forgotten.forms`."""
    if not text_forms:
        return False
    whole = plain(text)
    return any(form in whole for form in text_forms)


def names_word(text: str, word_forms: Sequence[str]) -> bool:
    """:func:`holds`, where the other must not be a part of a longer word."""
    return holds(text, word_forms) and any(
        re.search(rf"(?<!\w){re.escape(form)}(?!\w)", plain(text)) for form in word_forms
    )
