"""The texts of a batch of rows as Python values, and the rows with changed texts.

Only the columns of texts are taken out of Arrow, and only those that changed are put back.
"""

from collections.abc import Callable, Iterator
from typing import Any, cast

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from dataset.redact.conversation import Said, Talk
from dataset.rows import MESSAGE_TYPE, ROW_SCHEMA

Quiet = Callable[[pl.Series], pl.Series]
"""Says of texts (n,), null among them, whether detectors find nothing in each."""


class Talks:
    """The conversations of a batch.

    Args:
        frame: (conversations,) schema ``ROW_SCHEMA``.
        quiet: without it nobody knows.

    Attributes:
        ids: of the conversations.
    """

    def __init__(self, frame: pl.DataFrame, quiet: Quiet | None = None) -> None:
        self._table = frame.to_arrow().cast(ROW_SCHEMA).combine_chunks()
        self._messages = _one(self._table["messages"])
        flat = self._messages.flatten()
        self._fields: dict[str, list[Any]] = {
            name: flat.field(name).to_pylist() for name in ("role", "name", "content", "reasoning")
        }
        self._quiet = _told(quiet, flat.field("content"))
        self._quiet_titles = _told(quiet, _one(self._table["title"]))
        self._calls = flat.field("tool_calls")
        self._arguments: list[str] = self._calls.flatten().field("arguments").to_pylist()
        self._own: dict[str, list[Any]] = {
            name: self._table[name].to_pylist() for name in ("title", "participants", "tools")
        }
        self.ids: list[str] = self._table["id"].to_pylist()
        self._starts = _starts(self._messages)
        self._call_starts = _starts(self._calls)
        self._changed = False

    def __iter__(self) -> Iterator[Talk]:
        for at in range(len(self.ids)):
            yield self._talk(at)

    def _talk(self, at: int) -> Talk:
        fields, arguments, calls = self._fields, self._arguments, self._call_starts
        messages = [
            Said(
                fields["role"][each],
                fields["name"][each],
                fields["content"][each],
                fields["reasoning"][each],
                tuple(arguments[calls[each] : calls[each + 1]]),
                self._quiet[each],
            )
            for each in range(self._starts[at], self._starts[at + 1])
        ]
        own = self._own
        return Talk(
            own["title"][at],
            tuple(own["participants"][at] or ()),
            own["tools"][at],
            messages,
            self._quiet_titles[at],
        )

    def put(self, at: int, talk: Talk) -> None:
        """Change the texts of conversation ``at``; it has as many messages and calls as before."""
        self._changed = True
        self._own["title"][at] = talk.title
        self._own["tools"][at] = talk.tools
        if self._own["participants"][at] is not None:
            self._own["participants"][at] = list(talk.participants)
        for each, said in enumerate(talk.messages, self._starts[at]):
            self._fields["name"][each] = said.name
            self._fields["content"][each] = said.content
            self._fields["reasoning"][each] = said.reasoning
            self._arguments[self._call_starts[each] : self._call_starts[each + 1]] = said.arguments

    def frame(self) -> pl.DataFrame:
        """The rows as they are now."""
        if not self._changed:
            return cast(pl.DataFrame, pl.from_arrow(self._table))
        table = self._table
        for name, values in self._own.items():
            field = ROW_SCHEMA.field(name)
            table = table.set_column(
                table.schema.get_field_index(name), field, pa.array(values, field.type)
            )
        flat = self._messages.flatten()
        columns = {name: flat.field(name) for name in MESSAGE_TYPE.names}
        for name in ("name", "content", "reasoning"):
            columns[name] = pa.array(self._fields[name], pa.string())
        columns["tool_calls"] = self._new_calls()
        messages = pa.StructArray.from_arrays(
            list(columns.values()), fields=list(MESSAGE_TYPE), mask=flat.is_null()
        )
        at = table.schema.get_field_index("messages")
        table = table.set_column(at, ROW_SCHEMA.field("messages"), _like(self._messages, messages))
        return cast(pl.DataFrame, pl.from_arrow(table))

    def _new_calls(self) -> Any:
        flat = self._calls.flatten()
        call_type = MESSAGE_TYPE.field("tool_calls").type.value_type
        columns = {name: flat.field(name) for name in call_type.names}
        columns["arguments"] = pa.array(self._arguments, pa.string())
        calls = pa.StructArray.from_arrays(list(columns.values()), fields=list(call_type))
        return _like(self._calls, calls)


def _told(quiet: Quiet | None, texts: Any) -> list[bool]:
    if quiet is None:
        return [False] * len(texts)
    return quiet(cast(pl.Series, pl.from_arrow(texts))).to_list()


def _one(column: Any) -> Any:
    """A column as one array that begins at its beginning."""
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _starts(lists: Any) -> list[int]:
    """Where each list begins among the flattened values, and where the last ends; null is empty."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0)
    return [0, *pc.cumulative_sum(lengths).to_pylist()]


def _like(lists: Any, values: Any) -> Any:
    """Lists as long as ``lists``, null where those are, of other values."""
    offsets = pa.array(_starts(lists), pa.int32())
    return pa.ListArray.from_arrays(offsets, values, type=lists.type, mask=lists.is_null())
