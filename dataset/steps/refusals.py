"""Answers in which the assistant refuses to help."""

import polars as pl
from pydantic import Field, field_validator

from dataset.steps.base import StepContext, StepOptions, StepResult
from dataset.steps.edit import Action, act, trained_answers, verdicts_of
from dataset.steps.refusal_patterns import REFUSALS
from dataset.steps.select_text import compiles

_BEGINNING = 400
"""Characters of an answer in which a refusal is looked for: it comes first."""


class Refusals:
    """Finds refusals by how answers begin; see ``dataset.steps.refusal_patterns``."""

    name = "refusals"
    title = "do not train answers that refuse, or drop their conversations"
    parallel = True

    class Options(StepOptions):
        """What is done, and in which languages it is looked for."""

        action: Action = Field(
            default="untrain", description="the answer is not trained, or its conversation goes"
        )
        languages: list[str] = Field(
            default=[], description=f"of {', '.join(sorted(REFUSALS))}; none means all"
        )
        patterns: list[str] = Field(
            default=[], description="further regular expressions, over lower-case beginnings"
        )

        @field_validator("languages")
        @classmethod
        def _known(cls, value: list[str]) -> list[str]:
            unknown = sorted(set(value) - set(REFUSALS))
            if unknown:
                raise ValueError(f"no patterns for: {', '.join(unknown)}")
            return value

        @field_validator("patterns")
        @classmethod
        def _compile(cls, value: list[str]) -> list[str]:
            return [compiles(each) for each in value]

    def __init__(self, options: Options, _context: StepContext) -> None:
        """See :class:`dataset.steps.base.Step`."""
        self._action = options.action
        languages = options.languages or sorted(REFUSALS)
        patterns = [each for language in languages for each in REFUSALS[language]]
        self._pattern = "|".join(f"(?:{each})" for each in [*patterns, *options.patterns])

    def apply(self, frame: pl.DataFrame) -> StepResult:
        """See the class."""
        beginning = (
            pl.col("content")
            .str.strip_chars()
            .str.slice(0, _BEGINNING)
            .str.to_lowercase()
            .str.replace_all("’", "'", literal=True)
        )
        found = trained_answers(frame).filter(beginning.str.contains(self._pattern))
        verdicts = verdicts_of(found.with_columns(pl.lit("refused").alias("reason")))
        return act(frame, self.name, verdicts, self._action)
