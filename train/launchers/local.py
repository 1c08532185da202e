"""Trains on this machine, in a process group of its own."""

import contextlib
import importlib.metadata
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType

import orjson

from train.distributed import peer_failure
from train.failures import BUG, HOST_MEMORY, KILLED, STALL, BusyError
from train.host_memory import oom_kills
from train.launchers.base import OnEvent
from train.plan import PLAN, TrainPlan
from train.processes import lock
from train.record import Failure, RunRecord, read_record

# what training needs of the environment; tokens and keys are not among it
_PASSED = frozenset({
    "PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH",
    "HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME", "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER",
    "CUDA_HOME", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "PYTORCH_CUDA_ALLOC_CONF",
    "PYTORCH_ALLOC_CONF",
})  # fmt: skip
# the base model is here already: the run itself asks nobody
_SET = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONUNBUFFERED": "1",
    # torchrun kills processes that end no sooner: they come to their checkpoint
    "TORCH_ELASTIC_SHUTDOWN_TIMEOUT": "300",
}
_ALLOCATOR = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF")
LOG = "log.txt"
# of train.sft: another process does this run
BUSY = 4
_STACKS_WRITTEN_S = 2.0


class LocalLauncher:
    """Runs the plan on this machine.

    Args:
        memory_limit_gib: what the run may hold of the device's memory; left out: all.
    """

    name = "local"

    def __init__(self, memory_limit_gib: float | None = None) -> None:
        self.memory_limit_gib = memory_limit_gib

    def launch(self, plan: TrainPlan, on_event: OnEvent) -> RunRecord:
        """See :class:`train.launchers.base.Launcher`; what libraries print goes to ``log.txt``.

        Raises:
            BusyError: another process does this run.
        """
        refuse_if_busy(plan)
        command = [sys.executable, *program(plan)]
        if self.memory_limit_gib is not None:
            command += ["--memory-limit", str(self.memory_limit_gib)]
        kills_before = oom_kills()
        # a group of its own: Ctrl-C reaches it once, through us
        with (
            (plan.run_dir / LOG).open("ab") as log,
            subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment(),
                start_new_session=True,
            ) as process,
        ):
            try:
                with _signals_forwarded(process):
                    stalled = _Watch(process, on_event, plan.stall_s).follow()
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
            status = process.wait()
        record = read_record(plan.run_dir)
        if status == BUSY:
            raise _busy(plan)
        if stalled is not None:
            return _failed(record, stalled)
        return _agreed(record, status, out_of_memory=oom_kills() != kills_before)


def program(plan: TrainPlan) -> list[str]:
    """What Python is given to run a plan, on as many processes as it says."""
    run = ["-m", "train.sft", str(plan.run_dir / PLAN)]
    if plan.processes == 1:
        return run
    several = ["--standalone", f"--nproc_per_node={plan.processes}"]
    return ["-m", "torch.distributed.run", *several, *run]


def refuse_if_busy(plan: TrainPlan) -> None:
    """Refuse a run that another process does.

    Raises:
        BusyError: names that process.
    """
    with lock(plan.run_dir) as held:
        if held is None:
            raise _busy(plan)


def _busy(plan: TrainPlan) -> BusyError:
    process = read_record(plan.run_dir).process
    who = f"process {process.pid}" if process else "another process"
    return BusyError(
        f"{plan.run_id}: {who} is doing this run",
        f"wait for it (turnmill runs; {plan.run_dir / 'metrics.jsonl'}), or end that process",
    )


