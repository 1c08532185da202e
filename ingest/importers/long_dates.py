"""Dates written out for people: ``Tuesday, May 3, 2022 at 5:01:02 PM UTC`` in many languages."""

import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from ingest.times import in_utc

_NAMES = (
    "january february march april may june july august september october november december",
    "jan feb mar apr may jun jul aug sep oct nov dec",
    "januar februar märz april mai juni juli august september oktober november dezember",
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "januari februari maart april mei juni juli augustus september oktober november december",
    "januari februari mars april maj juni juli augusti september oktober november december",
    "januar februar mars april mai juni juli august september oktober november desember",
    "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października"
    " listopada grudnia",
    "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
    "ocak şubat mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık",
)
_MONTHS = {name: at for names in _NAMES for at, name in enumerate(names.split(), 1)}
_TIME = re.compile(
    r"(?P<h>\d{1,2})\s?(?:[:.h]\s?(?P<m>\d{2})(?:[:.](?P<s>\d{2}))?"
    r"|[時时시]\s?(?P<cm>\d{1,2})[分분]?"
    r"(?:\s?(?P<cs>\d{1,2})[秒초])?)(?!\d)"
)
_HALF = re.compile(
    r"(?P<am>\ba\.?\s?m\b|午前|上午|오전)"
    r"|(?P<pm>\bp\.?\s?m\b|午後|下午|오후)"
)
_EAST_ASIA = re.compile(r"(?P<y>\d{4})\s?[年년]\s?(?P<m>\d{1,2})\s?[月월]\s?(?P<d>\d{1,2})")
_ZONE = re.compile(r"\b(?:utc|gmt|z)\b(?:(?P<sign>[+-])(?P<h>\d{1,2}):?(?P<m>\d{2})?)?")


def from_long_date(text: str | None) -> datetime | None:
    """The time of a long date; None if its language or form is not known.

    Blanks of any kind (newer exports write U+202F before AM and PM) count as one. Aware where the
    text names UTC or an offset from it, else naive.
    """
    if not text:
        return None
    plain = " ".join(unicodedata.normalize("NFKC", text).lower().split())
    clock = _TIME.search(plain)
    if clock is None:
        return None
    rest = f"{plain[: clock.start()]} {plain[clock.end() :]}"
    date = _date(_ZONE.sub(" ", rest))
    if date is None:
        return None
    hour = int(clock["h"])
    half = _HALF.search(plain)
    if half is not None and 1 <= hour <= 12:
        hour = hour % 12 + (12 if half["pm"] else 0)
    minute = int(clock["m"] or clock["cm"])
    try:
        return in_utc(
            datetime(*date, hour, minute, int(clock["s"] or clock["cs"] or 0), tzinfo=_zone(rest))
        )
    except (ValueError, OverflowError):  # a field is out of range: no date
        return None


def _zone(text: str) -> tzinfo | None:
    match = _ZONE.search(text)
    if match is None:
        return None
    if not match["sign"]:
        return UTC
    offset = timedelta(hours=int(match["h"]), minutes=int(match["m"] or 0))
    return timezone(offset if match["sign"] == "+" else -offset)


def _date(text: str) -> tuple[int, int, int] | None:
    """(year, month, day) of what is left of the text."""
    if east := _EAST_ASIA.search(text):
        return int(east["y"]), int(east["m"]), int(east["d"])
    month = next((_MONTHS[word] for word in re.findall(r"[^\W\d]+", text) if word in _MONTHS), None)
    year = re.search(r"\b\d{4}\b", text)
    day = re.search(r"\b\d{1,2}\b", text)
    if month is None or year is None or day is None:
        return None
    return int(year[0]), month, int(day[0])
