# ruff: noqa: F401 - imported for the forks, which import them late
"""Runs ``train.sft`` in forks of a process that has its imports: a run that is killed costs little.

Started as a program; takes one JSON object per line: ``plan``, and with ``kill_at`` the step from
whose end the run has ``wait_s`` to live. Tells what the runs tell, then
``{"event": "ended", "status": ...}``.
"""

import json
import os
import signal
import sys
import threading

import torch.utils.tensorboard

import train.burn_in
import train.device
import train.evals
import train.guards
import train.load
import train.memory_bound
import train.preference_trainer
import train.render
import train.trainer
from train import sft


class Doomed(sft.Events):
    """Events of a run that gets a SIGKILL some time after a step, wherever it is by then."""

    kill_at: int
    wait_s: float
    kill: threading.Timer | None = None

    def __call__(self, event: dict) -> None:
        super().__call__(event)
        if event["event"] == "step" and event["step"] >= self.kill_at and self.kill is None:
            self.kill = threading.Timer(self.wait_s, os.kill, (os.getpid(), signal.SIGKILL))
            self.kill.start()


def run(order: dict) -> int:
    if "kill_at" in order:
        Doomed.kill_at, Doomed.wait_s = order["kill_at"], order["wait_s"]
        sft.Events = Doomed
    return sft.main([order["plan"]])


if __name__ == "__main__":
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = run(json.loads(line))
            finally:
                os._exit(status)
        _, ended = os.waitpid(child, 0)
        told = {"event": "ended", "status": os.waitstatus_to_exitcode(ended)}
        os.write(1, json.dumps(told).encode() + b"\n")
