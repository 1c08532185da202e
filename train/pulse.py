"""Signs of life between events, given only where something has really moved."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Emit = Callable[[dict[str, Any]], None]
EVERY_S = 30.0


class Pulse:
    """Passes events on, and tells that a run lives when there was none for a while.

    Args:
        emit: takes each event.
        every_s: seconds without an event after which a beat becomes one.
        clock: seconds that only grow.
    """

    def __init__(
        self, emit: Emit, every_s: float = EVERY_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._emit = emit
        self._every_s = every_s
        self._clock = clock
        self._last = clock()
        # the watch over a folder speaks from a thread of its own
        self._lock = threading.Lock()

    def emit(self, event: dict[str, Any]) -> None:
        """Pass an event on."""
        with self._lock:
            self._last = self._clock()
            self._emit(event)

    def beat(self, doing: str) -> None:
        """Something was done: tell it if nothing was told for a while."""
        if self._clock() - self._last >= self._every_s:
            self.emit({"event": "heartbeat", "doing": doing})

    @contextmanager
    def watching(self, folder: Path, doing: str) -> Iterator[None]:
        """Beat inside the block for as long as the files of ``folder`` grow."""
        done = threading.Event()

        def watch() -> None:
            before = -1
            while not done.wait(self._every_s):
                size = _bytes_in(folder)
                if size != before:
                    self.beat(doing)
                before = size

        thread = threading.Thread(target=watch, name="pulse", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def _bytes_in(folder: Path) -> int:
    total = 0
    for file in folder.rglob("*"):
        try:
            total += file.stat().st_size
        except FileNotFoundError:  # renamed meanwhile
            total += 1
    return total
