"""From the store to batches of rows, in order of first import."""

from collections.abc import Callable, Iterator
from typing import Any, cast

import polars as pl
import pyarrow as pa

from dataset.curate import curated
from dataset.manifest import Where
from dataset.rows import ROW_SCHEMA, to_row
from ingest.store import Store

BATCH = 2048
"""Conversations in a batch, unless they are long."""

_BATCH_CHARACTERS = 16 << 20
"""Characters of message text from which a batch is full."""


class Source:
    """The conversations that a spec selects.

    Attributes:
        store: that holds them.
        curated: them, and what was excluded by hand.
        sources: sha256 of the exports that those read so far come from.
    """

    def __init__(
        self, store: Store, where: Where, on_progress: Callable[[str, int, int], None] | None = None
    ) -> None:
        self.sources: set[str] = set()
        self.store = store
        self.curated = curated(store, where)
        self._ords = self.curated.ords
        self._on_progress = on_progress
        self._ids: list[pa.StringArray] = []

    def __len__(self) -> int:
        """Conversations."""
        return len(self._ords)

    def ids(self) -> Iterator[str]:
        """The ids of those read so far, in order."""
        for each in self._ids:
            yield from each.to_pylist()

    def frames(self) -> Iterator[pl.DataFrame]:
        """Their rows, schema ``dataset.rows.ROW_SCHEMA``."""
        done = 0
        for rows in self._batches():
            self._ids.append(pa.array([row["id"] for row in rows], pa.string()))
            yield cast(pl.DataFrame, pl.from_arrow(pa.Table.from_pylist(rows, ROW_SCHEMA)))
            done += len(rows)
            if self._on_progress is not None:
                self._on_progress("reading", done, len(self))

    def _batches(self) -> Iterator[list[dict[str, Any]]]:
        # one query a batch: the store keeps the order, and need not sort all messages for it
        for start in range(0, len(self._ords), BATCH):
            rows: list[dict[str, Any]] = []
            size = 0
            ords = self._ords[start : start + BATCH]
            for conversation, content_hash, source in self.store.stream_ords(ords):
                self.sources.add(source)
                rows.append(to_row(conversation, content_hash))
                size += sum(len(message.content) for message in conversation.messages)
                if size >= _BATCH_CHARACTERS:
                    yield rows
                    rows, size = [], 0
            if rows:
                yield rows
