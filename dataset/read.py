"""From the store to batches of rows, in order of first import."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import polars as pl
import pyarrow as pa

from dataset.curate import curated
from dataset.manifest import Where
from dataset.rows import ROW_SCHEMA, to_row
from ingest.message import Conversation
from ingest.people import chat_of
from ingest.store import Store

BATCH = 2048
"""Conversations in a batch, unless they are long."""

_BATCH_CHARACTERS = 16 << 20
"""Characters of message text from which a batch is full."""


RowsOf = Callable[[Conversation, str], list[dict[str, Any]]]
"""Makes rows of a stored conversation and its content hash."""


def one_row(conversation: Conversation, content_hash: str) -> list[dict[str, Any]]:
    """The conversation itself."""
    return [to_row(conversation, content_hash)]


class Source:
    """The conversations that a spec selects.

    Attributes:
        store: that holds them.
        curated: them, and what was excluded by hand.
        sources: sha256 of the exports that those read so far come from.
    """

    def __init__(
        self,
        store: Store,
        where: Where,
        on_progress: Callable[[str, int, int], None] | None = None,
        rows_of: RowsOf = one_row,
    ) -> None:
        self.sources: set[str] = set()
        self.store = store
        self.curated = curated(store, where)
        self._ords = self.curated.ords
        self._on_progress = on_progress
        self._rows_of = rows_of
        self._ids: list[pa.StringArray] = []
        self._threads: list[pa.StringArray] = []

    def __len__(self) -> int:
        """Conversations."""
        return len(self._ords)

    def selected(self) -> Iterator[tuple[str, str]]:
        """The id and the thread of every row read so far, in order."""
        for ids, threads in zip(self._ids, self._threads, strict=True):
            yield from zip(ids.to_pylist(), threads.to_pylist(), strict=True)

    def frames(self) -> Iterator[pl.DataFrame]:
        """Their rows, schema ``dataset.rows.ROW_SCHEMA``."""
        done = 0
        for batch in self._batches():
            self._ids.append(pa.array([row["id"] for row in batch.rows], pa.string()))
            self._threads.append(pa.array(batch.threads, pa.string()))
            yield cast(pl.DataFrame, pl.from_arrow(pa.Table.from_pylist(batch.rows, ROW_SCHEMA)))
            done += batch.conversations
            if self._on_progress is not None:
                self._on_progress("reading", done, len(self))

    def _batches(self) -> Iterator["_Batch"]:
        # one query a batch: the store keeps the order, and need not sort all messages for it
        for start in range(0, len(self._ords), BATCH):
            batch, size = _Batch(), 0
            ords = self._ords[start : start + BATCH]
            for conversation, content_hash, source in self.store.stream_ords(ords):
                self.sources.add(source)
                rows = self._rows_of(conversation, content_hash)
                batch.rows += rows
                batch.threads += [thread_of(conversation)] * len(rows)
                size += sum(len(message["content"]) for row in rows for message in row["messages"])
                batch.conversations += 1
                if size >= _BATCH_CHARACTERS:
                    yield batch
                    batch, size = _Batch(), 0
            if batch.rows:
                yield batch


@dataclass
class _Batch:
    rows: list[dict[str, Any]] = field(default_factory=list)
    threads: list[str] = field(default_factory=list)
    conversations: int = 0


def thread_of(conversation: Conversation) -> str:
    """What parts of one talk have in common and no other talk has.

    Sessions of a person's chat share the chat; what a coding agent's helper did belongs to the
    session that called it. Any other conversation is a thread by itself.
    """
    native = conversation.source_id or conversation.id
    facts = conversation.metadata
    called_from = facts.get("parentSession") or (
        facts.get("sessionId") if facts.get("isSidechain") else None
    )
    return f"{conversation.importer}|{called_from or chat_of(native) or native}"
