"""The command line: one JSON document, exit codes, errors of two lines, what a kill leaves."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from made import gpt_export, gpt_message, gpt_talk, jsonl, node, record

from ingest.store import open_store
from serve import terminal
from serve.cli import run

CANARY = "zwqx canary zwqx"
ROOT = Path(__file__).parent.parent


class Done(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def turnmill(home: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Runs a command in this process, in the test's workspace."""

    def turnmill_of(*arguments: object) -> Done:
        capsys.readouterr()
        where = [] if arguments and str(arguments[0]).startswith("-") else ["--home", str(home)]
        code = run([*map(str, arguments), *(where if arguments else [])])
        return Done(code, *capsys.readouterr())

    return turnmill_of


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / "conversations.json").write_bytes(gpt_export(*[gpt_talk(n) for n in range(30)]))
    return folder


def two_lines(done: Done, *words: str) -> None:
    """It ended with what the user can mend: two lines on stderr and nothing on stdout."""
    assert (done.code, done.out) == (2, "")
    error, hint = done.err.splitlines()
    assert error.startswith("error: ")
    assert len(error) > 12
    assert hint.startswith("hint: ")
    assert len(hint) > 10
    for word in words:
        assert word in done.err


# -- commands ------------------------------------------------------------------------------------


def test_import_prints_its_counts(turnmill, exports):
    done = turnmill("import", exports / "conversations.json", "--json")
    assert (done.code, done.err) == (0, "")
    found = done.json
    (source,) = found.pop("sources")
    assert source.pop("path").endswith("conversations.json")
    assert len(source.pop("sha256")) == 64
    assert source == {"importer": "chatgpt"}
    assert found.pop("seconds") >= 0
    assert found == {
        "importer": "chatgpt", "read": 30, "stored": 30, "updated": 0, "unchanged": 0, "missing": 0,
        "rejected": 0, "skipped": 0, "messages": 60, "skipped_reasons": {}, "warnings": [],
    }  # fmt: skip


def test_import_of_several_paths_counts_them_together(turnmill, exports, tmp_path):
    other = tmp_path / "a.jsonl"
    other.write_bytes(jsonl(record(1), record(2)))
    found = turnmill("import", exports, other, "--json").json
    assert (found["importer"], found["stored"], len(found["sources"])) == ("mixed", 32, 2)


def test_import_that_quarantines_ends_with_3(turnmill, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl(record(1), b"{bad"))
    done = turnmill("import", path, "--json")
    assert (done.code, done.json["rejected"]) == (3, 1)
    (reject,) = turnmill("rejects", "--json").json
    assert set(reject) == {"source", "where", "reason", "hint"}
    assert reject["where"] == "a.jsonl: record 2"


def test_peoples_chats_say_that_nobody_is_the_assistant(turnmill, tmp_path):
    path = tmp_path / "chat.txt"
    path.write_text("31/01/2026, 10:00 - Anna: q\n31/01/2026, 10:01 - Bo: a\n")
    assert "--as-assistant" in turnmill("import", path, "--json").json["warnings"][0]
    found = turnmill("import", path, "--as-assistant", "Bo", "--json").json
    assert (found["updated"], found["warnings"]) == (1, [])


def test_a_date_order_is_taken(turnmill, tmp_path):
    path = tmp_path / "chat.txt"
    path.write_text("01/02/2026, 10:00 - Anna: q\n")
    two_lines(turnmill("import", path), "--date-order")
    assert turnmill("import", path, "--date-order", "mdy").code == 0
    (row,) = turnmill("conversations", "--json").json
    assert row["created_at"] == "2026-01-02T10:00:00"


def test_conversations_and_show(turnmill, exports):
    turnmill("import", exports)
    rows = turnmill("conversations", "--search", "answer 7", "--limit", 5, "--json").json
    assert [row["title"] for row in rows] == ["Talk 7"]
    found = turnmill("show", rows[0]["id"][:12], "--json").json
    assert found["content_hash"] == rows[0]["content_hash"]
    assert [message["role"] for message in found["messages"]] == ["user", "assistant"]
    assert {"reasoning", "tool_calls", "attachments", "parent_id"} <= set(found["messages"][0])
    assert turnmill("conversations", "--importer", "whatsapp", "--json").json == []


def test_show_leaves_side_branches_out_unless_asked(turnmill, tmp_path):
    talk = gpt_talk()
    talk["mapping"] |= node("b", "u", gpt_message("assistant", "aside"))
    path = tmp_path / "a.json"
    path.write_bytes(gpt_export(talk))
    turnmill("import", path)
    (row,) = turnmill("conversations", "--json").json
    assert len(turnmill("show", row["id"], "--json").json["messages"]) == 2
    assert len(turnmill("show", row["id"], "--branches", "--json").json["messages"]) == 3
    assert "aside" not in turnmill("show", row["id"]).out
    assert "aside" in turnmill("show", row["id"], "--branches").out


