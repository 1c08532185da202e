"""Conversations on their way to the store: counted, hashed and turned into columns."""

import gc
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from ingest import columns
from ingest.importers.base import Item, Reject, Skip
from ingest.message import Conversation

BATCH_MESSAGES = 4096
_BATCH_BYTES = 4 << 20


@dataclass
class Batch:
    """Some items of an export, in its order.

    Attributes:
        ids: of the conversations.
        hashes: their content hashes.
        conversations: rows of ``columns.CONVERSATIONS``, ``ord`` counting from 0.
        messages: rows of ``columns.MESSAGES`` with the same numbers.
        one_sided: how many conversations hold one side only.
        rejects: what could not be read.
        skipped: how many were left out, by reason.
        position: bytes of the export read so far.
    """

    ids: list[str]
    hashes: list[str]
    conversations: pa.Table
    messages: pa.Table
    one_sided: int = 0
    rejects: list[Reject] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    position: int = 0

    @property
    def read(self) -> int:
        """Items in it."""
        return len(self.ids) + len(self.rejects) + self.skipped.total()


def collect_seldom() -> None:
    """Let the collector of cycles run seldom: records have none, and it took a fifth of it all."""
    gc.set_threshold(200_000, 20, 20)


def batches(items: Iterable[Item], source: str) -> Iterator[Batch]:
    """Gather items until they are worth a trip to the store.

    Args:
        items: what an importer reads.
        source: sha256 of the export.
    """
    gathered = _Gathered()
    for item in items:
        gathered.add(item)
        if gathered.messages >= BATCH_MESSAGES or gathered.bytes >= _BATCH_BYTES:
            yield gathered.batch(source)
            gathered = _Gathered()
    yield gathered.batch(source)


class _Gathered:
    def __init__(self) -> None:
        self._conversations: list[Conversation] = []
        self._hashes: list[str] = []
        self._rejects: list[Reject] = []
        self._skipped: Counter[str] = Counter()
        self.messages = 0
        self.bytes = 0

    def add(self, item: Item) -> None:
        if isinstance(item, Conversation):
            body = item.canonical()
            self._conversations.append(item)
            self._hashes.append(hashlib.sha256(body).hexdigest())
            self.messages += len(item.messages)
            self.bytes += len(body)
        elif isinstance(item, Reject):
            self._rejects.append(item)
        else:
            assert isinstance(item, Skip)
            self._skipped[item.reason] += 1

    def batch(self, source: str) -> Batch:
        found = self._conversations
        return Batch(
            ids=[conversation.id for conversation in found],
            hashes=self._hashes,
            conversations=columns.conversation_columns(source, found, self._hashes),
            messages=columns.message_columns(found),
            one_sided=sum(c.metadata.get("one_sided") is True for c in found),
            rejects=self._rejects,
            skipped=self._skipped,
        )
