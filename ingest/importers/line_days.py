"""Date lines of LINE: ``2024/01/15(Mon)`` says its order, ``Mon, 1/15/2024`` by its weekday.

The order of day and month is decided over the whole file; a file that leaves it open is refused.
"""

import re
from datetime import date

from ingest.errors import ExportError
from ingest.importers.base import DateOrder

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Days:
    """Reads date lines once all of them have been added."""

    def __init__(self) -> None:
        self._mdy = self._dmy = True
        self._differ = False
        self._mdy_wins = True

    def add(self, match: re.Match[str]) -> None:
        """Note what a date line tells about the order."""
        if match["y"]:
            return
        mdy, dmy = _ordered(match, mdy=True), _ordered(match, mdy=False)
        self._differ = self._differ or mdy != dmy
        self._mdy = self._mdy and _is_right(mdy, match["weekday"])
        self._dmy = self._dmy and _is_right(dmy, match["weekday"])

    def decide(self, order: DateOrder, file: str) -> None:
        """Choose the order.

        Raises:
            ExportError: dates and weekdays leave it open and ``order`` does not say.
        """
        if order in ("mdy", "dmy"):
            self._mdy_wins = order == "mdy"
        elif self._differ and self._mdy == self._dmy:
            raise ExportError(
                f"{file}: the order of day and month cannot be inferred from its dates",
                "pass --date-order mdy or dmy",
            )
        else:
            self._mdy_wins = self._mdy

    def day(self, match: re.Match[str]) -> date | None:
        """The day of a date line; None if there is no such day."""
        if match["y"]:
            return _date(match["y"], match["m"], match["d"])
        return _ordered(match, mdy=self._mdy_wins)


def _ordered(match: re.Match[str], *, mdy: bool) -> date | None:
    month, day = (match["a"], match["b"]) if mdy else (match["b"], match["a"])
    return _date(match["year"], month, day)


def _date(year: str, month: str, day: str) -> date | None:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def _is_right(day: date | None, weekday: str) -> bool:
    if day is None:
        return False
    name = weekday[:3].lower()
    return name not in _WEEKDAYS or _WEEKDAYS[day.weekday()] == name
