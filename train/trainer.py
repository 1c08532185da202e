"""TRL's trainer on rows that are tokens already, with our order, counts and checkpoints.

The one module, beside ``train.merge`` and ``train.certify``, that holds torch code of the run.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import datasets as hf_datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from peft import LoraConfig
from torch.utils.data import Sampler
from transformers import PrinterCallback, TrainerCallback
from trl import SFTConfig, SFTTrainer

from ingest.errors import UserError
from train.checkpoints import Progress, part_folder, room_checked, seal
from train.order import epoch_order
from train.plan import TrainPlan

Emit = Callable[[dict[str, Any]], None]


class DivergedError(UserError):
    """The loss is no longer a number."""


def load_rows(file: Path) -> hf_datasets.Dataset:
    """Rendered rows as TRL takes them: ``input_ids`` and ``labels``, -100 where not trained."""
    table = pq.read_table(file).combine_chunks()
    ids = table["ids"].combine_chunks()
    trained = table["loss_mask"].combine_chunks().flatten().to_numpy() == 1
    labels = np.where(trained, ids.flatten().to_numpy(), -100).astype(np.int32)
    columns = {"input_ids": ids, "labels": pa.ListArray.from_arrays(ids.offsets, pa.array(labels))}
    return hf_datasets.Dataset(pa.table(columns))


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


class Trainer(SFTTrainer):  # type: ignore[misc] # trl ships no types
    """SFTTrainer without network and stray files; checkpoints appear whole."""

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
        lengths = [len(ids) for ids in rows["input_ids"]]
        return LengthOrder(lengths, self.plan.micro_batch, self.plan.seed)

    def training_step(self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """One forward and backward pass; counts what it was given."""
        started = time.monotonic()
        tokens = int(inputs["attention_mask"].sum())
        # the first token of a row is never predicted
        trained = int((inputs["labels"][:, 1:] != -100).sum())
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

    def held_out_loss(self, rows: hf_datasets.Dataset) -> tuple[float, int]:
        """Mean negative log-likelihood (nats) over the trained tokens, and their number.

        A mean over tokens: the trainer's own evaluation is a mean over batches.
        """
        self.model.eval()
        total, count = 0.0, 0
        one = torch.tensor(1, device=self.args.device)
        order = sorted(range(len(rows)), key=lambda row: -len(rows[row]["input_ids"]))
        for at in range(0, len(order), self.plan.micro_batch):
            batch = [rows[row] for row in order[at : at + self.plan.micro_batch]]
            inputs = self._prepare_inputs(self.data_collator(batch))
            with torch.no_grad(), self.compute_loss_context_manager():
                # divided by one: the sum
                total += self.compute_loss(self.model, inputs, num_items_in_batch=one).item()
            count += int((inputs["labels"][:, 1:] != -100).sum())
        self.model.train()
        self._metrics["eval"].clear()
        return total / count, count


class Reporter(TrainerCallback):  # type: ignore[misc] # transformers ships no types
    """Tells each step, and stops at the end of one when asked to."""

    def __init__(self, trainer: Trainer, stop: Callable[[], bool]) -> None:
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
                "tokens": done.tokens,
                "trained_tokens": done.trained_tokens,
                "tokens_per_s": round(rate, 1),
                "seconds_left": round((self.trainer.plan.tokens - done.tokens) / rate, 1),
            }
        )


def build_trainer(
    plan: TrainPlan,
    model: Any,
    tokenizer: Any,
    rows: hf_datasets.Dataset,
    *,
    emit: Emit,
    progress: Progress,
    stop: Callable[[], bool],
) -> Trainer:
    """A trainer that does what the plan says and nothing else."""
    settings = SFTConfig(
        output_dir=str(plan.run_dir / "checkpoints"),
        max_steps=plan.steps,
        per_device_train_batch_size=plan.micro_batch,
        gradient_accumulation_steps=plan.grad_accumulation,
        learning_rate=plan.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=plan.warmup_steps,
        # the name since transformers 5.20-odd; TRL still sets the old one by default
        activation_checkpointing=plan.checkpointing,
        gradient_checkpointing=None,
        bf16=plan.precision == "bf16",
        use_cpu=plan.device.kind == "cpu",
        # rows arrive as tokens, cut and masked by train.render
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,
        packing=False,
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=plan.save_every_steps,
        eval_strategy="no",
        seed=plan.seed,
        data_seed=plan.seed,
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=plan.device.kind == "cuda",
    )
    trainer = Trainer(
        plan,
        emit,
        progress,
        model=model,
        args=settings,
        train_dataset=rows,
        processing_class=tokenizer,
        peft_config=LoraConfig(
            r=plan.lora.r,
            lora_alpha=plan.lora.alpha,
            lora_dropout=plan.lora.dropout,
            target_modules=plan.lora.targets,
            task_type="CAUSAL_LM",
        ),
    )
    trainer.add_callback(Reporter(trainer, stop))
    return trainer
