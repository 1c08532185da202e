"""A plan as one page a person can keep or pass on: no script, no network, everything escaped."""

from pathlib import Path

from ingest.files import write_whole
from ingest.version import __version__
from serve.plan_text import (
    about,
    explained,
    length_rows,
    length_sentence,
    overview,
    rows_word,
    size_text,
)
from serve.web import plots
from serve.web.frame import template_environment
from serve.web.memory_bar import memory_bar, memory_rows
from train.plan import TrainPlan


def write_plan_page(out: Path, plan: TrainPlan) -> Path:
    """Write the page.

    Args:
        out: the file to write.
        plan: resolved.

    Returns:
        ``out``.
    """
    environment = template_environment()
    rows = sum(plan.histogram.counts) if plan.histogram else 0
    page = environment.get_template("plan.html").render(
        plan=plan,
        base_name=Path(plan.base.model).name,
        facts=overview(plan),
        time=about(plan.estimate.seconds) if plan.estimate else None,
        verdict=_verdict(plan),
        size=size_text(plan),
        bar=memory_bar(plan.peak.parts_gib, plan.peak.memory_gib) if plan.peak else None,
        parts=memory_rows(plan.peak.parts_gib) if plan.peak else [],
        lengths=[
            [f"{length:,}", f"{cut:,}", f"{cut / rows:.1%}", f"{tokens:,}", f"{trained:,}", chosen]
            for length, cut, tokens, trained, chosen in length_rows(plan)
        ],
        length_sentence=length_sentence(plan.histogram.quantiles, rows_word(plan))
        if plan.histogram
        else "",
        histogram=plots.histogram(
            plan.histogram.edges,
            plan.histogram.counts,
            label=f"{rows_word(plan).capitalize()} by number of tokens",
            x_title="tokens",
            y_title=rows_word(plan),
        )
        if plan.histogram
        else None,
        explained=explained(plan),
        code_version=__version__,
    )
    with write_whole(out) as file:
        file.write(page.encode("utf-8", "replace"))
    return out


def _verdict(plan: TrainPlan) -> tuple[str, str]:
    """A word, and the CSS class of it."""
    if plan.peak is None or plan.peak.fits is None:
        return "Planned", "open"
    return ("It fits", "good") if plan.peak.fits else ("It may not fit", "bad")
