"""How much of what a split holds, counted in Arrow."""

from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from dataset.manifest import DatasetVersion


class SplitTable(NamedTuple):
    """Counts of one split.

    Attributes:
        conversations: rows.
        messages: in them.
        importers: conversations by importer, most first.
        roles: messages by role, most first.
    """

    conversations: int
    messages: int
    importers: dict[str, int]
    roles: dict[str, int]


def count_split(version: DatasetVersion, split: str) -> SplitTable:
    """Count a split of a version."""
    table = version.table(split)
    roles = pc.struct_field(pc.list_flatten(table["messages"]), "role")
    return SplitTable(table.num_rows, len(roles), _tally(table["importer"]), _tally(roles))


def _tally(values: pa.ChunkedArray) -> dict[str, int]:
    counted: list[dict[str, Any]] = pc.value_counts(values).to_pylist()
    ordered = sorted(counted, key=lambda one: (-one["counts"], one["values"]))
    return {one["values"]: one["counts"] for one in ordered}
