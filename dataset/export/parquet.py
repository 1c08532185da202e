"""Parquet: the version's rows, their messages as chat templates and TRL take them."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from dataset.export.base import FormatOptions, Record, Row
from dataset.export.chat import chat_message
from dataset.export.checks import require_tools
from dataset.rows import ROW_SCHEMA

_KEEP = frozenset({"name", "reasoning_content"})
_BATCH_ROWS = 1024
_AS_TEXT = "the type of tool arguments (some are no JSON object, so all are plain text)"


def _schema(used: frozenset[str], arguments: pa.DataType) -> pa.Schema:
    function = pa.struct([("name", pa.string()), ("arguments", arguments)])
    call = pa.struct([("id", pa.string()), ("type", pa.string()), ("function", function)])
    optional = {
        "name": ("name", pa.string()),
        "reasoning": ("reasoning_content", pa.string()),
        "tool_calls": ("tool_calls", pa.list_(call)),
        "tool_call_id": ("tool_call_id", pa.string()),
        "train": ("weight", pa.int64()),
    }
    # a field that no message has would stand in each as null, which templates stumble over
    present = [pair for field, pair in optional.items() if field in used]
    message = pa.struct([("role", pa.string()), ("content", pa.string()), *present])
    return pa.schema(
        pa.field("messages", pa.list_(message)) if field.name == "messages" else field
        for field in ROW_SCHEMA
    )


class Parquet:
    """One file a split, for ``datasets``, TRL, polars and DuckDB."""

    name = "parquet"
    title = "Parquet: the rows with conversational messages, for TRL and datasets"
    suffix = ".parquet"
    cannot: frozenset[str] = frozenset()

    def __init__(self, options: FormatOptions) -> None:
        self.options = options
        self.plain = _schema(options.used, pa.string())
        # the same text on disk, of a type that datasets decodes: templates then see objects
        self.schema = _schema(options.used, pa.json_()) if options.objects else self.plain

    def record(self, row: Row) -> Record:
        """The row; ``train`` becomes ``weight`` 0 or 1."""
        require_tools(row)
        value = {name: row[name] for name in ROW_SCHEMA.names}
        value["messages"] = [_message(each) for each in row["messages"]]
        is_text = not self.options.objects and any(each["tool_calls"] for each in row["messages"])
        return Record(value, frozenset({_AS_TEXT} if is_text else ()))

    def write(self, records: Iterable[dict[str, Any]], file: IO[bytes]) -> None:
        """A row group for every batch of rows."""
        rest = iter(records)
        with pq.ParquetWriter(file, self.schema, compression="zstd") as writer:
            while batch := list(islice(rest, _BATCH_ROWS)):
                table = pa.Table.from_pylist(batch, schema=self.plain)
                writer.write_table(table.cast(self.schema))

    def companions(self, data: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG002
        """No file beside the data."""
        return {}


def _message(message: dict[str, Any]) -> dict[str, Any]:
    chat = chat_message(message, keep=_KEEP)
    if message["train"] is not None:
        chat["weight"] = int(message["train"])
    return chat
