"""What runs in a pod of the RunPod emulator: a real process in a folder of its own, or a script."""

import os
import re
import shlex
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

Say = Callable[[str], None]


class Machine(Protocol):
    """Runs from its making until it ends by itself or is ended."""

    def status(self) -> int | None:
        """The exit status, None while it runs."""
        ...

    def end(self) -> None:
        """Kill it, and wait until it is gone."""
        ...


class Idle:
    """``sleep infinity``, as RunPod's own images end."""

    def status(self) -> int | None:
        return None

    def end(self) -> None:
        return


@dataclass
class Simulated:
    """Says lines at given seconds, then exits; no process, no real time.

    Attributes:
        elapsed_s: seconds since it started, by the emulator's clock.
        seconds: until it exits; None never.
        lines: what it says, and after how many seconds.
        exit_status: with which it exits.
        each_look: called whenever the emulator looks at it, with the seconds.
    """

    elapsed_s: Callable[[], float]
    say: Say
    seconds: float | None = None
    lines: Sequence[tuple[float, str]] = ()
    exit_status: int = 0
    each_look: Callable[[float], int | None] = lambda _: None
    _said: int = 0
    _ended: int | None = field(default=None)

    def status(self) -> int | None:
        if self._ended is None:
            elapsed = self.elapsed_s()
            while self._said < len(self.lines) and self.lines[self._said][0] <= elapsed:
                self.say(self.lines[self._said][1])
                self._said += 1
            self._ended = self.each_look(elapsed)
            if self._ended is None and self.seconds is not None and elapsed >= self.seconds:
                self._ended = self.exit_status
        return self._ended

    def end(self) -> None:
        if self._ended is None:
            self._ended = -signal.SIGKILL


_OUTLIVED = 'while kill -0 "$PPID"; do sleep 2; done; kill -9 "-$1"'


class Process:
    """A program of this machine, in a process group of its own.

    Args:
        args: as the pod was asked for, split as a shell splits; RunPod does not say how it does.
        env: the pod's variables, whole.
        folder: the container's disk: working directory and home.
        say: takes each line it prints.
    """

    def __init__(self, args: str, env: Mapping[str, str], folder: Path, say: Say) -> None:
        self._home = str(folder)
        path = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        self._process = subprocess.Popen(
            shlex.split(args), cwd=folder, env={**path, "HOME": str(folder), **env},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True, text=True, errors="replace",
        )  # fmt: skip
        # tests that are killed leave no pod that asks a dead emulator for its end for ever
        self._watcher = subprocess.Popen(
            ["sh", "-c", _OUTLIVED, "watcher", str(self._process.pid)], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, args=(say,), daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def _read(self, say: Say) -> None:
        assert self._process.stdout is not None
        with self._process.stdout:
            for line in self._process.stdout:
                say(line.rstrip("\n"))

    def status(self) -> int | None:
        status = self._process.poll()
        if status is not None:
            self._unwatch()
            # what it still had to say comes before its end
            self._reader.join(timeout=5)
        return status

    def end(self) -> None:
        # a container takes all its processes with it
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, number)
            except ProcessLookupError:
                break
            try:
                self._process.wait(timeout=1)
            except subprocess.TimeoutExpired:
                continue
        for pid in _at_home(self._home):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(timeout=10)
        self._unwatch()
        self._reader.join(timeout=5)

    def _unwatch(self) -> None:
        if self._watcher.poll() is None:
            os.killpg(self._watcher.pid, signal.SIGKILL)
            self._watcher.wait()


def _at_home(home: str) -> list[int]:
    """Processes of this container, also those in groups of their own."""
    wanted, found = f"HOME={home}".encode(), []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


def placed(text: str, mounts: Mapping[str, Path]) -> str:
    """A text with each mounted path replaced by the folder that stands for it here."""
    for path, folder in mounts.items():
        text = re.sub(
            rf"(?<![\w/]){re.escape(path.rstrip('/'))}(?=[/\s'\":,;]|$)", str(folder), text
        )
    return text