@contextlib.contextmanager
def _signals_forwarded(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """The first and second Ctrl-C ask the program to stop, the third kills it."""
    asked = 0

    def forward(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        nonlocal asked
        asked += 1
        if process.poll() is None:
            os.killpg(process.pid, number if asked < 3 else signal.SIGKILL)

    # Python hands signals to its main thread only
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {one: signal.signal(one, forward) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Watch:
    """Passes events on, and ends a program that gives no sign of life."""

    def __init__(
        self, process: "subprocess.Popen[bytes]", on_event: OnEvent, stall_s: float
    ) -> None:
        self._process = process
        self._on_event = on_event
        self._stall_s = stall_s
        self._rest = b""
        self._last = "starting"

    def follow(self) -> Failure | None:
        """Until the program ends; the failure where it had to be ended."""
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        heard = time.monotonic()
        while True:
            left = heard + self._stall_s - time.monotonic()
            if left <= 0:
                return self._ended()
            if not select.select([pipe], [], [], left)[0]:
                continue
            chunk = os.read(pipe, 1 << 16)
            if not chunk:
                self._process.wait()
                return None
            self._pass_on(chunk)
            heard = time.monotonic()

    def _pass_on(self, chunk: bytes) -> None:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            event = orjson.loads(line)
            self._last = event.get("doing") or event["event"]
            self._on_event(event)

    def _ended(self) -> Failure:
        # train.sft writes the stacks of its threads at this signal
        os.killpg(self._process.pid, signal.SIGUSR1)
        # one that was stopped could not
        os.killpg(self._process.pid, signal.SIGCONT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_STACKS_WRITTEN_S)
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        return Failure(
            kind=STALL,
            message=f"no sign of life for {self._stall_s:g} s after '{self._last}'; it was ended",
            advice=f"where it stood is at the end of {LOG} in the run's folder; --resume goes on"
            " from the last checkpoint, a larger stall_minutes waits longer",
        )


def environment() -> dict[str, str]:
    """The environment of a program of ours: what it needs, no tokens and keys, no network."""
    passed = {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED or name.startswith("LC_")
    }
    made = {**passed, **_SET}
    if not any(name in passed for name in _ALLOCATOR):
        # memory between blocks is used again by larger ones: fewer runs end for want of it
        made[_allocator_name()] = "expandable_segments:True"
    return made


def _allocator_name() -> str:
    """What the installed torch calls its allocator's settings; the old name warns since 2.9."""
    try:
        version = importlib.metadata.version("torch").split(".")
    except importlib.metadata.PackageNotFoundError:
        return _ALLOCATOR[0]
    return _ALLOCATOR[0 if (int(version[0]), int(version[1])) >= (2, 9) else 1]


def _agreed(record: RunRecord, status: int, *, out_of_memory: bool) -> RunRecord:
    """The record, corrected where the program ended without a last word."""
    said = {0: "succeeded", 1: "failed", 2: "failed", 130: "interrupted"}
    if said.get(status) == record.state:
        return record
    if record.plan.processes > 1 and status > 0:
        # torchrun has one status for all that is not well: the record knows, if it came to a word
        if record.state == "running":
            return _failed(record, peer_failure(record.plan.run_dir, record.run_id, wait=False))
        if record.state != "planned":
            return record
    again = f"turnmill train --resume {record.run_id} goes on from the last checkpoint"
    if status == -signal.SIGKILL and out_of_memory:
        failure = Failure(
            kind=HOST_MEMORY,
            message="the kernel ended the training program: the machine's memory ran out",
            advice=f"end other programs or take a machine with more memory; {again}",
        )
    elif status < 0:
        name = signal.Signals(-status).name
        unknown = (
            "; who sent it is not known: memory of the machine ran out, or somebody ended it"
            if status == -signal.SIGKILL
            else ""
        )
        failure = Failure(
            kind=KILLED, message=f"the training program was ended by {name}{unknown}", advice=again
        )
    else:
        failure = Failure(
            kind=BUG,
            message=f"the training program ended with status {status}",
            advice=f"see {record.plan.run_dir / LOG}",
        )
    return _failed(record, failure)


def _failed(record: RunRecord, failure: Failure) -> RunRecord:
    return record.entered("failed", failure=failure).write(record.plan.run_dir)
