"""WhatsApp text export: ``WhatsApp Chat with X.txt`` or ``_chat.txt``, alone, in a zip or a folder.

A message begins with a date head and runs to the next head. The order of day and month is inferred
over the whole file; a file that leaves it open is refused, never guessed line by line.
"""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from ingest.archive import Export, Member
from ingest.errors import ExportError
from ingest.importers.base import DateOrder, ImporterKind, ImportOptions, Item, Skip
from ingest.importers.whatsapp_dates import DATE, TIME, DateFormat, DateSurvey
from ingest.importers.whatsapp_phrases import DELETED, EDITED, POLL, is_event, media_kind
from ingest.message import Attachment, Conversation, conversation_id
from ingest.people import Event, Line, Session, participants, sessions, turns
from ingest.shape import peek

_MARKS = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\ufeff"
_HEAD = re.compile(
    rf"^[{_MARKS}]*(?:\[[{_MARKS}]*(?P<idate>{DATE}),? (?P<itime>{TIME})\]|"
    rf"(?P<adate>{DATE}),? (?P<atime>{TIME}) [-\u2013]) ",
    re.MULTILINE,
)
_NAME = re.compile(rf"[{_MARKS}]*(?P<name>[^\n:]{{1,120}}?): ?(?P<text>.*)", re.DOTALL)
_STRIP = str.maketrans("", "", _MARKS)
_CHAT_NAMES = re.compile(
    r"^(?:WhatsApp Chat with|WhatsApp Chat -|WhatsApp Chat mit|Chat WhatsApp con|"
    r"Chat de WhatsApp con|Conversa do WhatsApp com|Discussion WhatsApp avec|WhatsApp-chat met)"
    r"\s+(?P<name>.+?)(?: \(\d+\))?\.txt$"
)
_BLOCK = 1 << 20


class WhatsApp:
    """The importer of WhatsApp's text export."""

    name = "whatsapp"
    title = "WhatsApp chat export (text, zip)"
    kind: ImporterKind = "people"
    needs = "--as-assistant NAME; --date-order where the file leaves it open"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when a text member has a date head in its first lines."""
        return 0.9 if any(_is_ours(member) for member in _texts(export)) else 0.0

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:
        """One conversation per session of each chat file."""
        members = list(_texts(export))
        if len(members) > 1:
            members = [member for member in members if _is_ours(member)]
        for member in members:
            dates = _date_format(member, options.date_order)
            chat = _chat_name(export, member)
            with member.open() as file:
                for session in sessions(_items(file, dates)):
                    if session.lines:
                        yield _conversation(chat, session, options)
                    else:
                        yield Skip(member.name, "no messages")


def _texts(export: Export) -> Iterator[Member]:
    if len(export.members) == 1:
        yield from export.members
        return
    for member in export.members:
        if member.base.endswith(".txt"):
            yield member


def _is_ours(member: Member) -> bool:
    look = peek(member)
    if look.kind not in ("text", "array"):  # an iOS export begins with '['
        return False
    head = look.text[:4096]
    first = _HEAD.search(head)
    return first is not None and first.start() < 400


def _chat_name(export: Export, member: Member) -> str:
    match = _CHAT_NAMES.match(member.base)
    if match:
        return match["name"]
    if member.base == "_chat.txt":
        parts = PurePosixPath(member.name).parts
        outer = parts[-2] if len(parts) > 1 else _container(export)
        return re.sub(r"^WhatsApp Chat - ", "", outer)
    return PurePosixPath(member.base).stem


def _container(export: Export) -> str:
    return (
        export.path.resolve().parent.name
        if export.path.name == "_chat.txt"
        else (export.path.name if export.is_folder else export.path.stem)
    )


def _date_format(member: Member, order: DateOrder) -> DateFormat:
    survey = DateSurvey()
    with member.open() as file:
        for text in _blocks(file):
            for match in _HEAD.finditer(text):
                survey.add(match["idate"] or match["adate"])
    if not survey.count:
        raise ExportError(
            f"{member.name}: no line starts with a date", "this is not a WhatsApp text export"
        )
    decided = survey.decide(order)
    if decided is None:
        raise ExportError(
            f"{member.name}: the order of day and month cannot be inferred from its dates",
            "pass --date-order dmy, mdy or ymd",
        )
    return decided


def _blocks(file: BinaryIO) -> Iterator[str]:
    """The file as text in blocks that end where a message head begins; CR LF becomes LF."""
    encoding: str | None = None
    rest = b""
    pending = ""
    while data := file.read(_BLOCK):
        if encoding is None:
            encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
        if encoding == "utf-16":
            data += file.read()  # rare, and not to be cut at a byte
            yield data.decode("utf-16", "replace").replace("\r\n", "\n")
            return
        data = rest + data
        cut = data.rfind(b"\n") + 1
        rest = data[cut:]
        text = pending + data[:cut].decode("utf-8", "replace").replace("\r\n", "\n")
        heads = [match.start() for match in _HEAD.finditer(text, max(len(pending) - 1, 0))]
        border = heads[-1] if heads else 0
        pending = text[border:]
        if border:
            yield text[:border]
    tail = pending + rest.decode("utf-8", "replace").replace("\r\n", "\n")
    if tail:
        yield tail


def _items(file: BinaryIO, dates: DateFormat) -> Iterator[Line | Event]:
    known: set[str] = set()
    for text in _blocks(file):
        heads = list(_HEAD.finditer(text))
        for at, head in enumerate(heads):
            end = heads[at + 1].start() if at + 1 < len(heads) else len(text)
            yield _item(text[head.end() : end].rstrip("\n"), head, dates, known)


def _item(body: str, head: re.Match[str], dates: DateFormat, known: set[str]) -> Line | Event:
    date, clock = head["idate"] or head["adate"], head["itime"] or head["atime"]
    at = dates.parse(date, clock)
    match = _NAME.match(body)
    name = match["name"].translate(_STRIP).strip() if match else ""
    if match is None or not name or is_event(body, name, known):
        return Event(at, body.translate(_STRIP).strip())
    raw = match["text"]
    text = raw.translate(_STRIP)
    extra: dict[str, Any] = {} if at else {"time": f"{date} {clock}"}
    if DELETED.match(text.strip()):
        known.add(name)
        return Line(name, "", at, alone=True, train=False, extra={**extra, "deleted": True})
    if edited := EDITED.search(text):
        text = text[: edited.start()].rstrip(" ")
        extra["edited"] = True
    attachments: tuple[Attachment, ...] = ()
    if media := media_kind(text.strip()):
        kind, file_name, caption = media
        attachments, text = (Attachment(kind, uri=file_name),), caption
    elif POLL.match(text) or (raw.startswith("\u200e") and head["idate"] and not extra):
        # on iOS the mark stands before what the app itself says, never before a person's words
        return Event(at, f"{name}: {text.strip()}")
    known.add(name)
    return Line(name, text, at, attachments, extra=extra or None)


def _conversation(chat: str, session: Session, options: ImportOptions) -> Conversation:
    lines, events = session
    at = lines[0].at
    native = f"{chat}|{at.isoformat() if at else ''}|{lines[0].speaker}"
    metadata: dict[str, Any] = {}
    if events:
        metadata["events"] = [[e.at.isoformat() if e.at else None, e.text] for e in events]
    return Conversation(
        id=conversation_id("whatsapp", native),
        importer="whatsapp",
        source_id=native,
        title=chat,
        created_at=at,
        messages=tuple(turns(lines, options.as_assistant)),
        participants=participants(lines, options.as_assistant),
        metadata=metadata,
    )
