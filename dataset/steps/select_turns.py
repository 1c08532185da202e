"""Keeps conversations of some length: in turns, or in the assistant's share of them."""

import polars as pl
from pydantic import Field

from dataset.steps.base import StepContext, StepOptions, StepResult, keep

_TURNS = ("user", "assistant")


class MinTurns:
    """A turn is a message of the user or the assistant."""

    name = "min-turns"
    title = "drop conversations with fewer turns"
    parallel = True

    class Options(StepOptions):
        """How many."""

        at_least: int = Field(ge=1, description="turns of the user and the assistant together")

    def __init__(self, options: Options, _context: StepContext) -> None:
        """See :class:`dataset.steps.base.Step`."""
        self._at_least = options.at_least

    def apply(self, frame: pl.DataFrame) -> StepResult:
        """See the class."""
        return keep(
            frame, self.name, _reason(frame, _turns() < self._at_least, "fewer turns than asked")
        )


class MaxTurns:
    """A turn is a message of the user or the assistant."""

    name = "max-turns"
    title = "drop conversations with more turns"
    parallel = True

    class Options(StepOptions):
        """How many."""

        at_most: int = Field(ge=1, description="turns of the user and the assistant together")

    def __init__(self, options: Options, _context: StepContext) -> None:
        """See :class:`dataset.steps.base.Step`."""
        self._at_most = options.at_most

    def apply(self, frame: pl.DataFrame) -> StepResult:
        """See the class."""
        return keep(
            frame, self.name, _reason(frame, _turns() > self._at_most, "more turns than asked")
        )


class AssistantShare:
    """The share is that of characters in what the user and the assistant say."""

    name = "assistant-share"
    title = "drop conversations in which the assistant says too little or too much"
    parallel = True

    class Options(StepOptions):
        """Bounds, both included."""

        at_least: float = Field(default=0.0, ge=0, le=1, description="share of the characters")
        at_most: float = Field(default=1.0, ge=0, le=1, description="share of the characters")

    def __init__(self, options: Options, _context: StepContext) -> None:
        """See :class:`dataset.steps.base.Step`."""
        self._at_least = options.at_least
        self._at_most = options.at_most

    def apply(self, frame: pl.DataFrame) -> StepResult:
        """See the class."""
        assistant = _characters("assistant")
        share = assistant / (assistant + _characters("user"))
        reasons = frame.select(
            pl.when(share.is_nan())
            .then(pl.lit("nothing is said"))
            .when(share < self._at_least)
            .then(pl.lit("the assistant says too little"))
            .when(share > self._at_most)
            .then(pl.lit("the assistant says too much"))
            .otherwise(pl.lit(None, pl.String))
            .alias("reason")
        )
        return keep(frame, self.name, reasons.to_series())


def _turns() -> pl.Expr:
    role = pl.element().struct.field("role")
    return pl.col("messages").list.eval(role.is_in(_TURNS)).list.sum()


def _characters(role: str) -> pl.Expr:
    message = pl.element().struct
    sizes = message.field("content").str.len_chars().cast(pl.Int64)
    return (
        pl.col("messages").list.eval(sizes.filter(message.field("role") == role)).list.sum()
    ).fill_null(0)


def _reason(frame: pl.DataFrame, wrong: pl.Expr, reason: str) -> pl.Series:
    found = pl.when(wrong).then(pl.lit(reason)).otherwise(pl.lit(None, pl.String))
    return frame.select(found.alias("reason")).to_series()
