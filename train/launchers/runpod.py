"""Trains on a rented machine: ships, places one pod, watches, verifies, ends; recovers in bounds.

The loop survives its process: all it knows is in the journal and on the carrier, and the same call
later goes on where it was. What each part promises is in docs/design/runpod.md.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from ingest.errors import UserError
from ingest.files import sha256_file
from ingest.settings import Settings
from ingest.workspace import Workspace
from train.launchers.base import OnEvent
from train.launchers.carriers import Carrier
from train.launchers.pod_bundle import make_bundle
from train.launchers.pod_files import BUNDLE, fetch, read_manifest
from train.launchers.pod_start import CarrierSetting, Limits, pod_args, pod_environment
from train.launchers.runpod_api import RunPod, open_runpod
from train.launchers.runpod_attempts import attempts, next_slot
from train.launchers.runpod_books import Books
from train.launchers.runpod_choose import Candidate, NoCardError
from train.launchers.runpod_errors import NoBalanceError, RunPodError
from train.launchers.runpod_ledger import Lease, Ledger, Slot
from train.launchers.runpod_lines import Listen, StreamedLines
from train.launchers.runpod_models import (
    CpuRequest,
    GpuRequest,
    Mounts,
    Pod,
    PodRequest,
    VolumeMount,
)
from train.launchers.runpod_offer import candidates_now
from train.launchers.runpod_place import NoMachineError, place, sweep
from train.launchers.runpod_recover import BUDGET, NO_MACHINE, UNVERIFIED, action_after, failure_of
from train.launchers.runpod_rental import VOLUME_PATH, inside, outside, read_rental
from train.launchers.runpod_watch import Ended, Phases, Watch
from train.plan import TrainPlan
from train.record import Failure, RunRecord, read_record
from train.spec import RunpodSpec

# less is not worth a machine: it would be spent on starting
_LEAST_S = 300.0
_SLOW_CLOCK_S = 600.0


class RunpodLauncher:
    """Runs the plan on RunPod.

    Args:
        workspace: holds the journal.
        api: RunPod; left out: by the environment's key.
        carrier: left out: as the run's ``runpod.json`` says.
        phases: how long to wait for what.
        listen: how a pod's log is followed.
        settings: the environment.
        install: whether pods may install what their image lacks.
    """

    name = "runpod"

    def __init__(
        self,
        workspace: Workspace,
        *,
        api: RunPod | None = None,
        carrier: Carrier | None = None,
        phases: Phases = Phases(),  # noqa: B008
        listen: Listen = StreamedLines,
        settings: Settings | None = None,
        install: bool = True,
    ) -> None:
        self._workspace, self._api, self._carrier = workspace, api, carrier
        self._phases, self._listen, self._install = phases, listen, install
        self._settings = settings or Settings()

    def launch(self, plan: TrainPlan, on_event: OnEvent) -> RunRecord:
        """See :class:`train.launchers.base.Launcher`; the same call goes on with what there is.

        Raises:
            BusyError: another process looks after this run.
            KeyRefusedError: the key is wrong; a pod that runs ends itself in time.
            KeyboardInterrupt: somebody let go; the pod goes on.
            RunPodError: RunPod does not say what is; a later call looks.
        """
        settings = read_rental(plan.run_dir)
        carrier = self._carrier or outside(settings, plan.run_id, self._settings.hf_token)
        api = self._api or open_runpod(self._settings)
        ledger = Ledger(self._workspace.runpod, api.clock)
        try:
            with ledger.lease(plan.run_id) as lease:
                record = read_record(plan.run_dir)
                if record.state == "succeeded":
                    return record
                tools = _Tools(api, ledger, lease, carrier, settings, plan, on_event)
                return _Rented(tools, self._phases, self._listen, install=self._install).done()
        except KeyboardInterrupt:
            on_event({"event": "detached", "run": plan.run_id})
            # whoever catches it need not say how to go on
            raise KeyboardInterrupt(plan.run_id) from None
        finally:
            if self._api is None:
                api.close()


class _Tools(NamedTuple):
    """What one launch works with."""

    api: RunPod
    ledger: Ledger
    lease: Lease
    carrier: Carrier
    settings: RunpodSpec
    plan: TrainPlan
    on_event: OnEvent


class _Rented:
    """One launch of one run: pods one after another, until it is done or not to be had."""

    def __init__(self, tools: _Tools, phases: Phases, listen: Listen, *, install: bool) -> None:
        self._api, self._ledger, self._lease = tools.api, tools.ledger, tools.lease
        self._carrier, self._settings, self._plan = tools.carrier, tools.settings, tools.plan
        self._on_event = tools.on_event
        self._books = Books(
            tools.api, tools.ledger, tools.carrier, tools.settings, tools.plan, tools.on_event
        )
        self._phases, self._listen, self._install = phases, listen, install
        self._run = tools.plan.run_id
        self._last: set[str] = set()
        self._above_gib = 0.0
        self._disk_gb = tools.settings.disk_gb
        self._seen: Counter[str] = Counter()
        self._bundle = ""

    def done(self) -> RunRecord:
        """The record at the end."""
        for number in range(1, self._settings.attempts + 1):
            slot = next_slot(self._ledger.entries(), self._run)
            record = self._delivered_before(slot)
            if record is not None:
                return record
            try:
                pod = self._pod(slot)
            except (NoCardError, NoMachineError, NoBalanceError) as error:
                kind = BUDGET if isinstance(error, NoBalanceError) else NO_MACHINE
                told = Failure(kind=kind, message=error.message, advice=error.hint)
                return self._books.failed(told)
            if pod is None:
                return self._books.failed(self._books.budget())
            self._books.entered_running(pod, slot)
            ended = self._watched(slot, pod)
            settled = self._settled(slot, ended, last=number == self._settings.attempts)
            if settled is not None:
                return settled
        raise AssertionError("the last attempt settles")

    # -- one pod -----------------------------------------------------------------------------------

    def _pod(self, slot: Slot) -> Pod | None:
        """The attempt's pod, found or new; None where the money does not reach for one.

        Raises:
            NoCardError: no card fits.
            NoMachineError: none is free.
        """
        limit = self._settings.max_usd_per_hour
        if attempts(self._ledger.entries(self._run)).get(slot) is not None:
            found = sweep(self._api, self._ledger, slot)
            if found is not None:
                # with the pod there is, place only checks its price
                return place(self._api, self._ledger, self._lease, slot, [], _never,
                             max_usd_per_hour=limit)  # fmt: skip
        candidates = candidates_now(
            self._api, self._settings, self._plan, last=self._last, above_gib=self._above_gib
        )
        refusals: list[str] = []
        poor = False
        for candidate in candidates:
            allowed = self._books.allowed_s(candidate.usd_per_hour)
            if allowed < _LEAST_S:
                poor = True
                continue
            try:
                return self._placed(slot, candidate, allowed)
            except NoMachineError as error:
                refusals.append(error.message)
        if poor and not refusals:
            return None
        raise NoMachineError(
            "; ".join(refusals), "all machines may be taken: try later, or allow more cards"
        )

    def _placed(self, slot: Slot, candidate: Candidate, allowed: float) -> Pod:
        dead_by = self._api.clock.now() + timedelta(seconds=allowed)
        self._ship()
        self._on_event({"event": "asking", "card": candidate.name, "attempt": slot.attempt,
                        "usd_per_hour": candidate.usd_per_hour})  # fmt: skip

        def request_for(one: Candidate, marks: Mapping[str, str]) -> PodRequest:
            return self._request(slot, one, marks, dead_by, allowed)

        pod = place(
            self._api,
            self._ledger,
            self._lease,
            slot,
            [candidate],
            request_for,
            max_usd_per_hour=self._settings.max_usd_per_hour,
            dead_by=dead_by,
        )
        self._check_clock(slot, pod)
        return pod

    def _check_clock(self, slot: Slot, pod: Pod) -> None:
        """A clock that is slow here ends pods before their time: the deadline is told by it."""
        if pod.created_at is None:
            return
        behind_s = (pod.created_at - self._api.clock.now()).total_seconds()
        if behind_s <= _SLOW_CLOCK_S:
            return
        self._books.end(slot, "this machine's clock is slow")
        raise RunPodError(
            f"this machine's clock is {behind_s / 60:.0f} min behind RunPod's: its pods would end"
            " themselves too early",
            "set the clock, then give the same command again",
        )

    def _request(
        self,
        slot: Slot,
        one: Candidate,
        marks: Mapping[str, str],
        dead_by: datetime,
        allowed: float,
    ) -> PodRequest:
        settings = self._settings
        env = pod_environment(
            self._plan,
            slot.attempt,
            Limits(max_s=allowed, dead_by=dead_by, usd_per_hour=one.usd_per_hour),
            CarrierSetting(
                inside(settings, self._run),
                self._bundle,
                settings.hub_secret if settings.hub else None,
            ),
            end="stop" if settings.keep == "stopped" else "terminate",
            install=self._install,
        )
        on_card = settings.cpu is None
        mount = (
            VolumeMount(volume_id=settings.volume, path=VOLUME_PATH) if settings.volume else None
        )
        return PodRequest(
            name=slot.name,
            image=settings.image,
            gpu=GpuRequest(id=one.gpu_id, count=one.cards) if on_card else None,
            cpu=None if on_card else CpuRequest(id=one.gpu_id, vcpu_count=settings.vcpus),
            cloud=one.cloud,
            data_center_ids=list(one.data_centers),
            disk=self._disk_gb,
            mounts=Mounts(network=[mount]) if mount else None,
            env={**env, **marks},
            args=pod_args(settings.python),
        )

    def _ship(self) -> None:
        """Put the run's archive on the carrier, once a launch."""
        if self._bundle:
            return
        self._on_event({"event": "shipping"})
        with TemporaryDirectory(prefix="turnmill-") as folder:
            bundle = make_bundle(self._plan, Path(folder) / BUNDLE)
            digest = sha256_file(bundle)
            self._carrier.put(bundle, BUNDLE)
        self._bundle = digest

    def _watched(self, slot: Slot, pod: Pod) -> Ended:
        """Stay with a pod until its work ended."""
        lines = self._listen(self._api, pod.id)
        watch = Watch(
            self._api, self._ledger, slot, self._carrier, lines, self._on_event, self._phases
        )
        try:
            return watch.until_end()
        finally:
            lines.close()

    # -- what became of it -------------------------------------------------------------------------

    def _delivered_before(self, slot: Slot) -> RunRecord | None:
        """The record of a run whose pod had delivered before this launch; else None."""
        for attempt in range(slot.attempt, 0, -1):
            manifest = read_manifest(self._carrier, attempt)
            if manifest is not None and manifest.state == "succeeded":
                earlier = Slot(self._run, attempt)
                if self._books.verified(earlier, manifest):
                    return self._books.succeeded(earlier, manifest, self._disk_gb)
        return None

    def _settled(self, slot: Slot, ended: Ended, *, last: bool) -> RunRecord | None:
        """The record where the run is over; None where another pod goes on."""
        manifest = ended.manifest
        if manifest is not None and manifest.state == "succeeded":
            if self._books.verified(slot, manifest):
                return self._books.succeeded(slot, manifest, self._disk_gb)
            ended = Ended("lost", "its files are not whole where it put them", failure=Failure(
                kind=UNVERIFIED, message="its files are not whole where it put them",
                advice="the pod was kept as long as the limits allow"))  # fmt: skip
        elif manifest is not None:
            try:
                fetch(self._carrier, manifest, self._plan.run_dir)
            except UserError as error:
                # of a pod that failed: what it says of itself is known without its files
                self._on_event({"event": "carrier", "message": error.message})
        self._books.end(slot, f"{ended.how}: {ended.message}"[:200])
        kind = ended.failure.kind if ended.failure else ended.how
        action = action_after(ended, self._seen[kind])
        self._seen[kind] += 1
        again = action.again and not last
        self._on_event({"event": "attempt_ended", "attempt": slot.attempt, "again": again,
                        "class": kind, "message": ended.message, "action": action.why})  # fmt: skip
        if not again:
            return self._books.failed(failure_of(ended, self._run))
        self._learn(slot, avoid=action.avoid, memory=action.more_memory, disk=action.more_disk)
        return None

    def _learn(self, slot: Slot, *, avoid: bool, memory: bool, disk: bool) -> None:
        attempt = attempts(self._ledger.entries(self._run))[slot]
        cards = {line.gpu for line in attempt.pods.values() if line.gpu}
        if avoid:
            self._last |= cards
        if memory:
            self._above_gib = max(self._above_gib, self._plan.device.memory_gib or 0.0)
        if disk:
            self._disk_gb *= 2


def _never(_one: Candidate, _marks: Mapping[str, str]) -> PodRequest:
    raise AssertionError("no candidate was given")
