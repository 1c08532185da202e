"""Stand-ins for bitsandbytes, which runs on CUDA only: the same allocations, no arithmetic.

Written after the sources of bitsandbytes at commit 95f9af3 (August 2026), in
``autograd/_functions.py``, ``backends/cuda/ops.py`` and ``optim/optimizer.py``. None of this was
compared with the real library on a GPU.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from train.memory_count import LiveBytes
from train.memory_quant_size import NF4_BLOCK, nf4_bytes, states_8bit_bytes
from train.spec import Quantization


class _Int8Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: torch.Tensor, linear: "Int8Linear") -> torch.Tensor:
        flat = inputs.reshape(-1, inputs.shape[-1])
        half = flat.to(torch.float16)
        # the outlier search and the quantised copy
        above = half.abs() >= 6.0
        above.any(dim=0)
        quantised = torch.empty_like(half, dtype=torch.int8)
        scales = half.new_empty(len(half), dtype=torch.float32)
        del above, half
        sums = torch.empty(len(flat), linear.out_features, dtype=torch.int32)
        product = torch.empty_like(sums, dtype=torch.float16).to(inputs.dtype)
        del sums, quantised, scales
        # bitsandbytes hangs the input on ctx itself: checkpointing cannot drop it
        ctx.kept = flat
        ctx.linear = linear
        ctx.shape = inputs.shape
        return product.reshape(*inputs.shape[:-1], linear.out_features)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        (gradient,) = gradients
        flat = gradient.reshape(-1, gradient.shape[-1]).contiguous()
        with ctx.linear.counter.within("buffers"):
            weight = ctx.linear.weight.to(ctx.kept.dtype, copy=True)
        return torch.matmul(flat.to(weight.dtype), weight).view(ctx.shape), None


class Int8Linear(nn.Linear):
    """In the place of ``bnb.nn.Linear8bitLt``; threshold 6, no outliers found."""

    def __init__(self, linear: nn.Linear, counter: LiveBytes) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.counter = counter
        packed = torch.empty(linear.weight.shape, dtype=torch.int8, device="meta")
        self.weight = nn.Parameter(packed, requires_grad=False)
        self.scales = nn.Parameter(
            torch.empty(linear.out_features, device="meta"), requires_grad=False
        )
        self.bias = linear.bias

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """The product's shape and allocations."""
        made: torch.Tensor = _Int8Product.apply(inputs, self)  # type: ignore[no-untyped-call]
        return made


class _Nf4Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: torch.Tensor, linear: "Nf4Linear") -> torch.Tensor:
        ctx.linear = linear
        return torch.nn.functional.linear(inputs, linear.unpacked(inputs.dtype))

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        (gradient,) = gradients
        return torch.matmul(gradient, ctx.linear.unpacked(gradient.dtype)), None


class Nf4Linear(nn.Linear):
    """In the place of ``bnb.nn.Linear4bit`` with NF4 and double quantisation."""

    def __init__(self, linear: nn.Linear, counter: LiveBytes) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.counter = counter
        size = nf4_bytes(linear.out_features, linear.in_features)
        packed = torch.empty(size, dtype=torch.uint8, device="meta")
        self.weight = nn.Parameter(packed, requires_grad=False)
        self.bias = linear.bias

    def unpacked(self, dtype: torch.dtype) -> torch.Tensor:
        """The whole weight in the type of the arithmetic, as for every product of many rows."""
        with self.counter.within("buffers"):
            # the absmax in fp32 on the way
            absmax = torch.empty(self.out_features * self.in_features // NF4_BLOCK)
            weight = torch.empty(self.out_features, self.in_features, dtype=dtype)
        del absmax
        return weight

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """The product's shape and allocations."""
        made: torch.Tensor = _Nf4Product.apply(inputs, self)  # type: ignore[no-untyped-call]
        # peft copies what a 4-bit layer returns
        return made.clone()


def quantise(model: nn.Module, kind: Quantization, keep: nn.Module, counter: LiveBytes) -> None:
    """Replace every linear layer of ``model`` but ``keep`` (the head) by its stand-in."""
    stand_in = Int8Linear if kind == "int8" else Nf4Linear
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.Linear and child is not keep:
                setattr(parent, name, stand_in(child, counter))


class States8bit(torch.optim.Optimizer):
    """Holds what bitsandbytes' 8-bit Adam holds; a paged one is counted in full."""

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        super().__init__(parameters, {})

    def step(self, closure: Any = None) -> None:  # type: ignore[override] # noqa: ARG002
        """Make the states on the first call; the update itself works in place."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if not self.state[parameter]:
                    size = states_8bit_bytes(parameter.numel())
                    self.state[parameter]["held"] = torch.empty(size, dtype=torch.uint8)
