"""Renders a split of a version to token ids and masks, and counts what was lost on the way."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field

from dataset.manifest import DatasetVersion
from dataset.rows import to_chat
from ingest.errors import UserError
from ingest.files import sha256_file, write_whole
from train.render import RenderError, render
from train.spec import TrainOn

RENDERED_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("ids", pa.list_(pa.int32())),
        ("loss_mask", pa.list_(pa.int8())),
    ]
)
TOO_LONG = "no trained token within max_length"
_GROUP = 1024


class RowsError(UserError):
    """Rows that must not be trained on as they are."""


class SplitCounts(BaseModel):
    """What became of one split when it was rendered."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str = Field(description="relative to the run's folder")
    sha256: str = Field(description="of that file")
    rows: int = Field(description="rows to train or judge on")
    tokens: int = Field(description="tokens in them, after cutting")
    trained_tokens: int = Field(description="tokens in them that count in the loss")
    refused: dict[str, int] = Field(description="rows left out, by reason")
    rows_cut: int = Field(description="rows longer than max_length, cut at the end")
    tokens_lost: int = Field(description="tokens cut off or in rows left out for length")
    trained_tokens_lost: int = Field(description="trained tokens among them")


class RenderedSplit(NamedTuple):
    """Counts of a split, and ``(tokens, trained tokens)`` of each row in file order."""

    counts: SplitCounts
    lengths: list[tuple[int, int]]


def render_version(
    version: DatasetVersion,
    split: str,
    tokenizer: Any,
    run_dir: Path,
    *,
    max_length: int,
    train_on: TrainOn = "assistant",
    on_progress: Callable[[int], None] | None = None,
) -> RenderedSplit:
    """Render every row of a split into ``<run_dir>/rendered/<split>.parquet``.

    Args:
        version: sealed.
        split: ``train``, ``validation`` or ``test``.
        tokenizer: with a chat template.
        run_dir: the run's folder.
        max_length: rows are cut to this many tokens; a row that would keep no trained token is
            left out.
        train_on: see :func:`train.render.render`.
        on_progress: called with the number of rows done.

    Raises:
        RowsError: a row has no trained token at all.
    """
    file = run_dir / "rendered" / f"{split}.parquet"
    tally = _Tally(max_length)
    with (
        write_whole(file) as whole,
        pq.ParquetWriter(whole, RENDERED_SCHEMA, compression="zstd") as writer,
    ):
        group: list[dict[str, Any]] = []
        for done, row in enumerate(version.rows(split), start=1):
            if on_progress:
                on_progress(done)
            chat = to_chat(row)
            try:
                rendered = render(
                    chat["messages"], tokenizer, tools=chat["tools"], train_on=train_on
                )
            except RenderError as error:
                tally.refused[_reason(error)] += 1
                continue
            kept = tally.cut(rendered.ids, rendered.loss_mask)
            if kept is not None:
                group.append({"id": row["id"], "ids": kept[0], "loss_mask": kept[1]})
            if len(group) == _GROUP:
                writer.write_table(pa.Table.from_pylist(group, RENDERED_SCHEMA))
                group = []
        writer.write_table(pa.Table.from_pylist(group, RENDERED_SCHEMA))
    if tally.empty:
        raise RowsError(
            f"{version.name}, split {split}: {tally.empty} rows have no trained token",
            "build with the step has-assistant, or look at the train flags and train_on",
        )
    return RenderedSplit(tally.counts(run_dir, file), tally.lengths)


class _Tally:
    def __init__(self, max_length: int) -> None:
        self.max_length = max_length
        self.refused: Counter[str] = Counter()
        self.lengths: list[tuple[int, int]] = []
        self.empty = self.rows_cut = self.tokens_lost = self.trained_lost = 0

    def cut(self, ids: list[int], mask: list[int]) -> tuple[list[int], list[int]] | None:
        trained = sum(mask)
        if not trained:
            self.empty += 1
            return None
        kept_ids, kept_mask = ids[: self.max_length], mask[: self.max_length]
        kept = sum(kept_mask)
        if not kept:
            self.refused[TOO_LONG] += 1
            self.tokens_lost += len(ids)
            self.trained_lost += trained
            return None
        if len(kept_ids) < len(ids):
            self.rows_cut += 1
            self.tokens_lost += len(ids) - len(kept_ids)
            self.trained_lost += trained - kept
        self.lengths.append((len(kept_ids), kept))
        return kept_ids, kept_mask

    def counts(self, run_dir: Path, file: Path) -> SplitCounts:
        return SplitCounts(
            file=file.relative_to(run_dir).as_posix(),
            sha256=sha256_file(file),
            rows=len(self.lengths),
            tokens=sum(tokens for tokens, _ in self.lengths),
            trained_tokens=sum(trained for _, trained in self.lengths),
            refused=dict(self.refused),
            rows_cut=self.rows_cut,
            tokens_lost=self.tokens_lost,
            trained_tokens_lost=self.trained_lost,
        )


def _reason(error: RenderError) -> str:
    # the number of the message would make each row a reason of its own
    return re.sub(r"\d+", "N", error.message)
