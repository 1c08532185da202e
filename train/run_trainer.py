"""What every trainer of a run does beside its loss: our order, counts, events and checkpoints."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import datasets as hf_datasets
from torch.utils.data import Sampler
from transformers import PrinterCallback, TrainerCallback
from transformers import Trainer as TransformersTrainer

from ingest.errors import UserError
from train.checkpoints import Progress, part_folder, room_checked, seal
from train.order import epoch_order
from train.plan import TrainPlan

Emit = Callable[[dict[str, Any]], None]


class DivergedError(UserError):
    """The loss is no longer a number."""


class LengthOrder(Sampler[int]):
    """Rows in the order of ``train.order``, which a resumed run repeats."""

    def __init__(self, lengths: Sequence[int], micro_batch: int, seed: int) -> None:
        self.lengths = lengths
        self.micro_batch = micro_batch
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the data loader before each pass."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        return iter(epoch_order(self.lengths, self.micro_batch, self.seed, self.epoch))

    def __len__(self) -> int:
        return len(self.lengths)


class RunTrainer(TransformersTrainer):  # type: ignore[misc] # transformers ships no types
    """Sends nothing, leaves no stray files, checkpoints whole; mixed in before a trainer of TRL."""

    def __init__(self, plan: TrainPlan, emit: Emit, progress: Progress, **kwargs: Any) -> None:
        self.plan = plan
        self.emit = emit
        self.progress = progress
        self.part: Path | None = None  # where a checkpoint is being written
        super().__init__(**kwargs)
        # stdout belongs to our events
        self.remove_callback(PrinterCallback)

    def _send_telemetry(self) -> None:
        """Nothing leaves the machine."""

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """No card: it would name this machine's folders."""

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        rows = self.train_dataset if train_dataset is None else train_dataset
        return LengthOrder(self.lengths_of(rows), self.plan.micro_batch, self.plan.seed)

    def lengths_of(self, rows: hf_datasets.Dataset) -> list[int]:
        """Tokens by which rows are put in order."""
        raise NotImplementedError

    def tokens_of(self, inputs: dict[str, Any]) -> tuple[int, int]:
        """Tokens of a batch, padding not counted, and trained tokens among them."""
        raise NotImplementedError

    def told_of(self, logs: dict[str, float]) -> dict[str, float]:  # noqa: ARG002
        """What a step's event holds beside loss and counts, from what the trainer logs."""
        return {}

    def training_step(self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """One forward and backward pass; counts what it was given."""
        started = time.monotonic()
        tokens, trained = self.tokens_of(inputs)
        loss = super().training_step(model, inputs, *args, **kwargs)
        if not math.isfinite(loss.item()):
            raise DivergedError(
                f"step {self.state.global_step + 1}: the loss is {loss.item()}",
                "start again with a lower learning_rate",
            )
        self.progress = Progress(
            self.state.global_step + 1,
            self.progress.tokens + tokens,
            self.progress.trained_tokens + trained,
            self.progress.seconds + time.monotonic() - started,
        )
        return loss

    def _get_output_dir(self, trial: Any = None) -> str:  # noqa: ARG002 - the parent's signature
        return str(self.part or self.args.output_dir)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        checkpoints = Path(self.args.output_dir)
        with room_checked(checkpoints):
            self.part = part_folder(checkpoints)
            super()._save_checkpoint(model, trial)
            (written,) = self.part.iterdir()
            self.part = None
            (written / "README.md").unlink(missing_ok=True)
            seal(written, checkpoints, self.progress, self.plan.keep_checkpoints)
        self.emit({"event": "checkpoint", "step": self.progress.step})


class Reporter(TrainerCallback):  # type: ignore[misc] # transformers ships no types
    """Tells each step, and stops at the end of one when asked to."""

    def __init__(self, trainer: RunTrainer, stop: Callable[[], bool]) -> None:
        self.trainer = trainer
        self.stop = stop
        self.first = trainer.progress

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        """Save and stop where a person has asked for it."""
        if self.stop():
            control.should_save = True
            control.should_training_stop = True
        return control

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:  # noqa: ARG002
        """One event per step."""
        if not logs or "loss" not in logs:
            return
        done = self.trainer.progress
        seconds = max(done.seconds - self.first.seconds, 1e-9)
        rate = (done.tokens - self.first.tokens) / seconds
        self.trainer.emit(
            {
                "event": "step",
                "step": state.global_step,
                "steps": self.trainer.plan.steps,
                "loss": logs["loss"],
                "lr": logs["learning_rate"],
                "grad_norm": float(logs["grad_norm"]),
                **self.trainer.told_of(logs),
                "tokens": done.tokens,
                "trained_tokens": done.trained_tokens,
                "tokens_per_s": round(rate, 1),
                "seconds_left": round((self.trainer.plan.tokens - done.tokens) / rate, 1),
            }
        )
