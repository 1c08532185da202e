"""What became of the conversations of a split when they were rendered, in numbers."""

import re
from collections import Counter
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from train.control import RenderError
from train.rows import Row
from train.windows import Fitted

TOO_LONG = "no trained token within max_length"
NOT_SHOWN = "the template shows nothing of what the assistant says"


class SplitCounts(BaseModel):
    """What became of one split when it was rendered."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str = Field(description="relative to the run's folder")
    sha256: str = Field(description="of that file")
    rows: int = Field(description="rows to train or judge on")
    tokens: int = Field(description="tokens in them, after cutting")
    trained_tokens: int = Field(description="tokens in them that count in the loss")
    refused: dict[str, int] = Field(description="conversations left out, by reason")
    turns: int = Field(default=0, description="assistant turns that are trained")
    turns_apart: int = Field(
        default=0, description="those in a row of their own, as the server would show their context"
    )
    turns_unserved: int = Field(
        default=0, description="those whose context the template never shows as the server would"
    )
    turns_not_shown: int = Field(
        default=0, description="assistant messages of which the template shows nothing; not trained"
    )
    rows_cut: int = Field(description="rows longer than max_length, cut at their end")
    conversations_split: int = Field(
        default=0, description="longer than max_length, cut at turn borders into several rows"
    )
    tokens_lost: int = Field(description="tokens cut off or in rows left out for length")
    trained_tokens_lost: int = Field(description="trained tokens among them")
    stops_lost: int = Field(default=0, description="turns that lost the token that stops them")


def reason_of(error: RenderError) -> str:
    """The reason under which a refusal is counted."""
    # the number of the message would make each row a reason of its own
    return re.sub(r"\d+", "N", error.message)


def counted(sums: Counter[str], refused: Counter[str], file: str, sha256: str) -> SplitCounts:
    """What became of a split, from sums under the names of the fields."""
    numbers: dict[str, Any] = {
        name: sums[name]
        for name, field in SplitCounts.model_fields.items()
        if field.annotation is int
    }
    return SplitCounts(file=file, sha256=sha256, refused=dict(refused), **numbers)


class Tally:
    """Counts while rows are made."""

    def __init__(self) -> None:
        self.refused: Counter[str] = Counter()
        self.empty = 0  # conversations without a trained token
        self._sums: Counter[str] = Counter()

    def refuse(self, error: RenderError) -> None:
        """A conversation that cannot be masked."""
        self.refused[reason_of(error)] += 1

    def take(self, rows: list[Row], fitted: list[Fitted]) -> list[Fitted]:
        """A conversation's rows; returns those with something to train."""
        self._sums["turns_not_shown"] += sum(row.not_shown for row in rows)
        if not any(sum(row.rendered.loss_mask) for row in rows):
            if any(row.not_shown for row in rows):
                self.refused[NOT_SHOWN] += 1
            else:
                self.empty += 1
            return []
        kept = [one for one in fitted if any(one.loss_mask)]
        self._sums["turns_apart"] += sum(row.apart for row in rows)
        self._sums["conversations_split"] += len(fitted) > len(rows)
        for one in fitted:
            whole = 0 if any(one.loss_mask) else len(one.ids)
            self._sums["tokens_lost"] += one.tokens_lost + whole
            self._sums["trained_tokens_lost"] += one.trained_lost
            self._sums["stops_lost"] += one.stops_lost
        for one in kept:
            self._sums["rows"] += 1
            self._sums["tokens"] += len(one.ids)
            self._sums["trained_tokens"] += sum(one.loss_mask)
            self._sums["turns"] += one.trained
            self._sums["turns_unserved"] += one.unserved
            self._sums["rows_cut"] += one.tokens_lost > 0
        if not kept:
            self.refused[TOO_LONG] += 1
        return kept

    def counts(self, file: str, sha256: str) -> SplitCounts:
        """Everything counted."""
        return counted(self._sums, self.refused, file, sha256)
