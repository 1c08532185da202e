"""Tokens per CPU second of a run's training loop, against a plain PyTorch loop and TRL's defaults.

    python benchmarks/bench_train.py [--rounds 5] [--ways loop trl ...] [--json FILE] [--home DIR]

One model (of the embedded base's size), one set of rows (the demo's three sample exports,
rendered), one thread. Each round trains one pass over the rows in every way, in turn:

loop    the run's own batches through the model's own loss, torch.optim.AdamW, clipping, the same
        schedule; nothing else
ours    train.trainer's trainer
trl     TRL's SFTTrainer with its defaults: random order, padded, activations recomputed
stored  the same without recomputing them: what is left is order and padding

Counted: all from the first batch to the last step, events and logs included. Not counted: loading,
the forecast, the burn-in, evaluation and checkpoints; the last two are told beside it. Tokens are
those of the rows, padding left out. Ratios are taken within a round; their median is told. Exit
status 1 where a bar is missed.
"""

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

BARS = {"loop": 0.95, "trl": 1.5}
MICRO_BATCH, GRAD_ACCUMULATION = 8, 2


class Ground:
    """The plan of a run, its rows, and fresh models for it."""

    def __init__(self, home: Path) -> None:
        self.plan = planned(home)
        rows = self.plan.run_dir / self.plan.splits["train"].file
        self.rows, self.held_out = rows, rows.with_name("validation.parquet")

    def model(self) -> Any:
        """The base model, with torch's random state as it is at a run's start."""
        import torch

        from train.load import load_model

        torch.manual_seed(self.plan.seed)
        return load_model(str(self.plan.base.path))

    def tokenizer(self) -> Any:
        from train.load import load_tokenizer

        return load_tokenizer(str(self.plan.base.path))


def planned(home: Path) -> Any:
    """Import the demo's samples, seal a version, make a base model, plan one pass."""
    from dataset.build import build
    from dataset.manifest import DatasetSpec, SplitSpec
    from ingest.importers.base import ImportOptions
    from ingest.store import open_store
    from ingest.workspace import Workspace
    from serve.commands import exports
    from serve.commands.demo import ASSISTANT, samples_folder
    from train.base_model import make_base_model
    from train.run import prepare_run
    from train.spec import TrainSpec

    workspace = Workspace(home).create()
    options = ImportOptions(as_assistant=(ASSISTANT,))
    names = ("chatgpt/conversations.json", "openai/messages.jsonl")
    whatsapp = "whatsapp/WhatsApp Chat with Wendel Mill.txt"
    for name in (*names, whatsapp):
        exports.run_import([samples_folder() / name], workspace, "auto", options)
    spec = DatasetSpec(name="bench", split=SplitSpec(validation=0.1))
    with open_store(workspace.store) as store:
        version = build(store, spec, workspace)
    texts = [
        "\n".join(message["content"] for message in row["messages"] if message["content"])
        for row in version.rows("train")
    ]
    base = make_base_model(texts, home / "base", steps=1)
    asked = TrainSpec(
        dataset=version.ref,
        base_model=str(base),
        micro_batch=MICRO_BATCH,
        grad_accumulation=GRAD_ACCUMULATION,
        max_length=512,
        epochs=1.0,
    )
    return prepare_run(asked, workspace, run_id="bench")


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of this process, all threads."""
    started = time.process_time()
    work()
    return time.process_time() - started


def ours(ground: Ground) -> float:
    """One pass by the run's own trainer."""
    return seconds(our_trainer(ground).train)


def our_trainer(ground: Ground) -> Any:
    from train.checkpoints import Progress
    from train.trainer import build_trainer, load_rows

    sink = (ground.plan.run_dir / "metrics.jsonl").open("ab", buffering=0)

    def emit(event: dict[str, Any]) -> None:
        sink.write(json.dumps(event).encode() + b"\n")

    trainer = build_trainer(
        ground.plan,
        ground.model(),
        ground.tokenizer(),
        load_rows(ground.rows),
        emit=emit,
        progress=Progress(),
        stop=lambda: False,
    )
    trainer.args.save_strategy = "no"
    return trainer


