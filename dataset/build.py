"""From the store to a sealed dataset version: select, fold through the steps, split, write, seal.

The same store and spec give the same fingerprint and the same bytes. Everything is written into a
hidden folder that gets its name when the manifest is in it, so a build that dies leaves nothing.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from dataset.manifest import (
    MANIFEST,
    SPLITS,
    DatasetSpec,
    DatasetVersion,
    FileInfo,
    SplitCounts,
    StepReport,
    VersionError,
    list_versions,
)
from dataset.rows import ROW_SCHEMA, row_hash, to_row
from dataset.split import split_of
from dataset.steps.base import StepContext, TwoPassStep
from dataset.steps.registry import canonical, make, resolve
from ingest.errors import UserError
from ingest.files import sha256_file, write_json
from ingest.store import Store
from ingest.version import __version__
from ingest.workspace import Workspace

_ROW_GROUP = 2048
_CHUNK = 2048

Progress = Callable[[int], None]


class BuildError(UserError):
    """A build that has nothing to seal."""


def build(
    store: Store,
    spec: DatasetSpec,
    workspace: Workspace,
    *,
    now: datetime | None = None,
    on_progress: Progress | None = None,
) -> DatasetVersion:
    """Build and seal a version of ``spec`` from the store.

    If a version of this name with the same content is sealed already, that one is returned.

    Raises:
        BuildError: nothing is left to seal.
        SpecError: the spec names an unknown step.
        VersionError: the disk cannot hold the version.
    """
    resolved = resolve(spec.steps)
    spec = spec.model_copy(update={"steps": canonical(resolved)})
    steps = make(resolved, StepContext(store, workspace, spec.seed))
    frame, sources = _select(store, spec, on_progress)
    reports: list[StepReport] = []
    for each in steps:
        if isinstance(each, TwoPassStep):
            each.observe(frame)
        result = each.apply(frame)
        frame = result.frame
        reports.append(result.report)
    if not len(frame):
        raise BuildError(*_nothing_left(store, reports))
    splits = _split(frame, spec)
    fingerprint = _fingerprint(splits)
    folder = workspace.datasets / spec.name / fingerprint
    earlier = list_versions(workspace, spec.name)
    for version in earlier:
        if version.fingerprint == fingerprint:
            return version
    version = DatasetVersion(
        path=folder,
        name=spec.name,
        fingerprint=fingerprint,
        created_at=now or datetime.now(UTC),
        spec=spec,
        splits={name: _counts(table) for name, table in splits.items()},
        steps=reports,
        sources=sources,
        files={},
        parent=earlier[-1].fingerprint if earlier else None,
        code_version=__version__,
    )
    return _seal(version, splits)


def _select(
    store: Store, spec: DatasetSpec, on_progress: Progress | None
) -> tuple[pl.DataFrame, list[str]]:
    where = spec.where
    ords = store.select_ords(where.importers, where.participants, where.since, where.until)
    chunks: list[pa.Table] = []
    sources: set[str] = set()
    rows: list[dict[str, Any]] = []
    for at, (conversation, content_hash, source) in enumerate(store.stream_ords(ords), 1):
        rows.append(to_row(conversation, content_hash))
        sources.add(source)
        if len(rows) == _CHUNK:
            chunks.append(pa.Table.from_pylist(rows, ROW_SCHEMA))
            rows = []
            if on_progress is not None:
                on_progress(at)
    chunks.append(pa.Table.from_pylist(rows, ROW_SCHEMA))
    frame = cast(pl.DataFrame, pl.from_arrow(pa.concat_tables(chunks)))
    return frame, sorted(sources)


def _nothing_left(store: Store, reports: list[StepReport]) -> tuple[str, str]:
    if not store.counts():
        return "the store is empty", "import an export first: turnmill import FILE"
    if not reports or not reports[0].rows_in:
        return "no conversation fits the spec's 'where'", "run 'turnmill conversations'"
    worst = max(reports, key=lambda report: report.rows_in - report.kept)
    reasons = ", ".join(f"{count} {reason}" for reason, count in worst.dropped.items())
    hint = f"step {worst.name} dropped: {reasons}"
    if "no assistant turn" in worst.dropped:
        hint += "; for people's chats choose the assistant: turnmill import --as-assistant NAME"
    return "no conversation is left after the steps", hint


def _split(frame: pl.DataFrame, spec: DatasetSpec) -> dict[str, pa.Table]:
    names = pl.Series("split", [split_of(id_, spec.split, spec.seed) for id_ in frame["id"]])
    tables = {}
    for name in SPLITS:
        part = frame.filter(names == name)
        if len(part) or name == "train":
            # combined chunks: the parquet bytes must not depend on how the rows arrived
            tables[name] = part.to_arrow().cast(ROW_SCHEMA).combine_chunks()
    return tables


def _fingerprint(splits: dict[str, pa.Table]) -> str:
    """sha256 over the sorted ``<split> <row hash>`` lines: content, not bytes and not order."""
    lines = sorted(
        f"{name} {row_hash(row)}\n" for name, table in splits.items() for row in _rows(table)
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in table.to_batches(max_chunksize=1024):
        yield from batch.to_pylist()


def _counts(table: pa.Table) -> SplitCounts:
    roles = cast(pl.DataFrame, pl.from_arrow(table.select(["messages"])))
    # a conversation without messages explodes into one null
    flat = roles.explode("messages")["messages"].struct.field("role").drop_nulls()
    return SplitCounts(
        conversations=table.num_rows,
        messages=len(flat),
        assistant_messages=int((flat == "assistant").sum()),
    )


def _seal(version: DatasetVersion, splits: dict[str, pa.Table]) -> DatasetVersion:
    parent = version.path.parent
    parent.mkdir(parents=True, exist_ok=True)
    hidden = Path(tempfile.mkdtemp(dir=parent, prefix=".building-"))
    try:
        files = _write(hidden, splits)
        sealed = version.model_copy(update={"files": files})
        write_json(hidden / MANIFEST, sealed.model_dump(mode="json", by_alias=True))
        hidden.rename(version.path)
    except OSError as error:
        raise VersionError(
            f"{parent}: cannot be written: {error.strerror or error}",
            "no version was made; free disk space and build again",
        ) from None
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    return sealed


def _write(folder: Path, splits: dict[str, pa.Table]) -> dict[str, FileInfo]:
    (folder / "data").mkdir()
    files = {}
    for name, table in splits.items():
        file = folder / "data" / f"{name}-00000.parquet"
        pq.write_table(table, file, compression="zstd", row_group_size=_ROW_GROUP, version="2.6")
        files[f"data/{file.name}"] = FileInfo(sha256=sha256_file(file), bytes=file.stat().st_size)
    return files
