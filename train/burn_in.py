"""The heaviest micro batch first, as a trial: what does not fit is known before the first step.

The rule: afterwards everything is as it was, so that a run is to the bit what it is without.
"""

import random
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import TrainerCallback

from train.run_trainer import RunTrainer
from train.step_down import Moment

GIB = 2**30
# their states are made so that they may leave the device: they never decide whether a step fits
_PAGED = "paged"


class BurnIn(TrainerCallback):  # type: ignore[misc] # transformers ships no types
    """Runs the trial once the trainer has made its optimiser and read its checkpoint."""

    def __init__(self, trainer: RunTrainer, at: Moment) -> None:
        self.trainer = trainer
        self.at = at

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Try the heaviest micro batch."""
        self.at.during = "burn-in"
        plan = self.trainer.plan
        forecast = plan.peak.peak_gib if plan.peak else None
        self.trainer.emit({"event": "burn_in", **burn_in(self.trainer), "forecast_gib": forecast})
        self.at.during = "training"


def burn_in(trainer: RunTrainer) -> dict[str, Any]:
    """Two forward and backward passes of the heaviest micro batch and a step that moves nothing.

    Twice, so that gradients wait while the second is computed; then the step, so that the
    optimiser's states exist beside them. With states from a checkpoint that step is left out.

    Args:
        trainer: inside ``train()``, before its first step.

    Returns:
        Its rows, tokens (padding counted), seconds and the peak of memory in GiB.
    """
    rows = heaviest(trainer)
    started = time.monotonic()
    _forget_peak(trainer.args.device.type)
    with _put_back(trainer):
        for _ in range(2):
            inputs = trainer.data_collator([trainer.train_dataset[row] for row in rows])
            items = trainer._get_num_items_in_batch([inputs], trainer.args.device)
            tokens = next(iter(inputs.values())).numel()
            trainer.training_step(trainer.model_wrapped, inputs, items)
            trainer.pulse.beat("burn-in")
        _step_nowhere(trainer)
    peak = peak_gib(trainer.args.device.type)
    seconds = round(time.monotonic() - started, 3)
    return {"rows": len(rows), "tokens": tokens, "seconds": seconds, "peak_gib": peak}


def heaviest(trainer: RunTrainer) -> list[int]:
    """Rows of the micro batch with the most tokens, padding counted, of the whole run."""
    lengths = trainer.lengths_of(trainer.train_dataset)
    sampler: Any = trainer._get_train_sampler()
    size = trainer.args.per_device_train_batch_size
    most, found = 0, []
    for epoch in range(-int(-trainer.plan.epochs // 1)):
        sampler.set_epoch(epoch)
        order = list(sampler)
        for at in range(0, len(order), size):
            rows = order[at : at + size]
            tokens = len(rows) * max(lengths[row] for row in rows)
            if tokens > most:
                most, found = tokens, rows
    return found


def _step_nowhere(trainer: RunTrainer) -> None:
    # what accelerate wraps: its own step asks whether gradients are in step with other processes
    optimiser = trainer.optimizer.optimizer
    if optimiser.state or _PAGED in trainer.plan.optimiser:
        return
    rates = [group["lr"] for group in optimiser.param_groups]
    for group in optimiser.param_groups:
        group["lr"] = 0.0
        for parameter in group["params"]:
            # a gradient that is no number would move weights even at rate 0
            if parameter.grad is not None:
                parameter.grad.zero_()
    try:
        optimiser.step()
    finally:
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate
        optimiser.state.clear()


@contextmanager
def _put_back(trainer: RunTrainer) -> Iterator[None]:
    """Everything that a pass moves, as it was before the block."""
    progress, seen = trainer.progress, trainer._total_train_tokens
    states = _random_states()
    try:
        yield
    finally:
        trainer.model_wrapped.zero_grad(set_to_none=True)
        trainer.progress, trainer._total_train_tokens = progress, seen
        trainer._metrics["train"].clear()
        _set_random_states(states)


def _random_states() -> dict[str, Any]:
    states = {"python": random.getstate(), "numpy": np.random.get_state(),
              "cpu": torch.get_rng_state()}  # fmt: skip
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state_all()
    elif torch.backends.mps.is_available():
        states["mps"] = torch.mps.get_rng_state()
    return states


def _set_random_states(states: dict[str, Any]) -> None:
    random.setstate(states["python"])
    np.random.set_state(states["numpy"])
    torch.set_rng_state(states["cpu"])
    if "cuda" in states:
        torch.cuda.set_rng_state_all(states["cuda"])
    if "mps" in states:
        torch.mps.set_rng_state(states["mps"])


def _forget_peak(kind: str) -> None:
    if kind == "cuda":
        torch.cuda.reset_peak_memory_stats()


def peak_gib(kind: str) -> float:
    """The most memory held so far: CUDA's since the burn-in began, else the process' own."""
    if kind == "cuda":
        return round(torch.cuda.max_memory_reserved() / GIB, 3)
    if kind == "mps":
        return round(torch.mps.driver_allocated_memory() / GIB, 3)
    status = Path("/proc/self/status")
    if status.exists():
        # of this program alone: what getrusage tells is handed on by the one that started it
        line = next(x for x in status.read_text("ascii").splitlines() if x.startswith("VmHWM"))
        return round(int(line.split()[1]) * 1024 / GIB, 3)
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(held * (1 if sys.platform == "darwin" else 1024) / GIB, 3)