def test_build_and_versions(turnmill, exports, tmp_path):
    turnmill("import", exports)
    spec = tmp_path / "support.toml"
    spec.write_text('name = "support"\n')
    done = turnmill("build", spec, "--json")
    version = done.json
    assert done.code == 0
    assert sum(split["conversations"] for split in version["splits"].values()) == 30
    assert version["steps"][0]["in"] == 30
    assert (Path(version["path"]) / "manifest.json").is_file()
    assert turnmill("versions", "--json").json == [version]
    assert version["fingerprint"][:12] in turnmill("versions").out
    assert "has-assistant" in turnmill("build", spec).out


def test_formats_are_listed(capsys):
    assert run(["formats", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {"chatgpt", "openai", "whatsapp"} <= {row["name"] for row in rows}
    assert all(row["kind"] and row["title"] and row["needs"] for row in rows)
    assert run(["formats"]) == 0
    assert "whatsapp" in capsys.readouterr().out


def test_every_list_of_an_empty_workspace_is_empty(turnmill):
    for command in ("conversations", "rejects", "versions"):
        assert turnmill(command, "--json")[:2] == (0, "[]\n")
        assert turnmill(command).code == 0


def test_an_import_is_shown_to_people_too(turnmill, exports):
    done = turnmill("import", exports)
    assert (done.code, done.err) == (0, "")
    assert "30 conversations, 60 messages" in done.out


def test_home_is_taken_from_the_environment(exports, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TURNMILL_HOME", str(tmp_path / "elsewhere"))
    assert run(["import", str(exports), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["stored"] == 30
    assert (tmp_path / "elsewhere" / "store.duckdb").is_file()


# -- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nope"], ["'nope'", "--help"]),
        (["--nope"], ["--nope", "--help"]),
        (["formats", "--nope"], ["--nope"]),
        (["import"], ["paths"]),
        (["show"], ["ID"]),
        (["conversations", "--limit", "0"], ["--limit"]),
        (["conversations", "--limit", "many"], ["--limit"]),
        (["import", "x", "--date-order", "ydm"], ["--date-order ydm", "dmy"]),
        (["import", "nowhere.zip"], ["nowhere.zip: no such file"]),
        (["import", "x", "--format", "nope"], ["x: no such file"]),
        (["show", "nothing"], ["nothing: no such conversation", "turnmill conversations"]),
        (["build", "none.toml"], ["none.toml: no such file"]),
    ],
)
def test_what_the_user_can_mend_is_two_lines(turnmill, arguments, words):
    two_lines(turnmill(*arguments), *words)


def test_a_home_that_cannot_be(turnmill, home):
    home.touch()
    two_lines(turnmill("conversations"), "--home")


def test_an_error_with_line_ends_stays_two_lines(turnmill):
    two_lines(turnmill("import", "no\nwhere\x1b[31m[bold].zip"), "[bold]")


def test_no_arguments_give_the_help(turnmill):
    done = turnmill()
    assert done.code == 0
    assert "import" in done.out


def test_the_version(turnmill):
    done = turnmill("--version")
    assert done.code == 0
    assert done.out.startswith("turnmill ")


def test_a_bug_of_ours_is_a_traceback(turnmill, exports, monkeypatch):
    monkeypatch.setattr("ingest.load.perf_counter", None)
    with pytest.raises(TypeError):
        turnmill("import", exports)


# -- private text --------------------------------------------------------------------------------


def canaries(tmp_path: Path) -> list[Path]:
    """Exports whose good and bad records all hold the canary in their texts."""
    bad_talk = gpt_talk(1, CANARY)
    bad_talk["mapping"]["u"]["message"]["author"] = CANARY
    talks = gpt_export(gpt_talk(0, CANARY), bad_talk, {"mapping": CANARY}, CANARY)  # type: ignore[arg-type]
    files = {
        "a.json": talks[:-1] + b', {"title": "' + CANARY.encode() + b', "mapping": {}}]',
        "b.jsonl": jsonl(
            record(1, CANARY), {"messages": [{"role": "user", "content": {CANARY: 1}}]}, CANARY,
            {"messages": [{"role": "user", "content": CANARY, "name": [CANARY]}]},
            b'{"' + CANARY.encode() + b'": ', {"messages": CANARY},
        ),
        "c.txt": f"31/01/2026, 10:00 - Anna: {CANARY}\n{CANARY}\n".encode(),
        "d.txt": f"01/02/2026, 10:00 - Anna: {CANARY}\n".encode(),
        "e.md": CANARY.encode(),
    }  # fmt: skip
    paths = [tmp_path / name for name in files]
    for path in paths:
        path.write_bytes(files[path.name])
    return paths


@pytest.mark.slow
def test_no_error_reject_or_log_holds_text_of_a_message(turnmill, tmp_path, caplog):
    codes, rejects = [], []
    for path in canaries(tmp_path):
        for form in ([], ["--format", "openai"], ["--format", "chatgpt"]):
            done = turnmill("import", path, *form)
            codes.append(done.code)
            assert CANARY not in done.out + done.err
            if done.code == 3:
                rejects += [row["reason"] for row in turnmill("rejects", "--json").json]
    assert set(codes) == {0, 2, 3}
    assert len(set(rejects)) > 8
    assert CANARY not in "".join(rejects)
    assert CANARY not in caplog.text
    assert turnmill("conversations", "--search", CANARY, "--json").json  # it did arrive


def test_text_of_an_export_does_not_command_the_terminal(turnmill, tmp_path):
    evil = "\x1b]0;pwned\x07 \x9b31m [bold]x[/bold] \\[b] \u4e2d"
    path = tmp_path / "a.json"
    path.write_bytes(gpt_export(gpt_talk(1, evil, title=evil)))
    turnmill("import", path)
    (row,) = turnmill("conversations", "--json").json
    for done in (turnmill("conversations"), turnmill("show", row["id"])):
        assert done.code == 0
        assert not {"\x1b", "\x07", "\x9b"} & set(done.out)
        assert "[bold]" in done.out


def test_numbers_beyond_64_bits_are_printed(capsys):
    terminal.print_json({"n": 2**70, "x": float("nan"), "t": "\u00e9"})
    assert json.loads(capsys.readouterr().out) == {"n": 2**70, "x": None, "t": "\u00e9"}


# -- processes -----------------------------------------------------------------------------------

COMMAND = [sys.executable, "-m", "serve.cli"]
LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
from serve.cli import run
sys.exit(run(sys.argv[2:]))
"""


def process(*arguments: object, command: list[str] = COMMAND) -> Done:
    done = subprocess.run(
        [*command, *map(str, arguments)],
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


def stored(home: Path) -> list[tuple[str, str]]:
    with open_store(home / "store.duckdb") as store:
        return [(conversation.id, hash_) for conversation, hash_, _ in store.stream()]


def big_export(path: Path, count: int) -> Path:
    texts = ("".join(chr(97 + (n * i * 31 + i * i) % 26) for i in range(900)) for n in range(count))
    path.write_bytes(gpt_export(*[gpt_talk(n, text) for n, text in enumerate(texts)]))
    return path


@pytest.mark.slow
def test_a_full_disk_leaves_the_store_as_it_was(home, exports, tmp_path, turnmill):
    turnmill("import", exports)
    before = stored(home)
    path = big_export(tmp_path / "big.json", 1000)
    arguments = ("import", path, "--home", home, "--json")
    two_lines(process(1 << 20, *arguments, command=[sys.executable, "-c", LIMITED]), "disk space")
    assert stored(home) == before
    assert turnmill("import", path, "--json").json["stored"] == 970
    assert len(stored(home)) == 1000


@pytest.mark.slow
def test_ctrl_c_in_the_middle_leaves_the_store_as_it_was(home, exports, tmp_path, turnmill):
    turnmill("import", exports)
    before = stored(home)
    path = big_export(tmp_path / "big.json", 4000)
    log = home / "store.duckdb.wal"
    arguments = [*COMMAND, "import", str(path), "--home", str(home), "--json"]
    with subprocess.Popen(
        arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        wait_for(lambda: locked(home / "store.duckdb"))
        time.sleep(0.05)  # a little way into the import
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
    assert child.returncode in (130, -signal.SIGINT)  # a shell shows both as 130
    assert out == ""
    assert err == "interrupted; run the same command again to go on\n"
    assert not log.exists() or log.stat().st_size == 0
    assert stored(home) == before
    assert turnmill("import", path, "--json").json["stored"] == 3970


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def locked(path: Path) -> bool:
    """Whether another process holds the store, as a second command would find out."""
    import fcntl

    with path.open("rb+") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        fcntl.lockf(file, fcntl.LOCK_UN)
        return False


HOLD = """
import sys
from pathlib import Path
from ingest.store import open_store
with open_store(Path(sys.argv[1])):
    print("open", flush=True)
    sys.stdin.read()
"""


def test_a_store_that_another_process_has_open_is_two_lines(home, exports, turnmill):
    turnmill("import", exports)
    command = [sys.executable, "-c", HOLD, str(home / "store.duckdb")]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"open\n"
        two_lines(turnmill("conversations"), "another process")
        other.stdin.close()
    assert turnmill("conversations").code == 0


def test_a_reader_that_goes_away_is_no_bug(home, exports, turnmill):
    turnmill("import", exports)
    with subprocess.Popen(
        [*COMMAND, "conversations", "--home", str(home), "--json"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as child:  # fmt: skip
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.returncode == 141
