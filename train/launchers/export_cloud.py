"""A plan as tasks of SkyPilot and dstack: a rented machine that runs the same ``turnmill train``.

Both bring the sealed version and the spec there and nothing else; no file holds a secret.
"""

import math
from pathlib import Path
from typing import Any, NamedTuple

from train.gpus import CARDS, Card, known_card
from train.launchers.export_yaml import yaml_text
from train.plan import TrainPlan

SKYPILOT, DSTACK = "skypilot.yaml", "dstack.yml"
# words of SkyPilot's catalogue that are not a card's name without its spaces
_SKY = {
    ("A100", 80): "A100-80GB",
    ("H100 PCIe", 80): "H100",
    ("H100 NVL", 94): "H100-NVL",
    ("V100", 32): "V100-32GB",
    ("RTX 6000 Ada", 48): "RTX6000-Ada",
}
# words of gpuhunt, which dstack asks
_DSTACK = {
    "H100 PCIe": "H100", "H100 NVL": "H100NVL",
    "RTX A4000": "A4000", "RTX A5000": "A5000", "RTX A6000": "A6000",
}  # fmt: skip
_PYTHON = "3.11"
_LEAST_HOURS = 2


class Rented(NamedTuple):
    """The machine a plan asks for.

    Attributes:
        card: which one, and why.
        reason: a sentence.
        disk_gib: for the base, checkpoints and packages.
        hours: after which it is ended whatever it does.
    """

    card: Card
    reason: str
    disk_gib: int
    hours: int


def rented(plan: TrainPlan) -> Rented:
    """The machine for a plan.

    The planned card, where the plan is for one that is known; else the smallest by memory that
    takes the forecast peak, and without a forecast one of 80 GB.
    """
    card, reason = _card(plan)
    weights = sum((plan.base.path / name).stat().st_size for name in plan.base.weights)
    disk = 60 + 3 * weights / 2**30
    hours = _LEAST_HOURS
    if plan.estimate is not None:
        hours += math.ceil(1.5 * plan.estimate.high_s / 3600)
    return Rented(card, reason, 50 * math.ceil(disk / 50), hours)


def _card(plan: TrainPlan) -> tuple[Card, str]:
    if plan.device.kind == "cuda":
        card = known_card(plan.device.name)
        if card is not None:
            return card, "the plan is for this card"
        least, reason = plan.device.memory_gib or 0.0, "as much memory as the planned card has"
    elif plan.peak is not None:
        least = plan.peak.peak_gib * (1 + plan.peak.expected_error)
        reason = f"the smallest card for the {least:.1f} GiB that the plan forecasts"
    else:
        least, reason = 79.0, "a large card, as the plan has no forecast of memory"
    by_size = sorted(CARDS, key=lambda one: (one.memory_gib, one.tflops))
    fitting = [one for one in by_size if one.memory_gib >= least]
    return (fitting[0], reason) if fitting else (by_size[-1], "the largest card known: none fits")


def skypilot_task(plan: TrainPlan, machine: Rented, base: Path | None) -> str:
    """The text of ``skypilot.yaml``.

    Args:
        plan: what is run.
        machine: what it is run on.
        base: the base model's folder, where it is not on the Hub.
    """
    card = machine.card
    name = _SKY.get((card.name, card.nominal), card.name.replace(" ", ""))
    values: dict[str, Any] = {
        "name": _name(plan),
        "resources": {
            "accelerators": f"{name}:{plan.processes}",
            "disk_size": machine.disk_gib,
            # stopped, not deleted: the adapter is fetched from its disk
            "autostop": {"idle_minutes": 10},
        },
        "envs": {"TURNMILL": "turnmill[train]"},
        "file_mounts": {
            "~/turnmill/train.toml": "./train.toml",
            "~/turnmill/dataset": "./dataset",
            **({"~/base": str(base)} if base else {}),
        },
        "setup": f"""\
conda create -y -n turnmill python={_PYTHON}
conda activate turnmill
pip install {_packages(plan)}
""",
        "run": f"""\
conda activate turnmill
cd ~/turnmill
timeout {machine.hours}h turnmill train train.toml --home home
""",
    }
    head = f"""\
SkyPilot, written by turnmill. Run inside this folder:
  sky launch -c {_name(plan)} {SKYPILOT} --env TURNMILL=...
TURNMILL is what pip installs: a wheel's address, or a repository you can reach.
The card: {machine.reason}. The run is ended after {machine.hours} hours at the latest, and the
machine stops when it has been idle. Fetch the run and delete the machine:
  rsync -Pavz {_name(plan)}:turnmill/home/runs .
  sky down {_name(plan)}
The conversations go to the machine that is rented, to nobody else; 'sky down' deletes them there.
For a gated base model add 'secrets: {{HF_TOKEN: null}}' and launch with --secret HF_TOKEN."""
    return yaml_text(values, head=head)


def dstack_task(plan: TrainPlan, machine: Rented, base: Path | None) -> str:
    """The text of ``dstack.yml``; arguments as in :func:`skypilot_task`."""
    card = machine.card
    files = ["./train.toml:/workflow/turnmill/train.toml", "./dataset:/workflow/turnmill/dataset"]
    values: dict[str, Any] = {
        "type": "task",
        "name": _name(plan),
        "python": _PYTHON,
        "nvcc": True,
        "env": ["TURNMILL=turnmill[train]"],
        "files": [*files, *([f"{base}:/workflow/base"] if base else [])],
        "commands": [
            f"pip install {_packages(plan)}",
            "cd /workflow/turnmill",
            "turnmill train train.toml --home home",
            # the container's disk goes with it
            "echo 'done: fetch home/runs, then stop this run'",
            "sleep infinity",
        ],
        "resources": {
            "gpu": {
                "name": _DSTACK.get(card.name, card.name.replace(" ", "")),
                "memory": f"{card.nominal}GB",
                "count": plan.processes,
            },
            "disk": f"{machine.disk_gib}GB..",
            "shm_size": "16GB",
        },
        "max_duration": f"{machine.hours}h",
        "stop_duration": "5m",
    }
    head = f"""\
dstack, written by turnmill. Run inside this folder:
  dstack apply -f {DSTACK} -e TURNMILL=...
TURNMILL is what pip installs: a wheel's address, or a repository you can reach.
The card: {machine.reason}. When the run is done the task waits, and costs, until you stop it or
{machine.hours} hours are over; fetch the run before, while 'dstack attach {_name(plan)}' is open:
  scp -r {_name(plan)}:/workflow/turnmill/home/runs .
  dstack stop {_name(plan)}
The conversations go to the machine that is rented (dstack's server passes them on).
For a gated base model add HF_TOKEN to env, without a value: it is taken from your environment."""
    return yaml_text(values, head=head)


def _packages(plan: TrainPlan) -> str:
    eight = plan.quantization is not None or plan.optimiser != "adamw"
    return '"$TURNMILL" bitsandbytes' if eight else '"$TURNMILL"'


def _name(plan: TrainPlan) -> str:
    """Lower-case letters, digits and hyphens, as both tools ask."""
    cleaned = "".join(one if one.isalnum() else "-" for one in plan.run_id.lower())
    return f"turnmill-{cleaned}"[:40].rstrip("-")
