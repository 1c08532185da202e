"""One training step on tensors that have shapes and no memory, its live bytes counted.

The step is the run's own: transformers' model, peft's adapters, TRL's head, torch's optimiser.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from train.memory_count import LiveBytes, Peak
from train.memory_model import build, make_fake
from train.memory_quant import States8bit
from train.memory_setup import StepSetup

_BLIND = "setting up"


def trace(config: Any, setup: StepSetup, layers: int) -> dict[str, Peak]:
    """The fullest moment of each phase of a step, weights included, in bytes.

    Args:
        config: a transformers configuration.
        setup: the step.
        layers: of the traced model.
    """
    counter = LiveBytes(_cuda_workspace if setup.device == "cuda" else lambda *_: 0)
    model = build(config, setup, layers, counter)
    with FakeTensorMode(), ExitStack() as around:
        make_fake(model)
        step = StepTrace(model, setup, counter)
        around.enter_context(head_as_on(setup.device, counter))
        around.enter_context(_one_text_per_row())
        if setup.device == "mps":
            # with gradients, MPS has no fused attention
            around.enter_context(torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH))
        around.enter_context(counter)
        return step.run()


class StepTrace:
    """A step of a model, fake or real, under a counter."""

    def __init__(self, model: Any, setup: StepSetup, counter: LiveBytes) -> None:
        self.model = model
        self.setup = setup
        self.counter = counter
        self.base = model if setup.lora is None else model.get_base_model()
        self.trained = [p for p in model.parameters() if p.requires_grad]

    def run(self) -> dict[str, Peak]:
        """Take the step; the counter must be active."""
        self._count_weights()
        optimiser = self.optimiser()
        ids, labels, mask = self.batch()
        with fused_head(self.base), _phases(self.base, self.counter):
            self.counter.enter("forward")
            loss = self.loss(ids, labels, mask)
            self.counter.enter("loss backward")
            loss.backward()  # type: ignore[no-untyped-call]
            del loss
        self.counter.enter("optimiser")
        torch.nn.utils.clip_grad_norm_(self.trained, 1.0)
        optimiser.step()
        self.counter.peaks.pop(_BLIND, None)
        return self.counter.peaks

    def _count_weights(self) -> None:
        self.counter.enter(_BLIND)
        for parameter in self.model.parameters():
            apart = parameter.requires_grad and self.setup.lora is not None
            self.counter.add(parameter, "adapters" if apart else "weights")
        for buffer in self.model.buffers():
            self.counter.add(buffer, "buffers")

    def optimiser(self) -> torch.optim.Optimizer:
        """The optimiser as it is from the second step on."""
        optimiser: torch.optim.Optimizer
        if self.setup.optimiser == "adamw":
            optimiser = torch.optim.AdamW(self.trained, lr=1e-9, fused=True)
        else:
            optimiser = States8bit(self.trained)
        with self.counter.within("gradients"):
            for parameter in self.trained:
                parameter.grad = torch.zeros_like(parameter)
        with self.counter.within("optimiser"):
            optimiser.step()
        if not self.setup.accumulates:
            optimiser.zero_grad(set_to_none=True)
            for parameter in self.trained:
                parameter.register_post_accumulate_grad_hook(
                    lambda p: self.counter.move(p.grad, "gradients")
                )
        return optimiser

    def batch(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Token ids, labels (rows, tokens) and the mask where rows are padded."""
        shape = (self.setup.micro_batch, self.setup.max_length)
        with self.counter.within("buffers"):
            ids = torch.zeros(shape, dtype=torch.long)
            labels = torch.zeros(shape, dtype=torch.long)
            mask = torch.ones(shape, dtype=torch.long)
            if self.setup.has_padding:
                mask[0, -1] = 0
        # without a mask transformers takes the attention that a full batch takes
        return ids, labels, mask if self.setup.has_padding else None

    def loss(
        self, ids: torch.Tensor, labels: torch.Tensor, mask: torch.Tensor | None
    ) -> torch.Tensor:
        """As TRL's ``SFTTrainer.compute_loss`` for its default loss."""
        kind = "cpu"  # fake tensors lie there whatever the run's device
        with torch.autocast(kind, torch.bfloat16, enabled=self.setup.precision == "bf16"):
            made = self.model(
                input_ids=ids,
                labels=labels,
                attention_mask=mask,
                use_cache=False,
                fused_lm_head=True,
            )
            loss: torch.Tensor = (-made.log_probs).sum() / made.label_mask.sum().clamp(min=1)
            return loss


