"""Stores with people's talks for tests of redaction."""

from collections.abc import Sequence
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from dataset.rows import ROW_SCHEMA, to_row
from dataset.steps.base import StepContext
from dataset.steps.redact import Redact
from ingest import columns
from ingest.message import Conversation, Message, Participant
from ingest.store import Store
from ingest.workspace import Workspace


def talk(number: int, people: Sequence[str], *texts: str, **changes: Any) -> Conversation:
    """A conversation in which people speak in turn; the second is the assistant."""
    messages = tuple(
        Message(
            role="assistant" if at % 2 else "user",
            content=text,
            name=people[at % len(people)] if people else None,
        )
        for at, text in enumerate(texts)
    )
    fields = {
        "id": f"talk-{number:04}",
        "importer": "whatsapp",
        "messages": messages,
        "participants": tuple(Participant(name) for name in people),
    }
    return Conversation(**{**fields, **changes})


def put(store: Store, *talks: Conversation) -> None:
    """Put conversations into the store, after those that are there."""
    first = store.next_ord()
    hashes = [each.content_hash for each in talks]
    heads = columns.conversation_columns("0" * 64, list(talks), hashes)
    messages = columns.message_columns(list(talks))
    with store.transaction():
        store.insert(_moved(heads, first), _moved(messages, first))


def _moved(rows: pa.Table, first: int) -> pa.Table:
    """Rows whose ``ord`` counts from ``first``."""
    at = rows.schema.get_field_index("ord")
    return rows.set_column(at, rows.schema.field(at), pc.add(rows["ord"], first))


def frame_of(store: Store) -> pl.DataFrame:
    """All rows of the store."""
    rows = [to_row(conversation, hash_) for conversation, hash_, _ in store.stream()]
    frame = pl.from_arrow(pa.Table.from_pylist(rows, ROW_SCHEMA))
    assert isinstance(frame, pl.DataFrame)
    return frame


def step(store: Store, workspace: Workspace, **options: Any) -> Redact:
    """The redaction step of one build."""
    return Redact(Redact.Options(**options), StepContext(store, workspace))
