"""From the store to a sealed dataset version: select, fold through the steps, split, write, seal.

The same store and spec give the same fingerprint and the same bytes, whatever the number of workers
and threads. Rows flow in batches, so memory does not grow with the version. Everything is written
into a hidden folder whose content gets its name when the manifest is in it, so a build that dies
leaves nothing.
"""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dataset.assembly import Assembly, BuildError
from dataset.flow import DIGEST, Flow, Progress
from dataset.manifest import (
    MANIFEST,
    DatasetSpec,
    DatasetVersion,
    StepReport,
    VersionError,
    list_versions,
)
from dataset.preference import PAIR_SCHEMA, as_pairs
from dataset.rows import ROW_SCHEMA
from dataset.seal import VersionWriter
from dataset.site import building_site
from dataset.steps.base import ClusteringStep
from ingest.files import write_json, write_whole
from ingest.store import Store
from ingest.version import __version__
from ingest.workspace import Workspace

__all__ = ["BuildError", "build"]


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
        RedactCheckError: a redaction step says so, and the written files are not clean.
        SpecError: the spec names unknown steps, or options they do not take.
        VersionError: the disk cannot hold the version.
    """
    assembly = Assembly(store, spec, workspace, workers=workers, on_progress=on_progress)
    parent = workspace.datasets / spec.name
    try:
        with building_site(parent) as site:
            return _seal(assembly, workspace, site, now or datetime.now(UTC), workers)
    except OSError as error:
        raise VersionError(
            f"{parent}: cannot be written: {error.strerror or error}",
            "no version was made; free disk space and build again",
        ) from None


def _seal(
    assembly: Assembly, workspace: Workspace, site: Path, now: datetime, workers: int
) -> DatasetVersion:
    hidden = site / "version"
    is_pairs = assembly.spec.kind == "preference"
    with _writer(hidden, PAIR_SCHEMA if is_pairs else ROW_SCHEMA) as writer:
        for frame, splits in assembly.placed(site):
            with assembly.clock("writing").running():
                writer.write(as_pairs(frame, DIGEST) if is_pairs else frame, splits)
        with assembly.clock("writing").running():
            counts, files, fingerprint = writer.close()
    reports = _checked(assembly, hidden, workers)
    if not any(each.conversations for each in counts.values()):
        raise assembly.nothing_left()
    spec = assembly.spec
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
        split_report=assembly.placement.report(),
        steps=reports,
        sources=sorted(assembly.source.sources),
        files=files,
        parent=earlier[-1].fingerprint if earlier else None,
        curation=assembly.source.curated.record,
        code_version=__version__,
        seconds=assembly.seconds(),
    )
    _keep_beside(assembly.flow, version, workspace)
    write_json(hidden / MANIFEST, version.model_dump(mode="json", by_alias=True))
    hidden.rename(version.path)
    return version


def _checked(assembly: Assembly, hidden: Path, workers: int) -> list[StepReport]:
    """The steps' reports, with what the redaction check still finds in the written files."""
    reports = assembly.reports()
    if not any(report.name == "redact" for report in reports):
        return reports
    from dataset.redact.check import checked_reports

    files = sorted(hidden.glob("data/*.parquet"))
    clock = assembly.clock("redact-check")
    steps, store = assembly.spec.steps, assembly.source.store
    return checked_reports(reports, files, steps, store, workers=workers, clock=clock)


@contextlib.contextmanager
def _writer(folder: Path, schema: pa.Schema) -> Iterator[VersionWriter]:
    writer = VersionWriter(folder, schema)
    try:
        yield writer
    except BaseException:
        writer.abandon()
        raise


def _keep_beside(flow: Flow, version: DatasetVersion, workspace: Workspace) -> None:
    """Put into the workspace, where no published file lies, what was taken out for what."""
    if flow.removed is not None and len(flow.removed):
        from dataset.redact.ledger import write_ledger

        write_ledger(workspace, version.name, version.fingerprint, flow.removed)
    for number, step in enumerate(flow.steps, 1):
        if isinstance(step, ClusteringStep):
            file = f"{number:02}-{step.name}.parquet"
            with write_whole(
                workspace.clusters / version.name / version.fingerprint / file
            ) as clusters:
                pq.write_table(step.clusters().to_arrow(), clusters, compression="zstd")
