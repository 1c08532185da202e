"""What ``turnmill plan`` does."""

import tempfile
from pathlib import Path
from typing import Any

from dataset.manifest import load_version
from ingest.workspace import Workspace
from serve.commands.forgetting import warn_if_tainted
from train.gpus import find_card
from train.plan import TrainPlan
from train.run import new_run_id, plan_run
from train.spec import load_train_spec


def plan(
    spec: Path,
    workspace: Workspace,
    *,
    memory_gib: float | None = None,
    gpu: str | None = None,
    usd_per_hour: float | None = None,
) -> TrainPlan:
    """Resolve a run without leaving anything behind.

    Args:
        spec: a training spec (TOML).
        workspace: holds the dataset version.
        memory_gib: what the device has; left out: as it is found.
        gpu: the card it will run on; left out: this machine's device.
        usd_per_hour: price of the device, if known.
    """
    asked = load_train_spec(spec)
    warn_if_tainted(load_version(asked.dataset, workspace), workspace)
    with tempfile.TemporaryDirectory() as scratch:
        resolved, _ = plan_run(
            asked,
            workspace,
            run_id=new_run_id(),
            run_dir=Path(scratch),
            device=find_card(gpu).device() if gpu else None,
            memory_gib=memory_gib,
            usd_per_hour=usd_per_hour,
        )
    return resolved


def plan_rented(
    spec: Path, workspace: Workspace, *, explain: bool, html: Path | None, json: bool
) -> None:
    """Print what RunPod has for a run, and the run as it would be on the best of it.

    Args:
        spec: a training spec (TOML) with a table ``[runpod]``.
        workspace: holds the dataset version.
        explain: whether each number is explained.
        html: where to write the plan as a page.
        json: whether as one JSON document.
    """
    from serve.commands import pods
    from serve.terminal import print_json

    asked = load_train_spec(spec)
    warn_if_tainted(load_version(asked.dataset, workspace), workspace)
    pods.reap_first(workspace)
    found = pods.offers(asked, workspace)
    best = found.offers[0].plan
    if html is not None:
        write_page(html, best)
    if json:
        print_json(plan_json(best) | {"offers": pods.offers_json(found)})
        return
    show_plan(best, explain=explain)
    pods.show_offers(found)


def plan_json(resolved: TrainPlan) -> dict[str, Any]:
    """A plan in the shape of ``turnmill plan --json``."""
    told: dict[str, Any] = {
        "dataset": f"{resolved.dataset.name}@{resolved.dataset.fingerprint}",
        "base_model": resolved.base.model,
        "kind": resolved.kind,
        "method": resolved.method,
        "device": resolved.device.kind,
        "device_name": resolved.device.name,
        "precision": resolved.precision,
        "quantization": resolved.quantization,
        "optimiser": resolved.optimiser,
        "micro_batch": resolved.micro_batch,
        "grad_accumulation": resolved.grad_accumulation,
        "processes": resolved.processes,
        "max_length": resolved.max_length,
        "checkpointing": resolved.checkpointing,
        "learning_rate": resolved.learning_rate,
        "epochs": resolved.epochs,
        "steps": resolved.steps,
        "rows": resolved.rows,
        "tokens": resolved.tokens,
        "trained_tokens": resolved.trained_tokens,
        "padded_tokens": resolved.padded_tokens,
        "splits": {name: counts.model_dump() for name, counts in resolved.splits.items()},
        "lengths": [one.model_dump() for one in resolved.lengths],
        "length_quantiles": resolved.histogram.quantiles if resolved.histogram else None,
        "memory_gib": resolved.device.memory_gib,
        "decisions": resolved.decisions,
    }
    return told | _peak_json(resolved) | _estimate_json(resolved)


def _peak_json(resolved: TrainPlan) -> dict[str, Any]:
    peak = resolved.peak
    if peak is None:
        return {"peak_gib": None, "peak_by_category": None, "fits": None}
    return {
        "peak_gib": round(peak.peak_gib, 3),
        "peak_by_category": {part: round(gib, 4) for part, gib in peak.parts_gib.items()},
        "peak_expected_error": peak.expected_error,
        "peak_note": peak.basis,
        "fits": peak.fits,
        "fix": peak.fix,
    }


def _estimate_json(resolved: TrainPlan) -> dict[str, Any]:
    made = resolved.estimate
    if made is None:
        return {"seconds_estimate": None, "cost_usd_estimate": None}
    return {
        "seconds_estimate": made.seconds,
        "seconds_low": made.low_s,
        "seconds_high": made.high_s,
        "seconds_basis": made.basis,
        "usd_per_hour": made.usd_per_hour,
        "cost_usd_estimate": made.cost_usd,
    }


def show_plan(resolved: TrainPlan, *, explain: bool = False) -> None:
    """Print a plan.

    Args:
        resolved: the plan.
        explain: whether each number is explained.
    """
    from serve.commands.plan_view import show

    show(resolved, explain=explain)


def write_page(out: Path, resolved: TrainPlan) -> None:
    """Write a plan as one page."""
    from serve.web.plan_page import write_plan_page

    write_plan_page(out, resolved)
