"""What is asked of a training run: read from a TOML file, unknown keys refused."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from dataset.manifest import parse_toml

TrainOn = Literal["assistant", "last", "all"]
Method = Literal["lora", "full"]
Quantization = Literal["int8", "nf4"]
Optimiser = Literal["adamw", "adamw_8bit", "paged_adamw_8bit"]

RUNPOD_IMAGE = "runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404"


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
    rslora: bool = Field(default=False, description="scale by alpha/sqrt(r) instead of alpha/r")
    dora: bool = Field(default=False, description="train magnitude and direction apart")


class DpoSpec(_Value):
    """Preference training, for dataset versions of kind preference."""

    beta: float = Field(default=0.1, gt=0, description="how far the model may leave its start")
    loss: Literal["sigmoid", "ipo", "robust"] = Field(
        default="sigmoid", description="TRL's loss_type"
    )
    label_smoothing: float = Field(
        default=0.0, ge=0, lt=0.5, description="share of pairs taken to be the wrong way round"
    )


class HeldOutSpec(_Value):
    """What the loss on the validation split decides while a run goes on."""

    every_steps: int | None = Field(
        default=None, ge=1, description="steps between losses; left out: with the checkpoints"
    )
    stop_after: int | None = Field(
        default=None, ge=1, description="end early after so many losses without a better one"
    )
    keep_best: bool = Field(
        default=True, description="end with the weights of the best loss, not with the last"
    )


class RunpodSpec(_Value):
    """Where and for how much a run may be rented, for ``--launcher runpod``."""

    max_usd_per_hour: float = Field(gt=0, description="what a pod may cost, all its cards together")
    max_usd: float = Field(gt=0, description="what the run may cost, all its attempts together")
    max_hours: float = Field(default=24.0, gt=0, description="how long one pod may live")
    gpus: list[str] = Field(default=[], description="only these cards, by name; empty: any")
    cpu: str | None = Field(
        default=None, description="a CPU flavour such as cpu3c in place of a card; for small trials"
    )
    vcpus: int = Field(default=4, ge=2, le=32, description="of a CPU pod; a power of two")
    data_centers: list[str] = Field(default=[], description="only these; empty: any")
    cloud: Literal["SECURE", "COMMUNITY"] = Field(
        default="SECURE", description="RunPod's own machines, or other people's"
    )
    image: str = Field(
        default=RUNPOD_IMAGE,
        description="the container, with a pinned tag or digest",
    )
    python: str = Field(default="python3", pattern=r"^[\w./+-]+$", description="in the image")
    disk_gb: int = Field(default=60, ge=10, le=4096, description="of the container")
    hub: str | None = Field(
        default=None,
        pattern=r"^[\w.-]+/[\w.-]+$",
        description="private dataset repository on the Hub through which files travel",
    )
    hub_secret: str = Field(
        default="turnmill_hf",
        pattern=r"^\w+$",
        description="name of the secret at RunPod that holds a Hub token which may write there",
    )
    volume: str | None = Field(
        default=None,
        description="id of a network volume through which files travel, in place of hub",
    )
    volume_folder: Path | None = Field(
        default=None, description="where this machine has that volume's content, to read and write"
    )
    keep: Literal["none", "stopped"] = Field(
        default="none", description="what is left of a pod whose files are verified"
    )
    attempts: int = Field(default=4, ge=1, le=20, description="pods one after another, at most")

    @field_validator("image")
    @classmethod
    def _pinned(cls, image: str) -> str:
        name, _, tag = image.rpartition("/")[2].partition("@" if "@" in image else ":")
        if not name or not tag or tag == "latest" or any(c.isspace() for c in image):
            raise ValueError("must name a tag other than latest, or a digest")
        return image

    @model_validator(mode="after")
    def _one_carrier(self) -> "RunpodSpec":
        if (self.hub is None) == (self.volume is None):
            raise ValueError("files travel either through hub or through volume: name one")
        if (self.volume is None) != (self.volume_folder is None):
            raise ValueError("volume and volume_folder go together")
        return self


class TrainSpec(_Value):
    """A training run as a person writes it; ``train.plan`` resolves what is left open."""

    dataset: str = Field(description="a dataset version: name, name@latest, name@hash or a folder")
    base_model: str = Field(description="a Hub id or a folder")
    base_revision: str | None = Field(default=None, description="commit, tag or branch on the Hub")
    method: Method = Field(default="lora", description="an adapter, or full: all weights")
    lora: LoraSpec = Field(default=LoraSpec(), description="the adapter")
    dpo: DpoSpec = Field(default=DpoSpec(), description="only for preference versions")
    quantization: Quantization | Literal["none", "auto"] = Field(
        default="auto", description="of the base model's linear layers; CUDA only"
    )
    optimiser: Optimiser = Field(
        default="adamw", description="those of 8 bit are bitsandbytes' and CUDA only"
    )
    learning_rate: float = Field(
        default=2e-4,
        gt=0,
        description="highest rate, after warm-up; left out for preference pairs: 5e-6, or 5e-7 with"
        " all weights trained",
    )
    epochs: float = Field(default=1.0, gt=0, description="passes over the train split")
    max_steps: int | None = Field(default=None, ge=1, description="steps, instead of epochs")
    effective_batch: int | None = Field(
        default=None, ge=1, description="rows per optimiser step; left out: 16"
    )
    micro_batch: int | None = Field(
        default=None, ge=1, description="rows per forward pass; left out: as memory allows"
    )
    grad_accumulation: int | None = Field(
        default=None, ge=1, description="forward passes per step; left out: from the two above"
    )
    processes: int = Field(
        default=1, ge=1, le=64, description="GPUs of one machine that share the rows of each step"
    )
    max_length: int | None = Field(
        default=None,
        ge=8,
        description="tokens per row; longer conversations are cut at turn borders; left out: as the"
        " dataset's lengths and memory ask",
    )
    allow_shorter: bool = Field(
        default=False, description="whether a run out of memory may go on with shorter rows"
    )
    checkpointing: bool | None = Field(
        default=None, description="recompute activations to save memory; left out: by the plan"
    )
    packing: bool | None = Field(
        default=None,
        description="rows of a batch end to end instead of padded; left out: on CUDA with flash"
        " attention",
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
    held_out: HeldOutSpec = Field(
        default=HeldOutSpec(), description="what that loss decides during training"
    )
    report_to: list[str] = Field(
        default=["tensorboard"],
        description="trackers of transformers' Trainer; all but tensorboard send metrics away",
    )
    stall_minutes: float = Field(
        default=30.0, gt=0, description="without any sign of life, after which a run is ended"
    )
    runpod: RunpodSpec | None = Field(
        default=None, description="limits and places of a run on RunPod"
    )


def load_train_spec(path: Path) -> TrainSpec:
    """Read a training spec.

    Raises:
        SpecError: missing file, broken TOML, unknown or wrong key; all faults are named at once.
    """
    return parse_toml(path, TrainSpec)
