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
        # the first token of a row is never predicted
        trained = int((inputs["labels"][:, 1:] != -100).sum())
        return int(inputs["attention_mask"].sum()), trained

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
