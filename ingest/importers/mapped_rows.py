"""The rows of any table: CSV, JSON lines, a JSON array, parquet, SQLite. One shape: name to value.

Nothing is held but a row, and the first rows of a JSON file, which alone tell its columns.
"""

import csv
import io
import itertools
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ingest.archive import Member
from ingest.errors import ExportError, UserError
from ingest.importers.base import Reject
from ingest.importers.mapping import is_name
from ingest.importers.parquet_rows import columns as parquet_columns
from ingest.importers.parquet_rows import is_parquet
from ingest.importers.training import records
from ingest.shape import peek
from ingest.sqlite import FAULTS, fault, is_sqlite, open_sqlite
from ingest.text import encoding_of

Placed = tuple[str, dict[str, Any]]
"""Where a row stands, and its values by column."""

_LARGEST_CELL = 64 << 20
_DELIMITERS = ",;\t|"
_READS = {
    sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE,
}  # fmt: skip


@dataclass(frozen=True)
class Table:
    """A table in a file.

    Attributes:
        columns: its columns, as far as they are known.
        rows: its rows with their places, and what is no row.
        dotted: whether values are objects that ``a.b`` may look into.
    """

    columns: tuple[str, ...]
    rows: Iterator[Placed | Reject]
    dotted: bool = False


def is_table(member: Member) -> bool:
    """Whether a file may be read as a table."""
    if is_parquet(member) or is_sqlite(member):
        return True
    look = peek(member)
    if look.kind in ("array", "lines", "object"):
        return True
    return look.kind == "text" and _delimiter(look.text) is not None


def tables(
    member: Member,
    query: str | None,
    wanted: Sequence[str],
    looked_at: int,
    beside: Sequence[Member] = (),
) -> Iterator[Table]:
    """The one table of a file, usable until the next is asked for.

    Args:
        member: the file.
        query: for SQLite: a query or the name of a table.
        wanted: columns that tell the table of a database where no query is given.
        looked_at: rows of a JSON file that tell its columns.
        beside: the log of a database.

    Raises:
        UserError: the query fails, or none is given and it is not clear which table is meant.
        ExportError: the file is damaged.
    """
    if is_sqlite(member):
        yield from _database(member, query, wanted, beside)
    elif query is not None:
        raise UserError(f"--query: {member.name} is no SQLite database", "leave --query out")
    elif is_parquet(member):
        yield Table(parquet_columns(member), records(member), dotted=True)
    elif peek(member).kind in ("array", "lines", "object"):
        rows = records(member)
        first = list(itertools.islice(rows, looked_at))
        names = dict.fromkeys(
            key for found in first if not isinstance(found, Reject) for key in found[1]
        )
        yield Table(tuple(names), itertools.chain(first, rows), dotted=True)
    else:
        yield from _csv(member)


def lookup(values: dict[str, Any], column: str) -> Any:
    """The value of a column; ``a.b`` looks into the object in ``a`` if no column is called so."""
    if column in values or "." not in column:
        return values.get(column)
    found: Any = values
    for key in column.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found


def column_names(member: Member, beside: Sequence[Member] = ()) -> tuple[str, ...]:
    """The columns of a file that is a table, as its beginning shows them; a database's tables.

    Args:
        member: the file.
        beside: the log of a database.
    """
    if is_sqlite(member):
        with open_sqlite(member, beside) as database:
            return tuple(
                f"{table}: {', '.join(_columns(database, table))}" for table in _tables(database)
            )
    return next(tables(member, None, (), 20)).columns


def _delimiter(text: str) -> str | None:
    """What parts the cells of a header; None if the first line is none."""
    line = text.lstrip("\r\n").split("\n", 1)[0]
    best = max(_DELIMITERS, key=line.count)
    return best if best in line else None


def _csv(member: Member) -> Iterator[Table]:
    # the module's own limit of 128 KiB is less than a pasted document
    csv.field_size_limit(max(csv.field_size_limit(), _LARGEST_CELL))
    delimiter = _delimiter(peek(member).text) or ","
    encoding = encoding_of(member.head())
    with (
        member.open() as file,
        io.TextIOWrapper(file, encoding, errors="replace", newline="") as text,
    ):
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        try:
            header = next((cells for cells in reader if cells), [])
        except csv.Error:
            raise ExportError(f"{member.name}: the first line is damaged", "mend it") from None
        names = tuple(cell.strip() for cell in header)
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            called = f"are called {twice!r}" if is_name(twice) else "have one name"
            raise ExportError(f"{member.name}: two columns {called}", "rename one")
        yield Table(names, _csv_rows(member, names, reader))


def _csv_rows(member: Member, names: tuple[str, ...], reader: Any) -> Iterator[Placed | Reject]:
    while True:
        where = f"{member.name}: line {reader.line_num + 1}"
        try:
            cells = next(reader, None)
        except csv.Error:
            yield Reject(where, "the row is damaged", "mend or delete it")
            continue
        if cells is None:
            return
        if len(cells) == len(names):
            yield where, dict(zip(names, cells, strict=True))
        elif cells:
            yield Reject(
                where, f"{len(cells)} cells instead of {len(names)}", "quote cells with line ends"
            )


def _database(
    member: Member, query: str | None, wanted: Sequence[str], beside: Sequence[Member]
) -> Iterator[Table]:
    with open_sqlite(member, beside) as database:
        names = _tables(database)
        if query is None:
            query = _table_with(database, names, wanted, member)
        if query in names:
            query = f"SELECT * FROM {_quoted(query)}"  # noqa: S608 - quoted, and reads only
        database.set_authorizer(_only_reads)
        try:
            cursor = database.execute(query)
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise UserError(
                f"--query: {member.name}: {error}", f"its tables: {', '.join(names) or 'none'}"
            ) from None
        if cursor.description is None:
            raise UserError("--query: it gives no rows", "write a SELECT")
        columns = tuple(each[0] for each in cursor.description)
        yield Table(columns, _database_rows(member, columns, cursor))


def _only_reads(action: int, *_: object) -> int:
    return sqlite3.SQLITE_OK if action in _READS else sqlite3.SQLITE_DENY


def _database_rows(
    member: Member, columns: tuple[str, ...], cursor: sqlite3.Cursor
) -> Iterator[Placed | Reject]:
    number = 0
    try:
        for number, row in enumerate(cursor, 1):
            values = (
                value.decode("utf-8", "replace") if isinstance(value, bytes) else value
                for value in row
            )
            yield f"{member.name}: row {number}", dict(zip(columns, values, strict=True))
    except FAULTS as error:
        yield Reject(f"{member.name}: row {number + 1}", fault(error), "copy the database again")


def _table_with(
    database: sqlite3.Connection, names: Sequence[str], wanted: Sequence[str], member: Member
) -> str:
    """The one table that has all wanted columns."""
    fitting = [name for name in names if set(wanted) <= set(_columns(database, name))]
    if len(fitting) != 1:
        how_many = "several tables have" if fitting else "no table has"
        listed = "; ".join(f"{name} ({', '.join(_columns(database, name))})" for name in names[:12])
        raise UserError(
            f"{member.name}: {how_many} the columns {', '.join(wanted)}",
            f"pass --query 'SELECT ...' or --query TABLE; its tables: {listed or 'none'}",
        )
    return fitting[0]


def _tables(database: sqlite3.Connection) -> list[str]:
    query = (
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
        " AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY name"
    )
    return [row[0] for row in database.execute(query)]


def _columns(database: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in database.execute(f"PRAGMA table_info({_quoted(table)})")]


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
