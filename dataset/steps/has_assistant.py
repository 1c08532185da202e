"""Drops conversations from which nothing can be learned: no assistant turn, or none to train."""

import polars as pl

from dataset.steps.base import StepContext, StepOptions, StepResult, keep


class HasAssistant:
    """A conversation needs an assistant message that is trained and a user message before it."""

    name = "has-assistant"
    title = "drop conversations without a trainable assistant turn"
    parallel = True

    class Options(StepOptions):
        """None."""

    def __init__(self, options: Options, context: StepContext) -> None:
        """See :class:`dataset.steps.base.StepClass`."""

    def apply(self, frame: pl.DataFrame) -> StepResult:
        """See the class."""
        message = pl.element().struct
        assistant = message.field("role") == "assistant"
        trained = assistant & message.field("train").fill_null(value=True)
        user = message.field("role") == "user"
        messages = pl.col("messages")
        first_user = messages.list.eval(user.arg_true()).list.first()
        last_trained = messages.list.eval(trained.arg_true()).list.last()
        reasons = frame.select(
            pl.when(~messages.list.eval(assistant).list.any())
            .then(pl.lit("no assistant turn"))
            .when(~messages.list.eval(trained).list.any())
            .then(pl.lit("no trained assistant turn"))
            .when(~messages.list.eval(user).list.any())
            .then(pl.lit("no user turn"))
            .when(first_user > last_trained)
            .then(pl.lit("no user turn before the assistant's"))
            .otherwise(pl.lit(None, pl.String))
            .alias("reason")
        ).to_series()
        return keep(frame, self.name, reasons)
