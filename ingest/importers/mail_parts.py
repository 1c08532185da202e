"""A mail's headers and parts as the standard library reads them, whatever is wrong with them."""

import re
from collections.abc import Iterator
from datetime import datetime
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime
from typing import NamedTuple

from ingest.importers.mail_text import Written, split_html, split_text, unflowed
from ingest.importers.media import media_kind
from ingest.message import Attachment
from ingest.times import in_utc

_ID = re.compile(r"<[^<>\s]+>")


class Content(NamedTuple):
    """What a mail holds.

    Attributes:
        written: its text.
        attachments: files, by reference.
        guessed: charset that was used because the stated one was missing or wrong.
    """

    written: Written
    attachments: tuple[Attachment, ...]
    guessed: str | None


def header(mail: Message, name: str) -> str:
    """A header as text, its encoded words decoded and its folding undone.

    Bytes that are no ASCII, which no header may have and many do, are read as UTF-8 or as
    Windows-1252.
    """
    name = name.lower()
    raw = next((value for key, value in mail.raw_items() if key.lower() == name), "")
    text = str(raw)
    if not text.isascii():
        text = decoded(text.encode("utf-8", "surrogateescape"), None)[0]
    return " ".join(_words(text).split())


def _words(text: str) -> str:
    """A text with its encoded words decoded."""
    if "=?" not in text:
        return text
    try:
        pieces = decode_header(text)
    except (HeaderParseError, ValueError):
        return text
    return "".join(
        piece if isinstance(piece, str) else decoded(piece, charset)[0] for piece, charset in pieces
    )


def decoded(raw: bytes, charset: str | None) -> tuple[str, str | None]:
    """(text, guessed charset): the stated charset, else UTF-8, else Windows-1252.

    The second is None where the stated charset did (or none was needed).
    """
    if charset and charset.lower() not in ("unknown-8bit", "default", "binary"):
        try:
            return raw.decode(charset), None
        except (LookupError, UnicodeError, ValueError):
            pass
    if raw.isascii():
        return raw.decode("ascii"), None
    try:
        return raw.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace"), "cp1252"


def message_ids(mail: Message, *names: str) -> list[str]:
    """The message ids in some headers, each once."""
    found = [id_ for name in names for id_ in _ID.findall(str(mail.get(name, "")))]
    return list(dict.fromkeys(found))


def sender(mail: Message) -> tuple[str, str | None]:
    """(name, address) of who wrote it."""
    for name in ("From", "Sender", "Reply-To"):
        try:
            found = getaddresses([header(mail, name)])
        except RecursionError:  # a line of colons, groups in groups to that module
            continue
        for shown, address in found:
            if address or shown:
                return shown or address, address.lower() or None
    return "Unknown", None


def sent_at(mail: Message) -> datetime | None:
    """When it was sent: aware, or naive where the zone is ``-0000``, which says that none is."""
    try:
        found = parsedate_to_datetime(header(mail, "Date"))
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return in_utc(found) if 1980 <= found.year < 2200 else None


def content_of(mail: Message) -> Content:
    """The text and files of a mail. Of alternatives the plain text, unless it is empty."""
    texts: list[Written] = []
    files: list[Attachment] = []
    guesses: list[str] = []
    for part in _leaves(mail):
        if isinstance(part, Attachment):
            files.append(part)
            continue
        written, guessed = _written(part)
        texts.append(written)
        guesses += [guessed] if guessed else []
    return Content(
        Written(*("\n\n".join(filter(None, column)) for column in zip(*texts, strict=True)))
        if texts
        else Written(""),
        tuple(files),
        guesses[0] if guesses else None,
    )


def _leaves(part: Message) -> Iterator[Message | Attachment]:
    """Texts and files in their order, of alternatives one."""
    kind = part.get_content_type()
    if kind == "message/rfc822":
        inner = part.get_payload()
        forwarded = inner[0] if isinstance(inner, list) and inner else None
        name = header(forwarded, "Subject") if isinstance(forwarded, Message) else ""
        yield Attachment("message", name=name or _file_name(part), mime_type=kind)
    elif part.is_multipart():
        parts = [each for each in part.get_payload() if isinstance(each, Message)]
        if kind == "multipart/alternative":
            yield from _best(parts)
        else:
            for each in parts:
                yield from _leaves(each)
    elif kind in ("text/plain", "text/html") and part.get_content_disposition() != "attachment":
        yield part
    else:
        uri = str(part["Content-ID"]).strip("<> ") if part["Content-ID"] else None
        yield Attachment(
            media_kind(_file_name(part), kind),
            name=_file_name(part),
            uri=f"cid:{uri}" if uri else None,
            mime_type=kind,
        )


def _best(parts: list[Message]) -> Iterator[Message | Attachment]:
    """The plain alternative if it says something, else the richest one; files of all of them."""
    leaves = [list(_leaves(part)) for part in parts]
    texts = [[leaf for leaf in each if isinstance(leaf, Message)] for each in leaves]
    plain = [each for each in texts if each and each[0].get_content_type() == "text/plain"]
    said = [each for each in plain if any(_payload(text).strip() for text in each)]
    rich = [each for each in texts if each and each not in plain]
    yield from next(iter(said or rich[::-1] or plain), [])
    for each in leaves:
        yield from (leaf for leaf in each if isinstance(leaf, Attachment))


def _payload(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _written(part: Message) -> tuple[Written, str | None]:
    text, guessed = decoded(_payload(part), part.get_content_charset())
    if part.get_content_type() == "text/html":
        return split_html(text), guessed
    if str(part.get_param("format", "")).lower() == "flowed":
        text = unflowed(text, delete_space=str(part.get_param("delsp", "")).lower() == "yes")
    return split_text(text), guessed


def _file_name(part: Message) -> str | None:
    name = part.get_filename()
    if not name:
        return None
    if not name.isascii():
        name = decoded(name.encode("utf-8", "surrogateescape"), None)[0]
    return _words(name)
