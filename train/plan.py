"""Every number of a run resolved, nothing started: what ``plan.json`` says."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dataset.manifest import DatasetVersion
from ingest.errors import UserError
from ingest.files import read_json
from train.device import Device
from train.order import step_rows, steps_per_epoch
from train.rendered import RowsError
from train.spec import LoraSpec, TrainOn, TrainSpec
from train.tally import SplitCounts

PLAN = "plan.json"
_CHECKPOINTS_PER_RUN = 10


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


class TrainPlan(_Value):
    """A run with every number resolved."""

    format: int = Field(default=1, description="layout of this file")
    run_id: str = Field(description="the run's name")
    run_dir: Path = Field(description="the run's folder; plan.json lies in it")
    dataset: DatasetUse = Field(description="what is trained on")
    base: BaseUse = Field(description="what is trained")
    lora: LoraSpec = Field(description="the adapter")
    device: Device = Field(description="where it is meant to run")
    precision: Literal["fp32", "bf16"] = Field(description="of the weights and the arithmetic")
    checkpointing: bool = Field(description="recompute activations to save memory")
    micro_batch: int = Field(description="rows per forward pass")
    grad_accumulation: int = Field(description="forward passes per step")
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
    rows: int = Field(description="rows of the train split")
    tokens: int = Field(description="tokens over the whole run, padding not counted")
    trained_tokens: int = Field(description="tokens among them that count in the loss")
    splits: dict[str, SplitCounts] = Field(description="what became of each split")


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

    Raises:
        RowsError: no row is left to train on.
    """
    if not lengths:
        reasons = "; ".join(f"{n} rows: {why}" for why, n in splits["train"].refused.items())
        raise RowsError(
            f"{version.name}: no row is left to train on ({reasons or 'the split is empty'})",
            "raise max_length, or choose another base model or dataset version",
        )
    per_epoch = steps_per_epoch(len(lengths), spec.micro_batch, spec.grad_accumulation)
    steps = spec.max_steps or math.ceil(spec.epochs * per_epoch)
    rows = step_rows(
        [tokens for tokens, _ in lengths],
        spec.micro_batch,
        spec.grad_accumulation,
        spec.seed,
        steps,
    )
    seen = [lengths[row] for batch in rows for row in batch]
    held_out = splits.get("validation")
    return TrainPlan(
        run_id=run_id,
        run_dir=run_dir,
        dataset=DatasetUse(name=version.name, fingerprint=version.fingerprint, path=version.path),
        base=base,
        lora=spec.lora,
        device=device,
        precision="bf16" if device.kind == "cuda" and device.bf16 else "fp32",
        # on the CPU memory is plenty and time is not
        checkpointing=device.kind != "cpu" if spec.checkpointing is None else spec.checkpointing,
        micro_batch=spec.micro_batch,
        grad_accumulation=spec.grad_accumulation,
        max_length=spec.max_length,
        learning_rate=spec.learning_rate,
        warmup_steps=math.ceil(spec.warmup_ratio * steps),
        epochs=steps / per_epoch,
        steps=steps,
        save_every_steps=spec.save_every_steps or math.ceil(steps / _CHECKPOINTS_PER_RUN),
        keep_checkpoints=spec.keep_checkpoints,
        seed=spec.seed,
        train_on=spec.train_on,
        eval=spec.eval and held_out is not None and held_out.rows > 0,
        rows=len(lengths),
        tokens=sum(tokens for tokens, _ in seen),
        trained_tokens=sum(trained for _, trained in seen),
        splits=dict(splits),
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
