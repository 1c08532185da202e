"""Importers by name: those that are built in, and those of installed plugins."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from made import gpt_export, gpt_talk

from ingest import registry
from ingest.errors import ExportError
from ingest.importers.chatgpt import ChatGPT
from ingest.load import import_export
from ingest.store import Store

PLUGIN = """
from ingest.message import Conversation, Message

class Diary:
    name = "diary"
    title = "a diary"
    kind = "people"
    needs = "nothing"
    version = 1
    def sniff(self, export):
        return 1.0 if export.path.suffix == ".diary" else 0.0
    def read(self, export, options):
        for member in export.members:
            with member.open() as file:
                text = file.read().decode()
            yield Conversation(id="diary-1", importer="diary", messages=(Message("user", text),))

class Usurper(Diary):
    name = "chatgpt"
"""


@pytest.fixture
def _plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installed distribution with two importers, one of which takes a built-in's name."""
    (tmp_path / "diary_importer.py").write_text(PLUGIN)
    info = tmp_path / "diary_importer-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: diary-importer\nVersion: 1.0\n")
    points = "[turnmill.importer]\nd = diary_importer:Diary\nu = diary_importer:Usurper\n"
    (info / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(tmp_path)
    registry.importers.cache_clear()
    yield
    registry.importers.cache_clear()
    sys.modules.pop("diary_importer", None)


@pytest.mark.usefixtures("_plugin")
def test_a_plugin_reads_its_format_and_takes_no_built_in_name(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "a.diary"
    path.write_text("Dear diary")
    report = import_export(path, store)
    assert [source.importer for source in report.sources] == ["diary"]
    assert store.get("diary-1").messages[0].content == "Dear diary"
    assert isinstance(registry.importer("chatgpt"), ChatGPT)


def test_without_plugins_only_the_built_in_are_there() -> None:
    assert "diary" not in registry.importers()


def test_every_importer_says_what_it_is() -> None:
    for name, importer in registry.importers().items():
        assert name == importer.name == name.lower()
        assert importer.kind in ("assistant", "people", "training")
        assert importer.title
        assert importer.needs
        assert importer.version >= 1


def test_an_importer_that_is_not_there(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(gpt_export(gpt_talk()))
    with pytest.raises(ExportError, match="no importer is called 'nope'"):
        import_export(path, store, format_name="nope")
