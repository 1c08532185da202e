"""The sequences in a file of rendered rows: a row's own, or the two of a preference pair."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

_SIDES = ("chosen_ids", "rejected_ids")


def first_sequences(file: Path, count: int) -> list[list[int]]:
    """Token ids of the first ``count`` sequences; of a pair, the better answer comes first."""
    sequences: list[list[int]] = []
    for batch in _batches(file):
        if "ids" in batch.schema.names:
            sequences += batch.column("ids").slice(0, count).to_pylist()
        else:
            for pair in batch.slice(0, count).to_pylist():
                sequences += [[*pair["prompt_ids"], *pair[side]] for side in _SIDES]
        if len(sequences) >= count:
            break
    return sequences[:count]


def sequence_lengths(file: Path) -> list[int]:
    """Tokens of each sequence, in the same order."""
    lengths: list[int] = []
    for batch in _batches(file):
        if "ids" in batch.schema.names:
            lengths += pc.list_value_length(batch.column("ids")).to_pylist()
            continue
        prompt, chosen, rejected = (
            pc.list_value_length(batch.column(name)).to_numpy() for name in ("prompt_ids", *_SIDES)
        )
        both = zip((prompt + chosen).tolist(), (prompt + rejected).tolist(), strict=True)
        lengths += [one for pair in both for one in pair]
    return lengths


def _batches(file: Path) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(file) as opened:
        names = opened.schema_arrow.names
        wanted = ["ids"] if "ids" in names else ["prompt_ids", *_SIDES]
        yield from opened.iter_batches(columns=wanted)
