"""Microsoft Teams as Graph exports it: files of chat messages by team and by user.

A chat lies in the file of each of its members; every message counts once. Channel posts with
replies are conversations of their own, chats and lone posts are cut into sessions.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from ingest.archive import Export
from ingest.importers.base import ImporterKind, ImportOptions, Item, Reject
from ingest.importers.chats import NEVER, conversations
from ingest.importers.fields import name_of, object_of, text_of
from ingest.importers.records import records
from ingest.importers.teams_body import attachments_of, text_of_body
from ingest.people import CHANNEL_GAP, SESSION_GAP, Event, Line
from ingest.shape import Peek, holds, like
from ingest.spool import Spool
from ingest.times import from_iso, sort_key

_USED = {
    "id", "replyToId", "chatId", "channelIdentity", "messageType", "createdDateTime", "body",
    "from", "mentions", "attachments", "etag", "lastModifiedDateTime", "deletedDateTime",
    "eventDetail", "webUrl", "locale",
}  # fmt: skip
_CHANNEL = "channel "
_SKYPE = {"messagetype", "originalarrivaltime"}
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Teams:
    """The importer of Teams messages as Microsoft Graph writes them."""

    name = "teams"
    title = "Microsoft Teams (Graph export: messages of teams and users)"
    kind: ImporterKind = "people"
    needs = "--as-assistant NAME, or the id of the user or application"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when the first record has Graph's ``id``, ``body``, ``from`` and a place or time."""
        return 0.95 if holds(export, _is_ours) else 0.0

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:
        """Every chat and channel in order of its first message."""
        seen: Counter[str] = Counter()
        names = _names(export)
        with Spool() as spool:
            for member in list(like(export, _is_ours)) or export.members:
                for item in records(member, dict[str, Any], path=("value",)):
                    if isinstance(item, Reject):
                        yield item
                    elif fault := _put(spool, plain(item.value), member.name):
                        yield Reject(item.where, fault, "export it again; the rest was imported")
            for chat in spool.chats():
                yield from _conversations(spool, chat, names, options, seen)


def plain(value: Any, levels: int = 6) -> Any:
    """A record with keys as in Graph: some exports write ``ReplyToId`` for ``replyToId``.

    Args:
        value: decoded JSON.
        levels: how deep to go; Graph's own records are no deeper.
    """
    if not levels or not value:
        return value
    if isinstance(value, dict):
        return {
            key[:1].lower() + key[1:]: plain(each, levels - 1)
            if isinstance(each, dict | list)
            else each
            for key, each in value.items()
        }
    return [plain(each, levels - 1) for each in value] if isinstance(value, list) else value


def _is_ours(look: Peek) -> bool:
    first = plain(look.first_of("value"))
    return (
        {"id", "body", "from"} <= first.keys()
        and isinstance(first["body"], dict)
        and "content" in first["body"]
        and not first.keys() & _SKYPE
    )


def _names(export: Export) -> dict[str, str]:
    """Displayed names of users, channels and chats by id, from the lists beside the messages."""
    names: dict[str, str] = {}
    for member in like(export, _is_list):
        for item in records(member, dict[str, Any], path=("value",)):
            if isinstance(item, Reject):
                continue  # a name less; the messages are elsewhere
            entry = plain(item.value)
            key = name_of(entry.get("userId")) or name_of(entry.get("id"))
            name = text_of(entry.get("displayName")) or text_of(entry.get("topic"))
            if key and name:
                names[key] = name
    return names


def _is_list(look: Peek) -> bool:
    first = plain(look.first_of("value"))
    return "id" in first and "body" not in first and bool({"displayName", "topic"} & first.keys())


def _put(spool: Spool, message: dict[str, Any], file: str) -> str | None:
    """Put a message into the spool; the reason if it is none."""
    if "body" not in message and "from" not in message and "messageType" not in message:
        return "the record is no message"
    raw = msgspec.json.encode(message)
    key = name_of(message.get("id")) or hashlib.sha256(raw).hexdigest()
    channel = name_of(object_of(message.get("channelIdentity")).get("channelId"))
    chat = name_of(message.get("chatId"))
    rank = f"{sort_key(from_iso(text_of(message.get('createdDateTime')))):017.3f}"
    if chat:
        spool.add(chat, key, raw, rank=rank)
    else:
        thread = name_of(message.get("replyToId")) or key
        spool.add(_CHANNEL + (channel or file), key, raw, thread=thread, rank=rank)
    return None


def _conversations(
    spool: Spool, chat: str, names: dict[str, str], options: ImportOptions, seen: Counter[str]
) -> Iterator[Item]:
    place = chat.removeprefix(_CHANNEL)
    title = names.get(place)
    gap = SESSION_GAP if place == chat else CHANNEL_GAP
    lines = (_line(_decode(raw), names) for raw in spool.alone(chat))
    yield from conversations("teams", place, lines, options, seen, gap=gap, title=title)
    for thread in spool.threads(chat):
        replies = (_line(_decode(raw), names) for raw in spool.thread(chat, thread))
        yield from conversations(
            "teams", f"{place}/{thread}", replies, options, seen,
            gap=NEVER, title=title, metadata={"thread": thread},
        )  # fmt: skip


def _line(message: dict[str, Any], names: dict[str, str]) -> Line | Event:
    at = from_iso(text_of(message.get("createdDateTime")))
    sender = _sender(object_of(message.get("from")))
    kind = str(message.get("messageType", "message")).lower()
    body = text_of_body(message)
    if sender is None or kind not in ("message", "0"):
        detail = object_of(message.get("eventDetail"))
        what = text_of(detail.get("@odata.type")) or name_of(message.get("messageType"))
        return Event(at, body or (what or "event").removeprefix("#microsoft.graph."))
    who, is_user = sender
    id_ = name_of(who.get("id"))
    files, references = attachments_of(message)
    extra = {key: value for key, value in message.items() if key not in _USED}
    extra = {
        key: value for key, value in extra.items() if value not in (None, "", [], {}, "normal")
    }
    extra |= references
    if not is_user:
        extra["application"] = True
    quoted = object_of(references.get("messageReference")).get("messageId")
    reply_to = name_of(message.get("replyToId")) or name_of(quoted)
    gone = bool(message.get("deletedDateTime"))
    if gone:
        extra["deletedDateTime"] = message["deletedDateTime"]
    is_empty = not body and not files
    foreign = is_empty and "forwardedMessageReference" in references
    return Line(
        speaker=text_of(who.get("displayName")) or names.get(id_ or "") or id_ or "Unknown",
        text=body,
        at=at,
        attachments=files,
        alone=gone or "forwardedMessageReference" in references,
        train=False if gone or foreign else None,
        extra=extra or None,
        speaker_id=id_,
        source_id=name_of(message.get("id")),
        parent_id=reply_to,
        on_path=not gone,
    )


def _sender(source: dict[str, Any]) -> tuple[dict[str, Any], bool] | None:
    """(identity, whether it is a person); None if nobody said it."""
    for kind in ("user", "application", "device"):
        if who := object_of(source.get(kind)):
            return who, kind == "user"
    return None
