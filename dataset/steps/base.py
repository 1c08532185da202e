"""What a step of a build is: a frame in, a frame and a report out."""

from typing import NamedTuple, Protocol

import polars as pl

from dataset.manifest import StepReport


class StepResult(NamedTuple):
    """What a step gives.

    Attributes:
        frame: the conversations that go on, schema ``dataset.rows.ROW_SCHEMA``, order kept.
        report: in, kept, dropped by reason.
    """

    frame: pl.DataFrame
    report: StepReport


class Step(Protocol):
    """One step. It sees every conversation of the version at once and edits no store.

    Attributes:
        name: as in a spec's ``steps``.
        title: what it does, one line.
    """

    name: str
    title: str

    def apply(self, frame: pl.DataFrame) -> StepResult:
        """Fold the frame."""
        ...


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
    return StepResult(
        kept, StepReport(name=name, rows_in=len(frame), kept=len(kept), dropped=dropped)
    )
