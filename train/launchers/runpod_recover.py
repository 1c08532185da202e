"""What follows after a pod that did not succeed. Pure: how it ended in, what is done out."""

from typing import NamedTuple

from train.failures import (
    BUG,
    CARD,
    CARRIER,
    DATA,
    DISK,
    HOST_MEMORY,
    INSTALL,
    KILLED,
    MAX_HOURS,
    MAX_USD,
    NAN,
    NO_GPU,
    OUT_OF_MEMORY,
    STALL,
    TEMPLATE,
)
from train.launchers.runpod_watch import Ended
from train.record import Failure

LOST, IMAGE, STUCK = "lost", "image", "stuck"
BUDGET, NO_MACHINE, UNVERIFIED = "budget", "no-machine", "unverified"


class Action(NamedTuple):
    """What is done.

    Attributes:
        again: on another pod, from the last whole checkpoint.
        why: one line, for people.
        avoid: this type of card is asked for after all others.
        more_memory: only cards with more memory than this one.
        more_disk: with twice the container's disk.
    """

    again: bool
    why: str
    avoid: bool = False
    more_memory: bool = False
    more_disk: bool = False


_RESUMED = "a new pod goes on from the last whole checkpoint"
_BY_HOW = {
    "stuck": Action(True, "another machine is tried", avoid=True),
    "image": Action(True, "another machine is tried once more", avoid=True),
    "silent": Action(True, _RESUMED, avoid=True),
    "lost": Action(True, _RESUMED),
    "deadline": Action(False, "it was ended: its time is spent"),
}
_BY_CLASS = {
    NO_GPU: Action(True, "the machine had lost its cards; another is tried", avoid=True),
    CARD: Action(True, "somebody else held the card; another is tried", avoid=True),
    STALL: Action(True, _RESUMED, avoid=True),
    KILLED: Action(True, _RESUMED),
    CARRIER: Action(True, f"what did not arrive is done again: {_RESUMED}"),
    UNVERIFIED: Action(True, f"what did not arrive is done again: {_RESUMED}"),
    INSTALL: Action(False, "the image lacks what the run needs"),
    OUT_OF_MEMORY: Action(True, "a card with more memory goes on", more_memory=True),
    HOST_MEMORY: Action(True, "a machine of another kind goes on", avoid=True),
    DISK: Action(True, "a pod with twice the disk goes on", more_disk=True),
    MAX_HOURS: Action(False, "its hours are spent; what it had done is kept"),
    MAX_USD: Action(False, "its money is spent; what it had done is kept"),
    DATA: Action(False, "another pod would fail the same way"),
    TEMPLATE: Action(False, "another pod would fail the same way"),
    NAN: Action(False, "another pod would fail the same way"),
    BUG: Action(False, "another pod would fail the same way"),
}
# a card that the image cannot reach once may be bad luck; twice it is the image
_IMAGE_TRIES = 2
# each such pod trains in vain
_CARRIED, _CARRIER_TRIES = frozenset({CARRIER, UNVERIFIED}), 2


def action_after(ended: Ended, before: int = 0) -> Action:
    """What follows after a pod.

    Args:
        ended: how it ended.
        before: how many pods of this run ended in the same way before it.
    """
    if ended.how == "image" and before + 1 >= _IMAGE_TRIES:
        return Action(False, "no machine can get this image")
    kind = ended.failure.kind if ended.failure is not None else ""
    if kind in _CARRIED and before + 1 >= _CARRIER_TRIES:
        return Action(False, "files do not arrive from any machine; what did arrive is kept")
    if ended.failure is not None:
        known = _BY_CLASS.get(ended.failure.kind)
        return known or Action(False, "another pod would fail the same way")
    return _BY_HOW.get(ended.how, Action(False, "the pod did not say why"))


def failure_of(ended: Ended, run_id: str) -> Failure:
    """Why a run failed whose last pod ended so."""
    if ended.failure is not None:
        return ended.failure
    again = f"turnmill train --resume {run_id} --launcher runpod goes on from the last checkpoint"
    kind = {"image": IMAGE, "stuck": STUCK, "silent": STALL, "deadline": MAX_HOURS}.get(
        ended.how, LOST
    )
    advice = "name an image that exists, with its tag" if ended.how == "image" else again
    return Failure(kind=kind, message=ended.message, advice=advice)
