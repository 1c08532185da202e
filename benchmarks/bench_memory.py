"""The memory forecast: against its formula, against real tensors, and what it takes itself.

    python benchmarks/bench_memory.py [--json FILE]

First table: public models by their shapes. Each forecast runs in a process of its own, whose CPU
seconds and peak memory (``VmHWM``, imports of torch included) are told; the bars are 20 s and
1 GiB. Second table: small models of three families, the forecast against the live bytes of the
run's own trainer and against what torch's CPU allocator gave out; the bar is 5 %. Exit status 1
where a bar is missed. Linux only: it reads /proc.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from memory_cases import FORECAST, HEAD, Case, table

SECONDS, GIB_ITSELF, REAL_ERROR = 20, 1.0, 0.05
GIB = 2**30


def forecast_here(case: Case) -> dict[str, Any]:
    """The forecast, and what this process took until then."""
    from train.memory import forecast

    made = forecast(case.config, case.setup)
    seconds = time.process_time()
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text("utf-8"))
    assert found is not None
    return {
        "peak_gib": made.peak_gib,
        "tensor_gib": made.tensor_bytes / GIB,
        "formula_gib": None if made.formula_bytes is None else made.formula_bytes / GIB,
        "expected_error": made.expected_error,
        "moment": made.moment,
        "cpu_seconds": seconds,
        "own_gib": int(found[1]) / 2**20,
    }


def measured(case_at: int) -> dict[str, Any]:
    """The forecast of a case in a fresh process."""
    command = [sys.executable, "-W", "ignore", __file__, "--measure", str(case_at)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    name = " ".join(FORECAST[case_at].row())
    sys.stderr.write(f"{name}: {found['tensor_gib']:.2f} GiB in {found['cpu_seconds']:.1f} s\n")
    return found


def against_real() -> list[dict[str, Any]]:
    """Each small case: forecast, bytes of the trainer's tensors, bytes of the allocator."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    from memory_ground import SMALL, allocator_bytes, trainer_bytes

    from train.memory import StepSetup, forecast
    from train.spec import LoraSpec

    found = []
    for family, config in SMALL.items():
        for precision in ("fp32", "bf16"):
            for checkpointing in (True, False):
                for length in (256, 512):
                    setup = StepSetup(
                        lora=LoraSpec(r=8),
                        max_length=length,
                        device="cpu",
                        precision=precision,
                        checkpointing=checkpointing,
                    )
                    with tempfile.TemporaryDirectory() as folder:
                        trainer = trainer_bytes(config, setup, Path(folder))
                    found.append(
                        {
                            "family": family,
                            "setup": setup.model_dump(),
                            "forecast": forecast(config, setup).tensor_bytes,
                            "trainer": trainer,
                            "allocator": allocator_bytes(config, setup),
                        }
                    )
    return found


def missed(forecasts: list[dict[str, Any]], real: list[dict[str, Any]]) -> list[str]:
    """What is over its bar."""
    told = []
    for case, one in zip(FORECAST, forecasts, strict=True):
        name = " ".join(case.row())
        if one["cpu_seconds"] >= SECONDS:
            told.append(f"{name}: took {one['cpu_seconds']:.1f} CPU s, bar {SECONDS}")
        if one["own_gib"] >= GIB_ITSELF:
            told.append(f"{name}: took {one['own_gib']:.2f} GiB, bar {GIB_ITSELF:.0f}")
    told += [
        f"{one['family']} {one['setup']}: {error:+.1%} against the {way}"
        for one in real
        for way in ("trainer", "allocator")
        if abs(error := one["forecast"] / one[way] - 1) > REAL_ERROR
    ]
    return told


def show(forecasts: list[dict[str, Any]], real: list[dict[str, Any]]) -> None:
    rows = []
    for case, one in zip(FORECAST, forecasts, strict=True):
        formula = one["formula_gib"]
        off = "" if formula is None else f"{formula / one['tensor_gib'] - 1:+.1%}"
        rows.append(
            [
                *case.row(),
                f"{one['tensor_gib']:.2f}",
                "unknown" if formula is None else f"{formula:.2f}",
                off,
                f"{one['peak_gib']:.1f}",
                f"{one['cpu_seconds']:.1f}",
                f"{one['own_gib']:.2f}",
            ]
        )
    head = ["traced GiB", "formula GiB", "formula off by", "card GiB", "CPU s", "own GiB"]
    print(table([*HEAD, *head], rows))
    print()
    rows = []
    for one in real:
        setup = one["setup"]
        rows.append(
            [
                one["family"],
                f"LoRA, {setup['precision']}",
                "on" if setup["checkpointing"] else "off",
                f"{setup['micro_batch']} x {setup['max_length']}",
                f"{one['forecast'] / 2**20:.1f}",
                *(f"{one['forecast'] / one[way] - 1:+.2%}" for way in ("trainer", "allocator")),
            ]
        )
    print(table([*HEAD, "forecast MiB", "against the trainer", "against the allocator"], rows))
    errors = [abs(one["forecast"] / one["trainer"] - 1) for one in real]
    print(f"\nagainst the trainer: median {statistics.median(errors):.2%}, worst {max(errors):.2%}")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.measure is not None:
        print(json.dumps(forecast_here(FORECAST[arguments.measure])))
        return 0
    forecasts = [measured(at) for at in range(len(FORECAST))]
    real = against_real()
    show(forecasts, real)
    over = missed(forecasts, real)
    if arguments.json:
        found = {
            "forecasts": [
                {"model": case.model, "setup": case.setup.model_dump(mode="json"), **one}
                for case, one in zip(FORECAST, forecasts, strict=True)
            ],
            "real": real,
            "missed": over,
        }
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")
    for line in over:
        sys.stderr.write(line + "\n")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
