"""Watches over a run in a pod: checks the machine, trains, tells, delivers. Then the pod ends.

Standard library only until the run's own environment is installed; everything heavier is a program
of its own. Started by :mod:`train.launchers.pod_boot`, which ends the pod when this program is
over, however it ended.
"""

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections import deque
from importlib import metadata
from pathlib import Path
from types import FrameType

from train.failures import BUG, CARRIER, INSTALL, KILLED, MAX_HOURS, MAX_USD
from train.host_memory import oom_kills
from train.launchers.pod_boot import told
from train.launchers.pod_failures import PodFailure, ended_failure, failure
from train.launchers.pod_machine import cards_wrong
from train.launchers.pod_status import Teller
from train.launchers.pod_training import Training, Uploads
from train.launchers.pod_watch import Watch

# installing and preparing give no signs of life
_PHASE_S = 3600.0
_RETRY_S, _LONGEST_RETRY_S = 2.0, 60.0
_TAIL = 60
_TRIES = 6
_SECRETS = frozenset({"RUNPOD_API_KEY", "HF_TOKEN"})
_ENDED = frozenset({MAX_HOURS, MAX_USD, KILLED})


class Supervisor:
    """One attempt in this pod.

    Args:
        folder: the unpacked archive.
        watch: knows when to stop.
    """

    def __init__(self, folder: Path, watch: Watch) -> None:
        self._folder = folder
        self._watch = watch
        self._carrier = told("CARRIER")
        self._teller = Teller(folder, self._carrier, watch)
        self._stopped = False

    def run(self) -> None:
        """Do the attempt, from the checks to the delivery."""
        signal.signal(signal.SIGTERM, self._on_stop)
        self._teller.enter("starting")
        found = (
            cards_wrong(int(told("GPUS", "0")), os.environ)
            or self._installed()
            or self._prepared()
            or self._trained()
        )
        self._delivered(found)

    def _on_stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._stopped = True

    # -- before ------------------------------------------------------------------------------------

    def _installed(self) -> PodFailure | None:
        missing = _missing(self._folder / "requirements.txt")
        if not missing:
            return None
        if told("INSTALL", "yes") != "yes":
            return failure(INSTALL, f"the image lacks {', '.join(missing)}")
        self._teller.event({"event": "pod", "state": "installing", "packages": len(missing)})
        command = [sys.executable, "-m", "pip", "install", "--no-input", "--quiet",
                   "--disable-pip-version-check", *missing]  # fmt: skip
        # what a package runs when it is built needs none of them
        bare = {name: value for name, value in os.environ.items() if name not in _SECRETS}
        # the image is ours alone: its system's packages may be added to
        bare |= {"PIP_BREAK_SYSTEM_PACKAGES": "1", "PIP_ROOT_USER_ACTION": "ignore"}
        status = self._phase(command, "install.txt", bare)
        return self._cut_short() or (
            failure(INSTALL, f"pip ended with status {status}") if status else None
        )

    def _prepared(self) -> PodFailure | None:
        self._teller.event({"event": "pod", "state": "preparing"})
        module = "train.launchers.pod_prepare"
        command = [sys.executable, "-m", module, str(self._folder), self._carrier]
        status = self._phase(command, "prepare.txt", dict(os.environ))
        if status == 2:
            found = json.loads((self._folder / "failure.json").read_text("utf-8"))
            return PodFailure(found["class"], found["message"], found["advice"])
        return self._cut_short() or (
            failure(BUG, f"preparing ended with status {status}") if status else None
        )

    def _cut_short(self) -> PodFailure | None:
        """The failure for which nothing new may be begun."""
        kind = KILLED if self._stopped else self._watch.verdict(time.monotonic(), time.time())
        return failure(kind, _why(kind, self._watch)) if kind is not None else None

    def _phase(self, command: list[str], log: str, environment: dict[str, str]) -> int:
        """Run a program whose signs of life nobody hears; its exit status."""
        with (self._folder / log).open("ab") as file:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd=self._folder,
                env=environment,
            )  # fmt: skip
            until = time.monotonic() + _PHASE_S
            while process.poll() is None:
                now = time.monotonic()
                if now >= until or self._cut_short() is not None:
                    process.kill()
                    process.wait()
                    break
                self._teller.heartbeat()
                time.sleep(0.1)
        return process.returncode

    # -- the run -----------------------------------------------------------------------------------

    def _trained(self) -> PodFailure | None:
        launch = json.loads((self._folder / "launch.json").read_text("utf-8"))
        run_dir = self._folder / "run"
        kills = oom_kills()
        self._watch.moved(time.monotonic())
        self._teller.enter("running")
        uploads = Uploads(self._folder, self._carrier, self._teller.event)
        training = Training(launch["command"], launch["environment"], self._folder)
        try:
            found = self._followed(training, uploads)
        finally:
            training.kill()
            uploads.close()
        state, recorded = _recorded(run_dir / "run.json")
        if training.status == 0 and (found is None or state == "succeeded"):
            # also where it came to its end while it was asked to stop
            return None
        if found is not None:
            return found
        lines = _last_lines(run_dir / "log.txt")
        killed = oom_kills() != kills
        assert training.status is not None
        return ended_failure(training.status, recorded, lines, oom_killed=killed)

    def _followed(self, training: Training, uploads: Uploads) -> PodFailure | None:
        """Until the program ends; the failure for which it had to be ended."""
        # train.sft tells its progress; of another program its log is all that is known
        other = json.loads((self._folder / "job.json").read_text("utf-8"))["command"] is not None
        while training.status is None or training.has_more:
            for event in training.events(0.2):
                self._watch.moved(time.monotonic())
                self._teller.progress(event)
            if other and training.has_logged():
                self._watch.moved(time.monotonic())
            uploads.look()
            self._teller.heartbeat()
            if training.status is not None:
                continue
            now = time.monotonic()
            found = self._cut_short()
            if found is None:
                continue
            if found.kind in _ENDED:
                # up to a checkpoint, where there is time for one
                training.interrupt(min(300.0, self._watch.left_s(now, time.time()) / 2))
            else:
                training.show_stacks()
            return found
        return None

    # -- after -------------------------------------------------------------------------------------

    def _delivered(self, found: PodFailure | None) -> None:
        """Bring what there is to the carrier, again and again while there is time."""
        state = "succeeded" if found is None else "ended" if found.kind in _ENDED else "failed"
        command = [sys.executable, "-m", "train.launchers.pod_upload", "final", self._carrier,
                   str(self._folder), "--attempt", told("ATTEMPT"), "--state", state]  # fmt: skip
        if found is not None:
            command += ["--failure", json.dumps(found.told())]
        self._teller.enter("uploading", found)
        wait_s, tries = _RETRY_S, 0
        while True:
            tries += 1
            left = self._watch.left_s(time.monotonic(), time.time())
            status = _upload(command, self._folder, max(1.0, left), by_xet=tries == 1)
            if status == 0:
                break
            self._teller.event({"event": "pod", "state": "upload_failed", "tries": tries,
                                "status": status, "reason": self._reason(status)})  # fmt: skip
            left = self._watch.left_s(time.monotonic(), time.time())
            # only what a run has made is worth paying for all tries that there is time for
            if left <= wait_s or (found is not None and tries >= _TRIES):
                found = found or failure(CARRIER, "what the run made could not be delivered")
                state = "failed"
                break
            time.sleep(wait_s)
            wait_s = min(_LONGEST_RETRY_S, 2 * wait_s)
        self._teller.enter(state, found)
        self._teller.close()

    def _reason(self, status: int) -> str:
        """What a program of ours said that it could not do."""
        lines = _last_lines(self._folder / "upload.txt")
        return lines[-1].strip() if status == 2 and lines else "see upload.txt in the pod"


