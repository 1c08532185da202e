"""A plan in the terminal: sections, the memory as a bar, what each length cuts."""

from rich.text import Text

from serve import terminal
from serve.plan_text import (
    PARTS,
    bar_parts,
    explained,
    gib,
    length_rows,
    length_sentence,
    overview,
    rows_word,
    shares,
    size_text,
)
from serve.terminal import out, safe
from train.plan import PeakUse, TrainPlan

_COLOURS = {
    "weights": "blue", "adapters": "cyan", "gradients": "bright_cyan", "optimiser": "green",
    "activations": "yellow", "loss": "red", "buffers": "magenta", "context": "bright_black",
    "slack": "white",
}  # fmt: skip
_MARGIN = 2
_WIDEST = 96


def show(plan: TrainPlan, *, explain: bool = False) -> None:
    """Print a plan; with ``explain`` each number in words."""
    title = f"{plan.dataset.name}@{plan.dataset.fingerprint[:12]} on {plan.base.model}"
    terminal.facts(f"Plan: {safe(title)}", overview(plan))
    if plan.histogram:
        _lengths(plan)
    if plan.peak:
        _memory(plan, plan.peak, explain=explain)
    _section("Decided")
    for one in plan.decisions:
        _paragraph(one, mark="\u00b7 ")
    if explain:
        _section("Explained")
        for heading, words in explained(plan):
            out.print(f"  [bold]{safe(heading[0].upper() + heading[1:])}[/]", soft_wrap=True)
            _paragraph(words, mark="  ")


def _section(title: str) -> None:
    out.print(f"\n[bold]{safe(title)}[/]")


def _paragraph(words: str, mark: str = "") -> None:
    text = Text(words.translate(terminal.CONTROLS))
    width = max(20, min(out.width, _WIDEST) - _MARGIN - len(mark))
    for number, line in enumerate(text.wrap(out, width)):
        out.print(" " * _MARGIN + (mark if number == 0 else " " * len(mark)), line, sep="")


def _lengths(plan: TrainPlan) -> None:
    assert plan.histogram is not None
    _section("Lengths")
    _paragraph(length_sentence(plan.histogram.quantiles, rows_word(plan)))
    rows = sum(plan.histogram.counts)
    cells = [
        (
            f"{length:,}",
            f"{cut:,}",
            f"{cut / rows:.1%}",
            f"{tokens:,}",
            f"{trained:,}",
            "chosen" if chosen else "",
        )
        for length, cut, tokens, trained, chosen in length_rows(plan)
    ]
    headings = (
        "max_length",
        f"{rows_word(plan)} longer",
        "share",
        "tokens beyond",
        "trained beyond",
        "",
    )
    terminal.table("", headings, cells, right=(0, 1, 2, 3, 4))


def _memory(plan: TrainPlan, peak: PeakUse, *, explain: bool) -> None:
    _section(f"Memory: {size_text(plan)}")
    parts = bar_parts(peak.parts_gib)
    whole = max(peak.peak_gib, peak.memory_gib or 0)
    cells = max(20, min(out.width, _WIDEST) - 2 * _MARGIN)
    bar = Text(" " * _MARGIN)
    used = 0
    for (part, _), count in zip(parts, shares([s for _, s in parts], whole, cells), strict=True):
        bar.append("\u2588" * count, style=_COLOURS[part])
        used += count
    bar.append("\u2591" * (cells - used), style="dim")
    out.print(bar, soft_wrap=True)
    if peak.memory_gib is not None and not peak.fits and peak.memory_gib < whole:
        at = round(cells * peak.memory_gib / whole)
        out.print(f"{' ' * (_MARGIN + max(0, at - 1))}[bold red]\u2502[/] {gib(peak.memory_gib)}")
    for part, size in parts:
        share = f"{size / peak.peak_gib:4.0%}"
        key = f"[{_COLOURS[part]}]\u2588[/]"
        out.print(f"  {key} {part:<12}{gib(size):>10}  [dim]{share}[/]", soft_wrap=True)
        if explain:
            _paragraph(PARTS[part], mark=" " * 4)
    _paragraph(f"Expected error {peak.expected_error:.0%}: {peak.basis}.")
