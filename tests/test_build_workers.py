"""Builds by several processes that are interrupted, or lose one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from made import jsonl, record

from dataset.manifest import list_versions
from ingest.load import import_export
from ingest.processes import WorkerError, in_order
from ingest.store import open_store
from ingest.workspace import Workspace

pytestmark = pytest.mark.slow

SLOW = """
import time
from pathlib import Path
from dataset.manifest import StepReport
from dataset.steps.base import StepOptions, StepResult

class Slow:
    name, title, parallel, Options = "slow", "take a minute", True, StepOptions
    def __init__(self, options, context):
        self.mark = str(context.workspace.home / "working")
    def apply(self, frame):
        Path(self.mark).touch()
        time.sleep(60)
        return StepResult(frame, StepReport(name="slow", rows_in=len(frame), kept=len(frame)))
"""

RUN = """
import sys
from pathlib import Path
import slow_step
from dataset.steps import registry
registry.steps()["slow"] = slow_step.Slow
from serve.cli import main
if __name__ == "__main__":
    main()
"""


@pytest.fixture
def working(tmp_path: Path):
    """A build by two processes in a session of its own, in the midst of a slow step."""
    workspace = Workspace(tmp_path / "home").create()
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl(*[record(n) for n in range(20)]))
    with open_store(workspace.store) as store:
        import_export(path, store)
    (tmp_path / "slow_step.py").write_text(SLOW)
    (tmp_path / "run.py").write_text(RUN)
    (tmp_path / "spec.toml").write_text('name = "d"\nsteps = ["slow"]\n')
    command = [sys.executable, str(tmp_path / "run.py"), "build", str(tmp_path / "spec.toml")]
    process = subprocess.Popen(
        [*command, "--workers", "2", "--home", str(workspace.home)],
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 60
    while not (workspace.home / "working").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.05)
    yield process, workspace
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def group_is_gone(leader: int) -> bool:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            os.killpg(leader, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


def test_control_c_ends_all_processes_and_leaves_nothing(working):
    process, workspace = working
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert group_is_gone(process.pid)
    assert list((workspace.datasets / "d").iterdir()) == []
    assert list_versions(workspace) == []


def test_workers_end_when_their_parent_is_killed(working):
    process, workspace = working
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)
    assert group_is_gone(process.pid)
    assert list_versions(workspace) == []


def die(item: int) -> int:
    if item == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def test_a_worker_that_is_killed_is_an_error_the_user_can_mend():
    with pytest.raises(WorkerError, match="ended from outside") as caught:
        list(in_order(die, range(50), 2))
    assert "--workers" in caught.value.hint


def fail(item: int) -> int:
    if item == 30:
        raise ValueError("no")
    return item


def test_an_error_of_a_step_comes_out_as_it_is():
    with pytest.raises(ValueError, match=r"^no$"):
        list(in_order(fail, range(50), 2))


def same(item: int) -> int:
    time.sleep(0.01 * (item % 3))
    return item


def test_what_comes_out_is_in_order():
    assert list(in_order(same, range(40), 3)) == list(range(40))


def big(item: int) -> bytes:
    return bytes([item]) * (16 << 20)  # far more than a pipe takes at once


def test_leaving_early_does_not_wait_for_results_that_never_come():
    for _ in range(4):
        results = in_order(big, range(50), 2)
        assert next(results)[0] == 0
        started = time.monotonic()
        results.close()
        assert time.monotonic() - started < 20
