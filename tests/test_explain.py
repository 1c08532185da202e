"""``turnmill import --explain``: which importer reads a file and why; nothing is stored."""

import contextlib
import json
import shlex
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import SAMPLES
from made import gpt_export, gpt_talk, jsonl, record

from serve.cli import run

CHAT = "31/01/2026, 10:00 - Anna: q\n31/01/2026, 10:01 - Bo: a\n31/01/2026, 10:02 - Anna: q2\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def explain(home: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    def explained(*arguments: object, code: int = 0) -> Any:
        capsys.readouterr()
        words = ["import", "--explain", *map(str, arguments), "--home", str(home), "--json"]
        assert run(words) == code
        out, err = capsys.readouterr()
        return json.loads(out) if out else err

    return explained


def write(path: Path, data: bytes | str) -> Path:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def test_an_export_is_explained(explain, home, tmp_path, capsys):
    path = write(tmp_path / "a.json", gpt_export(gpt_talk(4), gpt_talk(5)))
    found = explain(path)
    assert found["file"] == str(path)
    assert found["shape"]["kind"] == "array"
    assert found["shape"]["first_keys"][:2] == ["title", "create_time"]
    assert [each["name"] for each in found["importers"]] == ["chatgpt"]
    assert 0 < found["importers"][0]["certainty"] <= 1
    assert (found["chosen"], found["needs"], found["looked_at"]) == ("chatgpt", [], 2)
    assert not home.exists()

    assert run(["import", str(path), "--home", str(home), "--json"]) == 0
    assert run(["show", found["first"]["id"], "--home", str(home), "--json"]) == 0
    shown = capsys.readouterr().out
    assert found["first"] == json.loads(shown[shown.index('{\n  "id"') :])


def test_peoples_chats_need_somebody_to_be_the_assistant(explain, tmp_path):
    path = write(tmp_path / "chat.txt", CHAT)
    found = explain(path)
    assert found["shape"]["kind"] == "text"
    assert found["shape"]["first_keys"] == []  # the first line of a chat is no header
    assert found["participants"] == [
        {"name": "Anna", "id": None, "messages": 2, "is_assistant": False},
        {"name": "Bo", "id": None, "messages": 1, "is_assistant": False},
    ]
    (need,) = found["needs"]
    assert "--as-assistant" in need
    assert "Anna (2), Bo (1)" in need
    assert explain(path, "--as-assistant", "Bo")["needs"] == []


def test_the_saved_people_are_used(explain, home, tmp_path):
    path = write(tmp_path / "chat.txt", CHAT)
    assert run(["people", "--assistant", "Bo", "--home", str(home)]) == 0
    found = explain(path)
    assert found["needs"] == []
    assert [m["role"] for m in found["first"]["messages"]] == ["user", "assistant", "user"]


def test_what_must_be_said_before_it_can_be_read_is_a_need(explain, tmp_path):
    path = write(tmp_path / "chat.txt", "01/02/2026, 10:00 - Anna: q\n")
    found = explain(path)
    assert (found["chosen"], found["first"]) == ("whatsapp", None)
    assert "--date-order" in found["needs"][0]
    assert explain(path, "--date-order", "dmy")["first"] is not None


def test_a_table_that_nobody_recognises_shows_its_columns(explain, tmp_path):
    path = write(tmp_path / "a.csv", "ticket,author,body\n1,user,hi\n")
    found = explain(path)
    assert (found["importers"], found["chosen"], found["first"]) == ([], None, None)
    assert found["shape"]["first_keys"] == ["ticket", "author", "body"]
    assert "--map role=" in found["needs"][0]
    found = explain(path, "--map", "role=author", "--map", "content=body")
    assert found["chosen"] == "mapped"
    assert found["first"]["messages"][0]["content"] == "hi"
    assert "columns: ticket, author, body" in explain(
        path, "--map", "role=author", "--map", "content=text", code=2
    )


def test_a_database_shows_its_tables(explain, tmp_path):
    with sqlite3.connect(tmp_path / "a.db") as database:
        database.execute("CREATE TABLE ticket (id, body)")
    database.close()
    found = explain(tmp_path / "a.db")
    assert (found["shape"]["kind"], found["shape"]["first_keys"]) == (
        "sqlite",
        ["ticket: id, body"],
    )


