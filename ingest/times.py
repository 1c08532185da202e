"""Times as exports write them. A time without a zone stays naive: nothing here guesses one."""

from datetime import UTC, datetime

_FIRST = datetime(1980, 1, 1, tzinfo=UTC).timestamp()
_LAST = datetime(2200, 1, 1, tzinfo=UTC).timestamp()


def from_epoch(seconds: float | None) -> datetime | None:
    """Aware UTC time of Unix seconds; None for null, zero and absurd values.

    Chats are younger than 1980: 0, negative numbers and milliseconds taken for seconds are
    faults of the export, and an invented date would be worse than none.
    """
    if seconds is None or not _FIRST <= seconds < _LAST:
        return None
    return datetime.fromtimestamp(seconds, UTC)
