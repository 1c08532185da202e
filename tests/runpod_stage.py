"""A stage for runs on RunPod in simulated time: the real launcher, journal, watch and reaper over
the emulator, with pods that act by the same clock, and accounts of what became of all of it.
"""

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pydantic import SecretStr
from runpod_carried import Carried, StepClock
from runpod_doors import InProcess
from runpod_emulator import KEY
from runpod_machines import Idle, Machine
from runpod_planned import RUN, archive, copied, plan_in
from runpod_pods import Behaviour, Pod, asker, whole
from runpod_watched import LiveLines, Watched, WatchedEmulator
from runpod_world import PodState

from ingest.errors import UserError
from ingest.workspace import Workspace
from train.launchers import runpod
from train.launchers.carrier_folder import FolderCarrier
from train.launchers.pod_files import read_manifest, read_status, verify
from train.launchers.runpod_api import RunPod
from train.launchers.runpod_attempts import attempts
from train.launchers.runpod_http import Timing
from train.launchers.runpod_ledger import Ledger
from train.launchers.runpod_reap import reap
from train.launchers.runpod_rental import write_rental
from train.launchers.runpod_watch import Phases
from train.record import RunRecord, new_record, read_record
from train.spec import RunpodSpec

REAP_S = 300.0
PHASES = Phases(poll_s=15.0, provisioning_s=300.0, starting_s=600.0, first_word_s=300.0,
                silence_s=900.0)  # fmt: skip
LIMITS = {"max_usd_per_hour": 1.0, "max_usd": 3.0, "max_hours": 1.5, "attempts": 4}
MEMORY = Path("/dev/shm")


class Killed(BaseException):
    """The launcher's process dies: nothing of it runs any more."""


