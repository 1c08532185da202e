"""What ``turnmill import --explain`` says of a file: who reads it and why. Nothing is stored."""

import itertools
import shlex
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
from ingest.sqlite import is_sqlite, logs_of
from ingest.unrecognised import describe
from ingest.workspace import Workspace
from serve import terminal
from serve.commands.exports import as_json, show_conversation
from serve.commands.people import with_people
from serve.terminal import safe

LOOKED_AT = 1000
"""Conversations that are read to find the participants."""
_KEYS = 40
_LOOKS = 64
_REJECTS = 5


def explain(
    path: Path, workspace: Workspace, format_name: str, options: ImportOptions
) -> tuple[dict[str, Any], Conversation | None]:
    """What an import of ``path`` would do, as JSON, and the first conversation.

    Returns:
        ``file``; ``shape``: kind and first keys of the file that tells the format; ``importers``
        that recognise it, surest first, with their certainty; ``chosen``; ``needs``: what the user
        must still say; ``looked_at`` conversations and ``messages`` in them, ``participants`` and
        ``rejects`` among them; ``first``: the first conversation, as ``turnmill show --json`` gives
        it; ``command``: the import, as it can be typed.

    Raises:
        ExportError: the file cannot be opened.
        UserError: the mapping names a column that is not there.
    """
    options = with_people(options, workspace)
    export, chosen, marks = _choose(path, format_name)
    try:
        seen = _read(export, chosen, options) if chosen else _Seen()
    except UserError as error:
        raise _without_mapping(error, marks) from None
    found = {
        "file": shown(str(export.path)),
        "shape": _shape(export, chosen),
        "importers": [
            {"name": each.name, "certainty": mark, "title": each.title} for mark, each in marks
        ],
        "chosen": chosen.name if chosen else None,
        "needs": _needs(export, chosen, marks, seen),
        "looked_at": seen.looked_at,
        "messages": seen.messages,
        "participants": seen.participants(),
        "rejects": seen.rejects,
        "first": as_json(seen.first, branches=False) if seen.first else None,
        "command": _command(path, format_name, options) if seen.first else None,
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
        self.messages = 0
        self.rejects: list[dict[str, str]] = []
        self.fault: UserError | None = None
        self._lines: Counter[tuple[str, str | None]] = Counter()
        self._assistants: set[tuple[str, str | None]] = set()

    def add(self, conversation: Conversation) -> None:
        self.first = self.first or conversation
        self.messages += len(conversation.messages)
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


def _without_mapping(error: UserError, marks: list[tuple[float, Importer]]) -> UserError:
    """The error of a mapping, with the way that needs none."""
    if not marks:
        return error
    return UserError(error.message, f"{error.hint}; or leave --map out: {_known_to(marks)}")


def _known_to(marks: list[tuple[float, Importer]]) -> str:
    return f"{marks[0][1].name} recognises this file"


def _command(path: Path, format_name: str, options: ImportOptions) -> str:
    """The import, as it can be typed."""
    words = ["turnmill", "import", shown(str(path))]
    if format_name not in ("auto", "mapped"):
        words += ["--format", format_name]
    for name in options.as_assistant:
        words += ["--as-assistant", name]
    if options.date_order != "auto":
        words += ["--date-order", options.date_order]
    if options.tz:
        words += ["--tz", options.tz]
    for field, column in options.mapping:
        words += ["--map", f"{field}={column}"]
    if options.query:
        words += ["--query", options.query]
    return shlex.join(words)


def _needs(
    export: Export, chosen: Importer | None, marks: list[tuple[float, Importer]], seen: _Seen
) -> list[str]:
    if chosen is None:
        return [describe(export).hint]
    if seen.first is None and marks and marks[0][1] is not chosen:
        return [f"{chosen.name} finds nothing in it; leave --format out: {_known_to(marks)}"]
    if seen.fault is not None:
        return [f"{seen.fault.message}: {seen.fault.hint}"]
    people = seen.participants()
    if chosen.kind == "people" and not any(person["is_assistant"] for person in people):
        if seen.first is not None and seen.first.metadata.get("one_sided") is True:
            return []
        names = ", ".join(f"{each['name']} ({each['messages']})" for each in people[:12])
        return [f"--as-assistant NAME, or nobody is the assistant; who speaks: {names or 'nobody'}"]
    return []


def _shape(export: Export, chosen: Importer | None) -> dict[str, Any]:
    kind, keys, file = "empty", [], None
    looks = [(member, _kind(member)) for member in export.members[:_LOOKS]]
    # what tells a format is data, seldom a text or a picture beside it
    order = ("lines", "array", "object", "sqlite", "parquet", "text", "binary", "empty")
    if looks:
        own = [look for look in looks if chosen and chosen.sniff(Export(export.path, look[:1]))]
        member, kind = min(own or looks, key=lambda look: order.index(look[1]))
        keys, file = _keys(export, member, kind, is_known=chosen is not None), member.name
    return {
        "kind": kind,
        "what": "" if chosen else describe(export).what,
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


def _keys(export: Export, member: Member, kind: str, *, is_known: bool) -> list[str]:
    if kind in ("lines", "array", "object"):
        return list(peek(member).first)
    # the first line of a chat is no header
    if not is_table(member) or (kind == "text" and is_known and not member.name.endswith(".csv")):
        return []
    try:
        return list(column_names(member, logs_of(member, export)))
    except UserError:
        return []


def show(found: dict[str, Any], first: Conversation | None) -> None:
    """Print what :func:`explain` found."""
    shape = found["shape"]
    titles = {each["name"]: each["title"] for each in found["importers"]}
    terminal.facts(
        found["file"],
        {
            "shape": _said_of(shape),
            # the tables of a database have commas of their own
            "first keys": ("; " if shape["kind"] == "sqlite" else ", ").join(shape["first_keys"])
            or "none",
            "importers": ", ".join(
                f"{each['name']} {each['certainty']:.2f}" for each in found["importers"]
            )
            or "none recognises it",
            "chosen": " - ".join(filter(None, (found["chosen"], titles.get(found["chosen"]))))
            or "none",
            **({"holds": _held_by(found)} if found["chosen"] else {}),
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
    if found["command"]:
        terminal.out.print(f"\nNothing was stored. To import it: {safe(found['command'])}")


def _said_of(shape: dict[str, Any]) -> str:
    if shape["file"] is None:
        return str(shape["what"])
    files = f"{_count(shape['members'], 'file')}, {_count(shape['bytes'], 'byte')}"
    return f"{shape['what'] or shape['kind']} in {shape['file']}, {files}"


def _held_by(found: dict[str, Any]) -> str:
    more = " or more" if found["looked_at"] == LOOKED_AT else ""
    talks, messages = found["looked_at"], found["messages"]
    return f"{_count(talks, 'conversation')}{more}, {_count(messages, 'message')}"


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
