"""Erasing: the bytes are gone, nothing comes back, and what still holds it is named."""

import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import gpt_export, gpt_message, gpt_talk, jsonl, node, record

from dataset.build import build
from dataset.forget import Ask, ForgetError, ForgetReport, Offspring, forget
from dataset.hub.push import push
from dataset.hub.record import PushRecord, write_push
from dataset.manifest import DatasetSpec, DatasetVersion, SplitSpec
from dataset.redact.ledger import read_ledger
from dataset.taint import TaintError, refuse_tainted, taint_of, tainted_versions
from ingest.archive import open_export
from ingest.errors import StoreError
from ingest.files import write_json
from ingest.forgotten import REASON, Marks, forms, mark_text, salted
from ingest.load import ImportReport, import_export
from ingest.people_map import PeopleMap, Person, load_people, save_people
from ingest.sieve import rows_with_text
from ingest.store import Where, open_store, rewrite_store
from ingest.workspace import Workspace
from serve.cli import run

NOW = datetime(2026, 5, 6, tzinfo=UTC)
SECRET = "Zanzibar-Quokka"
"""A text that stands nowhere by chance."""

WHATSAPP = """21/02/2024, 10:00 - Ann Xylander: Hello, it is about parcel 17
21/02/2024, 10:01 - Bob: It left on Monday
21/02/2024, 10:02 - Ann Xylander: Thank you
"""


def put(workspace: Workspace, path: Path, content: bytes, **more: Any) -> ImportReport:
    path.write_bytes(content)
    with open_store(workspace.store) as store:
        return import_export(path, store, raw=workspace.raw, **more)


def talks(*numbers: int) -> bytes:
    return gpt_export(
        *[
            gpt_talk(n, text=f"{'The ' + SECRET if n == 1 else 'A question'} of {n}?")
            for n in numbers
        ]
    )


def stored(workspace: Workspace) -> list[str]:
    with open_store(workspace.store) as store:
        return store.ids(Where())


def erase(workspace: Workspace, **ask: Any) -> ForgetReport:
    more = {key: ask.pop(key) for key in ("dry_run", "made_of") if key in ask}
    return forget(Ask(**ask), workspace, **{"made_of": lambda versions: {}, "now": NOW, **more})


def seal(workspace: Workspace, **spec: Any) -> DatasetVersion:
    with open_store(workspace.store) as store:
        split = SplitSpec(validation=0, test=0)
        return build(store, DatasetSpec(**{"name": "d", "split": split, **spec}), workspace)


def holding(folder: Path, text: str) -> list[str]:
    """Files under a folder whose bytes hold a text, packed ones looked into."""
    return [str(file) for file in sorted(folder.rglob("*")) if file.is_file() and _in(file, text)]


def _in(file: Path, text: str) -> bool:
    if text.encode() in file.read_bytes():
        return True
    if file.parent.name != "raw":
        return False
    return any(text.encode() in member.open().read() for member in open_export(file).members)


# -- the bytes ------------------------------------------------------------------------------------


def test_the_bytes_of_an_erased_text_are_gone_from_the_whole_workspace(workspace, tmp_path):
    put(workspace, tmp_path / "conversations.json", talks(*range(30)))
    assert holding(workspace.home, SECRET)
    report = erase(workspace, matching=SECRET)
    assert (len(report.ids), report.messages) == (1, 2)
    assert holding(workspace.home, SECRET) == []
    assert len(stored(workspace)) == 29


def test_deleting_alone_would_leave_the_bytes(workspace, tmp_path):
    put(workspace, tmp_path / "conversations.json", talks(*range(30)))
    with open_store(workspace.store) as store:
        store.delete(store.erasure.ords_with_text(forms(SECRET)))
    assert SECRET.encode() in workspace.store.read_bytes()
    rewrite_store(workspace.store)
    assert SECRET.encode() not in workspace.store.read_bytes()


