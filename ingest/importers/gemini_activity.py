"""Gemini's part of Google's My Activity: prompts with answers as HTML, the newest first."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import msgspec

from ingest.archive import Member
from ingest.html import to_text
from ingest.importers.base import Item, Reject, Skip
from ingest.importers.fields import joined, objects, stated, text_of
from ingest.importers.records import Record, records
from ingest.message import Attachment, Conversation, Message, conversation_id
from ingest.shape import Peek
from ingest.times import from_any, sort_key

SILENCE = timedelta(minutes=30)
"""Prompts without a conversation's address belong together up to this pause."""

_OURS = re.compile(r"\b(?:gemini|bard)\b", re.IGNORECASE)
_PROMPT = re.compile(
    r"(?:Prompted with:|Prompted|Asked (?:Gemini|Bard):|Asked|Said|Branched|Answered)\s+"
    r"(?P<text>.+)",
    re.DOTALL,
)
_NO_PROMPT = re.compile(
    r"(?:Created|Used|Added|Gave|Selected|Shared|Deleted|Updated|Removed|Turned|Visited|Viewed)\b"
)
_FILES = re.compile(r"Attached \d{1,9} files?\.\s*$")
_ADDRESS = re.compile(
    r"https?://(?:gemini|bard)\.google\.com/(?:u/\d+/)?(?:app|chat|gem/[^/?#]+)/(?P<id>[\w-]{6,})"
)


class _Record(msgspec.Struct, gc=False):
    header: str | None = None
    title: str | None = None
    titleUrl: str | None = None  # noqa: N815 -- the export's names
    time: Any = None
    products: list[Any] | None = None
    subtitles: Any = None
    safeHtmlItem: Any = None  # noqa: N815
    details: Any = None
    attachedFiles: Any = None  # noqa: N815
    imageFile: Any = None  # noqa: N815
    audioFiles: Any = None  # noqa: N815
    userInteractions: Any = None  # noqa: N815


def is_activity(look: Peek) -> bool:
    """Whether a file is My Activity and some of its first records are Gemini's."""
    if look.kind != "array":
        return False
    found = [each for each in look.value if isinstance(each, dict)]
    return any(
        isinstance(each.get("title"), str)
        and "header" in each
        and "time" in each
        and _is_gemini(each)
        for each in found
    )


def is_markup(look: Peek) -> bool:
    """Whether a file is My Activity as HTML and names Gemini."""
    head = look.text[:400].lower()
    markup = "<html" in head and ("activity" in head or "outer-cell" in look.text)
    return markup and _OURS.search(look.text) is not None


def _is_gemini(source: dict[str, Any]) -> bool:
    products = source.get("products")
    names = [source.get("header"), *(products if isinstance(products, list) else [])]
    return any(isinstance(name, str) and _OURS.search(name) for name in names)


class _Groups:
    """Numbers the group of each prompt: the address's conversation, else a run without silence."""

    def __init__(self) -> None:
        self._run = 0
        self._last: datetime | None = None

    def of(self, address: str | None, at: datetime | None) -> str:
        if address is not None:
            return address
        # files are newest first, but nothing depends on it
        pause = abs(sort_key(self._last) - sort_key(at))
        if self._last is None or at is None or pause > SILENCE.total_seconds():
            self._run += 1
        self._last = at
        return f"#{self._run}"


class _Prompt(msgspec.Struct, gc=False):
    group: str
    address: str | None
    at: datetime | None
    text: str
    record: Record[_Record]


def conversations(member: Member, seen: Counter[str]) -> Iterator[Item]:
    """Every conversation of a file, each once its last prompt was met.

    The file is read twice: a conversation may be taken up again after others, and knowing how many
    prompts it has lets each go as soon as it is complete.

    Args:
        member: the file.
        seen: ids met in this export.
    """
    sizes = Counter(each.group for each in _prompts(member) if isinstance(each, _Prompt))
    waiting: dict[str, list[_Prompt]] = {}
    for item in _prompts(member):
        if not isinstance(item, _Prompt):
            yield item
            continue
        group = waiting.setdefault(item.group, [])
        group.append(item)
        if len(group) == sizes[item.group]:
            yield _conversation(waiting.pop(item.group), seen)


