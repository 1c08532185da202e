"""The samples as the fuzz campaign takes them: trimmed, with a marker word in every message."""

import copy
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
from fuzz_documents import Document, open_document, paths, value_at, write_document
from test_golden import FOLDERS, exports, options

from ingest.importers.base import ImportOptions
from ingest.load import import_export
from ingest.message import Conversation
from ingest.store import Store

MARKER = "qzvjxword"
"""Stands in message text alone: found in a reason or an error, message text has leaked."""
_LARGE = 40_000
_IN_BLOBS = {"imessage"}
"""Importers whose samples hold their text in blobs that tell its length."""


@dataclass(frozen=True)
class Sample:
    """One export of ``sample_data``.

    Attributes:
        name: folder and file.
        importer: the one it is for.
        options: what an import of it needs.
        base: name of the file or folder that is imported.
        parts: content by path; the paths of a folder begin with ``base``.
        golden: content hash by id of what an undamaged import stores.
    """

    name: str
    importer: str
    options: ImportOptions
    base: str
    parts: dict[str, bytes]
    golden: dict[str, str]

    def write(self, folder: Path, parts: dict[str, bytes]) -> Path:
        """Write the export, its parts changed, into an empty folder."""
        (folder / self.base).parent.mkdir(parents=True, exist_ok=True)
        if self.base not in self.parts:
            (folder / self.base).mkdir()
        for name, data in parts.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return folder / self.base


def stored(store: Store) -> dict[str, Conversation]:
    """What the store holds, by id."""
    return {conversation.id: conversation for conversation, _, _ in store.stream()}


def samples(store: Store, scratch: Path) -> list[Sample]:
    """Every export of ``sample_data``, marked; the store is left empty."""
    found = []
    for folder in FOLDERS:
        lines = (folder / "expected.jsonl").read_bytes().splitlines()
        expected = [msgspec.json.decode(line, type=Conversation) for line in lines]
        for path in exports(folder):
            parts = _parts(path)
            plain = Sample(
                f"{folder.name}/{path.name}", expected[0].importer, options(folder), path.name,
                {name: _trimmed(name, data) for name, data in parts.items()}, {},
            )  # fmt: skip
            found.append(_marked(plain, expected, store, scratch / str(len(found))))
    return found


def empty(store: Store) -> None:
    """Forget everything, the record of earlier imports too."""
    tables = ("conversations", "messages", "rejects", "sources")
    # in one go: a campaign spends most of its time in the store
    store._db.execute(f"BEGIN; {' '.join(f'DELETE FROM {each};' for each in tables)} COMMIT")


def _parts(path: Path) -> dict[str, bytes]:
    if path.is_file():
        return {path.name: path.read_bytes()}
    files = sorted(file for file in path.rglob("*") if file.is_file())
    return {str(file.relative_to(path.parent)): file.read_bytes() for file in files}


def _trimmed(name: str, data: bytes) -> bytes:
    """A large list of records with records left out evenly."""
    if len(data) <= _LARGE:
        return data
    document = open_document(name, data)
    if document.kind not in ("json", "lines") or not isinstance(document.value, list):
        return data
    step = -(-len(data) // _LARGE)
    return write_document(document._replace(value=document.value[::step]))


def _texts(expected: list[Conversation]) -> list[str]:
    """Lines of message text that stand for nothing else in an export."""
    names = {person.name for talk in expected for person in talk.participants}
    names |= {talk.title for talk in expected if talk.title}
    lines = {line for talk in expected for message in talk.messages
             for line in message.content.split("\n")}  # fmt: skip
    plain = [line for line in lines if len(line) >= 10 and " " in line and line not in names]
    return sorted(plain, key=lambda line: (-len(line), line))


def _marked(plain: Sample, expected: list[Conversation], store: Store, scratch: Path) -> Sample:
    """The sample with the marker after each line of message text, and what it then gives."""
    texts = _texts(expected)
    parts = {name: _mark(name, data, texts) for name, data in plain.parts.items()}
    import_export(plain.write(scratch, parts), store, options=plain.options)
    found = stored(store)
    empty(store)
    # the marker apart, it must be what the sample's golden conversations say
    wanted = {_said(talk) for talk in expected}
    assert wanted.issuperset(_said(talk) for talk in found.values()), plain.name
    spoken = any(MARKER in message.content for talk in found.values() for message in talk.messages)
    assert spoken or plain.importer in _IN_BLOBS, plain.name
    golden = {id_: talk.content_hash for id_, talk in found.items()}
    return replace(plain, parts=parts, golden=golden)


def _said(talk: Conversation) -> tuple[Any, ...]:
    """What is said in a conversation, the marker apart."""
    return tuple(
        (
            message.role,
            message.content.replace(f" {MARKER}", ""),
            message.created_at,
            message.on_path,
        )
        for message in talk.messages
    )


def _mark(name: str, data: bytes, texts: list[str]) -> bytes:
    document = open_document(name, data)
    if document.kind == "text":
        return _replaced(data.decode("utf-8", "surrogateescape"), texts).encode(
            "utf-8", "surrogateescape"
        )
    value = copy.deepcopy(document.value)
    changed = False
    for path in list(paths(value)):
        old = value_at(value, path)
        if isinstance(old, str) and (new := _replaced(old, texts)) != old:
            value_at(value, path[:-1])[path[-1]] = new
            changed = True
    if not changed:
        return data
    bom = b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b""
    if document.kind in ("json", "lines"):
        return bom + _as_written(document, value)
    return write_document(Document(document.kind, value))


def _as_written(document: Document, value: Any) -> bytes:
    if document.kind == "json":
        return json.dumps(value, indent=1, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return write_document(Document("lines", value), ascii_only=False)


def _replaced(text: str, texts: list[str]) -> str:
    for line in texts:
        if line in text:
            text = text.replace(line, f"{line} {MARKER}")
    return text
