"""The process that stays when a command has ended: ``python -m train.hooks.courier HOME ...``.

It tries again what failed, for as long as it is told, or it makes one delivery that takes long.
"""

import argparse
from pathlib import Path

from ingest.workspace import Workspace
from train.hooks.deliver import deliver
from train.hooks.flush import flush
from train.hooks.outbox import Outbox, held
from train.hooks.spec import load_hooks


def main() -> None:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser()
    parser.add_argument("home", type=Path)
    parser.add_argument("--wait", type=float, default=0.0)
    parser.add_argument("--event")
    parser.add_argument("--hook")
    parser.add_argument("--again", action="store_true")
    asked = parser.parse_args()
    workspace = Workspace(asked.home)
    if asked.event:
        event = Outbox(workspace).find(asked.event)
        deliver(event, asked.hook, load_hooks(workspace), workspace, again=asked.again)
        return
    with held(workspace.hooks) as mine:
        if mine:  # one is enough
            flush(workspace, wait_s=asked.wait)


if __name__ == "__main__":
    main()
