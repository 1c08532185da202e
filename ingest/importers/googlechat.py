"""Google Chat from Takeout: ``Google Chat/Groups/<group>/messages.json`` with ``group_info.json``.

Topics of two messages or more are threads and become conversations of their own; what stands alone
is cut into sessions.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import msgspec

from ingest.archive import Export, Member
from ingest.importers.base import ImporterKind, ImportOptions, Item, Reject, Skip
from ingest.importers.chats import NEVER, conversations
from ingest.importers.fields import name_of, object_of, objects, text_of
from ingest.importers.long_dates import from_long_date
from ingest.importers.media import media_kind
from ingest.importers.records import records
from ingest.message import Attachment
from ingest.people import CHANNEL_GAP, SESSION_GAP, Line
from ingest.shape import Peek, holds, like, peek
from ingest.spool import Spool

_USED = {"creator", "created_date", "text", "topic_id", "message_id", "attached_files"}
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class _Group(NamedTuple):
    folder: str
    title: str | None
    is_space: bool


class GoogleChat:
    """The importer of Google Chat's part of a Takeout."""

    name = "googlechat"
    title = "Google Chat Takeout (zip, folder, messages.json)"
    kind: ImporterKind = "people"
    needs = "--as-assistant NAME, or the mail address of the person or bot"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when an object's ``messages`` have ``topic_id`` and ``message_id``."""
        return 0.95 if holds(export, _is_ours) else 0.0

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:
        """Every group's sessions, then its threads."""
        seen: Counter[str] = Counter()
        members = list(like(export, _is_ours))
        for member in members or export.members:
            with Spool() as spool:
                faults = list(_fill(spool, member))
                yield from faults
                if not faults and not spool.chats():
                    yield Skip(member.name, "no messages")
                group = _group(export, member)
                for chat in spool.chats():
                    yield from _conversations(spool, chat, group, options, seen)


def _is_ours(look: Peek) -> bool:
    first = look.first_of("messages") if look.kind == "object" else {}
    return "topic_id" in first and "message_id" in first


def _group(export: Export, member: Member) -> _Group:
    """What ``group_info.json`` beside the messages says; spaces have a name, DMs have none."""
    folder = PurePosixPath(member.name).parent
    for beside in export.members:
        if beside.base == "group_info.json" and PurePosixPath(beside.name).parent == folder:
            info = peek(beside).first
            name = text_of(info.get("name"))
            members = objects(info.get("members"))
            people = [name_of(each.get("name")) or name_of(each.get("email")) for each in members]
            title = name or ", ".join(each for each in people if each)
            return _Group(folder.name, title or folder.name, name is not None)
    return _Group(folder.name, folder.name or None, folder.name.startswith("Space"))


def _fill(spool: Spool, member: Member) -> Iterator[Reject]:
    for item in records(member, dict[str, Any], path=("messages",)):
        if isinstance(item, Reject):
            yield item
            continue
        message = item.value
        key = name_of(message.get("message_id")) or item.where
        chat, slash, _ = key.partition("/")
        topic = name_of(message.get("topic_id")) or ""
        spool.add(chat if slash else "", key, msgspec.json.encode(message), thread=topic)


def _conversations(
    spool: Spool, chat: str, group: _Group, options: ImportOptions, seen: Counter[str]
) -> Iterator[Item]:
    place = chat or group.folder
    facts = {"group": group.folder} if group.folder else {}
    gap = CHANNEL_GAP if group.is_space else SESSION_GAP
    lines = (_line(_decode(raw)) for raw in spool.alone(chat))
    yield from conversations(
        "googlechat", place, lines, options, seen, gap=gap, title=group.title, metadata=facts
    )
    for topic in spool.threads(chat):
        thread = {**facts, "topic_id": topic}
        yield from conversations(
            "googlechat", f"{place}/{topic}", _replies(spool.thread(chat, topic)), options, seen,
            gap=NEVER, title=group.title, metadata=thread,
        )  # fmt: skip


def _replies(thread: Iterator[bytes]) -> Iterator[Line]:
    root: str | None = None
    for raw in thread:
        line = _line(_decode(raw), root)
        root = root or line.source_id
        yield line


def _line(message: dict[str, Any], root: str | None = None) -> Line:
    creator = object_of(message.get("creator"))
    extra = {key: value for key, value in message.items() if key not in _USED}
    said = text_of(message.get("created_date"))
    at = from_long_date(said)
    if at is None and said:
        extra["created_date"] = said
    kind = text_of(creator.get("user_type"))
    if kind is not None and kind.lower() != "human":
        extra["user_type"] = kind
    email = text_of(creator.get("email"))
    state = text_of(message.get("message_state")) or ""
    gone = state.lower() == "deleted" or "deletion_metadata" in message or not creator
    if gone:
        extra["deleted"] = True
    return Line(
        speaker=text_of(creator.get("name")) or email or "Unknown",
        text=text_of(message.get("text")) or "",
        at=at,
        attachments=tuple(_attachment(file) for file in objects(message.get("attached_files"))),
        alone=gone,
        train=False if gone else None,
        extra=extra or None,
        speaker_id=email,
        source_id=name_of(message.get("message_id")),
        parent_id=root,
        on_path=not gone,
    )


def _attachment(file: dict[str, Any]) -> Attachment:
    name = text_of(file.get("original_name"))
    uri = text_of(file.get("export_name"))
    if uri:
        # on disk the '?' of 'File-1?account_id=3.png' is an underscore
        uri = uri.replace("?", "_")
    return Attachment(media_kind(name or uri), name=name, uri=uri)
