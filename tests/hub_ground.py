"""What the tests of publishing share: a Hub to talk to, versions to publish, no long waits."""

import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from hub_server import Hub, User, running
from huggingface_hub import constants, file_download
from huggingface_hub.utils import _http
from made import gpt_export, gpt_talk
from pydantic import SecretStr

from dataset.build import build
from dataset.hub.retry import Patience
from dataset.manifest import DatasetSpec, DatasetVersion
from ingest.load import import_export
from ingest.store import open_store
from ingest.workspace import Workspace

REPO = "org/talks"
TOKEN = "hf_canaryCANARYcanaryCANARYcanary0123"
READER, STRANGER, WRONG = "hf_" + "r" * 34, "hf_" + "s" * 34, "hf_" + "w" * 34
USERS = {
    TOKEN: User("ann", ("org",)),
    READER: User("bo", ("org",), writes=False),
    STRANGER: User("cy"),
}


# huggingface_hub hands open files to httpx2 by a name that httpx2 gives up
CLIENT_WARNINGS = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


def secret(token: str = TOKEN) -> SecretStr:
    return SecretStr(token)


@contextmanager
def hub_for_tests(patch: pytest.MonkeyPatch, **options: Any) -> Iterator[Hub]:
    """A server, and the real client ready to talk to it: online, without xet, without waiting."""
    patch.setattr(constants, "HF_HUB_OFFLINE", False)
    patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    waits: list[float] = []
    quick = types.SimpleNamespace(sleep=waits.append, time=__import__("time").time)
    patch.setattr(_http, "time", quick)
    patch.setattr(file_download, "time", quick)
    with running(users=dict(USERS), **options) as hub:
        yield hub
    huggingface_hub.close_session()


class Waits(list[float]):
    """Seconds that a patience would have waited."""

    @property
    def patience(self) -> Patience:
        return Patience(sleep=self.append)


def sealed(home: Path, count: int, *, name: str = "d", **spec: Any) -> DatasetVersion:
    """A version of this many conversations, in a workspace of its own."""
    workspace = Workspace(home).create()
    export = home / "conversations.json"
    export.write_bytes(gpt_export(*[gpt_talk(n, text=f"Question {n}?") for n in range(count)]))
    shares = {"split": {"validation": 0.2, "test": 0.2}, **spec}
    with open_store(workspace.store) as store:
        import_export(export, store)
        return build(store, DatasetSpec(name=name, **shares), workspace)
