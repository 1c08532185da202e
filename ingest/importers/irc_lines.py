"""Lines of IRC logs as the common clients write them.

Read are ``[12:01] <nick> text`` (many), ``12:01 < nick> text`` (irssi), the same with an ISO date
before the time, ``2024-01-15 12:01:02<tab>nick<tab>text`` (WeeChat), actions ``* nick waves`` and
what the server or the client reports (``===``, ``***``, ``-!-``, ``---``, ``-->``, ``<--``).
"""

import re
from datetime import date, datetime, time
from typing import NamedTuple

_STAMP = (
    r"(?:\[?(?P<date>\d{4}-\d{2}-\d{2})[ T])?\[?(?P<h>\d{1,2}):(?P<m>\d{2})(?::(?P<s>\d{2}))?"
    r"(?:[.,]\d+)?(?P<utc>Z)?\]?"
)
_MARKS = r"[~&@%+ !]?"
_SAID = re.compile(
    rf"^{_STAMP}[ \t]+(?:<{_MARKS}(?P<nick>[^\s<>]{{1,64}})>[ \t]?(?P<text>.*)"
    rf"|\*[ \t]+(?P<actor>[^\s*<>]{{1,64}})(?: (?P<action>.*))?)$"
)
_WEECHAT = re.compile(rf"^(?=\d{{4}}-){_STAMP}\t(?P<who>[^\t]{{0,64}})\t(?P<text>.*)$")
_EVENT = re.compile(
    rf"^(?:{_STAMP}[ \t]*)?(?P<mark>={{3}}|\*{{3}}|-!-|-{{2,3}}>?|<-{{1,2}}|-->) ?(?P<what>.*)$"
)
_DAY = re.compile(
    r"^--- (?:Log opened|Log closed|Day changed) (?P<rest>.+)$|"
    r"^\*{4} BEGIN LOGGING AT (?P<begin>.+)$"
)
_RENAMED = re.compile(
    r"^(?P<old>\S{1,64})(?: \[[^\]]*\])? (?:is now known as|are now known as|changed nick to) "
    r"(?P<new>\S{1,64}?)\.?$"
)
_GONE = re.compile(
    r"^(?:Quits: |Parts: )?(?P<nick>\S{1,64})(?: [\[(][^\])]*[\])])? has (?:quit|left)\b"
)
_GONE_ZNC = re.compile(r"^(?:Quits|Parts): (?P<nick>\S{1,64})")
_CONTROL = re.compile(r"\x03(?:\d{1,2}(?:,\d{1,2})?)?|[\x02\x0f\x11\x16\x1d\x1e\x1f]")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


class Spoken(NamedTuple):
    """A line that a nick said or did."""

    stamp: re.Match[str]
    nick: str
    text: str
    is_action: bool


class Reported(NamedTuple):
    """A line that the server or the client reports."""

    stamp: re.Match[str] | None
    text: str
    renamed: tuple[str, str] | None
    gone: str | None


def read_line(line: str) -> Spoken | Reported | date | None:
    """What a line is; a date for a line that names the day, None for anything else."""
    line = _CONTROL.sub("", line)
    if match := _DAY.match(line):
        return day_in_words(match["rest"] or match["begin"])
    if match := _SAID.match(line):
        if match["nick"]:
            return Spoken(match, match["nick"], match["text"], is_action=False)
        return Spoken(match, match["actor"], match["action"] or "", is_action=True)
    if match := _WEECHAT.match(line):
        return _weechat(match)
    if match := _EVENT.match(line):
        return _reported(match, match["what"])
    return None


def _weechat(match: re.Match[str]) -> Spoken | Reported:
    who = match["who"].strip()
    if who == "*":
        actor, _, action = match["text"].partition(" ")
        return Spoken(match, actor, action, is_action=True)
    if who in ("", "--", "-->", "<--", "=!="):
        return _reported(match, match["text"])
    return Spoken(match, who.lstrip("~&@%+ "), match["text"], is_action=False)


def _reported(match: re.Match[str], what: str) -> Reported:
    renamed = _RENAMED.match(what)
    gone = _GONE.match(what) or _GONE_ZNC.match(what)
    return Reported(
        match if match["h"] else None,
        what.strip(),
        (renamed["old"], renamed["new"]) if renamed else None,
        gone["nick"] if gone else None,
    )


def time_of(stamp: re.Match[str]) -> time | None:
    """The time of day of a line."""
    try:
        return time(int(stamp["h"]), int(stamp["m"]), int(stamp["s"] or 0))
    except ValueError:
        return None


def date_of(stamp: re.Match[str]) -> date | None:
    """The day that a line's own stamp names."""
    try:
        return date.fromisoformat(stamp["date"]) if stamp["date"] else None
    except ValueError:
        return None


def day_in_words(text: str) -> date | None:
    """The day in ``Mon Jan 15 00:00:01 2024`` or ``Mon Jan 15 2024``."""
    words = [word[:3].lower() for word in text.split()]
    month = next((_MONTHS.index(word) + 1 for word in words if word in _MONTHS), None)
    year = re.search(r"\b\d{4}\b", text)
    day = re.search(r"\b\d{1,2}\b(?!:)", text)
    if month is None or year is None or day is None:
        return None
    try:
        return date(int(year[0]), month, int(day[0]))
    except ValueError:
        return None


def day_in_name(name: str) -> date | None:
    """The day in a file's name or its folders: ``20240115``, ``2024/01/15/#a.txt``."""
    for match in re.finditer(r"(?<!\d)(\d{4})([-_./]?)(\d{2})\2(\d{2})(?!\d)", name):
        try:
            found = datetime(int(match[1]), int(match[3]), int(match[4]))
        except ValueError:
            continue
        if 1980 <= found.year < 2200:
            return found.date()
    return None
