"""Signal by way of signal-export: ``<chat>/data.json`` (JSON lines) or ``<chat>/chat.md``.

Signal's own stores are encrypted with a key in the keychain of the system and are not read.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from ingest.archive import Export, Member
from ingest.importers.base import ImporterKind, ImportOptions, Item, Reject
from ingest.importers.chats import conversations
from ingest.importers.fields import name_of, object_of, objects, text_of
from ingest.importers.media import media_kind
from ingest.importers.records import record
from ingest.importers.signal_text import Said, is_signal, item_of, read_text, unquoted
from ingest.lines import iter_lines
from ingest.message import Attachment
from ingest.people import Event, Line
from ingest.shape import Peek, holds, like
from ingest.text import text_lines

_KEYS = {"date", "sender", "body", "quote", "reactions", "attachments"}
_GENERIC = {"data", "chat", "index"}


class Signal:
    """The importer of what signal-export writes."""

    name = "signal"
    title = "Signal (signal-export: data.json or text)"
    kind: ImporterKind = "people"
    needs = "run signal-export first; --as-assistant Me or NAME; --tz for the time zone"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when lines have signal-export's six keys, or a text its heads."""
        return 0.95 if holds(export, _is_ours) else 0.0

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:
        """Every chat's sessions; where a chat has both files, the JSON one."""
        seen: Counter[str] = Counter()
        for member in _members(export):
            chat = _chat(export, member)
            faults: list[Reject] = []
            items = _items(member, faults)
            for found in conversations(self.name, chat, items, options, seen, title=chat):
                yield from faults
                faults.clear()
                yield found
            yield from faults


def _is_ours(look: Peek) -> bool:
    return _is_json(look) or (look.kind in ("text", "array") and is_signal(look.text[:4096]))


def _is_json(look: Peek) -> bool:
    return look.kind in ("lines", "object") and look.first.keys() >= _KEYS


def _members(export: Export) -> list[Member]:
    json = {PurePosixPath(member.name).parent: member for member in like(export, _is_json)}
    texts = [m for m in like(export, _is_ours) if PurePosixPath(m.name).parent not in json]
    chosen = sorted([*json.values(), *texts], key=lambda member: member.name)
    return chosen or list(export.members)


def _chat(export: Export, member: Member) -> str:
    """The chat's name: signal-export makes a folder of it."""
    stem = PurePosixPath(member.base).stem
    if stem not in _GENERIC:
        return stem
    folder = PurePosixPath(member.name).parent.name
    if folder:
        return folder
    path = export.path.resolve()
    return path.stem if len(export.members) > 1 else path.parent.name


def _items(member: Member, faults: list[Reject]) -> Iterator[Line | Event]:
    with member.open() as file:
        start = file.read(64).lstrip(b"\xef\xbb\xbf \r\n\t")
    is_json = start.startswith(b"{")
    said = _read_json(member, faults) if is_json else _read_text(member, faults)
    for each in said:
        yield item_of(each)


def _read_text(member: Member, faults: list[Reject]) -> Iterator[Said]:
    found = False
    for said in read_text(text_lines(member)):
        found = True
        yield said
    if not found:
        faults.append(Reject(member.name, "no line starts with a date", "run signal-export again"))


def _read_json(member: Member, faults: list[Reject]) -> Iterator[Said]:
    with member.open() as file:
        for offset, line in iter_lines(file):
            where = f"{member.name}: byte {offset}"
            item = record(line, dict[str, Any], where)
            if isinstance(item, Reject):
                faults.append(item)
            elif text_of(item.value.get("date")) is None:
                faults.append(Reject(where, "the message has no date", "run signal-export again"))
            else:
                yield _said(item.value)


def _said(message: dict[str, Any]) -> Said:
    files = [
        Attachment(media_kind(name_of(file.get("name"))), name_of(file.get("name")),
                   name_of(file.get("path")))
        for file in objects(message.get("attachments"))
    ]  # fmt: skip
    sticker = message.get("sticker")
    label = text_of(sticker) or text_of(object_of(sticker).get("emoji"))
    if sticker:
        files.append(Attachment("sticker", name=label or "sticker"))
    reactions = message.get("reactions")
    pairs = reactions if isinstance(reactions, list) else []
    return Said(
        date=text_of(message.get("date")) or "",
        sender=name_of(message.get("sender")) or "Unknown",
        body=text_of(message.get("body")) or "",
        quote=unquoted(text_of(message.get("quote")) or ""),
        attachments=tuple(files),
        reactions=tuple(
            [str(part) for part in pair] for pair in pairs if isinstance(pair, list) and pair
        ),
        deleted=message.get("deleted") is True,
        call=message["call"] if isinstance(message.get("call"), bool) else None,
    )
