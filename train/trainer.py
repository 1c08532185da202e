"""TRL's trainer of next tokens, on rows that are tokens already."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets as hf_datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from trl import SFTConfig, SFTTrainer

from train.adapter import lora_config
from train.checkpoints import Progress
from train.distributed import dealt, summed, with_silent_row
from train.plan import TrainPlan
from train.pulse import Emit
from train.run_settings import run_settings
from train.run_trainer import Reporter, RunTrainer


def load_rows(file: Path) -> hf_datasets.Dataset:
    """Rendered rows as TRL takes them: ``input_ids`` and ``labels``, -100 where not trained."""
    table = pq.read_table(file).combine_chunks()
    ids = table["ids"].combine_chunks()
    trained = table["loss_mask"].combine_chunks().flatten().to_numpy() == 1
    labels = np.where(trained, ids.flatten().to_numpy(), -100).astype(np.int32)
    columns = {"input_ids": ids, "labels": pa.ListArray.from_arrays(ids.offsets, pa.array(labels))}
    return hf_datasets.Dataset(pa.table(columns))


class Trainer(RunTrainer, SFTTrainer):  # type: ignore[misc] # trl ships no types
    """SFTTrainer on rendered rows."""

    def lengths_of(self, rows: hf_datasets.Dataset) -> list[int]:
        """Tokens of each row."""
        return [len(ids) for ids in rows["input_ids"]]

    def tokens_of(self, inputs: dict[str, Any]) -> tuple[int, int]:
        """Tokens of a batch, padding not counted, and trained tokens among them."""
        # the first token of a row is never predicted, and the silent row has no other
        trained = int((inputs["labels"][:, 1:] != -100).sum())
        # rows end to end are told apart by where they begin, padded ones by their masks
        packed = inputs.get("cu_seq_lens_q")
        lengths = inputs["attention_mask"].sum(1) if packed is None else packed.diff()
        return int(lengths[lengths > 1].sum()), trained

    def held_out_loss(self, rows: hf_datasets.Dataset) -> tuple[float, int]:
        """Mean negative log-likelihood (nats) over the trained tokens, and their number.

        A mean over tokens: the trainer's own evaluation is a mean over batches.
        """
        self.model.eval()
        total, count = 0.0, 0
        one = torch.tensor(1, device=self.args.device)
        micro_batch, processes = self.plan.micro_batch, self.args.world_size
        order = sorted(range(len(rows)), key=lambda row: -len(rows[row]["input_ids"]))
        order = list(dealt(order, micro_batch, processes))
        rows = with_silent_row(rows, processes)
        # the last batch of a single process may be short, those of several are whole
        for at in range(self.args.process_index * micro_batch, len(order), micro_batch * processes):
            batch = [rows[row] for row in order[at : at + micro_batch]]
            inputs = self._prepare_inputs(self.data_collator(batch))
            with torch.no_grad(), self.compute_loss_context_manager():
                # divided by one: the sum
                total += self.compute_loss(self.model, inputs, num_items_in_batch=one).item()
            count += int((inputs["labels"][:, 1:] != -100).sum())
            self.pulse.beat("held-out loss")
        self.model.train()
        self._metrics["eval"].clear()
        # compute_loss takes it that gradients will be averaged, and makes up for that
        total, counted = summed(self.accelerator, total / processes, count)
        return total / counted, int(counted)


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
        **run_settings(plan),
        dataset_kwargs={"skip_prepare_dataset": True},
        packing=False,
        padding_free=plan.packing,
    )
    trainer = Trainer(
        plan,
        emit,
        progress,
        model=model,
        args=settings,
        train_dataset=rows,
        processing_class=tokenizer,
        peft_config=lora_config(plan),
    )
    trainer.add_callback(Reporter(trainer, stop))
    return trainer
