"""Telegram Desktop's ``result.json``: one chat, or a whole account with the chats once left."""

import io
from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

from ingest.archive import Export, Member
from ingest.importers.base import ImporterKind, ImportOptions, Item, Reject, Skip
from ingest.importers.chats import conversations
from ingest.importers.fields import name_of, stated, text_of
from ingest.importers.records import Record, record
from ingest.importers.telegram_lines import item_of
from ingest.people import CHANNEL_GAP, SESSION_GAP, Event, Line
from ingest.shape import Peek, holds, like, peek
from ingest.stream import BLOCK, MAX_ELEMENT, Broken, iter_array

_ACCOUNT = {"about", "personal_information"}
_MESSAGE = {"from_id", "actor_id", "date_unixtime", "text_entities", "action", "from"}
_AGAIN = "export it again; the rest was imported"
_BUSY = {"public_supergroup", "private_supergroup"}
_message = msgspec.json.Decoder(dict[str, Any]).decode


class _Chat(msgspec.Struct):
    """What a chat says of itself; its messages are read one by one."""

    name: Any = None
    type: Any = None
    id: Any = None


_chat = msgspec.json.Decoder(_Chat).decode


class Telegram:
    """The importer of Telegram Desktop's JSON export."""

    name = "telegram"
    title = "Telegram Desktop export (result.json of a chat or an account)"
    kind: ImporterKind = "people"
    needs = "--as-assistant NAME, or the from_id of the person or bot"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when an object has a chat's ``type``, ``id`` and ``messages``, or ``chats.list``."""
        return 0.95 if holds(export, _is_ours) else 0.0

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:
        """Every chat in the export's order, the ones that were left last."""
        seen: Counter[str] = Counter()
        for member in list(like(export, _is_ours)) or export.members:
            look = peek(member)
            if _is_account(look):
                for key in ("chats", "left_chats"):
                    yield from _account(member, key, options, seen)
            else:
                head = look.first
                chat = _Chat(head.get("name"), head.get("type"), head.get("id"))
                with member.open() as file:
                    yield from _conversations(file, chat, member.name, 0, options, seen)


def _is_ours(look: Peek) -> bool:
    if look.kind != "object":
        return False
    if _is_account(look):
        return True
    first = look.first_of("messages")
    return {"type", "id", "messages"} <= look.first.keys() and (
        bool(_MESSAGE & first.keys()) or look.first["messages"] == []
    )


def _is_account(look: Peek) -> bool:
    if look.kind != "object":
        return False
    chats = look.first.get("chats")
    return (isinstance(chats, dict) and "list" in chats) or look.first.keys() >= _ACCOUNT


def _account(
    member: Member, key: str, options: ImportOptions, seen: Counter[str]
) -> Iterator[Item]:
    with member.open() as file:
        for item in iter_array(file, _chat, path=(key, "list")):
            where = f"{member.name}: byte {item.offset}"
            if isinstance(item, Broken):
                raw = _stretch(member, item)
                found = _told_before_messages(raw, where)
                if isinstance(found, Reject):
                    found = Reject(f"{where}-{item.end}", item.reason, _AGAIN)
            else:
                raw = item.raw
                found = (
                    record(raw, _Chat, where) if item.value is None else Record(where, item.value)
                )
            if isinstance(found, Reject):
                yield found
            else:
                yield from _conversations(
                    io.BytesIO(raw), found.value, member.name, item.offset, options, seen,
                    is_left=key == "left_chats",
                )  # fmt: skip


def _stretch(member: Member, item: Broken) -> bytes:
    """The bytes of a damaged chat: the messages in it may still be whole."""
    with member.open() as file:
        left = item.offset
        while left and (data := file.read(min(left, BLOCK))):
            left -= len(data)
        return file.read(min(item.end - item.offset, MAX_ELEMENT))


def _told_before_messages(raw: bytes, where: str) -> Record[_Chat] | Reject:
    """What a damaged chat says of itself before its messages begin."""
    before, key, _ = raw.partition(b'"messages"')
    return record(before.rstrip().rstrip(b",") + b"}" if key else raw, _Chat, where)


def _conversations(
    file: BinaryIO,
    chat: _Chat,
    name: str,
    offset: int,
    options: ImportOptions,
    seen: Counter[str],
    *,
    is_left: bool = False,
) -> Iterator[Item]:
    kind, key = text_of(chat.type), name_of(chat.id)
    title = text_of(chat.name) or {"saved_messages": "Saved Messages"}.get(kind or "")
    rejects: list[Reject] = []
    count = 0
    for found in conversations(
        "telegram",
        key or title or name,
        _items(file, f"{name}: byte", offset, title, rejects),
        options,
        seen,
        gap=CHANNEL_GAP if kind in _BUSY else SESSION_GAP,
        title=title,
        metadata=stated({"type": kind, "left": is_left}),
    ):
        count += 1
        yield found
    if not count and not rejects:
        yield Skip(f"{name}: byte {offset}", "no messages")
    yield from rejects


def _items(
    file: BinaryIO, place: str, offset: int, title: str | None, rejects: list[Reject]
) -> Iterator[Line | Event]:
    """Lines and events; what is damaged goes to ``rejects``."""
    for item in iter_array(file, _message, path=("messages",)):
        if isinstance(item, Broken):
            where = f"{place}s {offset + item.offset}-{offset + item.end}"
            rejects.append(Reject(where, item.reason, _AGAIN))
            continue
        message = item.value
        if message is None:
            found = record(item.raw, dict[str, Any], f"{place} {offset + item.offset}")
            if isinstance(found, Reject):
                rejects.append(found)
                continue
            message = found.value
        yield item_of(message, title)
