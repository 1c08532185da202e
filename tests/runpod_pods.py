"""Pods in simulated time: the supervisor's own decisions and deliveries, the training a count.

What a pod does by its clock is done in steps that the stage's clock makes. When it must stop is
judged by ``pod_watch``, what it brings to the carrier by ``pod_upload`` and ``pod_prepare``: the
code that runs in real pods. Modelled are the processes around them, and the training.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runpod_doors import Cut, Silent
from runpod_world import PodState

from ingest.errors import UserError
from ingest.files import read_json, sha256_file, write_json
from train.checkpoints import Progress, latest, part_folder, seal
from train.failures import CARRIER, KILLED, MAX_HOURS, MAX_USD
from train.launchers.carriers import Carrier
from train.launchers.pod_boot import _AGREED, _OVER, GRACE_S
from train.launchers.pod_bundle import JOB
from train.launchers.pod_failures import ADVICE
from train.launchers.pod_files import BUNDLE, CHECKPOINTS, STATUS, put_json, read_status
from train.launchers.pod_machine import cards_wrong
from train.launchers.pod_prepare import restore
from train.launchers.pod_upload import deliver, put_checkpoint
from train.launchers.pod_watch import Watch
from train.plan import TrainPlan
from train.record import RECORD, Failure, new_record

STEPS, STEP_S, SAVE_EVERY = 20, 30.0, 5
BOOT_S, UPLOAD_S, BEAT_S = 20.0, 15.0, 30.0
# of pod_boot's end
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
ADAPTER = ("adapter/adapter_config.json", "adapter/adapter_model.safetensors")


class Died(Exception):
    """The container is gone in the middle of what it did."""


@dataclass
class Behaviour:
    """What befalls the next pod from inside; times in seconds after its container started.

    Attributes:
        fails: at which step the training ends, and with which class of failure.
        stalls: at which step it goes on no more.
        supervisor_killed_s: when the supervisor is killed; its parent ends the pod.
        guard_killed_s: when the process that keeps the limit is killed.
        killed_s: when everything in the container is killed.
        frozen_s: when everything in it stands still for ever, and the pod goes on billing.
        skew_s: how much its time of day is off.
        mute: its log says nothing.
        foreign_mib: what somebody else holds of its card.
        step_s: seconds a step.
    """

    fails: tuple[int, str] | None = None
    stalls: int | None = None
    supervisor_killed_s: float | None = None
    guard_killed_s: float | None = None
    killed_s: float | None = None
    frozen_s: float | None = None
    skew_s: float = 0.0
    mute: bool = False
    foreign_mib: int = 0
    step_s: float = STEP_S


class Pod:
    """What runs in a pod: guard, supervisor, training; see ``pod_boot`` and ``pod_supervisor``.

    Args:
        state: the pod.
        env: its variables.
        behaviour: what befalls it.
        carrier: as it sees it.
        plan: of the run.
        ask: a request to RunPod with the pod's key; the status, None without an answer.
        clock: time.
        say: takes lines of its log.
    """

    def __init__(
        self,
        state: PodState,
        env: Mapping[str, str],
        behaviour: Behaviour,
        carrier: Carrier,
        plan: TrainPlan,
        ask: Callable[[PodState, str], int | None],
        clock: Any,
        say: Callable[[str], None],
    ) -> None:
        self.state, self.env, self.behaviour = state, env, behaviour
        self._carrier, self._plan, self._ask = carrier, plan, ask
        self._clock, self._say = clock, say
        self._bundle = state.folder / "disk" / "turnmill"
        self.run_dir = self._bundle / "run"
        self._started = self._now()
        self.watch = Watch(
            self._started, float(env["TURNMILL_MAX_S"]), float(env["TURNMILL_DEAD_BY"]),
            float(env["TURNMILL_RESERVE_S"]), float(env["TURNMILL_STALL_S"]), env["TURNMILL_LIMIT"],
        )  # fmt: skip
        self.phase = "boot"
        self.step = 0
        self.done = False
        self.failure: Failure | None = None
        self.exit_status: int | None = None
        self._agreed = False
        self._at = self._started + BOOT_S
        self._saved = self._tries = 0
        self._beat = self._wait_s = 0.0
        self._end_at = float("inf")

    # -- as the emulator sees it -------------------------------------------------------------------

    def status(self) -> int | None:
        return self.exit_status

    def end(self) -> None:
        if self.exit_status is None:
            self.exit_status = -9

    # -- time --------------------------------------------------------------------------------------

    def _now(self) -> float:
        return float(self._clock.monotonic())

    def _wall(self) -> float:
        # skew_s of the clock is that of the launcher's machine
        true_s = float(self._clock.now().timestamp()) - float(self._clock.skew_s)
        return true_s + self.behaviour.skew_s

    def _past(self, at: float | None) -> bool:
        return at is not None and self._now() - self._started >= at

    @property
    def frozen(self) -> bool:
        return self._past(self.behaviour.frozen_s)

    @property
    def healthy(self) -> bool:
        """Whether it does what it should and would go on."""
        stalled = self.behaviour.stalls is not None and self.step >= self.behaviour.stalls
        return self.phase == "training" and not (self.frozen or stalled)

    def act(self) -> None:
        """Do what is due."""
        if self.exit_status is not None or self.frozen:
            return
        if self._past(self.behaviour.killed_s):
            self.exit_status = 137
            return
        try:
            self._guard()
            if self.phase != "ending":
                self._supervise()
            if self._now() >= self._end_at and not self._agreed:
                self._ask_to_end()
        except Died:
            self.exit_status = 137

    def _guard(self) -> None:
        if self._past(self.behaviour.guard_killed_s):
            return
        if self.watch.left_s(self._now(), self._wall()) + GRACE_S <= 0:
            self._end()

    def _supervise(self) -> None:
        if self._past(self.behaviour.supervisor_killed_s):
            # the parent sees the status of its child and ends the pod
            self._told_failed(KILLED, "the supervisor ended with status -9")
            self._end()
            return
        if self._now() < self._at:
            return
        {"boot": self._boot, "training": self._train, "uploading": self._upload}[self.phase]()
        if self.phase != "ending" and self._now() >= self._beat:
            self._tell("running" if self.phase == "training" else "uploading")

    # -- phases ------------------------------------------------------------------------------------

    def _boot(self) -> None:
        try:
            status = read_status(self._carrier)
        except UserError:
            # as in pod_boot: what cannot be asked is taken for new
            status = None
        mine = (int(self.env["TURNMILL_ATTEMPT"]), self.state.id)
        if status is not None and status.state in _OVER and (status.attempt, status.pod) == mine:
            self._event(event="pod", state="over")
            self._end()
            return
        wrong = self._machine_wrong()
        self.run_dir.mkdir(parents=True, exist_ok=True)
        write_json(self._bundle / JOB, {"run_id": self._plan.run_id, "outputs": []})
        new_record(self._plan).entered("running").write(self.run_dir)
        if wrong is not None:
            self._finish(wrong)
            return
        try:
            self._carrier.get(BUNDLE, self._bundle / BUNDLE)
            if sha256_file(self._bundle / BUNDLE) != self.env["TURNMILL_BUNDLE"]:
                self._finish(_failure(CARRIER, "the archive is not the one that was sent"))
                return
            restore(self._carrier, self.run_dir)
        except UserError as error:
            self._tries += 1
            self._at = self._now() + min(60.0, 2.0**self._tries)
            if self._tries >= 8:
                self._finish(_failure(CARRIER, error.message))
            return
        found = latest(self.run_dir / CHECKPOINTS)
        self.step = self._saved = found[1].step if found else 0
        self.phase, self._tries = "training", 0
        self.watch.moved(self._now())
        self._at = self._now() + self.behaviour.step_s

    def _machine_wrong(self) -> Failure | None:
        def query(asked: str) -> list[str]:
            if asked == "gpu=index":
                return [str(n) for n in range(int(self.env["RUNPOD_GPU_COUNT"]))]
            return [str(self.behaviour.foreign_mib)]

        found = cards_wrong(int(self.env["TURNMILL_GPUS"]), self.env, query, lambda _: None)
        return Failure.model_validate(found.told()) if found else None

    def _train(self) -> None:
        verdict = self.watch.verdict(self._now(), self._wall())
        if verdict is not None:
            self._finish(_failure(verdict, f"the supervisor ended it: {verdict}"))
            return
        while self._now() >= self._at and self.step < STEPS:
            fails = self.behaviour.fails
            if fails is not None and self.step >= fails[0]:
                self._finish(_failure(fails[1], f"the training program failed: {fails[1]}"))
                return
            if self.behaviour.stalls is not None and self.step >= self.behaviour.stalls:
                return
            self.step += 1
            self._at += self.behaviour.step_s
            self.watch.moved(self._now())
            self._event(event="step", step=self.step, steps=STEPS)
            if self.step % SAVE_EVERY == 0:
                self._save()
        self._bring()
        if self.step >= STEPS:
            self._artefacts()
            self._finish(None)

    def _save(self) -> None:
        part = part_folder(self.run_dir / CHECKPOINTS)
        (part / "weights.bin").write_bytes(f"weights at {self.step}".encode() * 50)
        seal(part, self.run_dir / CHECKPOINTS, Progress(step=self.step), keep=2)

    def _bring(self) -> None:
        """Bring the newest checkpoint to the carrier; what did not arrive is tried again."""
        newest = self.step - self.step % SAVE_EVERY
        if newest <= self._saved:
            return
        try:
            put_checkpoint(self._carrier, self.run_dir, f"checkpoint-{newest}")
            self._saved = newest
        except UserError:
            self._event(event="pod", state="checkpoint_not_saved")

    def _artefacts(self) -> None:
        made = {}
        for name in ADAPTER:
            file = self.run_dir / name
            file.parent.mkdir(exist_ok=True)
            if name.endswith(".json"):
                write_json(file, {"base_model_name_or_path": str(self._plan.base.path)})
            else:
                file.write_bytes(f"{name} after {self.step} steps".encode() * 40)
            made[name] = sha256_file(file)
        record = new_record(self._plan).entered("succeeded", artefacts=made)
        record.write(self.run_dir)
        self.done = True

    def _finish(self, failure: Failure | None) -> None:
        self.failure, self.phase = failure, "uploading"
        self._at, self._tries, self._wait_s = self._now() + UPLOAD_S, 0, 2.0
        self._tell("uploading")

    def _upload(self) -> None:
        ended = self.failure is not None and self.failure.kind in (MAX_HOURS, MAX_USD, KILLED)
        state: Any = "succeeded" if self.failure is None else "ended" if ended else "failed"
        try:
            deliver(
                self._carrier, self._bundle, int(self.env["TURNMILL_ATTEMPT"]), state, self.failure
            )
        except UserError as error:
            self._tries += 1
            hopeless = self.failure is not None and self.failure.kind == CARRIER
            if self.watch.left_s(self._now(), self._wall()) <= self._wait_s or (
                hopeless and self._tries >= 3
            ):
                self._told_failed(CARRIER, f"what the run made could not be delivered: {error}")
                self._end()
                return
            self._at = self._now() + self._wait_s
            self._wait_s = min(60.0, 2 * self._wait_s)
            return
        self._tell(state)
        self._end()

    # -- words -------------------------------------------------------------------------------------

    def _event(self, **event: Any) -> None:
        if not self.behaviour.mute:
            self._say("turnmill " + json.dumps(event))

    def _tell(self, state: str) -> None:
        self._beat = self._now() + BEAT_S
        told = self.failure.model_dump(by_alias=True) if self.failure else None
        if state in ("running", "uploading") and self.phase != "uploading":
            self._event(event="heartbeat", at=self._wall(), step=self.step, steps=STEPS)
        else:
            self._event(event="pod", state=state, failure=told)
        status = {
            "attempt": int(self.env["TURNMILL_ATTEMPT"]), "pod": self.state.id, "at": self._wall(),
            "state": state, "step": self.step, "steps": STEPS, "failure": told,
            "deadline_s": self.watch.left_s(self._now(), self._wall()),
        }  # fmt: skip
        try:
            put_json(self._carrier, STATUS, status)
        except UserError:
            # it is written anew with the next heartbeat
            self._event(event="pod", state="status_failed")

    def _told_failed(self, kind: str, message: str) -> None:
        self.failure = _failure(kind, message)
        self._tell("failed")

    # -- the end -----------------------------------------------------------------------------------

    def _end(self) -> None:
        self.phase = "ending"
        if self._end_at == float("inf"):
            self._end_at, self._wait_s = self._now(), FIRST_WAIT_S

    def _ask_to_end(self) -> None:
        status = self._ask(self.state, self.env.get("TURNMILL_END", "terminate"))
        if status is not None and (200 <= status < 300 or status in _AGREED):
            self._agreed = True
            if self.exit_status is None:
                self.exit_status = 0
            return
        self._end_at = self._now() + self._wait_s
        self._wait_s = min(LONGEST_WAIT_S, 2 * self._wait_s)


def _failure(kind: str, message: str) -> Failure:
    advice = ADVICE.get(kind, "see log.txt in the run's folder")
    return Failure.model_validate({"class": kind, "message": message, "advice": advice})


def asker(emulator: Any) -> Callable[[PodState, str], int | None]:
    """A pod's way to RunPod."""

    def ask(pod: PodState, action: str) -> int | None:
        headers = {"Authorization": f"Bearer {pod.key}", "Content-Type": "application/json"}
        body = json.dumps({"action": action}).encode()
        try:
            return int(emulator.handle("POST", f"/v2/pods/{pod.id}/action", headers, body).status)
        except (Cut, Silent):
            return None

    return ask


def whole(run_dir: Path) -> list[str]:
    """Artefacts that a record of success names and that are missing or differ."""
    record = read_json(run_dir / RECORD)
    lost = [name for name in ADAPTER if name not in record["artefacts"]]
    for name, digest in record["artefacts"].items():
        file = run_dir / name
        if not file.is_file() or sha256_file(file) != digest:
            lost.append(name)
    return lost
