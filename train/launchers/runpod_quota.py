"""How long RunPod asks to wait: ``Retry-After`` and ``RateLimit``."""

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

_MEMBER = re.compile(r'"(?P<name>[^"]*)"(?P<rest>[^,]*)')
_NUMBER = re.compile(r";\s*([rt])\s*=\s*(\d+)")


class Window(NamedTuple):
    """One window of the quota.

    Attributes:
        name: minute, hour or day.
        left: requests left in it.
        reset_s: seconds until it begins anew.
    """

    name: str
    left: int
    reset_s: int


def windows(header: str | None) -> list[Window]:
    """The windows in a ``RateLimit`` header, such as ``"minute";r=0;t=12, "hour";r=2800;t=1812``.

    What cannot be read is left out: the header only advises.
    """
    found = []
    for member in _MEMBER.finditer(header or ""):
        numbers = {name: int(value) for name, value in _NUMBER.findall(member["rest"])}
        if numbers.keys() == {"r", "t"}:
            found.append(Window(member["name"], numbers["r"], numbers["t"]))
    return found


def used_up_s(header: str | None) -> float:
    """Seconds until a request is allowed again by the ``RateLimit`` header; 0 where one is left."""
    return float(max((one.reset_s for one in windows(header) if one.left == 0), default=0))


def retry_after_s(header: str | None, now: datetime) -> float | None:
    """Seconds in a ``Retry-After`` header, given as such or as a date; None where it says neither.

    Args:
        header: the header.
        now: UTC, for a date.
    """
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            moment = parsedate_to_datetime(header)
        except ValueError:
            return None
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = (aware - now).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None
