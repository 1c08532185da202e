"""What this machine trains on, and with which packages."""

import importlib.metadata
import os
import platform
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "tokenizers", "datasets")


class Device(BaseModel):
    """A place to train."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["cuda", "mps", "cpu"] = Field(description="torch's name of the device")
    name: str = Field(description="as the maker calls it")
    memory_gib: float | None = Field(default=None, description="of the device, if it has its own")
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
            bf16=torch.cuda.is_bf16_supported(),
        )
    if torch.backends.mps.is_available():
        return Device(kind="mps", name="Apple GPU")
    return Device(kind="cpu", name=platform.machine())


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