@contextmanager
def fused_head(base: Any) -> Iterator[None]:
    """The model with TRL's head inside the block."""
    from trl.trainer.utils import add_fused_lm_head

    add_fused_lm_head(base, outputs=("log_probs", "entropy", "is_top1"))
    try:
        yield
    finally:
        del base.forward


@contextmanager
def _phases(base: Any, counter: LiveBytes) -> Iterator[None]:
    """Hooks that tell the counter where the step is."""
    decoder = base.get_decoder()
    layers = list(decoder.layers)
    count = len(layers)

    def entering(layer: int) -> Callable[[Any], None]:
        name = f"backward of layer -{count - layer}" if count - layer <= 2 else f"layer {layer}"
        return lambda _gradient: counter.enter(name if layer >= 0 else "end of backward")

    def told(layer: int) -> Callable[..., None]:
        def hook(_module: Any, _inputs: Any, made: Any) -> None:
            hidden = made[0] if isinstance(made, tuple) else made
            if hidden.requires_grad:
                hidden.register_hook(entering(layer))

        return hook

    def within(category: str) -> Callable[..., None]:
        def hook(*_: Any) -> None:
            counter.category = category

        return hook

    handles = [
        decoder.register_forward_pre_hook(within("buffers")),
        decoder.embed_tokens.register_forward_pre_hook(within("activations")),
        decoder.embed_tokens.register_forward_hook(within("buffers")),
        decoder.embed_tokens.register_forward_hook(told(-1)),
        layers[0].register_forward_pre_hook(within("activations")),
        *(layer.register_forward_hook(told(at)) for at, layer in enumerate(layers)),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def head_as_on(device: str, counter: LiveBytes) -> Iterator[None]:
    """TRL's fused head as it runs on ``device``, its allocations counted as the loss.

    On CUDA its tiles are folded in place by Triton kernels, which allocate nothing.
    """
    from trl.kernels import chunked_logprob as kernels
    from trl.trainer import utils

    real = kernels.ChunkedLogProbFunction

    class Counted(real):  # type: ignore[misc, valid-type]
        @staticmethod
        def forward(ctx: Any, *arguments: Any) -> Any:
            counter.enter("loss")
            with counter.within("loss"):
                return real.forward(ctx, *arguments)

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> Any:
            with counter.within("loss"):
                return real.backward(ctx, *gradients)

    nothing = SimpleNamespace(cdiv=lambda a, b: -(-a // b))
    changes: list[tuple[Any, str, Any]] = [(utils, "_ChunkedLogProbFunction", Counted)]
    if device == "cuda":
        changes += [
            (kernels, "_use_triton", lambda _device: True),
            (kernels, "_forward_kernel", _Launcher()),
            (kernels, "_backward_kernel", _Launcher()),
            (kernels, "_addmm_fp32", lambda *_: None),
            (kernels, "triton", nothing),
        ]
    with ExitStack() as stack:
        for module, name, value in changes:
            stack.enter_context(_replaced(module, name, value))
        yield


@contextmanager
def _one_text_per_row() -> Iterator[None]:
    """No row holds several texts: without values transformers cannot see that, and masks."""
    from transformers import masking_utils

    with _replaced(masking_utils, "find_packed_sequence_indices", lambda _positions: None):
        yield


class _Launcher:
    """In the place of a Triton kernel: takes any grid, does nothing."""

    def __getitem__(self, _grid: Any) -> Callable[..., None]:
        return lambda *_arguments, **_options: None


@contextmanager
def _replaced(module: Any, name: str, value: Any) -> Iterator[None]:
    missing = object()
    before = vars(module).get(name, missing)
    setattr(module, name, value)
    try:
        yield
    finally:
        if before is missing:
            delattr(module, name)
        else:
            setattr(module, name, before)


def _cuda_workspace(op: Any, arguments: tuple[Any, ...]) -> int:
    """What CUDA's attention takes in its backward pass and the CPU's does not.

    An fp32 accumulator of the query's gradient (flash and memory-efficient kernels), and the keys'
    and values' gradients per query head where heads share them (``flash_attn/flash_api.cpp``).
    """
    if op is not torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward.default:
        return 0
    _gradient, query, key = arguments[:3]
    shared = key.shape[1] != query.shape[1]
    per_head = 2 * query.element_size() * query.numel() if shared else 0
    return int(4 * query.numel() + per_head)
