"""Renders a split of a version to token ids and masks, once for each way of doing it."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dataset.manifest import DatasetVersion
from dataset.rows import to_chat
from ingest.errors import UserError
from ingest.files import sha256_file
from train.policy import DEFAULT, Policy
from train.render import Conversation, RenderError
from train.render_cache import kept_or_made, write_groups
from train.rows import render_rows
from train.tally import SplitCounts, Tally
from train.windows import Fitted, fit

RENDERED_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("ids", pa.list_(pa.int32())),
        ("loss_mask", pa.list_(pa.int8())),
    ]
)
# of what this module writes; a change of the mask's rules makes a new one
FORMAT = 2
SEQUENCES = 2
"""Of a preference pair: one with the better answer, one with the worse."""
_BATCH = 128  # conversations rendered together


class RowsError(UserError):
    """Rows that must not be trained on as they are."""


class RenderedSplit(NamedTuple):
    """What became of a split.

    Attributes:
        counts: of rows and tokens.
        lengths: ``(tokens, trained tokens)`` of each row, in file order.
        sides: of preference pairs, in file order, the tokens of the longer of the two sequences;
            None: a row is one sequence.
    """

    counts: SplitCounts
    lengths: list[tuple[int, int]]
    sides: list[int] | None = None

    @property
    def sizes(self) -> list[int]:
        """Tokens of each row's longest sequence, in file order."""
        return [tokens for tokens, _ in self.lengths] if self.sides is None else self.sides


def render_version(
    version: DatasetVersion,
    split: str,
    tokenizer: Any,
    run_dir: Path,
    *,
    max_length: int,
    policy: Policy = DEFAULT,
    cache: Path | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> RenderedSplit:
    """Render every row of a split into ``<run_dir>/rendered/<split>.parquet``.

    Args:
        version: sealed.
        split: ``train``, ``validation`` or ``test``.
        tokenizer: with a chat template.
        run_dir: the run's folder.
        max_length: no row is longer, in tokens; longer conversations are cut at turn borders.
        policy: what is trained.
        cache: a folder for what was rendered before; left out: everything is rendered anew.
        on_progress: called with the number of conversations done.

    Raises:
        RowsError: a conversation has no trained token at all.
    """

    def make(target: Path) -> SplitCounts:
        tally = Tally()
        rows = _rendered(version, split, tokenizer, max_length, policy, tally, on_progress)
        write_groups(target, RENDERED_SCHEMA, rows, _table)
        if tally.empty:
            raise RowsError(
                f"{version.name}, split {split}: {tally.empty} rows have no trained token",
                "build with the step has-assistant, or look at the train flags and train_on",
            )
        return tally.counts(f"rendered/{target.name}", sha256_file(target))

    decides = {"format": FORMAT, "max_length": max_length, "policy": policy._asdict()}
    target = run_dir / "rendered" / f"{split}.parquet"
    counts = kept_or_made(version, split, tokenizer, target, decides, make=make, cache=cache)
    return RenderedSplit(counts, _lengths(target))


def _rendered(
    version: DatasetVersion,
    split: str,
    tokenizer: Any,
    max_length: int,
    policy: Policy,
    tally: Tally,
    on_progress: Callable[[int], None] | None,
) -> Iterator[tuple[str, Fitted]]:
    done = 0
    for batch in _batches(version.rows(split), _BATCH):
        chats = [to_chat(row) for row in batch]
        asked = [Conversation(chat["messages"], chat["tools"]) for chat in chats]
        for row, one, rows in zip(batch, asked, render_rows(asked, tokenizer, policy), strict=True):
            if isinstance(rows, RenderError):
                tally.refuse(rows)
                continue
            try:
                fitted = fit(one, rows, tokenizer, max_length, policy)
            except RenderError as error:
                tally.refuse(error)
                continue
            for kept in tally.take(rows, fitted):
                yield row["id"], kept
        done += len(batch)
        if on_progress:
            on_progress(done)


def _batches(rows: Iterable[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    iterator = iter(rows)
    while batch := list(itertools.islice(iterator, size)):
        yield batch


def _table(group: list[tuple[str, Fitted]]) -> pa.Table:
    lengths = [len(one.ids) for _, one in group]
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    ids = np.fromiter(
        itertools.chain.from_iterable(one.ids for _, one in group), np.int32, sum(lengths)
    )
    masks = np.fromiter(
        itertools.chain.from_iterable(one.loss_mask for _, one in group), np.int8, sum(lengths)
    )
    return pa.Table.from_arrays(
        [
            pa.array([name for name, _ in group], pa.string()),
            pa.ListArray.from_arrays(offsets, pa.array(ids)),
            pa.ListArray.from_arrays(offsets, pa.array(masks)),
        ],
        schema=RENDERED_SCHEMA,
    )


def _lengths(file: Path) -> list[tuple[int, int]]:
    table = pq.read_table(file, columns=["loss_mask"])
    lengths: list[tuple[int, int]] = []
    for chunk in table["loss_mask"].chunks:
        tokens = pc.list_value_length(chunk).to_numpy()
        summed = np.concatenate([[0], np.cumsum(chunk.flatten().to_numpy(), dtype=np.int64)])
        ends = np.cumsum(tokens)
        trained = summed[ends] - summed[ends - tokens]
        lengths += zip(tokens.tolist(), trained.tolist(), strict=True)
    return lengths
