"""What ``turnmill evaluate`` does."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset.manifest import DatasetVersion, load_version
from ingest.files import read_json
from ingest.workspace import Workspace
from serve import terminal
from serve.announce import announce
from serve.commands.forgetting import warn_if_tainted
from serve.commands.serving import find_model
from serve.evaluation.evaluate import evaluate as judge
from serve.evaluation.report import EvalReport
from serve.lineage import lineage
from serve.web.report_page import write_report_page
from train.hooks.event import Event, Fact, make_event, shown_name, shown_path
from train.record import RECORD, open_run


@dataclass(frozen=True)
class Evaluation:
    """A report and its page.

    Attributes:
        report: what was found.
        page: the HTML file.
    """

    report: EvalReport
    page: Path

    def as_json(self) -> dict[str, Any]:
        """In the shape of ``turnmill evaluate --json``."""
        return {
            "report": str(self.page),
            "eval": self.report.eval_id,
            "verdict": self.report.verdict,
            "scores": {name: score.model_dump() for name, score in self.report.scores.items()},
            "gates": [],
        }


def evaluate(
    model: str,
    workspace: Workspace,
    *,
    on: str,
    base: str | None = None,
    base_url: str | None = None,
) -> Evaluation:
    """Judge a model and write its report page.

    Args:
        model: name or folder.
        workspace: where models, versions and runs are.
        on: the dataset version.
        base: what to compare with; None = the base it was merged from.
        base_url: endpoint that serves both already.
    """
    folder = find_model(model, workspace)
    version = load_version(on, workspace)
    version.require_chat()
    warn_if_tainted(version, workspace)
    with terminal.staged("evaluating") as told:
        report = judge(
            folder, version, workspace=workspace, base=base, base_url=base_url, on_progress=told
        )
    page = _page(report, folder, version, workspace)
    announce(lambda: evaluated(report, workspace), workspace)
    return Evaluation(report, page)


def evaluated(report: EvalReport, workspace: Workspace) -> Event:
    """A model was judged."""
    data: dict[str, Fact] = {
        "eval_id": report.eval_id,
        "model": shown_name(report.model),
        "base": shown_name(report.base),
        "run_id": report.run,
        "dataset": report.dataset,
        "fingerprint": report.dataset_fingerprint,
        "split": report.split,
        "scores": {name: score.mean for name, score in report.scores.items()},
        "conversations": len(report.conversations),
        "path": shown_path(workspace.evals / report.eval_id, workspace),
        "state": report.verdict,
    }
    return make_event("eval.finished", report.created_at, data)


def _page(report: EvalReport, model: Path, version: DatasetVersion, workspace: Workspace) -> Path:
    certificate = model / "merge_certificate.json"
    # a model may have been trained elsewhere: then the page shows no curve
    known = report.run is not None and (workspace.runs / report.run / RECORD).is_file()
    run = open_run(report.run, workspace) if report.run and known else None
    metrics = run.plan.run_dir / "metrics.jsonl" if run else None
    return write_report_page(
        workspace.evals / report.eval_id / "report.html",
        report,
        version=version,
        run_record=run.model_dump(mode="json") if run else None,
        metrics=_json_lines(metrics) if metrics and metrics.is_file() else [],
        certificate=read_json(certificate) if certificate.is_file() else None,
        lineage=lineage(report.eval_id, workspace),
    )


def _json_lines(file: Path) -> list[dict[str, Any]]:
    import orjson

    return [orjson.loads(line) for line in file.read_bytes().splitlines()]


def show(result: Evaluation) -> None:
    """Print the scores."""
    rows = [
        (name, f"{score.mean:.4f}", _end(score.low), _end(score.high), score.n)
        for name, score in result.report.scores.items()
    ]
    title = f"{result.report.model}: {result.report.verdict}"
    headings = ("score", "mean", "95 % low", "high", "conversations")
    terminal.table(title, headings, rows, right=(1, 2, 3, 4))
    terminal.out.print(f"report  {result.page}", soft_wrap=True)


def _end(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
