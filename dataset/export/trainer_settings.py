"""The numbers in a trainer's config: the stable baseline, or those of a plan."""

from typing import Literal, NamedTuple


class Steps(NamedTuple):
    """A run counted in optimiser steps, as a plan has it.

    Attributes:
        total: of the run.
        warmup: until the highest learning rate.
        save_every: steps between checkpoints.
        keep: checkpoints; older ones are deleted.
        judge_every: steps between losses on the validation split.
        stop_after: losses without a better one that end the run; None for no such end.
        keep_best: whether to end with the weights of the best loss.
    """

    total: int
    warmup: int
    save_every: int
    keep: int
    judge_every: int
    stop_after: int | None = None
    keep_best: bool = False


class TrainerSettings(NamedTuple):
    """What a trainer's config says beside data and model.

    Attributes:
        base_revision: commit of the base model on the Hub.
        method: an adapter, or full: all weights.
        rank: of the adapter.
        alpha: its scale.
        dropout: before it.
        targets: names of the layers it is on; none for every linear layer.
        rslora: scale by the root of the rank.
        dora: train magnitude and direction apart.
        quantization: of the base's linear layers.
        optimiser: ``adamw``, or one of bitsandbytes'.
        learning_rate: the highest.
        micro_batch: rows per forward pass of one process.
        accumulation: forward passes per step of one process.
        max_length: tokens per row.
        too_long: what becomes of longer rows; ``raise`` where there are none.
        packing: whether rows stand end to end.
        bf16: whether weights and arithmetic are bfloat16; None for where the card has it.
        checkpointing: recompute activations.
        seed: of order, adapter and dropout.
        train_on: what counts in the loss.
        steps: None for one pass over the rows, with warm-up over 3 % of it.
    """

    base_revision: str | None = None
    method: Literal["lora", "full"] = "lora"
    rank: int = 16
    alpha: int = 32
    dropout: float = 0.05
    targets: tuple[str, ...] = ()
    rslora: bool = False
    dora: bool = False
    quantization: Literal["int8", "nf4"] | None = "int8"
    optimiser: str = "adamw"
    learning_rate: float = 2e-4
    micro_batch: int = 2
    accumulation: int = 8
    max_length: int = 2048
    too_long: Literal["raise", "drop"] | None = None
    packing: bool = False
    bf16: bool | None = None
    checkpointing: bool = True
    seed: int = 0
    train_on: str = "assistant"
    steps: Steps | None = None
