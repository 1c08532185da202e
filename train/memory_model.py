"""The real model class without its weights, with peft's own adapters, ready to be traced."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from train.memory_count import LiveBytes
from train.memory_quant import quantise
from train.memory_setup import ForecastError, ImpossibleError, StepSetup

_FEWEST_LAYERS = 4
_LONGEST_PATTERN = 8


@dataclass(frozen=True)
class Depth:
    """How many layers a model has, and the two counts to trace in their place."""

    real: int
    few: int
    more: int


def model_config(config: Mapping[str, Any]) -> Any:
    """The transformers configuration of ``config.json``'s content.

    Raises:
        ForecastError: an architecture that transformers does not know, or that is not forecast.
    """
    from transformers import AutoConfig

    values = dict(config)
    kind = values.pop("model_type", None)
    try:
        made = AutoConfig.for_model(kind, **values)
    except ValueError as error:
        raise ForecastError(
            f"model_type {kind!r} is not known here", "choose an architecture transformers has"
        ) from error
    if any(key in made.get_text_config().to_dict() for key in _EXPERTS):
        raise ForecastError(
            f"{kind}: memory of a mixture of experts is not forecast",
            "its experts' load depends on the data; measure it with a short run",
        )
    return made


_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")


def depth_of(config: Any) -> Depth:
    """Two layer counts that hold every kind of layer in the proportion of the real model."""
    text = config.get_text_config()
    real = text.num_hidden_layers
    kinds = text.to_dict().get("layer_types") or ["same"] * real
    period = next(
        p for p in range(1, real + 1) if all(kinds[i] == kinds[i % p] for i in range(real))
    )
    if period > _LONGEST_PATTERN:
        return Depth(real, real, real)
    few = period * math.ceil(_FEWEST_LAYERS / period)
    more = few + (period if period > 1 else 2)
    return Depth(real, few, more) if more < real else Depth(real, real, real)


def build(config: Any, setup: StepSetup, layers: int, counter: LiveBytes) -> Any:
    """The model on the ``meta`` device with ``layers`` layers, quantised and adapted as asked.

    Returns:
        The model (a ``PeftModel`` where an adapter is asked), in training mode.
    """
    from transformers import AutoModelForCausalLM

    cut = type(config).from_dict(config.to_dict())
    text = cut.get_text_config()
    text.num_hidden_layers = layers
    if text.to_dict().get("layer_types"):
        text.layer_types = text.layer_types[:layers]
    dtype = torch.bfloat16 if setup.precision == "bf16" else torch.float32
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(cut, dtype=dtype)
        if setup.vocab_size is not None:
            model.resize_token_embeddings(setup.vocab_size, mean_resizing=False)
    if setup.quantization is not None:
        quantise(model, setup.quantization, model.get_output_embeddings(), counter)
    if setup.lora is not None:
        model = _adapted(model, setup)
    if setup.checkpointing:
        # as transformers' Trainer does it
        model.activation_checkpointing_enable()
    if setup.device == "cuda":
        _fuse_dropout(model)
    model.train()
    return model


def _adapted(model: Any, setup: StepSetup) -> Any:
    from peft import LoraConfig, NoMatchingPeftModuleError, get_peft_model

    assert setup.lora is not None
    adapter = LoraConfig(
        r=setup.lora.r,
        lora_alpha=setup.lora.alpha,
        lora_dropout=setup.lora.dropout,
        target_modules=setup.lora.targets,
        use_rslora=setup.lora.rslora,
        use_dora=setup.lora.dora,
        modules_to_save=["embed_tokens", "lm_head"] if setup.train_embeddings else None,
        task_type="CAUSAL_LM",
    )
    try:
        adapted = get_peft_model(model, adapter)
    except NoMatchingPeftModuleError as error:
        raise ImpossibleError(
            f"lora.targets {setup.lora.targets}: this model has no such layer",
            'name its linear layers, or write "all-linear"',
        ) from error
    if setup.checkpointing:
        # as trl's SFTTrainer does it
        adapted.enable_input_require_grads()
    if setup.quantization is not None:
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.to(torch.bfloat16)
    return adapted


class _FusedDropout(nn.Module):
    """Dropout as CUDA runs it: one operation, and a mask of one byte per value."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return torch.native_dropout(values, self.p, True)[0]


def _fuse_dropout(model: nn.Module) -> None:
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Dropout):
                setattr(parent, name, _FusedDropout(child.p))


def make_fake(model: nn.Module) -> None:
    """Replace what lies on ``meta`` by empty tensors of the fake mode around the call."""
    memo: dict[int, Any] = {}
    for module in model.modules():
        for name, parameter in list(module._parameters.items()):
            if parameter is None:
                continue
            if id(parameter) not in memo:
                memo[id(parameter)] = nn.Parameter(
                    torch.empty(parameter.shape, dtype=parameter.dtype),
                    requires_grad=parameter.requires_grad,
                )
            module._parameters[name] = memo[id(parameter)]
        for name, buffer in list(module._buffers.items()):
            if buffer is not None:
                module._buffers[name] = torch.empty(buffer.shape, dtype=buffer.dtype)
