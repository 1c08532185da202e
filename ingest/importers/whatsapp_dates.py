"""WhatsApp's dates and times in the shapes its locales write them."""

import re
from datetime import datetime
from functools import lru_cache
from typing import Literal

from ingest.importers.base import DateOrder

DATE = r"\d{1,4}(?:[/-]|\. ?)\d{1,2}(?:[/-]|\. ?)\d{1,4}\.?"
_MERIDIEM = r"(?:[AaPp]\.?[\s\u00a0\u202f]?[Mm]\.?)"
_BEFORE = r"(?:\u4e0a\u5348|\u4e0b\u5348|\u5348\u524d|\u5348\u5f8c|\uc624\uc804|\uc624\ud6c4)"
TIME = (
    rf"(?:{_BEFORE}[\s\u00a0\u202f]?)?\d{{1,2}}[:.]\d{{2}}(?:[:.]\d{{2}})?"
    rf"(?:[\s\u00a0\u202f]{_MERIDIEM}|[AaPp][Mm])?"
)
_NUMBERS = re.compile(r"\d+")
_AFTERNOON = ("p", "\u4e0b", "\u5348\u5f8c", "\uc624\ud6c4")
_MORNING = ("a", "\u4e0a", "\u5348\u524d", "\uc624\uc804")

Order = Literal["dmy", "mdy", "ymd"]


class DateSurvey:
    """What the dates of a whole file allow: the largest number seen in each of the two places."""

    def __init__(self) -> None:
        self.count = 0
        self._first = 0
        self._second = 0
        self._year_first = False
        self._seen: set[str] = set()

    def add(self, date: str) -> None:
        """Take one date head into account."""
        self.count += 1
        if date in self._seen:
            return
        self._seen.add(date)
        first, second, _ = _NUMBERS.findall(date)
        if len(first) == 4:
            self._year_first = True
            return
        self._first = max(self._first, int(first))
        self._second = max(self._second, int(second))

    def decide(self, order: DateOrder) -> "DateFormat | None":
        """The order of day, month and year, or None if the file leaves it open."""
        if order != "auto":
            return DateFormat(order)
        if self._first > 31 or (self._year_first and not self._first):
            return DateFormat("ymd")
        if self._first > 12 and self._second <= 12:
            return DateFormat("dmy")
        if self._second > 12 and self._first <= 12:
            return DateFormat("mdy")
        return None


class DateFormat:
    """Reads the heads of one file."""

    def __init__(self, order: Order) -> None:
        self.order = order

    def parse(self, date: str, clock: str) -> datetime | None:
        """The naive local time of a head, or None if it is no time that exists."""
        day = _date(date, self.order)
        time = _clock(clock)
        if day is None or time is None:
            return None
        return datetime(*day, *time)  # naive: the file states no zone


@lru_cache(maxsize=4096)
def _date(date: str, order: Order) -> tuple[int, int, int] | None:
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
        datetime(year, month, day)
    except ValueError:
        return None
    return year, month, day


@lru_cache(maxsize=4096)
def _clock(clock: str) -> tuple[int, int, int] | None:
    numbers = [int(number) for number in _NUMBERS.findall(clock)]
    hour, minute, second = (*numbers, 0)[:3]
    letters = re.sub(r"[\d:.\s\u00a0\u202f]", "", clock).lower()
    if letters.startswith(_AFTERNOON) and hour < 12:
        hour += 12
    elif letters.startswith(_MORNING) and hour == 12:
        hour = 0
    return (hour, minute, second) if hour < 24 and minute < 60 and second < 60 else None
