"""Two versions side by side: what is said to have changed is what changed, and nothing else."""

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import gpt_export, gpt_message, gpt_talk, node

from dataset.build import build
from dataset.diff import DiffError, VersionDiff, diff_versions
from dataset.diff_rows import diff_messages, diff_rows
from dataset.diff_words import diff_words
from dataset.manifest import DatasetSpec, DatasetVersion, SplitSpec
from ingest.load import import_export
from ingest.message import conversation_id
from ingest.store import Store
from ingest.workspace import Workspace
from serve.cli import run

Seal = Callable[..., DatasetVersion]


def id_of(number: int) -> str:
    return conversation_id("chatgpt", f"conv-{number}")


def talk(number: int, text: str, answer: str, time: float = 0.0) -> dict[str, Any]:
    return gpt_talk(number) | {
        "mapping": {
            **node("u", None, gpt_message("user", text), "a"),
            **node("a", "u", gpt_message("assistant", answer, create_time=1.7e9 + time)),
        }
    }


@pytest.fixture
def put(store: Store, tmp_path: Path) -> Callable[..., None]:
    """Imports conversations; later ones replace earlier ones of their number."""
    count = 0

    def puts(*talks: dict[str, Any]) -> None:
        nonlocal count
        count += 1
        path = tmp_path / f"{count}.json"
        path.write_bytes(gpt_export(*talks))
        import_export(path, store)

    return puts


@pytest.fixture
def seal(store: Store, workspace: Workspace) -> Seal:
    def sealed(**spec: Any) -> DatasetVersion:
        split = SplitSpec(validation=0, test=0)
        return build(store, DatasetSpec(**{"name": "d", "split": split, **spec}), workspace)

    return sealed


def test_a_version_does_not_differ_from_itself(put, seal):
    put(*[gpt_talk(n) for n in range(5)])
    version = seal()
    diff = diff_versions(version, version)
    assert (diff.added, diff.removed, diff.moved, diff.rules, diff.steps) == ([], [], [], [], [])
    assert (diff.changed_count, list(diff.changed()), diff.unchanged) == (0, [], 5)


def test_conversations_are_added_removed_and_changed(put, seal, store):
    put(talk(1, "One?", "First."), talk(2, "Two?", "Second."), talk(3, "Three?", "Third."))
    before = seal()
    put(talk(2, "Two?", "Second, again.", time=9), talk(4, "Four?", "Fourth."))
    store.delete([store.find(id_of(3))[0]])
    diff = diff_versions(before, seal())
    assert [held.id for held in diff.added] == [id_of(4)]
    assert [held.id for held in diff.removed] == [id_of(3)]
    (change,) = diff.changed()
    assert change.id == id_of(2)
    assert diff.unchanged == 1
    (message,) = change.messages
    assert (message.op, message.before_at, message.after_at) == ("changed", 1, 1)
    assert message.fields == ("content",)
    assert message.before is not None
    assert message.after is not None
    assert (message.before["content"], message.after["content"]) == ("Second.", "Second, again.")
    assert set(change.fields) == {"content_hash"}


def test_the_other_way_round_added_and_removed_change_places(put, seal):
    put(talk(1, "One?", "First."))
    one = seal()
    put(talk(2, "Two?", "Second."))
    other = seal()
    assert diff_versions(one, other).added == diff_versions(other, one).removed


def test_a_conversation_in_another_split_has_moved_and_need_not_have_changed(put, seal):
    put(*[talk(n, f"{n}?", f"{n}.") for n in range(40)])
    before = seal()
    diff = diff_versions(before, seal(split=SplitSpec(validation=0.5, test=0)))
    assert 5 < len(diff.moved) < 35
    assert {(move.before, move.after) for move in diff.moved} == {("train", "validation")}
    assert (diff.changed_count, diff.unchanged, diff.added, diff.removed) == (0, 40, [], [])


def test_rules_and_steps_that_differ_are_named(put, seal):
    put(talk(1, "One?", "First."), talk(2, "One?", "First."))
    before = seal(steps=["has-assistant", "dedupe-exact"])
    after = seal(steps=["has-assistant"], where={"importers": ["chatgpt"]}, seed=7)
    diff = diff_versions(before, after)
    rules = {rule.rule: (rule.before, rule.after) for rule in diff.rules}
    assert rules["where.importers"] == ([], ["chatgpt"])
    assert rules["seed"] == (0, 7)
    assert rules["order of steps"] == (["has-assistant", "dedupe-exact"], ["has-assistant"])
    assert rules["steps.dedupe-exact"][1] is None
    assert set(rules) == {"where.importers", "seed", "order of steps", "steps.dedupe-exact"}
    (step,) = diff.steps
    assert (step.name, step.after) == ("dedupe-exact", None)
    assert step.before is not None
    assert step.before.kept == 1


