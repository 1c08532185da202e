"""Renders a split of preference pairs to token ids and masks, once for each way of doing it."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dataset.manifest import DatasetVersion
from dataset.preference import to_chat_pair
from ingest.files import sha256_file
from train.lengths import LengthUse
from train.policy import Policy
from train.preference_rows import Answer, PairRow, pair_rows
from train.render import RenderError
from train.render_cache import kept_or_made, write_groups
from train.rendered import RenderedSplit
from train.tally import SplitCounts, counted, reason_of

TOO_LONG = "a pair longer than max_length"
_IDS, _MASK = pa.list_(pa.int32()), pa.list_(pa.int8())
PAIRS_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("prompt_ids", _IDS),
        ("chosen_ids", _IDS),
        ("chosen_mask", _MASK),
        ("rejected_ids", _IDS),
        ("rejected_mask", _MASK),
    ]
)
"""One row is one pair: the prompt once, each answer with what of it counts."""
# of what this module writes; a change of the rules makes a new one
FORMAT = 1
_BATCH = 64  # pairs rendered together


def render_pairs(
    version: DatasetVersion,
    split: str,
    tokenizer: Any,
    run_dir: Path,
    *,
    max_length: int,
    policy: Policy,
    cache: Path | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> RenderedSplit:
    """Render every pair of a split into ``<run_dir>/rendered/<split>.parquet``.

    Args:
        version: sealed, of kind ``preference``.
        split: ``train``, ``validation`` or ``test``.
        tokenizer: with a chat template.
        run_dir: the run's folder.
        max_length: tokens; pairs of which either sequence is longer are left out: an answer that
            is cut can be neither better nor worse.
        policy: what of the answers is trained.
        cache: a folder for what was rendered before; left out: everything is rendered anew.
        on_progress: called with the number of pairs done.
    """

    def make(target: Path) -> SplitCounts:
        tally = _Tally()
        rows = _rendered(version, split, tokenizer, max_length, policy, tally, on_progress)
        write_groups(target, PAIRS_SCHEMA, rows, _table)
        return tally.counts(f"rendered/{target.name}", sha256_file(target))

    decides = {"pairs": FORMAT, "max_length": max_length, "policy": policy._asdict()}
    target = run_dir / "rendered" / f"{split}.parquet"
    counts = kept_or_made(version, split, tokenizer, target, decides, make=make, cache=cache)
    sizes = _sizes(target)
    lengths = [(tokens, trained) for tokens, trained, _ in sizes]
    return RenderedSplit(counts, lengths, [longer for _, _, longer in sizes])


def pair_length_table(rendered: RenderedSplit, lengths: Sequence[int]) -> list[LengthUse]:
    """What each maximum length would leave out, whole pairs at a time.

    Args:
        rendered: without a limit.
        lengths: maximum lengths, in tokens.
    """
    sizes = np.array(rendered.sizes, np.int64)
    tokens = np.array(rendered.lengths, np.int64).reshape(-1, 2)
    table = []
    for length in lengths:
        out = tokens[sizes > length]
        beyond, trained = out.sum(axis=0).tolist()
        table.append(
            LengthUse(
                max_length=length, rows_cut=len(out), tokens_beyond=beyond, trained_beyond=trained
            )
        )
    return table


class _Tally:
    """Counts while rows are made."""

    def __init__(self) -> None:
        self.refused: Counter[str] = Counter()
        self._sums: Counter[str] = Counter()

    def refuse(self, error: RenderError) -> None:
        self.refused[reason_of(error)] += 1

    def take(self, pair: PairRow, max_length: int) -> bool:
        """Whether the pair is kept."""
        answers: Sequence[Answer] = pair
        if pair.longest > max_length:
            self.refused[TOO_LONG] += 1
            self._sums["tokens_lost"] += pair.tokens
            self._sums["trained_tokens_lost"] += pair.trained
            return False
        self._sums["rows"] += 1
        self._sums["tokens"] += pair.tokens
        self._sums["trained_tokens"] += pair.trained
        self._sums["turns"] += sum(one.turns for one in answers)
        self._sums["turns_apart"] += sum(one.apart for one in answers)
        self._sums["turns_unserved"] += sum(one.unserved for one in answers)
        self._sums["turns_not_shown"] += sum(one.not_shown for one in answers)
        return True

    def counts(self, file: str, sha256: str) -> SplitCounts:
        return counted(self._sums, self.refused, file, sha256)


def _rendered(
    version: DatasetVersion,
    split: str,
    tokenizer: Any,
    max_length: int,
    policy: Policy,
    tally: _Tally,
    on_progress: Callable[[int], None] | None,
) -> Iterator[dict[str, Any]]:
    done = 0
    rows = version.rows(split)
    while batch := list(itertools.islice(rows, _BATCH)):
        pairs = pair_rows([to_chat_pair(row) for row in batch], tokenizer, policy)
        for row, pair in zip(batch, pairs, strict=True):
            if isinstance(pair, RenderError):
                tally.refuse(pair)
            elif tally.take(pair, max_length):
                yield _row(row["id"], pair)
        done += len(batch)
        if on_progress:
            on_progress(done)


def _row(name: str, pair: PairRow) -> dict[str, Any]:
    return {
        "id": name,
        "prompt_ids": pair.chosen.prompt,
        "chosen_ids": pair.chosen.ids,
        "chosen_mask": pair.chosen.loss_mask,
        "rejected_ids": pair.rejected.ids,
        "rejected_mask": pair.rejected.loss_mask,
    }


def _table(group: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(group, PAIRS_SCHEMA)


def _sizes(file: Path) -> list[tuple[int, int, int]]:
    """Tokens, trained tokens and tokens of the longer sequence, of each pair."""
    sizes: list[tuple[int, int, int]] = []
    with pq.ParquetFile(file) as opened:
        for batch in opened.iter_batches(columns=PAIRS_SCHEMA.names[1:]):
            prompt, chosen, rejected = (
                pc.list_value_length(batch.column(name)).to_numpy()
                for name in ("prompt_ids", "chosen_ids", "rejected_ids")
            )
            trained = sum(_ones(batch.column(name)) for name in ("chosen_mask", "rejected_mask"))
            tokens = 2 * prompt + chosen + rejected
            longer = prompt + np.maximum(chosen, rejected)
            sizes += zip(tokens.tolist(), trained.tolist(), longer.tolist(), strict=True)
    return sizes


def _ones(masks: Any) -> Any:
    """Ones in each mask of a list column, int64."""
    tokens = pc.list_value_length(masks).to_numpy()
    summed = np.concatenate([[0], np.cumsum(masks.flatten().to_numpy(), dtype=np.int64)])
    ends = np.cumsum(tokens)
    return summed[ends] - summed[ends - tokens]
