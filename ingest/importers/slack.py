"""Slack's export: a folder for each channel with a file for each day.

Answers lie in the files of other days than their question, and a broadcast answer may come twice:
the messages of a channel are brought together by their ``ts``, which is their id and stays text.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import msgspec

from ingest.archive import Export, Member
from ingest.importers.base import ImporterKind, ImportOptions, Item, Reject
from ingest.importers.chats import NEVER, conversations
from ingest.importers.fields import object_of, objects, stated, text_of
from ingest.importers.media import media_kind
from ingest.importers.records import records
from ingest.importers.slack_names import Names
from ingest.importers.slack_text import (
    plain_text,
    text_of_attachments,
    text_of_blocks,
    without_tokens,
)
from ingest.message import Attachment
from ingest.people import CHANNEL_GAP, SESSION_GAP, Event, Line
from ingest.shape import Peek, holds, peek
from ingest.spool import Spool
from ingest.times import from_epoch

_TS = re.compile(r"\d{1,12}\.\d{1,9}")
_SPEECH = {None, "", "bot_message", "me_message", "thread_broadcast", "file_share",
           "slackbot_response", "tombstone"}  # fmt: skip
_USED = {
    "type", "subtype", "text", "ts", "thread_ts", "parent_user_id", "user", "bot_id", "username",
    "bot_profile", "user_profile", "files", "file", "upload", "client_msg_id", "team", "user_team",
    "source_team", "blocks", "reply_count", "reply_users", "reply_users_count", "latest_reply",
    "replies", "subscribed", "last_read", "is_locked", "root", "display_as_bot",
}  # fmt: skip
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Slack:
    """The importer of a Slack workspace's export."""

    name = "slack"
    title = "Slack export (zip, folder)"
    kind: ImporterKind = "people"
    needs = "--as-assistant NAME, or the id of the user or bot"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when a member is an array of messages with Slack's ``ts``."""
        return 0.95 if holds(export, _is_day) else 0.0

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:
        """Every channel in order of its folder: its sessions, then its threads."""
        seen: Counter[str] = Counter()
        folders = _folders(export)
        names = Names()
        for member in export.members:
            if not any(member in days for days in folders.values()):
                names.read(member)
        for folder, days in folders.items():
            with Spool() as spool:
                for member in days:
                    yield from _fill(spool, member)
                if spool.chats():
                    yield from _channel(spool, folder, names, options, seen)


def _is_day(look: Peek) -> bool:
    first = look.first_of("") if look.kind == "array" else {}
    return "type" in first and _TS.fullmatch(str(first.get("ts"))) is not None


def _folders(export: Export) -> dict[str, list[Member]]:
    """Files of days by the folder of their channel."""
    files: defaultdict[str, list[Member]] = defaultdict(list)
    for member in export.members:
        if member.base.endswith(".json") or len(export.members) == 1:
            files[str(PurePosixPath(member.name).parent)].append(member)
    folders = {}
    for folder, members in files.items():
        days = [member for member in members if _is_day(peek(member))]
        if days:
            # a damaged day is still a day of its channel, but lists may lie beside a lone one
            folders[folder] = members if folder != "." else days
    return folders


def _fill(spool: Spool, member: Member) -> Iterator[Reject]:
    for item in records(member, dict[str, Any]):
        if isinstance(item, Reject):
            yield item
            continue
        ts = item.value.get("ts")
        if not isinstance(ts, str) or not _TS.fullmatch(ts):
            yield Reject(item.where, "the message has no usable ts", "export it again")
            continue
        seconds, _, rest = ts.partition(".")
        thread = text_of(item.value.get("thread_ts")) or ts
        raw = without_tokens(msgspec.json.encode(item.value))
        spool.add("", ts, raw, thread=thread, rank=f"{seconds:0>12}.{rest}")


def _channel(
    spool: Spool, folder: str, names: Names, options: ImportOptions, seen: Counter[str]
) -> Iterator[Item]:
    channel = names.channel(PurePosixPath(folder).name or folder)
    facts = {"channel": channel.id}
    yield from conversations(
        "slack",
        channel.id,
        (_item(_decode(raw), names.by_id) for raw in spool.alone("")),
        options,
        seen,
        gap=SESSION_GAP if channel.is_direct else CHANNEL_GAP,
        title=channel.title,
        metadata=facts,
    )
    for thread in spool.threads(""):
        yield from conversations(
            "slack",
            f"{channel.id}/{thread}",
            (_item(_decode(raw), names.by_id) for raw in spool.thread("", thread)),
            options,
            seen,
            gap=NEVER,
            title=channel.title,
            metadata={**facts, "thread_ts": thread},
        )


def _item(message: dict[str, Any], names: Mapping[str, str]) -> Line | Event:
    ts = message["ts"]
    at = from_epoch(float(ts))
    subtype = message.get("subtype")
    text = plain_text(text_of(message.get("text")) or "", names)
    if message.get("type") != "message" or subtype not in tuple(_SPEECH):
        return Event(at, text or str(subtype or message.get("type")))
    blocks = [b for b in objects(message.get("blocks")) if not text or b.get("type") != "rich_text"]
    said = (
        text
        or text_of_blocks(message.get("blocks"), names)
        or text_of_attachments(message.get("attachments"), names)
    )
    gone = subtype == "tombstone"
    extra = stated({key: value for key, value in message.items() if key not in _USED})
    if blocks:
        extra["blocks"] = blocks
    if subtype:
        extra["subtype"] = subtype
    speaker, key = _speaker(message, names)
    thread = text_of(message.get("thread_ts"))
    return Line(
        speaker=speaker,
        text="" if gone else said,
        at=at,
        attachments=_files(message),
        alone=gone,
        train=False if gone else None,
        extra=extra or None,
        speaker_id=key,
        source_id=ts,
        parent_id=thread if thread != ts else None,
        on_path=not gone,
    )


def _speaker(message: dict[str, Any], names: Mapping[str, str]) -> tuple[str, str | None]:
    """(name, id): users by the workspace's list or the message's own profile, bots by theirs."""
    user = text_of(message.get("user"))
    bot = text_of(message.get("bot_id"))
    profile = object_of(message.get("user_profile"))
    name = (
        text_of(message.get("username"))
        or names.get(user or "")
        or text_of(profile.get("display_name"))
        or text_of(profile.get("real_name"))
        or text_of(object_of(message.get("bot_profile")).get("name"))
        or user
        or bot
        or "Unknown"
    )
    return name, user or bot


def _files(message: dict[str, Any]) -> tuple[Attachment, ...]:
    return tuple(_file(each) for each in objects(message.get("files") or [message.get("file")]))


def _file(file: dict[str, Any]) -> Attachment:
    name = text_of(file.get("name")) or text_of(file.get("title"))
    mime = text_of(file.get("mimetype"))
    size = file.get("size")
    return Attachment(
        media_kind(name, mime),
        name=name,
        uri=text_of(file.get("url_private_download"))
        or text_of(file.get("url_private"))
        or text_of(file.get("permalink")),
        mime_type=mime,
        size_bytes=size if isinstance(size, int) and not isinstance(size, bool) else None,
        text=text_of(file.get("plain_text")) or text_of(file.get("preview")),
    )
