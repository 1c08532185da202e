"""The conversations of a workspace in DuckDB. The only module that opens it.

All SQL stands here, in :mod:`ingest.landing` and :mod:`ingest.reading`, and, for the tables and
questions that are theirs alone, in :mod:`ingest.decisions`, :mod:`ingest.forgotten` and
:mod:`ingest.erasure`.

One process may write at a time (DuckDB's rule). Each import is one transaction: it lands whole or
not at all.
"""

import contextlib
import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import duckdb

from ingest.decisions import Decisions
from ingest.erasure import Erasure
from ingest.errors import StoreError
from ingest.forgotten import Forgotten
from ingest.landing import LANDING_MEMORY, MEMORY, Known, Landing, SourceRecord
from ingest.reading import Reading, Where
from ingest.workspace import make_folder

__all__ = [
    "SCHEMA_VERSION", "Known", "SourceRecord", "Store", "Where", "open_store", "rewrite_store"
]  # fmt: skip

SCHEMA_VERSION = 2
_CONFIG = {
    # nothing is fetched behind the user's back
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    # full row groups go to disk while an import is still running
    "write_buffer_row_group_memory_limit": "10MB",
    "memory_limit": f"{MEMORY}MiB",
}
_DISK_FAULTS = (duckdb.IOException, duckdb.OutOfMemoryException, duckdb.FatalException)
# "Extension": the file is of another database, which DuckDB would fetch a reader for
_DAMAGED = ("Corrupt database", "not a valid DuckDB", "Could not read", "Is a directory",
            "Extension ")  # fmt: skip

_INTERRUPTED = "Query interrupted"


class Store(Landing, Reading):
    """An open store. Use :func:`open_store`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        Landing.__init__(self, connection)
        Reading.__init__(self, connection)
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
        self._limit_memory(LANDING_MEMORY)
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
                self._limit_memory(MEMORY)


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
