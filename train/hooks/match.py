"""Which hooks an event is for."""

from collections.abc import Sequence
from pathlib import Path

from dataset.manifest import MANIFEST, open_version
from ingest.workspace import Workspace
from train.hooks.event import Event
from train.hooks.outbox import Outbox
from train.hooks.spec import HooksFile, HookSpec

_IN_VAIN = ("failed", "refused", "gone")


def matching(hooks: HooksFile, event: Event, workspace: Workspace) -> list[str]:
    """Names of the hooks that an event is for.

    Raises:
        VersionError: ``min_new`` asks for the rows of a version that is damaged.
    """
    wanting = [hook for hook in hooks.hook if hook.wants(event)]
    if not wanting:
        return []
    earlier = Outbox(workspace).events()[::-1]
    return [
        hook.name
        for hook in wanting
        if not _is_gone(hook, earlier, workspace)
        and (not hook.min_new or _enough(hook, event, earlier, workspace))
    ]


def _is_gone(hook: HookSpec, earlier: Sequence[Event], workspace: Workspace) -> bool:
    """Whether the receiver last said that it wants nothing any more; a test that it takes ends it.

    Args:
        hook: any.
        earlier: events, the latest first.
        workspace: with the outbox.
    """
    for event in earlier:
        if hook.name in (event.hooks or ()):
            state = Outbox(workspace).read(event.id, hook.name).state
            if event.kind != "ping" or state == "delivered":
                return state == "gone"
    return False


def _enough(hook: HookSpec, event: Event, earlier: Sequence[Event], workspace: Workspace) -> bool:
    """Whether enough is new since the version that the hook was last told of with success.

    Counting from there, and not from the version before, many small versions add up.
    """
    home = workspace.home
    now = _conversations(home / str(event.data["path"]))
    outbox = Outbox(workspace)
    for each in earlier:
        told = (
            each.kind == event.kind
            and each.data["dataset"] == event.data["dataset"]
            and each.at < event.at
            and hook.name in (each.hooks or ())
            and outbox.read(each.id, hook.name).state not in _IN_VAIN
        )
        if told:
            folder = home / str(each.data["path"])
            known = _conversations(folder) if (folder / MANIFEST).is_file() else set()
            return len(now - known) >= hook.min_new
    return len(now) >= hook.min_new


def _conversations(folder: Path) -> set[str]:
    """Ids of the conversations in a version."""
    import pyarrow.parquet as pq

    version = open_version(folder)
    column = "id" if version.spec.kind == "chat" else "conversation"
    ids: set[str] = set()
    for split in version.splits:
        table = pq.read_table(version.file(split), columns=[column], partitioning=None)
        ids.update(table[column].to_pylist())
    return ids
