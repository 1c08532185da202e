"""What goes wrong with requests to the RunPod emulator, and what becomes of its pods."""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "status", "html", "drop", "hang", "lose", "late", "garbage", "truncate", "twice", "first"
]

ROUTES = [
    ("create", "POST", r"/v2/pods"),
    ("list", "GET", r"/v2/pods"),
    ("action", "POST", r"/v2/pods/[^/]+/action"),
    ("logs", "GET", r"/v2/pods/[^/]+/logs"),
    ("get", "GET", r"/v2/pods/[^/]+"),
    ("terminate", "DELETE", r"/v2/pods/[^/]+"),
    ("gpus", "GET", r"/v2/catalog/gpus"),
    ("cpus", "GET", r"/v2/catalog/cpus"),
    ("volumes", "GET", r"/v2/network-volumes"),
    ("create-volume", "POST", r"/v2/network-volumes"),
    ("delete-volume", "DELETE", r"/v2/network-volumes/[^/]+"),
    ("bills", "GET", r"/v2/billing/pods"),
]


def route_of(method: str, path: str) -> str:
    for name, of, pattern in ROUTES:
        if method == of and re.fullmatch(pattern, path):
            return name
    return "other"


@dataclass
class Fault:
    """A request that goes wrong.

    Attributes:
        route: a name of ``ROUTES``, or ``*``.
        kind: ``status`` answers a problem and does nothing; ``html`` answers a page and does
            nothing; ``drop`` closes the connection and does nothing; ``hang`` is silent and does
            nothing; ``lose`` does the work and closes; ``late`` does the work and is silent;
            ``garbage`` does the work and answers what is no JSON; ``truncate`` does it and answers
            half; ``twice`` does it twice; ``first`` calls ``action``, then goes on as usual.
        nth: the first call that goes wrong, 1 is the next.
        times: how many calls go wrong from there.
        status: for ``status`` and ``html``.
        effect: with ``status`` and ``html``: whether the work is done all the same.
    """

    route: str
    kind: Kind
    nth: int = 1
    times: int = 1
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    detail: str = "out of order"
    errors: list[str] = field(default_factory=list)
    effect: bool = False
    action: Callable[[], object] = lambda: None
    calls: int = 0


class Faults:
    """The script of what goes wrong."""

    def __init__(self) -> None:
        self.script: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, route: str, kind: Kind, **options: object) -> Fault:
        fault = Fault(route, kind, **options)  # type: ignore[arg-type]
        with self._lock:
            self.script.append(fault)
        return fault

    def take(self, route: str) -> Fault | None:
        with self._lock:
            for fault in self.script:
                if fault.route in (route, "*"):
                    fault.calls += 1
                    if fault.nth <= fault.calls < fault.nth + fault.times:
                        return fault
        return None


@dataclass
class Fate:
    """What becomes of a pod; the next one made takes the first in the queue.

    Attributes:
        stuck: the state it never leaves by itself.
        no_gpus: the container sees none.
        image_error: the image cannot be pulled; it stays in STARTING, or goes to ERROR.
        null_runtime: for how many looks ``runtime`` stays null although it runs.
        hidden: in how many lists it does not show yet.
        exits_s: seconds in RUNNING after which it is EXITED without anybody asking.
        errors_s: the same, ERROR.
        vanishes_s: seconds after its making at which it is gone, as when its host is taken back
            or somebody terminates it.
        renamed: the name that somebody gives it.
        dearer: its price is this many times the catalogue's.
        in_cluster: it belongs to a cluster.
    """

    stuck: Literal["PROVISIONING", "STARTING"] | None = None
    no_gpus: bool = False
    image_error: Literal["STARTING", "ERROR"] | None = None
    null_runtime: int = 0
    hidden: int = 0
    exits_s: float | None = None
    errors_s: float | None = None
    vanishes_s: float | None = None
    renamed: str | None = None
    dearer: float = 1.0
    in_cluster: bool = False
