"""A plan in plain words: what each number is, and why. For the terminal and for the page."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from train.plan import Estimate, TrainPlan

PARTS = {
    "weights": "the base model's numbers. They are read for every token; with an adapter they never"
    " change.",
    "adapters": "the small matrices that are trained in place of the base.",
    "gradients": "which way each trained number is to move: one number for each.",
    "optimiser": "two running averages for each trained number, by which AdamW sets its pace.",
    "activations": "what each layer computed on the way forward, kept for the way back. It grows"
    " with rows x tokens; checkpointing keeps each layer's input only and computes the rest again.",
    "loss": "scores of the vocabulary for some tokens at a time, compared with what was really"
    " said.",
    "buffers": "tensors of the model that are not trained, and work space of its kernels.",
    "context": "what the driver and the libraries take before the first number.",
    "slack": "what is lost between blocks as memory is given out and taken back.",
}
"""What each part of the memory is, in the order in which it is shown."""


def gib(value: float) -> str:
    """A size with as many digits as matter."""
    return f"{value:.1f} GiB" if value >= 1 else f"{value * 1024:.0f} MiB"


def duration(seconds: float) -> str:
    """A time with two units at most."""
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 1 else "under 1 s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes < 10 else f"{minutes} min"


def time_text(made: Estimate) -> str:
    """How long, as a range."""
    middle, low, high = (duration(s) for s in (made.seconds, made.low_s, made.high_s))
    return middle if low == high else f"{middle}, between {low} and {high}"


def about(seconds: float) -> str:
    """A time that is not exact, in words."""
    return f"about {duration(seconds)}" if seconds >= 1 else duration(seconds)


def cost_text(made: Estimate) -> str | None:
    """What it costs, as a range; None where no price is known."""
    if made.usd_per_hour is None or made.cost_usd is None:
        return None
    low, high = (s / made.seconds * made.cost_usd for s in (made.low_s, made.high_s))
    price = f"${made.usd_per_hour:g} an hour"
    return f"${made.cost_usd:.2f}, between ${low:.2f} and ${high:.2f}, at {price}"


def size_text(plan: TrainPlan) -> str | None:
    """The peak against the memory there is; None where the peak is not known."""
    peak = plan.peak
    if peak is None:
        return None
    if peak.memory_gib is None:
        return f"{gib(peak.peak_gib)} at the fullest moment"
    unsure = "does not surely fit" if peak.peak_gib <= peak.memory_gib else "does not fit"
    verdict = "fits" if peak.fits else unsure
    off = f"give or take {peak.expected_error:.0%}"
    return f"{gib(peak.peak_gib)} of {gib(peak.memory_gib)}, {off}: {verdict}"


def method_text(plan: TrainPlan) -> str:
    """What is trained."""
    if plan.method == "full":
        return "all weights"
    lora = plan.lora
    kind = ("DoRA" if lora.dora else "LoRA") + (" (rank-stabilised)" if lora.rslora else "")
    layers = "all linear layers" if lora.targets == "all-linear" else ", ".join(lora.targets)
    return f"{kind} of rank {lora.r}, alpha {lora.alpha}, on {layers}"


def rows_word(plan: TrainPlan) -> str:
    """What the rows of a plan are called."""
    return "pairs" if plan.kind == "preference" else "rows"


def overview(plan: TrainPlan) -> dict[str, str]:
    """Name and value of what is planned, the most asked first."""
    numbers = {"int8": "8 bit (int8)", "nf4": "4 bit (nf4)", None: plan.precision}
    batch = plan.micro_batch * plan.grad_accumulation
    rows = rows_word(plan)
    shown: dict[str, str | None] = {
        "trains": method_text(plan),
        "base": f"{plan.base.model}, held in {numbers[plan.quantization]}",
        "device": _devices(plan),
        rows: f"{plan.rows:,}, up to {plan.max_length:,} tokens each",
        "batch": f"{batch} {rows} a step, as {_passes(plan)}",
        "steps": f"{plan.steps:,}, {_times(plan.epochs)} over the {rows}",
        "tokens": f"{plan.tokens:,}, of them {plan.trained_tokens:,} trained",
        "checkpointing": "on" if plan.checkpointing else "off",
        "memory": size_text(plan),
        "time": time_text(plan.estimate) if plan.estimate else None,
        "cost": cost_text(plan.estimate) if plan.estimate else None,
    }
    return {name: value for name, value in shown.items() if value is not None}


def length_rows(plan: TrainPlan) -> Iterator[tuple[int, int, int, int, bool]]:
    """Length, rows cut, tokens beyond, trained tokens beyond, whether it is the plan's.

    Lengths that cut nothing are left out from the second on, but for the plan's.
    """
    whole = False
    for one in plan.lengths:
        chosen = one.max_length == plan.max_length
        if chosen or not whole:
            yield one.max_length, one.rows_cut, one.tokens_beyond, one.trained_beyond, chosen
        whole = whole or one.rows_cut == 0


def length_sentence(quantiles: Mapping[str, int], rows: str = "rows") -> str:
    """How long the rows are; of pairs, the longer of the two sequences."""
    half, nine, most, longest = (quantiles[share] for share in ("0.5", "0.9", "0.99", "1"))
    return (
        f"Half of the {rows} have at most {half:,} tokens, 90 % at most {nine:,}, 99 % at most"
        f" {most:,}; the longest has {longest:,}."
    )


def explained(plan: TrainPlan) -> list[tuple[str, str]]:
    """A heading and a paragraph for each number, for somebody who trains for the first time."""
    batch = plan.micro_batch * plan.grad_accumulation
    rows = rows_word(plan)
    told = [
        (
            f"{plan.steps:,} steps",
            f"A step is one change of the weights. Each looks at {batch} {rows}, so {plan.rows:,}"
            f" {rows} are {_per_pass(plan, batch)} a pass; {_times(plan.epochs)} over them"
            f" {'is' if plan.epochs == 1 else 'are'} planned. The learning rate rises for"
            f" {_steps(plan.warmup_steps)} to {plan.learning_rate:g} and then falls along a cosine"
            " to zero.",
        ),
        (
            f"{plan.micro_batch} {rows[:-1] if plan.micro_batch == 1 else rows} at a time",
            f"The {batch} {rows} of a step need not be on the device together; here they are taken"
            f" as {_passes(plan)}. However they are split, the change of weights is the same: fewer"
            f" {rows} in a pass cost speed and save memory, nothing else.",
        ),
        (
            f"{plan.trained_tokens:,} of {plan.tokens:,} tokens are trained",
            _PAIRS_WORDS if plan.kind == "preference" else
            "The model reads whole conversations, but is only taught what the assistant says and"
            " where it stops. The rest is context." if plan.train_on == "assistant" else
            f"What is taught is set by train_on = {plan.train_on}; the rest is context.",
        ),
        (f"at most {plan.max_length:,} tokens a {rows[:-1]}", _length_words(plan)),
        (
            f"numbers in {plan.precision}",
            "bf16 takes two bytes a number and fp32 four; bf16 has the range of fp32 with fewer"
            " digits, and cards made for it compute several times faster in it."
            if plan.precision == "bf16" else
            "fp32 takes four bytes a number. bf16 takes half, but this device does not compute in"
            " it by itself.",
        ),
        (f"checkpointing {'on' if plan.checkpointing else 'off'}", _checkpointing_words(plan)),
    ]  # fmt: skip
    if plan.quantization:
        told.append((
            f"the base in {plan.quantization}",
            "The frozen layers are held in fewer bits and unpacked when used. That saves memory,"
            " costs time, and rounds the base a little; the adapter learns on top of the rounded"
            " base.",
        ))  # fmt: skip
    if plan.peak:
        told.append(("the fullest moment", _memory_words(plan)))
    if plan.estimate:
        told.append((about(plan.estimate.seconds), _time_words(plan.estimate)))
    return told


_PAIRS_WORDS = (
    "The model reads the prompt with either answer. It is taught to find the better answer likelier"
    " than the worse one, as compared with what the base model thinks of both; the prompt is"
    " context."
)


def _devices(plan: TrainPlan) -> str:
    if plan.device.kind == "cpu":
        shared = f", {plan.processes} processes" if plan.processes > 1 else ""
        return f"CPU ({plan.device.name}){shared}"
    return f"{plan.processes} x {plan.device.name}" if plan.processes > 1 else plan.device.name


def _passes(plan: TrainPlan) -> str:
    if plan.grad_accumulation == 1:
        return "one pass"
    shared = f", shared among {plan.processes}" if plan.processes > 1 else ""
    return f"{plan.grad_accumulation} passes of {plan.micro_batch}{shared}"


def _times(epochs: float) -> str:
    return f"{epochs:.3g} pass" if epochs == 1 else f"{epochs:.3g} passes"


def _per_pass(plan: TrainPlan, batch: int) -> str:
    steps = -(-plan.rows // batch)
    return f"{steps:,} steps" if steps > 1 else "one step"


def _steps(number: int) -> str:
    return f"{number:,} {'step' if number == 1 else 'steps'}"


def _length_words(plan: TrainPlan) -> str:
    chosen = next((one for one in plan.lengths if one.max_length == plan.max_length), None)
    words = "Memory grows with the longest row, so there is a limit."
    if chosen is None or chosen.rows_cut == 0:
        return f"{words} None of your {rows_word(plan)} is longer, so nothing is cut."
    if plan.kind == "preference":
        return (
            f"{words} {chosen.rows_cut:,} pairs are longer and are left out: an answer that is cut"
            " can be neither better nor worse."
        )
    return (
        f"{words} {chosen.rows_cut:,} conversations are longer. They are cut between turns into"
        " several rows that repeat the turns before as context, so that little is lost: at most"
        f" {chosen.trained_beyond:,} trained tokens."
    )


def _checkpointing_words(plan: TrainPlan) -> str:
    if plan.checkpointing:
        return (
            "On the way forward only each layer's input is kept; on the way back the layer is"
            " computed again. The result is the same, the time about a third more, and most of the"
            " activations need no memory."
        )
    return (
        "All that the layers compute on the way forward is kept for the way back. It is the fastest"
        " way, where memory has room for it."
    )


def _memory_words(plan: TrainPlan) -> str:
    assert plan.peak is not None
    peak = plan.peak
    first, second = sorted(peak.parts_gib, key=lambda part: -peak.parts_gib[part])[:2]
    words = (
        "A step fills and empties the memory; what counts is its fullest moment, with the longest"
        f" rows there are. Most is {first} ({gib(peak.parts_gib[first])}), then {second}"
        f" ({gib(peak.parts_gib[second])}). The forecast traces the model's real step on tensors"
        f" without memory and may be off by {peak.expected_error:.0%} ({peak.basis});"
    )
    if peak.fits is None:
        return f"{words} the device's memory is not known."
    if peak.fits:
        return f"{words} with that it still fits."
    fix = f" What would make it fit: {peak.fix}." if peak.fix else ""
    return f"{words} with that it does not fit.{fix}"


def _time_words(made: Estimate) -> str:
    words = f"It rests on {made.basis}."
    cost = cost_text(made)
    return f"{words} It would cost {cost}." if cost else words


def bar_parts(parts_gib: Mapping[str, float]) -> list[tuple[str, float]]:
    """Parts that take something, in the order in which they are shown."""
    return [(part, parts_gib[part]) for part in PARTS if parts_gib.get(part, 0) > 0]


def shares(sizes: list[float], whole: float, cells: int) -> list[int]:
    """Cells of a bar for each size, so that together they are as long as the sum.

    Args:
        sizes: of the parts.
        whole: what the full bar stands for; at least their sum.
        cells: of the full bar.
    """
    ends = [0]
    total = 0.0
    for size in sizes:
        total += size
        ends.append(round(cells * total / whole))
    return [end - start for start, end in pairwise(ends)]


def planned_peak(plan: Mapping[str, Any]) -> tuple[Mapping[str, float], float | None] | None:
    """Parts and memory of the peak in a plan as ``run.json`` holds it; None where it has none."""
    peak = plan.get("peak") or {}
    parts = peak.get("parts_gib")
    return (parts, peak.get("memory_gib")) if parts else None
