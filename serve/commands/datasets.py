"""What the commands around dataset versions do."""

from pathlib import Path
from typing import Any

from rich.markup import escape

from dataset.build import build
from dataset.manifest import SPLITS, DatasetVersion, SplitCounts, list_versions, load_spec
from ingest.errors import UserError
from ingest.store import open_store
from ingest.workspace import Workspace
from serve import terminal


def run_build(spec: Path, workspace: Workspace) -> DatasetVersion:
    """Seal the version that a spec file asks for."""
    asked = load_spec(spec)
    with open_store(workspace.create().store) as store, terminal.staged("building") as stage:
        return build(store, asked, workspace, on_progress=stage)


def as_json(version: DatasetVersion) -> dict[str, Any]:
    """A version in the shape of ``turnmill build --json``."""
    return {
        "name": version.name,
        "fingerprint": version.fingerprint,
        "path": str(version.path),
        "created_at": version.created_at.isoformat(),
        "parent": version.parent,
        "splits": {name: counts.model_dump() for name, counts in in_order(version).items()},
        "steps": [step.model_dump(by_alias=True) for step in version.steps],
    }


def in_order(version: DatasetVersion) -> dict[str, SplitCounts]:
    """The version's splits, training first."""
    return {name: version.splits[name] for name in SPLITS if name in version.splits}


def show_version(version: DatasetVersion) -> None:
    """Print what a build sealed."""
    terminal.out.print(
        f"[bold]{version.name}[/]@[cyan]{version.fingerprint[:12]}[/] [dim]{version.path}[/]",
        soft_wrap=True,
    )
    steps = [
        (step.name, step.rows_in, step.kept,
         ", ".join(f"{count} {reason}" for reason, count in step.dropped.items()))
        for step in version.steps
    ]  # fmt: skip
    terminal.table("Steps", ("step", "in", "kept", "dropped"), steps, right=(1, 2))
    splits = [
        (name, counts.conversations, counts.messages, counts.assistant_messages)
        for name, counts in in_order(version).items()
    ]
    headings = ("split", "conversations", "messages", "of the assistant")
    terminal.table("Splits", headings, splits, right=(1, 2, 3))


def versions(workspace: Workspace) -> list[DatasetVersion]:
    """Every sealed version, oldest first."""
    return list_versions(workspace)


def show_versions(found: list[DatasetVersion]) -> None:
    """Print the versions."""
    rows = [
        (version.name, version.fingerprint[:12], version.created_at.strftime("%Y-%m-%d %H:%M"),
         sum(counts.conversations for counts in version.splits.values()),
         (version.parent or "")[:12])
        for version in found
    ]  # fmt: skip
    headings = ("name", "fingerprint", "sealed (UTC)", "conversations", "parent")
    terminal.table("Versions", headings, rows, right=(3,))


def show_lineage(chain: list[dict[str, Any]]) -> None:
    """Print a chain of hashes, one link a line."""
    for link in chain:
        rest = {key: value for key, value in link.items() if key not in ("kind", "id")}
        detail = ", ".join(f"{key} {value}" for key, value in rest.items() if value)
        terminal.out.print(
            f"[bold]{link['kind']:<12}[/] [cyan]{escape(str(link['id']))}[/] "
            f"[dim]{escape(detail)}[/]",
            soft_wrap=True,
        )


def load_chats(source: str, workspace: Workspace, limit: int) -> list[dict[str, Any]]:
    """Conversations to look at: a version's, or those of a JSON lines file with ``messages``.

    Returns:
        ``{"messages": [...], "tools": [...] or None}``, at most ``limit``.
    """
    from dataset.manifest import load_version
    from dataset.rows import to_chat

    file = Path(source)
    if file.is_file():
        return _chats_of_file(file, limit)
    version = load_version(source, workspace)
    split = next(name for name in ("test", "validation", "train") if name in version.splits)
    rows = version.rows(split)
    return [to_chat(row) for row, _ in zip(rows, range(limit), strict=False)]


def _chats_of_file(file: Path, limit: int) -> list[dict[str, Any]]:
    from dataset.rows import to_chat, to_row
    from ingest.archive import open_export
    from ingest.importers.base import ImportOptions, Reject
    from ingest.message import Conversation
    from ingest.registry import importer

    found: list[dict[str, Any]] = []
    for item in importer("openai").read(open_export(file), ImportOptions()):
        if isinstance(item, Reject):
            raise UserError(f"{item.where}: {item.reason}", item.hint)
        if isinstance(item, Conversation):
            found.append(to_chat(to_row(item, item.content_hash)))
        if len(found) == limit:
            break
    return found
