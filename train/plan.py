"""Every number of a run resolved, nothing started: what ``plan.json`` says."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dataset.manifest import DatasetVersion
from ingest.errors import UserError
from ingest.files import read_json
from train.choose import Choice
from train.device import Device
from train.lengths import Histogram, LengthUse
from train.order import step_rows, steps_per_epoch
from train.rendered import SEQUENCES, RowsError
from train.spec import (
    DpoSpec,
    HeldOutSpec,
    LoraSpec,
    Method,
    Optimiser,
    Quantization,
    TrainOn,
    TrainSpec,
)
from train.tally import SplitCounts

PLAN = "plan.json"
_CHECKPOINTS_PER_RUN = 10
# as TRL's own examples of DPO have them
_PREFERENCE_RATES = {"lora": 5e-6, "full": 5e-7}


class PlanError(UserError):
    """A plan file that is missing or damaged, or no longer fits what it names."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DatasetUse(_Value):
    """The version a run trains on."""

    name: str = Field(description="the dataset's name")
    fingerprint: str = Field(description="the version's")
    path: Path = Field(description="the version's folder")


class BaseUse(_Value):
    """The base model a run starts from."""

    model: str = Field(description="as asked: a Hub id or a folder")
    revision: str | None = Field(default=None, description="commit on the Hub, resolved")
    path: Path = Field(description="where its files lie on this machine")
    weights: dict[str, str] = Field(description="sha256 of each weight file, by name")
    template_sha256: str = Field(description="of the chat template")
    template_method: str = Field(
        default="", description="how turns are told apart in it: segments or provenance"
    )
    stop_tokens: list[str] = Field(
        default_factory=list, description="control tokens that end the assistant's turns in it"
    )


class PeakUse(_Value):
    """The forecast of the fullest moment of the run's worst batch; ``train.memory`` makes it."""

    peak_gib: float = Field(description="what the device must have")
    parts_gib: dict[str, float] = Field(description="the same by part")
    expected_error: float = Field(description="share by which the truth may differ")
    basis: str = Field(description="what the expected error rests on")
    memory_gib: float | None = Field(default=None, description="what the device has, if known")
    fits: bool | None = Field(default=None, description="whether it fits, expected error included")
    fix: str | None = Field(default=None, description="what would make it fit, if it does not")


class Estimate(_Value):
    """How long the run takes and what it costs, as a range."""

    seconds: float = Field(description="by the clock, model loading left out")
    low_s: float = Field(description="at best")
    high_s: float = Field(description="at worst")
    basis: str = Field(description="what this rests on")
    usd_per_hour: float | None = Field(default=None, description="price of the device, if known")
    cost_usd: float | None = Field(default=None, description="at that price")


class TrainPlan(_Value):
    """A run with every number resolved."""

    format: int = Field(default=2, description="layout of this file")
    run_id: str = Field(description="the run's name")
    run_dir: Path = Field(description="the run's folder; plan.json lies in it")
    dataset: DatasetUse = Field(description="what is trained on")
    base: BaseUse = Field(description="what is trained")
    kind: Literal["chat", "preference"] = Field(
        default="chat", description="of the version: next tokens, or which of two answers"
    )
    method: Method = Field(default="lora", description="an adapter, or full: all weights")
    lora: LoraSpec = Field(description="the adapter; not looked at when all weights are trained")
    dpo: DpoSpec = Field(default=DpoSpec(), description="only for preference versions")
    quantization: Quantization | None = Field(default=None, description="of the base's layers")
    optimiser: Optimiser = Field(default="adamw", description="what moves the weights")
    packing: bool = Field(default=False, description="rows end to end instead of padded")
    allow_shorter: bool = Field(default=False, description="may go on with shorter rows")
    device: Device = Field(description="where it is meant to run")
    precision: Literal["fp32", "bf16"] = Field(description="of the weights and the arithmetic")
    checkpointing: bool = Field(description="recompute activations to save memory")
    micro_batch: int = Field(description="rows per forward pass")
    grad_accumulation: int = Field(description="forward passes per step, of all processes")
    processes: int = Field(default=1, description="GPUs of one machine that share them out")
    max_length: int = Field(description="tokens per row at most")
    learning_rate: float = Field(description="highest rate; falls to zero along a cosine")
    warmup_steps: int = Field(description="steps until the highest rate")
    epochs: float = Field(description="passes over the rows, as the steps make it")
    steps: int = Field(description="optimiser steps")
    save_every_steps: int = Field(description="steps between checkpoints")
    keep_checkpoints: int = Field(description="older ones are deleted")
    seed: int = Field(description="of row order, adapter and dropout")
    train_on: TrainOn = Field(description="what counts in the loss")
    eval: bool = Field(description="whether the loss on the validation split is taken")
    held_out: HeldOutSpec = Field(
        default=HeldOutSpec(), description="what the loss on the validation split decides"
    )
    report_to: list[str] = Field(default=[], description="trackers of transformers' Trainer")
    stall_s: float = Field(default=1800.0, description="without a sign of life, then it is ended")
    rows: int = Field(description="rows of the train split")
    tokens: int = Field(description="tokens over the whole run, padding not counted")
    trained_tokens: int = Field(description="tokens among them that count in the loss")
    splits: dict[str, SplitCounts] = Field(description="what became of each split")
    lengths: list[LengthUse] = Field(default=[], description="what other maximum lengths would cut")
    histogram: Histogram | None = Field(default=None, description="rows by length, uncut")
    padded_tokens: int = Field(default=0, description="tokens over the whole run, padding counted")
    peak: PeakUse | None = Field(default=None, description="memory, where it can be forecast")
    estimate: Estimate | None = Field(default=None, description="time and cost")
    decisions: list[str] = Field(default=[], description="what was left open, how it was decided")


