"""What a pod tells of itself: lines in its log, and ``status.json`` on the carrier."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from train.launchers.pod_boot import mine, say, write_json
from train.launchers.pod_failures import PodFailure
from train.launchers.pod_watch import Watch

_EVERY_S = 30.0
# each is a commit there
_EVERY_ON_HUB_S = 600.0
_STATUS = "status.json"
# a line of another program: a sign of life, in a log of its own
LINE = "line"


class Teller:
    """Tells events and where the pod stands.

    Args:
        folder: the unpacked archive.
        carrier: as a setting.
        watch: knows how long the pod has.
    """

    def __init__(self, folder: Path, carrier: str, watch: Watch) -> None:
        self._folder = folder
        self._setting = carrier
        kind, _, place = carrier.partition(":")
        self._volume = Path(place) if kind == "folder" else None
        self._watch = watch
        attempt, pod = mine()
        self._status: dict[str, Any] = {"attempt": int(attempt), "pod": pod, "step": None,
                                        "steps": None, "failure": None}  # fmt: skip
        self._beat_s = self._put_s = 0.0
        self._putting: subprocess.Popen[bytes] | None = None

    def event(self, event: dict[str, Any]) -> None:
        """Pass an event on to the log."""
        say(event)

    def progress(self, event: dict[str, Any]) -> None:
        """Pass an event of the run on, and remember how far it is."""
        if event["event"] != LINE:
            say(event)
        for name in ("step", "steps"):
            if isinstance(event.get(name), int):
                self._status[name] = event[name]

    def enter(self, state: str, failure: PodFailure | None = None) -> None:
        """The pod stands elsewhere now."""
        told = failure.told() if failure else None
        self._status |= {"state": state, "failure": told}
        say({"event": "pod", "state": state, "attempt": self._status["attempt"], "failure": told})
        self._put(at_once=True)

    def heartbeat(self) -> None:
        """Say that the supervisor lives, if it has not for a while."""
        if time.monotonic() - self._beat_s >= _EVERY_S:
            self._put(at_once=False)
            say({"event": "heartbeat", "at": time.time(), "step": self._status["step"],
                 "steps": self._status["steps"]})  # fmt: skip

    def close(self) -> None:
        """Wait until the last word has arrived, or cannot."""
        if self._putting is not None:
            try:
                self._putting.wait(120)
            except subprocess.TimeoutExpired:
                self._putting.kill()

    def _put(self, *, at_once: bool) -> None:
        now = time.monotonic()
        self._beat_s = now
        left = self._watch.left_s(now, time.time())
        status = {**self._status, "at": time.time(), "deadline_s": round(left, 1)}
        if self._volume is not None:
            try:
                self._volume.mkdir(parents=True, exist_ok=True)
                write_json(self._volume / _STATUS, status)
            except OSError as error:
                # a full volume must not end the run
                say({"event": "pod", "state": "status_failed", "reason": str(error.strerror)})
            return
        if not at_once and now - self._put_s < _EVERY_ON_HUB_S:
            return
        self._put_s = now
        self.close()
        write_json(self._folder / _STATUS, status)
        command = [sys.executable, "-m", "train.launchers.pod_upload", "status", self._setting,
                   str(self._folder)]  # fmt: skip
        with (self._folder / "upload.txt").open("ab") as log:
            self._putting = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder)
