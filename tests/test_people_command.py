"""``turnmill people``: who takes part, who is one person, who is the assistant from now on."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made import gpt_export, gpt_talk

from ingest.errors import StoreError
from ingest.people_map import PeopleMap, load_people
from serve.cli import run

CHAT = "31/01/2026, 10:00 - Anna: q\n31/01/2026, 10:01 - Bo: a\n31/01/2026, 10:02 - Anna: q2\n"
LATER = "27/02/2026, 10:00 - Anna: x\n27/02/2026, 10:01 - Bo Miller: y\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def turnmill(home: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    def turnmill_of(*arguments: object, code: int = 0) -> Any:
        capsys.readouterr()
        assert run([*map(str, arguments), "--home", str(home), "--json"]) == code
        out, err = capsys.readouterr()
        return json.loads(out) if out else err

    return turnmill_of


@pytest.fixture
def chats(tmp_path: Path) -> tuple[Path, Path]:
    paths = tmp_path / "one.txt", tmp_path / "two.txt"
    for path, text in zip(paths, (CHAT, LATER), strict=True):
        path.write_text(text)
    return paths


def of(rows: list[dict[str, Any]], *keys: str) -> list[tuple[Any, ...]]:
    return [tuple(row[key] for key in keys) for row in rows]


def test_people_are_counted(turnmill, chats, tmp_path):
    (tmp_path / "gpt.json").write_bytes(gpt_export(gpt_talk()))
    turnmill("import", *chats, tmp_path / "gpt.json")
    rows = turnmill("people")
    assert of(rows, "name", "conversations", "messages") == [
        ("Anna", 2, 3), ("Bo", 1, 1), ("Bo Miller", 1, 1),
    ]  # fmt: skip
    assert rows[0] == {
        "name": "Anna", "conversations": 2, "messages": 3, "assistant_messages": 0,
        "importers": ["whatsapp"], "aliases": [], "is_assistant": False,
    }  # fmt: skip


def test_an_empty_workspace_has_no_people(turnmill):
    assert turnmill("people") == []


def test_two_names_become_one_person(turnmill, chats, home):
    turnmill("import", *chats)
    rows = turnmill("people", "--alias", "Bo Miller", "--of", "Bo")
    assert of(rows, "name", "conversations", "messages", "aliases") == [
        ("Anna", 2, 3, []), ("Bo", 2, 2, ["Bo Miller"]),
    ]  # fmt: skip
    assert json.loads((home / "people.json").read_text()) == {
        "people": [{"name": "Bo", "aliases": ["Bo Miller"], "is_assistant": False}]
    }


def test_imports_use_the_saved_assistant_under_every_name(turnmill, chats):
    turnmill("people", "--alias", "Bo Miller", "--of", "Bo", "--assistant", "Bo")
    assert turnmill("import", *chats)["warnings"] == []
    rows = turnmill("people")
    assert of(rows, "name", "assistant_messages", "is_assistant") == [
        ("Anna", 0, False), ("Bo", 2, True),
    ]  # fmt: skip


def test_an_assistant_named_for_one_import_is_known_by_the_aliases_too(turnmill, chats):
    turnmill("people", "--alias", "Bo Miller", "--of", "Bo")
    turnmill("import", *chats, "--as-assistant", "Bo Miller")
    assert of(turnmill("people"), "name", "assistant_messages")[1] == ("Bo", 2)


def test_choosing_later_changes_what_is_stored_at_the_next_import(turnmill, chats):
    turnmill("import", *chats)
    turnmill("people", "--assistant", "Bo")
    report = turnmill("import", *chats)
    assert (report["updated"], report["unchanged"]) == (1, 1)
    turnmill("people", "--not-assistant", "Bo")
    assert turnmill("import", *chats)["updated"] == 1


def test_people_are_shown_to_people_too(chats, home, capsys):
    assert run(["import", str(chats[0]), "--home", str(home)]) == 0
    assert run(["people", "--home", str(home), "--assistant", "Bo"]) == 0
    out, err = capsys.readouterr()
    assert "People (2)" in out
    assert "import the exports again" in err


@pytest.mark.parametrize(
    "arguments",
    [["--alias", "A"], ["--of", "A"], ["--alias", "A", "--of", "A"], ["--assistant", ""]],
)
def test_what_makes_no_sense_is_refused(turnmill, arguments):
    assert turnmill("people", *arguments, code=2).count("\n") == 2


def test_a_map_that_is_none_is_refused(turnmill, home):
    home.mkdir()
    (home / "people.json").write_text('{"people": 1}')
    assert "people.json" in turnmill("people", code=2)


def test_aliases_of_aliases_are_one_person():
    found = PeopleMap().with_alias("b", "a").with_alias("d", "c").with_assistant(
        "d", is_assistant=True
    )  # fmt: skip
    found = found.with_alias("b", "d")
    (person,) = found.people
    assert (person.name, set(person.aliases), person.is_assistant) == ("c", {"a", "b", "d"}, True)
    assert found.with_alias("a", "c") == found
    assert set(found.assistants()) == {"a", "b", "c", "d"}
    assert PeopleMap().assistants(("x", "x")) == ("x",)


def test_somebody_of_whom_nothing_is_said_is_not_kept():
    found = PeopleMap().with_assistant("a", is_assistant=True)
    assert found.with_assistant("a", is_assistant=False) == PeopleMap()


def test_no_map_is_an_empty_map(tmp_path):
    assert load_people(tmp_path / "none.json") == PeopleMap()
    (tmp_path / "bad.json").write_bytes(b"\xff")
    with pytest.raises(StoreError):
        load_people(tmp_path / "bad.json")
