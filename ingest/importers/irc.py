"""IRC logs. A channel's talks are interleaved: they are kept as the channel had them, never paired.

Nick changes are followed while a log lasts; a nick that quits is free for somebody else.
"""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import PurePosixPath
from typing import Any

from ingest.archive import Export, Member
from ingest.importers.base import ImporterKind, ImportOptions, Item, Reject
from ingest.importers.chats import conversations
from ingest.importers.irc_lines import (
    Reported,
    Spoken,
    date_of,
    day_in_name,
    read_line,
    time_of,
)
from ingest.people import CHANNEL_GAP, Event, Line
from ingest.shape import Peek, holds, like
from ingest.text import text_lines

_BOT = re.compile(r"(?:bot|serv)[\d_|-]*$|^(?:ubottu|supybot|limnoria|eggdrop|meetingology)", re.I)
_TO = re.compile(r"^(?P<nick>[^\s:,]{1,64})[:,] ")
_SNIFFED = 40


class Irc:
    """The importer of IRC logs."""

    name = "irc"
    title = "IRC log (text)"
    kind: ImporterKind = "people"
    needs = "--as-assistant NICK; --tz for the time zone; the day is taken from the file's name"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when most of the first lines are what IRC clients log and two are said."""
        return 0.9 if holds(export, _is_ours) else 0.0

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:
        """Every log's sessions, in the order of the files' names."""
        seen: Counter[str] = Counter()
        for member in list(like(export, _is_ours)) or export.members:
            channel = _channel(member)
            items = _Log(_day_of(export, member)).items(text_lines(member))
            found = None
            for found in conversations(
                self.name, channel, items, options, seen, gap=CHANNEL_GAP, title=channel
            ):
                yield found
            if found is None:
                yield Reject(member.name, "no line is one of an IRC log", "is this an IRC log?")


def _is_ours(look: Peek) -> bool:
    if look.kind not in ("text", "array"):  # '[12:01]' begins with a bracket
        return False
    lines = [line for line in look.text.replace("\r", "").split("\n") if line.strip()][:_SNIFFED]
    read = [read_line(line) for line in lines]
    said = sum(1 for each in read if isinstance(each, Spoken))
    known = sum(1 for each in read if each is not None)
    return (said > 1 or said == known == len(lines) == 1) and known * 4 >= len(lines) * 3


def _channel(member: Member) -> str:
    """The channel: its ``#name`` anywhere in the path, else the file's name without the day."""
    if match := re.search(r"[#&][^\s/\\]+", member.name):
        name = match[0]
    else:
        name = PurePosixPath(member.base).stem
    name = re.sub(r"\.(?:txt|log|weechatlog)$", "", name)
    return re.sub(r"[-_.]?\d{4}[-_.]?\d{2}[-_.]?\d{2}", "", name).strip("-_. ") or member.base


def _day_of(export: Export, member: Member) -> date | None:
    if len(export.members) == 1:
        return day_in_name(member.name) or day_in_name(str(export.path))
    return day_in_name(member.name) or day_in_name(f"{export.path.name}/{member.name}")


class _Log:
    """One file on its way from lines to ``Line`` and ``Event``: the day and who is who."""

    def __init__(self, day: date | None) -> None:
        self._day = day
        self._last: time | None = None
        self._known: dict[str, str] = {}  # nick -> the nick that this person had first

    def items(self, lines: Iterator[str]) -> Iterator[Line | Event]:
        for number, line in enumerate(lines):
            found = read_line(line.lstrip("\ufeff") if number == 0 else line)
            if isinstance(found, date):
                self._day, self._last = found, None
            elif isinstance(found, Reported):
                yield self._event(found)
            elif isinstance(found, Spoken):
                yield self._line(found)
            elif line.strip():
                yield Event(None, line.strip())

    def _at(self, stamp: re.Match[str] | None) -> datetime | None:
        clock = time_of(stamp) if stamp else None
        if stamp is None or clock is None:
            return None
        own = date_of(stamp)
        if own is not None:
            self._day = own
        elif self._day and self._last and self._last.hour - clock.hour > 12:
            self._day += timedelta(days=1)  # past midnight in a log that names no days
        self._last = clock
        if self._day is None:
            return None
        at = datetime.combine(self._day, clock)
        return at.replace(tzinfo=UTC) if stamp["utc"] else at

    def _event(self, found: Reported) -> Event:
        if found.renamed:
            old, new = found.renamed
            self._known[new] = self._known.pop(old, old)
        elif found.gone:
            self._known.pop(found.gone, None)
        return Event(self._at(found.stamp), found.text)

    def _line(self, found: Spoken) -> Line:
        at = self._at(found.stamp)
        person = self._known.setdefault(found.nick, found.nick)
        extra: dict[str, Any] = {}
        if found.is_action:
            extra["action"] = True
        if at is None:
            extra["time"] = found.stamp[0][: found.stamp.end("m")].lstrip("[")
        if _BOT.search(found.nick):
            extra["bot"] = True
        to = _TO.match(found.text)
        addressed = to["nick"] if to and to["nick"] in self._known else None
        if addressed:
            extra["to"] = addressed
        return Line(
            speaker=found.nick,
            text=found.text,
            at=at,
            alone=found.is_action or addressed is not None,
            extra=extra or None,
            speaker_id=person,
        )
