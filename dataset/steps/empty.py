"""Drops conversations that say nothing, and does not train answers that do not."""

import polars as pl

from dataset.steps.base import StepContext, StepOptions, StepResult, keep
from dataset.steps.edit import act, flat, verdicts_of


class Empty:
    """Looks for what says nothing: attachments alone, blank texts, conversations of those only.

    An answer that is blank, or that answers a blank message (an image that is not in the dataset),
    is not trained. Conversations in which either side says nothing at all are dropped.
    """

    name = "empty"
    title = "drop conversations in which a side says nothing; do not train blank answers"
    parallel = True
    Options = StepOptions

    def __init__(self, options: StepOptions, _context: StepContext) -> None:
        """See :class:`dataset.steps.base.Step`."""

    def apply(self, frame: pl.DataFrame) -> StepResult:
        """See the class."""
        blank = pl.col("content").str.strip_chars().str.len_bytes() == 0
        says = ~blank | pl.col("tool_calls").is_not_null()
        messages = flat(frame).with_columns(says.alias("says"))
        sides = {
            side: set(messages.filter((pl.col("role") == side) & pl.col("says"))["row"])
            for side in ("user", "assistant")
        }
        reasons = [_silent(row, sides) for row in range(len(frame))]
        dropped = keep(frame, self.name, pl.Series("reason", reasons, pl.String))
        turns = flat(dropped.frame).with_columns(says.alias("says"))
        asked = pl.when(pl.col("role") == "user").then(pl.col("says")).forward_fill().over("row")
        bad = turns.with_columns(asked.alias("asked")).filter(
            (pl.col("role") == "assistant") & (~pl.col("says") | ~pl.col("asked"))
        )
        reason = pl.when(pl.col("says")).then(pl.lit("answers a blank message"))
        found = bad.with_columns(reason.otherwise(pl.lit("blank answer")).alias("reason"))
        judged = act(dropped.frame, self.name, verdicts_of(found), "untrain")
        report = dropped.report.model_copy(
            update={"changed": judged.report.changed, "changes": judged.report.changes}
        )
        return StepResult(judged.frame, report, examples=dropped.examples)


def _silent(row: int, sides: dict[str, set[int]]) -> str | None:
    for side, rows in sides.items():
        if row not in rows:
            return f"the {side} says nothing"
    return None