def aside(ground: Ground) -> dict[str, float]:
    """CPU seconds of what is not counted: one evaluation, one checkpoint."""
    from train.trainer import load_rows

    trainer = our_trainer(ground)
    trainer.args.max_steps = 1
    trainer.train()
    held_out = load_rows(ground.held_out)
    return {
        "evaluation": seconds(lambda: trainer.held_out_loss(held_out)),
        "checkpoint": seconds(lambda: trainer._save_checkpoint(trainer.model, None)),
    }


def loop(ground: Ground) -> float:
    """The same passes and steps, written down plainly."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import get_cosine_schedule_with_warmup

    plan = ground.plan
    lora = LoraConfig(
        r=plan.lora.r,
        lora_alpha=plan.lora.alpha,
        lora_dropout=plan.lora.dropout,
        target_modules=plan.lora.targets,
        task_type="CAUSAL_LM",
    )
    model = get_peft_model(ground.model(), lora)
    model.train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=plan.learning_rate, weight_decay=0.0)
    schedule = get_cosine_schedule_with_warmup(optimiser, plan.warmup_steps, plan.steps)
    rows = read_rows(ground)
    pad = ground.tokenizer().pad_token_id

    def train() -> None:
        for step in our_steps(ground, rows):
            batches = [padded(batch, pad) for batch in step]
            count = sum(int((labels[:, 1:] != -100).sum()) for _, labels, _ in batches)
            for ids, labels, mask in batches:
                made = model(
                    input_ids=ids, labels=labels, attention_mask=mask, num_items_in_batch=count
                )
                made.loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimiser.step()
            schedule.step()
            optimiser.zero_grad()

    return seconds(train)


Row = tuple[list[int], list[int]]


def read_rows(ground: Ground) -> list[Row]:
    """Ids and labels of each row."""
    from train.trainer import load_rows

    rows = load_rows(ground.rows)
    return list(zip(rows["input_ids"], rows["labels"], strict=True))


def our_steps(ground: Ground, rows: Sequence[Row]) -> Iterator[list[list[Row]]]:
    """The rows of each pass of each step of the run."""
    from train.order import step_rows

    plan = ground.plan
    sizes = [len(ids) for ids, _ in rows]
    size = plan.micro_batch
    for step in step_rows(sizes, size, plan.grad_accumulation, plan.seed, plan.steps):
        yield [[rows[row] for row in step[at : at + size]] for at in range(0, len(step), size)]


def padded(batch: Sequence[Row], pad: int) -> tuple[Any, Any, Any]:
    """Ids, labels and mask of a batch, ``(rows, longest)``."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    all_ids = [torch.tensor(ids) for ids, _ in batch]
    labels = [torch.tensor(some) for _, some in batch]
    return (
        pad_sequence(all_ids, batch_first=True, padding_value=pad),
        pad_sequence(labels, batch_first=True, padding_value=-100),
        pad_sequence([torch.ones_like(ids) for ids in all_ids], batch_first=True),
    )


def trl(ground: Ground, **options: Any) -> float:
    """TRL's trainer as it is, on the same rows."""
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    from train.trainer import load_rows

    class Quiet(SFTTrainer):  # type: ignore[misc] # trl ships no types
        def _send_telemetry(self) -> None:
            """Nothing leaves the machine."""

    plan = ground.plan
    with tempfile.TemporaryDirectory() as folder:
        settings = SFTConfig(
            output_dir=folder,
            max_steps=plan.steps,
            gradient_accumulation_steps=plan.grad_accumulation,
            dataset_kwargs={"skip_prepare_dataset": True},
            max_length=None,
            bf16=False,
            use_cpu=True,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            **options,
        )
        trainer = Quiet(
            model=ground.model(),
            args=settings,
            train_dataset=load_rows(ground.rows),
            processing_class=ground.tokenizer(),
            peft_config=LoraConfig(
                r=plan.lora.r,
                lora_alpha=plan.lora.alpha,
                lora_dropout=plan.lora.dropout,
                target_modules=plan.lora.targets,
                task_type="CAUSAL_LM",
            ),
        )
        return seconds(trainer.train)


