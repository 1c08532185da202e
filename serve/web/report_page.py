"""The report as one page a person can keep: no script, no network, everything escaped."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from dataset.manifest import DatasetVersion
from ingest.files import write_whole
from ingest.version import __version__
from serve.evaluation.report import ConversationScore, EvalReport, Score
from serve.plan_text import planned_peak
from serve.web import plots
from serve.web.counts import SplitTable, count_split
from serve.web.facts import HASHES, certificate_facts, link_facts, run_facts
from serve.web.frame import template_environment
from serve.web.memory_bar import memory_bar, memory_rows
from serve.web.plots import number

_NAMES = {
    "nll_base": "NLL, base",
    "nll": "NLL, tuned",
    "nll_delta": "Difference",
    "perplexity_ratio": "Perplexity ratio",
    "share_improved": "Share improved",
}
_CLASSES = {"learned": "learned", "worse": "worse"}
_FEW = 20

# control characters are drawn as pictures; a line break and a tab stay what they are
_PICTURES = {code: 0x2400 + code for code in range(0x20) if code not in (0x09, 0x0A)} | {
    0x7F: 0x2421
}


def write_report_page(
    out: Path,
    report: EvalReport,
    *,
    version: DatasetVersion,
    run_record: Mapping[str, Any] | None,
    metrics: Sequence[Mapping[str, Any]],
    certificate: Mapping[str, Any] | None,
    lineage: Sequence[Mapping[str, Any]],
) -> Path:
    """Write the page.

    Args:
        out: the file to write.
        report: the evaluation.
        version: the dataset version it judged on.
        run_record: content of ``run.json``, when the run is known.
        metrics: events of ``metrics.jsonl``; empty if there are none.
        certificate: content of ``merge_certificate.json``, when there is one.
        lineage: from ``serve.lineage.lineage``.

    Returns:
        ``out``.
    """
    page = (
        _environment()
        .get_template("report.html")
        .render(
            report=report,
            base_name=Path(report.base).name,
            code_version=__version__,
            hashes=HASHES,
            warnings=_warnings(report),
            **_verdict(report),
            **_scores(report),
            **_conversations(report),
            samples_sentence=_samples_sentence(report),
            **_data(report, version),
            **_training(run_record, metrics),
            certificate_facts=certificate_facts(certificate) if certificate else [],
            lineage=[link_facts(link) for link in lineage],
        )
    )
    with write_whole(out) as file:
        file.write(page.encode("utf-8", "replace"))
    return out


def _environment() -> Environment:
    environment = template_environment()
    environment.filters["visible"] = _visible
    return environment


def _visible(text: str) -> str:
    return text.replace("\r\n", "\n").translate(_PICTURES)


def _interval(score: Score, digits: int = 2) -> str:
    if score.low is None or score.high is None:
        return "none"
    return f"[{number(score.low, digits)}, {number(score.high, digits)}]"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _verdict(report: EvalReport) -> dict[str, Any]:
    scores = report.scores
    before, after, delta = scores["nll_base"], scores["nll"], scores["nll_delta"]
    ratio = scores["perplexity_ratio"].mean
    return {
        "verdict_word": report.verdict.capitalize(),
        "verdict_class": _CLASSES.get(report.verdict, "open"),
        "headline": (
            f"NLL {number(before.mean)} \u2192 {number(after.mean)} nats/token, "
            f"difference {number(delta.mean)} {_interval(delta) if delta.low is not None else ''}"
        ).rstrip(),
        "lead": Markup(
            "Judged on <b>{}</b> held-out conversations of {} (split {}). "
            "Perplexity is <b>{} times</b> that of the base; <b>{}</b> of the conversations "
            "became more likely."
        ).format(
            delta.n, report.dataset, report.split, number(ratio),
            _percent(scores["share_improved"].mean),
        ),
    }  # fmt: skip


def _warnings(report: EvalReport) -> list[str]:
    found = []
    n = report.scores["nll_delta"].n
    if n < _FEW:
        found.append(
            f"Only {n} conversation{'s' if n > 1 else ''}: an interval from so few is narrower "
            "than it should be."
        )
    if report.trained_on not in (None, report.dataset_fingerprint):
        found.append(
            "The model was trained on another dataset version than it is judged on here; "
            "conversations of this split may have been trained on."
        )
    for reason, count in report.skipped.items():
        found.append(f"Not scored: {count} conversation{'s' if count > 1 else ''} ({reason}).")
    return found


def _scores(report: EvalReport) -> dict[str, Any]:
    scores = report.scores
    rows = [
        {
            "name": _NAMES.get(name, name),
            "mean": _percent(score.mean) if name == "share_improved" else number(score.mean, 3),
            "interval": _share_interval(score) if name == "share_improved" else _interval(score, 3),
            "n": score.n,
        }
        for name, score in sorted(scores.items(), key=lambda item: _order(item[0]))
    ]
    forest = plots.intervals(
        [
            plots.Row(label, scores[name].mean, scores[name].low, scores[name].high, kind)
            for label, name, kind in (
                ("Base", "nll_base", "base"),
                ("Tuned", "nll", "tuned"),
                ("Difference", "nll_delta", "delta"),
            )
        ],
        label="Scores of both models and their difference, with 95 % intervals",
        x_title="nats per token",
    )
    return {"score_rows": rows, "forest": forest}


def _order(name: str) -> int:
    return list(_NAMES).index(name) if name in _NAMES else len(_NAMES)


def _share_interval(score: Score) -> str:
    if score.low is None or score.high is None:
        return "none"
    return f"[{_percent(score.low)}, {_percent(score.high)}]"


def _conversations(report: EvalReport) -> dict[str, Any]:
    ordered = sorted(report.conversations, key=lambda one: one.model - one.base)
    deltas = [one.model - one.base for one in ordered]
    improved = sum(delta < 0 for delta in deltas)
    # no conversation in both lists
    count = min(4, -(-len(ordered) // 2))
    least = ordered[max(count, len(ordered) - count) :][::-1]
    return {
        "improved_sentence": (
            f"{improved} of {len(deltas)} conversations are more likely under the tuned model, "
            f"{sum(delta > 0 for delta in deltas)} less. A bar is one conversation."
        ),
        "differences": plots.bars(
            deltas,
            label="Difference of each conversation, sorted",
            x_title="conversations, sorted",
            y_title="tuned minus base, nats per token",
        ),
        "extremes": [
            (title, [_pair(one) for one in rows])
            for title, rows in (("Improved most", ordered[:count]), ("Improved least", least))
            if rows
        ],
    }


def _pair(one: ConversationScore) -> dict[str, str]:
    return {
        "id": one.id,
        "base": number(one.base),
        "model": number(one.model),
        "delta": number(one.model - one.base),
    }


def _samples_sentence(report: EvalReport) -> str:
    count = len(report.samples)
    return (
        f"{count} prompt{'s' if count != 1 else ''} from the held-out split, drawn with seed "
        f"{report.seed}, each answered greedily by both models through the API. What the "
        "assistant said in the export is beside them; it is one good answer, not the only one."
    )


def _data(report: EvalReport, version: DatasetVersion) -> dict[str, Any]:
    splits: dict[str, SplitTable] = {name: count_split(version, name) for name in version.splits}
    roles = _seen(table.roles for table in splits.values())
    importers = _seen(table.importers for table in splits.values())
    tables = splits.values()
    rows = [
        ("Conversations", [table.conversations for table in tables]),
        *((f"from {one}", [table.importers.get(one, 0) for table in tables]) for one in importers),
        ("Messages", [table.messages for table in tables]),
        *((f"by {one}", [table.roles.get(one, 0) for table in tables]) for one in roles),
    ]
    figures = [
        {
            "title": f"Tokens per conversation, {split}",
            "svg": plots.histogram(
                lengths.edges,
                lengths.counts,
                label=f"Histogram of tokens per conversation, split {split}",
                x_title="tokens",
                y_title="conversations",
            ),
            "caption": (
                f"{lengths.total:,} tokens in {lengths.n:,} conversations; "
                f"median {lengths.median:,.0f}, 95 % below {lengths.p95:,.0f}, "
                f"longest {lengths.longest:,}."
            ),
        }
        for split, lengths in report.lengths.items()
    ]
    return {
        "data_sentence": (
            f"Dataset version {version.name}@{version.fingerprint[:12]}, sealed "
            f"{version.created_at.strftime('%d %B %Y')}."
        ),
        "version": version,
        "count_rows": [(name, [f"{value:,}" for value in cells]) for name, cells in rows],
        "length_figures": figures,
    }


def _seen(counts: Iterable[Mapping[str, int]]) -> list[str]:
    """Names in order of first appearance."""
    return list(dict.fromkeys(name for one in counts for name in one))


def _training(
    record: Mapping[str, Any] | None, metrics: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    # a resumed run logs some steps again: the last word counts
    steps = {event["step"]: event["loss"] for event in metrics if event.get("event") == "step"}
    judged = {event["step"]: event["loss"] for event in metrics if event.get("event") == "eval"}
    raw = sorted(steps.items())
    mean = plots.smoothed(raw)
    series = [plots.Series("raw" if mean else "tuned", raw)]
    if mean:
        series.append(plots.Series("tuned", mean))
    series.append(plots.Series("judged", sorted(judged.items()), line=False))
    return {
        "curve": plots.curve(series, label="Training loss by step", x_title="step",
                             y_title="nats per token"),
        "curve_smoothed": bool(mean),
        "curve_judged": bool(judged),
        "run_facts": run_facts(record) if record else [],
        **_memory(record),
    }  # fmt: skip


def _memory(record: Mapping[str, Any] | None) -> dict[str, Any]:
    """The forecast that the run was planned with, where it has one."""
    found = planned_peak(record.get("plan", {})) if record else None
    if found is None:
        return {"memory_figure": None, "memory_parts": []}
    parts, memory_gib = found
    return {"memory_figure": memory_bar(parts, memory_gib), "memory_parts": memory_rows(parts)}
