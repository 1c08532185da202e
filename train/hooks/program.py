"""Programs that hooks start: without a shell, in a group of their own, seeing what they are shown.

A command sees the variables that its hook names; a training is turnmill itself and sees all.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from ingest.settings import passed_on, with_variables
from ingest.workspace import Workspace
from train.hooks.event import Event
from train.hooks.outbox import private_log
from train.hooks.post import Outcome
from train.hooks.spec import HookSpec

CHAIN = "TURNMILL_HOOK_CHAIN"
_SHOWN = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR")
_GRACE_S = 5.0


def run_command(hook: HookSpec, event: Event, workspace: Workspace, log: Path) -> Outcome:
    """Run a hook's command in the workspace's folder; the event is on its stdin as JSON.

    Args:
        hook: with a command.
        event: whose values stand in its placeholders.
        workspace: the folder it runs in.
        log: what it prints is added there.
    """
    shown = passed_on([*_SHOWN, *hook.env])
    home = str(workspace.home.absolute())
    environment = {**shown, "TURNMILL_HOME": home, CHAIN: _chain(hook, event)}
    return _run(hook.arguments(event), environment, event.body(), workspace, log, hook.limit_s)


def run_training(hook: HookSpec, event: Event, workspace: Workspace, log: Path) -> Outcome:
    """Run ``turnmill train`` with a hook's spec to its end.

    Args:
        hook: with a training.
        event: that led to it.
        workspace: the spec lies in it.
        log: what is printed is added there.
    """
    home = str(workspace.home.absolute())
    spec = str((workspace.home / _spec(hook)).absolute())
    arguments = [
        *(sys.executable, "-P", "-m", "serve.cli", "train", spec),
        *("--launcher", hook.launcher, "--home", home, "--json"),
    ]
    environment = with_variables({CHAIN: _chain(hook, event)})
    return _run(arguments, environment, b"", workspace, log, None)


def _spec(hook: HookSpec) -> Path:
    assert hook.train is not None
    return hook.train


def _chain(hook: HookSpec, event: Event) -> str:
    return ",".join([*event.chain, hook.name])


def _run(
    arguments: list[str],
    environment: dict[str, str],
    said: bytes,
    workspace: Workspace,
    log: Path,
    timeout_s: float | None,
) -> Outcome:
    started = time.monotonic()

    def outcome(status: int | None, error: str | None) -> Outcome:
        return Outcome(round((time.monotonic() - started) * 1000), status, error)

    with private_log(log) as output:
        try:
            process = subprocess.Popen(
                arguments,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=workspace.home,
                start_new_session=True,
            )
        except FileNotFoundError:
            return outcome(None, "no such program")
        except OSError as error:
            return outcome(None, f"not started: {error.strerror}")
        try:
            process.communicate(said, timeout_s)
        except subprocess.TimeoutExpired:
            _end_group(process)
            return outcome(None, "timeout")
        except BaseException:
            _end_group(process)
            raise
    code = process.returncode
    if code < 0:
        return outcome(code, f"ended by {signal.Signals(-code).name}")
    return outcome(code, f"exit {code}" if code else None)


def _end_group(process: "subprocess.Popen[bytes]") -> None:
    """End a program with all that it started in its group: first asked, then killed."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
        # what it started may outlive it
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
