"""From the store to a sealed version: the same in gives the same out, whole or not at all."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from made import gpt_export, gpt_message, gpt_talk, jsonl, node, record

from dataset import read as read_module
from dataset import seal as seal_module
from dataset.build import BuildError, build
from dataset.manifest import (
    DatasetSpec,
    DatasetVersion,
    VersionError,
    list_versions,
    load_spec,
    load_version,
    open_version,
)
from dataset.rows import ROW_SCHEMA, row_hash, to_chat
from dataset.site import building_site
from ingest.errors import SpecError
from ingest.load import import_export
from ingest.store import Store
from ingest.workspace import Workspace

Build = Callable[..., DatasetVersion]


@pytest.fixture
def fill(store: Store, tmp_path: Path) -> Callable[..., None]:
    """Puts ChatGPT conversations with these numbers into the store."""

    def filled(*numbers: int) -> None:
        path = tmp_path / "conversations.json"
        path.write_bytes(gpt_export(*[gpt_talk(n, text=f"Question {n}?") for n in numbers]))
        import_export(path, store)

    return filled


@pytest.fixture
def seal(store: Store, workspace: Workspace) -> Build:
    """Builds a spec with these fields."""

    def sealed(**spec: Any) -> DatasetVersion:
        return build(store, DatasetSpec(**{"name": "d", **spec}), workspace)

    return sealed


def data(version: DatasetVersion) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((version.path / "data").iterdir())}


def places(version: DatasetVersion) -> dict[str, str]:
    return {row["id"]: split for split in version.splits for row in version.rows(split)}


# -- what is sealed ------------------------------------------------------------------------------


def test_a_version_holds_what_was_asked_and_says_so(fill, seal, store, workspace):
    fill(*range(60))
    spec = {"split": {"validation": 0.2, "test": 0.2}, "seed": 3}
    version = seal(**spec)
    manifest = json.loads((version.path / "manifest.json").read_text())
    assert version.path == workspace.datasets / "d" / version.fingerprint
    assert manifest["fingerprint"] == version.fingerprint
    assert manifest["spec"]["seed"] == 3
    nothing = {"dropped": {}, "changed": 0, "changes": {}, "facts": {}}
    assert manifest["steps"] == [
        {"name": "has-assistant", "in": 60, "kept": 60, **nothing},
        {"name": "dedupe-exact", "in": 60, "kept": 60, **nothing},
    ]
    assert sum(each["conversations"] for each in manifest["splits"].values()) == 60
    assert set(manifest["splits"]) == {"train", "validation", "test"}
    for name, counts in version.splits.items():
        rows = list(version.rows(name))
        assert counts.conversations == len(rows)
        assert counts.messages == sum(len(row["messages"]) for row in rows) == 2 * len(rows)
        assert counts.assistant_messages == len(rows)
        assert version.table(name).schema.equals(ROW_SCHEMA)
    assert version.split_report.kept == version.split_report.rows_in == 60
    assert version.split_report.groups["thread"].in_two_splits == 0
    for name, info in version.files.items():
        raw = (version.path / name).read_bytes()
        assert (info.bytes, info.sha256) == (len(raw), hashlib.sha256(raw).hexdigest())
    ((_, _, source),) = {(0, 0, source) for _, _, source in store.stream()}
    assert version.sources == [source]
    assert open_version(version.path) == version


def test_the_fingerprint_is_the_hash_of_rows_and_their_splits(fill, seal):
    fill(*range(300))  # many: some hashes begin, end or go on with a zero byte
    version = seal(split={"validation": 0.2, "test": 0.2})
    lines = sorted(
        f"{split} {row_hash(row)}\n" for split in version.splits for row in version.rows(split)
    )
    assert version.fingerprint == hashlib.sha256("".join(lines).encode()).hexdigest()


def test_which_repetitions_were_dropped_lies_beside_the_version(fill, seal, store, workspace):
    fill(1, 2, 3)
    path = workspace.home / "again.json"
    again = [gpt_talk(n, text=f"Question {n}?", conversation_id=f"again-{n}") for n in (2, 3)]
    path.write_bytes(gpt_export(*again))
    import_export(path, store)
    version = seal()
    file = workspace.clusters / "d" / version.fingerprint / "02-dedupe-exact.parquet"
    pairs = pq.read_table(file).to_pylist()
    assert {each["kept"] for each in pairs} <= set(places(version))
    assert len(pairs) == 2 == version.steps[1].dropped["repeats an earlier one"]
    assert not {each["dropped"] for each in pairs} & set(places(version))
    assert {each.name for each in version.path.iterdir()} == {"data", "manifest.json"}


def test_only_the_active_path_is_sealed(store, seal, tmp_path):
    talk = gpt_talk()
    talk["mapping"]["u"]["children"].insert(0, "b")
    talk["mapping"] |= node("b", "u", gpt_message("assistant", "aside"))
    path = tmp_path / "a.json"
    path.write_bytes(gpt_export(talk))
    import_export(path, store)
    (row,) = seal().rows("train")
    assert [message["content"] for message in row["messages"]] == ["How is the flour?", "Answer 0"]


def test_rows_come_back_as_chats(store, seal, tmp_path):
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    odd = {"id": "d", "type": "function", "function": {"name": "f", "arguments": "[1]"}}
    messages = [
        {"role": "user", "content": "q"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [call, odd],
            "reasoning_content": "hm",
        },
        {"role": "tool", "tool_call_id": "c", "content": "42", "name": "f"},
        {"role": "assistant", "content": "r", "weight": 0},
        {"role": "assistant", "content": "s"},
    ]
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl({"messages": messages, "tools": [{"type": "function"}]}))
    import_export(path, store)
    (row,) = seal(split={"validation": 0, "test": 0}).rows("train")
    call["function"]["arguments"] = {"a": 1}
    messages[1]["content"] = ""
    messages[3] = {"role": "assistant", "content": "r", "train": False}
    assert to_chat(row) == {"messages": messages, "tools": [{"type": "function"}]}


def test_a_selection(store, seal, fill, tmp_path):
    fill(1, 2)
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl(record(1)))
    import_export(path, store)
    assert len(places(seal(where={"importers": ["chatgpt"]}))) == 2
    since = datetime(2023, 11, 14, 22, 13, 22, tzinfo=UTC)
    assert len(places(seal(where={"since": since}))) == 1


def test_conversations_without_messages_are_counted_as_such(store, seal, tmp_path):
    path = tmp_path / "a.json"
    side = gpt_talk(1, current_node="root")
    path.write_bytes(gpt_export(gpt_talk(0), side))
    import_export(path, store)
    version = seal(steps=[], split={"validation": 0, "test": 0})
    assert (version.splits["train"].conversations, version.splits["train"].messages) == (2, 2)


def test_progress_counts_conversations(store, fill, workspace, monkeypatch):
    monkeypatch.setattr(read_module, "BATCH", 8)
    fill(*range(20))
    seen: list[tuple[str, int, int]] = []
    spec = DatasetSpec(name="d")
    version = build(store, spec, workspace, on_progress=lambda *each: seen.append(each))
    assert seen == [("reading", 8, 20), ("reading", 16, 20), ("reading", 20, 20)]
    assert len(places(version)) == 20


# -- the same in, the same out -------------------------------------------------------------------


def test_building_again_gives_the_version_that_is_there(fill, seal):
    fill(*range(20))
    first = seal()
    before = (first.path / "manifest.json").stat().st_mtime_ns
    again = seal()
    assert again == first
    assert (first.path / "manifest.json").stat().st_mtime_ns == before


BUILD = """
import sys
from pathlib import Path
import duckdb
from dataset.build import build
from dataset.manifest import DatasetSpec
from ingest.store import open_store
from ingest.workspace import Workspace
home, out = Path(sys.argv[1]), Workspace(Path(sys.argv[2]))
with open_store(home / "store.duckdb") as store:
    store._db.execute(f"SET threads = {sys.argv[3]}")
    print(build(store, DatasetSpec(name="d", split={"validation": 0.2}), out).fingerprint)
