"""Server-sent events as RunPod streams logs in them."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from train.launchers.runpod_models import LogLine


class Event(NamedTuple):
    """One event.

    Attributes:
        id: where to go on, kept from the event before if this one has none.
        data: its data lines, joined.
    """

    id: str
    data: str


def events(lines: Iterable[str]) -> Iterator[Event]:
    """Cut a stream's lines into events; one that a cut stream left open is dropped.

    The rules are those of the HTML standard, section 9.2.6; event types and retry are not used.
    """
    last = ""
    data: list[str] = []
    for line in lines:
        if not line:
            if data:
                yield Event(last, "\n".join(data))
            data = []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "id" and "\0" not in value:
            last = value


class Seen:
    """Which log lines were shown already, so that going on shows none twice.

    A cursor is a time: several lines may share it, and whether a stream that goes on from it tells
    them again is not said. So the lines at the last cursor are remembered, and each is let through
    once more than it was seen.
    """

    def __init__(self, cursor: str = "") -> None:
        self.cursor = cursor
        self._at_cursor: Counter[tuple[str, str]] = Counter()
        self._told: Counter[tuple[str, str]] = Counter()

    def reconnected(self) -> None:
        """The next lines come from a new stream."""
        self._told = self._at_cursor.copy()

    def new(self, line: LogLine) -> bool:
        """Whether a line was not shown yet; moves the cursor."""
        key = (line.source, line.line)
        if line.cursor != self.cursor:
            self.cursor = line.cursor
            self._at_cursor, self._told = Counter(), Counter()
        elif self._told[key] > 0:
            self._told[key] -= 1
            return False
        self._at_cursor[key] += 1
        return True
