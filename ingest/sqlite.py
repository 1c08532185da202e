"""SQLite databases inside exports, opened read-only on a copy: the original is never touched."""

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ingest.archive import SQLITE_MAGIC, Export, Member
from ingest.errors import ExportError

FAULTS = (sqlite3.DatabaseError, UnicodeDecodeError)
"""What reading a damaged database raises; the second where SQLite's own message quotes bytes."""


def fault(error: Exception) -> str:
    """What is wrong with a database, without quoting its content."""
    return str(error) if isinstance(error, sqlite3.DatabaseError) else "the schema is damaged"


def is_sqlite(member: Member) -> bool:
    """Whether a member is a SQLite database."""
    return member.head().startswith(SQLITE_MAGIC)


def logs_of(member: Member, export: Export) -> tuple[Member, ...]:
    """The write-ahead log beside a database, without which its latest rows are missing."""
    return tuple(each for each in export.members if each.name == f"{member.name}-wal")


@contextlib.contextmanager
def open_sqlite(member: Member, beside: Sequence[Member] = ()) -> Iterator[sqlite3.Connection]:
    """A read-only connection to a copy of the member.

    Args:
        member: the database.
        beside: its log, see :func:`logs_of`.

    Raises:
        ExportError: it is damaged, encrypted or no database.
    """
    with tempfile.TemporaryDirectory(prefix="turnmill-") as folder:
        for each in (member, *beside):
            with each.open() as source, (Path(folder) / each.base).open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
        # not immutable: a write-ahead log beside the copy has to be read
        connection = sqlite3.connect(Path(folder) / member.base)
        try:
            connection.execute("PRAGMA query_only = 1")
            connection.row_factory = sqlite3.Row
            connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
            yield connection
        except FAULTS as error:
            raise ExportError(
                f"{member.name}: {fault(error)}",
                "the database is damaged or encrypted; export it again",
            ) from None
        finally:
            connection.close()


def has_table(connection: sqlite3.Connection, name: str) -> bool:
    """Whether the database has a table or view of this name."""
    query = "SELECT 1 FROM sqlite_master WHERE type IN ('table', 'view') AND name = ?"
    return connection.execute(query, [name]).fetchone() is not None


def rows(
    connection: sqlite3.Connection, query: str, values: Sequence[Any] = ()
) -> Iterator[dict[str, Any]]:
    """The rows of a query as dicts, streamed."""
    for row in connection.execute(query, values):
        yield dict(row)
