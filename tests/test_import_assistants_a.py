"""What holds for Claude.ai, Gemini, AI Studio, Grok and DeepSeek alike: damage costs itself."""

import copy
import json
import runpy
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import SAMPLES
from made import read

from ingest.importers.ai_studio import AIStudio
from ingest.importers.base import Importer, Reject, Skip
from ingest.importers.claude import Claude
from ingest.importers.deepseek import DeepSeek
from ingest.importers.gemini import Gemini
from ingest.importers.grok import Grok
from ingest.load import import_export
from ingest.message import Conversation
from ingest.store import Store

FOLDERS = (
    "claude", "gemini-activity", "gemini-history", "ai-studio", "grok", "deepseek", "deepseek-api",
)  # fmt: skip

ARRAYS: dict[str, tuple[Importer, str]] = {
    "claude": (Claude(), "claude-export/conversations.json"),
    "gemini-activity": (Gemini(), "Takeout/My Activity/Gemini Apps/MyActivity.json"),
    "grok": (Grok(), "ttl/30d/export_data/0a1b2c3d/prod-grok-backend.json"),
    "deepseek": (DeepSeek(), "deepseek_data/conversations.json"),
}
DOCUMENTS: dict[str, tuple[Importer, str]] = {
    "gemini-history": (Gemini(), "Takeout/Gemini/Conversation History/conversation_1.txt"),
    "ai-studio": (AIStudio(), "Google AI Studio/Rye v1.2"),
    "ai-studio-code": (AIStudio(), "Google AI Studio/Sums"),
    "deepseek-api": (DeepSeek(), "history_messages.json"),
}
ALL = {**ARRAYS, **DOCUMENTS}


def sample(name: str) -> tuple[Importer, bytes]:
    importer, file = ALL[name]
    return importer, (SAMPLES / name.removesuffix("-code") / file).read_bytes()


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_generator_rewrites_the_committed_bytes(tmp_path, folder):
    runpy.run_path(str(SAMPLES / folder / "make.py"))["main"](tmp_path)
    written = {p.relative_to(tmp_path): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    committed = {
        p.relative_to(SAMPLES / folder): p.read_bytes()
        for p in (SAMPLES / folder).rglob("*")
        if p.is_file() and p.name != "make.py" and "__pycache__" not in p.parts
    }
    assert written == committed


@pytest.mark.parametrize("name", ARRAYS)
def test_gen5_of_a_truncated_export_every_complete_conversation_is_stored(tmp_path, name):
    importer, raw = sample(name)
    path = tmp_path / "a"
    path.write_bytes(raw)
    whole = {each.id: each for each in read(importer, path) if isinstance(each, Conversation)}
    counts = []
    for eighth in range(1, 8):
        path.write_bytes(raw[: len(raw) * eighth // 8])
        items = read(importer, path)
        assert isinstance(items[-1], Reject)
        assert "byte" in items[-1].where
        counts.append(sum(isinstance(each, Conversation) for each in items))
        if name != "gemini-activity":  # there a conversation is put together of several records
            assert all(each in whole.values() for each in items if isinstance(each, Conversation))
    assert counts == sorted(counts)
    assert counts[-1] > 0


@pytest.mark.parametrize("name", DOCUMENTS)
def test_gen5_a_truncated_document_is_one_reject(tmp_path, name):
    importer, raw = sample(name)
    path = tmp_path / "a"
    for eighth in range(1, 8):
        path.write_bytes(raw[: len(raw) * eighth // 8])
        (item,) = read(importer, path)
        assert isinstance(item, Reject)


def array_of(value: Any) -> list[Any]:
    return value["conversations"] if isinstance(value, dict) else value  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize(
    "bad", [b"5", b"null", b'"canary"', b"[1]", b'{"a": canary}', b"{}", b'{"canary": {"a": [}}']
)
def test_gen6_a_bad_record_between_good_ones_costs_itself(tmp_path, name, bad):
    importer, raw = sample(name)
    value = json.loads(raw)
    good = array_of(value)[:2]
    text = b"[" + json.dumps(good[0]).encode() + b", " + bad + b", "
    text += json.dumps(good[1]).encode() + b"]"
    path = tmp_path / "a"
    path.write_bytes(b'{"conversations": ' + text + b"}" if isinstance(value, dict) else text)
    items = read(importer, path)
    rejects = [each for each in items if isinstance(each, Reject)]
    assert len(items) == 3
    assert len(rejects) == 1
    assert rejects[0].hint
    assert "canary" not in repr(rejects)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value but its root."""
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*path, key)
            yield from places(each, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    changed = copy.deepcopy(value)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = by
    return changed


WRONG: tuple[Any, ...] = (
    None,
    5,
    1e300,
    True,
    "Rye canary",
    [],
    {},
    [5, None],
    {"Rye canary": [5]},
)


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_any_field_of_any_wrong_type_is_no_traceback_and_no_loss(tmp_path, name):
    importer, raw = sample(name)
    value = json.loads(raw)
    if name in ARRAYS:
        array = array_of(value)[:3]
        value = {"conversations": array} if isinstance(value, dict) else array
    path = tmp_path / "a"
    path.write_text(json.dumps(value))
    records = len(read(importer, path))
    # of places that differ in list positions only, the last stands for all
    by_shape = {tuple(k for k in place if not isinstance(k, int)): place for place in places(value)}
    for place in by_shape.values():
        for wrong in WRONG:
            path.write_text(json.dumps(replaced(value, place, wrong)))
            items = read(importer, path)
            # one field touches one record: the others come out as before (prompts of Gemini's
            # activity may be grouped anew, and an array replaced has other elements)
            touches_all = len(place) == 1 and name == "grok"
            if not touches_all and name != "gemini-activity":
                assert len(items) == records, (place, wrong)
            said = [each for each in items if isinstance(each, Reject | Skip)]
            assert "canary" not in repr([each.reason for each in said]), (place, wrong)


@pytest.mark.parametrize("importer", [Claude(), Gemini(), AIStudio(), Grok(), DeepSeek()])
@pytest.mark.parametrize(
    "raw", [b"[]", b"{}", b"null", b"5", b'"x"', b"   ", b"\xff\xfe\x00", b"[[[[", b"<html>", b"{"]
)
def test_files_of_nothing_are_counted_and_no_traceback(tmp_path, importer, raw):
    path = tmp_path / "a"
    path.write_bytes(raw)
    assert all(isinstance(each, Reject | Skip) for each in read(importer, path))


@pytest.mark.parametrize("name", ALL)
def test_gen1_a_byte_order_mark_changes_nothing(tmp_path, name):
    importer, raw = sample(name)
    path = tmp_path / "a"
    path.write_bytes(raw)
    plain = [each for each in read(importer, path) if isinstance(each, Conversation)]
    path.write_bytes(b"\xef\xbb\xbf" + raw)
    assert [each for each in read(importer, path) if isinstance(each, Conversation)] == plain


@pytest.mark.parametrize("name", ALL)
def test_every_conversation_is_counted_once(tmp_path, store: Store, name):
    _, raw = sample(name)
    path = tmp_path / "a"
    path.write_bytes(raw)
    report = import_export(path, store)
    assert report.stored > 0
    assert report.read == report.stored + sum(report.skipped.values())
