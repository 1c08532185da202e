"""WhatsApp's dates and times in the shapes its locales write them."""

import re
from datetime import date as Date  # noqa: N812
from datetime import datetime
from datetime import time as Time  # noqa: N812
from typing import Literal

from ingest.importers.base import DateOrder

# possessive throughout: no part of a head can be read in two ways, and it is matched for every line
DATE = r"\d{1,4}+[./-] ?+\d{1,2}+[./-] ?+\d{1,4}+\.?+"
_SPACE = "[ \u00a0\u202f]?+"
_MERIDIEM = rf"(?:{_SPACE}[AaPp]\.?+{_SPACE}[Mm]\.?+)?+"
# \u4e0a\u5348, \u4e0b\u5348, \u5348\u524d, \u5348\u5f8c, \uc624\uc804, \uc624\ud6c4
_BEFORE = rf"[\u4e0a\u4e0b\u5348\u524d\u5f8c\uc624\uc804\ud6c4]{{0,2}}+{_SPACE}"
TIME = rf"{_BEFORE}\d{{1,2}}+[:.]\d\d(?:[:.]\d\d)?+{_MERIDIEM}"
_NUMBERS = re.compile(r"\d+")
_NO_LETTERS = re.compile(r"[\d:.\s\u00a0\u202f]")
_AFTERNOON = ("p", "\u4e0b", "\u5348\u5f8c", "\uc624\ud6c4")
_MORNING = ("a", "\u4e0a", "\u5348\u524d", "\uc624\uc804")

Order = Literal["dmy", "mdy", "ymd"]


class DateSurvey:
    """What the dates of a whole file allow.

    Numbers beyond 12 settle the order of day and month. Where there are none, the order of the
    lines does: a chat is written forwards, so an order in which dates go back is the wrong one if
    in the other they never do.
    """

    def __init__(self) -> None:
        self._first = 0
        self._second = 0
        self._year_first = False
        self._latest: dict[Order, Date] = {}
        self._goes_back: set[Order] = set()

    def add(self, date: str) -> None:
        """Take the date of a further head into account, in the file's order."""
        first, second, _ = _NUMBERS.findall(date)
        if len(first) == 4:
            self._year_first = True
        else:
            self._first = max(self._first, int(first))
            self._second = max(self._second, int(second))
        orders: tuple[Order, ...] = ("dmy", "mdy")
        for order in orders:
            day = _day(date, order)
            if day is not None:
                if day < self._latest.get(order, day):
                    self._goes_back.add(order)
                self._latest[order] = day

    def decide(self, order: DateOrder) -> "DateFormat | None":
        """The order of day, month and year, or None if the file leaves it open."""
        if order != "auto":
            return DateFormat(order)
        if self._first > 31 or (self._year_first and not self._first):
            return DateFormat("ymd")
        if self._first > 12 or self._second > 12:
            return self._by_numbers()
        if len(self._goes_back) == 1:
            return DateFormat("mdy" if "dmy" in self._goes_back else "dmy")
        return None

    def _by_numbers(self) -> "DateFormat | None":
        if self._second <= 12:
            return DateFormat("dmy")
        return DateFormat("mdy") if self._first <= 12 else None


class DateFormat:
    """Reads the heads of one file.

    Attributes:
        days: the day of every date as written, None where there is no such day.
        clocks: the time of every clock as written, None where there is no such time.
    """

    def __init__(self, order: Order) -> None:
        self.order = order
        self.days = _Days(order)
        self.clocks = _Clocks()

    def parse(self, date: str, clock: str) -> datetime | None:
        """The naive local time of a head, or None if it is no time that exists."""
        day, time = self.days[date], self.clocks[clock]
        if day is None or time is None:
            return None
        return datetime.combine(day, time)  # naive: the file states no zone


class _Days(dict[str, Date | None]):
    def __init__(self, order: Order) -> None:
        super().__init__()
        self._order = order

    def __missing__(self, date: str) -> Date | None:
        self[date] = day = _day(date, self._order)
        return day


class _Clocks(dict[str, Time | None]):
    def __missing__(self, clock: str) -> Time | None:
        self[clock] = time = _time(clock)
        return time


def _day(date: str, order: Order) -> Date | None:
    first, second, third = (int(number) for number in _NUMBERS.findall(date))
    if order == "ymd" or first > 999:
        year, month, day = first, second, third
    elif order == "dmy":
        day, month, year = first, second, third
    else:
        month, day, year = first, second, third
    if year < 100:
        year += 2000
    try:
        return Date(year, month, day)
    except ValueError:
        return None


def _time(clock: str) -> Time | None:
    numbers = [int(number) for number in _NUMBERS.findall(clock)]
    hour, minute, second = (*numbers, 0)[:3]
    letters = _NO_LETTERS.sub("", clock).lower()
    if letters.startswith(_AFTERNOON) and hour < 12:
        hour += 12
    elif letters.startswith(_MORNING) and hour == 12:
        hour = 0
    try:
        return Time(hour, minute, second)
    except ValueError:
        return None
