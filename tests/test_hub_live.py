"""Publishing from end to end: on the test server always, on the real Hub when a token is set.

    TURNMILL_LIVE_HF_TOKEN=hf_... pytest -m live tests/test_hub_live.py

The token must be allowed to make and delete repositories of its own account. One private dataset
repository of invented conversations is made there and deleted again.
"""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hub_ground import CLIENT_WARNINGS, TOKEN, hub_for_tests, sealed, secret
from huggingface_hub import HfApi, constants

from dataset.hub.errors import HubError
from dataset.hub.pull import pull
from dataset.hub.push import push
from ingest.workspace import Workspace

LIVE_TOKEN = os.environ.get("TURNMILL_LIVE_HF_TOKEN", "")

pytestmark = [CLIENT_WARNINGS, pytest.mark.slow]


class Place(NamedTuple):
    """A Hub, a token and a name that is free there."""

    endpoint: str
    token: str
    repo: str


@pytest.fixture(params=["test server", pytest.param("the Hub", marks=pytest.mark.live)])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    if request.param == "test server":
        with hub_for_tests(monkeypatch) as hub:
            yield Place(hub.url, TOKEN, "ann/talks")
        return
    if not LIVE_TOKEN:
        pytest.skip("TURNMILL_LIVE_HF_TOKEN is not set")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    api = HfApi(token=LIVE_TOKEN)
    repo = f"{api.whoami()['name']}/turnmill-live-{secrets.token_hex(4)}"
    yield Place(api.endpoint, LIVE_TOKEN, repo)
    api.delete_repo(repo, repo_type="dataset", missing_ok=True)


LOAD = """
import json, sys
from datasets import load_dataset
found = load_dataset(sys.argv[1], revision=sys.argv[2], token=sys.stdin.read())
print(json.dumps({split: found[split].to_list() for split in found}))
"""


def loaded(place: Place, revision: str, home: Path) -> dict[str, list[dict]]:
    environment = {
        "HF_ENDPOINT": place.endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_XET": "1" if "127.0.0.1" in place.endpoint else "0",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", LOAD, place.repo, revision], input=place.token, env=environment,
        check=True, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    return json.loads(done.stdout)


def test_from_a_version_to_the_hub_and_back(place, tmp_path):
    there, here = Workspace(tmp_path / "there"), Workspace(tmp_path / "here")
    first = sealed(there.home, 40)
    options = {"token": secret(place.token), "endpoint": place.endpoint}
    report = push(first, place.repo, there, **options)
    assert report.private
    assert report.bytes_sent > 0
    assert push(first, place.repo, there, **options).sent == []
    later = sealed(there.home, 60)
    assert push(later, place.repo, there, **options).commit != report.commit
    for number, version in enumerate((first, later)):
        rows = {split: list(version.rows(split)) for split in version.splits}
        assert loaded(place, version.fingerprint, tmp_path / f"cache-{number}") == rows
        pulled = pull(place.repo, here, revision=version.fingerprint, **options).version
        assert pulled.files == version.files
    for token in (None, secret("hf_" + "x" * 34)):
        with pytest.raises(HubError, match=r"\((401|404)\)"):
            pull(place.repo, here, token=token, endpoint=place.endpoint)
