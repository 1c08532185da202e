"""The journal of what was asked of RunPod, written before it is asked: no pod is forgotten.

``runpod/journal.jsonl``: one entry a line, flushed to disk before the call goes out. What pods
there are and what they cost is read from it (:mod:`train.launchers.runpod_attempts`). No entry
holds a token, a variable or an argument of a pod.
"""

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ingest.errors import UserError
from ingest.files import write_whole
from ingest.workspace import make_folder
from train.launchers.runpod_clock import Clock, SystemClock

JOURNAL = "journal.jsonl"
_WORKSPACE = "workspace.id"

Kind = Literal[
    "intent",  # a pod is about to be asked for
    "refused",  # none came to be
    "unknown",  # nobody knows whether one came to be
    "absent",  # looked for long enough: none came to be
    "placed",  # this is the attempt's pod
    "extra",  # another pod of the attempt: it is to be ended
    "ending",  # it is about to be ended
    "ended",  # it is gone
    "stopped",  # its machine is released, its disk is kept
    "verified",  # its artefacts were read back and are whole
]


class LedgerError(UserError):
    """The journal is damaged."""


class BusyError(UserError):
    """Another process looks after this run."""


class Slot(NamedTuple):
    """One attempt of a run.

    Attributes:
        run: the run's id.
        attempt: 1, 2, ...
    """

    run: str
    attempt: int

    @property
    def name(self) -> str:
        """The pod's name."""
        return f"turnmill-{self.run}-a{self.attempt}"


class Entry(BaseModel):
    """One line of the journal."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: datetime = Field(description="UTC")
    kind: Kind = Field(description="what happened, or is about to")
    run: str = Field(description="the run's id")
    attempt: int = Field(ge=1, description="of the run")
    name: str = Field(description="the pod's, as asked for")
    pod_id: str | None = Field(default=None, description="RunPod's")
    gpu: str | None = Field(default=None, description="type asked for")
    count: int | None = Field(default=None, description="cards asked for")
    cloud: str | None = Field(default=None, description="asked for")
    data_center: str | None = Field(default=None, description="where it is")
    usd_per_hour: float | None = Field(default=None, description="by the list, then by the pod")
    since: datetime | None = Field(default=None, description="from when on it is billed, UTC")
    dead_by: datetime | None = Field(default=None, description="when the pod must be gone, UTC")
    adopted: bool | None = Field(default=None, description="found, not answered")
    reason: str | None = Field(default=None, description="why, in our words or RunPod's, masked")


class Lease:
    """The right to ask for pods for a run; held by one process of a workspace at a time."""

    def __init__(self, run: str) -> None:
        self.run = run
        self.valid = True


class Ledger:
    """The journal and the locks of a workspace.

    Args:
        folder: ``runpod`` in the workspace; made on first use.
        clock: tells when an entry was written.
    """

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        make_folder(folder)
        self._folder = folder
        self.clock = clock or SystemClock()
        self._file = folder / JOURNAL

    @property
    def workspace_id(self) -> str:
        """By which the pods of this workspace are known among those of an account.

        Raises:
            LedgerError: it is not there yet and cannot be written.
        """
        file = self._folder / _WORKSPACE
        with self._writing(file), self._locked("workspace"):
            if not file.exists():
                with write_whole(file) as out:
                    out.write(secrets.token_hex(8).encode())
            return file.read_text("ascii").strip()

    def write(self, kind: Kind, slot: Slot, **facts: object) -> Entry:
        """Add an entry; it is on disk when this returns.

        Args:
            kind: what happened, or is about to.
            slot: whose pod.
            facts: other fields of :class:`Entry`.

        Raises:
            LedgerError: it cannot be written; then nothing may be asked of RunPod.
        """
        entry = Entry.model_validate(
            {"at": self.clock.now(), "kind": kind, "run": slot.run, "attempt": slot.attempt,
             "name": slot.name, **facts}
        )  # fmt: skip
        line = entry.model_dump_json(exclude_none=True).encode() + b"\n"
        with self._writing(self._file), self._locked("journal"):
            self._append(line)
        return entry

    def _append(self, line: bytes) -> None:
        new = not self._file.exists()
        handle = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            # a line that a crash cut short must not swallow this one
            left = line if self._whole() else b"\n" + line
            while left:
                left = left[os.write(handle, left) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        if new:
            _sync(self._folder)

    def entries(self, run: str | None = None) -> list[Entry]:
        """What was written, oldest first; a line that a crash cut short was never acted on.

        Args:
            run: only of this one.

        Raises:
            LedgerError: a whole line does not parse.
        """
        if not self._file.exists():
            return []
        found = []
        lines = self._file.read_bytes().split(b"\n")
        for number, line in enumerate(lines, 1):
            # the last line is what follows the last newline: nothing, or cut short
            if not line.strip() or number == len(lines):
                continue
            entry = _entry(line)
            if entry is None and not line.rstrip().endswith(b"}"):
                continue
            if entry is None:
                raise LedgerError(
                    f"{self._file}: line {number} cannot be read",
                    "look at your pods in RunPod's console, then move the file away",
                )
            found.append(entry)
        return [entry for entry in found if run in (None, entry.run)]

    @contextlib.contextmanager
    def lease(self, run: str) -> Iterator[Lease]:
        """Look after a run's pods, alone; the system lets go when the process ends.

        Raises:
            BusyError: another process does.
        """
        with (self._folder / f"{run}.lock").open("ab") as file:
            # somebody who only asks whether it is held holds it for a moment
            if not any(_try_lock(file.fileno(), wait_s) for wait_s in (0.0, 0.05, 0.2)):
                raise BusyError(
                    f"{run}: another process looks after this run's pod",
                    f"follow it with 'turnmill attach {run}', or end that process",
                )
            lease = Lease(run)
            try:
                yield lease
            finally:
                lease.valid = False

    def leased(self, run: str) -> bool:
        """Whether a process looks after a run now."""
        file = self._folder / f"{run}.lock"
        if not file.exists():
            return False
        with file.open("ab") as opened:
            return not _try_lock(opened.fileno())

    def _whole(self) -> bool:
        """Whether the journal ends with a whole line."""
        with self._file.open("rb") as file:
            if file.seek(0, os.SEEK_END) == 0:
                return True
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"

    @contextlib.contextmanager
    def _writing(self, file: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise LedgerError(
                f"{file}: cannot be written: {error.strerror}",
                "make room: without its journal no pod is asked for",
            ) from None

    @contextlib.contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        with (self._folder / f".{name}.lock").open("ab") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX)
            yield


def _entry(line: bytes) -> Entry | None:
    try:
        return Entry.model_validate_json(line)
    except ValidationError:
        return None


def _try_lock(handle: int, wait_s: float = 0.0) -> bool:
    time.sleep(wait_s)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
