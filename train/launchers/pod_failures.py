"""What a pod's failure is called: from the record, the exit status, the kernel and last lines.

Standard library and ``train.failures`` only, for a pod may have nothing else yet.
"""

import signal
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from train.failures import (
    BUG,
    CARRIER,
    DISK,
    HOST_MEMORY,
    INSTALL,
    KILLED,
    MAX_HOURS,
    MAX_USD,
    OUT_OF_MEMORY,
    STALL,
)

ADVICE = {
    OUT_OF_MEMORY: "resume it with less memory: a smaller max_length, or a larger card",
    HOST_MEMORY: "take a pod with more memory",
    DISK: "take a larger disk or volume, or lower keep_checkpoints",
    STALL: "resume it on another machine; it goes on from the last checkpoint",
    KILLED: "resume it; it goes on from the last checkpoint",
    MAX_HOURS: "raise max_hours and resume it; it goes on from the last checkpoint",
    MAX_USD: "raise max_usd and resume it; it goes on from the last checkpoint",
    INSTALL: "take an image that has what turnmill needs, or one that may install it",
    CARRIER: "see that the carrier can be reached from the pod, and launch it again",
    BUG: "see log.txt in the run's folder",
}
# the first that fits is meant; words as torch, NCCL and the kernel write them
_WORDS = (
    (OUT_OF_MEMORY, ("CUDA out of memory", "OutOfMemoryError", "CUBLAS_STATUS_ALLOC_FAILED")),
    (DISK, ("No space left on device", "Disk quota exceeded")),
    (STALL, ("Watchdog caught collective operation timeout", "NCCL WARN Timeout")),
)


class PodFailure(NamedTuple):
    """Why an attempt failed.

    Attributes:
        kind: class, see ``train.failures``.
        message: what happened, one line; never from the data.
        advice: what to do, one line.
    """

    kind: str
    message: str
    advice: str

    def told(self) -> dict[str, str]:
        """As it is written."""
        return {"class": self.kind, "message": self.message, "advice": self.advice}


def failure(kind: str, message: str) -> PodFailure:
    """One with the usual advice."""
    return PodFailure(kind, message, ADVICE[kind])


def ended_failure(
    status: int,
    recorded: Mapping[str, str] | None,
    last_lines: Iterable[str],
    *,
    oom_killed: bool = False,
) -> PodFailure:
    """Why a program that did not end well did not.

    Args:
        status: its exit status, negative for a signal.
        recorded: the failure that the run's record tells, if it tells one.
        last_lines: of its log.
        oom_killed: whether the kernel ended a process for want of memory meanwhile.
    """
    if recorded is not None:
        return PodFailure(recorded["class"], recorded["message"], recorded["advice"])
    if oom_killed and status != 0:
        return failure(HOST_MEMORY, "the kernel ended a program: the pod's memory ran out")
    text = "\n".join(last_lines)
    for kind, words in _WORDS:
        if any(word in text for word in words):
            return failure(kind, f"the training program ended with status {status} ({kind})")
    if status < 0:
        name = signal.Signals(-status).name
        return failure(KILLED, f"the training program was ended by {name}")
    return failure(BUG, f"the training program ended with status {status}")
