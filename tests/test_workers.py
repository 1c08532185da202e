"""Several processes read what one does: the same conversations, counts and rejects."""

import io
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from conftest import SAMPLES
from hypothesis import given, settings
from hypothesis import strategies as st
from made import gpt_export, gpt_talk

from ingest.blocks import Block, CutError, iter_blocks, read_block
from ingest.errors import ExportError
from ingest.importers.base import ImportOptions
from ingest.load import ImportReport, import_export
from ingest.store import Where, open_store
from ingest.stream import Broken, Element, iter_array

decode = msgspec.json.Decoder(dict[str, Any]).decode


def blocks(raw: bytes, size: int, path: tuple[str, ...] = ()) -> list[Block]:
    found = list(iter_blocks(io.BytesIO(raw), path, block=size))
    assert all(isinstance(each, Block) for each in found)
    return [each for each in found if isinstance(each, Block)]


def in_one_pass(raw: bytes, path: tuple[str, ...] = ()) -> list[Element | Broken]:
    return list(iter_array(io.BytesIO(raw), decode, path=path))


ITEMS = st.lists(
    st.fixed_dictionaries(
        {"id": st.integers(), "text": st.text()},
        optional={"inner": st.lists(st.fixed_dictionaries({"id": st.integers()}), max_size=3)},
    ),
    max_size=20,
)


@settings(deadline=None)
@given(
    items=ITEMS, size=st.integers(1, 300), indent=st.sampled_from([None, 1]), nested=st.booleans()
)
def test_blocks_hold_what_one_pass_finds_or_are_refused(items, size, indent, nested):
    raw = json.dumps({"a": 1, "list": items} if nested else items, indent=indent).encode()
    path = ("list",) if nested else ()
    found: list[Element | Broken] = []
    for block in blocks(raw, size, path):
        try:
            elements = list(read_block(block, decode))
        except CutError:  # inside an element: what came before is right all the same
            assert found == in_one_pass(raw, path)[: len(found)]
            return
        found += elements
    assert found == in_one_pass(raw, path)


def test_a_plain_export_is_cut_where_elements_end():
    raw = json.dumps([{"id": n, "text": "x" * 40} for n in range(100)]).encode()
    found = blocks(raw, 500)
    assert len(found) > 5
    assert sum(len(list(read_block(block, decode))) for block in found) == 100


def test_a_block_that_ends_inside_an_element_is_refused():
    with pytest.raises(CutError):
        list(read_block(Block(1, b'{"id": 1, "inner": [{"id": 2}', False, False), decode))


def test_the_last_block_may_be_damaged():
    found = read_block(Block(1, b'{"id": 1}, {"id": ', True, False), decode)
    assert [type(each) for each in found] == [Element, Broken]


# -- whole imports -------------------------------------------------------------------------------


def imported(path: Path, workers: int, tmp_path: Path, **options: Any) -> tuple[Any, ...]:
    with open_store(tmp_path / f"{workers}.duckdb") as store:
        report: ImportReport = import_export(path, store, workers=workers, **options)
        found = [(c, hash_) for c, hash_, _ in store.stream()]
        rows = store.list_conversations(Where(), 1000)
        counts = (report.read, report.stored, report.unchanged, report.rejected, report.skipped)
        return found, rows, counts, store.rejects(), report.messages


def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.workers.BLOCK", 2000)


def test_an_array_read_by_two_is_what_one_reads(tmp_path, monkeypatch):
    small_blocks(monkeypatch)
    path = tmp_path / "export.json"
    path.write_bytes(gpt_export(*[gpt_talk(n) for n in range(80)], gpt_talk(3, text="Again?")))
    assert imported(path, 2, tmp_path) == imported(path, 1, tmp_path)


def test_damage_in_the_middle_costs_the_same_by_two(tmp_path, monkeypatch):
    small_blocks(monkeypatch)
    raw = gpt_export(*[gpt_talk(n) for n in range(80)])
    path = tmp_path / "export.json"
    middle = raw.index(b"Talk 40")
    path.write_bytes(raw[:middle] + b'"{{[' + raw[middle:])
    one = imported(path, 1, tmp_path)
    assert one[3]
    assert imported(path, 2, tmp_path) == one


@pytest.mark.parametrize("sample", ["chatgpt", "whatsapp", "slack"])
def test_a_sample_read_beside_is_what_one_reads(sample, tmp_path):
    folder = SAMPLES / sample
    (path,) = [
        p for p in folder.iterdir() if p.name not in ("expected.jsonl", "options.json", "make.py")
    ]
    options = ImportOptions(as_assistant=("Wendel Mill",))
    found = imported(path, 2, tmp_path, options=options)
    assert found == imported(path, 1, tmp_path, options=options)
    assert found[0]


def test_an_error_of_the_reading_process_is_the_users(tmp_path):
    path = tmp_path / "prod.zip"
    import zipfile

    with zipfile.ZipFile(path, "w") as packed:
        for name in ("a.json", "b.json"):
            packed.writestr(
                name, (SAMPLES / "grok").rglob("*backend*.json").__next__().read_bytes()
            )
    with open_store(tmp_path / "store.duckdb") as store:
        with pytest.raises(ExportError, match="more than one Grok backend"):
            import_export(path, store, workers=2, format_name="grok")
        assert store.is_empty()