def _prompts(member: Member) -> Iterator[_Prompt | Reject | Skip]:
    groups = _Groups()
    for record in records(member, _Record):
        if not isinstance(record, Record):
            yield record
            continue
        found = _read(record)
        if isinstance(found, _Prompt):
            found.group = groups.of(found.address, found.at)
        yield found


def _read(record: Record[_Record]) -> _Prompt | Reject | Skip:
    source = record.value
    if source.header is None and source.title is None:
        return Reject(record.where, "neither header nor title", "report this shape to us")
    if not _is_gemini({"header": source.header, "products": source.products}):
        return Skip(record.where, "an activity of another product")
    title = source.title or ""
    match = _PROMPT.match(title)
    if match is None and (_NO_PROMPT.match(title) or not _answers(source)):
        # verbs are translated: without a known one, only an answer shows that it was a prompt
        return Skip(record.where, "an activity that is no prompt")
    found = _ADDRESS.match(source.titleUrl or "")
    text = _without_files(match["text"] if match else title)
    return _Prompt("", found["id"] if found else None, from_any(source.time), text, record)


def _without_files(text: str) -> str:
    """The prompt without the note that files came with it."""
    at = text.rfind("Attached ")
    return text[:at].rstrip() if at >= 0 and _FILES.match(text, at) else text


def _answers(source: _Record) -> list[str]:
    """The answers as HTML."""
    written = [each.get("html") for each in objects(source.safeHtmlItem)]
    if not any(written):
        written = [each.get("response") for each in objects(source.userInteractions)]
    return [each for each in written if isinstance(each, str) and each]


def _messages(prompt: _Prompt) -> Iterator[Message]:
    source, odd = prompt.record.value, prompt.record.odd
    yield Message(
        role="user",
        content=prompt.text,
        attachments=tuple(_attachments(source)),
        created_at=prompt.at,
        extra=stated(
            {
                "subtitles": [each for each in objects(source.subtitles) if not _is_file(each)],
                "details": source.details,
                "userInteractions": source.userInteractions,
                "unreadable": list(odd),
            }
        ),
    )
    if answer := joined(map(to_text, _answers(source)), "\n\n"):
        # the time is the prompt's; when the answer came is not said
        yield Message(role="assistant", content=answer)


def _is_file(subtitle: dict[str, Any]) -> bool:
    name = subtitle.get("name")
    return "url" in subtitle or (isinstance(name, str) and _FILES.match(name) is not None)


def _attachments(source: _Record) -> Iterator[Attachment]:
    for kind, value in (
        ("file", source.attachedFiles),
        ("image", source.imageFile),
        ("audio", source.audioFiles),
    ):
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, str) and each:
                yield Attachment(kind, uri=each)
            elif isinstance(each, dict):
                uri = text_of(each.get("url")) or text_of(each.get("uri"))
                yield Attachment(kind, name=text_of(each.get("name")), uri=uri)
    for subtitle in objects(source.subtitles):
        if "url" in subtitle:
            name = str(subtitle.get("name") or "").lstrip("- ") or None
            yield Attachment(name=name, uri=text_of(subtitle["url"]))


def _conversation(prompts: list[_Prompt], seen: Counter[str]) -> Conversation:
    # sorted is stable: turned round first, prompts of one moment keep the order of asking
    newest_first = sort_key(prompts[0].at) >= sort_key(prompts[-1].at)
    in_order = sorted(prompts[::-1] if newest_first else prompts, key=lambda p: sort_key(p.at))
    first = in_order[0]
    native = first.address or (first.at.isoformat() if first.at else "no time")
    seen[native] += 1
    if seen[native] > 1:
        native = f"{native}#{seen[native]}"
    rule = "titleUrl" if first.address else f"{SILENCE.seconds // 60} minutes of silence"
    return Conversation(
        id=conversation_id("gemini", native),
        importer="gemini",
        source_id=native,
        created_at=first.at,
        messages=tuple(message for prompt in in_order for message in _messages(prompt)),
        metadata={"grouped_by": rule},
    )
