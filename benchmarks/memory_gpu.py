"""Peak memory on a CUDA card against the forecast. Needs a card of 24 GB and about 15 GB of disk.

    python benchmarks/memory_gpu.py [--json FILE] [--only N ...] [--folder DIR]

Each case trains two steps of two passes with the run's own trainer, every batch the worst one, in a
process of its own. Bases have random weights made from public shapes (``benchmarks/configs``):
nothing is fetched. Measured after loading: ``max_memory_allocated`` against the forecast of
tensors, ``max_memory_reserved`` against tensors and slack. Bars: the median error of what is
allocated is at most 5 %, and neither is under-predicted by more than 3 %. Exit status 1 where a bar
is missed or a case failed, 2 without a CUDA card.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from memory_cases import GPU, HEAD, Case, table

MEDIAN_ERROR, UNDER = 0.05, 0.03
ALLOCATED, RESERVED = "allocated", "reserved"
GIB = 2**30


class Outcome(NamedTuple):
    """Bytes of one case, forecast and measured.

    Attributes:
        case: what was run.
        forecast: tensors alone (``allocated``); tensors and slack (``reserved``).
        measured: by the same names; None where the case failed.
        context: bytes the process held beside the allocator's.
        why: the last line of a failed case.
    """

    case: Case
    forecast: dict[str, int]
    measured: dict[str, int] | None
    context: int = 0
    why: str = ""

    def error(self, what: str) -> float:
        """Share of the measured by which the forecast is above it; negative: under-predicted."""
        assert self.measured is not None
        return self.forecast[what] / self.measured[what] - 1


def verdict(outcomes: Sequence[Outcome]) -> tuple[dict[str, float], list[str]]:
    """Median error, worst under-prediction, and the bars that are missed.

    Raises:
        ValueError: no case came to its end.
    """
    done = [one for one in outcomes if one.measured is not None]
    if not done:
        raise ValueError("no case came to its end")
    numbers = {"median_error": statistics.median(abs(one.error(ALLOCATED)) for one in done)}
    missed = [f"{_name(one)}: failed: {one.why}" for one in outcomes if one.measured is None]
    if numbers["median_error"] > MEDIAN_ERROR:
        missed.append(f"median error {numbers['median_error']:.1%}, bar {MEDIAN_ERROR:.0%}")
    for what in (ALLOCATED, RESERVED):
        worst = max(done, key=lambda one: -one.error(what))
        numbers[f"worst_under_{what}"] = under = max(0.0, -worst.error(what))
        if under > UNDER:
            missed.append(f"{_name(worst)}: {what} under-predicted by {under:.1%}, bar {UNDER:.0%}")
    return numbers, missed


def _name(one: Outcome) -> str:
    return " ".join(one.case.row())


def told(outcomes: Sequence[Outcome]) -> str:
    """The table."""
    rows = []
    for one in outcomes:
        cells = one.case.row()
        for what in (ALLOCATED, RESERVED):
            cells.append(f"{one.forecast[what] / GIB:.2f}")
            if one.measured is None:
                cells += ["failed", ""]
            else:
                cells += [f"{one.measured[what] / GIB:.2f}", f"{one.error(what):+.1%}"]
        rows.append([*cells, f"{one.context / GIB:.2f}" if one.measured else ""])
    head = ["forecast", "allocated", "off by", "with slack", "reserved", "off by", "context"]
    return table([*HEAD, *head], rows)


def base_of(case: Case, folder: Path) -> Path:
    """A folder with random weights of the case's shape in bf16; made on the CPU, once."""
    import torch
    from transformers import AutoModelForCausalLM

    from train.memory_model import model_config

    made = folder / case.model
    if not made.is_dir():
        part = folder / f".{case.model}.part"
        torch.manual_seed(0)
        config = model_config(case.config)
        AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).save_pretrained(part)
        part.rename(made)
    return made


def worst_batches(case: Case, count: int) -> list[list[int]]:
    """Rows of ``count`` batches, each as long as may be and, where it has two rows, padded."""
    setup = case.setup
    one = [setup.max_length, *[setup.max_length - setup.has_padding] * (setup.micro_batch - 1)]
    return [[5] * length for length in one * count]


