"""Damaged exports of applications: counted, no traceback, no word of a talk in a reason."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import SAMPLES
from made import read

from ingest.archive import open_export
from ingest.errors import ExportError
from ingest.importers.base import Item, Reject, Skip
from ingest.message import Conversation
from ingest.registry import importer

pytestmark = pytest.mark.slow  # many small cases

FILES = [
    ("lechat", "chat-export-1772440000000/chat-1b7e2f40-0000-4000-8000-00000000c002.json"),
    ("lechat", "chat-export-1772440000000/chat-1b7e2f40-0000-4000-8000-00000000c003.json"),
    ("perplexity", "account-data.json"),
    ("perplexity", "thread.json"),
    ("perplexity", "tool.json"),
    ("characterai", "Wendel.json"),
    ("openwebui", "chat-export-1770000300000.json"),
    ("librechat", "bran.json"),
    ("librechat", "dog.json"),
    ("lmstudio", "conversations/1772500000000.conversation.json"),
    ("lmstudio", "conversations/1772600000000.conversation.json"),
]
LINES = [("sillytavern", "Wendel.jsonl"), ("copilot", "copilot-activity-history.csv")]
ODD: list[Any] = [None, True, 7, -1.5, "x", [], [None], {}, {"x": 1}, [["x"]], 10**30]
NAMES = [f"{name}/{Path(file).name}" for name, file in FILES]


def paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if at:
        yield at
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(each, (*at, key))


def put(document: Any, at: tuple[Any, ...], value: Any) -> Any:
    changed = copy.deepcopy(document)
    inner = changed
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = value
    return changed


def items_of(name: str, path: Path, raw: bytes) -> list[Item]:
    path.write_bytes(raw)
    importer(name).sniff(open_export(path))
    return read(importer(name), path)


def says_nothing(items: list[Item]) -> bool:
    """Whether the reasons are about places and types alone."""
    said = [f"{item[1]} {item[2:]}" for item in items if isinstance(item, Reject | Skip)]
    return not any(word in each.lower() for each in said for word in ("spelt", "rye", "bran"))


@pytest.mark.parametrize(("name", "file"), FILES, ids=NAMES)
def test_a_value_of_another_type_is_no_traceback(name, file, tmp_path):
    document = json.loads((SAMPLES / name / file).read_bytes())
    for number, at in enumerate(paths(document)):
        odd = ODD[number % len(ODD) :] + ODD[: number % len(ODD)]
        for value in odd[:3]:
            items = items_of(
                name, tmp_path / "x.json", json.dumps(put(document, at, value)).encode()
            )
            assert says_nothing(items), at


ODD_FIELDS = [
    ("characterai", "Wendel.json", "histories histories 0 msgs 1 src"),
    ("openwebui", "chat-export-1770000300000.json", "0 chat history messages a2 done"),
    ("openwebui", "chat-export-1770000300000.json", "0 chat history messages a1 timestamp"),
    ("openwebui", "chat-export-1770000300000.json", "0 title"),
    ("librechat", "bran.json", "messages 1 model"),
    ("librechat", "dog.json", "messages 0 children 1 createdAt"),
    ("lmstudio", FILES[9][1], "messages 1 versions 1 senderInfo"),
    ("perplexity", "thread.json", "entries 0 mode"),
    ("lechat", FILES[1][1], "0 reaction"),
]


@pytest.mark.parametrize(("name", "file", "at"), ODD_FIELDS)
def test_an_odd_field_costs_no_message(name, file, at, tmp_path):
    document = json.loads((SAMPLES / name / file).read_bytes())
    keys = tuple(int(key) if key.isdigit() else key for key in at.split())
    whole = items_of(name, tmp_path / "x.json", json.dumps(document).encode())
    changed = json.dumps(put(document, keys, {"odd": [1]})).encode()
    odd = items_of(name, tmp_path / "x.json", changed)
    count = [len(item.messages) for item in whole if isinstance(item, Conversation)]
    assert [len(item.messages) for item in odd if isinstance(item, Conversation)] == count
    assert len(odd) == len(whole)


@pytest.mark.parametrize(("name", "file"), FILES + LINES)
def test_a_file_cut_off_anywhere_is_counted(name, file, tmp_path):
    raw = (SAMPLES / name / file).read_bytes()
    for cut in range(1, len(raw), 37):
        try:
            items = items_of(name, tmp_path / Path(file).name, raw[:cut])
        except ExportError:
            assert name == "copilot"  # cut inside the header
            continue
        assert items or raw[:cut].count(b"\n") < 2  # a header alone holds no conversation
        assert says_nothing(items)


@pytest.mark.parametrize(("name", "file"), FILES + LINES)
def test_bytes_that_are_no_text(name, file, tmp_path):
    raw = (SAMPLES / name / file).read_bytes()
    for at in range(0, len(raw), 53):
        for odd in (b"\xff", b"\x00", b"\\ud800", b'"', b"}"):
            try:
                assert items_of(name, tmp_path / Path(file).name, raw[:at] + odd + raw[at + 1 :])
            except ExportError:
                assert name == "copilot"


@pytest.mark.parametrize("name", sorted({name for name, _ in FILES + LINES}))
@pytest.mark.parametrize(
    "raw", [b" ", b"[]", b"{}", b"null", b'"x"', b"[1, null, []]", b"\xef\xbb\xbf", b"a,b\n1,2\n"]
)
def test_a_file_of_something_else(name, raw, tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(raw)
    assert importer(name).sniff(open_export(path)) == 0
    try:
        items = read(importer(name), path)
    except ExportError:
        return
    assert not any(isinstance(item, Conversation) for item in items)
