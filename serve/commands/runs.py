"""What the commands around training do."""

import os
from pathlib import Path
from typing import Any, Literal

from dataset.manifest import load_version
from ingest.errors import UserError
from ingest.workspace import Workspace
from serve import terminal
from serve.announce import announce
from serve.commands.forgetting import warn_if_tainted
from serve.commands.run_display import progress
from serve.commands.run_notes import changes_told, noted
from train.adapter import delivered_name
from train.certificate import Dtype, MergeCertificate
from train.gpus import find_card
from train.hooks.event import merged, run_ended
from train.launchers.export import files_in
from train.launchers.runpod_attempts import spent_usd
from train.launchers.runpod_ledger import Ledger
from train.launchers.runpod_rental import is_rented
from train.merge import Onto, merge_run
from train.record import RunRecord, list_runs, open_run
from train.run import start_run
from train.spec import TrainSpec, load_train_spec


class TrainError(UserError):
    """A run that failed; the record holds the same."""


def train(
    spec: Path | None,
    workspace: Workspace,
    *,
    launcher: str,
    resume: str | None,
    out: Path | None = None,
    gpu: str | None = None,
    memory_limit_gib: float | None = None,
) -> RunRecord:
    """Train, showing progress.

    Args:
        spec: a training spec (TOML).
        workspace: holds the dataset version.
        launcher: where to run.
        resume: a run to go on with.
        out: the folder that the launcher ``export`` makes.
        gpu: the card that it plans for.
        memory_limit_gib: what the run may hold of the device's memory.

    Raises:
        TrainError: the run failed.
        KeyboardInterrupt: it was interrupted.
    """
    if launcher == "runpod":
        from serve.commands.pods import reap_first

        reap_first(workspace)
    if resume is not None:
        # on RunPod its limits may be raised for what is left
        asked = load_train_spec(spec) if spec is not None else _spec_of(resume, workspace)
    elif spec is not None:
        asked = load_train_spec(spec)
        warn_if_tainted(load_version(asked.dataset, workspace), workspace)
    else:
        raise UserError("no training spec named", "turnmill train TRAIN.toml, or --resume RUN")
    with progress() as on_event:
        record = start_run(
            asked,
            workspace,
            launcher=launcher,
            resume=resume,
            device=find_card(gpu).device() if gpu else None,
            out=out,
            memory_limit_gib=memory_limit_gib,
            on_event=noted(on_event),
        )
    if record.state in ("succeeded", "failed"):
        announce(lambda: run_ended(record, workspace), workspace)
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


def record_json(record: RunRecord) -> dict[str, Any]:
    """A record in the shape of ``turnmill train --json``."""
    return {
        "run": record.run_id,
        "state": record.state,
        "adapter": str(record.plan.run_dir / delivered_name(record.plan.method)),
        "metrics": record.metrics,
        "record": str(record.plan.run_dir / "run.json"),
        "cost_usd": record.cost,
    }


def exported_json(record: RunRecord, out: Path) -> dict[str, Any]:
    """What ``--launcher export`` wrote, in the shape of ``turnmill train --json``."""
    return {
        "run": record.run_id,
        "state": record.state,
        "out": str(out),
        "files": files_in(out),
        "record": str(record.plan.run_dir / "run.json"),
    }


def show_exported(exported: dict[str, Any]) -> None:
    """Print where the files are."""
    facts = {"files": len(exported["files"]), "read first": f"{exported['out']}/README.txt"}
    terminal.facts(f"Run {exported['run']}, planned and not started", facts)


def show_record(record: RunRecord) -> None:
    """Print what a run did."""
    metrics = {name: f"{value:,.4g}" for name, value in record.metrics.items()}
    cost = {} if record.cost is None else {"cost": f"${record.cost:.4f}"}
    facts = {"state": record.state, **changes_told(record), **metrics, **cost}
    terminal.facts(f"Run {record.run_id}", facts)


def list_all(workspace: Workspace) -> list[dict[str, Any]]:
    """Every run."""
    return [
        {
            "run": record.run_id,
            "state": record.state,
            "failure": record.failure.kind if record.failure else None,
            "dataset": f"{record.plan.dataset.name}@{record.dataset_fingerprint[:12]}",
            "base_model": record.plan.base.model,
            "steps": record.plan.steps,
            "started": record.states[0].at.isoformat(),
            "launcher": "runpod" if is_rented(workspace.runs / record.run_id) else "local",
            "cost_usd": _cost_usd(record, workspace),
        }
        for record in list_runs(workspace)
    ]


def _cost_usd(record: RunRecord, workspace: Workspace) -> float | None:
    """What a run cost; of one that is rented now, until now, by the journal."""
    if record.state != "running" or not is_rented(workspace.runs / record.run_id):
        return record.cost
    ledger = Ledger(workspace.runpod)
    return round(spent_usd(ledger.entries(), record.run_id, ledger.clock.now()), 4)


def _state_of(row: dict[str, Any]) -> str:
    return f"{row['state']} ({row['failure']})" if row["failure"] else row["state"]


def show_all(rows: list[dict[str, Any]]) -> None:
    """Print the runs."""
    cells = [
        (
            row["run"],
            _state_of(row),
            row["dataset"].rpartition("@")[0],
            row["steps"],
            row["started"][5:16].replace("T", " "),
            row["launcher"] + ("" if row["cost_usd"] is None else f" ${row['cost_usd']:.2f}"),
        )
        for row in rows
    ]
    headings = ("run", "state", "dataset", "steps", "started (UTC)", "where")
    terminal.table(f"Runs ({len(rows)})", headings, cells, right=(3,), whole=(1, 3, 4, 5))


def merge(
    run: str,
    workspace: Workspace,
    out: Path | None,
    *,
    dtype: Dtype | Literal["base"] = "base",
    onto: Onto = "trained",
) -> dict[str, Any]:
    """Merge a run and certify the result."""
    record = open_run(run, workspace)
    with terminal.counting("merging"):
        certificate = merge_run(record, workspace, out=out, dtype=dtype, onto=onto)
    folder = out or workspace.models / record.run_id
    announce(lambda: merged(record, folder, certificate, workspace), workspace)
    return certificate_json(folder, certificate)


def certificate_json(folder: Path, certificate: MergeCertificate) -> dict[str, Any]:
    """A certificate in the shape of ``turnmill merge --json``."""
    proof = certificate.model_dump(mode="json", exclude={"comparison"})
    proof |= certificate.comparison.model_dump()
    return {"model": os.fspath(folder), "certificate": proof}


def show_certificate(result: dict[str, Any]) -> None:
    """Print what a merge proved."""
    proof = result["certificate"]
    cast = proof["cast"]
    rounding = {} if cast is None else {f"mean KL in {proof['dtype']}": f"{cast['kl']:.3g}"}
    terminal.facts(
        f"Model {result['model']}",
        {
            "verdict": proof["verdict"],
            "merged": proof["recipe"],
            "stored as": proof["dtype"],
            "adapter effect": f"{proof['adapter_effect']:.3g} (largest logit change)",
            "merge error": f"{proof['max_abs']:.3g} (largest logit difference)",
            "mean KL": f"{proof['kl']:.3g}",
            "argmax agreement": f"{proof['argmax_agree']:.4f}",
            **rounding,
        },
    )
