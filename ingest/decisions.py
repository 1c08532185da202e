"""What the user decided by hand about conversations: a journal that is only ever added to.

Each command is one numbered decision about any number of conversations. It holds until another
about the same conversation follows, or until it is undone, which is a decision of its own. The SQL
of the store's table ``decisions`` stands here.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

import pyarrow as pa

from ingest.connection import Connection, over
from ingest.errors import StoreError
from ingest.times import naive_utc

Action = Literal["exclude", "include", "tag", "untag"]
WHO = "local"
"""The author of every decision: a workspace has one user so far."""

# the last of a conversation's live decisions on a matter; $live is a list of numbers
_EXCLUDED = """
    SELECT conversation FROM decisions
    WHERE number IN (SELECT unnest(?::BIGINT[])) AND action IN ('exclude', 'include')
    GROUP BY conversation HAVING arg_max(action, number) = 'exclude'
"""
_TAGGED = """
    SELECT conversation, tag FROM decisions
    WHERE number IN (SELECT unnest(?::BIGINT[])) AND action IN ('tag', 'untag')
    GROUP BY conversation, tag HAVING arg_max(action, number) = 'tag'
"""


class Entry(NamedTuple):
    """One line of the journal.

    Attributes:
        number: of the decision; the entries of one command share it.
        time: when, UTC.
        who: decided.
        action: ``exclude``, ``include``, ``tag``, ``untag`` or ``undo``.
        conversation: id of the conversation decided about; None for ``undo``.
        tag: for ``tag`` and ``untag``.
        reason: as the user gave it.
        undoes: for ``undo``, the number of the decision that it takes back.
        undone: whether it holds no more.
    """

    number: int
    time: datetime
    who: str
    action: str
    conversation: str | None
    tag: str | None
    reason: str | None
    undoes: int | None
    undone: bool


class Marked(NamedTuple):
    """A stored conversation that a decision is about, and its order number."""

    ord: int
    id: str


class Decisions:
    """The journal of an open store."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    # -- writing ------------------------------------------------------------------------------

    def add(
        self,
        action: Action,
        ids: Sequence[str],
        *,
        tags: Sequence[str] = (),
        reason: str | None = None,
        now: datetime,
    ) -> int | None:
        """Record a decision about those conversations that it changes.

        Args:
            action: what to do.
            ids: of stored conversations.
            tags: for ``tag`` and ``untag``.
            reason: why.
            now: when.

        Returns:
            The decision's number; None if everything is so already.
        """
        pairs = self._changing(action, ids, tags)
        if not pairs:
            return None
        number = self._next()
        count = len(pairs)
        rows = pa.table(
            {
                "number": pa.array([number] * count, pa.int64()),
                "time": pa.array([naive_utc(now)] * count, pa.timestamp("us")),
                "who": pa.array([WHO] * count, pa.string()),
                "action": pa.array([action] * count, pa.string()),
                "conversation": pa.array([id_ for id_, _ in pairs], pa.string()),
                "tag": pa.array([tag for _, tag in pairs], pa.string()),
                "reason": pa.array([reason] * count, pa.string()),
                "undoes": pa.nulls(count, pa.int64()),
            }
        )
        over(self._db, rows, "INSERT INTO decisions SELECT * FROM rows")
        return number

    def changed(self, action: Action, ids: Sequence[str], tags: Sequence[str] = ()) -> list[str]:
        """Those of the conversations for which :meth:`add` would change something."""
        return list(dict.fromkeys(id_ for id_, _ in self._changing(action, ids, tags)))

    def undo(self, number: int | None, *, reason: str | None = None, now: datetime) -> int:
        """Take a decision back.

        Args:
            number: of the decision, an ``undo`` included; None takes back the last that holds and
                is no ``undo``.
            reason: why.
            now: when.

        Returns:
            The number of what was taken back.

        Raises:
            StoreError: there is no such decision, or it is undone already.
        """
        live = self._live()
        if number is None:
            found = self._db.execute(
                "SELECT max(number) FROM decisions WHERE action <> 'undo' "
                "AND number IN (SELECT unnest(?::BIGINT[]))",
                [live],
            ).fetchall()
            number = found[0][0]
            if number is None:
                raise StoreError("nothing to undo", "list with 'turnmill decisions'")
        elif number not in live:
            known = self._db.execute(
                "SELECT 1 FROM decisions WHERE number = ? LIMIT 1", [number]
            ).fetchall()
            raise StoreError(
                f"decision {number}: {'is undone already' if known else 'there is none'}",
                "list with 'turnmill decisions'",
            )
        self._db.execute(
            "INSERT INTO decisions VALUES (?, ?, ?, 'undo', NULL, NULL, ?, ?)",
            [self._next(), naive_utc(now), WHO, reason, number],
        )
        return int(number)

    # -- reading ------------------------------------------------------------------------------

    def entries(self) -> list[Entry]:
        """The whole journal, oldest first."""
        live = set(self._live())
        rows = self._db.execute(
            "SELECT number, time, who, action, conversation, tag, reason, undoes FROM decisions "
            "ORDER BY number, conversation, tag"
        ).fetchall()
        return [Entry._make((*row, row[0] not in live)) for row in rows]

    def excluded(self) -> list[Marked]:
        """The stored conversations that are excluded, in order of first import."""
        rows = self._db.execute(
            f"SELECT c.ord, c.id FROM conversations c JOIN ({_EXCLUDED}) d "  # noqa: S608 - ours
            "ON c.id = d.conversation ORDER BY c.ord",
            [self._live()],
        ).fetchall()
        return [Marked(*row) for row in rows]

    def tagged(self, tags: Sequence[str]) -> list[tuple[Marked, str]]:
        """The stored conversations with any of these tags, in order of first import."""
        rows = self._db.execute(
            f"SELECT c.ord, c.id, d.tag FROM conversations c JOIN ({_TAGGED}) d "  # noqa: S608
            "ON c.id = d.conversation WHERE d.tag IN (SELECT unnest(?::VARCHAR[])) "
            "ORDER BY c.ord, d.tag",
            [self._live(), list(tags)],
        ).fetchall()
        return [(Marked(ord_, id_), tag) for ord_, id_, tag in rows]

    def marks(self, ids: Sequence[str]) -> dict[str, tuple[bool, list[str]]]:
        """Whether each of these conversations is excluded, and its tags; only of those marked."""
        live = self._live()
        found: dict[str, tuple[bool, list[str]]] = {}
        if not live:
            return found
        within = " WHERE conversation IN (SELECT unnest(?::VARCHAR[]))"
        for (id_,) in self._db.execute(
            f"SELECT conversation FROM ({_EXCLUDED}){within}",  # noqa: S608
            [live, list(ids)],
        ).fetchall():
            found[id_] = (True, [])
        for id_, tag in self._db.execute(
            f"SELECT conversation, tag FROM ({_TAGGED}){within} ORDER BY tag",  # noqa: S608
            [live, list(ids)],
        ).fetchall():
            found.setdefault(id_, (False, []))[1].append(tag)
        return found

    def _changing(
        self, action: Action, ids: Sequence[str], tags: Sequence[str]
    ) -> list[tuple[str, str | None]]:
        marks = self.marks(ids)
        none: tuple[bool, list[str]] = (False, [])
        unique = dict.fromkeys(ids)
        if action in ("exclude", "include"):
            wanted = action == "exclude"
            return [(id_, None) for id_ in unique if marks.get(id_, none)[0] != wanted]
        return [
            (id_, tag)
            for id_ in unique
            for tag in dict.fromkeys(tags)
            if (tag in marks.get(id_, none)[1]) != (action == "tag")
        ]

    def _live(self) -> list[int]:
        """Numbers of the decisions that hold, newest first: an undone undo undoes nothing."""
        rows = self._db.execute(
            "SELECT number, max(undoes) FROM decisions GROUP BY number ORDER BY number DESC"
        ).fetchall()
        live: list[int] = []
        undone: set[int] = set()
        for number, undoes in rows:
            if number not in undone:
                live.append(number)
                if undoes is not None:
                    undone.add(undoes)
        return live

    def _next(self) -> int:
        ((last,),) = self._db.execute("SELECT coalesce(max(number), 0) FROM decisions").fetchall()
        return int(last) + 1
