"""What ``turnmill import --explain`` says of a file: who reads it and why. Nothing is stored."""

import itertools
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any

from ingest.archive import Export, Member, open_export, shown
from ingest.errors import ExportError, UserError
from ingest.importers.base import Importer, ImportOptions, Reject
from ingest.importers.mapped_rows import column_names, is_table
from ingest.importers.parquet_rows import is_parquet
from ingest.load import find_exports
from ingest.message import Conversation
from ingest.registry import importer, sniff
from ingest.shape import peek
from ingest.sqlite import is_sqlite
from ingest.workspace import Workspace
from serve import terminal
from serve.commands.exports import as_json, show_conversation
from serve.commands.people import with_people
from serve.terminal import safe

LOOKED_AT = 1000
"""Conversations that are read to find the participants."""
_KEYS = 40
_REJECTS = 5


def explain(
    path: Path, workspace: Workspace, format_name: str, options: ImportOptions
) -> tuple[dict[str, Any], Conversation | None]:
    """What an import of ``path`` would do, as JSON, and the first conversation.

    Returns:
        ``file``; ``shape``: kind and first keys of the file that tells the format; ``importers``
        that recognise it, surest first, with their certainty; ``chosen``; ``needs``: what the user
        must still say; ``participants`` and ``rejects`` among the first conversations;
        ``first``: the first conversation, as ``turnmill show --json`` gives it.

    Raises:
        ExportError: the file cannot be opened.
        UserError: the mapping names a column that is not there.
    """
    options = with_people(options, workspace)
    export, chosen, marks = _choose(path, format_name)
    seen = _read(export, chosen, options) if chosen else _Seen()
    found = {
        "file": shown(str(export.path)),
        "shape": _shape(export, is_known=chosen is not None),
        "importers": [
            {"name": each.name, "certainty": mark, "title": each.title} for mark, each in marks
        ],
        "chosen": chosen.name if chosen else None,
        "needs": _needs(export, chosen, seen),
        "looked_at": seen.looked_at,
        "participants": seen.participants(),
        "rejects": seen.rejects,
        "first": as_json(seen.first, branches=False) if seen.first else None,
    }
    return found, seen.first


def _choose(
    path: Path, format_name: str
) -> tuple[Export, Importer | None, list[tuple[float, Importer]]]:
    """The export, its importer, and everyone who recognises it.

    In a folder that is no export as a whole, the first export in it.
    """
    export = open_export(path)
    marks = sniff(export)
    if format_name != "auto":
        return export, importer(format_name), marks
    if not marks and export.is_folder:
        try:
            ((export, chosen), *_) = find_exports(path)
        except ExportError:
            return export, None, []
        return export, chosen, sniff(export)
    return export, marks[0][1] if marks else None, marks


class _Seen:
    """What the first conversations of an export hold."""

    def __init__(self) -> None:
        self.first: Conversation | None = None
        self.looked_at = 0
        self.rejects: list[dict[str, str]] = []
        self.fault: UserError | None = None
        self._lines: Counter[tuple[str, str | None]] = Counter()
        self._assistants: set[tuple[str, str | None]] = set()

    def add(self, conversation: Conversation) -> None:
        self.first = self.first or conversation
        said = Counter(message.name for message in conversation.messages)
        for person in conversation.participants:
            self._lines[person.name, person.id] += said[person.name]
            if person.is_assistant:
                self._assistants.add((person.name, person.id))

    def participants(self) -> list[dict[str, Any]]:
        return [
            {"name": who[0], "id": who[1], "messages": n, "is_assistant": who in self._assistants}
            for who, n in self._lines.most_common()
        ]


def _read(export: Export, chosen: Importer, options: ImportOptions) -> _Seen:
    seen = _Seen()
    items = chosen.read(export, options)
    try:
        for item in itertools.islice(items, LOOKED_AT):
            seen.looked_at += 1
            if isinstance(item, Conversation):
                seen.add(item)
            elif isinstance(item, Reject) and len(seen.rejects) < _REJECTS:
                seen.rejects.append(item._asdict())
    except UserError as error:
        if chosen.name == "mapped":
            raise
        seen.fault = error
    finally:
        if isinstance(items, Generator):
            items.close()
    return seen


def _needs(export: Export, chosen: Importer | None, seen: _Seen) -> list[str]:
    if chosen is None:
        if any(is_table(member) for member in export.members):
            return ["no importer recognises it; say what its columns mean: --map role=COLUMN "
                    "--map content=COLUMN --map thread=COLUMN"]  # fmt: skip
        return ["no importer recognises it; see 'turnmill formats', name one with --format"]
    if seen.fault is not None:
        return [f"{seen.fault.message}: {seen.fault.hint}"]
    people = seen.participants()
    if chosen.kind == "people" and not any(person["is_assistant"] for person in people):
        names = ", ".join(f"{each['name']} ({each['messages']})" for each in people[:12])
        return [f"--as-assistant NAME, or nobody is the assistant; who speaks: {names or 'nobody'}"]
    return []


def _shape(export: Export, *, is_known: bool) -> dict[str, Any]:
    kind, keys, file = "empty", [], None
    looks = [(member, _kind(member)) for member in export.members[:64]]
    # what tells a format is data, seldom a text or a picture beside it
    order = ("lines", "array", "object", "sqlite", "parquet", "text", "binary", "empty")
    if looks:
        member, kind = min(looks, key=lambda look: order.index(look[1]))
        keys, file = _keys(member, kind, is_known=is_known), member.name
    return {
        "kind": kind,
        "first_keys": keys[:_KEYS],
        "file": file,
        "members": len(export.members),
        "bytes": export.size,
        "skipped": [{"name": name, "reason": reason} for name, reason in export.skipped],
    }


def _kind(member: Member) -> str:
    if is_parquet(member):
        return "parquet"
    return "sqlite" if is_sqlite(member) else peek(member).kind


def _keys(member: Member, kind: str, *, is_known: bool) -> list[str]:
    if kind in ("lines", "array", "object"):
        return list(peek(member).first)
    # the first line of a chat is no header
    if not is_table(member) or (kind == "text" and is_known and not member.name.endswith(".csv")):
        return []
    try:
        return list(column_names(member))
    except UserError:
        return []


def show(found: dict[str, Any], first: Conversation | None) -> None:
    """Print what :func:`explain` found."""
    shape = found["shape"]
    terminal.facts(
        found["file"],
        {
            "shape": f"{shape['kind']} in {shape['file']}, {shape['members']} files, "
            f"{shape['bytes']:,} bytes",
            "first keys": ", ".join(shape["first_keys"]) or "none",
            "importers": ", ".join(
                f"{each['name']} {each['certainty']:.2f}" for each in found["importers"]
            )
            or "none recognises it",
            "chosen": found["chosen"] or "none",
            "needs": "; ".join(found["needs"]) or "nothing more",
        },
    )
    for each in shape["skipped"]:
        terminal.out.print(f"  [dim]left out {safe(each['name'])}:[/] {safe(each['reason'])}")
    for each in found["rejects"]:
        terminal.out.print(f"  [yellow]{safe(each['where'])}[/]: {safe(each['reason'])}")
    if first is not None:
        terminal.out.print("")
        show_conversation(first, branches=False)
