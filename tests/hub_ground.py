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
from made import gpt_export, gpt_talk, jsonl
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


def sealed_pairs(home: Path, count: int) -> DatasetVersion:
    """A version of this many preference pairs, some with calls of tools."""
    workspace = Workspace(home).create()
    export = home / "pairs.jsonl"
    export.write_bytes(jsonl(*map(_pair, range(count))))
    split = {"validation": 0.2, "test": 0.2}
    with open_store(workspace.store) as store:
        import_export(export, store)
        return build(store, DatasetSpec(name="p", kind="preference", split=split), workspace)


def _pair(number: int) -> dict[str, Any]:
    call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    looked = [
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": f"sent {number}", "tool_call_id": "c"},
    ]
    return {
        "prompt": [{"role": "user", "content": f"Where is parcel {number}?"}],
        "chosen": [
            *(looked if number % 2 else []),
            {"role": "assistant", "content": f"Parcel {number} was sent."},
        ],
        "rejected": [{"role": "assistant", "content": f"Wait for {number}."}],
    }
