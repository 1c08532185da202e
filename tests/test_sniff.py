"""Every sample is recognised by its own importer and by no other, whatever its files are called."""

import json
from pathlib import Path

import pytest
from conftest import SAMPLES
from test_golden import FOLDERS, exports

from ingest.archive import open_export
from ingest.registry import importers, sniff

CASES = [(folder, path) for folder in FOLDERS for path in exports(folder)]


def _name(folder: Path) -> str:
    """The importer that the sample's conversations name."""
    with (folder / "expected.jsonl").open() as lines:
        return str(json.loads(next(lines))["importer"])


@pytest.mark.parametrize(
    ("folder", "path"), CASES, ids=[str(path.relative_to(SAMPLES)) for _, path in CASES]
)
def test_one_importer_recognises_a_sample(folder: Path, path: Path) -> None:
    marks = sniff(open_export(path))
    assert [kind.name for _, kind in marks] == [_name(folder)]


def test_every_importer_has_a_sample() -> None:
    # a mapping is given, never recognised
    assert {_name(folder) for folder in FOLDERS} == set(importers()) - {"mapped"}