def make_plan(
    spec: TrainSpec,
    version: DatasetVersion,
    lengths: Sequence[tuple[int, int]],
    device: Device,
    *,
    run_id: str,
    run_dir: Path,
    base: BaseUse,
    splits: Mapping[str, SplitCounts],
    choice: Choice,
    sides: Sequence[int] | None = None,
) -> TrainPlan:
    """Resolve every number of a run. Touches no disk, network or clock.

    Args:
        spec: what is asked.
        version: the dataset version.
        lengths: ``(tokens, trained tokens)`` of each row of the train split, in file order.
        device: where it will run.
        run_id: names the run.
        run_dir: the run's folder.
        base: the resolved base model.
        splits: counts by split, with ``train``.
        choice: what was decided of what the spec leaves open.
        sides: of preference pairs, the tokens of the longer sequence of each; None: rows are one
            sequence each.

    Raises:
        RowsError: no row is left to train on.
    """
    if not lengths:
        reasons = "; ".join(f"{n} rows: {why}" for why, n in splits["train"].refused.items())
        raise RowsError(
            f"{version.name}: no row is left to train on ({reasons or 'the split is empty'})",
            "raise max_length, or choose another base model or dataset version",
        )
    setup, grad_accumulation = choice.setup, choice.grad_accumulation
    micro_batch = setup.micro_batch
    per_epoch = steps_per_epoch(len(lengths), micro_batch, grad_accumulation)
    steps = spec.max_steps or math.ceil(spec.epochs * per_epoch)
    sizes = [tokens for tokens, _ in lengths] if sides is None else sides
    sequences = 1 if sides is None else SEQUENCES
    rows = list(step_rows(sizes, micro_batch, grad_accumulation, spec.seed, steps))
    seen = [lengths[row] for batch in rows for row in batch]
    held_out = splits.get("validation")
    rate, decisions = spec.learning_rate, list(choice.decisions)
    if version.spec.kind == "preference" and "learning_rate" not in spec.model_fields_set:
        rate = _PREFERENCE_RATES[spec.method]
        decisions.append(f"learning rate {rate:g}: usual for preferences, far below next tokens.")
    return TrainPlan(
        run_id=run_id,
        run_dir=run_dir,
        dataset=DatasetUse(name=version.name, fingerprint=version.fingerprint, path=version.path),
        base=base,
        kind=version.spec.kind,
        method=spec.method,
        lora=spec.lora,
        dpo=spec.dpo,
        quantization=setup.quantization,
        optimiser=spec.optimiser,
        packing=choice.packing,
        allow_shorter=spec.allow_shorter,
        device=device,
        precision=setup.precision,
        checkpointing=setup.checkpointing,
        micro_batch=micro_batch,
        grad_accumulation=grad_accumulation,
        processes=spec.processes,
        max_length=choice.max_length,
        learning_rate=rate,
        warmup_steps=math.ceil(spec.warmup_ratio * steps),
        epochs=steps / per_epoch,
        steps=steps,
        save_every_steps=spec.save_every_steps or math.ceil(steps / _CHECKPOINTS_PER_RUN),
        keep_checkpoints=spec.keep_checkpoints,
        seed=spec.seed,
        train_on=spec.train_on,
        eval=spec.eval and held_out is not None and held_out.rows > 0,
        held_out=spec.held_out,
        report_to=spec.report_to,
        stall_s=60 * spec.stall_minutes,
        rows=len(lengths),
        tokens=sum(tokens for tokens, _ in seen),
        trained_tokens=sum(trained for _, trained in seen),
        padded_tokens=sum(tokens for tokens, _ in seen)
        if choice.packing
        else sequences * sum(_padded(sizes, step, micro_batch) for step in rows),
        splits=dict(splits),
        peak=_peak(choice, device),
        decisions=decisions,
    )


def _padded(sizes: Sequence[int], rows: Sequence[int], micro_batch: int) -> int:
    """Tokens of a step's rows when each micro batch is filled up to its longest row."""
    passes = (rows[at : at + micro_batch] for at in range(0, len(rows), micro_batch))
    return sum(len(one) * max(sizes[row] for row in one) for one in passes)


def _peak(choice: Choice, device: Device) -> PeakUse | None:
    made = choice.forecast
    if made is None:
        return None
    return PeakUse(
        peak_gib=made.peak_gib,
        parts_gib={part: size / 2**30 for part, size in made.parts.items()},
        expected_error=made.expected_error,
        basis=made.basis,
        memory_gib=device.memory_gib,
        fits=choice.fits,
        fix=choice.fix,
    )


def read_plan(file: Path) -> TrainPlan:
    """Read a plan file.

    Raises:
        PlanError: missing or damaged.
    """
    try:
        return TrainPlan.model_validate(read_json(file))
    except FileNotFoundError:
        raise PlanError(f"{file}: no such file", "make it with 'turnmill train'") from None
    except (ValidationError, ValueError) as error:
        detail = str(error).splitlines()[0]
        raise PlanError(f"{file}: {detail}", "start a new run from its spec") from None
