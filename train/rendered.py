"""Renders a split of a version to token ids and masks, once for each way of doing it.

What was rendered is kept in the workspace under a key of everything that decides it: the version's
fingerprint, tokenizer, template, policy and length. A run gets a link to it.
"""

import hashlib
import itertools
import json
import os
import shutil
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
from ingest.files import read_json, sha256_file, write_json, write_whole
from train.policy import DEFAULT, Policy
from train.render import Conversation, RenderError, template_sha256
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
_BATCH = 128  # conversations rendered together
_GROUP = 1024  # rows written together


class RowsError(UserError):
    """Rows that must not be trained on as they are."""


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
    name = f"{split}.parquet"
    target = run_dir / "rendered" / name
    kept = None
    if cache is not None:
        kept = cache / _key(version, split, tokenizer, max_length, policy)
        counts = _from_cache(kept, name)
        if counts is not None:
            _link(kept / name, target)
            return RenderedSplit(counts, _lengths(target))
    tally = Tally()
    rows = _rendered(version, split, tokenizer, max_length, policy, tally, on_progress)
    _write(target, rows)
    if tally.empty:
        raise RowsError(
            f"{version.name}, split {split}: {tally.empty} rows have no trained token",
            "build with the step has-assistant, or look at the train flags and train_on",
        )
    counts = tally.counts(f"rendered/{name}", sha256_file(target))
    if kept is not None:
        _link(target, kept / name)
        write_json(kept / f"{name}.json", counts.model_dump(mode="json"))
    return RenderedSplit(counts, _lengths(target))


def _key(
    version: DatasetVersion, split: str, tokenizer: Any, max_length: int, policy: Policy
) -> str:
    backend = tokenizer.backend_tokenizer.to_str()
    decides = {
        "format": FORMAT,
        "version": version.fingerprint,
        "split": split,
        "tokenizer": hashlib.sha256(backend.encode()).hexdigest(),
        "special": {key: str(value) for key, value in tokenizer.special_tokens_map.items()},
        "template": template_sha256(tokenizer),
        "max_length": max_length,
        "policy": policy._asdict(),
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:32]


def _from_cache(folder: Path, name: str) -> SplitCounts | None:
    told = folder / f"{name}.json"
    if not told.is_file() or not (folder / name).is_file():
        return None
    counts = SplitCounts.model_validate(read_json(told))
    return counts if sha256_file(folder / name) == counts.sha256 else None


def _link(source: Path, target: Path) -> None:
    """The same file at a second place, without its bytes twice where the disk can."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    part.unlink(missing_ok=True)
    try:
        os.link(source, part)
    except OSError:  # another disk, or one that knows no links
        shutil.copyfile(source, part)
    part.replace(target)


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


def _write(file: Path, rows: Iterator[tuple[str, Fitted]]) -> None:
    with (
        write_whole(file) as whole,
        pq.ParquetWriter(whole, RENDERED_SCHEMA, compression="zstd") as writer,
    ):
        group = list(itertools.islice(rows, _GROUP))
        while True:
            writer.write_table(_table(group))
            group = list(itertools.islice(rows, _GROUP))
            if not group:
                return


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
