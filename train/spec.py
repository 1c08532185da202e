"""What is asked of a training run: read from a TOML file, unknown keys refused."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from dataset.manifest import parse_toml

TrainOn = Literal["assistant", "last", "all"]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LoraSpec(_Value):
    """Shape of the low-rank adapter."""

    r: int = Field(default=16, ge=1, le=1024, description="rank of the update")
    alpha: int = Field(default=32, ge=1, description="scale: the update is multiplied by alpha/r")
    dropout: float = Field(default=0.05, ge=0, lt=1, description="dropout before the update")
    targets: Literal["all-linear"] | list[str] = Field(
        default="all-linear", description="which linear layers; the output head is never one"
    )


class TrainSpec(_Value):
    """A training run as a person writes it; ``train.plan`` resolves what is left open."""

    dataset: str = Field(description="a dataset version: name, name@latest, name@hash or a folder")
    base_model: str = Field(description="a Hub id or a folder")
    base_revision: str | None = Field(default=None, description="commit, tag or branch on the Hub")
    lora: LoraSpec = Field(default=LoraSpec(), description="the adapter")
    learning_rate: float = Field(default=2e-4, gt=0, description="highest rate, after warm-up")
    epochs: float = Field(default=1.0, gt=0, description="passes over the train split")
    max_steps: int | None = Field(default=None, ge=1, description="steps, instead of epochs")
    micro_batch: int = Field(default=2, ge=1, description="rows per forward pass")
    grad_accumulation: int = Field(default=8, ge=1, description="forward passes per step")
    max_length: int = Field(
        default=2048,
        ge=8,
        description="tokens per row; longer conversations are cut at turn borders",
    )
    checkpointing: bool | None = Field(
        default=None, description="recompute activations to save memory; left out: by the plan"
    )
    warmup_ratio: float = Field(default=0.03, ge=0, le=1, description="share of steps to warm up")
    seed: int = Field(default=0, ge=0, description="of row order, adapter and dropout")
    save_every_steps: int | None = Field(
        default=None, ge=1, description="steps between checkpoints; left out: ten in a run"
    )
    keep_checkpoints: int = Field(default=2, ge=1, description="older ones are deleted")
    train_on: TrainOn = Field(
        default="assistant", description="assistant turns, only the last one, or all text"
    )
    train_reasoning: bool = Field(default=True, description="train what the assistant thought")
    train_tool_calls: bool = Field(default=True, description="train the assistant's tool calls")
    eval: bool = Field(default=True, description="loss on the validation split, before and after")


def load_train_spec(path: Path) -> TrainSpec:
    """Read a training spec.

    Raises:
        SpecError: missing file, broken TOML, unknown or wrong key; all faults are named at once.
    """
    return parse_toml(path, TrainSpec)
