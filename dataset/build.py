"""From the store to a sealed dataset version: select, fold through the steps, split, write, seal.

The same store and spec give the same fingerprint and the same bytes, whatever the number of workers
and threads. Rows flow in batches, so memory does not grow with the version. Everything is written
into a hidden folder whose content gets its name when the manifest is in it, so a build that dies
leaves nothing.
"""

import contextlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from dataset.flow import Flow, Progress
from dataset.manifest import (
    MANIFEST,
    DatasetSpec,
    DatasetVersion,
    StepReport,
    VersionError,
    list_versions,
)
from dataset.read import Source
from dataset.seal import VersionWriter
from dataset.site import building_site
from dataset.split import split_of
from dataset.steps.base import ClusteringStep, StepContext
from dataset.steps.registry import canonical, make, resolve
from ingest.errors import UserError
from ingest.files import write_json, write_whole
from ingest.store import Store
from ingest.version import __version__
from ingest.workspace import Workspace


class BuildError(UserError):
    """A build that has nothing to seal."""


def build(
    store: Store,
    spec: DatasetSpec,
    workspace: Workspace,
    *,
    workers: int = 1,
    now: datetime | None = None,
    on_progress: Progress | None = None,
) -> DatasetVersion:
    """Build and seal a version of ``spec`` from the store.

    If a version of this name with the same content is sealed already, that one is returned.

    Args:
        store: open.
        spec: what is asked.
        workspace: where versions lie.
        workers: processes for the steps that may run in several; the result is the same.
        now: when it is sealed.
        on_progress: see :data:`dataset.flow.Progress`.

    Raises:
        BuildError: nothing is left to seal.
        SpecError: the spec names unknown steps, or options they do not take.
        VersionError: the disk cannot hold the version.
    """
    resolved = resolve(spec.steps)
    spec = spec.model_copy(update={"steps": canonical(resolved)})
    steps = make(resolved, StepContext(store, workspace, spec.seed))
    parent = workspace.datasets / spec.name
    try:
        with building_site(parent) as site:
            flow = Flow(steps, site, workers=workers, on_progress=on_progress)
            source = Source(store, spec.where, on_progress)
            return _seal(flow, source, spec, workspace, site, now or datetime.now(UTC))
    except OSError as error:
        raise VersionError(
            f"{parent}: cannot be written: {error.strerror or error}",
            "no version was made; free disk space and build again",
        ) from None


def _seal(
    flow: Flow, source: Source, spec: DatasetSpec, workspace: Workspace, site: Path, now: datetime
) -> DatasetVersion:
    hidden = site / "version"
    started = time.perf_counter()
    with flow.removed, _writer(hidden) as writer:
        for frame, splits in _placed(flow.run(source.frames()), spec):
            writer.write(frame, splits)
        counts, files, fingerprint = writer.close()
        reports = [tally.report for tally in flow.tallies]
        if source.curated.report is not None:
            reports.insert(0, source.curated.report)
        if not any(each.conversations for each in counts.values()):
            raise BuildError(*_nothing_left(source, reports))
        earlier = list_versions(workspace, spec.name)
        for version in earlier:
            if version.fingerprint == fingerprint:
                return version
        version = DatasetVersion(
            path=workspace.datasets / spec.name / fingerprint,
            name=spec.name,
            fingerprint=fingerprint,
            created_at=now,
            spec=spec,
            splits=counts,
            steps=reports,
            sources=sorted(source.sources),
            files=files,
            parent=earlier[-1].fingerprint if earlier else None,
            curation=source.curated.record,
            code_version=__version__,
            seconds=_seconds(flow, started),
        )
        _keep_beside(flow, version, workspace)
    write_json(hidden / MANIFEST, version.model_dump(mode="json", by_alias=True))
    hidden.rename(version.path)
    return version


def _seconds(flow: Flow, started: float) -> dict[str, float]:
    total = {"build": time.perf_counter() - started}
    for tally in flow.tallies:
        name = tally.report.name  # a step may stand in a spec twice
        total[name] = total.get(name, 0.0) + tally.seconds
    return {name: round(seconds, 3) for name, seconds in total.items()}


@contextlib.contextmanager
def _writer(folder: Path) -> Iterator[VersionWriter]:
    writer = VersionWriter(folder)
    try:
        yield writer
    except BaseException:
        writer.abandon()
        raise


def _placed(
    frames: Iterator[pl.DataFrame], spec: DatasetSpec
) -> Iterator[tuple[pl.DataFrame, pl.Series]]:
    for frame in frames:
        names = [split_of(id_, spec.split, spec.seed) for id_ in frame["id"]]
        yield frame, pl.Series("split", names, pl.String)


def _keep_beside(flow: Flow, version: DatasetVersion, workspace: Workspace) -> None:
    """Put into the workspace, where no published file lies, what was taken out for what."""
    table = flow.removed.table()
    if table is not None:
        from dataset.redact.ledger import write_ledger

        frame = pl.DataFrame(pl.from_arrow(table))
        write_ledger(workspace, version.name, version.fingerprint, frame)
    for number, step in enumerate(flow.steps, 1):
        if isinstance(step, ClusteringStep):
            file = f"{number:02}-{step.name}.parquet"
            with write_whole(
                workspace.clusters / version.name / version.fingerprint / file
            ) as clusters:
                pq.write_table(step.clusters().to_arrow(), clusters, compression="zstd")


def _nothing_left(source: Source, reports: list[StepReport]) -> tuple[str, str]:
    if source.store.is_empty():
        return "the store is empty", "import an export first: turnmill import FILE"
    if not len(source) and source.curated.report is not None:
        gone = source.curated.report.rows_in
        return f"all {gone} conversations are excluded by hand", "see 'turnmill decisions'"
    if not len(source):
        return "no conversation fits the spec's 'where'", "run 'turnmill conversations'"
    worst = max(reports, key=lambda report: report.rows_in - report.kept)
    reasons = ", ".join(f"{count} {reason}" for reason, count in worst.dropped.items())
    hint = f"step {worst.name} dropped: {reasons}"
    if "no assistant turn" in worst.dropped:
        hint += "; for people's chats choose the assistant: turnmill import --as-assistant NAME"
    return "no conversation is left after the steps", hint
