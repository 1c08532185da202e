"""From a sealed version to a repository on the Hub: one commit, checked, then a tag.

The tag is the fingerprint and is made last, when the commit is known to hold every file with the
right hash. Whatever fails before leaves no tag; whoever reads at a tag sees a whole version.
"""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from dataset.hub.client import Hub, Remote, State, digest
from dataset.hub.errors import ConflictError, HubError
from dataset.hub.publication import Item, publication, stale
from dataset.hub.record import PushRecord, write_push
from dataset.hub.report import PushReport
from dataset.hub.retry import Patience
from dataset.hub.sent import counted
from dataset.manifest import MANIFEST, DatasetVersion
from dataset.taint import refuse_tainted
from ingest.workspace import Workspace


@dataclass(frozen=True)
class _Change:
    """What a commit on top of a head must do."""

    head: str
    add: Sequence[Item]
    remove: Sequence[str]


def push(
    version: DatasetVersion,
    repo: str,
    workspace: Workspace,
    *,
    token: SecretStr | None,
    public: bool = False,
    dry_run: bool = False,
    samples: int = 0,
    endpoint: str | None = None,
    patience: Patience | None = None,
) -> PushReport:
    """Publish a version.

    Doing it again is harmless: what is there already is not sent again.

    Args:
        version: sealed.
        repo: ORG/NAME; made if there is none.
        workspace: where the push is recorded.
        token: of an account that may write there.
        public: everybody may read it; needs a version that the redaction check finds clean.
        dry_run: look what would be sent, change nothing.
        samples: conversations that the card shows.
        endpoint: the Hub; None is huggingface_hub's own default.
        patience: with failing calls.

    Raises:
        VersionError: the version's files are damaged.
        TaintError: the version holds conversations that were erased.
        HubError: the Hub or the repository does not allow it, or it failed.
    """
    version.verify()
    refuse_tainted(version, workspace)
    if public:
        _require_clean(version, workspace)
    hub = Hub(repo, token, endpoint, patience)
    items = publication(version, repo=repo, samples=samples)
    if dry_run:
        return _rehearse(hub, version, items, public=public)
    if token is None:
        raise HubError(
            f"{repo}: publishing needs a token",
            "log in with 'hf auth login', set HF_TOKEN, or pass --token-file",
        )
    with counted() as sent:
        state = _opened(hub, public=public)
        record = PushRecord(
            repo=repo,
            endpoint=hub.endpoint,
            name=version.name,
            fingerprint=version.fingerprint,
            state="started",
            private=state.private,
            time=datetime.now(UTC),
        )
        write_push(workspace, record)
        commit = _tagged(hub, version, items)
        change = _Change(state.head, (), ())
        if commit is None:
            change = _change(hub, state.head, items)
            commit = _committed(hub, version, items, change)
            read_back(hub, commit, items)
            _stay_private(hub, public=public)
            _tag(hub, version, commit)
    done = {"state": "done", "commit": commit, "time": datetime.now(UTC)}
    write_push(workspace, record.model_copy(update=done))
    return _report(hub, version, items, change, commit, state.private, sent.total)


def _require_clean(version: DatasetVersion, workspace: Workspace) -> None:
    from dataset.redact.check import check_version  # needed for public pushes only

    if not check_version(version, workspace).clean:
        raise HubError(
            f"{version.ref}: is not clean of secrets and personal data, so it stays private",
            "see 'turnmill redact-check', add a redact step and build again",
        )


def _refuse_public(repo: str, state: State, *, public: bool) -> None:
    if not state.private and not public:
        raise HubError(
            f"{repo}: this repository is public, everybody could read the conversations",
            "push to a private one, or pass --public for a version that is clean",
        )


def _opened(hub: Hub, *, public: bool) -> State:
    """The repository's state; it is made if there is none."""
    state = hub.state()
    if state is None:
        hub.create(private=not public)
        state = hub.state()
    if state is None:
        raise HubError(
            f"{hub.repo}: exists, but your token may not see it", "use a token of a member"
        )
    _refuse_public(hub.repo, state, public=public)
    return state


def _stay_private(hub: Hub, *, public: bool) -> None:
    """Nobody made the repository public while the upload ran."""
    state = hub.state()
    if state is not None:
        _refuse_public(hub.repo, state, public=public)