"""


@pytest.mark.slow
def test_fresh_processes_with_other_threads_write_the_same_bytes(tmp_path):
    from ingest.store import open_store

    home = Workspace(tmp_path / "home").create()
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl(*[record(n % 2500, "x" * (n % 7)) for n in range(3000)]))
    with open_store(home.store) as store:
        import_export(path, store)
    found = []
    for threads in ("1", "4"):
        out = tmp_path / f"out-{threads}"
        command = [sys.executable, "-c", BUILD, str(home.home), str(out), threads]
        environment = {**os.environ, "POLARS_MAX_THREADS": threads, "PYTHONHASHSEED": threads}
        done = subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True, timeout=60
        )
        version = load_version("d", Workspace(out))
        assert done.stdout.split() == [version.fingerprint]
        found.append((version.fingerprint, data(version), version.files, version.steps))
    assert found[0] == found[1]


GROUPED = {
    "steps": ["has-assistant", {"name": "dedupe-exact", "normalise": True}, "dedupe-near"],
    "split": {"validation": 0.2, "test": 0.2, "group_by": ["near-duplicates", "thread"]},
}


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 7, 2048])
def test_workers_and_batches_make_no_difference(fill, seal, store, monkeypatch, tmp_path, batch):
    fill(*range(50))
    monkeypatch.setattr(read_module, "BATCH", batch)
    found = []
    for workers in (1, 2):
        workspace = Workspace(tmp_path / f"{workers}").create()
        version = build(store, DatasetSpec(name="d", **GROUPED), workspace, workers=workers)
        assert version.steps[1].rows_in == 50
        found.append((version.fingerprint, data(version), version.steps, version.split_report))
    assert found[0] == found[1]
    assert found[0][:2] == (seal(**GROUPED).fingerprint, data(seal(**GROUPED)))


def test_the_order_of_imports_does_not_change_the_fingerprint(tmp_path):
    from ingest.store import open_store

    fingerprints = []
    for name, order in (("a", (1, 2, 3)), ("b", (3, 1, 2))):
        workspace = Workspace(tmp_path / name).create()
        path = workspace.home / "x.json"
        with open_store(workspace.store) as store:
            for number in order:
                path.write_bytes(gpt_export(gpt_talk(number, text=str(number))))
                import_export(path, store)
            fingerprints.append(build(store, DatasetSpec(name="d"), workspace).fingerprint)
    assert fingerprints[0] == fingerprints[1]


def test_appending_moves_no_earlier_conversation(fill, seal):
    fill(*range(40))
    first = seal(split={"validation": 0.2, "test": 0.2})
    fill(*range(90))
    second = seal(split={"validation": 0.2, "test": 0.2})
    assert second.fingerprint != first.fingerprint
    assert second.parent == first.fingerprint
    earlier, later = places(first), places(second)
    assert len(later) == 90
    assert {id_: later[id_] for id_ in earlier} == earlier


def row_groups(version: DatasetVersion) -> list[bytes]:
    """The bytes of each row group of the training split."""
    file = version.path / "data" / "train-00000.parquet"
    meta, raw = pq.read_metadata(file), file.read_bytes()
    found = []
    for number in range(meta.num_row_groups):
        columns = [meta.row_group(number).column(n) for n in range(meta.num_columns)]
        starts = [c.dictionary_page_offset or c.data_page_offset for c in columns]
        ends = [s + c.total_compressed_size for s, c in zip(starts, columns, strict=True)]
        found.append(raw[min(starts) : max(ends)])
    return found


def test_appending_leaves_all_full_row_groups_as_they_are(fill, seal, monkeypatch):
    monkeypatch.setattr(seal_module, "ROW_GROUP", 16)
    fill(*range(50))
    first = row_groups(seal())
    fill(*range(90))
    second = row_groups(seal())
    assert len(first) == 3
    assert len(second) > len(first)
    assert second[:2] == first[:2]


def test_long_conversations_make_short_row_groups(store, seal, monkeypatch, tmp_path):
    monkeypatch.setattr(seal_module, "_GROUP_BYTES", 1000)
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl(*[record(n, "x" * (700 if n % 3 == 0 else 9)) for n in range(12)]))
    import_export(path, store)
    version = seal(split={"validation": 0, "test": 0})
    meta = pq.read_metadata(version.path / "data" / "train-00000.parquet")
    sizes = [meta.row_group(n).num_rows for n in range(meta.num_row_groups)]
    assert sizes == [4, 6, 2]  # a group ends with the row that fills it
    assert [row["id"] for row in version.rows("train")] == [c.id for c, _, _ in store.stream()]


# -- specs ---------------------------------------------------------------------------------------


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "spec.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return path


def test_the_smallest_spec(tmp_path):
    spec = load_spec(
        written(tmp_path, 'name = "support"\n[split]\nvalidation = 0.05\ntest = 0.05\n')
    )
    assert spec == DatasetSpec(name="support")
    assert [step.name for step in spec.steps] == ["has-assistant", "dedupe-exact"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('name = "d"\nstep = []', ["step:", "Extra inputs", "steps"]),
        ('name = "d"\n[where]\nimporter = "x"', ["where.importer:", "Extra inputs"]),
        ('name = "d"\n[split]\ntrain = 0.9', ["split.train:", "Extra inputs"]),
        ('name = "d"\nseed = -1\nsteps = 5', ["seed:", "steps:"]),
        ('name = "d"\n[split]\nvalidation = 0.6\ntest = 0.6', ["split:", "less than 1"]),
        ('name = "d"\n[split]\ntest = 1.0', ["split.test:"]),
        ('name = "d"\n[split]\ntest = nan', ["split.test:"]),
        ('name = "../up"', ["name:", "pattern"]),
        ('name = ".hidden"', ["name:", "pattern"]),
        ("", ["name:", "required"]),
        ("name =", ["TOML"]),
        ("name = '\udcff'", ["TOML"]),
    ],
)
def test_a_wrong_spec_is_an_error_that_names_every_fault(tmp_path, text, words):
    path = written(tmp_path, text)
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    error = caught.value
    assert str(path) in error.message
    assert error.hint
    assert "\n" not in error.message + error.hint
    for word in words:
        assert word in f"{error.message} {error.hint}"


@pytest.mark.parametrize("place", ["none.toml", "."])
def test_a_spec_that_cannot_be_read(tmp_path, place):
    with pytest.raises(SpecError, match=r".") as caught:
        load_spec(tmp_path / place)
    assert caught.value.hint


# -- nothing to seal -----------------------------------------------------------------------------


def test_an_empty_store(seal, workspace):
    with pytest.raises(BuildError, match="the store is empty") as caught:
        seal()
    assert "turnmill import" in caught.value.hint
    assert list_versions(workspace) == []


def test_nothing_that_fits(seal, fill):
    fill(1)
    with pytest.raises(BuildError, match="where"):
        seal(where={"importers": ["nope"]})


def test_nobody_is_the_assistant(seal, store, tmp_path):
    path = tmp_path / "chat.txt"
    path.write_text("31/01/2026, 10:00 - Anna: q\n31/01/2026, 10:01 - Bo: a\n")
    import_export(path, store)
    with pytest.raises(BuildError, match="no conversation is left") as caught:
        seal()
    assert "1 no assistant turn" in caught.value.hint
    assert "--as-assistant" in caught.value.hint


def test_steps_take_options_and_all_faults_are_named_at_once(seal, fill, workspace):
    fill(1)
    steps = [{"name": "has-assistant", "loud": True, "soft": 1}, "polish", "dedupe-exact"]
    with pytest.raises(SpecError) as caught:
        seal(steps=steps)
    for word in ("has-assistant: loud", "has-assistant: soft", "'polish'"):
        assert word in caught.value.message
    assert not workspace.datasets.exists()


def test_a_step_is_written_as_short_as_it_can_be(tmp_path):
    text = 'name = "d"\nsteps = ["a", {name = "b"}, {name = "c", at = 2026-01-01, of = [1, "x"]}]'
    spec = load_spec(written(tmp_path, text))
    written_back = spec.model_dump(mode="json")["steps"]
    assert written_back == ["a", "b", {"name": "c", "at": "2026-01-01", "of": [1, "x"]}]
    assert DatasetSpec(name="d", steps=written_back) == spec


@pytest.mark.parametrize("step", ["5", "{}", "{name = 5}", '{at = "x"}'])
def test_a_step_that_is_neither_a_name_nor_a_table_with_one(tmp_path, step):
    with pytest.raises(SpecError, match=r"steps\.0"):
        load_spec(written(tmp_path, f'name = "d"\nsteps = [{step}]'))


def test_an_unknown_step(seal, fill, workspace):
    fill(1)
    with pytest.raises(SpecError, match="no step is called"):
        seal(steps=["has-assistant", "polish"])
    assert not workspace.datasets.exists()


# -- whole or not at all -------------------------------------------------------------------------

CRASHES = [OSError(28, "No space left on device"), KeyboardInterrupt()]


@pytest.mark.parametrize("crash", CRASHES, ids=["disk full", "interrupted"])
@pytest.mark.parametrize("after", [0, 1])
def test_a_build_that_dies_leaves_no_version(fill, seal, workspace, monkeypatch, crash, after):
    fill(*range(40))
    real, calls = pq.ParquetWriter.write_table, []

    def dying(*args: Any, **options: Any) -> None:
        if len(calls) == after:
            raise crash
        calls.append(1)
        real(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(pq.ParquetWriter, "write_table", dying)
        expected = VersionError if isinstance(crash, OSError) else KeyboardInterrupt
        with pytest.raises(expected) as caught:
            seal()
    if isinstance(caught.value, VersionError):
        assert "No space left" in caught.value.message
        assert "build again" in caught.value.hint
    assert list_versions(workspace) == []
    assert list((workspace.datasets / "d").iterdir()) == []
    seal().verify()


KILLED = """
import os, signal, sys
from pathlib import Path
import pyarrow.parquet as pq
from dataset.build import build
from dataset.manifest import DatasetSpec
from ingest.store import open_store
from ingest.workspace import Workspace
workspace = Workspace(Path(sys.argv[1]))
pq.ParquetWriter.close = lambda self: os.kill(os.getpid(), signal.SIGKILL)
with open_store(workspace.store) as store:
    build(store, DatasetSpec(name="d"), workspace)
