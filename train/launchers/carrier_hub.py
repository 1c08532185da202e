"""A private dataset repository on the Hub as carrier; each put is one commit."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from dataset.hub.client import Hub, Remote
from dataset.hub.publication import Item
from dataset.hub.retry import Patience
from ingest.files import sha256_file
from train.launchers.carriers import CarrierError, checked_name


class HubCarrier:
    """See :class:`train.launchers.carriers.Carrier`.

    Args:
        repo: ORG/NAME; made at the first put, refused where others can read it.
        token: may write there.
        prefix: folder in the repository that is the run's.
        endpoint: the Hub; None is huggingface_hub's own default.
        patience: of single calls.
    """

    def __init__(
        self,
        repo: str,
        token: SecretStr | None,
        prefix: str = "",
        *,
        endpoint: str | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._hub = Hub(repo, token, endpoint, patience)
        self._prefix = f"{checked_name(prefix.strip('/'))}/" if prefix.strip("/") else ""
        self._is_private = False

    def __repr__(self) -> str:
        return f"HubCarrier({self._hub.repo}/{self._prefix})"

    def put(self, local: Path, name: str) -> None:
        """See :class:`train.launchers.carriers.Carrier`."""
        self.put_all({name: local})

    def put_all(self, files: Mapping[str, Path]) -> None:
        """See :class:`train.launchers.carriers.Carrier`: one commit.

        Raises:
            CarrierError: others can read the repository.
            HubError: not all arrived.
        """
        self._require_private()
        items = [
            Item(self._prefix + checked_name(name), local, local.stat().st_size, sha256_file(local))
            for name, local in files.items()
        ]
        if items:
            self._commit(items, [], f"{len(items)} files of a run")

    def get(self, name: str, local: Path) -> None:
        """See :class:`train.launchers.carriers.Carrier`; downloaded anew, from no cache.

        Raises:
            CarrierError: there is none of that name.
            HubError: it could not be read.
        """
        path, state = self._prefix + checked_name(name), self._hub.state()
        if state is None or path not in self._hub.files(state.head):
            raise CarrierError(f"{name}: is not in {self._hub.repo}")
        local.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=local.parent, prefix=".get-") as folder:
            self._hub.fetch(path, state.head, Path(folder)).replace(local)

    def names(self) -> dict[str, int]:
        """See :class:`train.launchers.carriers.Carrier`."""
        return {
            path.removeprefix(self._prefix): remote.size
            for path, remote in self._files().items()
            if path.startswith(self._prefix) and path != ".gitattributes"
        }

    def delete(self, name: str) -> None:
        """See :class:`train.launchers.carriers.Carrier`; the repository's history keeps it."""
        path = self._prefix + checked_name(name)
        if path in self._files():
            self._commit([], [path], "a file of a run is no longer needed")

    def _files(self) -> dict[str, Remote]:
        state = self._hub.state()
        return self._hub.files(state.head) if state else {}

    def _commit(self, add: list[Item], remove: list[str], message: str) -> None:
        def landed() -> str | None:
            state = self._hub.state()
            if state is None:
                return None
            there = self._hub.files(state.head)
            whole = all(item.path in there and there[item.path].equals(item) for item in add)
            return state.head if whole and not any(path in there for path in remove) else None

        # no parent is named: launcher and pod write different names, whoever comes first
        self._hub.commit(add, remove, parent="", message=message, landed=landed)

    def _require_private(self) -> None:
        if self._is_private:
            return
        self._hub.create(private=True)
        state = self._hub.state()
        if state is None or not state.private:
            raise CarrierError(
                f"{self._hub.repo}: others can read this repository; nothing was sent",
                "name a private one; turnmill makes it where there is none",
            )
        self._is_private = True
