"""How long the rows of a split are, and what a maximum length would cut of them.

Looked up in rows rendered without a cut: what is cut there is counted, not guessed.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field

UNCUT = 1 << 30
"""A ``max_length`` that cuts nothing."""
MULTIPLE = 64
"""Tokens: a maximum length that is chosen here is a multiple of it, as tensor cores like it."""
ASKED = (512, 1024, 2048, 4096, 8192, 16384, 32768)
_SHARES = (0.5, 0.9, 0.99, 1.0)
_BINS = 24


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LengthUse(_Value):
    """What a maximum length leaves of the train split."""

    max_length: int = Field(description="tokens per row at most")
    rows_cut: int = Field(description="rows longer than that")
    tokens_beyond: int = Field(description="their tokens beyond it")
    trained_beyond: int = Field(description="trained tokens of rows beyond it, at most lost")


class Histogram(_Value):
    """Rows by their number of tokens, before anything is cut."""

    edges: list[int] = Field(description="of the bins in tokens; the last one is included")
    counts: list[int] = Field(description="rows in each bin")
    quantiles: dict[str, int] = Field(description="tokens that this share of the rows stay within")


class _Masks(NamedTuple):
    """Loss masks end to end.

    Attributes:
        sums: trained tokens before each position, int64, one more than there are tokens.
        starts: where each row starts, int64.
        tokens: tokens of each row, int64.
    """

    sums: np.ndarray[Any, np.dtype[np.int64]]
    starts: np.ndarray[Any, np.dtype[np.int64]]
    tokens: np.ndarray[Any, np.dtype[np.int64]]


def _masks(file: Path) -> Iterator[_Masks]:
    """A group of rows at a time: a split may be larger than memory."""
    with pq.ParquetFile(file) as rows:
        for batch in rows.iter_batches(columns=["loss_mask"]):
            mask = batch.column("loss_mask")
            tokens = mask.value_lengths().to_numpy().astype(np.int64)
            flat = mask.flatten().to_numpy()
            sums = np.concatenate([[0], np.cumsum(flat, dtype=np.int64)])
            yield _Masks(sums, np.cumsum(tokens) - tokens, tokens)


def length_table(file: Path, lengths: Sequence[int]) -> list[LengthUse]:
    """What each maximum length would cut.

    A cut conversation goes on in another row where it can, so ``trained_beyond`` is the most that
    is lost, not what is lost.

    Args:
        file: rows rendered without a cut (``rendered/<split>.parquet``).
        lengths: maximum lengths, in tokens.
    """
    sums = {length: np.zeros(3, np.int64) for length in lengths}
    for some in _masks(file):
        ends = some.starts + some.tokens
        for length, sum_ in sums.items():
            beyond = np.maximum(some.tokens - length, 0)
            trained = some.sums[ends] - some.sums[ends - beyond]
            sum_ += [np.count_nonzero(beyond), beyond.sum(), trained.sum()]
    return [
        LengthUse(max_length=length, rows_cut=cut, tokens_beyond=tokens, trained_beyond=trained)
        for length, (cut, tokens, trained) in ((at, sum_.tolist()) for at, sum_ in sums.items())
    ]


def histogram(tokens: Sequence[int]) -> Histogram:
    """Rows by length.

    Args:
        tokens: of each row; at least one.
    """
    sizes = np.sort(np.asarray(tokens, np.int64))
    width = max(1, -(-int(sizes[-1]) // _BINS))
    count = -(-int(sizes[-1]) // width)
    edges = width * np.arange(max(1, count) + 1)
    counts, _ = np.histogram(sizes, edges)
    return Histogram(
        edges=edges.tolist(),
        counts=counts.tolist(),
        quantiles={
            f"{share:g}": int(sizes[max(0, int(np.ceil(share * len(sizes))) - 1)])
            for share in _SHARES
        },
    )


def needed_length(longest: int, limit: int | None) -> int:
    """The smallest multiple of 64 that cuts nothing, as far as the model goes.

    Args:
        longest: tokens of the longest row.
        limit: positions the model has; None where its configuration does not say.
    """
    needed = MULTIPLE * max(1, -(-longest // MULTIPLE))
    return needed if limit is None else min(needed, limit)


def positions(config: Mapping[str, Any]) -> int | None:
    """How many positions a model has by its ``config.json``; None where it does not say."""
    for part in (config, config.get("text_config") or {}):
        for name in ("max_position_embeddings", "n_positions", "max_seq_len"):
            if isinstance(part.get(name), int):
                return int(part[name])
    return None
