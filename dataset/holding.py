"""Finds out which sealed versions hold conversations that are to be erased."""

from collections.abc import Iterator
from typing import Any

import orjson
import pyarrow.parquet as pq

from dataset.manifest import DatasetVersion, list_versions
from ingest.erasure import holds
from ingest.forgotten import plain
from ingest.raw_erase import Wanted
from ingest.workspace import Workspace

_BATCH = 1024
OF_PAIR = "conversation"
"""The column of a preference pair that names the conversation it was taken from."""


def versions_holding(
    workspace: Workspace, wanted: Wanted
) -> Iterator[tuple[DatasetVersion, frozenset[str]]]:
    """The versions that hold something of it, and the ids of those conversations.

    A version may hold it although no name stands in it any more: ids outlast redaction. It may
    also hold people and texts of conversations that the store no longer has.
    """
    for version in list_versions(workspace):
        found = frozenset(id_ for split in version.splits for id_ in _ids(version, split, wanted))
        if found:
            yield version, found


def _ids(version: DatasetVersion, split: str, wanted: Wanted) -> Iterator[str]:
    with pq.ParquetFile(version.file(split), pre_buffer=False) as file:
        key = OF_PAIR if OF_PAIR in file.schema_arrow.names else "id"
        # ids alone are a small part of the file
        columns = None if wanted.people or wanted.text_forms else [key]
        for batch in file.iter_batches(batch_size=_BATCH, columns=columns):
            for row in batch.to_pylist():
                if row[key] in wanted.ids or (columns is None and _tells(row, wanted)):
                    yield row[key]


def _tells(row: dict[str, Any], wanted: Wanted) -> bool:
    if wanted.people and wanted.people.intersection(map(plain, _names(row))):
        return True
    return bool(wanted.text_forms) and holds(orjson.dumps(row).decode(), wanted.text_forms)


def _names(row: dict[str, Any]) -> Iterator[str]:
    yield from row.get("participants") or ()
    for value in row.values():
        if isinstance(value, list):
            for message in value:
                if isinstance(message, dict) and message.get("name"):
                    yield message["name"]
