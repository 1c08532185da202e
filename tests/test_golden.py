"""Every folder of sample_data is imported and compared with what is expected beside it."""

import json
import zipfile
from pathlib import Path

import msgspec
import pytest
from conftest import SAMPLES

from ingest.archive import open_export
from ingest.importers.base import ImportOptions
from ingest.load import import_export
from ingest.message import Conversation
from ingest.registry import choose
from ingest.store import Store

FOLDERS = sorted(path.parent for path in SAMPLES.glob("*/expected.jsonl"))
BESIDE = {"expected.jsonl", "options.json", "README.md", "make.py"}


def exports(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if path.name not in BESIDE]


def options(folder: Path) -> ImportOptions:
    file = folder / "options.json"
    said = json.loads(file.read_text()) if file.exists() else {}
    return ImportOptions(**{**said, "as_assistant": tuple(said.get("as_assistant", ()))})


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_sample_gives_the_expected_conversations(folder: Path, store: Store) -> None:
    for path in exports(folder):
        report = import_export(path, store, options=options(folder))
        assert report.rejected == 0
    found = [conversation for conversation, _, _ in store.stream()]
    lines = (folder / "expected.jsonl").read_bytes().splitlines()
    expected = [msgspec.json.decode(line, type=Conversation) for line in lines]
    assert [c.id for c in found] == [c.id for c in expected]
    for conversation, wanted in zip(found, expected, strict=True):
        assert conversation == wanted


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_importing_a_sample_again_changes_nothing(folder: Path, store: Store) -> None:
    for path in exports(folder):
        first = import_export(path, store, options=options(folder))
        again = import_export(path, store, options=options(folder))
        assert again.stored == again.updated == 0
        assert again.unchanged == first.stored > 0


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_sample_in_a_zip_gives_the_same(folder: Path, tmp_path: Path) -> None:
    for path in exports(folder):
        # a phone's _chat.txt has its name from the zip or the folder around it
        name = (
            folder.name if path.name == "_chat.txt" else path.stem if path.is_file() else path.name
        )
        packed = tmp_path / f"{name}.zip"
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                if file.is_file():
                    archive.write(file, file.relative_to(path) if path.is_dir() else file.name)
        zipped, plain = open_export(packed), open_export(path)
        importer = choose(plain)
        assert choose(zipped) is importer
        found = list(importer.read(zipped, options(folder)))
        wanted = list(importer.read(plain, options(folder)))
        assert [c for c in found if isinstance(c, Conversation)] == [
            c for c in wanted if isinstance(c, Conversation)
        ]
        assert len(found) == len(wanted)
