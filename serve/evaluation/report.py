"""What an evaluation found: ``report.json``."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np
import orjson
from pydantic import BaseModel, ConfigDict, Field

from ingest.errors import UserError
from ingest.files import read_json, write_json
from ingest.workspace import Workspace
from serve.evaluation.statistics import Interval

REPORT = "report.json"

Verdict = Literal["learned", "worse", "no clear change", "too few conversations"]


class EvaluationError(UserError):
    """An evaluation that cannot be done as asked, or is missing."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Score(_Value):
    """A number with its 95 % interval."""

    mean: float = Field(description="the estimate")
    low: float | None = Field(description="lower end; null where there is too little for one")
    high: float | None = Field(description="upper end, likewise")
    n: int = Field(description="conversations behind it")

    @classmethod
    def of(cls, interval: Interval) -> "Score":
        """From the statistics' own type."""
        return cls(**interval._asdict())


class ConversationScore(_Value):
    """Both models on one conversation; nats per scored token."""

    id: str = Field(description="the conversation's id")
    tokens: int = Field(description="all tokens, after cutting")
    scored: int = Field(description="tokens of the assistant among them")
    base: float = Field(description="of the base model")
    model: float = Field(description="of the tuned model")


class Lengths(_Value):
    """Tokens per conversation of one split."""

    n: int = Field(description="conversations")
    total: int = Field(description="tokens in all of them")
    median: float = Field(description="half are shorter")
    p95: float = Field(description="95 % are shorter")
    longest: int = Field(description="the longest")
    edges: list[int] = Field(description="bin i holds edges[i] <= length < edges[i + 1]")
    counts: list[int] = Field(description="conversations by bin")

    @classmethod
    def of(cls, lengths: Sequence[int], bins: int = 24) -> "Lengths":
        """Count lengths, of which there is at least one, into bins of equal width."""
        width = max(1, -(-(max(lengths) + 1) // bins))
        edges = list(range(0, max(lengths) + width + 1, width))
        counts, _ = np.histogram(lengths, bins=edges)
        return cls(
            n=len(lengths),
            total=sum(lengths),
            median=float(np.median(lengths)),
            p95=float(np.percentile(lengths, 95)),
            longest=max(lengths),
            edges=edges,
            counts=counts.tolist(),
        )


class SampleMessage(_Value):
    """One message of a prompt, as shown."""

    role: str = Field(description="who speaks")
    content: str = Field(description="what")


class Answer(_Value):
    """What one model answered."""

    text: str = Field(description="the answer; empty if refused")
    finish_reason: str | None = Field(description="stop, length; null if refused")
    error: str | None = Field(default=None, description="the endpoint's error code, if refused")


class Sample(_Value):
    """A held-out prompt and the models' answers."""

    id: str = Field(description="the conversation's id")
    prompt: list[SampleMessage] = Field(description="the messages before the last answer")
    reference: str = Field(description="what the assistant said in the export")
    base: Answer | None = Field(description="of the base model; null if it was not served")
    model: Answer = Field(description="of the tuned model")


class EvalReport(_Value):
    """What ``report.json`` holds."""

    eval_id: str = Field(description="hash over all below but the time")
    model: str = Field(description="name of the tuned model")
    base: str = Field(description="name of the model it is compared with")
    run: str | None = Field(description="the run that made the model")
    dataset: str = Field(description="the dataset's name")
    dataset_fingerprint: str = Field(description="the version judged on")
    trained_on: str | None = Field(description="fingerprint of the version trained on")
    split: str = Field(description="the held-out split")
    seed: int = Field(description="of resampling and of the choice of samples")
    scores: dict[str, Score] = Field(description="by name")
    conversations: list[ConversationScore] = Field(description="in the split's order")
    skipped: dict[str, int] = Field(description="conversations not scored, by reason")
    lengths: dict[str, Lengths] = Field(description="by split")
    samples: list[Sample] = Field(description="prompts with answers")
    created_at: datetime = Field(description="UTC")

    @property
    def verdict(self) -> Verdict:
        """What the difference and its interval say."""
        delta = self.scores["nll_delta"]
        if delta.low is None or delta.high is None:
            return "too few conversations"
        if delta.high < 0:
            return "learned"
        return "worse" if delta.low > 0 else "no clear change"


def sealed(report: EvalReport) -> EvalReport:
    """The report under its id: the same findings have the same id, whenever they were made."""
    body = report.model_dump(mode="json", exclude={"eval_id", "created_at"})
    digest = hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()
    return report.model_copy(update={"eval_id": f"eval-{digest[:12]}"})


def write_report(report: EvalReport, workspace: Workspace) -> Path:
    """Write ``evals/<id>/report.json``; returns the folder."""
    folder = workspace.evals / report.eval_id
    write_json(folder / REPORT, report.model_dump(mode="json"))
    return folder


def read_report(folder: Path) -> EvalReport:
    """The report in a folder.

    Raises:
        EvaluationError: none, or one that does not parse.
    """
    file = folder / REPORT
    try:
        return EvalReport.model_validate(read_json(file))
    except FileNotFoundError:
        raise EvaluationError(f"{folder}: holds no {REPORT}", "run 'turnmill evaluate'") from None
    except ValueError as error:
        detail = str(error).splitlines()[0]
        raise EvaluationError(f"{file}: {detail}", "run 'turnmill evaluate' again") from None
