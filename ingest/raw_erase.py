"""Takes conversations out of the kept copies of exports.

A copy whose conversations are elements of JSON arrays is written anew without them, as a zip of its
arrays alone. Of any other copy nobody can say which bytes tell of whom: it is deleted. So is one
that cannot be read.
"""

import hashlib
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Literal, NamedTuple

import msgspec
import orjson

from ingest.archive import Export, open_export
from ingest.erasure import holds
from ingest.errors import ExportError
from ingest.files import sha256_file, write_whole
from ingest.forgotten import plain
from ingest.importers.base import ArrayImporter, Importer, ImportOptions
from ingest.message import Conversation
from ingest.registry import choose
from ingest.registry import importer as importer_named
from ingest.stream import Broken, iter_array

_BLOCK = 1 << 20
_MEDIA = frozenset({
    ".jpg", ".jpeg", ".png", ".gif", ".webp", ".heic", ".mp4", ".mov", ".webm", ".3gp", ".m4a",
    ".mp3", ".ogg", ".opus", ".wav", ".aac",
})  # fmt: skip
_ANY_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Wanted:
    """What is to be erased, wherever it stands.

    Attributes:
        ids: of conversations.
        hashes: their content hashes.
        heads: see :func:`head_of`, of the same conversations.
        people: names and ids of people in plain form.
        text_forms: forms of texts; see :func:`ingest.forgotten.forms`.
    """

    ids: frozenset[str] = frozenset()
    hashes: frozenset[str] = frozenset()
    heads: frozenset[str] = frozenset()
    people: frozenset[str] = frozenset()
    text_forms: tuple[str, ...] = ()

    def takes(self, conversation: Conversation) -> bool:
        """Whether a conversation is one of those, or is about to be."""
        if conversation.id in self.ids or head_of(conversation) in self.heads:
            return True
        if self.people and self.people.intersection(map(plain, _speakers(conversation))):
            return True
        if self.hashes and conversation.content_hash in self.hashes:
            return True
        return bool(self.text_forms) and holds(conversation.canonical().decode(), self.text_forms)


def head_of(conversation: Conversation) -> str | None:
    """What tells a conversation by where it begins, whatever its file is called; None if nothing.

    The ids of some exports depend on the file's name, which a kept copy no longer has.
    """
    first = next((each for each in conversation.messages if each.content), None)
    if first is None or first.created_at is None:
        return None
    said = orjson.dumps([conversation.importer, first.created_at.isoformat(), first.content])
    return hashlib.sha256(said).hexdigest()


def _speakers(conversation: Conversation) -> Iterator[str]:
    for person in conversation.participants:
        yield person.name
        if person.id:
            yield person.id
    for message in conversation.messages:
        if message.name and message.role != "tool":
            yield message.name


class Known(NamedTuple):
    """What the store knows of an export: importer, its options as JSON, path."""

    importer: str
    options: str
    path: str


@dataclass(frozen=True)
class Holding:
    """A kept copy that holds something to be erased.

    Attributes:
        file: the copy.
        sha256: of the export.
        importer: that can write it anew; None if it must be deleted.
        options: for the importer.
        reason: why it must be deleted.
    """

    file: Path
    sha256: str
    importer: ArrayImporter | None
    options: ImportOptions = field(default_factory=ImportOptions)
    reason: str = ""


@dataclass(frozen=True)
class Erased:
    """What became of a kept copy.

    Attributes:
        sha256: of the export as it was.
        outcome: ``rewritten`` or ``deleted``.
        reason: why it was deleted.
        renamed: its sha256 now, if it was rewritten.
    """

    sha256: str
    outcome: Literal["rewritten", "deleted"]
    reason: str = ""
    renamed: str | None = None


