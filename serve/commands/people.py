"""What ``turnmill people`` does: who takes part, who is one person, who is the assistant."""

from dataclasses import replace
from typing import Any

from ingest.importers.base import ImportOptions
from ingest.people_map import load_people, save_people
from ingest.store import open_store
from ingest.workspace import Workspace
from serve import terminal


def listed(workspace: Workspace) -> list[dict[str, Any]]:
    """Everybody who speaks in the store under a name, most messages first.

    ``is_assistant`` is what the map says now; ``assistant_messages`` what imports made of it.
    """
    people = load_people(workspace.people)
    with open_store(workspace.create().store) as store:
        rows = store.people(people.by_alias())
    for row in rows:
        person = people.find(row["name"])
        row["aliases"] = list(person.aliases) if person else []
        row["is_assistant"] = person is not None and person.is_assistant
    return rows


def alias(workspace: Workspace, name: str, of: str) -> None:
    """Record that two names are one person."""
    path = workspace.create().people
    save_people(path, load_people(path).with_alias(name, of))


def mark(workspace: Workspace, name: str, *, is_assistant: bool) -> None:
    """Record that a person is, or is not, the assistant."""
    path = workspace.create().people
    save_people(path, load_people(path).with_assistant(name, is_assistant=is_assistant))


def with_people(options: ImportOptions, workspace: Workspace) -> ImportOptions:
    """The options with everybody whom the map makes the assistant."""
    people = load_people(workspace.people)
    return replace(options, as_assistant=people.assistants(options.as_assistant))


def show(rows: list[dict[str, Any]]) -> None:
    """Print the people."""
    cells = [
        (
            row["name"],
            row["conversations"],
            row["messages"],
            ", ".join(row["importers"]),
            "assistant" if row["is_assistant"] or row["assistant_messages"] else "",
            ", ".join(row["aliases"]),
        )
        for row in rows
    ]
    headings = ("name", "conversations", "messages", "importers", "role", "also called")
    terminal.table(f"People ({len(rows)})", headings, cells, right=(1, 2))
    if any(row["is_assistant"] and row["assistant_messages"] < row["messages"] for row in rows):
        terminal.note("who is the assistant has changed: import the exports again to use it")
