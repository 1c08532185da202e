"""Every fault on the way to the Hub and back: what comes of it, and that nothing is half published.

The rows are those of ``hub_fault_table``; the same table stands in docs/publishing.md.
"""

import logging
import runpy
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_fault_table import DONE, PULLS, PUSHES, Row, scripted
from hub_ground import CLIENT_WARNINGS, REPO, TOKEN, Waits, hub_for_tests, sealed, secret
from hub_server import Hub
from huggingface_hub import constants

from dataset.hub.errors import HubError
from dataset.hub.pull import pull
from dataset.hub.push import push
from dataset.manifest import DatasetVersion, list_versions
from ingest.workspace import Workspace

pytestmark = CLIENT_WARNINGS


def named(row: Row) -> str:
    return f"{row.where}: {row.what}"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, DatasetVersion]:
    home = tmp_path_factory.mktemp("home")
    return Workspace(home), sealed(home, 40)


def whole_at_its_tag(hub: Hub, version: DatasetVersion) -> bool:
    """Whether the tag is there; if it is, everything it promises must be."""
    repo = hub.storage.repos.get(REPO)
    if repo is None or version.fingerprint not in repo.tags:
        return False
    files = repo.at(version.fingerprint).files
    for path in version.files:
        assert files[path].data == (version.path / path).read_bytes()
    assert {"manifest.json", "README.md", "croissant.json"} <= set(files)
    return True


@pytest.fixture
def no_token_anywhere(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    made: tuple[Workspace, DatasetVersion],
) -> Iterator[list[str]]:
    """Everything logs all it can; the token must be in no log, output or file, nor in the texts
    that a test adds. The server's error messages quote it (see ``scripted``).
    """
    monkeypatch.setattr(constants, "HF_DEBUG", True)
    monkeypatch.setattr(logging.getLogger("huggingface_hub"), "propagate", True)
    caplog.set_level(logging.DEBUG)
    for name in ("huggingface_hub", "httpx2", "httpcore2"):
        caplog.set_level(logging.DEBUG, name)
    texts: list[str] = []
    yield texts
    logs = [record.getMessage() for record in caplog.get_records("call")]
    assert any(log.startswith("Send: curl") for log in logs)  # the client did log
    texts += [*logs, *capsys.readouterr()]
    files = [path for path in made[0].home.rglob("*") if path.is_file()]
    assert made[0].pushes in files
    assert not any(TOKEN in text for text in texts)
    assert not any(TOKEN.encode() in path.read_bytes() for path in files)


def told(caught: pytest.ExceptionInfo[HubError]) -> list[str]:
    """All that an error says, to people and in a traceback."""
    error = caught.value
    return [error.message, error.hint, repr(error), *traceback.format_exception(error)]


@pytest.mark.parametrize("row", PUSHES, ids=named)
def test_a_push_with_a_fault(monkeypatch, made, row, no_token_anywhere):
    workspace, version = made
    waits = Waits()
    with hub_for_tests(monkeypatch, multipart=row.multipart) as hub:
        options = {"token": secret(), "endpoint": hub.url, "patience": waits.patience}
        with scripted(hub, row) as faults:
            if row.ends == DONE:
                report = push(version, REPO, workspace, **options)
                assert report.private
                assert whole_at_its_tag(hub, version)
            else:
                with pytest.raises(HubError, match=row.ends) as caught:
                    push(version, REPO, workspace, **options)
                no_token_anywhere += told(caught)
                assert caught.value.hint
                assert "\n" not in caught.value.message + caught.value.hint
                assert not whole_at_its_tag(hub, version)
            assert all(fault.fired for fault in faults)
        assert sum(waits) >= row.waits
        # and the next one makes it good, without doing anything twice
        push(version, REPO, workspace, **options)
        assert whole_at_its_tag(hub, version)
        ours = [each for each in hub.repo(REPO).commits.values() if each.title.startswith("d ")]
        assert len(ours) == 1


@pytest.mark.parametrize("row", PULLS, ids=named)
def test_a_pull_with_a_fault(monkeypatch, made, row, tmp_path, no_token_anywhere):
    workspace, version = made
    here, waits = Workspace(tmp_path), Waits()
    with hub_for_tests(monkeypatch) as hub:
        options = {"token": secret(), "endpoint": hub.url, "patience": waits.patience}
        push(version, REPO, workspace, **options)
        with scripted(hub, row) as faults:
            if row.ends == DONE:
                pull(REPO, here, **options).version.verify()
            else:
                with pytest.raises(HubError, match=row.ends) as caught:
                    pull(REPO, here, **options)
                no_token_anywhere += told(caught)
                assert list_versions(here) == []
            assert all(fault.fired for fault in faults)
        assert sum(waits) >= row.waits
        assert pull(REPO, here, **options).version.files == version.files
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(TOKEN.encode() in path.read_bytes() for path in files)


def test_the_tables_in_the_document_are_these():
    docs = Path(__file__).parent.parent / "docs"
    with_tables = runpy.run_path(str(docs / "make_publishing.py"))["with_tables"]
    page = (docs / "publishing.md").read_text("utf-8")
    assert page == with_tables(page), "run: python docs/make_publishing.py"