"""


def test_the_next_build_clears_what_a_killed_one_left(tmp_path):
    from ingest.store import open_store

    workspace = Workspace(tmp_path / "home").create()
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl(*[record(n) for n in range(20)]))
    with open_store(workspace.store) as store:
        import_export(path, store)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(workspace.home)], check=False, timeout=60
    )
    assert killed.returncode == -9
    (left,) = (workspace.datasets / "d").iterdir()
    assert left.name.startswith(".building-")
    assert list_versions(workspace) == []
    with open_store(workspace.store) as store, building_site(left.parent) as living:
        assert not left.exists()
        version = build(store, DatasetSpec(name="d"), workspace)
        assert living.exists()
    assert list(left.parent.iterdir()) == [version.path]


def test_a_build_that_is_killed_before_it_has_its_name_leaves_no_version(fill, seal, workspace):
    fill(1, 2)
    version = seal()
    version.path.rename(version.path.parent / ".building-x")
    assert list_versions(workspace) == []
    assert seal().fingerprint == version.fingerprint


# -- looking at versions -------------------------------------------------------------------------


@pytest.fixture
def two(fill, seal) -> list[DatasetVersion]:
    fill(1, 2)
    first = seal()
    fill(1, 2, 3)
    return [first, seal()]


def test_a_version_is_found_by_name_hash_or_folder(two, workspace, tmp_path):
    first, last = two
    assert list_versions(workspace) == two
    for ref, version in [
        ("d", last),
        ("d@latest", last),
        (f"d@{first.fingerprint}", first),
        (f"d@{first.fingerprint[:8]}", first),
        (f"@{first.fingerprint[:8]}", first),
        (first.ref, first),
        (str(first.path), first),
    ]:
        assert load_version(ref, workspace) == version


REFS = ["e", "d@0000", "*", "d*", "../datasets/d", "/nowhere/at/all", "@", "", "d@*", "e@latest"]


def test_a_version_that_is_not_there_is_an_error(two, workspace):
    for ref in REFS:
        with pytest.raises(VersionError, match="no such dataset version") as caught:
            load_version(ref, workspace)
        assert "turnmill versions" in caught.value.hint


def test_a_hash_that_fits_several_is_an_error(two, workspace):
    manifest = json.loads((two[0].path / "manifest.json").read_text())
    manifest["fingerprint"] = two[0].fingerprint[:9] + "f" * 55
    like = two[0].path.parent / manifest["fingerprint"]
    like.mkdir()
    (like / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(VersionError, match="fits 2 versions") as caught:
        load_version(f"d@{two[0].fingerprint[:9]}", workspace)
    assert "more of the hash" in caught.value.hint
    assert load_version(f"d@{two[0].fingerprint[:40]}", workspace) == two[0]


def test_one_content_under_two_names_has_one_fingerprint(store, workspace, two):
    other = build(store, DatasetSpec(name="other"), workspace)
    assert other.fingerprint == two[1].fingerprint
    assert load_version(f"@{other.fingerprint[:9]}", workspace).fingerprint == other.fingerprint
    assert other.parent is None


def test_a_split_that_is_not_there_is_an_error(two):
    with pytest.raises(VersionError, match="no split 'nope'") as caught:
        two[0].table("nope")
    assert "train" in caught.value.hint


def test_verify_finds_a_changed_byte_and_a_missing_file(two):
    version = two[0]
    version.verify()
    file = version.path / "data" / "train-00000.parquet"
    raw = file.read_bytes()
    for place in (0, len(raw) // 2, len(raw) - 1):
        file.write_bytes(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])
        with pytest.raises(VersionError, match="differs"):
            version.verify()
    file.write_bytes(raw + b"x")
    with pytest.raises(VersionError, match="differs"):
        version.verify()
    file.unlink()
    with pytest.raises(VersionError, match="missing"):
        version.verify()


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"5", b"{}", b'{"name": "d", "odd": 1}'])
def test_a_damaged_manifest_is_an_error(workspace, raw):
    folder = workspace.datasets / "d" / "0123"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_bytes(raw)
    with pytest.raises(VersionError, match=r"manifest\.json") as caught:
        list_versions(workspace)
    assert caught.value.hint
    assert "\n" not in caught.value.message


def test_a_folder_without_a_manifest_is_no_version(two, workspace):
    (two[1].path / "manifest.json").unlink()
    assert list_versions(workspace) == [two[0]]
    with pytest.raises(VersionError, match=r"holds no manifest\.json"):
        open_version(two[1].path)


def test_a_manifest_says_what_the_build_took(fill, seal):
    fill(*range(3))
    seconds = seal(steps=["has-assistant", "redact"]).seconds
    beside = {"reading", "split", "writing", "redact-check", "build"}
    assert set(seconds) == {"has-assistant", "redact", *beside}
    assert all(each >= 0 for each in seconds.values())
