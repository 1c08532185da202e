"""What the commands around imports do."""

from pathlib import Path
from typing import Any

from ingest.importers.base import ImportOptions
from ingest.load import ImportReport, import_export
from ingest.message import Conversation, Message
from ingest.registry import importers
from ingest.store import Where, open_store
from ingest.workspace import Workspace
from serve import terminal
from serve.commands.people import with_people
from serve.terminal import safe

_COLOURS = {"assistant": "green", "user": "cyan", "system": "magenta", "developer": "magenta",
            "tool": "yellow"}  # fmt: skip


def formats() -> list[dict[str, str]]:
    """Every importer, as ``turnmill formats`` lists it."""
    return [
        {"name": each.name, "kind": each.kind, "title": each.title, "needs": each.needs}
        for each in sorted(importers().values(), key=lambda each: (each.kind, each.name))
    ]


def show_formats(rows: list[dict[str, str]]) -> None:
    """Print the formats."""
    cells = [(row["name"], row["kind"], row["title"], row["needs"]) for row in rows]
    terminal.table("Formats", ("name", "kind", "what it is", "what it needs"), cells)


def run_import(
    paths: list[Path],
    workspace: Workspace,
    format_name: str,
    options: ImportOptions,
    *,
    keep_raw: bool = True,
    workers: int | None = None,
) -> ImportReport:
    """Import every path; each export lands whole or not at all, and a copy of it is kept."""
    options = with_people(options, workspace)
    total = ImportReport()
    with open_store(workspace.create().store) as store, terminal.reading() as tell:
        for path in paths:
            total.add(
                import_export(
                    path,
                    store,
                    format_name=format_name,
                    options=options,
                    raw=workspace.raw if keep_raw else None,
                    workers=workers,
                    on_progress=lambda at: tell(
                        Path(at.export).name, at.bytes_read, at.bytes_total, at.conversations
                    ),
                )
            )
    if any(importers()[source.importer].kind == "people" for source in total.sources):
        total.warnings += _people_warnings(options)
    return total


def _people_warnings(options: ImportOptions) -> list[str]:
    if options.as_assistant:
        return []
    return [
        "nobody is the assistant in people's chats yet: import again with --as-assistant NAME,"
        " or say it once with 'turnmill people --assistant NAME'"
    ]


def show_import(report: ImportReport) -> None:
    """Print what an import did."""
    for source in report.sources:
        terminal.out.print(f"[bold]{safe(source.path)}[/] [dim]{source.importer}[/]")
    skipped = ", ".join(f"{count} {reason}" for reason, count in report.skipped.items())
    terminal.facts(
        "",
        {
            "read": f"{report.read:,} conversations, {report.messages:,} messages",
            "stored": f"{report.stored:,}",
            "updated": f"{report.updated:,}",
            "unchanged": f"{report.unchanged:,}",
            **(
                {"kept": f"{report.missing:,} that this export no longer has"}
                if report.missing
                else {}
            ),
            "rejected": f"{report.rejected:,}"
            + (" (see 'turnmill rejects')" if report.rejected else ""),
            "skipped": f"{sum(report.skipped.values()):,}" + (f" ({skipped})" if skipped else ""),
            "seconds": f"{report.seconds:.2f}",
        },
    )
    for warning in report.warnings:
        terminal.note(f"[yellow]note:[/] {safe(warning)}")


def rejects(workspace: Workspace) -> list[dict[str, Any]]:
    """The quarantine."""
    with open_store(workspace.create().store) as store:
        return store.rejects()


def show_rejects(rows: list[dict[str, Any]]) -> None:
    """Print the quarantine."""
    cells = [(row["source"], row["where"], row["reason"], row["hint"]) for row in rows]
    terminal.table(f"Quarantine ({len(rows)})", ("export", "where", "reason", "hint"), cells)


def conversations(workspace: Workspace, where: Where, limit: int) -> list[dict[str, Any]]:
    """Conversations that fit, and what was decided by hand about them."""
    with open_store(workspace.create().store) as store:
        rows = store.list_conversations(where, limit)
        marks = store.decisions.marks([row["id"] for row in rows])
    for row in rows:
        row["excluded"], row["tags"] = marks.get(row["id"], (False, []))
    return rows


def show_conversations(rows: list[dict[str, Any]]) -> None:
    """Print a list of conversations."""
    cells = [
        (row["id"], row["title"], row["messages"], (row["created_at"] or "")[:16], row["importer"],
         ", ".join([*(["excluded"] if row["excluded"] else []), *row["tags"]]))
        for row in rows
    ]  # fmt: skip
    headings = ("id", "title", "messages", "created", "importer", "marks")
    terminal.table(f"Conversations ({len(rows)})", headings, cells, right=(2,))


def conversation(workspace: Workspace, prefix: str) -> Conversation:
    """One conversation."""
    with open_store(workspace.create().store) as store:
        return store.get(prefix)


def as_json(found: Conversation, *, branches: bool) -> dict[str, Any]:
    """One conversation in the shape of ``turnmill show --json``."""
    messages = [message for message in found.messages if branches or message.on_path]
    return {
        "id": found.id,
        "importer": found.importer,
        "source_id": found.source_id,
        "title": found.title,
        "created_at": found.created_at.isoformat() if found.created_at else None,
        "participants": [
            {"name": each.name, "id": each.id, "is_assistant": each.is_assistant}
            for each in found.participants
        ],
        "tools": found.tools,
        "metadata": found.metadata,
        "content_hash": found.content_hash,
        "messages": [_message_json(message) for message in messages],
    }


def _message_json(message: Message) -> dict[str, Any]:
    return {
        "role": message.role,
        "name": message.name,
        "content": message.content,
        "reasoning": message.reasoning,
        "tool_calls": [
            {"id": call.id, "name": call.name, "arguments": call.arguments}
            for call in message.tool_calls
        ],
        "tool_call_id": message.tool_call_id,
        "attachments": [
            {
                "kind": each.kind,
                "name": each.name,
                "uri": each.uri,
                "mime_type": each.mime_type,
                "size_bytes": each.size_bytes,
                "text": each.text,
            }
            for each in message.attachments
        ],
        "created_at": message.created_at.isoformat() if message.created_at else None,
        "train": message.train,
        "source_id": message.source_id,
        "parent_id": message.parent_id,
        "on_path": message.on_path,
        "extra": message.extra,
    }


def show_conversation(found: Conversation, *, branches: bool) -> None:
    """Print one conversation, a block a message."""
    terminal.out.print(f"[bold]{safe(found.title or 'untitled')}[/] [dim]{found.id}[/]")
    for message in found.messages:
        if not (branches or message.on_path):
            continue
        states = (("side branch", not message.on_path), ("not trained", message.train is False))
        marks = [name for name, holds in states if holds]
        name = f" {message.name}" if message.name else ""
        mark = f" [dim]({', '.join(marks)})[/]" if marks else ""
        colour = _COLOURS[message.role]
        terminal.out.print(f"[{colour} bold]{message.role}[/][{colour}]{safe(name)}[/]{mark}")
        for line in (message.reasoning or "").splitlines():
            terminal.out.print(f"  [dim italic]{safe(line)}[/]")
        for line in message.content.splitlines():
            terminal.out.print(f"  {safe(line)}")
        for call in message.tool_calls:
            terminal.out.print(f"  [yellow]{safe(call.name)}[/]({safe(call.arguments)})")
        for each in message.attachments:
            terminal.out.print(f"  [dim]\\[{each.kind}: {safe(each.name or each.uri or '')}][/]")
