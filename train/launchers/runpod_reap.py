"""Ends pods of ours that nobody looks after and that should have ended themselves.

Only pods with this workspace's marks are ever ended. A pod without a watcher is no zombie: a closed
laptop has none. It is one when its attempt is over, its time is past, or its supervisor has fallen
silent.
"""

from collections.abc import Callable, Mapping, Set
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from train.launchers.runpod_api import RunPod
from train.launchers.runpod_attempts import Attempt, attempts
from train.launchers.runpod_errors import RunPodError
from train.launchers.runpod_ledger import Ledger, Slot
from train.launchers.runpod_models import MARK, Pod
from train.launchers.runpod_place import DEAD_BY, end_pod, slot_of, sweep

# a pod that tells nothing for so long is taken for dead; larger than any stall it ends itself for
SILENCE_S = 2 * 3600.0

Verdict = Literal["ended", "to end", "kept", "not ended", "not ours"]
ToldAt = Callable[[str], float | None]
"""When a run's pod last told the carrier how it stands, in seconds since 1970; None: unknown."""


class Reaped(NamedTuple):
    """A pod and what was done about it.

    Attributes:
        pod: RunPod's id.
        name: as it is called now.
        run: whose it is; empty for pods that are not ours.
        attempt: of the run; 0 for pods that are not ours.
        status: RunPod's word.
        usd_per_hour: what it costs now.
        verdict: what was done.
        why: one line.
    """

    pod: str
    name: str
    run: str
    attempt: int
    status: str
    usd_per_hour: float
    verdict: Verdict
    why: str


def reap(
    api: RunPod, ledger: Ledger, *, told_at: ToldAt = lambda _: None, dry_run: bool = False
) -> list[Reaped]:
    """Look at every pod with our marks, and end those that should not be there any more.

    Args:
        api: RunPod.
        ledger: the workspace's journal.
        told_at: when a run's pod last told how it stands.
        dry_run: whether to end nothing.

    Returns:
        All pods that carry marks of ours, those of other workspaces only past their time.

    Raises:
        RunPodError: the list cannot be had.
    """
    workspace, known = ledger.workspace_id, attempts(ledger.entries())
    now = api.clock.now()
    found = []
    pods = sorted(api.pods(), key=lambda one: one.id)
    for pod in pods:
        slot = slot_of(pod, workspace)
        if slot is None:
            if pod.status != "TERMINATED" and _foreign_zombie(pod, now):
                found.append(_line(pod, Slot("", 0), "not ours", "past its time, of another home"))
            continue
        if pod.status == "TERMINATED":
            continue
        why, end = _judged(pod, slot, known.get(slot), ledger, now, told_at)
        found.append(_done(api, ledger, pod, slot, why, end=end, dry_run=dry_run))
    if not dry_run:
        _note_gone(api, ledger, known, {pod.id for pod in pods})
    return found


def _note_gone(api: RunPod, ledger: Ledger, known: Mapping[Slot, Attempt], there: Set[str]) -> None:
    """Close attempts whose pods went while nobody looked, else they would cost more and more."""
    for slot, attempt in known.items():
        missing = [line for line in attempt.pods.values() if not line.gone]
        if any(line.pod_id not in there for line in missing) and not ledger.leased(slot.run):
            sweep(api, ledger, slot)


def _done(
    api: RunPod, ledger: Ledger, pod: Pod, slot: Slot, why: str, *, end: bool, dry_run: bool
) -> Reaped:
    if not end:
        return _line(pod, slot, "kept", why)
    if dry_run:
        return _line(pod, slot, "to end", why)
    try:
        end_pod(api, ledger, slot, pod.id, f"reaped: {why}")
    except RunPodError as error:
        return _line(pod, slot, "not ended", f"{why}; {error.message}")
    return _line(pod, slot, "ended", why)


def _judged(
    pod: Pod,
    slot: Slot,
    attempt: Attempt | None,
    ledger: Ledger,
    now: datetime,
    told_at: ToldAt,
) -> tuple[str, bool]:
    """Why a pod of ours stays or goes, and whether it goes."""
    if pod.cluster is not None:
        return "belongs to a cluster, which only RunPod's console ends", False
    # who watches it sees more than we do; his own sweep ends what is too many
    if ledger.leased(slot.run):
        return "a process looks after its run", False
    if _kept(pod, attempt):
        return "stopped and kept on request; its disk costs money", False
    dead_by = _dead_by(pod, attempt)
    if dead_by is not None and now > dead_by:
        return f"should have ended by {dead_by:%Y-%m-%d %H:%M} UTC", True
    zombie = _unwanted(pod, attempt)
    if zombie is not None:
        return zombie, True
    if pod.over:
        return f"{pod.status}; turnmill attach looks what it left", False
    told = told_at(slot.run)
    if told is not None and now.timestamp() - told > SILENCE_S:
        return f"has told nothing for {(now.timestamp() - told) / 3600:.1f} h", True
    until = f" until {dead_by:%Y-%m-%d %H:%M} UTC at most" if dead_by else ""
    return f"goes on by itself{until}; turnmill attach {slot.run}", False


def _unwanted(pod: Pod, attempt: Attempt | None) -> str | None:
    """Why the journal does not want a pod; None where it does, or does not know its attempt."""
    if attempt is None:
        return None
    line = attempt.pods.get(pod.id)
    if line is not None and (line.extra or line.ending or line.gone):
        return "its end was asked for and not confirmed"
    if line is not None and line.verified and not pod.over:
        return "its files are verified and elsewhere"
    if not attempt.open:
        return "its attempt is over"
    if attempt.pod is not None and attempt.pod.pod_id != pod.id:
        return "its attempt has another pod"
    return None


def _kept(pod: Pod, attempt: Attempt | None) -> bool:
    """Whether the journal has a pod as stopped with all its files verified."""
    line = attempt.pods.get(pod.id) if attempt is not None else None
    stopped = line is not None and line.until is not None and not (line.gone or line.ending)
    return pod.over and stopped and line is not None and line.verified


def _dead_by(pod: Pod, attempt: Attempt | None) -> datetime | None:
    line = attempt.pods.get(pod.id) if attempt is not None else None
    if line is not None and line.dead_by is not None:
        return line.dead_by
    told = pod.marks.get(DEAD_BY, "")
    return datetime.fromtimestamp(int(told), UTC) if told.isdecimal() and len(told) < 12 else None


def _foreign_zombie(pod: Pod, now: datetime) -> bool:
    ours = any(name.startswith(MARK) for name in pod.marks)
    dead_by = _dead_by(pod, None)
    return ours and dead_by is not None and now > dead_by


def _line(pod: Pod, slot: Slot, verdict: Verdict, why: str) -> Reaped:
    return Reaped(pod.id, pod.name, slot.run, slot.attempt, pod.status, pod.cost, verdict, why)
