"""What the journal says about each attempt of a run: its pods, what they cost, what is open."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from train.launchers.runpod_ledger import Entry, Slot
from train.launchers.runpod_money import cost_usd

State = Literal["intent", "refused", "unknown", "absent", "placed", "stopped", "ended"]


@dataclass(frozen=True)
class PodLine:
    """One pod, as the journal knows it.

    Attributes:
        pod_id: RunPod's.
        usd_per_hour: what it costs while it runs.
        since: from when on it is billed.
        until: from when on its machine is not; None while it is.
        gone: whether it is ended for good.
        ending: whether its end was asked for.
        extra: whether it is not the attempt's pod, but one too many.
        gpu: its type, as asked for.
        dead_by: when it must be gone.
        verified: whether its artefacts are whole at their destination.
    """

    pod_id: str
    usd_per_hour: float
    since: datetime
    until: datetime | None = None
    gone: bool = False
    ending: bool = False
    extra: bool = False
    gpu: str | None = None
    dead_by: datetime | None = None
    verified: bool = False

    def usd(self, now: datetime) -> float:
        """What its machine cost until now."""
        return cost_usd(self.usd_per_hour, ((self.until or now) - self.since).total_seconds())


@dataclass(frozen=True)
class Attempt:
    """One attempt of a run.

    Attributes:
        slot: run and number.
        state: of its last call, or of its pod.
        pods: by id, in the order in which they became known.
        first: when it began.
        list_usd_per_hour: the list's price of what was asked for last.
    """

    slot: Slot
    state: State
    first: datetime
    list_usd_per_hour: float = 0.0
    pods: dict[str, PodLine] = field(default_factory=dict)

    @property
    def pod(self) -> PodLine | None:
        """The attempt's own pod, if it is not gone."""
        return next((pod for pod in self.pods.values() if not (pod.extra or pod.gone)), None)

    @property
    def open(self) -> bool:
        """Whether it may have a pod that is not gone, known or not."""
        unsure = self.state in ("intent", "unknown")
        return unsure or any(not pod.gone for pod in self.pods.values())

    def usd(self, now: datetime) -> float:
        """What its pods cost until now."""
        return sum(pod.usd(now) for pod in self.pods.values())


def attempts(entries: Iterable[Entry]) -> dict[Slot, Attempt]:
    """The attempts in a journal, in the order in which they began."""
    found: dict[Slot, Attempt] = {}
    for entry in entries:
        slot = Slot(entry.run, entry.attempt)
        attempt = found.get(slot) or Attempt(slot, "intent", entry.at)
        found[slot] = _after(attempt, entry)
    return found


def next_slot(entries: Iterable[Entry], run: str) -> Slot:
    """The attempt to make now: the last one while it is open, else a new one."""
    mine = [attempt for slot, attempt in attempts(entries).items() if slot.run == run]
    if mine and mine[-1].open:
        return mine[-1].slot
    return Slot(run, len(mine) + 1)


def spent_usd(entries: Iterable[Entry], run: str, now: datetime) -> float:
    """What all attempts of a run cost until now, in US dollars."""
    return sum(one.usd(now) for slot, one in attempts(entries).items() if slot.run == run)


def _after(attempt: Attempt, entry: Entry) -> Attempt:
    pods = dict(attempt.pods)
    state, price = attempt.state, attempt.list_usd_per_hour
    if entry.kind == "intent":
        price = entry.usd_per_hour or price
    if entry.pod_id is not None:
        # a pod that was over when it was found says that it costs nothing; it did
        new = PodLine(entry.pod_id, price, entry.since or entry.at, gpu=entry.gpu)
        pods[entry.pod_id] = _pod(pods.get(entry.pod_id, new), entry)
    alive = any(not (pod.gone or pod.extra) for pod in pods.values())
    if entry.kind in ("intent", "refused", "unknown", "absent", "placed", "stopped"):
        state = entry.kind
    elif entry.kind == "ended" and not alive and state in ("placed", "stopped"):
        state = "ended"
    return replace(attempt, state=state, pods=pods, list_usd_per_hour=price)


def _pod(pod: PodLine, entry: Entry) -> PodLine:
    match entry.kind:
        case "placed":
            return replace(
                pod,
                usd_per_hour=entry.usd_per_hour or pod.usd_per_hour,
                extra=False,
                until=None,
                gpu=entry.gpu or pod.gpu,
                dead_by=entry.dead_by or pod.dead_by,
            )
        case "extra":
            return replace(pod, extra=True, usd_per_hour=entry.usd_per_hour or pod.usd_per_hour)
        case "ending":
            return replace(pod, ending=True)
        case "ended":
            return replace(pod, gone=True, until=pod.until or entry.at)
        case "stopped":
            return replace(pod, until=pod.until or entry.at)
        case "verified":
            return replace(pod, verified=True)
        case _:
            return pod
