"""What the commands around training do."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from dataset.manifest import load_version
from ingest.errors import UserError
from ingest.workspace import Workspace
from serve import terminal
from serve.commands.forgetting import warn_if_tainted
from train.launchers.base import OnEvent
from train.merge import MergeCertificate, merge_run
from train.plan import TrainPlan
from train.record import RunRecord, list_runs, open_run
from train.run import new_run_id, plan_run, start_run
from train.spec import TrainSpec, load_train_spec


class TrainError(UserError):
    """A run that failed; the record holds the same."""


def plan(spec: Path, workspace: Workspace, *, memory_gib: float | None = None) -> dict[str, Any]:
    """Resolve a run without leaving anything behind.

    Args:
        spec: a training spec (TOML).
        workspace: holds the dataset version.
        memory_gib: what the device has, to say whether the run fits; left out: as it is found.
    """
    asked = load_train_spec(spec)
    warn_if_tainted(load_version(asked.dataset, workspace), workspace)
    with tempfile.TemporaryDirectory() as scratch:
        resolved, _ = plan_run(asked, workspace, run_id=new_run_id(), run_dir=Path(scratch))
    return plan_json(resolved) | _peak(resolved, memory_gib or resolved.device.memory_gib)


def _peak(resolved: TrainPlan, memory_gib: float | None) -> dict[str, Any]:
    """The forecast of the fullest moment, and what would make it fit."""
    from train.load import quiet
    from train.memory import forecast, read_config
    from train.memory_fix import cheapest_fix
    from train.memory_setup import ForecastError, StepSetup

    quiet()
    config = read_config(resolved.base.path)
    setup = StepSetup(
        lora=resolved.lora,
        micro_batch=resolved.micro_batch,
        max_length=resolved.max_length,
        precision=resolved.precision,
        checkpointing=resolved.checkpointing,
        device=resolved.device.kind,
        accumulates=resolved.grad_accumulation > 1,
    )
    try:
        peak = forecast(config, setup)
    except ForecastError as error:
        # the run may do well all the same
        return {"peak_gib": None, "peak_by_category": None, "peak_note": error.message}
    told: dict[str, Any] = {
        "peak_gib": round(peak.peak_gib, 3),
        "peak_by_category": {part: round(size / 2**30, 4) for part, size in peak.parts.items()},
        "peak_expected_error": peak.expected_error,
        "peak_note": peak.basis,
    }
    if memory_gib is not None:
        told |= {"memory_gib": memory_gib, "fits": peak.fits(memory_gib)}
        if not peak.fits(memory_gib):
            fix = cheapest_fix(
                config, setup, memory_gib, grad_accumulation=resolved.grad_accumulation
            )
            told["fix"] = fix.change if fix else None
    return told


def plan_json(resolved: TrainPlan) -> dict[str, Any]:
    """A plan in the shape of ``turnmill plan --json``."""
    return {
        "dataset": f"{resolved.dataset.name}@{resolved.dataset.fingerprint}",
        "base_model": resolved.base.model,
        "device": resolved.device.kind,
        "precision": resolved.precision,
        "quantization": None,
        "micro_batch": resolved.micro_batch,
        "grad_accumulation": resolved.grad_accumulation,
        "max_length": resolved.max_length,
        "checkpointing": resolved.checkpointing,
        "learning_rate": resolved.learning_rate,
        "epochs": resolved.epochs,
        "steps": resolved.steps,
        "rows": resolved.rows,
        "tokens": resolved.tokens,
        "trained_tokens": resolved.trained_tokens,
        "splits": {name: counts.model_dump() for name, counts in resolved.splits.items()},
    }


def show_plan(resolved: dict[str, Any]) -> None:
    """Print a plan."""
    apart = ("splits", "peak_by_category", "peak_note", "peak_expected_error")
    shown = {key: value for key, value in resolved.items() if key not in apart}
    terminal.facts("Plan", {key: f"{v:,}" if isinstance(v, int) and not isinstance(v, bool) else v
                            for key, v in shown.items()})  # fmt: skip
    if resolved.get("peak_by_category"):
        parts = {part: f"{gib:.3f} GiB" for part, gib in resolved["peak_by_category"].items()}
        terminal.facts("Peak memory", parts)
        error = resolved["peak_expected_error"]
        terminal.note(f"expected error {error:.0%}: {resolved['peak_note']}")
    elif resolved.get("peak_note"):
        terminal.note(f"memory is not forecast: {resolved['peak_note']}")


def train(
    spec: Path | None, workspace: Workspace, *, launcher: str, resume: str | None
) -> RunRecord:
    """Train, showing progress.

    Raises:
        TrainError: the run failed.
        KeyboardInterrupt: it was interrupted.
    """
    if resume is not None:
        asked = _spec_of(resume, workspace)
    elif spec is not None:
        asked = load_train_spec(spec)
        warn_if_tainted(load_version(asked.dataset, workspace), workspace)
    else:
        raise UserError("no training spec named", "turnmill train TRAIN.toml, or --resume RUN")
    with progress() as on_event:
        record = start_run(asked, workspace, launcher=launcher, resume=resume, on_event=on_event)
    return finished(record)


def _spec_of(run: str, workspace: Workspace) -> TrainSpec:
    record = open_run(run, workspace)
    return TrainSpec(dataset=record.plan.dataset.name, base_model=record.plan.base.model)


def finished(record: RunRecord) -> RunRecord:
    """The record of a run that succeeded; anything else is raised."""
    if record.state == "interrupted":
        terminal.note(f"run {record.run_id} stopped; turnmill train --resume {record.run_id}")
        raise KeyboardInterrupt
    if record.failure is not None:
        message = f"run {record.run_id}: {record.failure.message}"
        raise TrainError(message, record.failure.advice)
    return record


@contextlib.contextmanager
def progress() -> Iterator[OnEvent]:
    """A live bar for the events of a run; plain lines where stderr is no terminal."""
    if not terminal.err.is_terminal:
        yield _plain
        return
    bar = Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[detail]}"),
        TimeElapsedColumn(),
        console=terminal.err,
        transient=True,
    )
    with bar:
        task = bar.add_task("training", total=None, detail="starting")
        yield lambda event: _update(bar, task, event)


def _update(bar: Progress, task: Any, event: dict[str, Any]) -> None:
    if event["event"] == "step":
        bar.update(task, completed=event["step"], total=event["steps"], detail=step_text(event))
    elif event["event"] == "render":
        bar.update(task, detail=f"rendering {event['split']} {event['rows']}/{event['of']}")


def step_text(event: dict[str, Any]) -> str:
    """One step in words."""
    return (
        f"loss {event['loss']:.3f}  {event['tokens_per_s']:,.0f} tok/s  "
        f"{event['seconds_left']:.0f} s left"
    )


def _plain(event: dict[str, Any]) -> None:
    if event["event"] == "step" and (event["step"] % 10 == 0 or event["step"] == event["steps"]):
        terminal.note(f"step {event['step']}/{event['steps']}  {step_text(event)}")


def record_json(record: RunRecord) -> dict[str, Any]:
    """A record in the shape of ``turnmill train --json``."""
    return {
        "run": record.run_id,
        "state": record.state,
        "adapter": str(record.plan.run_dir / "adapter"),
        "metrics": record.metrics,
        "record": str(record.plan.run_dir / "run.json"),
    }


def show_record(record: RunRecord) -> None:
    """Print what a run did."""
    metrics = {name: f"{value:,.4g}" for name, value in record.metrics.items()}
    terminal.facts(f"Run {record.run_id}", {"state": record.state, **metrics})


def list_all(workspace: Workspace) -> list[dict[str, Any]]:
    """Every run."""
    return [
        {
            "run": record.run_id,
            "state": record.state,
            "dataset": f"{record.plan.dataset.name}@{record.dataset_fingerprint[:12]}",
            "base_model": record.plan.base.model,
            "steps": record.plan.steps,
            "started": record.states[0].at.isoformat(),
            "launcher": "local",
        }
        for record in list_runs(workspace)
    ]


def show_all(rows: list[dict[str, Any]]) -> None:
    """Print the runs."""
    cells = [(row["run"], row["state"], row["dataset"], row["steps"], row["started"][:16])
             for row in rows]  # fmt: skip
    headings = ("run", "state", "dataset", "steps", "started (UTC)")
    terminal.table(f"Runs ({len(rows)})", headings, cells, right=(3,))


def merge(run: str, workspace: Workspace, out: Path | None) -> dict[str, Any]:
    """Merge a run and certify the result."""
    record = open_run(run, workspace)
    with terminal.counting("merging"):
        certificate = merge_run(record, workspace, out=out)
    return certificate_json(out or workspace.models / record.run_id, certificate)


def certificate_json(folder: Path, certificate: MergeCertificate) -> dict[str, Any]:
    """A certificate in the shape of ``turnmill merge --json``."""
    proof = certificate.model_dump(mode="json", exclude={"comparison"})
    proof |= certificate.comparison.model_dump()
    return {"model": os.fspath(folder), "certificate": proof}


def show_certificate(result: dict[str, Any]) -> None:
    """Print what a merge proved."""
    proof = result["certificate"]
    terminal.facts(
        f"Model {result['model']}",
        {
            "verdict": proof["verdict"],
            "adapter effect": f"{proof['adapter_effect']:.3g} (largest logit change)",
            "merge error": f"{proof['max_abs']:.3g} (largest logit difference)",
            "mean KL": f"{proof['kl']:.3g}",
            "argmax agreement": f"{proof['argmax_agree']:.4f}",
        },
    )
