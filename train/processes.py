"""Which process does a run, told so that another one of the same number is not taken for it."""

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

LOCK = ".lock"
_PROC = Path("/proc")
_BOOT = _PROC / "sys/kernel/random/boot_id"
# of /proc/<pid>/stat after the name in brackets: the 22nd field of all, counted from 1
_START_FIELD = 22 - 3
_STATE_FIELD = 0


class ProcessId(BaseModel):
    """A process, distinct from all before and after it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pid: int = Field(description="its number")
    started: str = Field(description="when, as the system tells it")
    boot: str = Field(description="of which start of which machine; empty where not told")


def this_process() -> ProcessId:
    """The process that asks."""
    pid = os.getpid()
    return ProcessId(pid=pid, started=_started(pid) or "", boot=_boot())


def lives(process: ProcessId) -> bool | None:
    """Whether a process still runs; None where this machine, as started now, cannot know."""
    if process.boot != _boot():
        return None
    return _started(process.pid) == process.started


def _boot() -> str:
    return _BOOT.read_text("ascii").strip() if _BOOT.exists() else ""


def _started(pid: int) -> str | None:
    """When a process was started; None when there is none, or only its exit status is left."""
    if not _BOOT.exists():
        return _started_by_ps(pid)
    try:
        told = (_PROC / str(pid) / "stat").read_text("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = told.rpartition(")")[2].split()
    return None if fields[_STATE_FIELD] in "ZX" else fields[_START_FIELD]


def _started_by_ps(pid: int) -> str | None:
    """The same where there is no ``/proc`` (macOS)."""
    done = subprocess.run(
        ["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or None


@contextmanager
def lock(folder: Path, inherited: int | None = None) -> Iterator[int | None]:
    """Hold the lock of a run's folder inside the block.

    The kernel frees it when the process ends, however it ends.

    Args:
        folder: the run's.
        inherited: a descriptor that holds it already.

    Yields:
        The descriptor; None where another process holds the lock.
    """
    handle = inherited
    if handle is None:
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    else:
        os.set_inheritable(handle, False)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        yield None
        return
    try:
        yield handle
    finally:
        os.close(handle)
