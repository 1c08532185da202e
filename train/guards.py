"""What a run refuses to start with: too little disk, a card in use, inputs that changed."""

import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

from dataset.manifest import open_version
from ingest.files import sha256_file
from train.checkpoints import DiskError
from train.failures import DataError, TemplateError
from train.plan import PlanError, TrainPlan

GIB = 2**30
MIB = 2**20
# the trainer's and the tokenizer's files, events, records; 20 MiB is a large tokenizer
_BESIDE = 32 * MIB
# bytes of both states of a parameter
_STATES = {"adamw": 8, "adamw_8bit": 2, "paged_adamw_8bit": 2}
# a desktop's share; with more, somebody computes
_HARMLESS_MIB = 512
_ASKED = "pid,process_name,used_memory"


class CardError(PlanError):
    """The card is in use by others."""


class Held(NamedTuple):
    """Memory of a card that another program holds."""

    pid: int
    name: str
    mib: int

    def __str__(self) -> str:
        return f"pid {self.pid} {self.name} {self.mib:,} MiB"


def check_unchanged(plan: TrainPlan, device: str) -> None:
    """Compare what the plan names with what is here.

    Raises:
        PlanError: another device or base weights.
        DataError: another dataset version, or rendered rows that are not what was planned.
        TemplateError: another chat template.
        VersionError: the version is missing or damaged.
    """
    from train.load import load_tokenizer, weights_sha256
    from train.render import template_sha256

    if device != plan.device.kind:
        raise PlanError(
            f"{plan.run_id}: planned for {plan.device.kind}, but this machine has {device}",
            "start a new run here",
        )
    version = open_version(plan.dataset.path)
    again = f"{plan.run_id}: planned with another"
    if version.fingerprint != plan.dataset.fingerprint:
        raise DataError(f"{again} dataset version", "start a new run from its spec")
    version.verify()
    for counts in plan.splits.values():
        file = plan.run_dir / counts.file
        if not file.is_file() or sha256_file(file) != counts.sha256:
            raise DataError(f"{file}: is not what was planned", "start a new run from its spec")
    if weights_sha256(plan.base.path) != plan.base.weights:
        raise PlanError(f"{again} base model", "put its files back, or start a new run")
    if template_sha256(load_tokenizer(str(plan.base.path))) != plan.base.template_sha256:
        raise TemplateError(f"{again} chat template", "put it back, or start a new run")


def disk_needed(plan: TrainPlan, trained_bytes: int, trained_parameters: int) -> dict[str, int]:
    """Bytes that a run writes at its fullest moment, by part.

    Args:
        plan: says how many checkpoints are kept.
        trained_bytes: of the weights that are trained.
        trained_parameters: how many numbers they are.
    """
    checkpoint = trained_bytes + trained_parameters * _STATES[plan.optimiser] + _BESIDE
    return {
        # the next one is whole before the oldest is deleted
        "checkpoints": checkpoint * (plan.keep_checkpoints + 1),
        # the one before it goes only once the new one is whole
        "best weights": trained_bytes * 2 if plan.eval and plan.held_out.keep_best else 0,
        "result": trained_bytes + _BESIDE,
    }


def require_disk(plan: TrainPlan, model: Any, free: int | None = None) -> None:
    """Refuse a run whose checkpoints and result find no room.

    Args:
        plan: the run's.
        model: as it will be trained.
        free: bytes; left out: as the disk says.

    Raises:
        DiskError: too little; says how much is needed and how much is free.
    """
    trained = [p for p in model.parameters() if p.requires_grad]
    parts = disk_needed(plan, sum(p.nbytes for p in trained), sum(p.numel() for p in trained))
    there = sum(file.stat().st_size for file in plan.run_dir.glob("checkpoints/*/*"))
    needed = sum(parts.values()) - there
    has = shutil.disk_usage(plan.run_dir).free if free is None else free
    if needed > has:
        told = ", ".join(f"{name} {size / GIB:.2f}" for name, size in parts.items() if size)
        raise DiskError(
            f"{plan.run_dir}: about {needed / GIB:.2f} GiB are needed ({told}), {has / GIB:.2f}"
            " are free",
            "free disk space, or lower keep_checkpoints, and give the same command again",
        )


def others_on(cards: str) -> list[Held]:
    """What other programs hold of NVIDIA cards; empty where it cannot be told.

    To be asked before this program takes memory itself: inside a container the numbers of
    processes are the host's, and its own could not be told from others.

    Args:
        cards: as in ``CUDA_VISIBLE_DEVICES``.
    """
    asked = f"--query-compute-apps={_ASKED}"
    command = ["nvidia-smi", f"--id={cards}", asked, "--format=csv,noheader,nounits"]
    if shutil.which(command[0]) is None:
        return []
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return []
    found = []
    for line in done.stdout.splitlines():
        pid, _, rest = line.partition(",")
        name, _, used = rest.rpartition(",")
        # where a driver does not tell, it says [N/A]
        if pid.strip().isdigit() and used.strip().isdigit():
            found.append(Held(int(pid), Path(name.strip()).name, int(used)))
    return found


def require_free_card(plan: TrainPlan, held: list[Held]) -> None:
    """Refuse a card on which others hold memory, unless the forecast fits beside them.

    Args:
        plan: of a run on CUDA; another is not looked at.
        held: by others.

    Raises:
        CardError: names each program by pid, name and MiB.
    """
    taken = sum(one.mib for one in held)
    if plan.device.kind != "cuda" or taken < _HARMLESS_MIB:
        return
    peak, memory = plan.peak, plan.device.memory_gib
    if peak and memory and peak.peak_gib * (1 + peak.expected_error) + taken / 1024 <= memory:
        return
    programs = "; ".join(str(one) for one in sorted(held, key=lambda one: -one.mib))
    needs = f", of which the run needs {peak.peak_gib:.1f}" if peak else ""
    raise CardError(
        f"{plan.device.name}: others hold {taken / 1024:.1f} GiB of its memory{needs}: {programs}",
        "end them (kill PID), wait, or choose another card with CUDA_VISIBLE_DEVICES",
    )
