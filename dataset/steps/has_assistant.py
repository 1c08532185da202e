"""Drops conversations from which nothing can be learned: no assistant turn, or none to train."""

import polars as pl

from dataset.steps.base import StepResult, keep


class HasAssistant:
    """A conversation needs an assistant message that is trained and has something before it."""

    name = "has-assistant"
    title = "drop conversations without a trainable assistant turn"

    def apply(self, frame: pl.DataFrame) -> StepResult:
        """See the class."""
        message = pl.element().struct
        assistant = message.field("role") == "assistant"
        trained = assistant & message.field("train").fill_null(value=True)
        messages = pl.col("messages")
        reasons = frame.select(
            pl.when(~messages.list.eval(assistant).list.any())
            .then(pl.lit("no assistant turn"))
            .when(~messages.list.eval(trained).list.any())
            .then(pl.lit("no trained assistant turn"))
            .when(~messages.list.eval(message.field("role") == "user").list.any())
            .then(pl.lit("no user turn"))
            .otherwise(pl.lit(None, pl.String))
            .alias("reason")
        ).to_series()
        return keep(frame, self.name, reasons)
