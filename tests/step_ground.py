"""Frames of made conversations, and steps made for a test."""

from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from dataset.flow import DIGEST, Flow
from dataset.rows import ROW_SCHEMA, to_row
from dataset.steps.base import Step, StepClass, StepContext, StepResult
from ingest.message import Conversation, Message
from ingest.workspace import Workspace

NOWHERE = StepContext(store=None, workspace=Workspace(Path("nowhere")))  # type: ignore[arg-type]
"""For steps that need nothing but rows."""


def made(kind: StepClass, context: StepContext = NOWHERE, **options: Any) -> Step:
    """A step with these options."""
    return kind(kind.Options(**options), context)


def talk(id_: str, *messages: Message, **fields: Any) -> Conversation:
    """A conversation of these messages."""
    return Conversation(id=id_, importer="x", messages=messages, **fields)


def frame_of(*talks: Conversation) -> pl.DataFrame:
    """Their rows, as a build hands them to a step."""
    rows = [to_row(conversation, conversation.content_hash) for conversation in talks]
    return pl.DataFrame(pl.from_arrow(pa.Table.from_pylist(rows, ROW_SCHEMA)))


def folded(step: Step, frame: pl.DataFrame, folder: Path, batch: int = 1000) -> StepResult:
    """What a build makes of these rows with this one step."""
    frames = [frame[at : at + batch] for at in range(0, len(frame), batch)]
    flow = Flow([step])
    kept = [each.drop(DIGEST) for each in flow.run(iter(frames), folder)]
    return StepResult(pl.concat([frame[:0], *kept]), flow.tallies[0].report)
