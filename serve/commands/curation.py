"""What ``turnmill exclude``, ``include``, ``tag``, ``undo`` and ``decisions`` do."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from dataset.curate import Decided, decide, selected
from ingest.decisions import Action, Entry
from ingest.store import Where, open_store
from ingest.workspace import Workspace
from serve import terminal

_SHOWN = 5
"""Ids that a line of the journal shows."""


def run(
    action: Action,
    refs: Sequence[str],
    where: Where,
    workspace: Workspace,
    *,
    tags: Sequence[str] = (),
    reason: str | None = None,
    dry_run: bool = False,
) -> Decided:
    """Decide about the conversations named."""
    with open_store(workspace.create().store) as store:
        ids = selected(store, refs, where)
        return decide(
            store, action, ids, tags=tags, reason=reason, now=datetime.now(UTC), dry_run=dry_run
        )


def as_json(done: Decided) -> dict[str, Any]:
    """A decision in the shape of ``turnmill exclude --json``."""
    return {
        "action": done.action,
        "number": done.number,
        "conversations": done.conversations,
        "unchanged": done.unchanged,
    }


def show(done: Decided, *, dry_run: bool) -> None:
    """Print what was decided, or would be."""
    count = len(done.conversations)
    number = f" (decision {done.number})" if done.number is not None else ""
    would = "would " if dry_run else ""
    terminal.out.print(
        f"[bold]{would}{done.action}[/]: {count:,} conversations{number}"
        + (f", {done.unchanged:,} are so already" if done.unchanged else "")
    )
    for id_ in done.conversations[:_SHOWN]:
        terminal.out.print(f"  {terminal.safe(id_)}")
    if count > _SHOWN:
        terminal.out.print(f"  [dim]and {count - _SHOWN:,} more[/]")
    if done.number is not None:
        terminal.note(f"take it back with: turnmill undo {done.number}")


def undo(number: int | None, reason: str | None, workspace: Workspace) -> dict[str, Any]:
    """Take a decision back."""
    with open_store(workspace.create().store) as store:
        undone = store.decisions.undo(number, reason=reason, now=datetime.now(UTC))
        entries = [entry for entry in store.decisions.entries() if entry.number == undone]
    return {
        "undone": undone,
        "action": entries[0].action,
        "conversations": [entry.conversation for entry in entries if entry.conversation],
    }


def show_undo(done: dict[str, Any]) -> None:
    """Print what was taken back."""
    count = len(done["conversations"])
    terminal.out.print(
        f"[bold]undone[/]: decision {done['undone']}, {done['action']}, {count:,} conversations"
    )


def journal(workspace: Workspace) -> list[Entry]:
    """Every decision, oldest first."""
    with open_store(workspace.create().store) as store:
        return store.decisions.entries()


def journal_json(entries: list[Entry]) -> list[dict[str, Any]]:
    """The journal in the shape of ``turnmill decisions --json``, one entry a conversation."""
    return [{**entry._asdict(), "time": f"{entry.time.isoformat()}+00:00"} for entry in entries]


def show_journal(entries: list[Entry]) -> None:
    """Print the journal, one line a decision."""
    rows = []
    for number, group in groupby(entries, key=lambda entry: entry.number):
        same = list(group)
        first = same[0]
        ids = list(dict.fromkeys(each.conversation for each in same if each.conversation))
        tags = ", ".join(dict.fromkeys(each.tag for each in same if each.tag))
        about = f"decision {first.undoes}" if first.undoes is not None else tags
        more = f" and {len(ids) - 1:,} more" if len(ids) > 1 else ""
        rows.append(
            (number, first.time.strftime("%Y-%m-%d %H:%M"), first.action, about,
             f"{ids[0]}{more}" if ids else "", first.reason, "undone" if first.undone else "")
        )  # fmt: skip
    headings = ("number", "when (UTC)", "action", "tag", "conversations", "reason", "")
    terminal.table(f"Decisions ({len(rows)})", headings, rows, right=(0,))
