"""What decides the memory of one training step: the question that a forecast answers."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ingest.errors import UserError
from train.spec import LoraSpec, Optimiser, Quantization


class ForecastError(UserError):
    """A configuration whose memory cannot be forecast."""


class ImpossibleError(ForecastError):
    """A configuration that cannot run."""


class StepSetup(BaseModel):
    """One training step, its worst batch: ``micro_batch`` rows of ``max_length`` tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lora: LoraSpec | None = Field(default=LoraSpec(), description="none: all weights are trained")
    micro_batch: int = Field(default=2, ge=1, description="rows per forward pass")
    max_length: int = Field(default=2048, ge=8, description="tokens of the longest row")
    precision: Literal["fp32", "bf16"] = Field(
        default="bf16", description="of the weights and the arithmetic"
    )
    quantization: Quantization | None = Field(
        default=None, description="of the frozen linear layers, the head left out"
    )
    checkpointing: bool = Field(default=True, description="recompute activations")
    optimiser: Optimiser = Field(default="adamw", description="what keeps two states per parameter")
    device: Literal["cuda", "mps", "cpu"] = Field(default="cuda", description="torch's name of it")
    padded: bool | None = Field(
        default=None,
        description="whether shorter rows stand in the batch; left out: if it has two rows or more",
    )
    accumulates: bool = Field(
        default=True, description="whether gradients wait while the next rows are computed"
    )
    vocab_size: int | None = Field(
        default=None, ge=1, description="rows of the embeddings after resizing"
    )
    train_embeddings: bool = Field(
        default=False, description="whether embeddings and head are trained beside the adapter"
    )

    @property
    def has_padding(self) -> bool:
        """Whether the batch needs an attention mask of its own."""
        return self.micro_batch > 1 if self.padded is None else self.padded

    def check(self) -> None:
        """Refuse what cannot run.

        Raises:
            ImpossibleError: a combination no trainer of ours can run.
        """
        if self.device != "cuda" and (self.quantization or self.optimiser != "adamw"):
            asked = self.quantization or self.optimiser
            raise ImpossibleError(
                f"{asked}: bitsandbytes runs on CUDA only, not on {self.device}",
                "leave quantization out and use adamw, or plan for a CUDA device",
            )
        if self.lora is None and self.quantization:
            raise ImpossibleError(
                f"{self.quantization}: quantised weights cannot be trained themselves",
                "train an adapter (lora), or leave quantization out",
            )