def _rehearse(hub: Hub, version: DatasetVersion, items: list[Item], *, public: bool) -> PushReport:
    state = hub.state()
    if state is None:
        change, private = _Change("", items, ()), not public
    else:
        _refuse_public(hub.repo, state, public=public)
        private = state.private
        tagged = _tagged(hub, version, items)
        change = _Change("", (), ()) if tagged else _change(hub, state.head, items)
    return _report(hub, version, items, change, "", private, 0, dry_run=True)


def _report(
    hub: Hub,
    version: DatasetVersion,
    items: list[Item],
    change: _Change,
    commit: str,
    private: bool,
    bytes_sent: int,
    *,
    dry_run: bool = False,
) -> PushReport:
    return PushReport(
        repo=hub.repo,
        revision=version.fingerprint,
        commit=commit,
        private=private,
        files=items,
        sent=[item.path for item in change.add],
        removed=change.remove,
        bytes_sent=bytes_sent,
        bytes_changed=sum(item.size for item in change.add),
        dry_run=dry_run,
    )


def _tagged(hub: Hub, version: DatasetVersion, items: list[Item]) -> str | None:
    """The commit that the version's tag names; None if there is no such tag.

    Raises:
        ConflictError: the tag names something else.
    """
    commit = hub.tags().get(version.fingerprint)
    if commit is None:
        return None
    files = hub.files(commit)
    data = [item for item in items if item.path in version.files]
    whole = all(item.path in files and files[item.path].equals(item) for item in data)
    manifest = _manifest(hub, commit, files)
    if whole and manifest.get("fingerprint") == version.fingerprint:
        return commit
    raise ConflictError(
        f"{hub.repo}: the tag {version.fingerprint} is there and names other files",
        "look at it on the Hub; delete the tag there if it is of no use, then push again",
    )


def _manifest(hub: Hub, commit: str, files: dict[str, Remote]) -> dict[str, Any]:
    """The manifest of a commit; empty if it has none that can be read."""
    if MANIFEST not in files:
        return {}
    with tempfile.TemporaryDirectory(prefix="turnmill-") as folder:
        raw = hub.read(MANIFEST, commit, Path(folder))
    try:
        value = json.loads(raw)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _change(hub: Hub, head: str, items: list[Item]) -> _Change:
    """What differs between the head and what is to be published."""
    files = hub.files(head) if head else {}
    add = [i for i in items if i.path not in files or not files[i.path].equals(i)]
    gone = stale(_manifest(hub, head, files), items)
    return _Change(head, add, [path for path in gone if path in files])


def _committed(hub: Hub, version: DatasetVersion, items: list[Item], change: _Change) -> str:
    """The commit that holds the publication: a new one, or the head if it does already."""
    if not change.add and not change.remove:
        return change.head

    def landed() -> str | None:
        state = hub.state()
        if state is None or state.head == change.head:
            return None
        now = _change(hub, state.head, items)
        return None if now.add or now.remove else state.head

    return hub.commit(
        change.add,
        change.remove,
        parent=change.head,
        message=f"{version.name} {version.fingerprint[:12]}",
        landed=landed,
    )


def read_back(hub: Hub, commit: str, items: list[Item]) -> None:
    """Ask the repository for size and sha256 of every file, and fetch the small ones.

    Raises:
        HubError: one is missing or differs.
    """
    files = hub.files(commit)
    with tempfile.TemporaryDirectory(prefix="turnmill-") as folder:
        for item in items:
            there = files.get(item.path)
            right = there is not None and there.size == item.size
            if right and there is not None:
                # a large file's sha256 is its name on the Hub; a plain file is fetched and hashed
                plain = there.sha256 is None
                found = digest(hub.read(item.path, commit, Path(folder))) if plain else there.sha256
                right = found == item.sha256
            if not right:
                raise HubError(
                    f"{hub.repo}: {item.path} is not there as it was sent; no tag was made",
                    "push again; if it happens again, tell the Hub",
                )


def _tag(hub: Hub, version: DatasetVersion, commit: str) -> None:
    hub.tag(version.fingerprint, commit)
    if hub.tags().get(version.fingerprint) != commit:
        raise ConflictError(
            f"{hub.repo}: the tag {version.fingerprint} names another commit",
            "somebody else pushed the same version; push again to check it",
        )
