"""Records put in order on disk: for exports whose conversations lie scattered over their files.

The spool is a private temporary database of SQLite: it is unlinked as soon as it is open, so that
nothing of it remains, and it goes to disk only once it outgrows its cache.
"""

import sqlite3
from collections.abc import Iterator
from types import TracebackType

_CACHE_KIB = 32_000
_TABLES = """
CREATE TABLE record (chat INTEGER, thread TEXT, key TEXT, rank TEXT, raw BLOB, UNIQUE (chat, key));
CREATE INDEX in_thread ON record (chat, thread, rank);
CREATE INDEX in_chat ON record (chat, rank);
"""


class Spool:
    """Raw records by chat and thread, each once; use it as a context manager."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("")
        self._db.executescript(
            f"PRAGMA cache_size = -{_CACHE_KIB}; PRAGMA journal_mode = OFF; {_TABLES}"
        )
        self._chats: dict[str, int] = {}

    def __enter__(self) -> "Spool":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._db.close()

    def add(self, chat: str, key: str, raw: bytes, *, thread: str = "", rank: str = "") -> bool:
        """Put a record in.

        Args:
            chat: the chat that it belongs to.
            key: its id in the chat; a second record of the same id is left out.
            raw: the record.
            thread: id of its thread; without one it stands alone.
            rank: sorts the records of a chat; those of equal rank keep their order of arrival.

        Returns:
            Whether it is new.
        """
        number = self._chats.setdefault(chat, len(self._chats))
        cursor = self._db.execute(
            "INSERT OR IGNORE INTO record VALUES (?, ?, ?, ?, ?)",
            (number, thread or f"alone {key}", key, rank, raw),
        )
        return cursor.rowcount > 0

    def chats(self) -> list[str]:
        """The chats in order of their first record."""
        return list(self._chats)

    def in_order(self, chat: str) -> Iterator[bytes]:
        """All records of a chat, whatever their thread."""
        query = "SELECT raw FROM record WHERE chat = ? ORDER BY rank, rowid"
        for (raw,) in self._db.execute(query, [self._chats[chat]]):
            yield raw

    def alone(self, chat: str) -> Iterator[bytes]:
        """Records of a chat that are the only one of their thread."""
        query = (
            "SELECT raw FROM record AS one WHERE chat = ? AND NOT EXISTS (SELECT 1 FROM record"
            " WHERE chat = one.chat AND thread = one.thread AND key <> one.key)"
            " ORDER BY rank, rowid"
        )
        for (raw,) in self._db.execute(query, [self._chats[chat]]):
            yield raw

    def threads(self, chat: str) -> Iterator[str]:
        """Threads of two records or more, by their first."""
        query = (
            "SELECT thread FROM record WHERE chat = ? GROUP BY thread HAVING count(*) > 1"
            " ORDER BY min(rank), min(rowid)"
        )
        for (thread,) in self._db.execute(query, [self._chats[chat]]):
            yield thread

    def thread(self, chat: str, thread: str) -> Iterator[bytes]:
        """Records of one thread."""
        query = "SELECT raw FROM record WHERE chat = ? AND thread = ? ORDER BY rank, rowid"
        for (raw,) in self._db.execute(query, [self._chats[chat], thread]):
            yield raw
