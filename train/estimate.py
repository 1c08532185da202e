"""How long a run takes and what it costs: a range, with what it rests on; else nothing.

Best are finished runs of the same base model on the same device. Without one the arithmetic is
counted and divided by the rate of the device, of which training uses a share that we only know
roughly: the range says how roughly.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from ingest.workspace import Workspace
from train.gpus import known_card
from train.memory_setup import ForecastError
from train.plan import Estimate, TrainPlan
from train.record import RECORD, RunError, RunRecord, read_record
from train.rendered import SEQUENCES

# Shares of a card's dense rate, lowest and highest. Llama-2-7B with LoRA on an A100 at 1,024 tokens
# ran at 2,392 to 4,007 tokens/s (published by LLaMA-Factory, April 2024); with layers recomputed
# that is 0.3 to 0.53 of 312 TFLOP/s. The same table has 4 bit as fast as bf16; int8 is known to be
# slower, its share is a guess. Wider downwards: shorter rows and smaller models fill a card less.
_SHARES = {None: (0.15, 0.55), "nf4": (0.12, 0.45), "int8": (0.05, 0.30)}
# of the rate of one large product, measured on the spot
_SHARES_MEASURED = (0.20, 0.80)
# Seconds that a layer takes in one pass forward and back however small it is: launches and Python.
# CPU: a model of two layers of 32 and one of six layers of 256, by this trainer. Cards: a guess.
_LAYER_S = {"cpu": (0.003, 0.03), "cuda": (0.0005, 0.004), "mps": (0.001, 0.01)}
# how far a run may be from an earlier one
_AGAIN = (0.75, 1.5)


class Arithmetic(NamedTuple):
    """What one token costs in a model.

    Attributes:
        layers: of the decoder.
        weights: numbers in the layers' matrices.
        head: numbers in the output head.
        adapter: numbers in the adapters.
        width: of queries, over all heads.
    """

    layers: int
    weights: int
    head: int
    adapter: int
    width: int

    def step_flops(self, plan: TrainPlan, length: float) -> float:
        """Operations that one token takes forward and back.

        2 per weight forward, 2 for the gradient of its input, 2 for that of the weight itself where
        it is trained; checkpointing takes the layers forward again, and TRL's head always is taken
        twice. Attention: 4 per query width and token looked at, half of them to come.

        Args:
            plan: the run.
            length: tokens of a row.
        """
        again = 2 if plan.checkpointing else 0
        trained = 2 if plan.method == "full" else 0
        looks = 2 * length * self.width * self.layers
        return (
            (4 + again + trained) * self.weights
            + (6 + trained) * self.head
            + (6 + again) * self.adapter
            + (3 + again / 2) * looks
        )

    def forward_flops(self, length: float) -> float:
        """Operations that one token takes forward only."""
        weights = self.weights + self.head + self.adapter
        return 2 * weights + 2 * length * self.width * self.layers


def arithmetic(config: Mapping[str, Any], plan: TrainPlan) -> Arithmetic:
    """Count the matrices of a model, without memory for any.

    Args:
        config: the content of its ``config.json``.
        plan: whose adapter it gets.

    Raises:
        ForecastError: an architecture that is not known, or a mixture of experts.
    """
    import torch
    from transformers import AutoModelForCausalLM

    from train.memory_model import model_config

    made = model_config(config)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(made)
    head = model.get_output_embeddings()
    linears = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and module is not head
    }
    targets = plan.lora.targets
    adapted = [
        module
        for name, module in linears.items()
        if plan.method == "lora" and (targets == "all-linear" or name.rsplit(".", 1)[-1] in targets)
    ]
    text = made.get_text_config()
    values = text.to_dict()
    head_width = values.get("head_dim") or text.hidden_size // text.num_attention_heads
    return Arithmetic(
        layers=text.num_hidden_layers,
        weights=sum(module.weight.numel() for module in linears.values()),
        head=head.weight.numel(),
        adapter=plan.lora.r * sum(one.in_features + one.out_features for one in adapted),
        width=text.num_attention_heads * head_width,
    )


def estimate(
    plan: TrainPlan,
    config: Mapping[str, Any],
    workspace: Workspace,
    *,
    here: bool = True,
    usd_per_hour: float | None = None,
) -> Estimate | None:
    """How long the planned run takes.

    Args:
        plan: the run.
        config: the content of the base model's ``config.json``.
        workspace: whose finished runs are looked at.
        here: whether the device is this machine's, so that its rate can be measured.
        usd_per_hour: price of one device, if known.

    Returns:
        None where there is nothing that a number could rest on.
    """
    made = _from_runs(plan, workspace) or _from_arithmetic(plan, config, here=here)
    if made is None or usd_per_hour is None:
        return made
    cost = made.seconds / 3600 * usd_per_hour * plan.processes
    return made.model_copy(update={"usd_per_hour": usd_per_hour, "cost_usd": round(cost, 4)})


def _from_runs(plan: TrainPlan, workspace: Workspace) -> Estimate | None:
    rates = {
        record.run_id: record.metrics["tokens_per_s"]
        for record in _finished(workspace)
        if record.metrics.get("tokens_per_s") and _alike(record.plan, plan)
    }
    if not rates:
        return None
    slowest, fastest = min(rates.values()), max(rates.values())
    last = max(rates)
    others = f" and {len(rates) - 1} more" if len(rates) > 1 else ""
    return Estimate(
        seconds=_round(plan.tokens / rates[last]),
        low_s=_round(_AGAIN[0] * plan.tokens / fastest),
        high_s=_round(_AGAIN[1] * plan.tokens / slowest),
        basis=f"run {last}{others} of the same base model on this device:"
        f" {rates[last]:,.0f} tokens/s",
    )


def _finished(workspace: Workspace) -> list[RunRecord]:
    records = []
    for file in sorted(workspace.runs.glob(f"*/{RECORD}")):
        try:
            records.append(read_record(file.parent))
        except RunError:
            # a damaged record is told by 'turnmill runs'; a plan does without it
            continue
    return [record for record in records if record.state == "succeeded"]


def _alike(done: TrainPlan, plan: TrainPlan) -> bool:
    """Whether a token took then what it takes now."""

    def key(one: TrainPlan) -> tuple[Any, ...]:
        return (
            one.base.weights, one.kind, one.method, one.lora.r, one.quantization, one.precision,
            one.checkpointing, one.packing, one.processes, one.device.kind,
            known_card(one.device.name) or one.device.name,
        )  # fmt: skip

    return key(done) == key(plan)


def _from_arithmetic(plan: TrainPlan, config: Mapping[str, Any], *, here: bool) -> Estimate | None:
    try:
        counted = arithmetic(config, plan)
    except ForecastError:
        return None
    card = known_card(plan.device.name) if plan.device.kind == "cuda" else None
    if card is not None:
        rate, shares = card.tflops * 1e12, _SHARES[plan.quantization]
        basis = f"{card.tflops:g} TFLOP/s by the data sheet of the {card.name}"
    elif here:
        rate, shares = _measured_rate(plan, counted), _SHARES_MEASURED
        basis = f"{rate / 1e9:,.0f} GFLOP/s measured here on one large product"
    else:
        return None
    # sums of adapters' gradients are small: nothing is counted for their exchange
    rate *= plan.processes
    passes = plan.steps * plan.grad_accumulation / plan.processes
    longest = min(plan.max_length, plan.histogram.edges[-1] if plan.histogram else plan.max_length)
    rows = plan.steps * plan.grad_accumulation * plan.micro_batch
    mean = plan.padded_tokens / max(1, rows * (SEQUENCES if plan.kind == "preference" else 1))

    def seconds(share: float, layer_s: float, length: float) -> float:
        flops = plan.padded_tokens * counted.step_flops(plan, length)
        forward_only = _judged_tokens(plan) + _reference_tokens(plan)
        flops += forward_only * counted.forward_flops(length)
        # the slower of the two decides, and between them they add up
        return flops / (share * rate) + passes * counted.layers * layer_s

    (low_share, high_share), (low_layer, high_layer) = shares, _LAYER_S[plan.device.kind]
    middle = math.sqrt(low_share * high_share), math.sqrt(low_layer * high_layer)
    return Estimate(
        seconds=_round(seconds(*middle, mean)),
        low_s=_round(seconds(high_share, low_layer, mean)),
        high_s=_round(seconds(low_share, high_layer, longest)),
        basis=f"the arithmetic of {plan.padded_tokens:,} tokens at {low_share:.0%} to"
        f" {high_share:.0%} of {basis}; no run of this base model here yet",
    )


def _judged_tokens(plan: TrainPlan) -> int:
    """Tokens of the validation split, as often as its loss is taken."""
    if not plan.eval:
        return 0
    every = plan.held_out.every_steps or plan.save_every_steps
    return plan.splits["validation"].tokens * (1 + math.ceil(plan.steps / every))


def _reference_tokens(plan: TrainPlan) -> int:
    """Tokens of pairs that the base model is asked about beside."""
    if plan.kind != "preference":
        return 0
    if plan.method == "full":  # once for all, before the first step
        asked = [split for split in ("train", "validation") if split in plan.splits]
        return sum(plan.splits[split].tokens for split in asked)
    return plan.padded_tokens + _judged_tokens(plan)


def _measured_rate(plan: TrainPlan, counted: Arithmetic) -> float:
    """Operations a second of one product of the model's width, with the run's own threads."""
    import time

    import torch

    from train.load import SMALL

    threads = torch.get_num_threads()
    if plan.device.kind == "cpu" and counted.weights + counted.head < SMALL:
        torch.set_num_threads(1)
    try:
        dtype = torch.bfloat16 if plan.precision == "bf16" else torch.float32
        side = max(64, counted.width)
        rows = max(64, min(plan.max_length, 512))
        left = torch.ones(rows, side, dtype=dtype, device=plan.device.kind)
        right = torch.ones(side, side, dtype=dtype, device=plan.device.kind)
        best = math.inf
        until = time.perf_counter() + _MEASURE_S
        while time.perf_counter() < until or best is math.inf:
            started = time.perf_counter()
            # read back: a card answers before it is done
            float((left @ right)[0, 0])
            best = min(best, time.perf_counter() - started)
    finally:
        torch.set_num_threads(threads)
    return 2 * rows * side * side / best


_MEASURE_S = 0.1


def _round(seconds: float) -> float:
    """Three digits: more would be a claim."""
    return float(f"{seconds:.3g}")
