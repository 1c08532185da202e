"""What a run on RunPod costs, delivers and leaves: money, verification, ends, record."""

from ingest.errors import UserError
from train.launchers.base import OnEvent
from train.launchers.carriers import Carrier
from train.launchers.pod_files import Manifest, fetch, read_manifest, verify
from train.launchers.runpod_api import RunPod
from train.launchers.runpod_attempts import attempts, spent_usd
from train.launchers.runpod_errors import GoneError, RunPodError
from train.launchers.runpod_ledger import Ledger, Slot
from train.launchers.runpod_models import Pod
from train.launchers.runpod_money import STOPPED_USD_PER_GB_MONTH, Caps, allowed_s
from train.launchers.runpod_place import DEAD_BY, end_pod, stop_pod, sweep
from train.launchers.runpod_recover import BUDGET
from train.plan import TrainPlan
from train.record import Failure, RunRecord, read_record
from train.spec import RunpodSpec

# kept back of the money and the time, so that the end comes before the limit
_RESERVE_S = 120.0
_VERIFY_AGAIN_S = 60.0


class Books:
    """Keeps a run's accounts.

    Args:
        api: RunPod.
        ledger: the workspace's journal.
        carrier: where pods deliver.
        settings: the run's limits.
        plan: the run.
        on_event: told what is done.
    """

    def __init__(
        self,
        api: RunPod,
        ledger: Ledger,
        carrier: Carrier,
        settings: RunpodSpec,
        plan: TrainPlan,
        on_event: OnEvent,
    ) -> None:
        self._api, self._ledger, self._carrier = api, ledger, carrier
        self._settings, self._plan, self._on_event = settings, plan, on_event

    def allowed_s(self, usd_per_hour: float) -> float:
        """How long a new pod at this price may live."""
        settings = self._settings
        caps = Caps(settings.max_usd_per_hour, settings.max_usd, settings.max_hours)
        return allowed_s(
            caps, usd_per_hour=usd_per_hour, spent_usd=self.spent_usd(), reserve_s=_RESERVE_S
        )

    def spent_usd(self) -> float:
        """What all attempts cost until now."""
        return round(spent_usd(self._ledger.entries(), self._plan.run_id, self._api.clock.now()), 4)

    def budget(self) -> Failure:
        """Why no pod can be paid any more."""
        run, limit = self._plan.run_id, self._settings.max_usd
        return Failure(
            kind=BUDGET,
            message=f"${self.spent_usd():.2f} of ${limit:.2f} are spent; the rest is too little for"
            " another pod",
            advice="raise max_usd in [runpod], then turnmill train TRAIN.toml"
            f" --resume {run} --launcher runpod",
        )

    def entered_running(self, pod: Pod, slot: Slot) -> None:
        """Write that the run has a pod, and tell which."""
        record = read_record(self._plan.run_dir)
        if record.state != "running":
            record = record.entered("running", failure=None, process=None)
        record.model_copy(update={"cost": self.spent_usd()}).write(self._plan.run_dir)
        self._on_event({"event": "pod", "state": pod.status, "pod": pod.id,
                        "attempt": slot.attempt, "card": pod.gpu.id if pod.gpu else "CPU",
                        "usd_per_hour": pod.cost})  # fmt: skip

    def failed(self, failure: Failure) -> RunRecord:
        """The record of a run that failed, written."""
        record = read_record(self._plan.run_dir)
        cost = {"failure": failure, "cost": self.spent_usd()}
        return record.entered("failed", **cost).write(self._plan.run_dir)

    def verified(self, slot: Slot, manifest: Manifest) -> bool:
        """Read everything back; a pod whose files are not whole is kept while its limits allow."""
        told = False
        while True:
            try:
                # a pod may have put them once more
                manifest = read_manifest(self._carrier, slot.attempt) or manifest
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

    def _alive(self, slot: Slot) -> bool:
        """Whether the attempt has a pod that runs and may go on."""
        pod = sweep(self._api, self._ledger, slot)
        if pod is None or pod.over:
            return False
        dead_by = pod.marks.get(DEAD_BY, "")
        return dead_by.isdecimal() and self._api.clock.now().timestamp() < int(dead_by)

    def _note_verified(self, slot: Slot) -> None:
        attempt = attempts(self._ledger.entries(self._plan.run_id)).get(slot)
        line = (
            next((one for one in attempt.pods.values() if not one.extra), None) if attempt else None
        )
        if line is not None and not line.verified:
            self._ledger.write("verified", slot, pod_id=line.pod_id)

    def succeeded(self, slot: Slot, manifest: Manifest, disk_gb: int) -> RunRecord:
        """Bring the verified files here, end or stop the pod; the record, written."""
        record = fetch(self._carrier, manifest, self._plan.run_dir)
        if self._settings.keep == "stopped":
            self._stop(slot, disk_gb)
        else:
            self.end(slot, "verified")
        if record is None:
            record = read_record(self._plan.run_dir).entered("succeeded", failure=None)
        return record.model_copy(update={"cost": self.spent_usd()}).write(self._plan.run_dir)

    def end(self, slot: Slot, why: str) -> None:
        """End what the attempt still has; what RunPod does not confirm the reaper ends."""
        attempt = attempts(self._ledger.entries(self._plan.run_id)).get(slot)
        for line in attempt.pods.values() if attempt else ():
            if line.gone:
                continue
            try:
                end_pod(self._api, self._ledger, slot, line.pod_id, why)
            except RunPodError as error:
                self._on_event({"event": "not_ended", "pod": line.pod_id,
                                "message": error.message})  # fmt: skip

    def _stop(self, slot: Slot, disk_gb: int) -> None:
        line = attempts(self._ledger.entries(self._plan.run_id))[slot].pod
        if line is None:
            return
        try:
            stop_pod(self._api, self._ledger, slot, line.pod_id, "verified; kept on request")
        except GoneError:
            return
        month = disk_gb * STOPPED_USD_PER_GB_MONTH
        self._on_event({"event": "kept", "pod": line.pod_id, "usd_per_month": month})
