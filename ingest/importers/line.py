"""LINE's text export: a title, date lines, then ``TIME<tab>sender<tab>text``.

A message runs to the next head or date line; texts of several lines stand in double quotes. Old
group exports have no title and blanks for tabs: there a speaker is the longest beginning that all
lines with the same first word share.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from pathlib import PurePosixPath
from typing import NamedTuple

from ingest.archive import Export, Member
from ingest.importers.base import DateOrder, ImporterKind, ImportOptions, Item, Reject
from ingest.importers.chats import conversations
from ingest.importers.line_days import Days
from ingest.importers.line_words import (
    CLOCK,
    DAY,
    hour_of,
    is_event,
    media_tag,
    title_of,
)
from ingest.message import Attachment
from ingest.people import Event, Line
from ingest.shape import Peek, holds, like
from ingest.text import text_lines

_TABBED = re.compile(rf"^{CLOCK}\t(?P<name>[^\t]*)\t(?P<text>.*)$")
_BLANKS = re.compile(rf"^{CLOCK} (?P<said>\S.*)$")
_HEAD_LINES = 60


class _Said(NamedTuple):
    """A head and the lines below it."""

    day: date | None
    head: re.Match[str]
    body: str


class LineChat:
    """The importer of LINE's text export."""

    name = "line"
    title = "LINE chat history (text)"
    kind: ImporterKind = "people"
    needs = "--as-assistant NAME; --tz for the time zone; --date-order where days leave it open"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when a date line and heads with tabs stand near the top."""
        return 0.9 if holds(export, _is_ours) else 0.0

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:
        """Every chat file's sessions."""
        seen: Counter[str] = Counter()
        for member in list(like(export, _is_ours)) or export.members:
            title, tabbed = _header(member)
            days = _days(member, options.date_order)
            names = {} if tabbed else _names(_said(text_lines(member), days, _BLANKS))
            pattern = _TABBED if tabbed else _BLANKS
            items = (_item(said, names) for said in _said(text_lines(member), days, pattern))
            found = None
            for found in conversations(self.name, title, items, options, seen, title=title):
                yield found
            if found is None:
                yield Reject(member.name, "no line starts with a time", "is this a LINE export?")


def _is_ours(look: Peek) -> bool:
    if look.kind not in ("text", "array"):  # '[LINE]' begins with a bracket
        return False
    lines = look.text.replace("\r\n", "\n").split("\n")[:_HEAD_LINES]
    heads = sum(1 for line in lines if _TABBED.match(line))
    days = sum(1 for line in lines if DAY.match(line))
    if heads and (days or lines[0].lstrip("\ufeff").startswith("[LINE]")):
        return True
    blanks = sum(1 for line in lines if _BLANKS.match(line) and "<" not in line[:12])
    return bool(days and blanks and DAY.match(lines[0].lstrip("\ufeff")))


def _header(member: Member) -> tuple[str, bool]:
    """(title, whether tabs part the fields)."""
    title: str | None = None
    tabbed = False
    for at, line in zip(range(_HEAD_LINES), text_lines(member), strict=False):
        if at == 0:
            title = title_of(line)
        tabbed = tabbed or _TABBED.match(line) is not None
    stem = PurePosixPath(member.base).stem
    return title or re.sub(r"^\[LINE\] ?", "", stem), tabbed


def _days(member: Member, order: DateOrder) -> Days:
    days = Days()
    for line in text_lines(member):
        if match := DAY.match(line.lstrip("\ufeff")):
            days.add(match)
    days.decide(order, member.name)
    return days


def _said(lines: Iterable[str], days: Days, pattern: re.Pattern[str]) -> Iterator[_Said]:
    day: date | None = None
    head: re.Match[str] | None = None
    head_day: date | None = None
    body: list[str] = []
    for at, raw in enumerate(lines):
        line = raw.lstrip("\ufeff") if at == 0 else raw
        found = pattern.match(line)
        new_day = None if found else DAY.match(line)
        if new_day and _is_open(body) and body[-1].strip():
            new_day = None  # a date inside a quoted text: true ones follow a blank line
        if found or new_day:
            if head is not None:
                yield _Said(head_day, head, "\n".join(body))
            head = None
        if found:
            head, head_day = found, day
            body = [found["text"] if pattern is _TABBED else found["said"]]
        elif new_day:
            day, body = days.day(new_day), []
        elif head is not None:
            body.append(line)
    if head is not None:
        yield _Said(head_day, head, "\n".join(body))


def _is_open(body: list[str]) -> bool:
    """Whether a quoted text of several lines has begun and not ended."""
    return bool(body) and body[0].startswith('"') and "".join(body).count('"') % 2 == 1


def _names(all_said: Iterable[_Said]) -> dict[str, str]:
    """Speakers by their first word: what all lines that begin with it share, word by word.

    Two lines may share more than the name by chance, so that fewer than three tell one word.
    """
    shared: dict[str, list[str]] = {}
    counts: Counter[str] = Counter()
    for said in all_said:
        words = said.head["said"].split(" ")
        if is_event(said.head["said"]):
            continue
        first = words[0]
        counts[first] += 1
        before = shared.setdefault(first, words[:-1] or words)
        same = next((at for at, pair in enumerate(zip(before, words, strict=False))
                     if pair[0] != pair[1]), min(len(before), len(words)))  # fmt: skip
        shared[first] = before[: max(same, 1)]
    return {first: " ".join(words) if counts[first] > 2 else first
            for first, words in shared.items()}  # fmt: skip


def _item(said: _Said, names: dict[str, str]) -> Line | Event:
    at: datetime | None = None
    hour, minute = hour_of(said.head), int(said.head["minute"])
    if said.day is not None and hour < 24 and minute < 60:
        at = datetime.combine(said.day, time(hour, minute))
    body = said.body.rstrip("\n")
    if "said" in said.head.re.groupindex:
        if is_event(body):
            return Event(at, body)
        speaker = names.get(body.split(" ")[0], body.split(" ")[0])
        body = body[len(speaker) :].lstrip(" ")
    else:
        speaker = said.head["name"].strip()
        if not speaker:
            return Event(at, body.strip())
    extra = None if at else {"time": said.head[0][: said.head.end("minute")]}
    body = _unquoted(body)
    if tag := media_tag(body):
        kind, rest = tag
        return Line(speaker, "", at, (Attachment(kind, name=rest or None),), extra=extra)
    return Line(speaker, body, at, extra=extra)


def _unquoted(body: str) -> str:
    """A text of several lines without the quotes that the export puts around it."""
    if "\n" in body and len(body) > 1 and body.startswith('"') and body.endswith('"'):
        return body[1:-1].replace('""', '"')
    return body
