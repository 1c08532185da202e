"""Peak memory of a training step before anything is started: no weights, no GPU, no network.

The step is traced on tensors without memory (:mod:`train.memory_trace`) at two depths, and each
phase's fullest moment is drawn out to the real depth. A closed formula
(:mod:`train.memory_formula`) checks it from the other side.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from train.memory_setup import ForecastError, StepSetup

__all__ = ["Forecast", "ForecastError", "StepSetup", "forecast", "read_config"]

PARTS = (
    *("weights", "adapters", "gradients", "optimiser"),
    *("activations", "loss", "buffers", "context", "slack"),
)
GIB = 2**30

# What the process and its libraries hold on the device before the first tensor. CUDA: context,
# kernels and cuBLAS workspaces of a large card; 0.14 GiB on a T4, about 0.5 on an H100 (published
# by others, not measured here). CPU: measured, the resident set after importing torch,
# transformers, trl and peft. MPS: a guess.
_CONTEXT = {"cuda": 0.5 * GIB, "cpu": 0.5 * GIB, "mps": 0.3 * GIB}
# Share of what comes and goes that an allocator loses between blocks: others report 2 to 10 %
_LOST = 0.10


class Forecast(BaseModel):
    """Peak memory of one training step, in bytes by part."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    setup: StepSetup = Field(description="the step")
    parts: dict[str, int] = Field(description="bytes at the fullest moment, by part; all of PARTS")
    moment: str = Field(description="the phase of the step in which memory is fullest")
    phases: dict[str, int] = Field(description="bytes of tensors at each phase's fullest moment")
    formula_bytes: int | None = Field(
        description="tensors at the peak by the closed formula; none where it knows no such model"
    )
    expected_error: float = Field(
        description="share by which the true peak of tensors may differ; see 'basis'"
    )
    basis: str = Field(description="what the expected error rests on")

    @property
    def tensor_bytes(self) -> int:
        """What torch calls allocated: without context and slack."""
        return sum(self.parts[part] for part in PARTS[:-2])

    @property
    def peak_bytes(self) -> int:
        """What the card must have."""
        return sum(self.parts.values())

    @property
    def peak_gib(self) -> float:
        """What the card must have, in GiB."""
        return self.peak_bytes / GIB

    def fits(self, memory_gib: float) -> bool:
        """Whether the peak and the expected error lie within the memory."""
        return self.peak_bytes + self.expected_error * self.tensor_bytes <= memory_gib * GIB


def read_config(folder: Path) -> dict[str, Any]:
    """``config.json`` of a model folder.

    Raises:
        ForecastError: missing or damaged.
    """
    file = folder / "config.json"
    try:
        config: dict[str, Any] = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise ForecastError(f"{file}: no such file", "name a Hugging Face model folder") from None
    except ValueError:
        raise ForecastError(f"{file}: is not JSON", "fetch the model again") from None
    return config


def forecast(config: Mapping[str, Any], setup: StepSetup) -> Forecast:
    """Peak memory of the worst batch: every row as long as ``max_length``, every token trained.

    Args:
        config: the content of the model's ``config.json``.
        setup: the step.

    Raises:
        ForecastError: cannot run, or an architecture that is not forecast.
    """
    setup.check()
    return _forecast(json.dumps(dict(config), sort_keys=True), setup.model_dump_json())


@lru_cache(maxsize=256)
def _forecast(config: str, asked: str) -> Forecast:
    """Kept, since a search for a fix asks again; keyed by text, which does not change."""
    from train.memory_formula import formula_bytes
    from train.memory_model import depth_of, model_config
    from train.memory_trace import trace

    setup = StepSetup.model_validate_json(asked)
    model = model_config(json.loads(config))
    depth = depth_of(model)
    few = trace(model, setup, depth.few)
    more = few if depth.more == depth.few else trace(model, setup, depth.more)

    def drawn_out(at_few: int, at_more: int) -> int:
        if depth.more == depth.few:
            return at_few
        slope = (at_more - at_few) / (depth.more - depth.few)
        return round(at_few + slope * (depth.real - depth.few))

    phases = {
        phase: drawn_out(few[phase].total, more[phase].total) for phase in few if phase in more
    }
    moment = max(phases, key=lambda phase: phases[phase])
    first, second = few[moment].parts, more[moment].parts
    parts = {
        part: max(0, drawn_out(first.get(part, 0), second.get(part, 0))) for part in PARTS[:-2]
    }
    moving = sum(parts.values()) - parts["weights"] - parts["optimiser"]
    parts["context"] = round(_CONTEXT[setup.device])
    parts["slack"] = round(_LOST * moving)
    error, basis = _trust(setup)
    return Forecast(
        setup=setup,
        parts=parts,
        moment=moment,
        phases=phases,
        formula_bytes=formula_bytes(model, setup),
        expected_error=error,
        basis=basis,
    )


def _trust(setup: StepSetup) -> tuple[float, str]:
    """How far the trace may be off, and why we think so."""
    if setup.device == "cpu":
        return 0.02, "compared with live tensors of the run's own trainer on the CPU"
    if setup.device == "mps":
        return 0.20, "not checked on a device; attention without a fused kernel is assumed"
    if setup.quantization or setup.optimiser != "adamw":
        return 0.10, "not checked on a GPU; bitsandbytes by stand-ins written after its source"
    return 0.05, "not checked on a GPU; on the CPU the same trace is within 2 %"
