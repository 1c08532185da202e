"""What a step of a build is: batches of conversations in, batches and reports out."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast, runtime_checkable

import polars as pl
from pydantic import BaseModel, ConfigDict

from dataset.manifest import StepReport
from ingest.store import Store
from ingest.workspace import Workspace

CLUSTERS_SCHEMA = pl.Schema({"kept": pl.String, "dropped": pl.String})
"""Ids of a kept conversation and of one that was dropped for it."""

EXAMPLES = 3
"""How many conversations a preview shows of each thing that a step does."""


class Example(NamedTuple):
    """One conversation that a step drops, for a preview.

    Attributes:
        id: of the conversation.
        reason: as in the report.
    """

    id: str
    reason: str


class StepResult(NamedTuple):
    """What a step makes of one batch.

    Attributes:
        frame: the conversations that go on, schema ``dataset.rows.ROW_SCHEMA``, order kept.
        report: in, kept, dropped by reason; the reports of a build's batches add up.
        removed: rows for the redaction ledger, schema ``dataset.redact.ledger.LEDGER_SCHEMA``.
        examples: some of the dropped, for a preview.
    """

    frame: pl.DataFrame
    report: StepReport
    removed: pl.DataFrame | None = None
    examples: tuple[Example, ...] = ()


class StepOptions(BaseModel):
    """The options of a step, as a spec may set them; unknown ones are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class StepContext:
    """What a step may need beyond the rows; there when it is made, not while it runs.

    A parallel step must not hold on to the store: it is pickled into worker processes.

    Attributes:
        store: the open store that is built from.
        workspace: where the store and the versions lie.
        seed: of the spec.
        stand_ins: by the id of a conversation that is kept in place of an earlier one, the id of
            that: it goes to the split where that would have gone. Steps add to it.
    """

    store: Store
    workspace: Workspace
    seed: int = 0
    stand_ins: dict[str, str] = field(default_factory=dict)


class Step(Protocol):
    """One step of one build. It sees batches in order of first import and edits no store.

    The class is registered and made anew for every build. Its ``Options`` is a nested class.

    Attributes:
        name: as in a spec's ``steps``.
        title: what it does, one line.
        parallel: what becomes of a row depends on that row alone, and the step pickles: batches
            may be worked on in any process and any order.
    """

    name: str
    title: str
    parallel: bool

    @property
    def Options(self) -> type[StepOptions]:  # noqa: N802 - a class
        """The model of its options."""
        ...

    def __init__(self, options: Any, context: StepContext, /) -> None: ...

    def apply(self, frame: pl.DataFrame) -> StepResult:
        """Fold one batch."""
        ...


@runtime_checkable
class TwoPassStep(Step, Protocol):
    """A step that must have seen every conversation before it decides about the first."""

    def observe(self, frame: pl.DataFrame) -> None:
        """Look at a batch: every one, in order, before the first ``apply``."""
        ...


class Rows(Protocol):
    """All rows that a step has observed, on disk.

    Attributes:
        file: where they lie; its folder takes further temporary files.
        starts: for each frame, the number of its first row.
    """

    file: Path
    starts: list[int]

    def frame(self, at: int) -> pl.DataFrame:
        """Frame number ``at``, as it was observed."""
        ...


@runtime_checkable
class SettlingStep(TwoPassStep, Protocol):
    """A two-pass step that wants another look at some rows before it decides."""

    def settle(self, rows: Rows) -> None:
        """Decide: after the last ``observe``, before the first ``apply``."""
        ...


@runtime_checkable
class ClusteringStep(Step, Protocol):
    """A step that keeps one conversation for several; which ones is kept in the workspace."""

    def clusters(self) -> pl.DataFrame:
        """Schema :data:`CLUSTERS_SCHEMA`, when all is done."""
        ...


StepClass = type[Step]
"""What is registered; made anew for every build."""


def options_of(kind: StepClass) -> type[StepOptions]:
    """The model of a step's options."""
    return cast(type[StepOptions], kind.Options)  # mypy takes a nested class for a method


def keep(frame: pl.DataFrame, name: str, reasons: pl.Series) -> StepResult:
    """Keep the rows whose reason is null; count the others by reason.

    Args:
        frame: the conversations.
        name: the step's name.
        reasons: (rows,) text or null; why a row is dropped.
    """
    kept = frame.filter(reasons.is_null())
    counts = reasons.drop_nulls().value_counts(sort=True, name="n")
    dropped = dict(counts.select(reasons.name, "n").iter_rows())
    gone = frame.select("id", reasons.alias("reason")).filter(reasons.is_not_null())
    examples = gone.group_by("reason", maintain_order=True).head(EXAMPLES).select("id", "reason")
    return StepResult(
        kept,
        StepReport(name=name, rows_in=len(frame), kept=len(kept), dropped=dropped),
        examples=tuple(Example(*row) for row in examples.iter_rows()),
    )