def _upload(command: list[str], folder: Path, timeout_s: float, *, by_xet: bool) -> int:
    """The exit status of an upload; -9 where there was no more time for it.

    Args:
        command: starts it.
        folder: it starts there.
        timeout_s: for all of it.
        by_xet: whether the Hub's own store may be used; where it fails, plain uploads may not.
    """
    environment = os.environ if by_xet else {**os.environ, "HF_HUB_DISABLE_XET": "1"}
    with (folder / "upload.txt").open("ab") as log:
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder,
                timeout=timeout_s, check=False, env=environment,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return -9
    return done.returncode


def _missing(file: Path) -> list[str]:
    """Requirements that are not installed as pinned."""
    missing = []
    for line in file.read_text("utf-8").split():
        name, _, version = line.partition("==")
        try:
            installed = metadata.version(name).partition("+")[0]
        except metadata.PackageNotFoundError:
            installed = ""
        if installed != version:
            missing.append(line)
    return missing


def _recorded(record: Path) -> tuple[str, dict[str, str] | None]:
    """State and failure in the run's record."""
    found = json.loads(record.read_text("utf-8"))
    state = str(found["states"][-1]["state"])
    return state, found["failure"] if state == "failed" else None


def _last_lines(log: Path) -> list[str]:
    try:
        with log.open("r", encoding="utf-8", errors="replace") as file:
            return list(deque(file, _TAIL))
    except FileNotFoundError:
        return []


def _why(kind: str, watch: Watch) -> str:
    if kind in {MAX_HOURS, MAX_USD}:
        hours = watch.max_s / 3600
        limit = "max_hours" if kind == MAX_HOURS else "max_usd"
        return f"the pod came to its limit of {hours:.2f} hours, set by {limit}"
    if kind == KILLED:
        return "the pod was told to stop"
    return f"no sign of progress for {watch.stall_s:g} s; the program was ended"


def main() -> int:
    """Supervise the attempt that the variables describe."""
    watch = Watch(
        started_s=float(told("STARTED", repr(time.monotonic()))),
        max_s=float(told("MAX_S")),
        dead_by_s=float(told("DEAD_BY", "inf")),
        reserve_s=float(told("RESERVE_S", "0")),
        stall_s=float(told("STALL_S", "1800")),
        limit=told("LIMIT", MAX_HOURS),
    )
    assert math.isfinite(watch.max_s)
    Supervisor(Path.cwd(), watch).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