class Stage:
    """One run of one workspace, and everything around it.

    Attributes:
        behaviours: of the next pods, in order.
        at: what happens when, in the clock's seconds: ``(at, action)``.
        kill_at: when the launcher that runs then dies.
        reap_every: seconds between the service's reapings; None: nobody reaps.
        told: events of all launches.
        errors: what launches raised.
    """

    def __init__(self, folder: Path, **limits: Any) -> None:
        self.clock = StepClock()
        self.clock.each_step = self._each_step
        self.emulator = WatchedEmulator(folder / "world", self.clock)
        self.emulator.before_end = self._before_end
        self.world, self.faults = self.emulator.world, self.emulator.faults
        self.world.program = self._program
        self.workspace = Workspace(folder / "home").create()
        self.root = folder / "carrier"
        self.in_pod, self.here = Carried(self.root, self.clock), Carried(self.root, self.clock)
        self.plan = plan_in(self.workspace.runs / RUN)
        self.spec = RunpodSpec(hub="team/runs", **{**LIMITS, **limits})
        write_rental(self.plan.run_dir, self.spec)
        new_record(self.plan).write(self.plan.run_dir)
        self.behaviours: list[Behaviour] = []
        self.at: list[tuple[float, Callable[[], object]]] = []
        self.kill_at: float | None = None
        self.reap_every: float | None = None
        self.pods: dict[str, Pod] = {}
        self.listening: dict[str, LiveLines] = {}
        self.told: list[dict[str, Any]] = []
        self.errors: list[UserError] = []
        self.watched = Watched()
        self.key = KEY
        self.phases = PHASES
        self.launches = 0
        self.machine_on = True
        self._launching = self._exchanges = 0
        self._reap_at = 0.0
        self._last = self.clock.monotonic()
        self._start = self._last

    # -- pods --------------------------------------------------------------------------------------

    def _program(self, state: PodState) -> Machine:
        if "TURNMILL_MAX_S" not in state.body.get("env", {}):
            return Idle()
        again = self.pods.get(state.id)
        if again is not None:
            behaviour = again.behaviour
        else:
            behaviour = self.behaviours.pop(0) if self.behaviours else Behaviour()
        env = self.world.environment(state)
        pod = Pod(state, env, behaviour, self.in_pod, self.plan, asker(self.emulator), self.clock,
                  self.world.sayer(state))  # fmt: skip
        self.pods[state.id] = pod
        return pod

    def ours(self) -> list[PodState]:
        """Pods of this workspace that cost money now."""
        mark = Ledger(self.workspace.runpod, self.clock).workspace_id
        return [pod for pod in self.world.billing()
                if pod.body["env"].get("TURNMILL_WORKSPACE") == mark]  # fmt: skip

    def _each_step(self) -> None:
        self.world.tick()
        for pod in list(self.pods.values()):
            if pod.state.id in self.world.pods and pod.state.machine is pod:
                pod.act()
        self.world.tick()
        now = self.clock.monotonic()
        while self.at and self.at[0][0] <= now:
            self.at.pop(0)[1]()
        self._note(now - self._last)
        self._last = now
        if self.reap_every is not None and self.machine_on and now >= self._reap_at:
            self._reap_at = now + self.reap_every
            self.reap()
        if self._launching and self.kill_at is not None and now >= self.kill_at:
            self.kill_at = None
            raise Killed

    def _note(self, passed: float) -> None:
        slots: dict[str, int] = defaultdict(int)
        late = False
        for pod in self.ours():
            slots[pod.body["env"]["TURNMILL_ATTEMPT"]] += 1
            dead_by = float(pod.body["env"]["TURNMILL_DEAD_BY"])
            life = self.pods.get(pod.id)
            served = self.reap_every is not None and self.machine_on
            able = served or (life is not None and not life.frozen and self.emulator.pod_keys_act)
            if self._true_s() <= dead_by:
                continue
            late = True
            self.watched.overdue_usd += passed * pod.rate / 3600
            if able:
                self.watched.overdue_s[pod.id] += passed
        new, self._exchanges = (
            self.emulator.exchanges[self._exchanges :],
            len(self.emulator.exchanges),
        )
        if late:
            # each may put its end off to the next poll, backoff or reaping
            spoiled = [x for x in new if x.scripted and x.route in ("terminate", "action", "list")]
            self.watched.spoiled_s += REAP_S * len(spoiled)
        for slot, count in slots.items():
            self.watched.most[slot] = max(self.watched.most[slot], count)
        if any(count > 1 for count in slots.values()):
            self.watched.two_s += passed

    def _before_end(self, state: PodState, own: bool) -> None:
        """Whether a pod is ended that has something nobody has yet."""
        if own and state.id in self.listening:
            self.listening[state.id].hear()
        pod = self.pods.get(state.id)
        if pod is None or pod.exit_status is not None or not pod.state.charges:
            return
        attempt = state.body["env"]["TURNMILL_ATTEMPT"]
        others = [one for one in self.ours() if one.id != state.id
                  and one.body["env"]["TURNMILL_ATTEMPT"] == attempt]  # fmt: skip
        reserve_s = float(pod.env["TURNMILL_RESERVE_S"])
        late = self._true_s() >= float(pod.env["TURNMILL_DEAD_BY"]) - reserve_s
        if others or late:
            return
        who = "itself" if own else "from outside"
        if pod.done and not self._whole(int(pod.env["TURNMILL_ATTEMPT"])):
            self.watched.too_early.append(f"{state.id}: ended {who} before its files were whole")
        elif not own and pod.healthy:
            self.watched.too_early.append(f"{state.id}: ended {who} while it trained")

    def _whole(self, attempt: int) -> bool:
        plain = FolderCarrier(self.root)
        manifest = read_manifest(plain, attempt)
        return manifest is not None and verify(plain, manifest) == []

    def _true_s(self) -> float:
        """The time of day as it is, not as this machine's clock has it."""
        return self.clock.now().timestamp() - self.clock.skew_s

    # -- what a person or the service does ---------------------------------------------------------

    def client(self) -> RunPod:
        return RunPod(SecretStr(self.key), clock=self.clock, transport=InProcess(self.emulator),
                      timing=Timing())  # fmt: skip

    def launch(self) -> RunRecord | None:
        """As a new process does it; None where it died or told an error."""
        self._launching += 1
        self.launches += 1
        try:
            with patch.object(runpod, "make_bundle", copied), self.client() as api:
                return runpod.RunpodLauncher(
                    self.workspace,
                    api=api,
                    carrier=self.here,
                    phases=self.phases,
                    listen=self._listen,
                ).launch(self.plan, self.told.append)
        except UserError as error:
            self.errors.append(error)
        except (Killed, KeyboardInterrupt):
            pass
        finally:
            self._launching -= 1
        return None

    def _listen(self, api: RunPod, pod_id: str) -> LiveLines:
        self.listening[pod_id] = LiveLines(api, pod_id)
        return self.listening[pod_id]

    def reap(self) -> None:
        ledger = Ledger(self.workspace.runpod, self.clock)
        try:
            with self.client() as api:
                reap(api, ledger, told_at=self._told_at)
        except UserError as error:
            self.errors.append(error)

    def _told_at(self, run: str) -> float | None:
        try:
            status = read_status(self.here)
        except UserError:
            return None
        return status.at if status is not None else None

    def wait(self, seconds: float) -> None:
        """Nobody does anything."""
        self.clock.sleep(seconds)

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        """Have something happen later."""
        self.at.append((self.clock.monotonic() + seconds, action))
        self.at.sort(key=lambda one: one[0])

    @contextmanager
    def killed_at_entry(self, number: int, *, before: bool) -> Iterator[None]:
        """A launcher dies at the n-th line of the journal, before or after it is written."""
        write, left = Ledger.write, [number]

        def killed(*args: Any, **facts: Any) -> Any:
            left[0] -= 1
            if left[0] == 0 and before:
                raise Killed
            entry = write(*args, **facts)
            if left[0] == 0:
                raise Killed
            return entry

        with patch.object(Ledger, "write", killed):
            yield

    def settle(self) -> list[PodState]:
        """Let time pass with the service reaping; the pods that still cost money after it."""
        self.reap_every = self.reap_every or REAP_S
        self._reap_at = 0.0
        until = self.clock.monotonic() + self.spec.max_hours * 3600 + 2 * REAP_S
        while self.ours() and self.clock.monotonic() < until:
            self.wait(60.0)
        return self.ours()

    # -- accounts ----------------------------------------------------------------------------------

    def record(self) -> RunRecord:
        return read_record(self.plan.run_dir)

    def usd(self) -> float:
        now = self.clock.monotonic()
        marked = [p for p in self.world.all_pods() if "TURNMILL_RUN" in p.body.get("env", {})]
        return sum(charge.usd(now) for pod in marked for charge in pod.charges)

    def minutes(self) -> float:
        return (self.clock.monotonic() - self._start) / 60

    def made(self) -> list[PodState]:
        mark = Ledger(self.workspace.runpod, self.clock).workspace_id
        return sorted((pod for pod in self.world.all_pods()
                       if pod.body.get("env", {}).get("TURNMILL_WORKSPACE") == mark),
                      key=lambda pod: pod.id)  # fmt: skip

    def lost(self) -> list[str]:
        """Artefacts that were made or delivered and are nowhere whole any more."""
        record = self.record()
        if record.state == "succeeded":
            return whole(self.plan.run_dir)
        lost = []
        plain = FolderCarrier(self.root)
        for attempt in range(1, len(self.made()) + 2):
            manifest = read_manifest(plain, attempt)
            if manifest is not None and manifest.state == "succeeded":
                lost += verify(plain, manifest)
        return lost

    def open_attempts(self) -> list[str]:
        known = attempts(Ledger(self.workspace.runpod, self.clock).entries())
        return [f"{slot.attempt}:{one.state}" for slot, one in known.items() if one.open]


@contextmanager
def stage(**limits: Any) -> Iterator[Stage]:
    """A stage in memory: each journal entry is flushed, which takes minutes on a disk."""
    # not in the folder of the first stage
    archive()
    memory = str(MEMORY) if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as folder, patch("tempfile.tempdir", folder):
        one = Stage(Path(folder), **limits)
        try:
            yield one
        finally:
            one.world.close()


__all__ = ["Behaviour", "Killed", "Stage", "stage"]
