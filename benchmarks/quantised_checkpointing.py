"""Does checkpointing drop what quantised layers keep? The real bitsandbytes, on the CPU.

    python benchmarks/quantised_checkpointing.py [--layers 8] [--tokens 512] [--json FILE]

Needs bitsandbytes, which has kernels for the CPU too; nothing else of turnmill needs it there. A
small Llama in bf16, its linear layers left alone, in int8 and in NF4, peft's adapters on top,
transformers' own (non-reentrant) checkpointing. Counted: bytes of tensors alive between forward
and backward, weights left out, by the same counter as the forecast's.

``int8 (CUDA's way)`` takes the function that bitsandbytes runs on CUDA, in its plain torch form.
"""

import argparse
import json
import logging
import sys
from pathlib import Path
from typing import Any

KINDS = ("bf16", "int8", "int8 (CUDA's way)", "nf4")
HIDDEN, INTERMEDIATE = 256, 768


def model_of(kind: str, layers: int) -> Any:
    """Random weights, quantised, with adapters."""
    import bitsandbytes as bnb
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=512,
        hidden_size=HIDDEN,
        intermediate_size=INTERMEDIATE,
        num_hidden_layers=layers,
        num_attention_heads=8,
        num_key_value_heads=4,
    )
    model = LlamaForCausalLM(config).to(torch.bfloat16)
    made: dict[str, Any] = {
        "nf4": lambda w: (
            bnb.nn.Linear4bit(
                w.in_features,
                w.out_features,
                bias=False,
                compute_dtype=torch.bfloat16,
                quant_type="nf4",
            ),
            lambda: bnb.nn.Params4bit(w.weight.data, requires_grad=False, quant_type="nf4"),
        ),
        "int8": lambda w: (
            bnb.nn.Linear8bitLt(
                w.in_features, w.out_features, bias=False, has_fp16_weights=False, threshold=6.0
            ),
            lambda: bnb.nn.Int8Params(w.weight.data, requires_grad=False, has_fp16_weights=False),
        ),
    }
    stand_in = made.get(kind.split(maxsplit=1)[0])
    for parent in list(model.model.modules()) if stand_in else []:
        for name, child in list(parent.named_children()):
            if type(child) is torch.nn.Linear:
                layer, weight = stand_in(child)
                layer.weight = weight()
                setattr(parent, name, layer.to("cpu"))
    lora = LoraConfig(r=4, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM")
    return get_peft_model(model, lora)


def kept(kind: str, layers: int, tokens: int, *, checkpointing: bool) -> dict[str, int]:
    """Bytes alive after the forward pass, and the peak of forward and backward."""
    import itertools

    import bitsandbytes as bnb
    import torch

    from train.memory_count import LiveBytes

    if kind == "int8 (CUDA's way)":
        _as_on_cuda()
    model = model_of(kind, layers)
    model.train()
    if checkpointing:
        model.activation_checkpointing_enable()
        model.enable_input_require_grads()
    ids = torch.arange(tokens)[None] % 512
    # the first call packs int8 weights
    model.get_base_model().model(input_ids=ids, use_cache=False)
    counter = LiveBytes()
    for tensor in itertools.chain(model.parameters(), model.buffers()):
        counter.add(tensor, "weights")
    for module in model.modules():
        if isinstance(module, bnb.nn.Linear8bitLt):
            # packed, they are no parameters any more
            for tensor in filter(None.__ne__, (module.state.CB, module.state.SCB)):
                counter.add(tensor, "weights")
    with counter:
        # the layers only: the head's logits would hide them
        hidden = model.get_base_model().model(input_ids=ids, use_cache=False).last_hidden_state
        between = counter.total - counter.live["weights"]
        hidden.float().sum().backward()
    peak = max(one.total for one in counter.peaks.values()) - counter.live["weights"]
    gradients = [p.grad for p in model.parameters() if p.requires_grad]
    assert all(one is not None and torch.isfinite(one).all() for one in gradients)
    return {"kept": between, "peak": peak, "weights": counter.live["weights"]}


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
    from train.load import quiet

    quiet()
    # it would tell at every product that it casts to float16
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    found = {}
    layers, tokens = arguments.layers, arguments.tokens
    inputs = 2 * (3 * HIDDEN + INTERMEDIATE) * layers * tokens
    for kind in KINDS:
        for checkpointing in (False, True):
            name = f"{kind}, checkpointing {'on' if checkpointing else 'off'}"
            found[name] = kept(kind, layers, tokens, checkpointing=checkpointing)
    print(
        f"{layers} layers, {tokens} tokens; inputs of all linear layers: {inputs / 2**20:.2f} MiB"
    )
    print("| base | checkpointing | kept after forward, MiB | peak, MiB |")
    print("|---|---|--:|--:|")
    for name, one in found.items():
        kind, on = name.rsplit(", checkpointing ", 1)
        print(f"| {kind} | {on} | {one['kept'] / 2**20:.2f} | {one['peak'] / 2**20:.2f} |")
    if arguments.json:
        arguments.json.write_text(json.dumps({"inputs": inputs, **found}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
