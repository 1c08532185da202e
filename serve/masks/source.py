"""The conversations to look at: of a sealed version, or of a JSON lines file."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from ingest.errors import UserError
from ingest.workspace import Workspace

# what will be trained comes first
_SPLITS = ("train", "validation", "test")


class Found(NamedTuple):
    """One conversation: ``{"messages", "tools"}``, or why it cannot be read."""

    name: str
    chat: dict[str, Any] | None
    refused: UserError | None = None


def conversations(
    source: str, workspace: Workspace, limit: int, split: str | None = None
) -> list[Found]:
    """The first conversations of a version or file.

    Args:
        source: a version, or a JSON lines file with ``messages``.
        workspace: holds the versions.
        limit: conversations at the most.
        split: of a version; left out: the first of train, validation and test that it has.

    Raises:
        UserError: no such file, version or split; a version of preference pairs.
    """
    file = Path(source)
    found = _of_file(file) if file.is_file() else _of_version(source, workspace, split)
    return list(islice(found, limit))


def _of_version(source: str, workspace: Workspace, split: str | None) -> Iterator[Found]:
    from dataset.manifest import load_version
    from dataset.rows import to_chat

    version = load_version(source, workspace)
    version.require_chat()
    if split is not None and split not in version.splits:
        raise UserError(
            f"{version.name} has no split {split!r}", f"it has: {', '.join(version.splits)}"
        )
    chosen = split or next(name for name in _SPLITS if name in version.splits)
    for row in version.rows(chosen):
        yield Found(f"{chosen}: {row['id']}", to_chat(row))


def _of_file(file: Path) -> Iterator[Found]:
    from dataset.rows import to_chat, to_row
    from ingest.archive import open_export
    from ingest.importers.base import ImportOptions, Reject
    from ingest.message import Conversation
    from ingest.registry import importer

    for number, item in enumerate(
        importer("openai").read(open_export(file), ImportOptions()), start=1
    ):
        name = f"{file.name}: {number}"
        if isinstance(item, Reject):
            yield Found(name, None, UserError(f"{item.where}: {item.reason}", item.hint))
        elif isinstance(item, Conversation):
            yield Found(name, to_chat(to_row(item, item.content_hash)))
