"""TRL's DPO trainer on pairs that are tokens already.

The reference is the base model. With an adapter that is the same weights with the adapter off;
where all weights are trained, what the base says of each pair is taken down before the first step.
"""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import datasets as hf_datasets
import pyarrow.parquet as pq
import torch
from torch.nn.utils.rnn import pad_sequence
from trl import DPOConfig, DPOTrainer

from train.adapter import lora_config
from train.checkpoints import Progress
from train.plan import TrainPlan
from train.preference_reference import Reference, read_reference, write_reference
from train.pulse import Emit
from train.run_settings import run_settings
from train.run_trainer import Reporter, RunTrainer

_ROWS = ("id", "prompt_ids", "chosen_ids", "chosen_mask", "rejected_ids", "rejected_mask")


def load_rows(file: Path) -> hf_datasets.Dataset:
    """Rendered pairs, as :class:`PairCollator` takes them."""
    return hf_datasets.Dataset(pq.read_table(file, columns=list(_ROWS)).combine_chunks())


class PairCollator(NamedTuple):
    """Pairs as one batch: all chosen answers, then all rejected ones, each behind its prompt.

    Attributes:
        pad_token_id: fills up shorter sequences, at their end.
    """

    pad_token_id: int

    def __call__(self, pairs: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Tensors of ``2 * len(pairs)`` rows."""
        ids, masks = [], []
        for side in ("chosen", "rejected"):
            for pair in pairs:
                prompt = pair["prompt_ids"]
                ids.append(torch.tensor([*prompt, *pair[f"{side}_ids"]]))
                masks.append(torch.tensor([*([0] * len(prompt)), *pair[f"{side}_mask"]]))
        batch: dict[str, Any] = {
            "input_ids": pad_sequence(ids, batch_first=True, padding_value=self.pad_token_id),
            "attention_mask": pad_sequence([torch.ones_like(one) for one in ids], batch_first=True),
            "completion_mask": pad_sequence(masks, batch_first=True),
        }
        for name in ("ref_chosen_logps", "ref_rejected_logps"):
            if name in pairs[0]:
                batch[name] = torch.tensor([pair[name] for pair in pairs])
        return batch


class HeldOut(NamedTuple):
    """What the model makes of held-out pairs.

    Attributes:
        loss: mean over the pairs.
        accuracy: share of pairs of which the better answer gained more on the reference than the
            worse one; a tie is half: 0.5 before training.
        margin: mean of what it gained more (nats, times beta).
        likelier: share of pairs of which the better answer is the likelier one by itself.
        trained_tokens: that were looked at.
    """

    loss: float
    accuracy: float
    margin: float
    likelier: float
    trained_tokens: int


class PreferenceTrainer(RunTrainer, DPOTrainer):  # type: ignore[misc] # trl ships no types
    """DPOTrainer on rendered pairs; every pair of a step weighs the same."""

    # divided by the pairs of the step in compute_loss
    loss_is_scaled_for_ga = True

    def __init__(
        self, plan: TrainPlan, held_out: hf_datasets.Dataset | None, **kwargs: Any
    ) -> None:
        self.reference: Reference = {}
        super().__init__(plan, **kwargs)
        if plan.method == "full" and held_out is not None:
            self._with_reference(held_out)

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        """Pairs come as tokens."""
        return dataset

    def _precompute_ref_logps(self, dataset: Any, *_: Any, **__: Any) -> Any:
        """TRL would keep it in a cache of all datasets of this user."""
        return self._with_reference(dataset)

    def _with_reference(self, rows: hf_datasets.Dataset) -> hf_datasets.Dataset:
        """Pairs with what the base model says of them; only asked where it is not known yet."""
        file = self.plan.run_dir / "reference.parquet"
        self.reference = self.reference or read_reference(file)
        unknown = [at for at, name in enumerate(rows["id"]) if name not in self.reference]
        if unknown:
            self.reference |= self._asked(rows.select(unknown))
            write_reference(file, self.reference)
        said = [self.reference[name] for name in rows["id"]]
        columns = zip(
            ("ref_chosen_logps", "ref_rejected_logps"), zip(*said, strict=True), strict=True
        )
        for name, values in columns:
            rows = rows.add_column(name, list(values))
        return rows

    def _asked(self, rows: hf_datasets.Dataset) -> Reference:
        self.model.eval()
        found: Reference = {}
        for batch, inputs in self._batches(rows):
            sides = self.compute_ref_log_probs(self.model, inputs)
            values = zip(*(side.tolist() for side in sides), strict=True)
            found |= dict(zip((pair["id"] for pair in batch), values, strict=True))
        self.model.train()
        return found

    def lengths_of(self, rows: hf_datasets.Dataset) -> list[int]:
        """Tokens of the longer sequence of each pair."""
        sides = zip(rows["prompt_ids"], rows["chosen_ids"], rows["rejected_ids"], strict=True)
        return [len(prompt) + max(len(one), len(other)) for prompt, one, other in sides]

    def tokens_of(self, inputs: dict[str, Any]) -> tuple[int, int]:
        """Tokens of both sides, padding not counted, and those that count among them."""
        return int(inputs["attention_mask"].sum()), int(inputs["completion_mask"].sum())

    def told_of(self, logs: dict[str, float]) -> dict[str, float]:
        """How far apart the answers are by now."""
        return {
            "reward_margin": logs["rewards/margins"],
            "reward_accuracy": logs["rewards/accuracies"],
            "logp_chosen": logs["logps/chosen"],
            "logp_rejected": logs["logps/rejected"],
        }

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: Any) -> int:  # noqa: ARG002
        return sum(len(inputs["input_ids"]) // 2 for inputs in batch_samples)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: int | None = None,
    ) -> Any:
        """Mean over the pairs of the batch; with ``num_items_in_batch``, their part of a step's."""
        loss = super().compute_loss(model, inputs, return_outputs=return_outputs)
        if num_items_in_batch is None:
            return loss
        return loss * (len(inputs["input_ids"]) // 2 / num_items_in_batch)

    def held_out(self, rows: hf_datasets.Dataset) -> HeldOut:
        """Judge pairs, with the loss that is trained."""
        if self.plan.method == "full":
            rows = self._with_reference(rows)
        self.model.eval()
        seen: list[torch.Tensor] = []
        hook = self.model.register_forward_hook(
            lambda _module, _inputs, outputs: seen.append(outputs.log_probs.sum(1).double())
        )
        loss, tokens = 0.0, 0
        gains, leads = [], []
        for batch, inputs in self._batches(rows):
            seen.clear()
            with torch.no_grad(), self.compute_loss_context_manager():
                loss += len(batch) * self.compute_loss(self.model, inputs).item()
            chosen, rejected = seen[0].chunk(2)
            # the second pass, where there is one, is the one with the adapter off
            ref = seen[1].chunk(2) if len(seen) > 1 else (
                inputs["ref_chosen_logps"].double(), inputs["ref_rejected_logps"].double()
            )  # fmt: skip
            leads.append(chosen - rejected)
            gains.append((chosen - ref[0]) - (rejected - ref[1]))
            tokens += self.tokens_of(inputs)[1]
        hook.remove()
        self.model.train()
        self._metrics["eval"].clear()
        gained, led = torch.cat(gains), torch.cat(leads)
        return HeldOut(
            loss / len(rows),
            _share(gained),
            self.plan.dpo.beta * gained.mean().item(),
            _share(led),
            tokens,
        )

    def held_out_loss(self, rows: hf_datasets.Dataset) -> tuple[float, int]:
        """Mean loss over the pairs, and the tokens that were looked at."""
        judged = self.held_out(rows)
        return judged.loss, judged.trained_tokens

    def held_out_told(self, rows: hf_datasets.Dataset) -> dict[str, float]:
        """What an event says of held-out pairs."""
        judged = self.held_out(rows)
        return {
            "loss": judged.loss,
            "accuracy": judged.accuracy,
            "reward_margin": judged.margin,
            "chosen_likelier": judged.likelier,
            "trained_tokens": judged.trained_tokens,
        }

    def _batches(self, rows: hf_datasets.Dataset) -> Any:
        """Batches of like length with their tensors on the device, the longest first."""
        lengths = self.lengths_of(rows)
        order = sorted(range(len(rows)), key=lambda row: -lengths[row])
        for at in range(0, len(order), self.plan.micro_batch):
            batch = [rows[row] for row in order[at : at + self.plan.micro_batch]]
            yield batch, self._prepare_inputs(self.data_collator(batch))
            self.pulse.beat("held-out loss")


def _share(differences: torch.Tensor) -> float:
    """Share of numbers above zero; zero counts half."""
    above = (differences > 0).double() + 0.5 * (differences == 0).double()
    return float(above.mean())


def build_trainer(
    plan: TrainPlan,
    model: Any,
    tokenizer: Any,
    rows: hf_datasets.Dataset,
    *,
    emit: Emit,
    progress: Progress,
    stop: Callable[[], bool],
) -> PreferenceTrainer:
    """A trainer that does what the plan says and nothing else."""
    # for the reference TRL turns checkpointing off and on again, by names transformers has renamed
    warnings.filterwarnings("ignore", "`gradient_checkpointing_(en|dis)able", FutureWarning)
    full = plan.method == "full"
    settings = DPOConfig(
        **run_settings(plan),
        beta=plan.dpo.beta,
        loss_type=[plan.dpo.loss],
        label_smoothing=plan.dpo.label_smoothing,
        precompute_ref_log_probs=full,
        # our collator takes them all
        remove_unused_columns=False,
    )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    validation = plan.run_dir / plan.splits["validation"].file if plan.eval else None
    trainer = PreferenceTrainer(
        plan,
        load_rows(validation) if validation else None,
        emit=emit,
        progress=progress,
        model=model,
        args=settings,
        data_collator=PairCollator(tokenizer.pad_token_id),
        train_dataset=rows,
        processing_class=tokenizer,
        peft_config=lora_config(plan),
    )
    trainer.add_callback(Reporter(trainer, stop))
    return trainer
