"""How the program that trains tells what happens, and hears that it shall stop."""

import contextlib
import os
import signal
from collections.abc import Iterator
from types import FrameType
from typing import IO, Any

import orjson


class Events:
    """Writes each event to all files; a listener that has gone is left out from then on."""

    def __init__(self, *files: IO[bytes]) -> None:
        self.files = list(files)

    def __call__(self, event: dict[str, Any]) -> None:
        """Write one event."""
        line = orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE)
        for file in list(self.files):
            try:
                _write_line(file, line)
            except BrokenPipeError:
                # the run is worth more than its listener
                self.files.remove(file)


def _write_line(file: IO[bytes], line: bytes) -> None:
    """Write a line to an unbuffered file, whole or, where there is no room, not at all."""
    before = file.seek(0, os.SEEK_END) if file.seekable() else None
    left = memoryview(line)
    try:
        while left:
            left = left[file.write(left) :]
    except OSError:
        if before is not None:
            file.truncate(before)
        raise


class StopRequest:
    """Set by the first signal; the second one stops at once."""

    def __init__(self) -> None:
        self.requested = False

    def __call__(self) -> bool:
        """Whether somebody has asked to stop."""
        return self.requested

    @contextlib.contextmanager
    def on_signals(self) -> Iterator[None]:
        """Listen to SIGINT and SIGTERM inside the block."""

        def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
            if self.requested:
                raise KeyboardInterrupt
            self.requested = True

        before = {number: signal.signal(number, handle) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


_SIGNALS = (signal.SIGINT, signal.SIGTERM)