def test_nothing_else_of_the_store_changes(workspace, tmp_path):
    put(workspace, tmp_path / "conversations.json", talks(*range(5)))
    put(workspace, tmp_path / "train.jsonl", jsonl(record(1), record(2)))

    def all_of() -> dict[str, Any]:
        with open_store(workspace.store) as store:
            return {each.id: (each, hash_) for each, hash_, _ in store.stream()}

    before = all_of()
    (gone,) = erase(workspace, matching=SECRET).ids
    after = all_of()
    assert after == {id_: each for id_, each in before.items() if id_ != gone}
    assert workspace.store.stat().st_mode & 0o777 == 0o600


def test_rewriting_keeps_every_row_of_every_table(workspace, tmp_path):
    put(workspace, tmp_path / "conversations.json", talks(1, 2))
    put(workspace, tmp_path / "bad.jsonl", jsonl(record(1), b"{broken"))
    with open_store(workspace.store) as store:
        ids = store.ids(Where())
        store.decisions.add("exclude", ids[:1], now=NOW)
        before = (store.rejects(), store.decisions.entries(), list(store.stream()))
        assert all(before)
    rewrite_store(workspace.store)
    with open_store(workspace.store) as store:
        assert (store.rejects(), store.decisions.entries(), list(store.stream())) == before
    assert [file.name for file in workspace.home.iterdir() if file.name.startswith(".")] == []


def test_what_dead_processes_left_goes_too(workspace, tmp_path):
    put(workspace, tmp_path / "conversations.json", talks(1, 2))
    left = [workspace.raw / ".x.zst.abc.part", workspace.home / "store.duckdb.tmp" / "spill",
            workspace.datasets / "d" / ".building-dead" / "0.arrow",
            workspace.datasets / ".pulling-0123" / "x.parquet"]  # fmt: skip
    for file in left:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(SECRET)
    for site in left[-2:]:
        (site.parent / "lock").touch()
    erase(workspace, matching=SECRET)
    assert holding(workspace.home, SECRET) == []


def test_an_erased_store_goes_on_as_before(workspace, tmp_path):
    put(workspace, tmp_path / "conversations.json", talks(0, 1))
    erase(workspace, matching=SECRET)
    assert put(workspace, tmp_path / "conversations.json", talks(2, 3)).stored == 2
    assert seal(workspace).splits["train"].conversations == 3


# -- coming back ----------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2])
def test_what_was_erased_cannot_be_imported_again(workspace, tmp_path, workers):
    path = tmp_path / "conversations.json"
    put(workspace, path, talks(*range(4)))
    erase(workspace, matching=SECRET)
    report = put(workspace, path, path.read_bytes(), workers=workers)
    assert (report.read, report.unchanged, report.skipped) == (4, 3, {REASON: 1})
    assert report.read == report.stored + report.updated + report.unchanged + report.rejected + sum(
        report.skipped.values()
    )
    assert len(stored(workspace)) == 3
    assert holding(workspace.home, SECRET) == []
    assert any("no copy is kept" in warning for warning in report.warnings)


def test_no_copy_of_it_lies_on_disk_even_if_the_import_dies(workspace, tmp_path, monkeypatch):
    path = tmp_path / "conversations.json"
    put(workspace, path, talks(*range(4)))
    erase(workspace, matching=SECRET)
    monkeypatch.setattr("ingest.load._Landing.add", _crash)
    with pytest.raises(RuntimeError, match="power"):
        put(workspace, path, path.read_bytes())
    assert holding(workspace.home, SECRET) == []


def test_other_exports_are_kept_as_before(workspace, tmp_path):
    put(workspace, tmp_path / "conversations.json", talks(1, 2))
    erase(workspace, matching=SECRET)
    before = len(list(workspace.raw.iterdir()))
    assert put(workspace, tmp_path / "train.jsonl", jsonl(record(1))).warnings == []
    assert len(list(workspace.raw.iterdir())) == before + 1


def test_importing_it_again_and_again_counts_the_same(workspace, tmp_path):
    path = tmp_path / "conversations.json"
    put(workspace, path, talks(*range(4)))
    erase(workspace, matching=SECRET)
    first = put(workspace, path, path.read_bytes())
    again = put(workspace, path, path.read_bytes())
    assert (first.read, first.skipped) == (again.read, again.skipped)
    assert holding(workspace.home, SECRET) == []


