"""The weights that an adapter was trained against: rounded if they were, of the adapter's size."""

import importlib
import importlib.util
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from train.certificate import MergeRefused
from train.spec import Quantization

ADAPTER_FILE = "adapter_model.safetensors"


class Rounding(BaseModel):
    """How a base model's linear layers were quantised while the adapter was trained on them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    quantization: Quantization = Field(description="nf4 or int8, as bitsandbytes has them")
    precision: Literal["fp32", "bf16"] = Field(description="of the weights before and after")


def require_rounding(rounding: Rounding) -> None:
    """Refuse to round where the library that rounded for the training is missing.

    Raises:
        MergeRefused: bitsandbytes is not installed.
    """
    if importlib.util.find_spec("bitsandbytes") is None:
        raise MergeRefused(
            f"the adapter was trained on {rounding.quantization} weights, and bitsandbytes, which"
            " makes them, is not installed",
            "pip install 'turnmill[quant]', or merge onto the original weights: --onto original",
        )


def rounded(weight: Any, rounding: Rounding) -> Any:
    """A linear layer's weight as the quantised layer stands for it: there and back again.

    Args:
        weight: (out, in), any float type.
        rounding: as in the training.

    Returns:
        The same shape, fp32.
    """
    import torch

    functional = importlib.import_module("bitsandbytes.functional")
    start = weight.to(torch.bfloat16 if rounding.precision == "bf16" else torch.float32)
    if rounding.quantization == "int8":
        # each row is scaled by its largest magnitude, as Linear8bitLt has it
        whole, scales, _ = functional.int8_vectorwise_quant(start.to(torch.float16))
        return functional.int8_vectorwise_dequant(whole, scales).float()
    packed, state = functional.quantize_4bit(start, quant_type="nf4", compress_statistics=True)
    return functional.dequantize_4bit(packed, state).float()


def rounded_layers(model: Any) -> frozenset[str]:
    """Paths of the layers that transformers hands to bitsandbytes.

    Args:
        model: with or without weights, before an adapter is put on.
    """
    from torch import nn
    from transformers.quantizers.base import get_keys_to_not_convert
    from transformers.quantizers.quantizers_utils import should_convert_module

    kept = get_keys_to_not_convert(model)
    return frozenset(
        path
        for path, module in model.named_modules()
        if type(module) is nn.Linear and should_convert_module(path, kept)
    )


def round_layers(model: Any, rounding: Rounding) -> None:
    """Put the rounded weights into a model that holds the original ones, in place."""
    for path in rounded_layers(model):
        layer = model.get_submodule(path)
        layer.weight.data = rounded(layer.weight.data, rounding)


def fit_vocabulary(model: Any, adapter: Path) -> None:
    """Give a model as many embedding rows as the adapter's file holds, if it holds any.

    An adapter of a model whose vocabulary was resized brings the embeddings along whole.

    Args:
        model: with or without weights, before the adapter is put on.
        adapter: the adapter's folder.
    """
    rows = adapter_rows(model, adapter)
    if rows is not None and rows != model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(rows, mean_resizing=False)


def adapter_rows(model: Any, adapter: Path) -> int | None:
    """Embedding rows in an adapter's file; None if it holds none."""
    from safetensors import safe_open

    inside = model.get_input_embeddings()
    path = next(path for path, module in model.named_modules() if module is inside)
    with safe_open(adapter / ADAPTER_FILE, framework="pt") as file:
        for key in file.keys():  # noqa: SIM118 - safe_open is no dict
            if key.startswith(f"base_model.model.{path}.") and key.endswith(".weight"):
                return int(file.get_slice(key).get_shape()[0])
    return None
