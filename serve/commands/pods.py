"""What the commands around rented machines do: offers, attach, reap, costs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from ingest.errors import UserError
from ingest.settings import Settings
from ingest.workspace import Workspace
from serve import terminal
from serve.announce import announce
from serve.commands.run_display import duration, progress
from serve.commands.run_notes import noted
from train.hooks.event import run_ended
from train.launchers.pod_files import read_status
from train.launchers.runpod import RunpodLauncher
from train.launchers.runpod_api import RunPod, open_runpod
from train.launchers.runpod_attempts import attempts
from train.launchers.runpod_ledger import Ledger
from train.launchers.runpod_money import reconciled
from train.launchers.runpod_offer import Offers
from train.launchers.runpod_reap import Reaped, ToldAt, reap
from train.launchers.runpod_rental import is_rented, outside, read_rental
from train.plan import PLAN, read_plan
from train.record import RunRecord, open_run
from train.run import find_rented
from train.spec import TrainSpec

_SHOWN = 3


class Account(NamedTuple):
    """RunPod and this workspace's journal of it."""

    api: RunPod
    ledger: Ledger
    workspace: Workspace


@contextmanager
def account(workspace: Workspace) -> Iterator[Account]:
    """RunPod by the environment's key.

    Raises:
        KeyRefusedError: no key.
    """
    workspace.create()
    with open_runpod(Settings()) as api:
        yield Account(api, Ledger(workspace.runpod, api.clock), workspace)


def reaped(one: Account, *, dry_run: bool = False) -> list[Reaped]:
    """End pods of ours that should not be there any more."""
    return reap(one.api, one.ledger, told_at=_told_at(one.workspace), dry_run=dry_run)


def reap_first(workspace: Workspace) -> None:
    """What every command around RunPod does first; says only what it ended or could not."""
    with account(workspace) as one:
        for line in reaped(one):
            if line.verdict in ("ended", "not ended"):
                terminal.note(terminal.safe(f"pod {line.pod} {line.verdict}: {line.why}"))


def _told_at(workspace: Workspace) -> ToldAt:
    token = Settings().hf_token

    def told_at(run: str) -> float | None:
        folder = workspace.runs / run
        if not is_rented(folder):
            return None
        try:
            status = read_status(outside(read_rental(folder), run, token))
        except UserError:
            # not knowing is no reason to end a pod
            return None
        return status.at if status is not None else None

    return told_at


def attach(run: str, workspace: Workspace) -> RunRecord:
    """Follow a run on RunPod, from where it is, to its end.

    Raises:
        SpecError: it is no run on RunPod.
        BusyError: another process follows it.
        KeyboardInterrupt: somebody let go.
    """
    record = open_run(run, workspace)
    read_rental(workspace.runs / record.run_id)
    reap_first(workspace)
    with progress() as on_event:
        plan = read_plan(workspace.runs / record.run_id / PLAN)
        ended = RunpodLauncher(workspace).launch(plan, noted(on_event))
    if ended.state in ("succeeded", "failed"):
        announce(lambda: run_ended(ended, workspace), workspace)
    return ended


def offers(spec: TrainSpec, workspace: Workspace) -> Offers:
    """What RunPod has for a run, best first."""
    with account(workspace) as one:
        return find_rented(spec, workspace, one.api)


def offers_json(found: Offers) -> list[dict[str, Any]]:
    """The best offers, as in ``turnmill plan --launcher runpod --json``."""
    return [
        {
            "gpu": offer.candidate.gpu_id,
            "name": offer.candidate.name,
            "cards": offer.candidate.cards,
            "cloud": offer.candidate.cloud,
            "data_centers": list(offer.candidate.data_centers),
            "stock": offer.candidate.stock,
            "usd_per_hour": offer.candidate.usd_per_hour,
            "hours": offer.candidate.hours,
            "usd": offer.candidate.usd,
            "micro_batch": offer.plan.micro_batch,
            "peak_gib": offer.plan.peak.peak_gib if offer.plan.peak else None,
        }
        for offer in found.offers[:_SHOWN]
    ]


def show_offers(found: Offers) -> None:
    """Print the best offers, and why other cards are none."""
    cells = []
    for one in offers_json(found):
        hours, usd = one["hours"], one["usd"]
        cells.append((
            f"{one['cards']} x {one['name']}" if one["cards"] else one["name"],
            f"${one['usd_per_hour']:.2f}",
            duration(hours * 3600) if hours is not None else "not known",
            f"${usd:.2f}" if usd is not None else "not known",
            one["stock"],
            f"{one['peak_gib']:.1f} GiB" if one["peak_gib"] is not None else "not known",
        ))  # fmt: skip
    headings = ("card", "an hour", "takes", "costs", "stock", "peak")
    terminal.table("Best on RunPod now", headings, cells, right=(1, 2, 3))
    if found.unfit:
        told = "; ".join(f"{name}: {why}" for name, why in list(found.unfit.items())[:6])
        terminal.out.print(terminal.safe(f"Not: {told}"), soft_wrap=True)


def reaped_json(lines: list[Reaped]) -> list[dict[str, Any]]:
    """In the shape of ``turnmill reap --json``."""
    return [line._asdict() for line in lines]


def show_reaped(lines: list[Reaped]) -> None:
    """Print each pod of ours, and what became of it."""
    cells = [(line.pod, line.name, line.status, f"${line.usd_per_hour:.2f}", line.verdict, line.why)
             for line in lines]  # fmt: skip
    headings = ("pod", "name", "status", "an hour", "done", "why")
    terminal.table(f"Pods of turnmill ({len(lines)})", headings, cells, right=(3,))


def costs(one: Account) -> dict[str, Any]:
    """The journal beside RunPod's bills, by pod."""
    now = one.api.clock.now()
    mine = attempts(one.ledger.entries())
    pods = {
        line.pod_id: (slot, line)
        for slot, attempt in mine.items()
        for line in attempt.pods.values()
    }
    first = min((line.since for _, line in pods.values()), default=now)
    bills = one.api.pod_bills(start=first, end=now) if pods else []
    rows = []
    for found in reconciled({pod: line.usd(now) for pod, (_, line) in pods.items()}, bills):
        slot, line = pods[found.pod_id]
        rows.append({
            "run": slot.run, "attempt": slot.attempt, "pod": found.pod_id, "gpu": line.gpu,
            "usd_per_hour": line.usd_per_hour, "usd": round(found.ours_usd, 4),
            "billed_usd": None if found.billed_usd is None else round(found.billed_usd, 4),
            "agrees": found.agrees, "running": line.until is None,
        })  # fmt: skip
    rows.sort(key=lambda row: (str(row["run"]), str(row["attempt"])))
    return {"pods": rows, "usd": round(sum(line.usd(now) for _, line in pods.values()), 4)}


def show_costs(found: dict[str, Any]) -> None:
    """Print what pods cost."""
    cells = [
        (
            row["run"],
            row["attempt"],
            row["pod"],
            row["gpu"],
            f"${row['usd']:.4f}",
            "not yet" if row["billed_usd"] is None else f"${row['billed_usd']:.4f}",
            "runs" if row["running"] else "" if row["agrees"] else "differs",
        )
        for row in found["pods"]
    ]
    headings = ("run", "attempt", "pod", "card", "by our journal", "billed", "")
    terminal.table(f"RunPod: ${found['usd']:.4f} in all", headings, cells, right=(1, 4, 5))


def launcher_of(workspace: Workspace, run: str) -> str:
    """Where a run runs."""
    return "runpod" if is_rented(workspace.runs / run) else "local"