def test_a_later_export_in_which_it_went_on_is_blocked_by_its_id(workspace, tmp_path):
    path = tmp_path / "conversations.json"
    put(workspace, path, talks(1, 2))
    (gone,) = erase(workspace, matching=SECRET).ids
    other = gpt_export(gpt_talk(1, text="Quite another text"), gpt_talk(2, text="A question of 2?"))
    report = put(workspace, tmp_path / "later.json", other)
    assert report.skipped == {REASON: 1}
    assert gone not in stored(workspace)


def test_an_erased_text_is_blocked_in_any_conversation(workspace, tmp_path):
    put(workspace, tmp_path / "conversations.json", talks(1, 2))
    erase(workspace, matching=SECRET)
    new = jsonl(record(7, text=f"all about {SECRET.upper()}!"), record(8))
    report = put(workspace, tmp_path / "new.jsonl", new)
    assert (report.stored, report.skipped) == (1, {REASON: 1})
    assert holding(workspace.home, SECRET.upper()) == []


def test_an_erased_person_is_blocked_in_any_chat(workspace, tmp_path):
    put(workspace, tmp_path / "WhatsApp Chat with Ann.txt", WHATSAPP.encode())
    report = erase(workspace, participant="ann xylander")
    assert len(report.ids) == 1
    other = WHATSAPP.replace("2024", "2025").encode()
    again = put(workspace, tmp_path / "WhatsApp Chat with Group.txt", other)
    assert (again.stored, again.skipped) == (0, {REASON: 1})
    without = WHATSAPP.replace("Ann Xylander", "Annegret").encode()
    assert put(workspace, tmp_path / "WhatsApp Chat with Annegret.txt", without).stored == 1


def test_the_list_of_the_forgotten_can_be_read_by_nobody(workspace, tmp_path):
    put(workspace, tmp_path / "WhatsApp Chat with Ann.txt", WHATSAPP.encode())
    (gone,) = erase(workspace, participant="Ann Xylander").ids
    for text in ("Xylander", "xylander", gone, "parcel 17"):
        assert holding(workspace.home, text) == []


# -- kept copies ----------------------------------------------------------------------------------


def test_a_copy_of_json_conversations_is_written_without_the_erased(workspace, tmp_path):
    put(workspace, tmp_path / "conversations.json", talks(*range(4)))
    (copy,) = erase(workspace, matching=SECRET).copies
    assert copy.outcome == "rewritten"
    (file,) = workspace.raw.iterdir()
    assert file.name == f"{copy.renamed}.zip"
    elsewhere = Workspace(tmp_path / "elsewhere").create()
    with open_store(elsewhere.store) as store:
        assert import_export(file, store).stored == 3
    assert set(stored(elsewhere)) == set(stored(workspace))


def test_lineage_leads_to_the_copy_as_it_is_now(workspace, tmp_path):
    put(workspace, tmp_path / "conversations.json", talks(*range(4)))
    (copy,) = erase(workspace, matching=SECRET).copies
    assert seal(workspace).sources == [copy.renamed]


def test_other_files_of_a_zip_go_with_it(workspace, tmp_path):
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("conversations.json", talks(*range(3)))
        packed.writestr("chat.html", f"<p>The {SECRET} of 1?</p>")
    put(workspace, path, path.read_bytes())
    erase(workspace, matching=SECRET)
    assert holding(workspace.home, SECRET) == []
    (file,) = workspace.raw.iterdir()
    assert [member.name for member in open_export(file).members] == ["conversations.json"]


def test_a_copy_that_cannot_be_written_without_some_is_deleted(workspace, tmp_path):
    put(workspace, tmp_path / "WhatsApp Chat with Ann.txt", WHATSAPP.encode())
    (copy,) = erase(workspace, participant="Ann Xylander").copies
    assert (copy.outcome, copy.renamed) == ("deleted", None)
    assert "whatsapp" in copy.reason
    assert list(workspace.raw.iterdir()) == []


