"""The lines of signal-export's text: ``[2019-12-24, 12:23] Name: text``, Markdown below each.

Two heads are written: date and minutes with a comma, or date and seconds without. WhatsApp's
iPhone export writes neither: it always has seconds, and with seconds it has its invisible marks.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from ingest.importers.media import media_kind
from ingest.message import Attachment
from ingest.people import Event, Line
from ingest.times import from_iso

HEAD = re.compile(
    r"\[(?P<date>\d{4}-\d{2}-\d{2})(?P<comma>,?) (?P<time>\d{2}:\d{2}(?P<seconds>:\d{2})?)\] "
    r"(?P<name>[^\n]{1,120}?):(?: (?P<text>.*)|$)"
)
_REACTIONS = re.compile(r"\n\(- (?P<all>[^\n]+) -\)\s*$")
_STICKER = re.compile(r"\n?\(\( (?P<label>[^\n]{1,200}?) \)\)\s*$")
_FILE = re.compile(r"!?\[(?P<name>[^\]\n]{0,255})\]\((?P<uri>\.{1,2}/[^)\n]{1,1000})\) *")
_QUOTE = re.compile(r"^\s*\n(?P<quote>(?:> ?[^\n]*\n)+)\n*|^(?P<one>> [^\n]*)\n\n")
_CALL = re.compile(
    r"^(?:Incoming|Outgoing|Missed|Declined|Unanswered) (?:voice |video |group )?call(?: \(.*\))?$"
)
NOBODY = "No-Sender"


class Said(NamedTuple):
    """One message of signal-export before it is a line or an event.

    Attributes:
        date: ISO text.
        sender: the displayed name; ``Me`` for the owner.
        body: the text.
        quote: what it answers to.
        attachments: files and stickers.
        reactions: ``[name, emoji]`` each.
        deleted: whether it was deleted.
        call: whether it is a call; None where the export does not say.
    """

    date: str
    sender: str
    body: str
    quote: str = ""
    attachments: tuple[Attachment, ...] = ()
    reactions: tuple[list[str], ...] = ()
    deleted: bool = False
    call: bool | None = None


def item_of(said: Said) -> Line | Event:
    """The line that somebody said, or the event that nobody said."""
    at = from_iso(said.date)
    body = said.body.rstrip()
    if said.sender == NOBODY or (_CALL.match(body) if said.call is None else said.call):
        return Event(at, body if said.sender == NOBODY else f"{said.sender}: {body}")
    extra: dict[str, Any] = {}
    if said.quote:
        extra["quote"] = said.quote
    if said.reactions:
        extra["reactions"] = list(said.reactions)
    if said.deleted:
        return Line(said.sender, "", at, alone=True, train=False, extra={"deleted": True, **extra})
    return Line(said.sender, body, at, said.attachments, extra=extra or None)


def unquoted(quote: str) -> str:
    """The quoted text without the marks of the quote."""
    return "\n".join(re.sub(r"^> ?", "", line) for line in quote.strip().split("\n"))


def is_signal(text: str) -> bool:
    """Whether the beginning of a text is signal-export's: by its heads and what is under them."""
    lines = text.split("\n")
    if not (lines and HEAD.match(lines[0])):
        return False
    heads = [match for line in lines if (match := HEAD.match(line))]
    if any(not match["comma"] and not match["seconds"] for match in heads):
        return False
    if all(match["comma"] and not match["seconds"] for match in heads):
        return True
    if any(match["comma"] for match in heads) or "\u200e" in text:
        return False
    # the owner is always 'Me', and bodies end with Markdown's two blanks
    ends = sum(1 for match in heads if (match["text"] or "").endswith("  "))
    return ends * 2 >= len(heads) or any(match["name"] == "Me" for match in heads)


def read_text(lines: Iterable[str]) -> Iterator[Said]:
    """The messages of a text; a body runs to the next head."""
    head: re.Match[str] | None = None
    body: list[str] = []
    for line in lines:
        found = HEAD.match(line)
        if found is None:
            if head is not None:
                body.append(line)
            continue
        if head is not None:
            yield _said(head, body)
        head, body = found, [found["text"] or ""]
    if head is not None:
        yield _said(head, body)


def _said(head: re.Match[str], lines: list[str]) -> Said:
    body = "\n".join(lines).rstrip("\n")
    reactions: tuple[list[str], ...] = ()
    if match := _REACTIONS.search(body):
        pairs = (pair.rpartition(": ") for pair in match["all"].split(", "))
        reactions = tuple([name, emoji] for name, _, emoji in pairs if name)
        body = body[: match.start()]
    files = tuple(
        Attachment(media_kind(match["uri"]), name=match["name"] or None, uri=match["uri"])
        for match in _FILE.finditer(body)
    )
    body = _FILE.sub("", body)
    if match := _STICKER.search(body):
        files += (Attachment("sticker", name=match["label"]),)
        body = body[: match.start()]
    quote = ""
    if match := _QUOTE.match(body):
        quote = unquoted(match["quote"] or match["one"])
        body = body[match.end() :]
    return Said(
        date=f"{head['date']} {head['time']}",
        sender=head["name"],
        body=body,
        quote=quote,
        attachments=files,
        reactions=reactions,
        deleted=body.strip() == "(This message was deleted)",
    )
