"""Discord's own data package: what the account itself wrote, and nothing that others answered.

One side of a talk is no talk: the messages are stored, but none is ever trained.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import msgspec

from ingest.archive import Export, Member
from ingest.importers.base import ImporterKind, ImportOptions, Item, Reject, Skip
from ingest.importers.chats import conversations
from ingest.importers.fields import name_of, object_of, stated, text_of
from ingest.importers.media import media_kind
from ingest.importers.records import records
from ingest.message import Attachment
from ingest.people import CHANNEL_GAP, SESSION_GAP, Line
from ingest.shape import Peek, holds, like, peek
from ingest.spool import Spool
from ingest.times import from_iso

_COLUMNS = ["ID", "Timestamp", "Contents", "Attachments"]
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class _Author(NamedTuple):
    name: str
    id: str | None


class DiscordPackage:
    """The importer of the data package that Discord sends on request."""

    name = "discord-package"
    title = "Discord data package (your own messages only)"
    kind: ImporterKind = "people"
    needs = "nothing; it holds one side of every talk and is never trained on"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when a member has the columns ``ID, Timestamp, Contents, Attachments``."""
        return 0.95 if holds(export, _is_ours) else 0.0

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:
        """Every channel in order of its folder."""
        seen: Counter[str] = Counter()
        author, channels = _author(export), _channels(export)
        for member in list(like(export, _is_ours)) or export.members:
            with Spool() as spool:
                yield from _fill(spool, member)
                if not spool.chats():
                    yield Skip(member.name, "no messages")
                    continue
                lines = (_line(_decode(raw), author) for raw in spool.in_order(""))
                about = channels.get(_folder(member), {})
                yield from _channel(member, about, lines, options, seen)


def _is_ours(look: Peek) -> bool:
    if look.kind == "text":
        header = re.split("[\r\n]", look.text.strip(), maxsplit=1)[0]
        return next(csv.reader([header]), [])[:4] == _COLUMNS
    first = look.first_of("") if look.kind == "array" else {}
    return set(_COLUMNS[:3]) <= first.keys()


def _author(export: Export) -> _Author:
    """Whose package it is: the account file's name and id, nothing else of it."""
    for member in like(export, lambda look: {"id", "username", "email"} <= look.first.keys()):
        account = peek(member).first
        return _Author(text_of(account.get("username")) or "Me", name_of(account.get("id")))
    return _Author("Me", None)


def _fill(spool: Spool, member: Member) -> Iterator[Reject]:
    for where, row in _rows(member):
        if isinstance(row, Reject):
            yield row
            continue
        key = name_of(row.get("ID"))
        if key is None:
            yield Reject(where, "the message has no ID", "request the package again")
        else:
            spool.add("", key, msgspec.json.encode(row), rank=f"{key:0>24}")


def _rows(member: Member) -> Iterator[tuple[str, dict[str, Any] | Reject]]:
    if peek(member).kind in ("array", "object"):
        for item in records(member, dict[str, Any]):
            yield ("", item) if isinstance(item, Reject) else (item.where, item.value)
        return
    with (
        member.open() as file,
        io.TextIOWrapper(file, "utf-8-sig", "replace", newline="") as text,
    ):
        reader = csv.DictReader(text)
        try:
            for row in reader:
                where = f"{member.name}: line {reader.line_num}"
                # a row that is too long keeps the rest of its cells under no name
                yield where, {key: value for key, value in row.items() if key}
        except csv.Error as error:
            where = f"{member.name}: line {reader.line_num}"
            yield where, Reject(where, f"broken CSV: {error}", "request the package again")


def _channels(export: Export) -> dict[str, dict[str, Any]]:
    """What ``channel.json`` says, by folder; the title of a channel may stand in the index only."""
    found: dict[str, dict[str, Any]] = {}
    titles: dict[str, Any] = {}
    for member in export.members:
        if member.base == "channel.json":
            found[_folder(member)] = peek(member).first
        elif member.base == "index.json":
            titles |= _index(member)
    for about in found.values():
        about.setdefault("name", titles.get(name_of(about.get("id")) or ""))
    return found


def _folder(member: Member) -> str:
    return str(PurePosixPath(member.name).parent)


def _index(member: Member) -> dict[str, Any]:
    with member.open() as file:
        try:
            return _decode(file.read())
        except (msgspec.DecodeError, UnicodeDecodeError):
            return {}  # titles less


def _channel(
    member: Member,
    about: dict[str, Any],
    lines: Iterator[Line],
    options: ImportOptions,
    seen: Counter[str],
) -> Iterator[Item]:
    folder = PurePosixPath(member.name).parent.name
    key = name_of(about.get("id")) or folder.removeprefix("c") or member.name
    guild = object_of(about.get("guild"))
    facts = {
        "guild": name_of(guild.get("id")),
        "guild_name": text_of(guild.get("name")),
        "channel_type": name_of(about.get("type")),
    }
    yield from conversations(
        "discord-package", key, lines, options, seen,
        gap=CHANNEL_GAP if guild else SESSION_GAP,
        title=text_of(about.get("name")),
        metadata={"one_sided": True, **stated(facts)},
    )  # fmt: skip


def _line(row: dict[str, Any], author: _Author) -> Line:
    stamp = text_of(row.get("Timestamp"))
    at = from_iso(stamp)
    files = (text_of(row.get("Attachments")) or "").split()
    extra = stated({key: value for key, value in row.items() if key not in _COLUMNS})
    if at is None and stamp:
        extra["Timestamp"] = stamp
    return Line(
        speaker=author.name,
        text=text_of(row.get("Contents")) or "",
        at=at,
        attachments=tuple(Attachment(media_kind(uri.partition("?")[0]), uri=uri) for uri in files),
        train=False,
        extra=extra or None,
        speaker_id=author.id,
        source_id=name_of(row["ID"]),
    )
