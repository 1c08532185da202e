"""WhatsApp's text as lines and events: one search finds every head, name and text of a block.

A chat has millions of lines. The usual one costs a few look-ups: its day, its clock and its speaker
are known from before, and nothing in its text hints at the app's own words.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, BinaryIO, NamedTuple

from ingest.importers.whatsapp_dates import DATE, TIME, DateFormat
from ingest.importers.whatsapp_phrases import (
    DELETED,
    MARK,
    POLL,
    before_edit_mark,
    is_call,
    is_event,
    may_be_the_apps,
    media_in,
)
from ingest.message import Attachment
from ingest.people import Event, Line

_OTHER_MARKS = "\u200f\u202a\u202b\u202c\u202d\u202e\ufeff"
_MARKS = f"[{MARK}{_OTHER_MARKS}]*+"
_NAME = rf"({MARK}?+[^\n:]{{1,120}}+: ?+)?+"
_IDLE_MARK = re.compile(rb"\xe2\x80[\x8f\xaa-\xae]")
_LONGEST_HEAD = 120
_BLOCK = 1 << 20


class Style(NamedTuple):
    """How one platform writes its heads.

    Attributes:
        head: matches the newline before a head and the head; its one group is the date.
        line: the same, then a name if there is one; groups: date, clock, name with its colon.
        is_ios: whether it is the iPhone's.
    """

    head: re.Pattern[str]
    line: re.Pattern[str]
    is_ios: bool


def _style(before: str, after: str, *, is_ios: bool) -> Style:
    # what begins with a plain character is searched for several times as fast as '^'
    return Style(
        re.compile(rf"\n{before}({DATE}),? {TIME}{after}"),
        re.compile(rf"\n{before}({DATE}),? ({TIME}){after}{_NAME}"),
        is_ios,
    )


_STYLES = (
    _style(rf"{_MARKS}\[{_MARKS}", r"\] ", is_ios=True),
    _style(_MARKS, " [-\u2013] ", is_ios=False),
)


def style_of(text: str) -> tuple[Style, int] | None:
    """The style of the first head and the place of that; None if there is no head."""
    text = "\n" + text.replace("\r\n", "\n")
    found = [(style, match.start()) for style in _STYLES if (match := style.head.search(text))]
    return min(found, key=lambda each: each[1], default=None)


def dates_in(file: BinaryIO, style: Style) -> Iterator[str]:
    """The dates of the heads as they are written; one that stays the same may be left out."""
    last = b"\n"  # begins no line
    for piece in _pieces(file):
        for line in piece.split(b"\n"):
            # most lines are of the day of the line before
            if not line.startswith(last):
                head = _head_at(b"\n" + line[:_LONGEST_HEAD], 0, style)
                if head:
                    yield head[1]
                    last = head.string[1 : head.end(1)].encode()


def lines_in(file: BinaryIO, style: Style, dates: DateFormat) -> Iterator[Line | Event]:
    """Every message and event of a chat, in the file's order."""
    days, clocks, combine = dates.days, dates.clocks, datetime.combine
    speakers = _Speakers(is_ios=style.is_ios)
    names = speakers.names
    for block in _blocks(file, style):
        fields = style.line.split(block)
        for date, clock, who, body in zip(
            fields[1::4], fields[2::4], fields[3::4], fields[4::4], strict=True
        ):
            day, time = days[date], clocks[clock]
            text = body.rstrip("\n")
            if day is None or time is None:
                yield speakers.item(who, text, None, f"{date} {clock}")
            elif (name := names.get(who)) is None or may_be_the_apps(text):
                yield speakers.item(who, text, combine(day, time), "")
            else:
                yield Line(name, text, combine(day, time))


class _Speakers:
    """Tells what somebody said from what the app says, and remembers who has spoken.

    Attributes:
        names: of those who have spoken, by the name as written, colon included.
    """

    def __init__(self, *, is_ios: bool) -> None:
        self.names: dict[str | None, str] = {}
        self._is_ios = is_ios
        self._known: set[str] = set()

    def item(self, who: str | None, text: str, at: datetime | None, stamp: str) -> Line | Event:
        """The line or event of any head; ``stamp`` is its time as written where ``at`` is None."""
        whole = f"{who or ''}{text}"
        name = who.partition(":")[0].replace(MARK, "").strip() if who else ""
        if not name or is_event(whole, name, self._known):
            return Event(at, whole.replace(MARK, "").strip())
        found = self._said(name, text, at, {"time": stamp} if stamp else {})
        if isinstance(found, Line):
            self.names[who] = name
            self._known.add(name)
        return found

    def _said(
        self, name: str, raw: str, at: datetime | None, extra: dict[str, Any]
    ) -> Line | Event:
        text = raw.replace(MARK, "")
        bare = text.strip()
        if DELETED.match(bare):
            return Line(name, "", at, alone=True, train=False, extra={**extra, "deleted": True})
        if (edited := before_edit_mark(text)) is not None:
            return Line(name, edited, at, extra={**extra, "edited": True})
        if media := media_in(raw):
            file = Attachment(media.kind, uri=media.file)
            return Line(name, media.caption, at, (file,), extra=extra or None)
        if POLL.match(bare) or is_call(bare) or (self._is_ios and raw.startswith(MARK)):
            return Event(at, f"{name}: {bare}")
        return Line(name, text, at, extra=extra or None)


def _blocks(file: BinaryIO, style: Style) -> Iterator[str]:
    """The file as text in blocks of whole messages, each after a newline."""
    rest = b"\n"
    for piece in _pieces(file):
        block = rest + piece
        border = block.rfind(b"\n", len(rest) - 1)
        while border > 0 and not _head_at(block, border, style):
            border = block.rfind(b"\n", len(rest) - 1, border)
        if border > 0:
            yield _text(block[:border])
            block = block[border:]
        rest = block
    yield _text(rest)


def _head_at(block: bytes, newline: int, style: Style) -> re.Match[str] | None:
    return style.head.match(block[newline : newline + _LONGEST_HEAD].decode("utf-8", "replace"))


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    """The file in pieces of whole lines, as UTF-8; CR LF becomes LF."""
    rest = file.read(2)
    if rest in (b"\xff\xfe", b"\xfe\xff"):
        # rare, and not to be cut at a byte
        text = (rest + file.read()).decode("utf-16", "replace")
        yield text.replace("\r\n", "\n").encode()
        return
    while data := file.read(_BLOCK):
        data = rest + data
        cut = data.rfind(b"\n") + 1
        rest = data[cut:]
        yield data[:cut].replace(b"\r\n", b"\n")
    yield rest.replace(b"\r\n", b"\n")


def _text(piece: bytes) -> str:
    """UTF-8 as text without the marks that mean nothing: they are found faster before decoding."""
    if _IDLE_MARK.search(piece):
        piece = _IDLE_MARK.sub(b"", piece)
    return piece.decode("utf-8", "replace").replace("\ufeff", "")
