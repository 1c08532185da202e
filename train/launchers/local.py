"""Trains on this machine, in a process group of its own."""

import os
import signal
import subprocess
import sys

import orjson

from train.launchers.base import OnEvent
from train.plan import PLAN, TrainPlan
from train.record import Failure, RunRecord, read_record

# what training needs of the environment; tokens and keys are not among it
_PASSED = frozenset({
    "PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH",
    "HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME", "CUDA_VISIBLE_DEVICES", "CUDA_HOME",
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "PYTORCH_CUDA_ALLOC_CONF",
})  # fmt: skip
# the base model is here already: the run itself asks nobody
_SET = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONUNBUFFERED": "1",
}
LOG = "log.txt"


class LocalLauncher:
    """Runs the plan on this machine."""

    name = "local"

    def launch(self, plan: TrainPlan, on_event: OnEvent) -> RunRecord:
        """See :class:`train.launchers.base.Launcher`; what libraries print goes to ``log.txt``."""
        command = [sys.executable, "-m", "train.sft", str(plan.run_dir / PLAN)]
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
                _followed(process, on_event)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
            status = process.wait()
        return _agreed(read_record(plan.run_dir), status, plan)


def _followed(process: "subprocess.Popen[bytes]", on_event: OnEvent) -> None:
    """Pass events on until the program ends; the first Ctrl-C asks it to stop, the third kills."""
    assert process.stdout is not None
    asked = 0
    while True:
        try:
            for line in process.stdout:
                on_event(orjson.loads(line))
            process.wait()
        except KeyboardInterrupt:
            asked += 1
            number = signal.SIGINT if asked < 3 else signal.SIGKILL
            if process.poll() is None:
                os.killpg(process.pid, number)
        else:
            return


def environment() -> dict[str, str]:
    """The environment of a program of ours: what it needs, no tokens and keys, no network."""
    passed = {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED or name.startswith("LC_")
    }
    return {**passed, **_SET}


def _agreed(record: RunRecord, status: int, plan: TrainPlan) -> RunRecord:
    """The record, corrected where the program ended without a last word."""
    said = {0: "succeeded", 1: "failed", 2: "failed", 130: "interrupted"}
    if said.get(status) == record.state:
        return record
    if status < 0:
        name = signal.Signals(-status).name
        failure = Failure(
            kind="killed",
            message=f"{plan.run_id}: the training program was ended by {name}",
            advice="SIGKILL mostly means that memory ran out; the same command goes on",
        )
    else:
        failure = Failure(
            kind="bug",
            message=f"{plan.run_id}: the training program ended with status {status}",
            advice=f"see {plan.run_dir / LOG}",
        )
    return record.entered("failed", failure=failure).write(plan.run_dir)
