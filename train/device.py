"""What this machine trains on, and with which packages."""

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from train.host_memory import memory_groups

PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "tokenizers", "datasets")


class Device(BaseModel):
    """A place to train."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["cuda", "mps", "cpu"] = Field(description="torch's name of the device")
    name: str = Field(description="as the maker calls it")
    memory_gib: float | None = Field(
        default=None, description="of the device; for a CPU the host's"
    )
    bf16: bool = Field(default=False, description="whether it computes in bfloat16 by itself")


def find_device() -> Device:
    """The best device of this machine: cuda, else mps, else cpu."""
    import torch

    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        return Device(
            kind="cuda",
            name=properties.name,
            memory_gib=round(properties.total_memory / 2**30, 2),
            # emulated it is slower than fp32
            bf16=torch.cuda.is_bf16_supported(including_emulation=False),
        )
    if torch.backends.mps.is_available():
        # shared with the system: what Metal recommends as the most
        most = round(torch.mps.recommended_max_memory() / 2**30, 2)
        return Device(kind="mps", name="Apple GPU", memory_gib=most)
    return Device(kind="cpu", name=platform.machine(), memory_gib=host_memory_gib())


def host_memory_gib(root: Path = Path("/")) -> float | None:
    """The host's memory in GiB, or what its cgroup allows; None where neither can be told.

    Args:
        root: above ``proc`` and ``sys``.
    """
    # Windows has no sysconf
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return None
    found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), *_cgroup_limits(root)]
    return round(min(found) / 2**30, 2)


def _cgroup_limits(root: Path) -> list[int]:
    """Limits of this process' cgroup and those above it, in bytes: version 2, then version 1."""
    limits: list[int] = []
    for folder, top, version in memory_groups(root):
        name = "memory.limit_in_bytes" if version == 1 else "memory.max"
        for one in (folder, *folder.parents):
            if one == top.parent:
                break
            if (one / name).is_file():
                told = (one / name).read_text("utf-8").strip()
                limits += [int(told)] if told.isdigit() else []
    return limits


def memory_held_gib(kind: str) -> tuple[float, float]:
    """Memory in GiB that this process holds, and the most it has held.

    Args:
        kind: ``cuda``: what torch has allocated on the card; ``mps``: what Metal has; ``cpu``: the
            resident set.
    """
    import torch

    if kind == "cuda":
        return torch.cuda.memory_allocated() / 2**30, torch.cuda.max_memory_allocated() / 2**30
    if kind == "mps":
        held = torch.mps.driver_allocated_memory() / 2**30
        return held, held
    status = Path("/proc/self/status")
    if status.exists():
        told = dict(line.split(":", 1) for line in status.read_text("ascii").splitlines())
        now, most = (int(told[name].split()[0]) / 2**20 for name in ("VmRSS", "VmHWM"))
        return now, most
    import resource
    import sys

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    most /= 2**30 if sys.platform == "darwin" else 2**20
    return most, most


def hardware(device: Device) -> dict[str, str | int | float | None]:
    """What a record says about the machine; nothing that names it or its owner."""
    import torch

    return {
        "device": device.kind,
        "name": device.name,
        "memory_gib": device.memory_gib,
        "system": platform.system(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }


def packages() -> dict[str, str]:
    """Versions of Python and of the packages that decide the numbers."""
    found = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **found}
