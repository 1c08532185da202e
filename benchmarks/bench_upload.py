"""Bytes that a second version of a dataset uploads, with content-defined chunks and without.

    python benchmarks/bench_upload.py [--conversations 40000] [--markdown]

Method: invented conversations are written by the writer of ``turnmill build``, as it is and with
``use_content_defined_chunking`` off. The first version goes through ``hf_xet``, the chunker of the
Hub's own client, into an empty chunk store (a folder, ``local://``); then the second goes into the
same store, and hf_xet's own figures say how many bytes it uploaded. The reference is LFS, where a
file that differs is sent whole. Nothing leaves the machine.
"""

import argparse
import functools
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from made_store import Maker

from dataset import seal
from dataset.flow import DIGEST
from dataset.rows import ROW_SCHEMA, row_hash, to_row

SHARE = 0.01
BATCH = 2048

Rows = list[dict[str, Any]]


class Uploaded(NamedTuple):
    """What hf_xet says about one upload: bytes of the file, new to the store, over the wire."""

    size: int
    new: int
    sent: int


def made(count: int) -> Rows:
    """Rows of invented conversations."""
    found = Maker().conversations(0, count)
    return [to_row(conversation, conversation.content_hash) for conversation in found]


def edited(row: dict[str, Any]) -> dict[str, Any]:
    """The row with one word more in its last message."""
    *before, last = row["messages"]
    return {**row, "messages": [*before, {**last, "content": f"{last['content']} corrected"}]}


def appended(rows: Rows, more: Rows) -> Rows:
    return rows + more


def edited_together(rows: Rows, more: Rows) -> Rows:
    start, count = len(rows) // 3, len(more)
    return [*rows[:start], *map(edited, rows[start : start + count]), *rows[start + count :]]


def edited_here_and_there(rows: Rows, more: Rows) -> Rows:
    picked = set(np.random.default_rng(1).choice(len(rows), len(more), replace=False).tolist())
    return [edited(row) if at in picked else row for at, row in enumerate(rows)]


def removed_together(rows: Rows, more: Rows) -> Rows:
    start = len(rows) // 3
    return rows[:start] + rows[start + len(more) :]


def removed_here_and_there(rows: Rows, more: Rows) -> Rows:
    picked = set(np.random.default_rng(2).choice(len(rows), len(more), replace=False).tolist())
    return [row for at, row in enumerate(rows) if at not in picked]


def put_in_front(rows: Rows, more: Rows) -> Rows:
    return more + rows


CHANGES: dict[str, Callable[[Rows, Rows], Rows]] = {
    "nothing": lambda rows, _: rows,
    "1 % appended": appended,
    "1 % edited, side by side": edited_together,
    "1 % edited, here and there": edited_here_and_there,
    "1 % removed, side by side": removed_together,
    "1 % removed, here and there": removed_here_and_there,
    "1 % put in front": put_in_front,
}


def batches(rows: Rows) -> Iterator[pl.DataFrame]:
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        digests = [bytes.fromhex(row_hash(row)) for row in part]
        frame = pl.from_arrow(pa.Table.from_pylist(part, ROW_SCHEMA))
        assert isinstance(frame, pl.DataFrame)
        yield frame.with_columns(pl.Series(DIGEST, digests, pl.Binary))


def written(rows: Rows, folder: Path, *, chunked: bool) -> Path:
    """One parquet file, by the writer of ``turnmill build``."""
    plain = functools.partial(_without_chunks, pq.ParquetWriter)
    with mock.patch.object(seal.pq, "ParquetWriter", pq.ParquetWriter if chunked else plain):
        writer = seal.VersionWriter(folder)
        for frame in batches(rows):
            writer.write(frame, pl.Series(["train"] * len(frame)))
        writer.close()
    return folder / "data" / "train-00000.parquet"


def _without_chunks(writer: type, *arguments: Any, **options: Any) -> Any:
    assert options.pop("use_content_defined_chunking")
    return writer(*arguments, **options)


def upload(file: Path, store: Path) -> Uploaded:
    """Put a file into a chunk store with hf_xet."""
    import hf_xet

    commit = hf_xet.XetSession().new_upload_commit(endpoint=f"local://{store}")
    commit.start_upload_file(str(file))
    found = commit.wait_to_finish().dedup_metrics
    return Uploaded(found.total_bytes, found.new_bytes, found.total_bytes_uploaded)


def measure(rows: Rows, more: Rows, change: str, folder: Path, *, chunked: bool) -> Uploaded:
    """The second upload, after one change."""
    store = folder / "store"
    store.mkdir()
    upload(written(rows, folder / "first", chunked=chunked), store)
    return upload(written(CHANGES[change](rows, more), folder / "second", chunked=chunked), store)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--conversations", type=int, default=40_000)
    parser.add_argument("--markdown", action="store_true", help="print the table of the document")
    chosen = parser.parse_args()
    every = made(chosen.conversations + int(chosen.conversations * SHARE))
    rows, more = every[: chosen.conversations], every[chosen.conversations :]
    head = ("change", "whole file (LFS)", "not chunked", "chunked", "chunked to LFS")
    lines: list[tuple[str, ...]] = []
    for change in CHANGES:
        found = []
        for chunked in (False, True):
            with tempfile.TemporaryDirectory() as folder:
                found.append(measure(rows, more, change, Path(folder), chunked=chunked))
        off, on = found
        whole = on.size if change != "nothing" else 0
        ratio = f"{on.sent / whole:.3f}" if whole else ""
        sizes = (f"{size / 1e6:.2f} MB" for size in (whole, off.sent, on.sent))
        lines.append((change, *sizes, ratio))
        if not chosen.markdown:
            print(" | ".join(lines[-1]), flush=True)
    if chosen.markdown:
        for line in (head, ("---",) * len(head), *lines):
            print(f"| {' | '.join(line)} |")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as cache:
        # hf_xet reads it when it is loaded; a store in the user's own folder would know the chunks
        os.environ["HF_XET_CACHE"] = cache
        main()