def test_an_option_of_a_step_that_differs_is_a_rule_that_differs(put, seal):
    put(talk(1, "Write to ann@example.org of GB33BUKB20201555555555", "I will."))
    before = seal(steps=[{"name": "redact", "kinds": ["email"]}])
    after = seal(steps=[{"name": "redact", "kinds": ["email", "iban"]}])
    (rule,) = diff_versions(before, after).rules
    assert rule == ("steps.redact.kinds", ["email"], ["email", "iban"])


def test_what_redaction_did_is_counted_and_marked(put, seal):
    put(talk(1, "Write to ann@example.org and bob@example.org", "I will."))
    diff = diff_versions(seal(steps=[]), seal(steps=[{"name": "redact", "kinds": ["email"]}]))
    (change,) = diff.changed()
    assert change.redaction == {"EMAIL": 2}
    assert [message.redaction_only for message in change.messages] == [True]
    back = diff_versions(diff.after, diff.before)
    (change,) = back.changed()
    assert change.redaction == {"EMAIL": -2}
    assert [message.redaction_only for message in change.messages] == [True]


def test_rows_far_apart_are_found_in_their_row_groups(put, seal, monkeypatch):
    monkeypatch.setattr("dataset.seal.ROW_GROUP", 3)
    put(*[talk(n, f"{n}?", f"{n}.") for n in range(20)])
    before = seal()
    put(*[talk(n, f"{n}?", f"{n}!", time=5) for n in range(20, -1, -1) if n % 4 == 0])
    changes = {change.id: change for change in diff_versions(before, seal()).changed()}
    assert set(changes) == {id_of(n) for n in range(0, 20, 4)}
    for n in range(0, 20, 4):
        (message,) = changes[id_of(n)].messages
        assert message.before is not None
        assert message.after is not None
        assert (message.before["content"], message.after["content"]) == (f"{n}.", f"{n}!")


def test_versions_of_two_kinds_are_not_compared(put, seal):
    put(talk(1, "One?", "First."))
    version = seal()
    spec = version.spec.model_copy(update={"kind": "preference"})
    other = version.model_copy(update={"spec": spec})
    with pytest.raises(DiffError, match="chat rows"):
        diff_versions(version, other)


# -- one conversation -----------------------------------------------------------------------------


