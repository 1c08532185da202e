"""TRL's trainer of next tokens, on rows that are tokens already."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets as hf_datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from peft import LoraConfig
from trl import SFTConfig, SFTTrainer

from train.checkpoints import Progress
from train.distributed import dealt, passes_each, summed, with_silent_row, world
from train.plan import TrainPlan
from train.run_trainer import Emit, Reporter, RunTrainer


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
        lengths = inputs["attention_mask"].sum(1)
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
        output_dir=str(plan.run_dir / "checkpoints"),
        max_steps=plan.steps,
        per_device_train_batch_size=plan.micro_batch,
        gradient_accumulation_steps=passes_each(plan, world().size),
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
        # every weight that is trained is used in every pass, the silent row's too
        ddp_find_unused_parameters=False,
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
