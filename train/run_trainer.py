"""What every trainer of a run does beside its loss: our order, counts, events and checkpoints."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import datasets as hf_datasets
from torch.utils.data import Sampler
from transformers import PrinterCallback, TrainerCallback, TrainerState
from transformers import Trainer as TransformersTrainer
from transformers.trainer import TRAINER_STATE_NAME

from train.checkpoints import Progress, part_folder, room_checked, seal
from train.device import memory_held_gib
from train.distributed import dealt, summed
from train.evals import Judge, is_ended, tidy_best
from train.failures import DivergedError
from train.head import trained_positions
from train.order import epoch_order
from train.plan import TrainPlan
from train.pulse import Emit, Pulse
from train.trackers import tensorboard


class LengthOrder(Sampler[int]):
    """Rows in the order of ``train.order``, which a resumed run repeats."""

    def __init__(
        self,
        lengths: Sequence[int],
        micro_batch: int,
        seed: int,
        processes: int = 1,
        pass_rows: int | None = None,
    ) -> None:
        self.lengths = lengths
        # of one forward pass; fewer than the order was made for where memory ran out
        self.pass_rows = pass_rows or micro_batch
        self.processes = processes
        self.micro_batch = micro_batch
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the data loader before each pass."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        order = epoch_order(self.lengths, self.micro_batch, self.seed, self.epoch)
        return dealt(order, self.pass_rows, self.processes)

    def __len__(self) -> int:
        return sum(1 for _ in dealt(self.lengths, self.pass_rows, self.processes))


class RunTrainer(TransformersTrainer):  # type: ignore[misc] # transformers ships no types
    """Sends nothing, leaves no stray files, checkpoints whole; mixed in before a trainer of TRL."""

    def __init__(self, plan: TrainPlan, emit: Emit, progress: Progress, **kwargs: Any) -> None:
        self.plan = plan
        self.emit = emit
        self.pulse = Pulse(emit)
        # a run that steps down goes on in the order of its plan
        self.order_micro_batch = plan.micro_batch
        self.order_lengths: list[int] = []
        self.progress = progress
        self.part: Path | None = None  # where a checkpoint is being written
        self.judge: Judge | None = None
        super().__init__(**kwargs)
        if self.accelerator.ddp_handler is not None:
            # else the gradients of all that is trained would be held twice
            self.accelerator.ddp_handler.gradient_as_bucket_view = True
        # stdout belongs to our events
        self.remove_callback(PrinterCallback)
        if "tensorboard" in plan.report_to and self.args.process_index == 0:
            self.add_callback(tensorboard(plan.run_dir, progress.step))

    def _send_telemetry(self) -> None:
        """Nothing leaves the machine."""

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """No card: it would name this machine's folders."""

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        rows = self.train_dataset if train_dataset is None else train_dataset
        # with several processes the silent row comes last, and is none of the order
        lengths = self.lengths_of(rows)[: self.plan.rows]
        processes = self.args.world_size
        return LengthOrder(
            self.order_lengths or lengths,
            self.order_micro_batch,
            self.plan.seed,
            processes,
            self.plan.micro_batch,
        )

    def lengths_of(self, rows: hf_datasets.Dataset) -> list[int]:
        """Tokens by which rows are put in order."""
        raise NotImplementedError

    def tokens_of(self, inputs: dict[str, Any]) -> tuple[int, int]:
        """Tokens of a batch, padding not counted, and trained tokens among them."""
        raise NotImplementedError

    def told_of(self, logs: dict[str, float]) -> dict[str, float]:  # noqa: ARG002
        """What a step's event holds beside loss and counts, from what the trainer logs."""
        return {}

    def held_out_loss(self, rows: hf_datasets.Dataset) -> tuple[float, int]:
        """Mean loss over rows, and the tokens that counted in it."""
        raise NotImplementedError

    def held_out_told(self, rows: hf_datasets.Dataset) -> dict[str, float]:
        """What an event says of held-out rows: ``loss`` and more."""
        loss, tokens = self.held_out_loss(rows)
        return {"loss": loss, "trained_tokens": tokens}

    def train(self, resume_from_checkpoint: str | None = None, **kwargs: Any) -> Any:
        """Train to the end of the plan, from a checkpoint if one is named."""
        if resume_from_checkpoint is None or not is_ended(self.plan, self.progress):
            return super().train(resume_from_checkpoint=resume_from_checkpoint, **kwargs)
        # nothing is left but to deliver: transformers would train one step more
        self._load_from_checkpoint(resume_from_checkpoint)
        state = Path(resume_from_checkpoint) / TRAINER_STATE_NAME
        self.state = TrainerState.load_from_json(str(state))
        return None

    def _evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Our own loss and decisions in the place of the trainer's evaluation."""
        assert self.judge is not None
        self.judge.decide()
        return {}

    def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
        """TRL's loss, its head on trained positions alone."""
        with trained_positions():
            return super().compute_loss(*args, **kwargs)

    def training_step(self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """One forward and backward pass; counts what it was given."""
        started = time.monotonic()
        loss = super().training_step(model, inputs, *args, **kwargs)
        value = loss.item()
        # summed, so that all processes know and none waits for one that has given up
        tokens, trained, lost = summed(
            self.accelerator, *self.tokens_of(inputs), 0 if math.isfinite(value) else 1
        )
        if lost:
            raise DivergedError(self.state.global_step + 1, "the loss", value)
        self.progress = self.progress._replace(
            step=self.state.global_step + 1,
            tokens=self.progress.tokens + int(tokens),
            trained_tokens=self.progress.trained_tokens + int(trained),
            seconds=self.progress.seconds + time.monotonic() - started,
        )
        self.pulse.beat("training")
        return loss

    def _get_output_dir(self, trial: Any = None) -> str:  # noqa: ARG002 - the parent's signature
        return str(self.part or self.args.output_dir)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        # each process writes the state of its random numbers, the first all else
        checkpoints, speaks = Path(self.args.output_dir), self.args.process_index == 0
        with room_checked(checkpoints):
            self.part = part_folder(checkpoints, empty=speaks)
            self.accelerator.wait_for_everyone()
            with self.pulse.watching(checkpoints, "saving"):
                super()._save_checkpoint(model, trial)
            self.accelerator.wait_for_everyone()
            if speaks:
                (written,) = self.part.iterdir()
                (written / "README.md").unlink(missing_ok=True)
                seal(written, checkpoints, self.progress, self.plan.keep_checkpoints)
                tidy_best(self.plan, self.progress)
            self.part = None
        self.emit({"event": "checkpoint", "step": self.progress.step})


class Reporter(TrainerCallback):  # type: ignore[misc] # transformers ships no types
    """Tells each step, and stops at the end of one when asked to."""

    def __init__(self, trainer: RunTrainer, stop: Callable[[], bool]) -> None:
        self.trainer = trainer
        self.stop = stop
        self.first = trainer.progress
        self.started: float | None = None

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Start the clock that tells how long the run will take."""
        if self.started is None:
            self.started = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        """Save and stop where a person has asked for it."""
        (asked,) = summed(self.trainer.accelerator, 1 if self.stop() else 0)
        if asked:
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
        trained_rate = (done.trained_tokens - self.first.trained_tokens) / seconds
        assert self.started is not None
        # by the clock: held-out losses and checkpoints take time too
        pace = (time.monotonic() - self.started) / max(done.tokens - self.first.tokens, 1)
        held, peak = memory_held_gib(self.trainer.args.device.type)
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
                "trained_tokens_per_s": round(trained_rate, 1),
                "memory_gib": round(held, 3),
                "memory_peak_gib": round(peak, 3),
                "seconds_left": round((self.trainer.plan.tokens - done.tokens) * pace, 1),
            }
        )
