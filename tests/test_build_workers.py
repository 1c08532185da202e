"""Builds by several processes that are interrupted, or lose one."""

import itertools
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from multiprocessing.connection import Connection
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
import os
import time
from pathlib import Path
from dataset.manifest import StepReport
from dataset.steps.base import StepOptions, StepResult

class Slow:
    name, title, parallel, Options = "slow", "take a minute", True, StepOptions
    def __init__(self, options, context):
        self.mark = str(context.workspace.home / "working")
    def apply(self, frame):
        Path(f"{self.mark}-{os.getpid()}").touch()
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
def begin_build(tmp_path: Path):
    """Starts a build by two processes, with a step that takes long, in a session of its own."""
    workspace = Workspace(tmp_path / "home").create()
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl(*[record(n) for n in range(20)]))
    with open_store(workspace.store) as store:
        import_export(path, store)
    (tmp_path / "slow_step.py").write_text(SLOW)
    (tmp_path / "run.py").write_text(RUN)
    (tmp_path / "spec.toml").write_text('name = "d"\nsteps = ["slow"]\n')
    command = [sys.executable, str(tmp_path / "run.py"), "build", str(tmp_path / "spec.toml")]
    begun: list[subprocess.Popen[str]] = []

    def begin() -> tuple[subprocess.Popen[str], Workspace]:
        begun.append(
            subprocess.Popen(
                [*command, "--workers", "2", "--home", str(workspace.home)],
                start_new_session=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return begun[-1], workspace

    yield begin
    for process in begun:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.fixture
def working(begin_build):
    """Such a build in the midst of that step."""
    process, workspace = begin_build()
    until = time.monotonic() + 60
    while not list(workspace.home.glob("working-*")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.05)
    return process, workspace


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


def test_a_build_that_loses_a_process_says_so_within_seconds(working):
    process, workspace = working
    (mark,) = workspace.home.glob("working-*")
    started = time.monotonic()
    os.kill(int(mark.name.partition("-")[2]), signal.SIGKILL)
    _, errors = process.communicate(timeout=30)
    assert time.monotonic() - started < 10
    assert process.returncode == 2, errors
    assert "a worker process was ended from outside" in errors
    assert "Traceback" not in errors
    assert group_is_gone(process.pid)
    assert list((workspace.datasets / "d").iterdir()) == []
    assert list_versions(workspace) == []


@pytest.mark.parametrize("after", [0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5])
def test_control_c_while_processes_start_prints_no_traceback(begin_build, after):
    process, workspace = begin_build()
    until = time.monotonic() + 60
    while len(family(process.pid)) < 2:  # the resource tracker and the first worker
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.002)
    time.sleep(after)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert group_is_gone(process.pid)
    assert list_versions(workspace) == []


def family(parent: int) -> list[int]:
    """Processes that a process started."""
    found = subprocess.run(
        ["pgrep", "-P", str(parent)], check=False, capture_output=True, text=True
    )
    return [int(each) for each in found.stdout.split()]


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


class Sending:
    """Says which process made a result that is too large for a pipe."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, item: int) -> bytes:
        (self.folder / str(os.getpid())).touch()
        return big(item)


def test_a_process_killed_while_it_sends_keeps_nobody_waiting(tmp_path, monkeypatch):
    killed: list[int] = []
    read = Connection.recv_bytes

    def slow_to_read(pipe: Connection, *given: int) -> bytes:
        # meanwhile the sender has filled the pipe and waits with the rest of its message
        while not pipe.poll(30):
            pass
        if not killed:
            time.sleep(0.5)
            killed.extend(int(file.name) for file in tmp_path.iterdir())
            for each in killed:
                os.kill(each, signal.SIGKILL)
        return read(pipe, *given)

    monkeypatch.setattr(Connection, "recv_bytes", slow_to_read)
    started = time.monotonic()
    with pytest.raises(WorkerError, match="ended from outside"):
        list(in_order(Sending(tmp_path), range(50), 2))
    assert killed
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("after", [0.0, 0.3, 0.6, 0.9, 1.2])
def test_a_process_killed_at_any_moment_keeps_nobody_waiting(after):
    def kill() -> None:
        while not (found := multiprocessing.active_children()):
            time.sleep(0.01)
        time.sleep(after)
        os.kill(found[0].pid or 0, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    started = time.monotonic()
    with pytest.raises(WorkerError, match="ended from outside"):
        for _ in in_order(big, itertools.repeat(1), 2):
            pass
    killer.join()
    assert time.monotonic() - started < 20
    assert multiprocessing.active_children() == []


def fail_far_away(item: int) -> int:
    return fail(item)


def test_an_error_shows_where_in_the_other_process_it_was_raised():
    with pytest.raises(ValueError, match=r"^no$") as caught:
        list(in_order(fail_far_away, range(50), 2))
    assert "fail_far_away" in str(caught.value.__cause__)


def unpicklable(item: int) -> object:
    return lambda: item


def test_a_result_that_cannot_be_sent_is_an_error_not_a_wait():
    with pytest.raises((AttributeError, pickle.PicklingError), match="pickle"):
        list(in_order(unpicklable, range(5), 2))


def test_a_process_that_ends_leaves_no_noise(capfd):
    assert list(in_order(with_polars, range(4), 2)) == [1] * 4
    assert capfd.readouterr() == ("", "")


def with_polars(_item: int) -> int:
    import duckdb
    import polars as pl

    return len(pl.DataFrame(duckdb.sql("SELECT 1").arrow()))
