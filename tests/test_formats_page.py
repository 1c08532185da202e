"""docs/formats.md names every importer, and the tests that it names are there."""

import ast
import runpy
from pathlib import Path
from typing import Any

import pytest

from ingest.registry import importers

ROOT = Path(__file__).parent.parent
NOTES: dict[str, Any] = runpy.run_path(str(ROOT / "docs" / "format_notes.py"))["NOTES"]
PAGE = (ROOT / "docs" / "formats.md").read_text("utf-8")


def test_the_page_is_current() -> None:
    page = runpy.run_path(str(ROOT / "docs" / "make_formats.py"))["page"]
    assert page() == PAGE, "run: make docs"


def test_every_importer_has_a_note_and_every_note_an_importer() -> None:
    assert set(NOTES) == set(importers())


@pytest.mark.parametrize("name", sorted(importers()))
def test_every_importer_has_a_section(name: str) -> None:
    section = PAGE.partition(f"\n### {name}\n")[2].partition("\n### ")[0]
    assert importers()[name].title in section
    assert all(getattr(NOTES[name], field) for field in NOTES[name]._fields)


@pytest.mark.parametrize("name", sorted(NOTES))
def test_the_named_test_is_there(name: str) -> None:
    file, _, test = NOTES[name].test.partition("::")
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    assert test.startswith("test_")
    assert test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_no_two_formats_share_a_test() -> None:
    named = [note.test for note in NOTES.values()]
    assert len(set(named)) == len(named)


def test_every_sample_folder_is_described() -> None:
    text = (ROOT / "sample_data" / "README.md").read_text("utf-8")
    folders = {path.parent.name for path in (ROOT / "sample_data").glob("*/expected.jsonl")}
    assert {folder for folder in folders if f"`{folder}/`" not in text} == set()
