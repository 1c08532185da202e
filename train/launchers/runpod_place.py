"""One pod for an attempt, and only one: asked for after the journal knows, looked for after doubt.

RunPod has no idempotency key, so that a lost reply leaves a pod that nobody knows. Every pod
carries marks of ours; after any doubt the account's pods are looked through for them, one is taken
for the attempt's, and all others are ended.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from train.launchers.runpod_api import RunPod
from train.launchers.runpod_attempts import Attempt, attempts
from train.launchers.runpod_choose import Candidate
from train.launchers.runpod_errors import (
    ConflictError,
    ContractError,
    GoneError,
    NotAllowedError,
    RefusedError,
    RunPodError,
    UnknownOutcomeError,
    UnreachableError,
)
from train.launchers.runpod_ledger import Lease, Ledger, Slot
from train.launchers.runpod_models import MARK, Pod, PodRequest

RUN, ATTEMPT, WORKSPACE = f"{MARK}RUN", f"{MARK}ATTEMPT", f"{MARK}WORKSPACE"
DEAD_BY = f"{MARK}DEAD_BY"
_DEARER = 1.001

RequestFor = Callable[[Candidate, Mapping[str, str]], PodRequest]
"""The pod to ask for, of a candidate and the marks that must be among its variables."""


class NoMachineError(RunPodError):
    """Every candidate was refused."""


class Doubt(NamedTuple):
    """How long to look for a pod that may have come to be.

    Attributes:
        looks: at the list of pods.
        pause_s: before each look but the first.
        creates: how often one candidate is asked for, where each time nobody knows.
    """

    looks: int = 4
    pause_s: float = 5.0
    creates: int = 3


def marks(ledger: Ledger, slot: Slot, dead_by: datetime | None = None) -> dict[str, str]:
    """The variables by which a pod of an attempt is known; no secrets.

    Args:
        ledger: of the workspace.
        slot: the attempt.
        dead_by: when the pod must be gone, told in seconds since 1970.
    """
    known = {RUN: slot.run, ATTEMPT: str(slot.attempt), WORKSPACE: ledger.workspace_id}
    return known | ({DEAD_BY: str(int(dead_by.timestamp()))} if dead_by else {})


def slot_of(pod: Pod, workspace_id: str) -> Slot | None:
    """The attempt of this workspace that a pod belongs to, whatever it is called now; else None."""
    if pod.marks.get(WORKSPACE) != workspace_id or not pod.marks.get(ATTEMPT, "").isdecimal():
        return None
    return Slot(pod.marks.get(RUN, ""), int(pod.marks[ATTEMPT]))


def place(
    api: RunPod,
    ledger: Ledger,
    lease: Lease,
    slot: Slot,
    candidates: Sequence[Candidate],
    request_for: RequestFor,
    *,
    max_usd_per_hour: float,
    dead_by: datetime | None = None,
    doubt: Doubt = Doubt(),  # noqa: B008
) -> Pod:
    """The pod of an attempt: the one that there is, or a new one of the first candidate that gives.

    Args:
        api: RunPod.
        ledger: the workspace's journal.
        lease: of the run.
        slot: the attempt.
        candidates: best first.
        request_for: makes the request; its name is set here.
        max_usd_per_hour: a pod that costs more is ended at once.
        dead_by: when the pod must be gone; for the journal.
        doubt: how long to look after a lost reply.

    Returns:
        A pod that is being made or runs; one that was there already may also be stopped.

    Raises:
        NoMachineError: every candidate was refused.
        UnknownOutcomeError: a pod may have come to be and RunPod does not say; the same call
            later looks first.
        RunPodError: nothing came to be.
    """
    assert lease.valid
    assert lease.run == slot.run
    found = sweep(api, ledger, slot)
    if found is not None and _affordable(api, ledger, slot, found, max_usd_per_hour):
        return found
    refusals: list[str] = []
    last: RunPodError | None = None
    for candidate in candidates:
        pod = None
        try:
            pod = _placed(api, ledger, slot, candidate, request_for, dead_by, doubt)
        except (RefusedError, NotAllowedError) as error:
            last = error
        if pod is None:
            refusals.append(f"{candidate.name}: {last.message if last else ''}")
            continue
        if _affordable(api, ledger, slot, pod, max_usd_per_hour):
            return _alone(api, ledger, slot, pod)
        refusals.append(f"{candidate.name}: costs ${pod.cost:.2f} an hour")
    only_rules = isinstance(last, RefusedError)
    raise NoMachineError(
        f"{slot.run}: no pod to be had; {'; '.join(refusals) or 'there is no candidate'}",
        "all machines may be taken: try later, or allow more cards or data centres"
        + ("; or the request breaks a rule of RunPod's" if only_rules else ""),
    )


def _affordable(api: RunPod, ledger: Ledger, slot: Slot, pod: Pod, max_usd_per_hour: float) -> bool:
    """Whether a pod may stay; one that costs more than allowed is ended."""
    if pod.cost <= max_usd_per_hour * _DEARER:
        return True
    end_pod(api, ledger, slot, pod.id, f"costs ${pod.cost:.2f} an hour")
    return False


def _alone(api: RunPod, ledger: Ledger, slot: Slot, pod: Pod) -> Pod:
    """The pod, with those ended that lost replies may have left."""
    try:
        return sweep(api, ledger, slot) or pod
    except RunPodError:
        # it is there and written down; who watches it sweeps again
        return pod


def _placed(
    api: RunPod,
    ledger: Ledger,
    slot: Slot,
    candidate: Candidate,
    request_for: RequestFor,
    dead_by: datetime | None,
    doubt: Doubt,
) -> Pod:
    """A pod of one candidate, asked for again only when it was looked for in vain."""
    own = marks(ledger, slot, dead_by)
    made = request_for(candidate, own)
    request = made.model_copy(update={"name": slot.name, "env": {**made.env, **own}})
    facts = {"gpu": candidate.gpu_id, "count": candidate.cards, "cloud": candidate.cloud}
    for number in range(1, doubt.creates + 1):
        ledger.write("intent", slot, **facts, usd_per_hour=candidate.usd_per_hour, dead_by=dead_by)
        try:
            pod = api.create_pod(request)
        except UnknownOutcomeError as error:
            unknown = error
        except (RunPodError, ContractError) as error:
            ledger.write("refused", slot, **facts, reason=str(error))
            raise
        else:
            _note(ledger, slot, pod, adopted=False, dead_by=dead_by)
            return pod
        ledger.write("unknown", slot, **facts, reason=unknown.message)
        found = _looked_for(api, ledger, slot, doubt)
        if found is not None:
            return found
        ledger.write("absent", slot, reason=f"not among the pods in {doubt.looks} looks")
        if number == doubt.creates:
            raise unknown
    raise AssertionError("unreachable")


def _looked_for(api: RunPod, ledger: Ledger, slot: Slot, doubt: Doubt) -> Pod | None:
    for number in range(doubt.looks):
        if number:
            api.clock.sleep(doubt.pause_s)
        try:
            found = sweep(api, ledger, slot)
        except UnreachableError as error:
            silent = error
        else:
            if found is not None:
                return found
            continue
        raise UnknownOutcomeError(
            f"{slot.name}: this pod may have come to be, and RunPod does not list what there is"
            f" ({silent.message})",
            "give the same command again: it looks first and goes on with the pod",
        )
    return None


def sweep(api: RunPod, ledger: Ledger, slot: Slot) -> Pod | None:
    """Look through the account for an attempt's pods, and leave one.

    Of those that are alive the one that the journal calls the attempt's is kept, else the oldest.
    What the journal has and RunPod has no longer is noted.

    Args:
        api: RunPod.
        ledger: the workspace's journal.
        slot: the attempt.

    Returns:
        The attempt's pod, if it has one that is not gone; it may be stopped.

    Raises:
        RunPodError: the list cannot be had; nothing was changed. Or a pod too many lives on.
    """
    workspace = ledger.workspace_id
    known = attempts(ledger.entries(slot.run)).get(slot)
    pods = [
        pod
        for pod in api.pods()
        if pod.cluster is None
        and pod.status != "TERMINATED"
        and (slot_of(pod, workspace) == slot or (known is not None and pod.id in known.pods))
    ]
    kept = _kept(pods, known)
    for pod in pods:
        if pod is not kept:
            _end_extra(api, ledger, slot, pod)
    if kept is None and known is not None and known.pod is not None:
        # a list may lag behind: asked by its id before it is taken for gone
        kept = _asked(api, known.pod.pod_id)
    _note_gone(api, ledger, slot, known, {pod.id for pod in pods} | ({kept.id} if kept else set()))
    if kept is not None and (known is None or known.pod is None or known.pod.pod_id != kept.id):
        _note(ledger, slot, kept, adopted=True)
    return kept


def end_pod(api: RunPod, ledger: Ledger, slot: Slot, pod_id: str, why: str) -> None:
    """End a pod for good, with the journal knowing before and after.

    Raises:
        UnknownOutcomeError: it may still live; the same call later ends it.
        RunPodError: it lives.
    """
    ledger.write("ending", slot, pod_id=pod_id, reason=why)
    api.terminate(pod_id)
    ledger.write("ended", slot, pod_id=pod_id, reason=why)


def stop_pod(api: RunPod, ledger: Ledger, slot: Slot, pod_id: str, why: str) -> None:
    """Release a pod's machine and keep its disk, which goes on costing money.

    Raises:
        GoneError: it is gone already.
        RunPodError: it runs, or may run.
    """
    try:
        api.act(pod_id, "stop")
    except (ConflictError, UnknownOutcomeError) as error:
        refused = error
    else:
        ledger.write("stopped", slot, pod_id=pod_id, reason=why)
        return
    if api.pod(pod_id).status != "EXITED":
        raise refused
    ledger.write("stopped", slot, pod_id=pod_id, reason=why)


def _kept(pods: Sequence[Pod], known: Attempt | None) -> Pod | None:
    own = known.pod.pod_id if known is not None and known.pod is not None else None
    extra = (
        {one.pod_id for one in known.pods.values() if one.extra or one.ending} if known else set()
    )
    alive = [pod for pod in pods if not pod.over and pod.id not in extra]
    alive.sort(
        key=lambda pod: (pod.id != own, pod.created_at.timestamp() if pod.created_at else 0, pod.id)
    )
    stopped = [pod for pod in pods if pod.over and pod.id == own and pod.id not in extra]
    return (alive + stopped)[0] if alive + stopped else None


def _end_extra(api: RunPod, ledger: Ledger, slot: Slot, pod: Pod) -> None:
    ledger.write(
        "extra", slot, pod_id=pod.id, usd_per_hour=pod.cost or None, since=pod.created_at,
        data_center=pod.data_center_id, reason=f"one too many, {pod.status}",
    )  # fmt: skip
    end_pod(api, ledger, slot, pod.id, "one too many")


def _asked(api: RunPod, pod_id: str) -> Pod | None:
    try:
        pod = api.pod(pod_id)
    except GoneError:
        return None
    return None if pod.status == "TERMINATED" else pod


def _note_gone(
    api: RunPod, ledger: Ledger, slot: Slot, known: Attempt | None, there: set[str]
) -> None:
    for line in known.pods.values() if known is not None else ():
        if not line.gone and line.pod_id not in there:
            pod = _asked(api, line.pod_id)
            if pod is None:
                ledger.write("ended", slot, pod_id=line.pod_id, reason="gone, not by this process")
            elif line.extra or line.ending:
                end_pod(api, ledger, slot, line.pod_id, "its end was not confirmed")


def _note(
    ledger: Ledger, slot: Slot, pod: Pod, *, adopted: bool, dead_by: datetime | None = None
) -> None:
    ledger.write(
        "placed", slot, pod_id=pod.id, gpu=pod.gpu.id if pod.gpu else None,
        count=pod.gpu.count if pod.gpu else None, cloud=pod.cloud, usd_per_hour=pod.cost or None,
        data_center=pod.data_center_id, since=pod.created_at, adopted=adopted, dead_by=dead_by,
    )  # fmt: skip
