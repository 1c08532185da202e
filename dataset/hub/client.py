"""One repository on the Hub: each call retried, each failure an error in two lines.

The client itself retries uploads and downloads of large files; what it tries once only (create,
look up, commit, tag) is repeated here in a way that doing it twice does no harm.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

from pydantic import SecretStr

from dataset.hub.errors import HubError, caught, explain, status_of
from dataset.hub.publication import Item
from dataset.hub.retry import Patience, retry

if TYPE_CHECKING:
    from huggingface_hub import RepoFile

Value = TypeVar("Value")


class Remote(NamedTuple):
    """A file as the repository has it.

    Attributes:
        size: bytes.
        oid: git's sha1 of a plain file's content.
        sha256: hex, of a large file; None of a plain one.
    """

    size: int
    oid: str
    sha256: str | None

    def equals(self, item: Item) -> bool:
        """Whether this is that content, by the hash that the repository keeps of it."""
        if self.size != item.size:
            return False
        return self.sha256 == item.sha256 if self.sha256 else self.oid == item.git_oid()


class State(NamedTuple):
    """A repository at one moment.

    Attributes:
        head: commit of the branch ``main``.
        private: whether only members see it.
    """

    head: str
    private: bool


class Hub:
    """One repository.

    Args:
        repo: ORG/NAME.
        token: None goes without.
        endpoint: the Hub; None is huggingface_hub's own default.
        patience: of calls that the client does not repeat itself.
        kind: what the repository is for.
    """

    def __init__(
        self,
        repo: str,
        token: SecretStr | None,
        endpoint: str | None = None,
        patience: Patience | None = None,
        *,
        kind: Literal["dataset", "model"] = "dataset",
    ) -> None:
        from huggingface_hub import HfApi

        if not re.fullmatch(r"[\w.-]+/[\w.-]+", repo) or ".." in repo or "--" in repo:
            raise HubError(f"{repo}: is no repository's name", "give it as ORG/NAME")
        self.repo = repo
        self._kind = kind
        self.patience = patience or Patience()
        # False: without a token of ours the client must not look for another one
        secret: str | bool = token.get_secret_value() if token is not None else False
        self._api = HfApi(endpoint, token=secret, library_name="turnmill")
        self.endpoint: str = self._api.endpoint

    def call(
        self, what: Callable[[], Value], settled: Callable[[], Value | None] = lambda: None
    ) -> Value:
        """Do one call with retries.

        Raises:
            HubError: it did not succeed.
        """
        try:
            return retry(what, self.patience, settled)
        except HubError:
            raise
        except caught() as error:
            found = explain(error, self.repo, self.endpoint)
            if found is None:
                raise
        # outside of the except: no chain leads to objects that hold the request's headers
        raise found

    def state(self, revision: str | None = None) -> State | None:
        """The repository's head and visibility; None if there is none that the token may see."""

        def ask() -> State | None:
            try:
                info = self._api.repo_info(self.repo, revision=revision, repo_type=self._kind)
            except caught() as error:
                if status_of(error) == 404 and revision is None:
                    return None
                raise
            # anything but a plain yes counts as public
            return State(info.sha or "", info.private is True)

        return self.call(ask)

    def create(self, *, private: bool) -> None:
        """Make the repository; one that is there already is left as it is."""

        def ask() -> None:
            self._api.create_repo(self.repo, repo_type=self._kind, private=private, exist_ok=True)

        self.call(ask)

    def files(self, revision: str) -> dict[str, Remote]:
        """Every file of a commit by path."""
        from huggingface_hub import RepoFile

        def ask() -> dict[str, Remote]:
            tree = self._api.list_repo_tree(
                self.repo, repo_type=self._kind, revision=revision, recursive=True
            )
            return {entry.path: _remote(entry) for entry in tree if isinstance(entry, RepoFile)}

        return self.call(ask)

    def read(self, path: str, commit: str, into: Path) -> bytes:
        """The content of a small file of a commit, fetched anew.

        Args:
            path: in the repository.
            commit: 40 hex digits.
            into: an empty folder for the client's files.
        """
        return self.fetch(path, commit, into).read_bytes()

    def fetch(self, path: str, commit: str, into: Path) -> Path:
        """Download a file of a commit to ``into / path``, where it stays."""

        def ask() -> Path:
            file = self._api.hf_hub_download(
                self.repo, path, repo_type=self._kind, revision=commit, local_dir=into
            )
            return Path(file)

        return self.call(ask)

    def tags(self) -> dict[str, str]:
        """The commit of each tag."""

        def ask() -> dict[str, str]:
            refs = self._api.list_repo_refs(self.repo, repo_type=self._kind)
            return {tag.name: tag.target_commit for tag in refs.tags}

        return self.call(ask)

    def commit(
        self,
        add: Sequence[Item],
        remove: Sequence[str],
        *,
        parent: str,
        message: str,
        landed: Callable[[], str | None],
    ) -> str:
        """Make one commit of everything, or none.

        Args:
            add: files that differ from what is there.
            remove: paths.
            parent: the commit that must still be the head.
            message: of the commit.
            landed: asked when no good answer came: the commit if it was made nevertheless.

        Returns:
            The commit.

        Raises:
            ConflictError: the head is another one.
            HubError: it did not succeed.
        """
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        # kept over the tries: what has been uploaded once is not uploaded again
        operations: list[CommitOperationAdd | CommitOperationDelete] = [
            *(CommitOperationAdd(item.path, item.source) for item in add),
            *(CommitOperationDelete(path) for path in remove),
        ]

        def ask() -> str:
            made = self._api.create_commit(
                self.repo,
                operations,
                commit_message=message,
                repo_type=self._kind,
                parent_commit=parent or None,
            )
            return str(made.oid)

        return self.call(ask, landed)

    def tag(self, name: str, commit: str) -> None:
        """Give a commit a name; a tag of this name on this commit is as good.

        Raises:
            HubError: it did not succeed.
        """

        def ask() -> bool:
            self._api.create_tag(self.repo, tag=name, revision=commit, repo_type=self._kind)
            return True

        def settled() -> bool | None:
            return self.tags().get(name) == commit or None

        self.call(ask, settled)


def _remote(entry: "RepoFile") -> Remote:
    return Remote(entry.size, entry.blob_id, entry.lfs.sha256 if entry.lfs else None)


def digest(data: bytes) -> str:
    """sha256 (hex)."""
    return hashlib.sha256(data).hexdigest()
