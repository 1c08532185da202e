"""What a push did, for people and programs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dataset.hub.publication import Item


@dataclass(frozen=True)
class PushReport:
    """What a push did.

    Attributes:
        repo: ORG/NAME.
        revision: the tag, which is the version's fingerprint.
        commit: the commit it names; empty in a dry run.
        private: whether only members see the repository.
        files: of the version, in the repository.
        sent: paths of those that the repository did not have yet.
        removed: paths of an earlier version that are gone.
        bytes_sent: that went over the wire for files and requests.
        bytes_changed: size of the files that the repository did not have.
        dry_run: nothing was sent or made.
    """

    repo: str
    revision: str
    commit: str
    private: bool
    files: Sequence[Item]
    sent: Sequence[str]
    removed: Sequence[str]
    bytes_sent: int
    bytes_changed: int
    dry_run: bool = False

    def as_json(self) -> dict[str, Any]:
        """As ``turnmill push --json`` prints it."""
        files = [
            {"path": item.path, "bytes": item.size, "sha256": item.sha256,
             "sent": item.path in self.sent}
            for item in self.files
        ]  # fmt: skip
        return {
            "repo": self.repo,
            "revision": self.revision,
            "commit": self.commit or None,
            "private": self.private,
            "files": files,
            "removed": list(self.removed),
            "bytes_sent": self.bytes_sent,
            "bytes_changed": self.bytes_changed,
            "dry_run": self.dry_run,
        }
