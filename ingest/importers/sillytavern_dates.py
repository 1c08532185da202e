"""Dates as versions of SillyTavern wrote them: local times whose zone most do not state."""

import re
from datetime import datetime
from typing import Any

from ingest.times import from_any, from_iso

_HUMANIZED = re.compile(
    r"(?P<y>\d{4})-(?P<mo>\d{1,2})-(?P<d>\d{1,2}) ?@ ?"
    r"(?P<h>\d{1,2})h ?(?P<mi>\d{1,2})m ?(?P<s>\d{1,2})s ?(?:(?P<ms>\d{1,3})ms)?"
)
_WORDED = re.compile(
    r"(?P<month>[A-Za-z]{3,9}) (?P<d>\d{1,2}), (?P<y>\d{4}) (?P<h>\d{1,2}):(?P<mi>\d{2}) ?"
    r"(?P<half>[ap]m)",
    re.IGNORECASE,
)
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]


def from_tavern(value: Any) -> datetime | None:
    """The time of ``send_date`` or ``create_date``.

    ``2023-4-21 @20h 03m 06s 446ms``, ``2024-7-12@01h31m37s``, ``April 21, 2023 8:03pm``, ISO, and
    Unix milliseconds as a number or text. The first three are naive.
    """
    if not isinstance(value, str):
        return from_any(value)
    text = value.strip()
    if match := _HUMANIZED.match(text):
        parts = [match["y"], match["mo"], match["d"], match["h"], match["mi"], match["s"]]
        return _made(parts, int(match["ms"] or 0) * 1000)
    if match := _WORDED.match(text):
        month = match["month"][:3].lower()
        if month not in _MONTHS:
            return None
        hour = int(match["h"]) % 12 + (12 if match["half"].lower() == "pm" else 0)
        number = _MONTHS.index(month) + 1
        return _made([match["y"], str(number), match["d"], str(hour), match["mi"], "0"], 0)
    return from_iso(text) or from_any(text)


def _made(parts: list[str], microsecond: int) -> datetime | None:
    year, month, day, hour, minute, second = (int(part) for part in parts)
    try:
        return datetime(year, month, day, hour, minute, second, microsecond)
    except ValueError:
        return None
