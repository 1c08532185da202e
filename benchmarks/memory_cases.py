"""The model shapes and training steps that the memory benchmarks ask about."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from train.memory_setup import StepSetup
from train.spec import LoraSpec

_CONFIGS = Path(__file__).parent / "configs"


class Case(NamedTuple):
    """A public model and a step."""

    model: str
    setup: StepSetup

    @property
    def config(self) -> dict[str, Any]:
        """The content of the model's configuration."""
        found: dict[str, Any] = json.loads((_CONFIGS / f"{self.model}.json").read_text("utf-8"))
        return found

    def row(self) -> list[str]:
        """Its cells in a table, as ``HEAD`` names them."""
        setup = self.setup
        method = "LoRA" if setup.lora else "full"
        base = setup.quantization or setup.precision
        optimiser = "" if setup.optimiser == "adamw" else f", {setup.optimiser}"
        return [
            self.model,
            f"{method}, {base}{optimiser}",
            "on" if setup.checkpointing else "off",
            f"{setup.micro_batch} x {setup.max_length}",
        ]


HEAD = ["model", "method, base", "checkpointing", "rows x tokens"]
_PAGED = "paged_adamw_8bit"


def case(
    model: str,
    rows: int,
    tokens: int,
    *,
    checkpointing: bool = True,
    full: bool = False,
    quantization: str | None = None,
    optimiser: str = "adamw",
) -> Case:
    """A case on CUDA in bf16."""
    asked = {
        "lora": None if full else LoraSpec(),
        "micro_batch": rows,
        "max_length": tokens,
        "checkpointing": checkpointing,
        "quantization": quantization,
        "optimiser": optimiser,
    }
    return Case(model, StepSetup.model_validate(asked))


FORECAST = [
    case("TinyLlama-1.1B", 2, 2048),
    case("TinyLlama-1.1B", 2, 2048, full=True),
    case("TinyLlama-1.1B", 16, 4096, checkpointing=False, quantization="int8"),
    case("Gemma-2-2B", 2, 512, checkpointing=False),
    case("Gemma-2-2B", 2, 4096, full=True),
    case("Qwen3-4B", 2, 4096),
    case("Qwen3-4B", 2, 2048, full=True, optimiser="adamw_8bit"),
    case("Gemma-3-4B", 2, 2048, quantization="nf4"),
    case("Mistral-7B-v0.3", 4, 4096, quantization="nf4"),
    case("Mistral-7B-v0.3", 1, 8192, checkpointing=False),
    case("Llama-3.1-8B", 2, 2048),
    case("Llama-3.1-8B", 2, 2048, quantization="int8", optimiser=_PAGED),
    case("Llama-3.1-8B", 2, 512, quantization="nf4"),
    case("Llama-3.1-8B", 1, 8192, quantization="nf4"),
    case("Llama-3.1-8B", 2, 1024, checkpointing=False),
    case("Llama-3.1-8B", 1, 2048, full=True),
    case("Qwen3-8B", 2, 1024, checkpointing=False, quantization="nf4"),
    case("Qwen3-8B", 4, 8192),
]

# small enough for a card of 24 GB: three families, each type of base, both lengths
GPU = [
    case("TinyLlama-1.1B", 2, 1024),
    case("TinyLlama-1.1B", 2, 1024, checkpointing=False),
    case("TinyLlama-1.1B", 2, 2048, quantization="int8"),
    case("TinyLlama-1.1B", 2, 2048, checkpointing=False, quantization="int8"),
    case("TinyLlama-1.1B", 2, 1024, full=True),
    case("Qwen3-0.6B", 2, 1024, checkpointing=False),
    case("Qwen3-0.6B", 2, 4096, quantization="nf4"),
    case("Qwen3-0.6B", 2, 4096, full=True),
    case("Gemma-2-2B", 2, 1024, quantization="nf4"),
    case("Gemma-2-2B", 2, 1024, quantization="int8"),
    case("Gemma-2-2B", 2, 2048),
    case("Llama-3.2-1B", 2, 2048, checkpointing=False, quantization="nf4"),
]


def table(head: list[str], rows: list[list[str]]) -> str:
    """Markdown; the cells after the case's own are numbers."""
    ruler = "|".join("---" if at < len(HEAD) else "--:" for at in range(len(head)))
    lines = [" | ".join(one) for one in [head, *rows]]
    lines = [f"| {line} |" for line in lines]
    return "\n".join([lines[0], f"|{ruler}|", *lines[1:]])
