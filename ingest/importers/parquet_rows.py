"""Rows of a parquet file as the JSON objects they were before a table fixed their types.

A table's structs have every field that any row uses, null where a row does not: a null inside a
struct says nothing and is left out, so that tool arguments of another row do not appear in this.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, BinaryIO

from ingest.archive import Member
from ingest.errors import ExportError

_MAGIC = b"PAR1"
_BATCH_ROWS = 256


def is_parquet(member: Member) -> bool:
    """Whether the file is parquet."""
    return member.head().startswith(_MAGIC)


def first(member: Member) -> dict[str, Any]:
    """The first row; empty if there is none or the file is damaged."""
    try:
        return next(rows(member, batch_rows=1), {})
    except ExportError:
        return {}


def columns(member: Member) -> tuple[str, ...]:
    """The names of the columns.

    Raises:
        ExportError: the file is damaged or cut off.
    """
    import pyarrow as pa
    from pyarrow import parquet

    with _seekable(member) as file:
        try:
            return tuple(parquet.ParquetFile(file, pre_buffer=False).schema_arrow.names)
        except (pa.ArrowException, OSError) as error:
            raise _damaged(member, error) from None


def rows(member: Member, *, batch_rows: int = _BATCH_ROWS) -> Iterator[dict[str, Any]]:
    """Every row, read in batches.

    Raises:
        ExportError: the file is damaged or cut off.
    """
    import pyarrow as pa
    from pyarrow import parquet

    with _seekable(member) as file:
        try:
            table = parquet.ParquetFile(file, pre_buffer=False)
            for batch in table.iter_batches(batch_rows, use_threads=False):
                for row in batch.to_pylist():
                    yield _plain(row)
        except (pa.ArrowException, OSError) as error:
            raise _damaged(member, error) from None


def _damaged(member: Member, error: Exception) -> ExportError:
    return ExportError(
        f"{member.name}: damaged parquet file ({type(error).__name__})", "download it again"
    )


@contextlib.contextmanager
def _seekable(member: Member) -> Iterator[BinaryIO]:
    """The member as a file that can be read backwards: the directory of a parquet is its end."""
    with member.open() as file:
        if file.seekable():
            yield file
            return
        with tempfile.TemporaryFile() as copy:  # has no name that others could open
            shutil.copyfileobj(file, copy)
            copy.seek(0)
            yield copy


def _plain(value: Any) -> Any:
    """A value as JSON has it: no nulls in objects, no bytes, times as ISO text."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items() if _says(each)}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return str(value)


def _says(value: Any) -> bool:
    # bytes are a file's, and files are kept as references only
    return value is not None and not isinstance(value, bytes)
