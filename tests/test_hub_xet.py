"""Uploads by hf_xet, the client's own chunker, into a folder: only new chunks travel."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_ground import REPO, Waits, hub_for_tests, sealed, secret
from hub_server import Hub
from huggingface_hub import constants, utils

from dataset.hub.push import push
from dataset.hub.report import PushReport
from dataset.manifest import DatasetVersion
from ingest.workspace import Workspace

pytest.importorskip("hf_xet")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    folder = tmp_path / "chunks"
    folder.mkdir()
    monkeypatch.setenv("HF_XET_CACHE", str(tmp_path / "xet"))
    with hub_for_tests(monkeypatch, xet_folder=folder) as running:
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
        yield running


def sent(version: DatasetVersion, hub: Hub) -> PushReport:
    workspace = Workspace(version.path.parents[2])
    options = {"endpoint": hub.url, "patience": Waits().patience}
    return push(version, REPO, workspace, token=secret(), **options)


def test_chunks_are_counted_and_a_file_that_is_there_is_not_sent_again(hub, tmp_path):
    first = sealed(tmp_path / "a", 40)
    report = sent(first, hub)
    size = sum(info.bytes for info in first.files.values())
    by_http = sum(hub.faults.received.values())
    assert hub.calls("put") == 0
    # the chunks, and a little to say which file they make
    assert by_http + size * 0.5 < report.bytes_sent < by_http + size * 1.5 + 20_000
    assert hub.repo(REPO).tags == {first.fingerprint: report.commit}
    again = sent(first, hub)
    assert again.bytes_sent == 0


def test_chunks_are_counted_where_progress_bars_are_off(hub, tmp_path):
    utils.disable_progress_bars()
    try:
        report = sent(sealed(tmp_path / "a", 40), hub)
    finally:
        utils.enable_progress_bars()
    assert report.bytes_sent > sum(hub.faults.received.values())


@pytest.mark.slow
def test_a_later_version_sends_its_new_chunks_only(hub, tmp_path):
    shares = {"split": {"validation": 0, "test": 0}}
    first = sealed(tmp_path / "a", 20_000, **shares)
    before = sent(first, hub).bytes_sent
    later = sealed(tmp_path / "a", 20_100, **shares)
    report = sent(later, hub)
    assert report.bytes_changed > sum(info.bytes for info in later.files.values())
    assert report.bytes_sent < before / 2
