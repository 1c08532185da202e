"""Does checkpointing drop what quantised layers keep? The real bitsandbytes, on the CPU.

    python benchmarks/quantised_checkpointing.py [--layers 8] [--tokens 512] [--json FILE]

Needs bitsandbytes, which has kernels for the CPU too. A small Llama in bf16, its linear layers left
alone, in int8 and in NF4, peft's adapters on top, transformers' own (non-reentrant) checkpointing.
Counted: bytes of tensors alive between forward and backward, weights left out, by the counter of
the forecast; and the same with the forecast's stand-ins in bitsandbytes' place.

On CUDA bitsandbytes takes another function for int8 than on the CPU: "CUDA's" is that function, in
its plain torch form.
"""

import argparse
import json
import logging
import sys
from pathlib import Path
from typing import Any

KINDS = ("bf16", "int8", "int8, CUDA's", "nf4")
HIDDEN, INTERMEDIATE, VOCABULARY, RANK = 256, 768, 512, 4


def config_of(layers: int) -> Any:
    """A small Llama."""
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=HIDDEN,
        intermediate_size=INTERMEDIATE,
        num_hidden_layers=layers,
        num_attention_heads=8,
        num_key_value_heads=4,
    )


def quantised(linear: Any, kind: str) -> Any:
    """The layer as transformers' loader would make it."""
    import bitsandbytes as bnb
    import torch

    sizes, weight = (linear.in_features, linear.out_features), linear.weight.data
    layer: Any
    if kind == "nf4":
        layer = bnb.nn.Linear4bit(
            *sizes, bias=False, compute_dtype=torch.bfloat16, quant_type="nf4"
        )
        layer.weight = bnb.nn.Params4bit(
            weight, requires_grad=False, quant_type="nf4", compress_statistics=True
        )
    else:
        layer = bnb.nn.Linear8bitLt(*sizes, bias=False, has_fp16_weights=False, threshold=6.0)
        layer.weight = bnb.nn.Int8Params(weight, requires_grad=False, has_fp16_weights=False)
    return layer.to("cpu")


def model_of(kind: str, layers: int) -> Any:
    """Random weights, quantised, with adapters."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaForCausalLM

    torch.manual_seed(0)
    model = LlamaForCausalLM(config_of(layers)).to(torch.bfloat16)
    if kind != "bf16":
        for parent in list(model.model.modules()):
            for name, child in list(parent.named_children()):
                if type(child) is torch.nn.Linear:
                    setattr(parent, name, quantised(child, kind))
    lora = LoraConfig(r=RANK, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM")
    adapted = get_peft_model(model, lora)
    if kind != "bf16":
        # as trl's SFTTrainer does it
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.to(torch.bfloat16)
    return adapted


def kept(kind: str, layers: int, tokens: int, *, checkpointing: bool) -> int:
    """Bytes alive after the forward pass with the real library."""
    import itertools

    import bitsandbytes as bnb
    import torch

    from train.memory_count import LiveBytes

    model = model_of(kind, layers)
    model.train()
    if checkpointing:
        model.activation_checkpointing_enable()
        model.enable_input_require_grads()
    ids = torch.arange(tokens)[None] % VOCABULARY
    # the first call packs int8 weights
    _hidden(model, ids)
    counter = LiveBytes()
    for tensor in itertools.chain(model.parameters(), model.buffers()):
        counter.add(tensor, "weights")
    for module in model.modules():
        if isinstance(module, bnb.nn.Linear8bitLt):
            # packed, they are no parameters any more
            for tensor in filter(None.__ne__, (module.state.CB, module.state.SCB)):
                counter.add(tensor, "weights")
    with counter:
        hidden = _hidden(model, ids)
        between = counter.total - counter.live["weights"]
        hidden.float().sum().backward()
    gradients = [p.grad for p in model.parameters() if p.requires_grad]
    assert all(one is not None and torch.isfinite(one).all() for one in gradients)
    return between


def forecast_of(kind: str, layers: int, tokens: int, *, checkpointing: bool) -> int:
    """The same with the forecast's stand-ins, on tensors without memory."""
    import itertools

    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode

    from train.memory_count import LiveBytes
    from train.memory_model import build, make_fake
    from train.memory_setup import StepSetup
    from train.memory_trace import _one_text_per_row
    from train.spec import LoraSpec

    setup = StepSetup(
        lora=LoraSpec(r=RANK, dropout=0.0),
        micro_batch=1,
        max_length=tokens,
        quantization=None if kind == "bf16" else "int8" if kind.startswith("int8") else "nf4",
        checkpointing=checkpointing,
    )
    counter = LiveBytes()
    model = build(config_of(layers), setup, layers, counter)
    with FakeTensorMode(), _one_text_per_row():
        make_fake(model)
        for tensor in itertools.chain(model.parameters(), model.buffers()):
            counter.add(tensor, "weights")
        ids = torch.zeros((1, tokens), dtype=torch.long)
        with counter:
            hidden = _hidden(model, ids)
            between = counter.total - counter.live["weights"]
            del hidden
    return between


def _hidden(model: Any, ids: Any) -> Any:
    """The layers only: the head's logits would hide what they keep."""
    import torch

    with torch.autocast("cpu", torch.bfloat16):
        return model.get_base_model().model(input_ids=ids, use_cache=False).last_hidden_state


def _as_on_cuda() -> None:
    from bitsandbytes.autograd import _functions

    _functions.MatMul8bitFp = _functions.MatMul8bitLt


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    from importlib.util import find_spec

    if find_spec("bitsandbytes") is None:
        sys.stderr.write("needs bitsandbytes: pip install bitsandbytes\n")
        return 2
    import bitsandbytes

    from train.load import quiet

    quiet()
    # it would tell at every product that it casts to float16
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    layers, tokens = arguments.layers, arguments.tokens
    found: list[dict[str, Any]] = []
    # CUDA's function last: it stays in place
    for kind in sorted(KINDS, key="int8, CUDA's".__eq__):
        if kind == "int8, CUDA's":
            _as_on_cuda()
        for on in (False, True):
            real = kept(kind, layers, tokens, checkpointing=on)
            told = forecast_of(kind, layers, tokens, checkpointing=on)
            found.append({"kind": kind, "checkpointing": on, "real": real, "forecast": told})
    inputs = 2 * (3 * HIDDEN + INTERMEDIATE) * layers * tokens
    print(f"bitsandbytes {bitsandbytes.__version__}; {layers} layers, {tokens} tokens; "
          f"inputs of all linear layers: {inputs / 2**20:.2f} MiB")  # fmt: skip
    print("| base | checkpointing | kept after forward, MiB | forecast |")
    print("|---|---|--:|--:|")
    for one in found:
        print(f"| {one['kind']} | {'on' if one['checkpointing'] else 'off'} "
              f"| {one['real'] / 2**20:.2f} | {one['forecast'] / 2**20:.2f} |")  # fmt: skip
    if arguments.json:
        arguments.json.write_text(json.dumps({"inputs": inputs, "found": found}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
