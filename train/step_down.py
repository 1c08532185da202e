"""What a run out of memory does next: the same rows per optimiser step in less memory.

Micro batches are halved and their number doubled; then activations are recomputed; then, only
where the plan allows it, rows are cut shorter. The order of the rows stays that of the plan.
"""

from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from train.plan import TrainPlan

SHORTEST = 64
_LENGTH_STEP = 32
HELD_OUT = "held-out loss"


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RunSetup(_Value):
    """What a step down may change."""

    micro_batch: int = Field(description="rows per forward pass")
    grad_accumulation: int = Field(description="forward passes per step")
    checkpointing: bool = Field(description="recompute activations to save memory")
    max_length: int = Field(description="tokens per row at most")

    def __str__(self) -> str:
        recomputed = ", checkpointing" if self.checkpointing else ""
        batch = f"micro batch {self.micro_batch} x {self.grad_accumulation}"
        return f"{batch}, length {self.max_length}{recomputed}"


class StepDown(_Value):
    """A change that a run made because memory ran out."""

    at: datetime = Field(description="UTC")
    step: int = Field(description="optimiser steps done; the run went on from its last checkpoint")
    during: str = Field(description="loading, burn-in, training, held-out loss")
    reason: str = Field(description="what was raised")
    peak_gib: float | None = Field(default=None, description="the most memory held until then")
    before: RunSetup = Field(description="what was too much")
    after: RunSetup = Field(description="what was done instead")


@dataclass
class Moment:
    """What an attempt is doing, for the record of what ends it.

    Attributes:
        during: loading, burn-in, training, held-out loss.
        step: optimiser steps done.
        longest: tokens of the longest row to train on; 0 while nothing is built yet.
        peak_gib: the most memory held.
    """

    during: str = "loading"
    step: int = 0
    longest: int = 0
    peak_gib: float | None = None


def setup_of(plan: TrainPlan) -> RunSetup:
    """What the plan says."""
    return RunSetup(
        micro_batch=plan.micro_batch,
        grad_accumulation=plan.grad_accumulation,
        checkpointing=plan.checkpointing,
        max_length=plan.max_length,
    )


def setup_after(plan: TrainPlan, changes: list[StepDown]) -> RunSetup:
    """What the run does now."""
    return changes[-1].after if changes else setup_of(plan)


def stepped(plan: TrainPlan, setup: RunSetup) -> TrainPlan:
    """The plan as it is now done; its rows' order is still that of the plan as written."""
    return plan.model_copy(update=setup.model_dump())


def next_setup(plan: TrainPlan, now: RunSetup, longest: int, during: str) -> RunSetup | None:
    """The next rung down, or None at the foot of the ladder.

    Args:
        plan: as written.
        now: what was too much.
        longest: tokens of the longest row to train on, before a rung cut it.
        during: what was being done; nothing but smaller batches helps the held-out loss, which
            keeps no activations and whose rows stay whole.
    """
    rows = now.micro_batch
    if rows > 1:
        fewer = max(n for n in range(1, rows // 2 + 1) if rows % n == 0)
        more = now.grad_accumulation * rows // fewer
        return now.model_copy(update={"micro_batch": fewer, "grad_accumulation": more})
    if during == HELD_OUT:
        return None
    if not now.checkpointing:
        return now.model_copy(update={"checkpointing": True})
    # a pair of answers shares its prompt: it cannot be cut as a row can
    if not plan.allow_shorter or plan.kind != "chat":
        return None
    length = min(now.max_length, longest)
    shorter = max(SHORTEST, -(-length // 2 // _LENGTH_STEP) * _LENGTH_STEP)
    return now.model_copy(update={"max_length": shorter}) if shorter < length else None
