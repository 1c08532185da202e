"""Starts ``train.hooks.courier``, which goes on when a command of ours has ended.

What is still open when the courier ends is tried by the next ``turnmill hooks flush``.
"""

import subprocess
import sys
import threading
from pathlib import Path

from ingest.workspace import Workspace, make_folder
from train.hooks.outbox import LOG, Outbox, private_log

STAYS_S = 900.0


def start_courier(workspace: Workspace) -> None:
    """Start the process that tries again what failed; a second one ends at once."""
    _start(["--wait", str(STAYS_S)], workspace, workspace.hooks / "courier.txt")


def start_delivery(event_id: str, hook: str, workspace: Workspace, *, again: bool) -> None:
    """Start the process that makes one delivery."""
    place = Outbox(workspace).place(event_id, hook)
    make_folder(place)
    more = ["--again"] if again else []
    _start(["--event", event_id, "--hook", hook, *more], workspace, place / LOG)


def _start(arguments: list[str], workspace: Workspace, log: Path) -> None:
    home = str(workspace.home.absolute())
    # -P: a file in the current folder must not take the place of a module
    command = [sys.executable, "-P", "-m", "train.hooks.courier", home, *arguments]
    with private_log(log) as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    # it outlives a command, but in a service somebody must take its exit status
    threading.Thread(target=process.wait, daemon=True).start()
