"""Which mails belong together: by ``References`` and ``In-Reply-To``, else by subject.

The index lies in a private temporary database; of a mail it holds its place and its ids.
"""

import re
import sqlite3
from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_TABLES = """
CREATE TABLE mail (n INTEGER PRIMARY KEY, source INTEGER, start INTEGER, size INTEGER,
                   node INTEGER UNIQUE, sent REAL, subject TEXT, lone INTEGER, root INTEGER);
CREATE TABLE node (id TEXT PRIMARY KEY, n INTEGER) WITHOUT ROWID;
CREATE INDEX by_subject ON mail (subject, sent);
"""
_PREFIX = re.compile(
    r"^\s*(?:\[[^\]]{1,40}\]\s*)?(?:(?:re|aw|antw|sv|vs|ref|res|rif|odp|ynt|fwd?|wg|tr|rv|i)"
    r"(?:\[\d+\])?\s?:\s*)+",
    re.IGNORECASE,
)
_NEAR_S = 30 * 24 * 3600.0


class Place(NamedTuple):
    """Where a mail lies."""

    source: int
    start: int
    size: int


class Threads:
    """An index of mails; add all of them, then :meth:`settle`, then read."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("")
        self._db.executescript(f"PRAGMA journal_mode = OFF; PRAGMA cache_size = -32000; {_TABLES}")
        self._above = array("q")  # union-find over message ids, also those of mails not here

    def close(self) -> None:
        """Let go of the index."""
        self._db.close()

    def add(
        self, place: Place, id_: str, references: Sequence[str], sent: float | None, subject: str
    ) -> bool:
        """Add a mail.

        Args:
            place: where it lies.
            id_: its message id, or something as unique.
            references: ids of mails that it answers to.
            sent: Unix seconds.
            subject: as written.

        Returns:
            Whether it is new; the same mail often lies in two folders.
        """
        node = self._node(id_)
        base = base_subject(subject)
        lone = not references and base != subject.strip().lower()
        cursor = self._db.execute(
            "INSERT OR IGNORE INTO mail (source, start, size, node, sent, subject, lone)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (*place, node, sent, base, lone),
        )
        for reference in references:
            self._join(node, self._node(reference))
        return cursor.rowcount > 0

    def settle(self) -> None:
        """Join replies that name no mail with the nearest earlier one of their subject."""
        lone = "SELECT n, node, sent, subject FROM mail WHERE lone AND subject <> '' AND sent > 0"
        before = (
            "SELECT node FROM mail WHERE subject = ? AND n <> ? AND sent <= ? AND sent >= ?"
            " ORDER BY sent DESC LIMIT 1"
        )
        for n, node, sent, subject in self._db.execute(lone):
            for (other,) in self._db.execute(before, (subject, n, sent, sent - _NEAR_S)):
                self._join(node, other)
        self._db.create_function("root", 1, self._root)
        self._db.execute("UPDATE mail SET root = root(node)")
        self._db.execute("CREATE INDEX by_root ON mail (root, sent)")

    def __iter__(self) -> Iterator[list[Place]]:
        """The threads by their first mail in the export, their mails by time."""
        roots = "SELECT root FROM mail GROUP BY root ORDER BY min(n)"
        mails = "SELECT source, start, size FROM mail WHERE root = ? ORDER BY sent IS NULL, sent, n"
        for (root,) in self._db.execute(roots):
            yield [Place(*row) for row in self._db.execute(mails, [root])]

    def _node(self, id_: str) -> int:
        found = self._db.execute("SELECT n FROM node WHERE id = ?", [id_]).fetchone()
        if found is not None:
            return int(found[0])
        self._above.append(len(self._above))
        self._db.execute("INSERT INTO node VALUES (?, ?)", (id_, len(self._above) - 1))
        return len(self._above) - 1

    def _root(self, node: int) -> int:
        above = self._above
        while above[node] != node:
            above[node] = above[above[node]]  # halve the way for the next one
            node = above[node]
        return node

    def _join(self, one: int, other: int) -> None:
        one, other = self._root(one), self._root(other)
        self._above[max(one, other)] = min(one, other)


def base_subject(subject: str) -> str:
    """A subject without ``Re:`` and its like, in lower case."""
    return _PREFIX.sub("", subject).strip().lower()
