"""Makes conversations end where the assistant has spoken last."""

from typing import Literal

import polars as pl
from pydantic import Field

from dataset.steps.base import StepContext, StepOptions, StepResult, keep
from dataset.steps.edit import edited


class EndsWithAssistant:
    """Cuts off what comes after the assistant's last message, or drops the conversation for it.

    Nothing after it is ever trained; it only costs tokens. Conversations in which the assistant
    never speaks are left to ``has-assistant``.
    """

    name = "ends-with-assistant"
    title = "cut what comes after the assistant's last message"
    parallel = True

    class Options(StepOptions):
        """What is done."""

        action: Literal["trim", "drop"] = Field(
            default="trim", description="cut the tail, or drop the conversation"
        )

    def __init__(self, options: Options, _context: StepContext) -> None:
        """See :class:`dataset.steps.base.Step`."""
        self._action = options.action

    def apply(self, frame: pl.DataFrame) -> StepResult:
        """See the class."""
        role = pl.element().struct.field("role")
        last = pl.col("messages").list.eval((role == "assistant").arg_true()).list.last()
        extra = (pl.col("messages").list.len() - last - 1).fill_null(0)
        tails = frame.select(extra.alias("tail")).to_series()
        if self._action == "drop":
            ends = pl.when(tails > 0).then(pl.lit("does not end with the assistant"))
            return keep(frame, self.name, frame.select(ends.alias("reason")).to_series())
        after = frame.with_columns(
            pl.col("messages").list.head(pl.col("messages").list.len() - tails)
        )
        cut = int(tails.sum())
        changes = {"messages after the last answer": cut} if cut else {}
        return edited(frame, self.name, after, changes, int((tails > 0).sum()))
