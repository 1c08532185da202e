"""Messenger and Instagram: the account's download and the one of encrypted chats.

The account's download cuts a thread into ``message_1..N.json``, newest first, and writes every
UTF-8 byte as a character of its own. The other holds whole threads in flat files and right text; it
goes on where a thread of the first ended, and the two are never joined.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import msgspec

from ingest.archive import Export, Member
from ingest.importers.base import ImporterKind, ImportOptions, Item, Reject, Skip
from ingest.importers.chats import conversations
from ingest.importers.fields import stated, text_of
from ingest.importers.messenger_lines import encrypted_item, main_item, repaired
from ingest.importers.records import records, whole
from ingest.people import Event, Line
from ingest.shape import Peek, holds, like, peek
from ingest.spool import Spool

_NUMBER = re.compile(r"(\d+)\.json$")
_LATEST = 10**15
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class _Facts(msgspec.Struct):
    """What a file says of its thread; in the account's download it stands behind the messages."""

    title: Any = None
    thread_path: Any = None
    thread_type: Any = None
    is_still_participant: Any = None
    threadName: Any = None  # noqa: N815


class _Thread(NamedTuple):
    place: str
    title: str | None
    metadata: dict[str, Any]
    is_encrypted: bool


class Messenger:
    """The importer of Messenger's and Instagram's messages."""

    name = "messenger"
    title = "Messenger and Instagram (JSON download, encrypted chats too)"
    kind: ImporterKind = "people"
    needs = "--as-assistant NAME"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when an object has ``participants`` and messages with a sender and a time."""
        return 0.95 if holds(export, _is_ours) else 0.0

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:
        """Every thread, oldest message first, in order of the threads' files."""
        seen: Counter[str] = Counter()
        for members in _threads(export):
            thread = _facts(members)
            with Spool() as spool:
                for member in members:
                    yield from _fill(spool, member)
                if not spool.chats():
                    yield Skip(members[0].name, "no messages")
                    continue
                items = (_item(_decode(raw), thread.is_encrypted) for raw in spool.in_order(""))
                yield from conversations(
                    "messenger", thread.place, items, options, seen,
                    title=thread.title, metadata=thread.metadata,
                )  # fmt: skip


def _is_ours(look: Peek) -> bool:
    if look.kind != "object" or not isinstance(look.first.get("participants"), list):
        return False
    first = look.first_of("messages")
    return first.keys() >= {"sender_name", "timestamp_ms"} or _is_encrypted(look)


def _is_encrypted(look: Peek) -> bool:
    first = look.first_of("messages")
    return "threadName" in look.first or first.keys() >= {"senderName", "timestamp"}


def _threads(export: Export) -> list[list[Member]]:
    """Files of a thread together: those of a folder, or a flat file alone."""
    found: defaultdict[str, list[Member]] = defaultdict(list)
    for member in list(like(export, _is_ours)) or export.members:
        folder = str(PurePosixPath(member.name).parent)
        alone = folder == "." or _is_encrypted(peek(member))
        found[member.name if alone else folder].append(member)
    return [sorted(members, key=_number) for members in found.values()]


def _number(member: Member) -> int:
    match = _NUMBER.search(member.base)
    return int(match[1]) if match else 0


def _facts(members: list[Member]) -> _Thread:
    """The thread as its first undamaged file says."""
    is_encrypted = _is_encrypted(peek(members[0]))
    facts = _Facts()
    for member in members:
        found = whole(member, _Facts)
        if not isinstance(found, Reject):
            facts = found.value
            break
    name = PurePosixPath(members[0].name)
    if is_encrypted:
        said = text_of(facts.threadName) or name.stem
        return _Thread(f"e2ee/{said}", re.sub(r"_\d+$", "", said), {"encrypted": True}, True)
    path = text_of(facts.thread_path)
    folder = name.parent.name or name.stem
    metadata = {
        "thread_path": path,
        "thread_type": text_of(facts.thread_type),
    }
    facts_known: dict[str, Any] = stated(metadata)
    if facts.is_still_participant is False:
        facts_known["is_still_participant"] = False
    return _Thread(path or folder, repaired(text_of(facts.title)) or folder, facts_known, False)


def _fill(spool: Spool, member: Member) -> Iterator[Reject]:
    is_encrypted = _is_encrypted(peek(member))
    newest_first = _is_newest_first(peek(member), "timestamp" if is_encrypted else "timestamp_ms")
    for number, item in enumerate(records(member, dict[str, Any], path=("messages",))):
        if isinstance(item, Reject):
            yield item
            continue
        time = item.value.get("timestamp" if is_encrypted else "timestamp_ms")
        usable = isinstance(time, int | float) and 0 <= time < _LATEST
        # messages of one millisecond keep the order in which they were written
        place = _LATEST - number if newest_first else number
        rank = f"{time if usable else 0:015.0f}{-_number(member) + 10**6:07d}{place:016d}"
        spool.add("", item.where, msgspec.json.encode(item.value), rank=rank)


def _is_newest_first(look: Peek, key: str) -> bool:
    messages = look.first.get("messages")
    times = [
        message[key]
        for message in (messages if isinstance(messages, list) else ())
        if isinstance(message, dict) and isinstance(message.get(key), int)
    ]
    return not times or times[0] >= times[-1]


def _item(message: dict[str, Any], is_encrypted: bool) -> Line | Event:
    return encrypted_item(message) if is_encrypted else main_item(repaired(message))