def stored(ground: Ground) -> float:
    """TRL's trainer without recomputed activations."""
    return trl(ground, activation_checkpointing=False, gradient_checkpointing=None)


WAYS: dict[str, Callable[[Ground], float]] = {
    "loop": loop,
    "ours": ours,
    "trl": trl,
    "stored": stored,
}


def padding(lengths: Sequence[int], order: Sequence[int], size: int) -> float:
    """Share of padding when rows are batched in this order."""
    batches = [[lengths[row] for row in order[at : at + size]] for at in range(0, len(order), size)]
    return 1 - sum(lengths) / sum(len(one) * max(one) for one in batches)


def judged(taken: dict[str, list[float]]) -> tuple[dict[str, float], list[str]]:
    """Median ratio of our speed to each other way's, and the bars that are missed."""
    ratios = {
        way: statistics.median(other / own for other, own in zip(some, taken["ours"], strict=True))
        for way, some in taken.items()
        if way != "ours"
    }
    missed = [
        f"{ratios[way]:.2f} times the speed of {way}, asked are {bar:.2f}"
        for way, bar in BARS.items()
        if way in ratios and ratios[way] < bar
    ]
    return ratios, missed


def measure(ground: Ground, rounds: int, ways: Sequence[str]) -> dict[str, list[float]]:
    """CPU seconds of each way in each round; a round before them is thrown away."""
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for at in range(rounds + 1):
        # another order each time: what one leaves in the caches is not always the same one's luck
        for way in random.Random(at).sample(list(ways), len(ways)):
            spent = WAYS[way](ground)
            if at:
                taken[way].append(spent)
            sys.stderr.write(f"round {at}: {way} {spent:.2f} s\n")
    return taken


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ways", nargs="+", choices=[*WAYS], default=[*WAYS])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--home", type=Path, help="keep the workspace there; must not exist")
    arguments = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    from train.load import quiet

    quiet()
    with tempfile.TemporaryDirectory() as folder:
        ground = Ground(arguments.home or Path(folder) / "home")
        lengths = [len(ids) for ids, _ in read_rows(ground)]
        taken = measure(ground, arguments.rounds, sorted({"ours", *arguments.ways}))
        beside = aside(ground)
        from train.order import epoch_order

        shuffled = random.Random(0).sample(range(len(lengths)), len(lengths))
        own = epoch_order(lengths, MICRO_BATCH, ground.plan.seed, 0)
        paddings = {
            "ours": padding(lengths, own, MICRO_BATCH),
            "trl": padding(lengths, shuffled, MICRO_BATCH),
        }
    ratios, missed = judged(taken)
    found = {
        "rows": len(lengths),
        "tokens": sum(lengths),
        "steps": ground.plan.steps,
        "padding": paddings,
        "cpu_seconds": taken,
        "ratios": ratios,
        "aside_cpu_seconds": beside,
        "missed": missed,
    }
    show(found)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")
    for line in missed:
        sys.stderr.write(line + "\n")
    return 1 if missed else 0


def show(found: dict[str, Any]) -> None:
    print(f"{found['rows']} rows, {found['tokens']:,} tokens, {found['steps']} steps of "
          f"{MICRO_BATCH * GRAD_ACCUMULATION}; padding "
          + ", ".join(f"{way} {share:.0%}" for way, share in found["padding"].items()))  # fmt: skip
    print("| way | CPU s a pass | tokens per CPU s | our speed against it |")
    print("|---|--:|--:|--:|")
    for way, some in found["cpu_seconds"].items():
        middle = statistics.median(some)
        ratio = f"{found['ratios'][way]:.2f}" if way in found["ratios"] else ""
        print(f"| {way} | {middle:.2f} | {found['tokens'] / middle:,.0f} | {ratio} |")
    for what, spent in found["aside_cpu_seconds"].items():
        print(f"not counted: one {what}, {spent:.2f} CPU s")


if __name__ == "__main__":
    sys.exit(main())
