"""What a pod says: its log as a run's events, taken while a thread listens to the stream."""

import contextlib
import json
import queue
import threading
from collections.abc import Callable
from typing import Any, Protocol

from train.launchers.runpod_api import RunPod
from train.launchers.runpod_errors import GoneError, RunPodError
from train.launchers.runpod_events import Seen
from train.launchers.runpod_models import LogLine

PREFIX = "turnmill {"
_AGAIN_S = 20.0


class Lines(Protocol):
    """A pod's log, each line once."""

    def take(self) -> list[LogLine]:
        """What came since the last call; never waits for more."""
        ...

    def close(self) -> None:
        """Listen no longer."""
        ...


Listen = Callable[[RunPod, str], Lines]


class PolledLines:
    """Asks for what is new each time; for streams that end by themselves.

    Args:
        api: RunPod.
        pod_id: whose log.
    """

    def __init__(self, api: RunPod, pod_id: str) -> None:
        self._api, self._pod_id, self._seen = api, pod_id, Seen()

    def take(self) -> list[LogLine]:
        """See :class:`Lines`."""
        self._seen.reconnected()
        found = []
        with contextlib.suppress(RunPodError):
            lines = self._api.logs(self._pod_id, after=self._seen.cursor, tail=5000)
            # what came before a stream was cut was seen, and must not be lost
            for line in filter(self._seen.new, lines):
                found.append(line)  # noqa: PERF402
        return found

    def close(self) -> None:
        """See :class:`Lines`."""


class StreamedLines:
    """Listens in a thread and goes on where a stream was cut.

    A log that cannot be had loses a run nothing: the pod also tells on the carrier how it stands.

    Args:
        api: RunPod.
        pod_id: whose log.
    """

    def __init__(self, api: RunPod, pod_id: str) -> None:
        self._api, self._pod_id = api, pod_id
        self._found: queue.SimpleQueue[LogLine] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        cursor = ""
        while not self._closed.is_set():
            with contextlib.suppress(RunPodError):
                for line in self._api.follow(self._pod_id, after=cursor, over=self._over):
                    cursor = line.cursor
                    self._found.put(line)
                    if self._closed.is_set():
                        return
            if self._over():
                return
            self._closed.wait(_AGAIN_S)

    def _over(self) -> bool:
        if self._closed.is_set():
            return True
        try:
            return self._api.pod(self._pod_id).over
        except GoneError:
            return True

    def take(self) -> list[LogLine]:
        """See :class:`Lines`."""
        found = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._found.get_nowait())
        return found

    def close(self) -> None:
        """See :class:`Lines`; a stream that is silent ends with its connection."""
        self._closed.set()


def event_in(line: LogLine) -> dict[str, Any] | None:
    """The event that a line tells; None for what other programs print."""
    if line.source != "container" or not line.line.startswith(PREFIX):
        return None
    try:
        found = json.loads(line.line[len(PREFIX) - 1 :])
    except ValueError:
        # cut short by the log
        return None
    return found if isinstance(found, dict) and isinstance(found.get("event"), str) else None


def image_fault(line: LogLine) -> bool:
    """Whether RunPod says that the image cannot be had."""
    said = line.line.casefold()
    return line.source == "system" and "image" in said and ("error" in said or "fail" in said)
