"""Mail: mbox files and single ``.eml`` files; every thread is a conversation.

One pass finds the mails and their threads, a second reads them thread by thread from their places,
so that an archive of any size needs the memory of its largest thread.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import ExitStack
from email import message_from_bytes
from email.message import Message
from typing import NamedTuple

from ingest.archive import Export
from ingest.importers.base import ImporterKind, ImportOptions, Item, Reject
from ingest.importers.mail_parts import Content, content_of, header, message_ids, sender, sent_at
from ingest.importers.mail_text import Written
from ingest.importers.mail_threads import Place, Threads, base_subject
from ingest.importers.mbox import Source, Span, is_mbox, spans, unescaped
from ingest.importers.records import zoned
from ingest.message import Conversation, conversation_id
from ingest.people import Line, participants, turns
from ingest.shape import Peek, holds, like
from ingest.times import sort_key

MAX_MAIL = 256 << 20
"""Bytes of the largest mail that is read."""

_EXTRA = ("To", "Cc", "X-Gmail-Labels")
_BLANK = re.compile(rb"\r?\n\r?\n")
_HEADER_BYTES = 256 << 10
_REFERENCES = 100
_FIELD = re.compile(rb"^([!-9;-~]{1,80}):[ \t\r\n]")
_KNOWN = {
    b"from", b"to", b"subject", b"date", b"message-id", b"received", b"return-path", b"references",
    b"delivered-to", b"mime-version", b"content-type", b"in-reply-to", b"cc", b"reply-to",
}  # fmt: skip


class Mail:
    """The importer of mail archives."""

    name = "mail"
    title = "Mail (mbox, eml, a folder or zip of them)"
    kind: ImporterKind = "people"
    needs = "--as-assistant NAME or address"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when a file begins with mbox's separator or with a mail's headers."""
        return 0.9 if holds(export, _is_ours) else 0.0

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:
        """Every thread."""
        threads = Threads()
        with ExitStack() as stack:
            stack.callback(threads.close)
            sources: list[Source] = []
            for member in list(like(export, _is_ours)) or export.members:
                source = Source(member)
                stack.callback(source.close)
                sources.append(source)
                yield from _index(threads, sources)
            threads.settle()
            for places in threads:
                mails = [_line(sources, place) for place in places]
                yield zoned(_conversation(mails, options), options.tz)


def _is_ours(look: Peek) -> bool:
    head = look.text.encode() if look.kind == "text" else b""
    return is_mbox(head) or _is_mail(head)


def _is_mail(head: bytes) -> bool:
    """Whether bytes begin with the headers of a mail: sender, time or id, and one more."""
    names: set[bytes] = set()
    for line in head.lstrip(b"\xef\xbb\xbf\r\n").split(b"\n"):
        if not line.strip():
            break
        if line[:1] in b" \t":
            continue
        match = _FIELD.match(line + b"\n")
        if match is None:
            return False
        names.add(match[1].lower())
    known = names & _KNOWN
    return b"from" in known and bool(known & {b"date", b"message-id"}) and len(known) > 2


def _index(threads: Threads, sources: list[Source]) -> Iterator[Reject]:
    number, source = len(sources) - 1, sources[-1]
    if not is_mbox(source.member.head()):
        yield from _add(threads, source, number, Span(0, source.member.size))
        return
    with source.member.open() as file:
        for span in spans(file):
            yield from _add(threads, source, number, span)


def _add(threads: Threads, source: Source, number: int, span: Span) -> Iterator[Reject]:
    where = f"{source.member.name}: byte {span.start}"
    if span.size > MAX_MAIL:
        yield Reject(where, f"a mail of more than {MAX_MAIL >> 20} MiB", "is this one mail?")
        return
    raw = source.read(Span(span.start, min(span.size, _HEADER_BYTES)))
    end = _BLANK.search(raw)
    head = raw[: end.start()] if end else raw
    mail = message_from_bytes(head)
    if not any(mail.get(name) for name in ("From", "Sender", "Date", "Message-ID")):
        yield Reject(where, "no headers of a mail", "download it again; the rest was imported")
        return
    sent = sort_key(sent_at(mail)) or None
    id_ = _id(mail) or f"<{hashlib.sha256(head).hexdigest()}>"
    references = [each for each in _references(mail) if each != id_]
    threads.add(Place(number, *span), id_, references, sent, header(mail, "Subject"))


def _id(mail: Message) -> str | None:
    return next(iter(message_ids(mail, "Message-ID")), None)


def _references(mail: Message) -> list[str]:
    return message_ids(mail, "References", "In-Reply-To")[-_REFERENCES:]


class _Read(NamedTuple):
    """A mail as a line, with what its thread needs of it."""

    line: Line
    root: str
    subject: str


def _line(sources: list[Source], place: Place) -> _Read:
    raw = sources[place.source].read(Span(place.start, place.size))
    mail = message_from_bytes(unescaped(raw) if place.start else raw)
    speaker, address = sender(mail)
    extra = {name: value for name in _EXTRA if (value := header(mail, name))}
    try:
        content = content_of(mail)
    except RecursionError:
        content = Content(Written(""), (), None)
        extra["unread"] = "nested too deeply"
    own, quoted, signature = content.written
    extra |= {"quoted": quoted} if quoted else {}
    extra |= {"signature": signature} if signature else {}
    extra |= {"charset_guessed": content.guessed} if content.guessed else {}
    id_, references = _id(mail), _references(mail)
    answered = next(iter(message_ids(mail, "In-Reply-To")), references[-1] if references else None)
    subject = header(mail, "Subject")
    line = Line(
        speaker=speaker,
        text=own,
        at=sent_at(mail),
        attachments=content.attachments,
        alone=True,
        # nothing of one's own: a bare forward, or a mail that could not be read
        train=False if not own and not content.attachments else None,
        extra=extra,
        speaker_id=address,
        source_id=id_,
        parent_id=answered,
    )
    root = references[0] if references else id_ or hashlib.sha256(raw).hexdigest()
    return _Read(line, root, subject)


def _conversation(mails: list[_Read], options: ImportOptions) -> Conversation:
    first = mails[0]
    for mail in mails:
        if mail.line.extra is not None and base_subject(mail.subject) != base_subject(
            first.subject
        ):
            mail.line.extra["Subject"] = mail.subject
    lines = [mail.line for mail in mails]
    return Conversation(
        id=conversation_id("mail", first.root),
        importer="mail",
        source_id=first.root,
        title=first.subject or None,
        created_at=first.line.at,
        messages=tuple(turns(lines, options.as_assistant)),
        participants=participants(lines, options.as_assistant),
    )