def test_an_earlier_export_of_the_same_conversation_is_found(workspace, tmp_path):
    old = gpt_export(gpt_talk(1, text=f"The {SECRET}?"), gpt_talk(2))
    put(workspace, tmp_path / "old.json", old)
    new = gpt_talk(1) | {
        "mapping": {
            **node("u", None, gpt_message("user", "Something else"), "a"),
            **node("a", "u", gpt_message("assistant", "Yes.", create_time=1.8e9)),
        }
    }
    put(workspace, tmp_path / "new.json", gpt_export(new, gpt_talk(2)))
    (gone,) = [id_ for id_ in stored(workspace) if id_.endswith(_id(1)[-16:])]
    report = erase(workspace, conversation=gone)
    assert len(report.copies) == 2
    assert holding(workspace.home, SECRET) == []


def test_an_earlier_chat_of_another_name_is_known_by_its_beginning(workspace, tmp_path):
    longer = WHATSAPP + "21/02/2024, 10:03 - Bob: You are welcome\n"
    put(workspace, tmp_path / "WhatsApp Chat with Ann.txt", WHATSAPP.encode())
    put(workspace, tmp_path / "renamed.txt", longer.encode())
    first, *_ = stored(workspace)
    erase(workspace, conversation=first)
    assert holding(workspace.raw, "parcel 17") == []


def test_copies_without_it_stay_as_they_are(workspace, tmp_path):
    put(workspace, tmp_path / "conversations.json", talks(1))
    put(workspace, tmp_path / "train.jsonl", jsonl(record(1)))
    before = {file.name: file.read_bytes() for file in workspace.raw.iterdir()}
    (copy,) = erase(workspace, matching=SECRET).copies
    assert (copy.outcome, copy.reason) == ("deleted", "nothing else was in it")
    left = {file.name: file.read_bytes() for file in workspace.raw.iterdir()}
    assert left == {name: data for name, data in before.items() if not name.startswith(copy.sha256)}
    assert len(left) == 1


def test_a_text_in_what_no_importer_read_is_found_in_the_copy(workspace, tmp_path):
    bad = b'{"messages": [{"role": "user", "content": "' + SECRET.encode() + b'"'
    put(workspace, tmp_path / "train.jsonl", jsonl(record(1), bad))
    report = erase(workspace, matching=SECRET)
    assert report.ids == []
    assert holding(workspace.home, SECRET) == []


# -- what is beside the store ---------------------------------------------------------------------


def test_people_decisions_and_quarantine_do_not_tell(workspace, tmp_path):
    put(workspace, tmp_path / "WhatsApp Chat with Ann.txt", WHATSAPP.encode())
    put(workspace, tmp_path / "train.jsonl", jsonl(record(1), b"{broken"))
    people = PeopleMap((Person("Ann Xylander", ("Annie",)), Person("Bob", ("Bobby",))))
    save_people(workspace.people, people)
    with open_store(workspace.store) as store:
        chat, other = store.ids(Where())
        store.decisions.add("exclude", [chat], reason="private", now=NOW)
        store.decisions.add("exclude", [other], reason="mentions Ann Xylander", now=NOW)
        store.decisions.add("tag", [other], tags=["annie", "channie"], now=NOW)
    report = erase(workspace, participant="Annie")
    assert (len(report.ids), report.people, report.decisions) == (1, 1, 2)
    assert [person.name for person in load_people(workspace.people).people] == ["Bob"]
    with open_store(workspace.store) as store:
        entries = store.decisions.entries()
        assert {entry.conversation for entry in entries} == {other}
        assert [(e.action, e.tag, e.reason) for e in entries] == [
            ("exclude", None, None), ("tag", "channie", None)
        ]  # fmt: skip
        assert len(store.rejects()) == 1
    assert holding(workspace.home, "Xylander") == []


