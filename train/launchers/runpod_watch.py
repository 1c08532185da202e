"""Stays with a pod until it is known how it ended: by its log, RunPod's word and the carrier."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from pydantic import ValidationError

from ingest.errors import UserError
from train.launchers.base import OnEvent
from train.launchers.carriers import Carrier
from train.launchers.pod_files import OVER, Manifest, read_manifest, read_status
from train.launchers.runpod_api import RunPod
from train.launchers.runpod_attempts import PodLine, attempts
from train.launchers.runpod_errors import TooManyError, UnknownOutcomeError, UnreachableError
from train.launchers.runpod_ledger import Ledger, Slot
from train.launchers.runpod_lines import Lines, event_in, image_fault
from train.launchers.runpod_models import Pod
from train.launchers.runpod_place import sweep
from train.record import Failure

How = Literal["delivered", "lost", "stuck", "image", "silent", "deadline"]
# the pod ends itself at its deadline and says so: only then it is our turn
_GRACE_S = 120.0


class Phases(NamedTuple):
    """How long each phase of a pod may take, in seconds.

    Attributes:
        provisioning_s: until a machine is found.
        starting_s: until the image is there and the container runs.
        first_word_s: until the supervisor speaks.
        silence_s: without a sign of life, while it runs.
        poll_s: between looks at RunPod's list.
        carrier_s: between looks at the carrier.
    """

    provisioning_s: float = 600.0
    starting_s: float = 1500.0
    first_word_s: float = 900.0
    silence_s: float = 1800.0
    poll_s: float = 5.0
    carrier_s: float = 60.0


class Ended(NamedTuple):
    """How a pod's work ended.

    Attributes:
        how: it delivered, was lost, never came to run, or was given up.
        message: what is known, one line.
        manifest: what it delivered.
        failure: what it said of itself.
        step: the last optimiser step heard of.
    """

    how: How
    message: str
    manifest: Manifest | None = None
    failure: Failure | None = None
    step: int = 0


@dataclass
class _Heard:
    """What is known of the pod by now, in the clock's seconds."""

    phase: str
    phase_at: float
    sign_at: float
    carrier_at: float
    spoke: bool = False
    over: bool = False
    step: int = 0
    steps: int = 0
    image_fault: str = ""
    told_at: float = 0.0
    failure: Failure | None = None


