"""Drops conversations whose messages say exactly what an earlier conversation's do."""

import polars as pl

from dataset.steps.base import StepContext, StepOptions, StepResult, keep


class DedupeExact:
    """Keeps the first of conversations with equal roles, contents and tool calls.

    Names, ids and times do not count: the same talk exported twice is one talk.
    """

    name = "dedupe-exact"
    title = "drop exact repetitions of an earlier conversation"
    parallel = False

    class Options(StepOptions):
        """None."""

    def __init__(self, options: Options, context: StepContext) -> None:
        """See :class:`dataset.steps.base.StepClass`."""

    def apply(self, frame: pl.DataFrame) -> StepResult:
        """See the class."""
        said = frame.select(
            pl.col("messages")
            .list.eval(
                pl.struct(
                    pl.element().struct.field("role"),
                    pl.element().struct.field("content"),
                    pl.element().struct.field("reasoning"),
                    pl.element()
                    .struct.field("tool_calls")
                    .list.eval(
                        pl.struct(
                            pl.element().struct.field("name"),
                            pl.element().struct.field("arguments"),
                        )
                    ),
                )
            )
            .alias("said")
        )
        first = said.select(pl.col("said").is_first_distinct()).to_series()
        texts = [None if keeps else "repeats an earlier one" for keeps in first]
        reasons = pl.Series("reason", texts, dtype=pl.String)
        return keep(frame, self.name, reasons)
