"""Keeps conversations by a regular expression."""

import polars as pl
from pydantic import Field, field_validator

from dataset.steps.base import StepContext, StepOptions, StepResult, keep
from dataset.steps.edit import flat
from ingest.message import Role


class TextOptions(StepOptions):
    """What to look for, and where."""

    pattern: str = Field(
        description="regular expression (Rust's regex: no look-around, linear time)"
    )
    roles: list[Role] = Field(
        default=["user", "assistant"], min_length=1, description="whose messages are searched"
    )
    ignore_case: bool = Field(default=False, description="case makes no difference")

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        return compiles(value)


def compiles(pattern: str) -> str:
    """The pattern, if it is one.

    Raises:
        ValueError: it is none.
    """
    try:
        pl.Series([""]).str.contains(pattern)
    except pl.exceptions.ComputeError as error:
        last = str(error).strip().splitlines()[-1]
        raise ValueError(f"not a regular expression: {last}") from None
    return pattern


class Matches:
    """A match in any message of the roles is enough."""

    name = "matches"
    title = "keep conversations in which a pattern is found"
    parallel = True
    Options = TextOptions

    def __init__(self, options: TextOptions, _context: StepContext) -> None:
        """See :class:`dataset.steps.base.Step`."""
        self._options = options

    def apply(self, frame: pl.DataFrame) -> StepResult:
        """See the class."""
        found = _rows_with(frame, self._options)
        reasons = [None if row in found else "no match" for row in range(len(frame))]
        return keep(frame, self.name, pl.Series("reason", reasons, pl.String))


class NotMatches:
    """A match in any message of the roles is enough."""

    name = "not-matches"
    title = "drop conversations in which a pattern is found"
    parallel = True
    Options = TextOptions

    def __init__(self, options: TextOptions, _context: StepContext) -> None:
        """See :class:`dataset.steps.base.Step`."""
        self._options = options

    def apply(self, frame: pl.DataFrame) -> StepResult:
        """See the class."""
        found = _rows_with(frame, self._options)
        reasons = ["matches" if row in found else None for row in range(len(frame))]
        return keep(frame, self.name, pl.Series("reason", reasons, pl.String))


def _rows_with(frame: pl.DataFrame, options: TextOptions) -> set[int]:
    pattern = f"(?i:{options.pattern})" if options.ignore_case else options.pattern
    messages = flat(frame).filter(pl.col("role").is_in(options.roles))
    return set(messages.filter(pl.col("content").str.contains(pattern))["row"])
