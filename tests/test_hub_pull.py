"""Fetching a version: exactly what was pushed, or nothing."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_ground import (
    CLIENT_WARNINGS,
    READER,
    REPO,
    STRANGER,
    TOKEN,
    Waits,
    hub_for_tests,
    sealed,
    sealed_pairs,
    secret,
)
from hub_server import Hub
from hub_storage import Repo, small

from dataset.hub.errors import HubError
from dataset.hub.pull import PullReport, pull
from dataset.hub.push import push
from dataset.manifest import DatasetVersion, list_versions, load_version
from ingest.workspace import Workspace

pytestmark = CLIENT_WARNINGS


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with hub_for_tests(monkeypatch) as running:
        yield running


@pytest.fixture
def version(tmp_path: Path, hub: Hub) -> DatasetVersion:
    """A version that is on the Hub."""
    made = sealed(tmp_path / "there", 40)
    workspace = Workspace(tmp_path / "there")
    push(made, REPO, workspace, token=secret(), endpoint=hub.url)
    hub.faults.seen.clear()
    return made


@pytest.fixture
def here(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "here")


def fetched(hub: Hub, here: Workspace, token: str | None = TOKEN, **options: Any) -> PullReport:
    options = {"patience": Waits().patience, "repo": REPO, **options}
    given = None if token is None else secret(token)
    return pull(options.pop("repo"), here, token=given, endpoint=hub.url, **options)


def nothing_in(here: Workspace) -> bool:
    """No version, and nothing that could not be trusted."""
    return list_versions(here) == [] and not list(here.datasets.glob(".*"))


def test_a_pulled_version_is_the_version_that_was_pushed(hub, here, version):
    report = fetched(hub, here)
    report.version.verify()
    assert report.version.path == here.datasets / "d" / version.fingerprint
    assert load_version("d", here).fingerprint == version.fingerprint
    assert report.version.files == version.files
    for split in version.splits:
        assert list(report.version.rows(split)) == list(version.rows(split))
    assert report.bytes_received == sum(info.bytes for info in version.files.values())
    assert {path.name for path in report.version.path.iterdir()} == {"data", "manifest.json"}
    assert [path.name for path in here.datasets.iterdir()] == ["d"]


def test_pulling_again_downloads_no_data(hub, here, version):
    fetched(hub, here)
    hub.faults.seen.clear()
    again = fetched(hub, here)
    assert again.bytes_received == 0
    assert hub.calls("cdn") == 0


def test_an_earlier_version_by_the_beginning_of_its_fingerprint(hub, here, version, tmp_path):
    later = sealed(tmp_path / "later", 50)
    push(later, REPO, Workspace(tmp_path / "later"), token=secret(), endpoint=hub.url)
    assert fetched(hub, here).version.fingerprint == later.fingerprint
    for revision in (version.fingerprint, version.fingerprint[:8]):
        found = fetched(hub, here, revision=revision)
        assert found.version.fingerprint == version.fingerprint
    assert len(list_versions(here)) == 2


def test_a_pull_goes_on_where_it_stopped(hub, here, version):
    hub.fault("cdn", "status", status=500, nth=2, times=99)
    with pytest.raises(HubError, match="out of order"):
        fetched(hub, here)
    assert list_versions(here) == []
    got = hub.calls("cdn")
    hub.faults.script.clear()
    report = fetched(hub, here)
    assert hub.calls("cdn") == got + 2
    assert report.bytes_received < sum(info.bytes for info in version.files.values())


PULL = """
import os, signal, sys
from pathlib import Path
from pydantic import SecretStr
from huggingface_hub import constants
from dataset.hub import pull as module
from ingest.workspace import Workspace
repo, home, token, endpoint = sys.argv[1:]
check = module._fetch
def fetch(*given):
    check(*given)
    os.kill(os.getpid(), signal.SIGKILL)  # the first file is there, the second is not
