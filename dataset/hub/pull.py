"""From a repository on the Hub to a sealed version in the workspace, checked down to its rows.

Files come into a hidden folder that gets its name when every size, every sha256 and the fingerprint
are right. A pull that stops leaves that folder: the next pull of the same commit fetches what is
missing in it, one of another commit removes it, as ``turnmill forget`` does.
"""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
from pydantic import SecretStr, ValidationError

from dataset.fingerprint import Fingerprint
from dataset.hub.client import Hub, State, digest
from dataset.hub.errors import HubError, UntrustedError, explain
from dataset.hub.publication import Item
from dataset.hub.retry import Patience
from dataset.manifest import MANIFEST, DatasetVersion, FileInfo, open_version
from dataset.rows import row_digest
from dataset.site import pulling_site
from ingest.workspace import Workspace, make_folder

_TRIES = 2
"""Downloads of a file that arrives as another one."""
_DATA = re.compile(r"data/[a-z]+-[\w-]+\.parquet")
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class PullReport:
    """What a pull did.

    Attributes:
        version: sealed in the workspace.
        repo: ORG/NAME.
        commit: that it comes from.
        private: whether only members see the repository.
        bytes_received: of data files; those that were there already do not count.
    """

    version: DatasetVersion
    repo: str
    commit: str
    private: bool
    bytes_received: int

    def as_json(self) -> dict[str, Any]:
        """As ``turnmill pull --json`` prints it."""
        files = [
            {"path": path, "bytes": info.bytes, "sha256": info.sha256}
            for path, info in sorted(self.version.files.items())
        ]
        return {
            "repo": self.repo,
            "revision": self.version.fingerprint,
            "commit": self.commit,
            "private": self.private,
            "name": self.version.name,
            "path": str(self.version.path),
            "files": files,
            "bytes_received": self.bytes_received,
        }


def pull(
    repo: str,
    workspace: Workspace,
    *,
    token: SecretStr | None,
    revision: str | None = None,
    endpoint: str | None = None,
    patience: Patience | None = None,
) -> PullReport:
    """Fetch a version and seal it, as if it had been built here.

    Args:
        repo: ORG/NAME.
        workspace: where it goes.
        token: None for public repositories.
        revision: a tag or its beginning, a branch or a commit; None is the newest.
        endpoint: the Hub; None is huggingface_hub's own default.
        patience: with failing calls.

    Raises:
        HubError: it is not there, is no version, or differs from its manifest.
        SiteError: another process pulls the same.
    """
    hub = Hub(repo, token, endpoint, patience)
    named = _full_name(hub, revision)
    state = hub.state(named or "main")
    if state is None:
        raise HubError(f"{repo}: there is nothing at {named}", "see its tags on the Hub")
    try:
        with pulling_site(workspace.create().datasets, state.head) as site:
            return _pulled(hub, state, named, site, workspace)
    except OSError as error:
        found = explain(error, repo, hub.endpoint)
        if found is None:
            raise
        raise found from None


def _pulled(
    hub: Hub, state: State, named: str | None, site: Path, workspace: Workspace
) -> PullReport:
    hidden = site / "version"
    make_folder(hidden)
    try:
        version = _manifest(hub, state.head, hidden, named)
        there = workspace.datasets / version.name / version.fingerprint
        if (there / MANIFEST).is_file():
            sealed = open_version(there)
            sealed.verify()
            return PullReport(sealed, hub.repo, state.head, state.private, 0)
        received = sum(
            _fetch(hub, path, info, state.head, hidden) for path, info in version.files.items()
        )
        _check_rows(version, hub)
        return PullReport(_seal(version, there), hub.repo, state.head, state.private, received)
    except UntrustedError:
        shutil.rmtree(site)
        raise


def _full_name(hub: Hub, revision: str | None) -> str | None:
    """The revision, or the one tag that begins with it."""
    if revision is None or not re.fullmatch(r"[0-9a-f]{4,63}", revision):
        return revision
    fit = [tag for tag in hub.tags() if tag.startswith(revision)]
    if len(fit) > 1:
        raise HubError(f"{hub.repo}: {revision} fits {len(fit)} tags", "give more of it")
    return fit[0] if fit else revision


