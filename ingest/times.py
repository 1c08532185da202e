"""Times as exports write them. A time without a zone stays naive: nothing here guesses one."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ingest.errors import UserError

_FIRST = datetime(1980, 1, 1, tzinfo=UTC).timestamp()
_LAST = datetime(2200, 1, 1, tzinfo=UTC).timestamp()
_NUMBER = re.compile(r"\d{1,18}(\.\d+)?")
_APPLE_EPOCH = datetime(2001, 1, 1, tzinfo=UTC)


def from_epoch(seconds: float | None) -> datetime | None:
    """Aware UTC time of Unix seconds; None for null, zero and absurd values.

    Chats are younger than 1980: 0, negative numbers and milliseconds taken for seconds are
    faults of the export, and an invented date would be worse than none.
    """
    if seconds is None or not _FIRST <= seconds < _LAST:
        return None
    return datetime.fromtimestamp(seconds, UTC)


def from_epoch_ms(milliseconds: float | str | None) -> datetime | None:
    """Aware UTC time of Unix milliseconds, also written as text; None as for :func:`from_epoch`."""
    try:
        return from_epoch(float(milliseconds) / 1000) if milliseconds is not None else None
    except ValueError:
        return None


def from_apple(value: int | None) -> datetime | None:
    """Aware UTC time of an Apple date: nanoseconds since 2001, or seconds before iOS 11."""
    if not value:
        return None
    seconds = value / 1e9 if abs(value) > 1e11 else float(value)
    found = _APPLE_EPOCH + timedelta(seconds=seconds)
    return found if _FIRST <= found.timestamp() < _LAST else None


def from_iso(text: str | None) -> datetime | None:
    """The time of an ISO 8601 text: UTC if it states an offset, else naive; None if it is none.

    ``Z``, a blank in place of ``T`` and more than six digits of seconds are read too.
    """
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return in_utc(found) if 1980 <= found.year < 2200 else None


def in_utc(time: datetime) -> datetime:
    """An aware time in UTC, as the store keeps it; a naive one as it is.

    With its offset the same moment would hash differently before the store and after it.
    """
    return time if time.tzinfo is None or time.tzinfo is UTC else time.astimezone(UTC)


def naive_utc(time: datetime) -> datetime:
    """A time as the store's columns have it: UTC without a zone; a naive one as it is."""
    return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time


def from_any(value: object) -> datetime | None:
    """The time of a value whose form the export changes: ISO text, Unix seconds or milliseconds.

    MongoDB's extended JSON (``{"$date": ...}``, ``{"$numberLong": ...}``) is looked into.
    """
    while isinstance(value, dict) and value.keys() & {"$date", "$numberLong"}:
        value = value.get("$date", value.get("$numberLong"))
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value.strip()):
            return from_iso(value)
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    seconds = float(min(value, 1e18))
    return from_epoch(seconds / 1000 if seconds >= _LAST else seconds)


def sort_key(time: datetime | None) -> float:
    """A number that grows with time; a naive time counts as UTC here, and here only."""
    if time is None:
        return 0.0
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def in_zone(time: datetime | None, zone: str | None) -> datetime | None:
    """A naive time as local to ``zone``, in UTC; aware times and no zone leave it as it is.

    Raises:
        UserError: there is no such zone.
    """
    if time is None or zone is None or time.tzinfo is not None:
        return time
    try:
        return time.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    except OverflowError:  # of the year 1 or 9999: a damaged date
        return time
    except (ZoneInfoNotFoundError, ValueError):
        raise UserError(
            f"--tz {zone}: unknown zone", "use an IANA name such as Europe/Berlin"
        ) from None