def measure(case: Case, folder: Path, device: str = "cuda") -> dict[str, int]:
    """Train two steps; bytes at the fullest moment. Needs a process of its own."""
    import torch

    trainer = trainer_of(case, folder, device)
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    trainer.train()
    if device != "cuda":
        return {}
    free, total = torch.cuda.mem_get_info()
    return {
        ALLOCATED: torch.cuda.max_memory_allocated(),
        RESERVED: torch.cuda.max_memory_reserved(),
        "context": total - free - torch.cuda.memory_reserved(),
    }


def trainer_of(case: Case, folder: Path, device: str) -> Any:
    """The run's own trainer on the worst batch again and again."""
    import datasets
    from torch.utils.data import SequentialSampler

    from train.adapter import attention_of
    from train.base_model import make_tokenizer
    from train.checkpoints import Progress
    from train.device import find_device
    from train.load import load_model
    from train.plan import TrainPlan
    from train.spec import LoraSpec
    from train.trainer import build_trainer

    setup = case.setup
    rows = worst_batches(case, 4)
    data = datasets.Dataset.from_dict({"input_ids": rows, "labels": rows})
    plan = TrainPlan.model_construct(
        run_id="memory",
        run_dir=folder,
        method="lora" if setup.lora else "full",
        lora=setup.lora or LoraSpec(),
        quantization=setup.quantization,
        optimiser=setup.optimiser,
        device=find_device(),
        precision=setup.precision,
        checkpointing=setup.checkpointing,
        micro_batch=setup.micro_batch,
        grad_accumulation=2,
        max_length=setup.max_length,
        learning_rate=1e-4,
        warmup_steps=0,
        steps=2,
        epochs=1.0,
        save_every_steps=9,
        keep_checkpoints=1,
        seed=0,
        rows=len(rows),
        tokens=sum(map(len, rows)),
        trained_tokens=sum(map(len, rows)),
        report_to=[],
    )
    assert plan.device.kind == device
    dtype = "bfloat16" if setup.precision == "bf16" else "float32"
    trainer = build_trainer(
        plan,
        load_model(
            str(base_of(case, folder)),
            dtype=dtype,
            quantization=setup.quantization,
            attention=attention_of(plan),
        ),
        make_tokenizer(["a text"], vocab_size=260),
        data,
        emit=lambda _: None,
        progress=Progress(),
        stop=lambda: False,
    )
    trainer.args.save_strategy = "no"
    trainer._get_train_sampler = lambda _rows=None: SequentialSampler(data)
    return trainer


def outcome(at: int, folder: Path) -> Outcome:
    """Forecast a case here, run it in a process of its own."""
    from train.memory import PARTS, forecast

    case = GPU[at]
    made = forecast(case.config, case.setup)
    slack = made.parts[PARTS[-1]]
    expected = {ALLOCATED: made.tensor_bytes, RESERVED: made.tensor_bytes + slack}
    command = [sys.executable, "-W", "ignore", __file__, "--measure", str(at)]
    done = subprocess.run(
        [*command, "--folder", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        # as the local launcher sets it
        env={**os.environ, "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True"},
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        return Outcome(case, expected, None, why=lines[-1] if lines else "no word")
    found = json.loads(done.stdout.splitlines()[-1])
    return Outcome(case, expected, {ALLOCATED: found[ALLOCATED], RESERVED: found[RESERVED]},
                   context=found["context"])  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--only", type=int, nargs="+", metavar="N", help="cases by number, from 0")
    parser.add_argument("--folder", type=Path, help="keep the random bases there")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args(arguments)
    import torch

    if not torch.cuda.is_available():
        sys.stderr.write(
            "no CUDA card here: nothing was measured\n"
            "run this on a machine with an NVIDIA card and a CUDA build of torch\n"
        )
        return 2
    if asked.measure is not None:
        print(json.dumps(measure(GPU[asked.measure], asked.folder)))
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        outcomes = [outcome(at, folder) for at in asked.only or range(len(GPU))]
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}; GiB\n")
    print(told(outcomes))
    numbers, missed = verdict(outcomes)
    print("\n" + ", ".join(f"{name} {value:.1%}" for name, value in numbers.items()))
    if asked.json:
        found = [
            {**one._asdict(), "case": [one.case.model, one.case.setup.model_dump(mode="json")]}
            for one in outcomes
        ]
        text = json.dumps({**numbers, "missed": missed, "cases": found}, indent=2)
        asked.json.write_text(text + "\n")
    for line in missed:
        sys.stderr.write(line + "\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
