"""Rendered rows, kept in the workspace under a key of everything that decides them.

That is the version's fingerprint, the tokenizer, its template, and what the caller names: policy,
length and layout. A run gets a link to the kept file.
"""

import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from dataset.manifest import DatasetVersion
from ingest.files import read_json, sha256_file, write_json, write_whole
from train.render import template_sha256
from train.tally import SplitCounts

_Row = TypeVar("_Row")
_GROUP = 1024  # rows written together


def kept_or_made(
    version: DatasetVersion,
    split: str,
    tokenizer: Any,
    target: Path,
    decides: Mapping[str, Any],
    *,
    make: Callable[[Path], SplitCounts],
    cache: Path | None,
) -> SplitCounts:
    """Put the rows of a split at ``target``, made anew only if they were never made that way.

    Args:
        version: sealed.
        split: its name.
        tokenizer: with a chat template.
        target: the file to be there afterwards.
        decides: what else decides the rows, as JSON can say it.
        make: writes the file and counts.
        cache: a folder for what was made before; left out: everything is made anew.
    """
    if cache is None:
        return make(target)
    kept = cache / _key(version, split, tokenizer, decides)
    counts = _found(kept, target.name)
    if counts is not None:
        _link(kept / target.name, target)
        return counts
    counts = make(target)
    _link(target, kept / target.name)
    write_json(kept / f"{target.name}.json", counts.model_dump(mode="json"))
    return counts


def write_groups(
    file: Path,
    schema: pa.Schema,
    rows: Iterator[_Row],
    table_of: Callable[[list[_Row]], pa.Table],
) -> None:
    """Write rows as one Parquet file, whole, without holding more than a group of them.

    Args:
        file: to be there afterwards; with the schema alone where there is no row.
        schema: of the file.
        rows: in the file's order.
        table_of: the table of some rows, with that schema.
    """
    with (
        write_whole(file) as whole,
        pq.ParquetWriter(whole, schema, compression="zstd") as writer,
    ):
        group = list(itertools.islice(rows, _GROUP))
        while True:
            writer.write_table(table_of(group))
            group = list(itertools.islice(rows, _GROUP))
            if not group:
                return


def _key(version: DatasetVersion, split: str, tokenizer: Any, decides: Mapping[str, Any]) -> str:
    backend = tokenizer.backend_tokenizer.to_str()
    all_ = {
        "version": version.fingerprint,
        "split": split,
        "tokenizer": hashlib.sha256(backend.encode()).hexdigest(),
        "special": {key: str(value) for key, value in tokenizer.special_tokens_map.items()},
        "template": template_sha256(tokenizer),
        **decides,
    }
    return hashlib.sha256(json.dumps(all_, sort_keys=True).encode()).hexdigest()[:32]


def _found(folder: Path, name: str) -> SplitCounts | None:
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