module._fetch = fetch
module.pull(repo, Workspace(Path(home)), token=SecretStr(token), endpoint=endpoint)
"""


def test_what_a_killed_pull_left_is_cleared_by_the_next_of_another_commit(
    hub, here, version, tmp_path
):
    killed = subprocess.run(
        [sys.executable, "-c", PULL, REPO, str(here.home), TOKEN, hub.url],
        check=False, capture_output=True, text=True, timeout=120,
        env={**os.environ, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"},
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    (left,) = here.datasets.iterdir()
    assert list(left.rglob("*.parquet"))
    later = sealed(tmp_path / "later", 50)
    push(later, REPO, Workspace(tmp_path / "later"), token=secret(), endpoint=hub.url)
    fetched(hub, here)
    assert [path.name for path in here.datasets.iterdir()] == ["d"]


def test_the_token_stays_on_the_hubs_own_origin(hub, here, version):
    fetched(hub, here)
    seen = [each.authorization for each in hub.faults.seen if each.route == "cdn"]
    assert seen == [None] * len(version.files)


@pytest.mark.parametrize("token", [None, STRANGER])
def test_a_private_repository_looks_missing_to_others(hub, here, version, token):
    with pytest.raises(HubError, match=r"\((401|404)\)") as caught:
        fetched(hub, here, token)
    assert "--token-file" in caught.value.hint
    assert nothing_in(here)


def test_a_token_that_only_reads_is_enough(hub, here, version):
    assert fetched(hub, here, READER).version.fingerprint == version.fingerprint


def test_a_gated_repository(hub, here, version):
    repo = hub.repo(REPO)
    repo.private, repo.gated = False, True
    with pytest.raises(HubError, match="gated") as caught:
        fetched(hub, here, STRANGER)
    assert "ask for access" in caught.value.hint


def test_a_revision_that_is_not_there(hub, here, version):
    with pytest.raises(HubError, match="no such revision"):
        fetched(hub, here, revision="v9")


def test_offline(hub, here, version, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(HubError, match="HF_HUB_OFFLINE is set"):
        fetched(hub, here)


# -- what must not be taken over -----------------------------------------------------------------


def changed(hub: Hub, path: str, data: bytes) -> None:
    repo = hub.repo(REPO)
    repo.add("main", "change", {**repo.head.files, path: small(data)})


def manifest(hub: Hub) -> dict[str, Any]:
    return json.loads(hub.repo(REPO).head.files["manifest.json"].data or b"")


def test_a_repository_that_holds_no_version(hub, here):
    hub.storage.repos[REPO] = Repo(REPO, private=True)
    with pytest.raises(HubError, match=r"holds no manifest\.json"):
        fetched(hub, here)


def test_a_file_that_differs_from_the_manifest(hub, here, version):
    changed(hub, "data/test-00000.parquet", b"other")
    with pytest.raises(HubError, match="differs from its"):
        fetched(hub, here)
    assert nothing_in(here)


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b"5", b'{"name": "d"}'])
def test_a_manifest_that_cannot_be_read(hub, here, version, raw):
    changed(hub, "manifest.json", raw)
    with pytest.raises(HubError, match="cannot be read"):
        fetched(hub, here)


@pytest.mark.parametrize(
    "edit",
    [
        {"name": "../../up"},
        {"fingerprint": "../x"},
        {"files": {"../../x.parquet": {"sha256": "0" * 64, "bytes": 1}}},
        {"files": {"/etc/x": {"sha256": "0" * 64, "bytes": 1}}},
        {"files": {"data/a.py": {"sha256": "0" * 64, "bytes": 1}}},
    ],
)
def test_a_manifest_that_would_write_elsewhere(hub, here, version, edit, tmp_path):
    changed(hub, "manifest.json", json.dumps({**manifest(hub), **edit}).encode())
    with pytest.raises(HubError, match="names what no version has"):
        fetched(hub, here)
    assert nothing_in(here)
    assert {path.name for path in tmp_path.iterdir()} <= {"there", "here"}


def test_rows_that_are_not_those_of_the_fingerprint(hub, here, version):
    changed(hub, "manifest.json", json.dumps({**manifest(hub), "fingerprint": "0" * 64}).encode())
    with pytest.raises(HubError, match="its rows are not those"):
        fetched(hub, here)
    assert nothing_in(here)


def test_a_tag_that_was_moved(hub, here, version, tmp_path):
    later = sealed(tmp_path / "later", 50)
    push(later, REPO, Workspace(tmp_path / "later"), token=secret(), endpoint=hub.url)
    repo = hub.repo(REPO)
    repo.tags[version.fingerprint] = repo.tags[later.fingerprint]
    with pytest.raises(HubError, match="is the version"):
        fetched(hub, here, revision=version.fingerprint)


# -- the consumer --------------------------------------------------------------------------------

LOAD = """
import json, sys
from datasets import load_dataset
repo, revision, token = sys.argv[1:]
found = load_dataset(repo, revision=revision, token=token or False)
print(json.dumps({split: found[split].to_list() for split in found}))
"""


def loaded(hub: Hub, home: Path, revision: str, token: str) -> subprocess.CompletedProcess[str]:
    """``datasets.load_dataset`` in a process of its own, with empty caches."""
    environment = {
        "HF_ENDPOINT": hub.url, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, "-c", LOAD, REPO, revision, token],
        check=False, env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


@pytest.mark.slow
def test_load_dataset_gives_exactly_the_rows_of_the_tag(hub, version, tmp_path):
    later = sealed(tmp_path / "later", 60, split={"validation": 0, "test": 0})
    push(later, REPO, Workspace(tmp_path / "later"), token=secret(), endpoint=hub.url)
    for number, each in enumerate((version, later)):
        done = loaded(hub, tmp_path / f"cache-{number}", each.fingerprint, TOKEN)
        assert done.returncode == 0, done.stderr[-2000:]
        assert json.loads(done.stdout) == {split: list(each.rows(split)) for split in each.splits}


@pytest.mark.slow
def test_load_dataset_gives_exactly_the_pairs_of_the_tag(hub, here, tmp_path):
    pairs = sealed_pairs(tmp_path / "there", 30)
    push(pairs, REPO, Workspace(tmp_path / "there"), token=secret(), endpoint=hub.url)
    done = loaded(hub, tmp_path / "cache", pairs.fingerprint, TOKEN)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = {split: list(pairs.rows(split)) for split in pairs.splits}
    assert sum(map(len, rows.values())) == 30
    assert json.loads(done.stdout) == rows
    pulled = fetched(hub, here).version
    assert pulled.spec.kind == "preference"
    assert {split: list(pulled.rows(split)) for split in pulled.splits} == rows


@pytest.mark.slow
def test_load_dataset_without_a_token_finds_nothing(hub, version, tmp_path):
    done = loaded(hub, tmp_path / "cache", version.fingerprint, "")
    assert done.returncode == 1
    assert "DatasetNotFoundError" in done.stderr