def _manifest(hub: Hub, commit: str, hidden: Path, named: str | None) -> DatasetVersion:
    """What the commit says that it holds; nothing in it is believed that could do harm."""
    raw = _manifest_bytes(hub, commit, hidden)
    try:
        version = DatasetVersion.model_validate({**orjson.loads(raw), "path": hidden})
    except (ValidationError, TypeError, orjson.JSONDecodeError):
        raise UntrustedError(
            f"{hub.repo}: its {MANIFEST} cannot be read",
            "was it made by a newer turnmill? then use that one",
        ) from None
    odd = [path for path in version.files if not _DATA.fullmatch(path)]
    if odd or version.name != version.spec.name or not _FINGERPRINT.fullmatch(version.fingerprint):
        raise UntrustedError(
            f"{hub.repo}: its {MANIFEST} names what no version has", "do not trust it"
        )
    if named and _FINGERPRINT.fullmatch(named) and version.fingerprint != named:
        raise UntrustedError(
            f"{hub.repo}: at {named} is the version {version.fingerprint}",
            "the tag was moved; ask its owner",
        )
    return version


def _manifest_bytes(hub: Hub, commit: str, hidden: Path) -> bytes:
    """The manifest as the repository has it, by the hash that the commit has of it."""
    there = hub.files(commit).get(MANIFEST)
    if there is None:
        raise HubError(
            f"{hub.repo}: holds no {MANIFEST}, so no version of turnmill's",
            "give --revision with a fingerprint, or load it with 'datasets' and import it",
        )
    for _ in range(_TRIES):
        (hidden / MANIFEST).unlink(missing_ok=True)
        raw = hub.read(MANIFEST, commit, hidden)
        if there.equals(Item(MANIFEST, raw, len(raw), digest(raw))):
            return raw
    raise UntrustedError(
        f"{hub.repo}: its {MANIFEST} does not arrive as it is there; nothing was taken over",
        "pull again; if it happens again, look for what stands between here and the Hub",
    )


def _fetch(hub: Hub, path: str, info: FileInfo, commit: str, hidden: Path) -> int:
    """Have one file right.

    Returns:
        Bytes received.
    """
    file = hidden / path
    if _is_right(file, info):
        return 0
    for _ in range(_TRIES):
        # the client takes a file that is there for the right one
        file.unlink(missing_ok=True)
        hub.fetch(path, commit, hidden)
        if _is_right(file, info):
            return info.bytes
    file.unlink(missing_ok=True)
    raise UntrustedError(
        f"{hub.repo}: {path} differs from its {MANIFEST}; nothing was taken over",
        "pull again; if it happens again, its owner must push again",
    )


def _is_right(file: Path, info: FileInfo) -> bool:
    return file.is_file() and info.matches(file)


def _check_rows(version: DatasetVersion, hub: Hub) -> None:
    """The rows are those that the fingerprint and the counts speak of."""
    try:
        found, counts = _fingerprint(version)
    except pa.ArrowException:
        raise UntrustedError(f"{hub.repo}: its data is no parquet", "do not trust it") from None
    said = {split: size.conversations for split, size in version.splits.items()}
    if found != version.fingerprint or counts != said:
        raise UntrustedError(
            f"{hub.repo}: its rows are not those of {version.fingerprint}; nothing was taken over",
            "its owner must push again",
        )


def _fingerprint(version: DatasetVersion) -> tuple[str, dict[str, int]]:
    """The fingerprint of the rows, and how many each split has."""
    fingerprint = Fingerprint()
    counts: dict[str, int] = {}
    for split in version.splits:
        counts[split] = 0
        for row in version.rows(split):
            fingerprint.add(split, row_digest(row))
            counts[split] += 1
    return fingerprint.hexdigest(), counts


def _seal(version: DatasetVersion, there: Path) -> DatasetVersion:
    """Give the hidden folder its name."""
    for left in version.path.iterdir():
        if left.name not in ("data", MANIFEST):
            shutil.rmtree(left)  # the client's notes
    make_folder(there.parent)
    if not (there / MANIFEST).is_file():
        version.path.rename(there)
    return open_version(there)
