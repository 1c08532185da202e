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
from train.launchers.pod_files import BUNDLE, Manifest, fetch, read_manifest, verify
from train.launchers.pod_start import CarrierSetting, Limits, pod_args, pod_environment
from train.launchers.runpod_api import RunPod, open_runpod
from train.launchers.runpod_attempts import attempts, next_slot, spent_usd
from train.launchers.runpod_choose import Candidate, NoCardError
from train.launchers.runpod_errors import GoneError, NoBalanceError, RunPodError
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
from train.launchers.runpod_money import STOPPED_USD_PER_GB_MONTH, Caps, allowed_s
from train.launchers.runpod_offer import candidates_now
from train.launchers.runpod_place import DEAD_BY, NoMachineError, end_pod, place, stop_pod, sweep
from train.launchers.runpod_recover import BUDGET, NO_MACHINE, UNVERIFIED, action_after, failure_of
from train.launchers.runpod_rental import VOLUME_PATH, inside, outside, read_rental
from train.launchers.runpod_watch import Ended, Phases, Watch
from train.plan import TrainPlan
from train.record import Failure, RunRecord, read_record
from train.spec import RunpodSpec

# kept back of the money and the time, so that the end comes before the limit
_RESERVE_S = 120.0
# less is not worth a machine: it would be spent on starting
_LEAST_S = 300.0
_VERIFY_AGAIN_S = 60.0
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
            except (NoCardError, NoMachineError) as error:
                return self._failed(Failure(kind=NO_MACHINE, message=error.message,
                                            advice=error.hint))  # fmt: skip
            except NoBalanceError as error:
                return self._failed(Failure(kind=BUDGET, message=error.message, advice=error.hint))
            if pod is None:
                return self._failed(self._budget())
            self._entered_running(pod, slot)
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
            allowed = self._allowed_s(candidate.usd_per_hour)
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
        self._end(slot, "this machine's clock is slow")
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
                if self._verified(earlier, manifest):
                    return self._succeeded(earlier, manifest)
        return None

    def _settled(self, slot: Slot, ended: Ended, *, last: bool) -> RunRecord | None:
        """The record where the run is over; None where another pod goes on."""
        manifest = ended.manifest
        if manifest is not None and manifest.state == "succeeded":
            if self._verified(slot, manifest):
                return self._succeeded(slot, manifest)
            ended = Ended("lost", "its files are not whole where it put them", failure=Failure(
                kind=UNVERIFIED, message="its files are not whole where it put them",
                advice="the pod was kept as long as the limits allow"))  # fmt: skip
        elif manifest is not None:
            fetch(self._carrier, manifest, self._plan.run_dir)
        self._end(slot, f"{ended.how}: {ended.message}"[:200])
        kind = ended.failure.kind if ended.failure else ended.how
        action = action_after(ended, self._seen[kind])
        self._seen[kind] += 1
        again = action.again and not last
        self._on_event({"event": "attempt_ended", "attempt": slot.attempt, "again": again,
                        "class": kind, "message": ended.message, "action": action.why})  # fmt: skip
        if not again:
            return self._failed(failure_of(ended, self._run))
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

    def _verified(self, slot: Slot, manifest: Manifest) -> bool:
        """Read everything back; a pod whose files are not whole is kept while its limits allow."""
        told = False
        while True:
            try:
                wrong = verify(self._carrier, manifest)
            except UserError as error:
                wrong = [error.message]
            if not wrong:
                self._note_verified(slot)
                self._on_event({"event": "verified", "files": len(manifest.files)})
                return True
            if not told:
                self._on_event({"event": "unverified", "wrong": wrong[:3], "files": len(wrong)})
                told = True
            if not self._alive(slot):
                return False
            self._api.clock.sleep(_VERIFY_AGAIN_S)
            manifest = read_manifest(self._carrier, slot.attempt) or manifest

    def _alive(self, slot: Slot) -> bool:
        """Whether the attempt has a pod that runs and may go on."""
        pod = sweep(self._api, self._ledger, slot)
        if pod is None or pod.over:
            return False
        dead_by = pod.marks.get(DEAD_BY, "")
        return dead_by.isdecimal() and self._api.clock.now().timestamp() < int(dead_by)

    def _note_verified(self, slot: Slot) -> None:
        attempt = attempts(self._ledger.entries(self._run)).get(slot)
        line = (
            next((one for one in attempt.pods.values() if not one.extra), None) if attempt else None
        )
        if line is not None and not line.verified:
            self._ledger.write("verified", slot, pod_id=line.pod_id)

    def _succeeded(self, slot: Slot, manifest: Manifest) -> RunRecord:
        record = fetch(self._carrier, manifest, self._plan.run_dir)
        if self._settings.keep == "stopped":
            self._stop(slot)
        else:
            self._end(slot, "verified")
        if record is None:
            record = read_record(self._plan.run_dir).entered("succeeded", failure=None)
        return record.model_copy(update={"cost": self._spent()}).write(self._plan.run_dir)

    def _end(self, slot: Slot, why: str) -> None:
        """End what the attempt still has; what RunPod does not confirm the reaper ends."""
        attempt = attempts(self._ledger.entries(self._run)).get(slot)
        for line in attempt.pods.values() if attempt else ():
            if line.gone:
                continue
            try:
                end_pod(self._api, self._ledger, slot, line.pod_id, why)
            except RunPodError as error:
                self._on_event({"event": "not_ended", "pod": line.pod_id,
                                "message": error.message})  # fmt: skip

    def _stop(self, slot: Slot) -> None:
        line = attempts(self._ledger.entries(self._run))[slot].pod
        if line is None:
            return
        try:
            stop_pod(self._api, self._ledger, slot, line.pod_id, "verified; kept on request")
        except GoneError:
            return
        month = self._disk_gb * STOPPED_USD_PER_GB_MONTH
        self._on_event({"event": "kept", "pod": line.pod_id, "usd_per_month": month})

    # -- money and record --------------------------------------------------------------------------

    def _allowed_s(self, usd_per_hour: float) -> float:
        settings = self._settings
        caps = Caps(settings.max_usd_per_hour, settings.max_usd, settings.max_hours)
        return allowed_s(
            caps, usd_per_hour=usd_per_hour, spent_usd=self._spent(), reserve_s=_RESERVE_S
        )

    def _spent(self) -> float:
        return round(spent_usd(self._ledger.entries(), self._run, self._api.clock.now()), 4)

    def _budget(self) -> Failure:
        return Failure(
            kind=BUDGET,
            message=f"${self._spent():.2f} of ${self._settings.max_usd:.2f} are spent; the rest is"
            " too little for another pod",
            advice=f"raise max_usd in [runpod], then turnmill train TRAIN.toml --resume {self._run}"
            " --launcher runpod",
        )

    def _entered_running(self, pod: Pod, slot: Slot) -> None:
        record = read_record(self._plan.run_dir)
        if record.state != "running":
            record = record.entered("running", failure=None, process=None)
        record.model_copy(update={"cost": self._spent()}).write(self._plan.run_dir)
        self._on_event({"event": "pod", "state": pod.status, "pod": pod.id,
                        "attempt": slot.attempt, "card": pod.gpu.id if pod.gpu else "CPU",
                        "usd_per_hour": pod.cost})  # fmt: skip

    def _failed(self, failure: Failure) -> RunRecord:
        record = read_record(self._plan.run_dir)
        cost = {"failure": failure, "cost": self._spent()}
        return record.entered("failed", **cost).write(self._plan.run_dir)


def _never(_one: Candidate, _marks: Mapping[str, str]) -> PodRequest:
    raise AssertionError("no candidate was given")
