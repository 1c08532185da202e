"""Decisions by hand: recorded with a reason, undone by another, applied by every build."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from made import gpt_export, gpt_talk

from dataset.build import BuildError, build
from dataset.curate import EXCLUDED, CurationError, decide, selected
from dataset.manifest import DatasetSpec, DatasetVersion, open_version
from ingest.errors import StoreError
from ingest.load import import_export
from ingest.store import Store, Where, open_store
from ingest.workspace import Workspace
from serve.cli import run

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def ids(store: Store, tmp_path: Path) -> list[str]:
    """Five stored conversations."""
    path = tmp_path / "conversations.json"
    path.write_bytes(gpt_export(*[gpt_talk(n, text=f"Question {n}?") for n in range(5)]))
    import_export(path, store)
    return store.ids(Where())


def seal(store: Store, workspace: Workspace, **spec: Any) -> DatasetVersion:
    return build(store, DatasetSpec(**{"name": "d", **spec}), workspace)


def held(version: DatasetVersion) -> set[str]:
    return {row["id"] for split in version.splits for row in version.rows(split)}


def do(store: Store, action: Any, *ids: str, **more: Any) -> Any:
    return decide(store, action, ids, now=NOW, **more)


def test_an_excluded_conversation_never_takes_part(store, workspace, ids):
    do(store, "exclude", ids[1], ids[3], reason="a test")
    assert held(seal(store, workspace)) == {ids[0], ids[2], ids[4]}


def test_the_manifest_counts_what_was_excluded_before_the_steps(store, workspace, ids):
    do(store, "exclude", ids[1], ids[3])
    version = open_version(seal(store, workspace).path)
    first, second = version.steps[:2]
    assert (first.name, first.rows_in, first.kept) == ("curation", 5, 3)
    assert first.dropped == {EXCLUDED: 2}
    assert second.rows_in == first.kept
    assert version.curation is not None
    assert version.curation.excluded == 2


def test_without_decisions_a_manifest_says_nothing_of_them(store, workspace, ids):
    version = seal(store, workspace)
    assert version.curation is None
    assert [step.name for step in version.steps] == ["has-assistant", "dedupe-exact"]


def test_only_what_is_selected_counts_as_excluded(store, workspace, ids):
    do(store, "exclude", *ids[:2])
    do(store, "tag", *ids[1:], tags=["good"])
    version = seal(store, workspace, where={"tags": ["good"]})
    assert version.curation is not None
    assert version.curation.excluded == 1
    assert held(version) == set(ids[2:])


def test_the_hash_of_decisions_depends_on_what_they_come_to_and_on_nothing_else(
    store, workspace, ids
):
    do(store, "exclude", ids[1])
    one = seal(store, workspace, name="one").curation
    do(store, "tag", ids[2], tags=["unused"])
    do(store, "exclude", ids[3])
    do(store, "include", ids[3])
    same = seal(store, workspace, name="same").curation
    do(store, "exclude", ids[3])
    other = seal(store, workspace, name="other").curation
    assert one == same
    assert one is not None
    assert other is not None
    assert one.decisions != other.decisions


def test_include_takes_an_exclusion_back(store, workspace, ids):
    before = seal(store, workspace)
    do(store, "exclude", ids[0])
    do(store, "include", ids[0])
    assert seal(store, workspace).fingerprint == before.fingerprint


def test_tags_select_and_keep_out(store, workspace, ids):
    do(store, "tag", *ids[:3], tags=["good"])
    do(store, "tag", ids[0], tags=["test"])
    where = {"tags": ["good"], "without_tags": ["test"]}
    assert held(seal(store, workspace, where=where)) == {ids[1], ids[2]}
    do(store, "untag", ids[1], tags=["good"])
    assert held(seal(store, workspace, where=where)) == {ids[2]}


def test_a_build_of_nothing_but_excluded_conversations_says_so(store, workspace, ids):
    do(store, "exclude", *ids)
    with pytest.raises(BuildError, match="all 5 conversations are excluded by hand"):
        seal(store, workspace)


def test_undo_takes_back_the_last_decision_that_holds(store, ids):
    do(store, "exclude", ids[0])
    do(store, "exclude", ids[1])
    assert store.decisions.undo(None, now=NOW) == 2
    assert [mark.id for mark in store.decisions.excluded()] == [ids[0]]
    assert store.decisions.undo(None, now=NOW) == 1
    assert store.decisions.excluded() == []
    with pytest.raises(StoreError, match="nothing to undo"):
        store.decisions.undo(None, now=NOW)


def test_undoing_an_undo_brings_the_decision_back(store, ids):
    do(store, "exclude", ids[0])
    store.decisions.undo(1, now=NOW)
    assert store.decisions.undo(2, now=NOW) == 2
    assert [mark.id for mark in store.decisions.excluded()] == [ids[0]]


def test_undoing_an_early_decision_leaves_the_later_ones(store, ids):
    do(store, "exclude", ids[0])
    do(store, "include", ids[0])
    store.decisions.undo(2, now=NOW)
    assert [mark.id for mark in store.decisions.excluded()] == [ids[0]]


@pytest.mark.parametrize(("number", "why"), [(1, "undone already"), (9, "there is none")])
def test_what_does_not_hold_cannot_be_undone(store, ids, number, why):
    do(store, "exclude", ids[0])
    store.decisions.undo(1, now=NOW)
    with pytest.raises(StoreError, match=why):
        store.decisions.undo(number, now=NOW)


def test_the_journal_keeps_everything_with_its_reason(store, ids):
    do(store, "exclude", ids[0], ids[1], reason="too private")
    store.decisions.undo(1, reason="a mistake", now=NOW)
    entries = store.decisions.entries()
    assert [(e.number, e.action, e.conversation, e.reason, e.undone) for e in entries] == [
        *[(1, "exclude", id_, "too private", True) for id_ in sorted(ids[:2])],
        (2, "undo", None, "a mistake", False),
    ]
    assert {entry.who for entry in entries} == {"local"}
    assert {entry.time for entry in entries} == {NOW.replace(tzinfo=None)}


def test_what_is_so_already_is_not_recorded_again(store, ids):
    do(store, "exclude", ids[0])
    done = do(store, "exclude", ids[0], ids[1])
    assert (done.number, done.conversations, done.unchanged) == (2, [ids[1]], 1)
    assert do(store, "exclude", ids[0]).number is None
    assert len(store.decisions.entries()) == 2


def test_a_dry_run_writes_nothing(store, ids):
    done = do(store, "exclude", ids[0], dry_run=True)
    assert (done.number, done.conversations) == (None, [ids[0]])
    assert store.decisions.entries() == []


def test_a_decision_outlives_a_new_import_of_its_conversation(store, workspace, ids, tmp_path):
    do(store, "exclude", ids[0])
    path = tmp_path / "later.json"
    path.write_bytes(gpt_export(gpt_talk(0, text="A longer question?")))
    assert import_export(path, store).updated == 1
    assert ids[0] not in held(seal(store, workspace))


def test_a_selection_may_be_ids_beginnings_and_searches_together(store, ids):
    assert selected(store, [ids[0]], Where(search="question 3")) == [ids[0], ids[3]]
    with pytest.raises(CurationError, match="no conversation is named"):
        selected(store, [], Where())
    with pytest.raises(StoreError, match="fits several"):
        selected(store, ["chatgpt-"], Where())


@pytest.mark.parametrize("tags", [[], [""]])
def test_a_tag_must_have_a_name(store, ids, tags):
    with pytest.raises(CurationError, match="no tag is named"):
        do(store, "tag", ids[0], tags=tags)


def test_the_command_line_decides_lists_and_undoes(tmp_path, capsys):
    home = str(tmp_path / "home")
    path = tmp_path / "conversations.json"
    path.write_bytes(gpt_export(*[gpt_talk(n, text=f"Question {n}?") for n in range(3)]))

    def told(*arguments: str) -> Any:
        assert run([*arguments, "--home", home, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    told("import", str(path))
    ids = [row["id"] for row in told("conversations")]
    would = told("exclude", "--search", "question 1", "--dry-run")
    assert (would["number"], would["conversations"]) == (None, [ids[1]])
    assert told("exclude", "--search", "question 1", "--reason", "why")["number"] == 1
    assert told("tag", ids[0], ids[2][:-2], "--tag", "good")["conversations"] == [ids[0], ids[2]]
    rows = told("conversations")
    assert [(row["excluded"], row["tags"]) for row in rows] == [
        (False, ["good"]), (True, []), (False, ["good"])
    ]  # fmt: skip
    assert told("undo")["action"] == "tag"
    assert told("include", ids[1])["conversations"] == [ids[1]]
    journal = told("decisions")
    assert [entry["action"] for entry in journal] == ["exclude", "tag", "tag", "undo", "include"]
    assert [entry["undone"] for entry in journal] == [False, True, True, False, False]
    assert journal[0]["conversation"] == ids[1]
    assert journal[0]["reason"] == "why"


def test_the_tables_of_decisions_are_readable(tmp_path, capsys):
    home = tmp_path / "home"
    path = tmp_path / "conversations.json"
    path.write_bytes(gpt_export(gpt_talk(0)))
    with open_store(Workspace(home).create().store) as store:
        import_export(path, store)
    for arguments in (["exclude", "chatgpt"], ["undo"], ["decisions"], ["conversations"]):
        assert run([*arguments, "--home", str(home)]) == 0
    shown = capsys.readouterr().out
    assert "1 conversations (decision 1)" in shown
    assert "undone" in shown
