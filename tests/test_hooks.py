"""Hooks behind the commands: what leads to an event, and that no hook fails its cause."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hooks_ground import SECRET, hang, happened, posting, receiver, wait_until, write_hooks
from made import gpt_export, gpt_talk

from ingest.workspace import Workspace
from serve.cli import run
from train.hooks.emit import emit
from train.hooks.event import Fact, shown_name, shown_path
from train.hooks.flush import flush
from train.hooks.outbox import Outbox

ROOT = Path(__file__).parent.parent
Turnmill = Callable[..., "tuple[int, str, str]"]


@pytest.fixture
def door():
    with receiver() as opened:
        yield opened


@pytest.fixture
def turnmill(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> Turnmill:
    def turnmill_of(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run([*arguments, "--home", str(workspace.home)])
        return code, *capsys.readouterr()

    return turnmill_of


@pytest.fixture
def spec(workspace: Workspace, tmp_path: Path, turnmill: Turnmill) -> str:
    """Thirty conversations are imported; a spec for a version of them."""
    talks(tmp_path, turnmill, range(30))
    file = tmp_path / "support.toml"
    file.write_text('name = "support"\nsteps = ["has-assistant"]\n')
    return str(file)


def talks(tmp_path: Path, turnmill: Turnmill, numbers: range) -> None:
    export = tmp_path / "conversations.json"
    export.write_bytes(gpt_export(*[gpt_talk(n) for n in numbers]))
    assert turnmill("import", str(export))[0] == 0


def test_a_build_tells_of_its_version_and_of_no_text(workspace, turnmill, spec, door):
    posting(workspace, door.url)
    code, out, err = turnmill("build", spec, "--json")
    assert (code, "hook" in err) == (0, False)
    (came,) = door.came
    version = json.loads(out)
    assert came["verified"]
    data = came["json"]["data"]
    assert data["fingerprint"] == version["fingerprint"]
    assert data["splits"] == {k: v["conversations"] for k, v in version["splits"].items()}
    assert data["path"] == f"datasets/support/{version['fingerprint']}"
    _, shown, _ = turnmill("conversations", "--json")
    said = [json.loads(turnmill("show", each["id"], "--json")[1]) for each in json.loads(shown)[:5]]
    texts = [message["content"] for one in said for message in one["messages"]]
    assert texts
    assert all(text.encode() not in came["body"] for text in texts if text)
    assert str(workspace.home).encode() not in came["body"]


def test_a_version_that_is_there_already_is_told_once(workspace, turnmill, spec, door):
    posting(workspace, door.url)
    assert [turnmill("build", spec)[0] for _ in range(2)] == [0, 0]
    assert len(door.came) == 1


@pytest.mark.parametrize("fault", ["status", "file", "disk"])
def test_no_hook_fails_its_cause(workspace, turnmill, spec, door, fault):
    posting(workspace, door.url)
    if fault == "status":
        door.answers = [500]
    elif fault == "file":
        workspace.config.write_text("[[hook]\n")
    else:
        workspace.hooks.write_text("a file where the folder should be")
    code, out, err = turnmill("build", spec, "--json")
    assert code == 0
    assert json.loads(out)["fingerprint"]
    assert len([line for line in err.splitlines() if line.startswith("hook")]) == 1


def test_an_event_whose_hooks_could_not_be_read_is_kept(workspace, turnmill, spec, door):
    workspace.config.write_text("[[hook]\n")
    turnmill("build", spec)
    assert turnmill("hooks", "flush")[0] == 2  # still wrong
    posting(workspace, door.url)
    code, out, _ = turnmill("hooks", "flush", "--json")
    assert (code, [row["state"] for row in json.loads(out)]) == (0, ["delivered"])
    assert len(door.came) == 1


def test_a_kill_between_the_outbox_and_the_answer_loses_nothing(workspace, spec, door):
    posting(workspace, door.url, "timeout_s = 60")
    door.answers = [hang]
    command = [sys.executable, "-m", "serve.cli", "build", spec, "--home", str(workspace.home)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        door.wait_for(1)
        process.send_signal(signal.SIGKILL)
    (delivery,) = flush(workspace)
    assert delivery.state == "delivered"
    assert door.ids == [delivery.event] * 2
    assert all(each["verified"] for each in door.came)


def test_what_failed_is_tried_again_after_the_command_has_ended(workspace, door):
    posting(workspace, door.url, courier=True)
    door.answers = [500]
    emit(happened(), workspace)
    assert Outbox(workspace).read(happened().id, "tell").state == "pending"
    wait_until(lambda: Outbox(workspace).read(happened().id, "tell").state == "delivered")
    assert door.ids == [happened().id] * 2


def test_small_versions_add_up_until_enough_is_new(workspace, tmp_path, turnmill, spec, door):
    posting(workspace, door.url)
    text = workspace.config.read_text().replace(', "run.finished"', "") + "min_new = 25\n"
    workspace.config.write_text(text)
    told = []
    for numbers in (range(30), range(30, 42), range(42, 54), range(54, 70)):
        talks(tmp_path, turnmill, numbers)
        assert turnmill("build", spec)[0] == 0
        told.append(len(door.came))
    assert told == [1, 1, 1, 2]  # 30 at first; 12 and 24 are not enough, 40 are


@pytest.mark.parametrize(
    ("more", "data", "count"),
    [
        ('dataset = "sup*"', {}, 1),
        ('dataset = "other"', {}, 0),
        ('state = ["sealed"]', {}, 1),
        ('state = ["pass"]', {}, 0),
    ],
)
def test_conditions(workspace, door, more, data, count):
    posting(workspace, door.url, more)
    emit(happened(**data), workspace)
    emit(happened(2, "model.merged"), workspace)  # not asked for
    assert len(door.came) == count


def test_the_commands_list_check_and_test(workspace, turnmill, door):
    posting(workspace, door.url)
    code, out, _ = turnmill("hooks", "--json")
    (row,) = json.loads(out)
    assert (code, row["hook"], row["problem"]) == (0, "tell", None)
    assert "turnmill" not in row["does"]  # of an address only the host
    code, out, _ = turnmill("hooks", "test", "tell", "--json")
    assert (code, json.loads(out)[0]["state"]) == (0, "delivered")
    assert door.came[0]["json"]["type"] == "ping"
    door.answers = [500]
    assert turnmill("hooks", "test", "tell")[0] == 3
    assert turnmill("hooks", "flush", "--json")[1].strip() == "[]"  # nobody waits for a ping
    assert turnmill("hooks", "test", "other")[0] == 2
    (workspace.home / "secret.txt").chmod(0o644)
    code, _, err = turnmill("hooks")
    assert (code, "others may read" in err) == (3, True)


def test_the_commands_show_and_replay_deliveries(workspace, turnmill, door):
    posting(workspace, door.url)
    door.answers = [500]
    emit(happened(), workspace)
    emit(happened(2), workspace)
    code, out, _ = turnmill("hooks", "deliveries", "--json")
    rows = json.loads(out)
    assert [(row["event"], row["state"]) for row in rows] == [
        (happened(2).id, "delivered"), (happened().id, "pending"),
    ]  # fmt: skip
    assert rows[1]["attempts"][0]["status"] == 500
    assert len(json.loads(turnmill("hooks", "deliveries", "--limit", "1", "--json")[1])) == 1
    assert turnmill("hooks", "deliveries")[0] == 0
    assert run(["hooks", "--home", str(workspace.home), "deliveries"]) == 2  # not silently another
    code, out, _ = turnmill("hooks", "replay", happened().id[:20], "--json")
    assert (code, json.loads(out)[0]["state"]) == (0, "delivered")
    assert turnmill("hooks", "replay", "evt_")[0] == 2
    assert turnmill("hooks", "replay", happened().id, "--hook", "other")[0] == 2


def test_a_training_that_cannot_be_is_found_by_the_check(workspace, turnmill):
    hook = (
        '[[hook]]\nname = "t"\non = ["dataset.sealed"]\ntrain = "train.toml"\nlauncher = "moon"\n'
    )
    write_hooks(workspace, hook)
    assert "no such file" in json.loads(turnmill("hooks", "--json")[1])[0]["problem"]
    (workspace.home / "train.toml").write_text('dataset = "a"\nbase_model = "b"\n')
    assert "no launcher" in json.loads(turnmill("hooks", "--json")[1])[0]["problem"]


def test_the_receiver_of_the_page_takes_what_is_signed_and_nothing_else(workspace, tmp_path):
    page = (ROOT / "docs" / "hooks.md").read_text()
    (text,) = re.findall(r"<!-- receiver -->\n```python\n(.*?)```", page, re.DOTALL)
    assert len(text.splitlines()) <= 27
    program = tmp_path / "receiver.py"
    program.write_text(text.replace("serve_forever()", "serve_forever(0.02)"))
    with receiver() as free:
        port = free.port  # it was free a moment ago
    with subprocess.Popen(
        [sys.executable, str(program), SECRET, str(port)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        try:
            posting(workspace, f"http://127.0.0.1:{port}/")
            emit(happened(), workspace)
            wait_until(lambda: bool(flush_early(workspace, happened().id)))
            flush_early(workspace, happened().id, again=True)  # the same once more
            (workspace.home / "secret.txt").write_text(
                "another secret of thirty bytes".replace(" ", "-")
            )
            emit(happened(2), workspace)
            refused = Outbox(workspace).read(happened(2).id, "tell")
            assert refused.attempts[-1].status == 403
        finally:
            process.terminate()
        assert process.stdout is not None
        assert process.stdout.read().splitlines() == ["dataset.sealed"]


def flush_early(workspace: Workspace, event_id: str, *, again: bool = False) -> bool:
    from train.hooks.emit import attempt
    from train.hooks.spec import load_hooks

    outbox = Outbox(workspace)
    if again or outbox.read(event_id, "tell").state != "delivered":
        attempt(outbox.find(event_id), "tell", load_hooks(workspace), workspace, again=True)
    return outbox.read(event_id, "tell").state == "delivered"


def test_the_rest_of_a_path_outside_the_workspace_is_not_told(workspace, tmp_path):
    facts: list[Fact] = [
        shown_path(workspace.models / "m", workspace), shown_path(tmp_path / "out", workspace),
        shown_name("Qwen/Qwen3-4B"), shown_name(str(tmp_path)), shown_name("../private/name"),
    ]  # fmt: skip
    assert facts == ["models/m", "out", "Qwen/Qwen3-4B", tmp_path.name, "name"]


def test_without_a_file_nothing_is_written(workspace, turnmill, spec):
    assert turnmill("build", spec)[0] == 0
    assert not workspace.hooks.exists()
