"""Looks once more through a sealed version for what redaction should have taken out.

Apart from redaction: other patterns, and the participants' names as plain words. It says where and
of which kind, never what.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import polars as pl
import pyarrow.parquet as pq

from dataset.flow import Stopwatch
from dataset.manifest import SPLITS, DatasetVersion, StepReport, StepSpec
from dataset.redact.check_looks import Asked, Batch, Left, Looks, ids_of
from dataset.redact.check_patterns import KINDS
from ingest.errors import UserError
from ingest.processes import in_order
from ingest.store import Store, open_store
from ingest.workspace import Workspace

_BATCH = 1024
_FEW = 32 * _BATCH
"""Conversations that one process has looked through by the time others have started."""

NamesOf = Callable[[Sequence[str]], dict[str, list[str]]]
"""Gives the participants' names by conversation id, of those ids that the store knows."""


class RedactCheckError(UserError):
    """A version that still holds what its redaction step should have taken out."""


@dataclass(frozen=True)
class CheckReport:
    """What a look through a version found.

    Attributes:
        conversations: looked through.
        unknown: of these, conversations that the store does not hold: their names are not known.
        left: what was found.
    """

    conversations: int
    unknown: int
    left: Sequence[Left]

    @property
    def clean(self) -> bool:
        """Whether nothing was found, and everything could be looked for."""
        return not self.left and not self.unknown

    @property
    def by_kind(self) -> dict[str, int]:
        """How often each kind was found, most often first."""
        return dict(Counter(each.kind for each in self.left).most_common())


def check_version(version: DatasetVersion, workspace: Workspace) -> CheckReport:
    """Look through a version for everything that the check knows, whatever its spec asked for.

    Values that its redaction step was told to keep are no finds.

    Raises:
        StoreError: the store is open elsewhere.
    """
    files = [version.file(split) for split in SPLITS if split in version.splits]
    keep = [value for step in redact_steps(version.spec.steps) for value in step.get("keep", [])]
    asked = Asked(KINDS, people=True, keep=frozenset(value.casefold() for value in keep))
    with open_store(workspace.create().store) as store:
        return check_files(files, asked, store.participants_of)


def checked_reports(
    reports: Sequence[StepReport],
    files: Sequence[Path],
    steps: Sequence[StepSpec],
    store: Store,
    *,
    workers: int = 1,
    clock: Stopwatch | None = None,
) -> list[StepReport]:
    """The reports of a build's steps, with what is left noted among the redaction's facts.

    Looked for is what the redaction steps were asked to take out.

    Args:
        reports: of the steps.
        files: as written, before they are sealed.
        steps: with every option spelled out.
        store: open.
        workers: processes that look; the same is found with any number.
        clock: counts the CPU seconds spent on it, those of the workers too.

    Raises:
        RedactCheckError: something is left, and a step's ``check`` is "fail".
    """
    options = [each for each in redact_steps(steps) if each["check"] != "off"]
    if not options:
        return list(reports)
    asked = Asked(
        frozenset(kind for each in options for kind in each["kinds"]) & KINDS,
        people=any(each["people"] for each in options),
        keep=frozenset(value.casefold() for each in options for value in each["keep"]),
    )
    found = check_files(files, asked, store.participants_of, workers=workers, clock=clock)
    if found.left and any(each["check"] == "fail" for each in options):
        raise RedactCheckError(
            f"redaction left something in {len({each.conversation for each in found.left})} "
            f"conversations: {told(found.by_kind)}",
            "no version was made; see them with check = 'warn' and 'turnmill redact-check', "
            "then add patterns, or values to keep",
        )
    left = {f"left: {kind}": count for kind, count in found.by_kind.items()}
    return [
        each.model_copy(update={"facts": {**each.facts, **left}}) if each.name == "redact" else each
        for each in reports
    ]


def told(by_kind: Mapping[str, int]) -> str:
    """Counts by kind in words."""
    return ", ".join(f"{count} {kind}" for kind, count in by_kind.items())


def redact_steps(steps: Sequence[StepSpec]) -> list[dict[str, Any]]:
    """The options of the redaction steps among a spec's."""
    return [dict(step.options) for step in steps if step.name == "redact"]


def check_files(
    files: Sequence[Path],
    asked: Asked,
    names_of: NamesOf,
    *,
    workers: int = 1,
    clock: Stopwatch | None = None,
) -> CheckReport:
    """Look through parquet files of rows.

    Args:
        files: of conversations, or of preference pairs.
        asked: what is looked for.
        names_of: see the type.
        workers: processes that look, unless there is little to look at; the same is found with any
            number.
        clock: counts the CPU seconds spent on it, those of the workers too.
    """
    clock = clock or Stopwatch()
    if sum(pq.read_metadata(file).num_rows for file in files) < _FEW:
        workers = 1
    conversations = unknown = 0
    left: list[Left] = []
    batches = clock.over(_batches(files, names_of if asked.people else None))
    for seen in in_order(Looks(asked), batches, workers):
        conversations += seen.conversations
        unknown += seen.unknown
        left += seen.left
        clock.seconds += seen.seconds
    return CheckReport(conversations, unknown, left)


def _batches(files: Iterable[Path], names_of: NamesOf | None) -> Iterator[Batch]:
    """Rows with the names of their people, if those are asked for: only here is the store open."""
    for file in files:
        with pq.ParquetFile(file, pre_buffer=False) as opened:
            for batch in opened.iter_batches(batch_size=_BATCH):
                rows = cast(pl.DataFrame, pl.from_arrow(batch))
                yield Batch(rows, names_of(ids_of(rows)) if names_of else None)
