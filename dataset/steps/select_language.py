"""Keeps conversations in some languages."""

import functools
import re
from typing import TYPE_CHECKING, Literal

import polars as pl
from pydantic import Field, field_validator, model_validator

from dataset.steps.base import StepContext, StepOptions, StepResult, keep
from dataset.steps.edit import flat

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

_CHARACTERS = 4000
"""Characters of a conversation that are looked at."""

# code and addresses are in no language
_NO_LANGUAGE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+|\S+@\S+", re.DOTALL)


class Language:
    """The language is that of most of what the user and the assistant say (py3langid, 139 of them).

    Short or mixed texts are told poorly: below ``confidence`` the language counts as unknown.
    """

    name = "language"
    title = "drop conversations in other languages"
    parallel = True

    class Options(StepOptions):
        """Which; one of keep and drop."""

        keep: list[str] = Field(default=[], description="ISO 639 codes that stay: de, en")
        drop: list[str] = Field(default=[], description="ISO 639 codes that go")
        unknown: Literal["keep", "drop"] = Field(
            default="keep", description="what becomes of texts whose language cannot be told"
        )
        confidence: float = Field(
            default=0.8, ge=0, le=1, description="probability from which the language is known"
        )
        roles: list[Literal["user", "assistant"]] = Field(
            default=["user", "assistant"], min_length=1, description="whose language counts"
        )

        @field_validator("keep", "drop")
        @classmethod
        def _known(cls, value: list[str]) -> list[str]:
            unknown = sorted(set(value) - set(_identifier().labels))
            if unknown:
                raise ValueError(f"no such language: {', '.join(unknown)}")
            return value

        @model_validator(mode="after")
        def _one(self) -> "Language.Options":
            if bool(self.keep) == bool(self.drop):
                raise ValueError("give either keep or drop")
            return self

    def __init__(self, options: Options, _context: StepContext) -> None:
        """See :class:`dataset.steps.base.Step`."""
        self._options = options

    def apply(self, frame: pl.DataFrame) -> StepResult:
        """See the class."""
        texts = (
            flat(frame)
            .filter(pl.col("role").is_in(self._options.roles))
            .group_by("row")
            .agg(pl.col("content").str.slice(0, _CHARACTERS).str.join("\n"))
        )
        said = dict(texts.iter_rows())
        reasons = [self._reason(said.get(row, "")) for row in range(len(frame))]
        return keep(frame, self.name, pl.Series("reason", reasons, pl.String))

    def _reason(self, text: str) -> str | None:
        found = language_of(text[: 2 * _CHARACTERS], self._options.confidence)
        if found is None:
            return "language unknown" if self._options.unknown == "drop" else None
        if found in self._options.keep or (self._options.drop and found not in self._options.drop):
            return None
        return f"language {found}"


def language_of(text: str, confidence: float) -> str | None:
    """The ISO 639 code of the text's language; None if it is less sure than ``confidence``."""
    plain = _NO_LANGUAGE.sub(" ", text).strip()[:_CHARACTERS]
    if not plain:
        return None
    code, probability = _identifier().classify(plain)
    return str(code) if probability >= confidence and code != "zxx" else None


@functools.cache
def _identifier() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