def copies_holding(
    folder: Path, known: Mapping[str, Known], wanted: Wanted, certain: frozenset[str]
) -> Iterator[Holding]:
    """The kept copies that hold something to be erased; every copy is read.

    Args:
        folder: the workspace's ``raw``.
        known: by sha256 of the export.
        wanted: what is to be erased.
        certain: sha256 of exports from which an erased conversation was read.
    """
    for file in sorted(folder.glob("*.*")):
        if file.name.startswith("."):
            continue
        sha256 = file.name.partition(".")[0]
        try:
            export = open_export(file)
            importer, options = _reader(export, known.get(sha256))
            held = any(
                isinstance(item, Conversation) and wanted.takes(item)
                for item in importer.read(export, options)
            )
            held = held or sha256 in certain or _holds_text(export, wanted.text_forms)
        except ExportError as error:
            yield Holding(file, sha256, None, reason=f"it cannot be read: {error.message}")
            continue
        if held and isinstance(importer, ArrayImporter):
            yield Holding(file, sha256, importer, options)
        elif held:
            reason = f"exports of {importer.name} cannot be written without some conversations"
            yield Holding(file, sha256, None, reason=reason)


def _reader(export: Export, known: Known | None) -> tuple[Importer, ImportOptions]:
    if known is None:
        return choose(export), ImportOptions()
    stated: dict[str, Any] = orjson.loads(known.options)
    names = {each.name for each in msgspec.structs.fields(_Options)}
    options = msgspec.convert({k: v for k, v in stated.items() if k in names}, _Options)
    return importer_named(known.importer), ImportOptions(
        options.as_assistant, options.date_order, options.tz, options.mapping, options.query
    )


class _Options(msgspec.Struct):
    """The options of an import as the store remembers them."""

    as_assistant: tuple[str, ...] = ()
    date_order: Literal["auto", "dmy", "mdy", "ymd"] = "auto"
    tz: str | None = None
    mapping: tuple[tuple[str, str], ...] = ()
    query: str | None = None


def _holds_text(export: Export, text_forms: Sequence[str]) -> bool:
    """Whether the text stands anywhere in the bytes, read by an importer or not."""
    if not text_forms:
        return False
    overlap = 4 * max(map(len, text_forms))
    for member in export.members:
        if PurePosixPath(member.name).suffix.lower() in _MEDIA:
            continue
        if holds(member.name, text_forms):
            return True
        with member.open() as file:
            before = b""
            while block := file.read(_BLOCK):
                window = before + block
                if holds(window.decode("utf-8", "replace"), text_forms):
                    return True
                before = window[-overlap:]
    return False


def erase_copy(holding: Holding, wanted: Wanted, name: str) -> Erased:
    """Write a kept copy without what is to be erased, or delete it.

    What an importer could not read is left out as well: it may be anything.

    Args:
        holding: the copy.
        wanted: what is to be erased.
        name: of the export's file, for a copy that does not say.
    """
    if holding.importer is None:
        holding.file.unlink()
        return Erased(holding.sha256, "deleted", holding.reason)
    fresh = holding.file.with_name(f".{holding.sha256}.rewritten")
    if not _write(holding.importer, open_export(holding.file), wanted, fresh, name):
        fresh.unlink()
        holding.file.unlink()
        return Erased(holding.sha256, "deleted", "nothing else was in it")
    renamed = sha256_file(fresh)
    fresh.rename(holding.file.with_name(f"{renamed}.zip"))
    holding.file.unlink()
    return Erased(holding.sha256, "rewritten", renamed=renamed)


def _write(importer: ArrayImporter, export: Export, wanted: Wanted, target: Path, name: str) -> int:
    """Write the export's arrays without the wanted; returns how many conversations are left."""
    kept = 0
    with write_whole(target) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for array in importer.arrays(export):
            inner = array.member.name if len(export.members) > 1 else name
            # a time of its own would give the same content another hash
            info = zipfile.ZipInfo(inner, _ANY_TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            with array.member.open() as source, packed.open(info, "w", force_zip64=True) as entry:
                before = kept
                entry.write(b"[")
                for raw in _left(importer, source, array.path, array.member.name, wanted):
                    entry.write(raw if kept == before else b",\n" + raw)
                    kept += 1
                entry.write(b"]\n")
    return kept


def _left(
    importer: ArrayImporter, source: BinaryIO, path: tuple[str, ...], name: str, wanted: Wanted
) -> Iterator[bytes]:
    for element in iter_array(source, importer.decode, path=path):
        if isinstance(element, Broken):
            continue
        item = importer.item(name, element)
        if not isinstance(item, Conversation) or wanted.takes(item):
            continue
        if not holds(element.raw.decode("utf-8", "replace"), wanted.text_forms):
            yield element.raw
