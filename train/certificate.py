"""``merge_certificate.json``: what was merged, how far it is from what was trained, who may use it.

Whoever loads, publishes or judges a merged model asks :func:`verify_model` first.
"""

from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from ingest.errors import UserError
from ingest.files import read_json, sha256_file

CERTIFICATE = "merge_certificate.json"
# written for people, or by the Hub: no loader reads them
_BESIDE = frozenset({CERTIFICATE, "README.md", ".gitattributes", "Modelfile"})

ERROR_TIMES = 100
"""The adapter's effect must be this many times the error of the fp32 merge."""
RELATIVE = 1e-5
"""Norm of that error over the norm of the logits, at most."""
CAST_KL = 1e-4
"""Mean KL (nats per token) by which rounding to the stored dtype may move the model."""
CAST_TIMES = 10
"""The adapter's own mean KL must be this many times the rounding's."""

Dtype = Literal["fp32", "bf16", "fp16"]


class MergeRefused(UserError):  # noqa: N818 - a verdict, not an accident
    """A merge that did not happen, or whose result is not the function that was trained."""


class Comparison(BaseModel):
    """Logits of the merged model against base + adapter, over all compared positions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int = Field(description="rows compared")
    positions: int = Field(description="positions compared, each a whole row of logits")
    max_abs: float = Field(description="largest difference of a logit")
    relative_l2: float = Field(description="norm of the difference over the norm of the logits")
    kl: float = Field(description="mean KL divergence (nats) of merged from base + adapter")
    argmax_agree: float = Field(description="share of positions with the same most likely token")
    mean_abs: float | None = Field(default=None, description="mean difference of a logit")
    clear_positions: int | None = Field(
        default=None,
        description="positions whose first token leads the second by more than twice the error",
    )
    clear_agree: float | None = Field(
        default=None, description="share of those with the same most likely token"
    )
    adapter_kl: float | None = Field(
        default=None, description="mean KL divergence (nats) of base from base + adapter"
    )
    adapter_effect: float = Field(description="largest difference that the adapter makes to base")
    effect_to_error: float | None = Field(
        description="adapter_effect / max_abs; none when max_abs is zero"
    )


class MergeCertificate(BaseModel):
    """What was merged, and how far the result is from base + adapter."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = Field(default=1, description="layout of this file")
    run_id: str = Field(description="the run that made the adapter")
    created_at: datetime = Field(description="UTC")
    verdict: Literal["pass", "fail"] = Field(description="whether the merge may be used")
    reason: str = Field(description="what the verdict rests on")
    recipe: str = Field(default="", description="how it was merged, and onto which weights")
    dtype: str = Field(default="fp32", description="of the stored weights, cast once at the end")
    compared_on: str = Field(description="split whose rows were compared")
    comparison: Comparison = Field(description="merged from disk against base + adapter, fp32")
    cast: Comparison | None = Field(
        default=None, description="the same of the stored weights, where they were cast"
    )
    base: str = Field(description="the base model as asked for")
    base_revision: str | None = Field(description="its commit on the Hub")
    base_weights: dict[str, str] = Field(description="sha256 by file")
    adapter: dict[str, str] = Field(description="sha256 by path in the run's folder")
    files: dict[str, str] = Field(description="sha256 of each file of the merged model")
    dataset_fingerprint: str = Field(description="the version trained on")
    template_sha256: str = Field(description="of the chat template, the same before and after")
    eos_token_ids: list[int] = Field(description="tokens that end generation")
    stop_tokens: list[str] = Field(
        default=[], description="control tokens that end the assistant's turns in the template"
    )
    generation: dict[str, Any] = Field(default={}, description="the generation config")
    packages: dict[str, str] = Field(description="versions")


class Judgement(NamedTuple):
    """Whether a merge may be used, and why."""

    passed: bool
    reason: str


def read_certificate(model: Path) -> MergeCertificate:
    """The certificate in a merged model's folder, not yet checked against its files.

    Raises:
        MergeRefused: none, or one that does not parse.
    """
    file = model / CERTIFICATE
    try:
        return MergeCertificate.model_validate(read_json(file))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise MergeRefused(
            f"{model}: holds no readable {CERTIFICATE}", "merge the run again"
        ) from None


def verify_model(model: Path) -> MergeCertificate:
    """The certificate of a merged model whose files are exactly those that it certifies.

    Reads every byte of the folder.

    Args:
        model: the folder.

    Raises:
        MergeRefused: no certificate, a verdict other than pass, or a file that is missing, was
            changed or was added since.
    """
    certificate = read_certificate(model)
    if certificate.verdict != "pass":
        raise MergeRefused(
            f"{model}: its certificate does not pass: {certificate.reason}", "merge the run again"
        )
    for name, digest in certificate.files.items():
        file = model / name
        if Path(name).name != name or not file.is_file():
            raise MergeRefused(f"{file}: is certified and not there", "merge the run again")
        if sha256_file(file) != digest:
            raise MergeRefused(
                f"{file}: is not the file that was certified",
                "put it back, or merge the run again",
            )
    added = {file.name for file in model.iterdir()} - certificate.files.keys() - _BESIDE
    if added:
        raise MergeRefused(
            f"{model / min(added)}: was added to a certified model",
            "move it out of the folder: what is loaded must be what was certified",
        )
    return certificate


def judge(comparison: Comparison, *, whole: bool = False) -> Judgement:
    """Whether the arithmetic of a merge is right: in fp32, before any rounding.

    The comparison has power only where the adapter does something: against an adapter without
    effect, a merge that lost it would look perfect.

    Args:
        comparison: of the merged model, read from the disk, with what was trained.
        whole: whether all weights were trained: then it is a copy, and the effect the training's.
    """
    what, cause = ("copy", "the training") if whole else ("merge", "the adapter")
    if not comparison.adapter_effect > 0:
        if whole:
            return Judgement(
                False, "the training changed nothing: its rate was too low for these weights"
            )
        return Judgement(
            False, "the adapter changes nothing: its layers were not found, or it never learned"
        )
    if not comparison.max_abs * ERROR_TIMES <= comparison.adapter_effect:
        return Judgement(
            False,
            f"the {what} is off by {comparison.max_abs:.3g}, too much beside {cause}'s "
            f"effect of {comparison.adapter_effect:.3g}",
        )
    if not comparison.relative_l2 <= RELATIVE:
        return Judgement(
            False,
            f"the {what} is off by {comparison.relative_l2:.3g} of the logits' norm, "
            f"above {RELATIVE:g}",
        )
    return Judgement(
        True,
        f"the {what} is off by {comparison.max_abs:.3g}, at most a hundredth of {cause}'s "
        f"effect of {comparison.adapter_effect:.3g}",
    )


def judge_cast(cast: Comparison, dtype: str) -> Judgement:
    """Whether rounding the merged weights to ``dtype`` left the function that was trained.

    Args:
        cast: of the stored weights, read from the disk, with what was trained in fp32.
        dtype: as it is told.
    """
    told = f"stored in {dtype} it is off by a mean KL of {cast.kl:.3g}"
    again = "; merge with --dtype fp32"
    if not cast.kl <= CAST_KL:
        return Judgement(False, f"{told}, above {CAST_KL:g}{again}")
    if cast.adapter_kl is None or not cast.kl * CAST_TIMES <= cast.adapter_kl:
        effect = "unknown" if cast.adapter_kl is None else f"{cast.adapter_kl:.3g}"
        return Judgement(False, f"{told}, too much beside the adapter's own of {effect}{again}")
    return Judgement(True, f"{told}, the adapter's own is {cast.adapter_kl:.3g}")