def test_ledgers_and_clusters_lose_the_rows_about_it(workspace, tmp_path):
    text = "Write to ann@example.org about it"
    put(workspace, tmp_path / "train.jsonl", jsonl(*[record(n, text=text) for n in range(3)]))
    version = seal(workspace, steps=[{"name": "redact", "kinds": ["email"]}, "dedupe-exact"])
    ledger = read_ledger(workspace, version.name, version.fingerprint)
    ids = stored(workspace)
    assert set(ledger["conversation"]) == set(ids)
    report = erase(workspace, conversation=ids[1])
    left = read_ledger(workspace, version.name, version.fingerprint)
    assert set(left["conversation"]) == {ids[0], ids[2]}
    assert report.ledger_rows >= 1
    for file in workspace.clusters.glob("*/*/*.parquet"):
        assert ids[1] not in pl.read_parquet(file).to_dict(as_series=False).__repr__()


# -- what still holds it --------------------------------------------------------------------------


@pytest.fixture
def trained(workspace: Workspace, tmp_path: Path) -> DatasetVersion:
    """A version with a run, a model, an evaluation and a push; another version without it."""
    put(workspace, tmp_path / "conversations.json", talks(*range(4)))
    with open_store(workspace.store) as store:
        store.decisions.add("tag", [_id(2)], tags=["two"], now=NOW)
    seal(workspace, name="other", where={"tags": ["two"]})
    version = seal(workspace)
    for folder, name, facts in (
        (workspace.runs / "run1", "run.json",
         {"run_id": "run1", "dataset_fingerprint": version.fingerprint}),
        (workspace.models / "model1", "merge_certificate.json", {"run_id": "run1"}),
        (workspace.evals / "eval1", "report.json", {"eval_id": "eval1", "model": "model1"}),
        (workspace.runs / "run2", "run.json", {"run_id": "run2", "dataset_fingerprint": "0" * 64}),
    ):  # fmt: skip
        folder.mkdir(parents=True)
        write_json(folder / name, facts)
    write_push(
        workspace,
        PushRecord(
            repo="me/d", endpoint="https://hub", name="d", fingerprint=version.fingerprint,
            state="done", private=True, time=NOW,
        ),
    )  # fmt: skip
    return version


def _id(number: int) -> str:
    from ingest.message import conversation_id

    return conversation_id("chatgpt", f"conv-{number}")