def said(role: str, content: str, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


def test_messages_are_added_and_removed_where_they_stand():
    a, b, c, d = (said("user", text) for text in "abcd")
    changes = [
        (x.op, x.before_at, x.after_at) for x in diff_messages("messages", [a, b], [a, c, b])
    ]
    assert changes == [("added", None, 1)]
    changes = [
        (x.op, x.before_at, x.after_at) for x in diff_messages("messages", [a, d, b], [a, b])
    ]
    assert changes == [("removed", 1, None)]


def test_a_message_of_another_role_is_another_message():
    before, after = [said("user", "a")], [said("assistant", "a")]
    assert [x.op for x in diff_messages("messages", before, after)] == ["removed", "added"]


def test_every_field_that_differs_is_named():
    before, after = (
        said("user", "a", name=None, train=None),
        said("user", "b", name="A", train=None),
    )
    (change,) = diff_messages("messages", [before], [after])
    assert change.fields == ("content", "name")
    assert not change.redaction_only


@pytest.mark.parametrize(
    ("before", "after", "only"),
    [
        ("to ann@x.org now", "to [EMAIL_1] now", True),
        ("to [EMAIL_1] now", "to ann@x.org now", True),
        ("Ann met Bob", "Person_1 met Person_2", True),
        ("to ann@x.org now", "to [EMAIL_1] later", False),
        ("to ann@x.org now", "to nobody now", False),
        ("[EMAIL_1] and [EMAIL_1]", "[EMAIL_1] and [EMAIL_2]", True),
    ],
)
def test_a_change_of_placeholders_only_is_told_from_others(before, after, only):
    (change,) = diff_messages("messages", [said("user", before)], [said("user", after)])
    assert change.redaction_only is only


def test_a_pair_is_compared_column_by_column():
    row = {"id": "p", "prompt": [said("user", "q")], "chosen": [said("assistant", "a")]}
    before = {**row, "rejected": [said("assistant", "b")]}
    after = {**row, "rejected": [said("assistant", "c")]}
    (change,) = diff_rows(before, after, ("train", "train")).messages
    assert (change.column, change.op) == ("rejected", "changed")


words = st.lists(st.sampled_from(["a", "b ", "[EMAIL_1]", "\n", "word ", "é", "x y"])).map("".join)


@given(words | st.text(), words | st.text())
def test_the_pieces_of_a_word_diff_make_up_both_texts(before, after):
    parts = diff_words(before, after)
    assert "".join(part.text for part in parts if part.kind != "added") == before
    assert "".join(part.text for part in parts if part.kind != "removed") == after
    assert all(part.text for part in parts)


def test_only_the_words_that_differ_are_marked():
    parts = diff_words("I will send it on Monday.", "I will send it on Friday.")
    assert [part for part in parts if part.kind != "same"] == [
        ("removed", "Monday"), ("added", "Friday")
    ]  # fmt: skip


def test_long_texts_are_compared_by_lines():
    lines = [f"line {n} of a long text\n" for n in range(3000)]
    changed = [line.replace("long", "short") if n % 3 else line for n, line in enumerate(lines)]
    parts = diff_words("".join(lines), "".join(changed))
    assert "".join(part.text for part in parts if part.kind != "removed") == "".join(changed)


# -- the command ----------------------------------------------------------------------------------


@pytest.fixture
def two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """A workspace with two versions: one changed, one removed by redaction of its text, one new."""
    home = str(tmp_path / "home")
    spec = tmp_path / "d.toml"
    spec.write_text('name = "d"\n[split]\nvalidation = 0\ntest = 0\n')
    for number, talks in enumerate(
        (
            [talk(1, "<script>alert(1)</script> & One?", "First \x1b]0;x\x07 answer.")],
            [talk(1, "<script>alert(1)</script> & One?", "Other answer.", time=5), gpt_talk(2)],
        )
    ):
        path = tmp_path / f"{number}.json"
        path.write_bytes(gpt_export(*talks))
        assert run(["import", str(path), "--home", home]) == 0
        assert run(["build", str(spec), "--home", home]) == 0
    capsys.readouterr()
    return home


def fingerprints(home: str) -> list[str]:
    folders = Path(home, "datasets", "d").iterdir()
    made = {
        json.loads((each / "manifest.json").read_text())["created_at"]: each for each in folders
    }
    return [f"d@{made[time].name[:12]}" for time in sorted(made)]


def test_the_json_document_names_everything(two, capsys):
    assert run(["diff", *fingerprints(two), "--home", two, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [held["id"] for held in found["added"]] == [id_of(2)]
    assert found["removed"] == []
    (change,) = found["changed"]
    assert change["id"] == id_of(1)
    (message,) = change["messages"]
    assert (message["op"], message["role"], message["fields"]) == (
        "changed", "assistant", ["content"]
    )  # fmt: skip
    assert message["after"]["content"] == "Other answer."
    assert found["unchanged"] == 0


def test_no_change_is_a_json_document_too(two, capsys):
    version = fingerprints(two)[0]
    assert run(["diff", version, version, "--home", two, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["changed"] == []


def test_the_terminal_shows_words_and_obeys_no_escape_sequence(two, capsys):
    assert run(["diff", *fingerprints(two), "--home", two]) == 0
    shown = capsys.readouterr().out
    assert "{+Other" in shown
    assert "[-First" in shown
    assert "\x1b]0" not in shown
    assert id_of(2) in shown


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [name for name, _ in attrs if name in ("src", "href", "srcset", "action")]


def test_the_page_stands_alone_and_runs_nothing(two, tmp_path, capsys):
    file = tmp_path / "diff.html"
    assert run(["diff", *fingerprints(two), "--home", two, "--html", str(file)]) == 0
    text = file.read_text("utf-8")
    page = _Page()
    page.feed(text)
    assert page.links == []
    assert {"script", "img", "link", "iframe", "object"} & set(page.tags) == set()
    assert "http" not in re.sub(r"http-equiv", "", text)
    assert "default-src 'none'" in text
    assert id_of(2) in text
    assert "<del>First" in text
    assert "<ins>Other" in text


def test_the_page_escapes_what_people_wrote(two, tmp_path):
    before, after = fingerprints(two)
    file = tmp_path / "diff.html"
    spec = tmp_path / "none.toml"
    spec.write_text('name = "other"\nsteps = []\n[split]\nvalidation = 0\ntest = 0\n')
    assert run(["exclude", id_of(1), "--home", two]) == 0
    assert run(["build", str(spec), "--home", two]) == 0
    assert run(["diff", before, after, "--home", two, "--html", str(file)]) == 0
    assert "<script" not in file.read_text("utf-8")


def test_a_limit_leaves_out_changed_conversations_and_says_so(put, seal, tmp_path):
    from serve.commands import diff as commands

    put(*[talk(n, f"{n}?", f"{n}.") for n in range(6)])
    before = seal()
    put(*[talk(n, f"{n}?", f"{n}!", time=5) for n in range(6)])
    found: VersionDiff = diff_versions(before, seal())
    commands.write_page(found, tmp_path / "few.html", 2)
    text = (tmp_path / "few.html").read_text("utf-8")
    assert text.count("<summary><code>chatgpt-") == 2
    assert "and 4 more" in text