class Watch:
    """Watches the pod of an attempt.

    Args:
        api: RunPod.
        ledger: the workspace's journal.
        slot: the attempt.
        carrier: where it delivers.
        lines: its log.
        on_event: takes its events, and ours about it.
        phases: how long to wait for what.
    """

    def __init__(
        self,
        api: RunPod,
        ledger: Ledger,
        slot: Slot,
        carrier: Carrier,
        lines: Lines,
        on_event: OnEvent,
        phases: Phases,
    ) -> None:
        self._api, self._ledger, self._slot = api, ledger, slot
        self._carrier, self._lines, self._on_event = carrier, lines, on_event
        self._phases = phases
        now = api.clock.monotonic()
        self._heard = _Heard("", now, now, now)
        self._dead_at: float | None = None

    def until_end(self) -> Ended:
        """Watch until the pod's work ended, one way or another.

        Raises:
            KeyRefusedError: the key no longer works; the pod goes on by its own limits.
            RunPodError: others that waiting does not mend.
        """
        while True:
            pod = self._looked()
            self._listen()
            ended = self._judged(pod)
            if ended is not None:
                return ended
            self._tell_cost()
            self._api.clock.sleep(self._phases.poll_s)

    def _looked(self) -> Pod | Literal["unknown"] | None:
        try:
            pod = sweep(self._api, self._ledger, self._slot)
        except (UnreachableError, TooManyError, UnknownOutcomeError):
            return "unknown"
        phase = pod.status if pod is not None else "gone"
        if phase != self._heard.phase:
            now = self._api.clock.monotonic()
            self._heard.phase, self._heard.phase_at, self._heard.sign_at = phase, now, now
            self._on_event({"event": "pod", "state": phase, "pod": pod.id if pod else None,
                            "attempt": self._slot.attempt})  # fmt: skip
        return pod

    def _listen(self) -> None:
        heard = self._heard
        for line in self._lines.take():
            if image_fault(line):
                heard.image_fault = line.line
            event = event_in(line)
            if event is None:
                continue
            heard.spoke, heard.sign_at = True, self._api.clock.monotonic()
            heard.step = _number(event.get("step"), heard.step)
            heard.steps = _number(event.get("steps"), heard.steps)
            if event["event"] == "pod":
                heard.over = heard.over or event.get("state") in OVER
                heard.failure = _failure(event.get("failure")) or heard.failure
            elif event["event"] != "heartbeat" or "doing" in event:
                self._on_event(event)

    def _judged(self, pod: Pod | Literal["unknown"] | None) -> Ended | None:
        if pod == "unknown":
            return None
        heard, phases = self._heard, self._phases
        now = self._api.clock.monotonic()
        over = pod is None or pod.over
        if over or heard.over or now - heard.carrier_at >= phases.carrier_s:
            heard.carrier_at = now
            delivered = self._delivered(over=over)
            if delivered is not None:
                return delivered
        if over:
            if heard.failure is not None:
                return self._ended("lost", heard.failure.message, None, heard.failure)
            if heard.image_fault and not heard.spoke:
                return self._no_image()
            state = "is gone" if pod is None else f"is {pod.status}"
            return self._ended("lost", f"the pod {state}, and said no last word")
        if self._past(self._dead_by(), now):
            return self._ended("deadline", "the pod is past its time and did not end itself")
        assert pod is not None
        if heard.image_fault and pod.status != "RUNNING":
            return self._no_image()
        return self._too_slow(pod, now)

    def _no_image(self) -> Ended:
        return self._ended("image", f"the image cannot be had: {self._heard.image_fault[:160]}")

    def _too_slow(self, pod: Pod, now: float) -> Ended | None:
        heard, phases = self._heard, self._phases
        waited = now - heard.phase_at
        limit = {"PROVISIONING": phases.provisioning_s, "STARTING": phases.starting_s}
        if pod.status in limit and waited > limit[pod.status]:
            return self._ended("stuck", f"{waited / 60:.0f} min in {pod.status}")
        if pod.status != "RUNNING":
            return None
        silent = now - heard.sign_at
        if silent <= (phases.silence_s if heard.spoke else phases.first_word_s):
            return None
        return self._ended("silent", f"no sign of life for {silent / 60:.0f} min")

    def _delivered(self, *, over: bool) -> Ended | None:
        """What the carrier knows; a carrier that does not answer knows nothing yet."""
        try:
            manifest = read_manifest(self._carrier, self._slot.attempt)
            status = read_status(self._carrier)
        except UserError as error:
            self._on_event({"event": "carrier", "message": error.message})
            if over:
                # nothing runs there any more: there is time to ask again
                self._heard.over = True
                return self._asked_again(error)
            return None
        if manifest is not None:
            message = manifest.failure.message if manifest.failure else manifest.state
            return self._ended("delivered", message, manifest, manifest.failure)
        heard = self._heard
        if status is None or status.attempt != self._slot.attempt:
            return None
        if status.at != heard.told_at:
            # changed since we looked: its clock need not be ours
            heard.told_at = status.at
            heard.spoke, heard.sign_at = True, self._api.clock.monotonic()
            heard.step = max(heard.step, status.step or 0)
        heard.failure = status.failure or heard.failure
        return None

    def _asked_again(self, error: UserError) -> Ended | None:
        waited = self._api.clock.monotonic() - self._heard.phase_at
        if waited < self._phases.silence_s:
            self._heard.carrier_at = self._api.clock.monotonic()
            self._api.clock.sleep(self._phases.carrier_s)
            return self._delivered(over=True)
        raise error

    def _ended(
        self,
        how: How,
        message: str,
        manifest: Manifest | None = None,
        failure: Failure | None = None,
    ) -> Ended:
        return Ended(how, message, manifest, failure, self._heard.step)

    def _line(self) -> PodLine | None:
        attempt = attempts(self._ledger.entries(self._slot.run)).get(self._slot)
        return attempt.pod if attempt else None

    def _dead_by(self) -> datetime | None:
        line = self._line()
        return line.dead_by if line else None

    def _past(self, moment: datetime | None, now: float) -> bool:
        if moment is None:
            return False
        if self._dead_at is None:
            # kept on the clock that only grows: a jump of the time of day ends no pod
            self._dead_at = now + (moment - self._api.clock.now()).total_seconds()
        return now > self._dead_at + _GRACE_S

    def _tell_cost(self) -> None:
        line, now = self._line(), self._api.clock.now()
        if line is None:
            return
        mine = attempts(self._ledger.entries(self._slot.run))
        spent = sum(one.usd(now) for slot, one in mine.items() if slot.run == self._slot.run)
        self._on_event({"event": "cost", "usd": spent, "usd_per_hour": line.usd_per_hour})


def _failure(value: Any) -> Failure | None:
    try:
        return Failure.model_validate(value)
    except ValidationError:
        return None


def _number(value: Any, before: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else before
