"""The copy of an export that a workspace keeps."""

from pathlib import Path

import pytest
from conftest import SAMPLES

from ingest.archive import open_export
from ingest.errors import StoreError
from ingest.load import import_export
from ingest.raw import keep_raw
from ingest.store import Store
from ingest.workspace import Workspace


@pytest.mark.parametrize("name", ["chatgpt/conversations.json", "slack", "parquet"])
def test_a_kept_copy_opens_again_with_the_same_bytes(name: str, tmp_path: Path) -> None:
    export = open_export(SAMPLES / name)
    kept = open_export(keep_raw(export, "ab" * 32, tmp_path))
    assert len(kept.members) == len(export.members)
    for copy, original in zip(kept.members, export.members, strict=True):
        with copy.open() as left, original.open() as right:
            assert left.read() == right.read()


def test_an_import_keeps_one_copy_however_often_it_runs(store: Store, workspace: Workspace) -> None:
    for _ in range(2):
        report = import_export(SAMPLES / "openai/messages.jsonl", store, raw=workspace.raw)
    (kept,) = workspace.raw.iterdir()
    assert kept.name == f"{report.sources[0].sha256}.zst"


def test_a_copy_can_be_imported_in_place_of_the_original(
    store: Store, workspace: Workspace
) -> None:
    first = import_export(SAMPLES / "openai/messages.jsonl", store, raw=workspace.raw)
    again = import_export(next(workspace.raw.iterdir()), store)
    assert (again.stored, again.unchanged) == (0, first.stored)


def test_a_folder_that_cannot_be_written_is_two_lines(tmp_path: Path) -> None:
    (tmp_path / "raw").write_text("a file")
    with pytest.raises(StoreError) as caught:
        keep_raw(open_export(SAMPLES / "openai/messages.jsonl"), "ab" * 32, tmp_path / "raw")
    assert "--no-keep-raw" in caught.value.hint
