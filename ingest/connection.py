"""What the modules that hold SQL ask of DuckDB's connection; only ``ingest/store.py`` opens one."""

from typing import Any, Protocol

import pyarrow as pa


class Connection(Protocol):
    """What is asked of a database connection."""

    def execute(self, query: str, parameters: Any = ..., /) -> Any:
        """Run a statement."""
        ...

    def sql(self, query: str, /) -> Any:
        """A query whose rows can be read in Arrow batches."""
        ...

    def cursor(self) -> Any:
        """A connection to the same database that may read beside this one."""
        ...


def over(connection: Connection, rows: pa.Table, query: str) -> list[tuple[Any, ...]]:  # noqa: ARG001
    """Run a statement that reads ``rows`` by that name.

    DuckDB finds the table among Python's local names. Registered as a view it would be kept alive
    until the transaction ends, and with it every batch of an import.

    Args:
        connection: open.
        rows: what the statement reads.
        query: the statement.

    Returns:
        Its rows.
    """
    found: list[tuple[Any, ...]] = connection.execute(query).fetchall()
    return found