def test_text_that_nobody_recognises(explain, tmp_path):
    found = explain(write(tmp_path / "a.md", "just words\n"))
    assert found["chosen"] is None
    assert "turnmill formats" in found["needs"][0]


def test_what_is_left_out_of_a_zip_and_what_is_rejected_is_told(explain, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("a.jsonl", jsonl(record(1), b"{bad"))
        file.writestr("../b.jsonl", b"")
    found = explain(tmp_path / "a.zip")
    assert found["shape"]["skipped"] == [
        {"name": "../b.jsonl", "reason": "its name leads out of the archive"}
    ]
    assert [each["where"] for each in found["rejects"]] == ["a.jsonl: record 2"]


def test_a_folder_of_exports_explains_its_first(explain, tmp_path):
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / "notes").mkdir()
    write(folder / "a.txt", CHAT)
    assert explain(folder)["chosen"] == "whatsapp"


def test_a_folder_without_any_export(explain, tmp_path):
    folder = tmp_path / "exports"
    folder.mkdir()
    found = explain(folder)
    assert (found["shape"]["kind"], found["shape"]["what"]) == ("empty", "an empty folder")


def test_a_wrong_format_says_which_one_is_right(explain, tmp_path):
    path = write(tmp_path / "a.json", gpt_export(gpt_talk()))
    found = explain(path, "--format", "whatsapp")
    assert (found["chosen"], found["first"], found["command"]) == ("whatsapp", None, None)
    assert found["needs"] == [
        "whatsapp finds nothing in it; leave --format out: chatgpt recognises this file"
    ]
    assert "did you mean chatgpt?" in explain(path, "--format", "chatgtp", code=2)


def test_a_mapping_for_a_file_that_needs_none_says_so(explain, tmp_path):
    path = write(tmp_path / "a.json", gpt_export(gpt_talk()))
    told = explain(path, "--map", "role=author", "--map", "content=body", code=2)
    assert "no such column" in told
    assert "or leave --map out: chatgpt recognises this file" in " ".join(told.split())


def test_what_can_be_typed_to_import_it(explain, home, tmp_path):
    path = write(tmp_path / "a chat.txt", CHAT)
    words = shlex.split(explain(path, "--as-assistant", "Bo", "--tz", "Europe/Berlin")["command"])
    assert words[:3] == ["turnmill", "import", str(path)]
    assert run([*words[1:], "--home", str(home)]) == 0


def test_the_rows_of_a_log_are_seen(explain, tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "a.db")) as application:
        application.execute("PRAGMA journal_mode = WAL")
        application.execute("CREATE TABLE ticket (id, body)")
        application.commit()
        assert explain(tmp_path / "a.db")["shape"]["first_keys"] == ["ticket: id, body"]


def test_the_file_that_is_shown_is_the_one_that_is_read(explain):
    found = explain(SAMPLES / "copilot")
    assert found["shape"]["file"].endswith(".csv")
    assert found["shape"]["first_keys"] == ["Conversation", "Time", "Author", "Message"]


def test_one_side_of_a_talk_needs_nobody_to_be_the_assistant(explain):
    assert explain(SAMPLES / "discord-package" / "package")["needs"] == []


def test_two_paths_or_none_are_refused(explain, tmp_path):
    assert "one at a time" in explain("a", "b", code=2)
    assert "no such file" in explain(tmp_path / "none", code=2)


def test_it_is_told_to_people_too(home, tmp_path, capsys):
    path = write(tmp_path / "chat.txt", CHAT)
    assert run(["import", "--explain", str(path), "--home", str(home)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "chosen whatsapp - WhatsApp chat export (text, zip)" in out
    assert "holds 1 conversation, 3 messages" in out
    assert f"Nothing was stored. To import it: turnmill import {path}" in out
    assert "--as-assistant" in out
    assert "q2" in out


@pytest.mark.parametrize(
    "folder", sorted(path.parent for path in SAMPLES.glob("*/expected.jsonl")),
    ids=lambda folder: folder.name,
)  # fmt: skip
def test_every_sample_is_explained(explain, folder):
    found = explain(folder)
    wanted = json.loads((folder / "expected.jsonl").read_text().splitlines()[0])["importer"]
    assert wanted in {found["chosen"], *(each["name"] for each in found["importers"])}
