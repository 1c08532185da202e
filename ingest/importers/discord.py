"""Discord as DiscordChatExporter writes it: a JSON file for each channel, thread or part of one."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from ingest.archive import Export, Member
from ingest.importers.base import ImporterKind, ImportOptions, Item, Reject, Skip
from ingest.importers.chats import NEVER, conversations
from ingest.importers.fields import joined, name_of, object_of, objects, stated, text_of
from ingest.importers.media import media_kind
from ingest.importers.records import records
from ingest.message import Attachment
from ingest.people import CHANNEL_GAP, SESSION_GAP, Event, Line
from ingest.shape import Peek, holds, like, peek
from ingest.spool import Spool
from ingest.times import from_iso

# by number where the exporter has no name for them: replies and answers to commands
_SPEECH = {"Default", "Reply", "ChatInputCommand", "ContextMenuCommand", "0", "19", "20", "23"}
_USED = {
    "id", "type", "timestamp", "callEndedTimestamp", "content", "author", "attachments",
    "stickers", "reference", "inlineEmojis",
}  # fmt: skip
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Discord:
    """The importer of DiscordChatExporter's JSON."""

    name = "discord"
    title = "Discord, DiscordChatExporter (JSON)"
    kind: ImporterKind = "people"
    needs = "--as-assistant NAME, or the id of the user or bot"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when an object has ``guild``, ``channel`` and ``messages``."""
        return 0.95 if holds(export, _is_ours) else 0.0

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:
        """Every channel in order of its first file; parts of one channel are one."""
        seen: Counter[str] = Counter()
        facts: dict[str, dict[str, Any]] = {}
        with Spool() as spool:
            for member in list(like(export, _is_ours)) or export.members:
                head = peek(member).first
                key = name_of(object_of(head.get("channel")).get("id")) or member.name
                facts.setdefault(key, head)
                yield from _fill(spool, member, key)
                if key not in spool.chats():
                    yield Skip(member.name, "no messages")
            for key in spool.chats():
                items = (_item(_decode(raw)) for raw in spool.in_order(key))
                yield from _channel(key, facts[key], items, options, seen)


def _is_ours(look: Peek) -> bool:
    if look.kind != "object":
        return False
    first = look.first
    return {"guild", "channel", "messages"} <= first.keys() or (
        {"guild", "channel", "dateRange"} <= first.keys()
    )


def _fill(spool: Spool, member: Member, channel: str) -> Iterator[Reject]:
    for item in records(member, dict[str, Any], path=("messages",)):
        if isinstance(item, Reject):
            yield item
            continue
        key = name_of(item.value.get("id"))
        if key is None:
            yield Reject(item.where, "the message has no id", "export it again")
        else:
            # ids grow with time, and beyond what a float can tell apart
            spool.add(channel, key, msgspec.json.encode(item.value), rank=f"{key:0>24}")


def _channel(
    key: str,
    head: dict[str, Any],
    items: Iterator[Line | Event],
    options: ImportOptions,
    seen: Counter[str],
) -> Iterator[Item]:
    guild, channel = object_of(head.get("guild")), object_of(head.get("channel"))
    guild_id, kind = name_of(guild.get("id")), text_of(channel.get("type")) or ""
    metadata = stated(
        {
            "guild": guild_id,
            "guild_name": text_of(guild.get("name")),
            "channel_type": kind,
            "category": text_of(channel.get("category")),
            "topic": text_of(channel.get("topic")),
        }
    )
    is_direct = guild_id == "0" or kind.startswith("Direct")
    gap = NEVER if "Thread" in kind else SESSION_GAP if is_direct else CHANNEL_GAP
    yield from conversations(
        "discord", key, items, options, seen,
        gap=gap, title=text_of(channel.get("name")), metadata=metadata,
    )  # fmt: skip


def _item(message: dict[str, Any]) -> Line | Event:
    at = from_iso(text_of(message.get("timestamp")))
    author = object_of(message.get("author"))
    speaker = text_of(author.get("nickname")) or text_of(author.get("name")) or "Unknown"
    text = text_of(message.get("content")) or ""
    kind = str(message.get("type"))
    if kind not in _SPEECH:
        return Event(at, f"{speaker}: {text or kind}")
    extra = stated({key: value for key, value in message.items() if key not in _USED})
    files = [_file(each) for each in objects(message.get("attachments"))]
    files += [_sticker(each) for each in objects(message.get("stickers"))]
    forwarded = object_of(message.get("forwardedMessage"))
    if forwarded:
        text = text or text_of(forwarded.get("content")) or ""
        files += [_file(each) for each in objects(forwarded.get("attachments"))]
    if not text:
        text = joined(
            joined([each.get("title"), each.get("description")])
            for each in objects(message.get("embeds"))
        )
    if author.get("isBot") is True:
        extra["isBot"] = True
    if kind != "Default":
        extra["type"] = kind
    return Line(
        speaker=speaker,
        text=text,
        at=at,
        attachments=tuple(files),
        # what somebody else wrote elsewhere is not the speaker's own
        alone=bool(forwarded),
        train=False if forwarded else None,
        extra=extra or None,
        speaker_id=name_of(author.get("id")),
        source_id=name_of(message.get("id")),
        parent_id=None
        if forwarded
        else name_of(object_of(message.get("reference")).get("messageId")),
    )


def _file(file: dict[str, Any]) -> Attachment:
    name = text_of(file.get("fileName"))
    size = file.get("fileSizeBytes")
    return Attachment(
        media_kind(name),
        name=name,
        uri=text_of(file.get("url")),
        size_bytes=size if isinstance(size, int) and not isinstance(size, bool) else None,
    )


def _sticker(sticker: dict[str, Any]) -> Attachment:
    return Attachment(
        "sticker", name=text_of(sticker.get("name")), uri=text_of(sticker.get("sourceUrl"))
    )