def told(capsys: pytest.CaptureFixture[str], workspace: Workspace, *arguments: str) -> Any:
    assert run([*arguments, "--home", str(workspace.home), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_versions_runs_models_and_repositories_are_named(workspace, trained, capsys):
    found = told(capsys, workspace, "forget", "--matching", SECRET)
    assert (found["conversations"], found["messages"]) == (1, 2)
    (version,) = found["versions"]
    assert (version["name"], version["fingerprint"]) == ("d", trained.fingerprint)
    assert version["conversations"] == 1
    assert (found["runs"], found["models"], found["evaluations"], found["repositories"]) == (
        ["run1"], ["model1"], ["eval1"], ["me/d"]
    )  # fmt: skip
    (row,) = told(capsys, workspace, "versions", "--tainted")
    assert row["fingerprint"] == trained.fingerprint
    assert row["models"] == ["model1"]


def test_a_rebuilt_version_is_no_longer_listed_but_still_not_pushed(
    workspace, trained, tmp_path, capsys
):
    told(capsys, workspace, "forget", "--conversation", _id(1))
    spec = tmp_path / "d.toml"
    spec.write_text('name = "d"\n[split]\nvalidation = 0\ntest = 0\n')
    assert run(["build", str(spec), "--home", str(workspace.home), "--json"]) == 0
    shown = capsys.readouterr()
    assert "delete" in shown.err
    rebuilt = json.loads(shown.out)["fingerprint"]
    assert told(capsys, workspace, "versions", "--tainted") == []
    (standing,) = tainted_versions(workspace)
    assert standing.rebuilt is not None
    assert standing.rebuilt.fingerprint == rebuilt
    assert taint_of(standing.rebuilt, workspace) is None
    with pytest.raises(TaintError, match="1 conversations that were erased"):
        refuse_tainted(trained, workspace)


def test_a_push_of_a_tainted_version_is_refused(workspace, trained):
    erase(workspace, matching=SECRET)
    with pytest.raises(TaintError):
        push(trained, "me/d", workspace, token=None, dry_run=True)


def test_a_deleted_version_is_no_longer_listed(workspace, trained, capsys):
    erase(workspace, matching=SECRET)
    (trained.path / "manifest.json").unlink()
    assert told(capsys, workspace, "versions", "--tainted") == []


def test_using_a_tainted_version_warns(workspace, trained, tmp_path, capsys):
    erase(workspace, matching=SECRET)
    arguments = ["export", "d", "--format", "openai", "--out", str(tmp_path / "out")]
    run([*arguments, "--home", str(workspace.home)])
    assert "conversations that were erased" in " ".join(capsys.readouterr().err.split())


def test_a_version_that_holds_only_the_redacted_conversation_is_named(workspace, tmp_path):
    put(workspace, tmp_path / "WhatsApp Chat with Ann.txt", WHATSAPP.encode())
    version = seal(workspace, steps=["redact"])
    assert "Xylander" not in json.dumps(list(version.rows("train")))
    (held,) = erase(workspace, participant="Ann Xylander").versions
    assert held.fingerprint == version.fingerprint


def test_a_version_of_what_the_store_no_longer_has_is_named(workspace, tmp_path):
    put(workspace, tmp_path / "conversations.json", talks(1, 2))
    version = seal(workspace)
    with open_store(workspace.store) as store:
        store.delete([store.find(_id(1))[0]])
    report = erase(workspace, matching=SECRET)
    assert report.ids == []
    assert [held.fingerprint for held in report.versions] == [version.fingerprint]
    again = put(workspace, tmp_path / "later.json", gpt_export(gpt_talk(1, text="Another?")))
    assert again.skipped == {REASON: 1}


def test_a_version_of_pairs_that_were_taken_from_it_is_named(workspace, tmp_path):
    pair = {
        "prompt": f"The {SECRET}?", "chosen": "Yes.", "rejected": "No.",
    }  # fmt: skip
    other = {"prompt": "The flour?", "chosen": "Yes.", "rejected": "No."}
    put(workspace, tmp_path / "pairs.jsonl", jsonl(pair, other))
    version = seal(workspace, kind="preference", steps=[{"name": "redact", "kinds": ["email"]}])
    (gone,) = erase(workspace, matching=SECRET, dry_run=True).ids
    (held,) = erase(workspace, conversation=gone).versions
    assert (held.fingerprint, held.conversations) == (version.fingerprint, 1)
    assert seal(workspace, kind="preference").splits["train"].conversations == 1


def test_what_was_made_of_a_version_is_asked_of_whoever_knows(workspace, tmp_path):
    put(workspace, tmp_path / "conversations.json", talks(1, 2))
    version = seal(workspace)

    def made_of(versions: Any) -> dict[str, Offspring]:
        assert [each.fingerprint for each in versions] == [version.fingerprint]
        return {version.fingerprint: Offspring(["r"], ["m"], ["e"])}

    report = erase(workspace, matching=SECRET, made_of=made_of)
    assert (report.runs, report.models, report.evaluations) == (["r"], ["m"], ["e"])


# -- asking ---------------------------------------------------------------------------------------


def test_a_dry_run_changes_no_byte(workspace, tmp_path):
    put(workspace, tmp_path / "conversations.json", talks(*range(4)))
    seal(workspace)
    before = {file: file.read_bytes() for file in workspace.home.rglob("*") if file.is_file()}
    report = erase(workspace, matching=SECRET, dry_run=True)
    assert (len(report.ids), len(report.versions), report.dry_run) == (1, 1, True)
    assert [copy.outcome for copy in report.copies] == ["rewritten"]
    after = {file: file.read_bytes() for file in workspace.home.rglob("*") if file.is_file()}
    assert after == before


@pytest.mark.parametrize(
    ("ask", "why"),
    [
        ({}, "nothing is named"),
        ({"matching": " x "}, "too short"),
        ({"participant": " "}, "the name is empty"),
        ({"conversation": "chatgpt-0000"}, "no such conversation"),
    ],
)
def test_what_cannot_be_erased_is_said(workspace, tmp_path, ask, why):
    put(workspace, tmp_path / "conversations.json", talks(1))
    with pytest.raises(ForgetError, match=why):
        erase(workspace, **ask)
    assert len(stored(workspace)) == 1


def test_a_beginning_that_fits_several_erases_none(workspace, tmp_path):
    put(workspace, tmp_path / "conversations.json", talks(1, 2))
    with pytest.raises(StoreError, match="fits several"):
        erase(workspace, conversation="chatgpt")
    assert len(stored(workspace)) == 2


def test_erasing_twice_finds_nothing_more(workspace, tmp_path):
    put(workspace, tmp_path / "conversations.json", talks(1, 2))
    erase(workspace, matching=SECRET)
    report = erase(workspace, matching=SECRET)
    assert (report.ids, report.copies, report.versions) == ([], [], [])


def test_after_a_crash_the_same_command_goes_on(workspace, tmp_path, monkeypatch):
    put(workspace, tmp_path / "conversations.json", talks(*range(3)))
    version = seal(workspace)
    with monkeypatch.context() as patch:
        patch.setattr("dataset.forget._erase_stored", _crash)
        with pytest.raises(RuntimeError, match="power"):
            erase(workspace, matching=SECRET)
    report = erase(workspace, matching=SECRET)
    assert len(report.ids) == 1
    assert [held.fingerprint for held in report.versions] == [version.fingerprint]
    assert holding(workspace.home / "raw", SECRET) == []
    assert SECRET.encode() not in workspace.store.read_bytes()


def _crash(*_: Any) -> None:
    raise RuntimeError("power")


def test_the_terminal_says_what_went_and_what_is_left(workspace, trained, capsys):
    assert run(["forget", "--matching", SECRET, "--home", str(workspace.home)]) == 0
    shown = capsys.readouterr()
    for part in ("Erased", "Still held", "model1", "me/d", "run1"):
        assert part in shown.out
    assert SECRET not in shown.out + shown.err


# -- the list -------------------------------------------------------------------------------------

SALT = b"s" * 32


def marked(*texts: str) -> Marks:
    marks = [mark_text(SALT, form) for text in texts for form in forms(text)]
    return Marks(SALT, texts=tuple(marks))


@given(
    st.lists(st.text('abéßİ \n"\\', max_size=12) | st.none(), max_size=8),
    st.text('abé"', min_size=2, max_size=3),
)
def test_the_hashes_find_what_a_search_finds(texts, wanted):
    expected = [
        at for at, text in enumerate(texts)
        if text and any(form in plain_of(text) for form in forms(wanted))
    ]  # fmt: skip
    assert rows_with_text(texts, marked(wanted)) == expected


def plain_of(text: str) -> str:
    from ingest.forgotten import plain

    return plain(text)


def test_a_text_is_not_found_across_the_border_of_two():
    assert rows_with_text(["the qui", "ck fox", None, "the quick fox"], marked("quick")) == [3]


@pytest.mark.parametrize(
    "written",
    [
        'say "Ännchen"', "SAY \"ÄNNCHEN\"", json.dumps('say "Ännchen"'),
        json.dumps({"a": json.dumps({"b": 'say "Ännchen"'})}), "say \"A\u0308nnchen\"",
    ],
)  # fmt: skip
def test_a_text_is_known_in_json_and_in_other_letters(written):
    assert rows_with_text([written], marked('say "Ännchen"')) == [0]


def test_a_mark_tells_nothing_without_the_salt():
    assert salted(SALT, "participant", "Ann") == salted(SALT, "participant", "ANN")
    assert salted(SALT, "participant", "Ann") != salted(b"t" * 32, "participant", "Ann")
    assert salted(SALT, "participant", "Ann") != salted(SALT, "conversation", "Ann")


@pytest.fixture(autouse=True)
def _no_leftovers(workspace: Workspace) -> Iterator[None]:
    yield
    assert list(workspace.home.glob("*.wal")) == []
