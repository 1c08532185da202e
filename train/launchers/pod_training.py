"""The training program in a pod, and the uploads of its checkpoints. Standard library only."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

_STACKS_WRITTEN_S = 2.0
_RETRY_S = 30.0
# of pod_upload: a newer checkpoint is there instead
_SUPERSEDED = 3
_CHECKPOINTS = "run/checkpoints"


class Training:
    """The program, in a process group of its own.

    Args:
        command: starts it.
        environment: of it, whole.
        folder: it starts there; what it prints on stderr goes to ``run/log.txt``.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], folder: Path
    ) -> None:
        self._log = folder / "run" / "log.txt"
        self._logged = 0
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env=dict(environment), cwd=folder, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=log, start_new_session=True,
            )  # fmt: skip
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)

    @property
    def status(self) -> int | None:
        """The exit status; None while it runs."""
        return self._process.poll()

    @property
    def has_more(self) -> bool:
        """Whether it has said something that was not yet passed on."""
        self._reader.join(0.1)
        return not self._lines.empty()

    def events(self, wait_s: float) -> Iterator[dict[str, Any]]:
        """What it has said since; waits for the first a while."""
        try:
            line = self._lines.get(timeout=wait_s)
            while True:
                event = _event(line)
                if event is not None:
                    yield event
                line = self._lines.get_nowait()
        except queue.Empty:
            return

    def has_logged(self) -> bool:
        """Whether it has written to its log since this was asked last."""
        before, self._logged = self._logged, self._log.stat().st_size
        return self._logged != before

    def interrupt(self, wait_s: float) -> None:
        """Ask it to write a checkpoint and end; kill it if it does not in time."""
        self._signal(signal.SIGINT)
        try:
            self._process.wait(max(0.0, wait_s))
        except subprocess.TimeoutExpired:
            self.kill()

    def show_stacks(self) -> None:
        """Have it write where each thread stands, then kill it."""
        self._signal(signal.SIGUSR1)
        self._signal(signal.SIGCONT)
        try:
            self._process.wait(_STACKS_WRITTEN_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Kill what is left of it."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return


def _event(line: bytes) -> dict[str, Any] | None:
    """An event; another program's line is a sign of life and no more."""
    try:
        found = json.loads(line)
    except ValueError:
        return {"event": "line"} if line.strip() else None
    return found if isinstance(found, dict) and "event" in found else {"event": "line"}


class Uploads:
    """Brings each new checkpoint to the carrier, one at a time, the newest first.

    Args:
        folder: the unpacked archive.
        carrier: as a setting.
        tell: takes events.
    """

    def __init__(self, folder: Path, carrier: str, tell: Callable[[dict[str, Any]], None]) -> None:
        self._folder = folder
        self._carrier = carrier
        self._tell = tell
        # what a resumed run starts from is there already
        self._done = self._newest()
        self._name = ""
        self._environment = dict(os.environ)
        self._process: subprocess.Popen[bytes] | None = None
        self._not_before_s = 0.0

    def _newest(self) -> int:
        sealed = (self._folder / _CHECKPOINTS).glob("checkpoint-*/checkpoint.json")
        return max((int(seal.parent.name.partition("-")[2]) for seal in sealed), default=0)

    def look(self) -> None:
        """See how the upload goes, and begin the next one."""
        if self._process is not None:
            status = self._process.poll()
            if status is None:
                return
            self._process = None
            if status == _SUPERSEDED:
                self._done = int(self._name.partition("-")[2])
            else:
                self._tell_of(status)
        newest = self._newest()
        if newest > self._done and time.monotonic() >= self._not_before_s:
            self._begin(f"checkpoint-{newest}")

    def _tell_of(self, status: int) -> None:
        state = "checkpoint_saved" if status == 0 else "checkpoint_not_saved"
        self._tell({"event": "pod", "state": state, "checkpoint": self._name})
        if status == 0:
            self._done = int(self._name.partition("-")[2])
        else:
            # where the Hub's own store fails, plain uploads may not
            self._environment = {**os.environ, "HF_HUB_DISABLE_XET": "1"}
            self._not_before_s = time.monotonic() + _RETRY_S

    def _begin(self, name: str) -> None:
        self._name = name
        command = [sys.executable, "-m", "train.launchers.pod_upload", "checkpoint",
                   self._carrier, str(self._folder), "--name", name]  # fmt: skip
        with (self._folder / "upload.txt").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._folder,
                env=self._environment,
            )  # fmt: skip

    def close(self) -> None:
        """Stop an upload that is under way: the last one brings what it would have."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
