"""Hooks that run a program: what it sees, how it ends, and what never runs."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hooks_ground import happened, wait_until, write_hooks

from ingest.errors import SpecError
from ingest.workspace import Workspace
from train.hooks.emit import emit
from train.hooks.flush import flush
from train.hooks.outbox import Delivery, Outbox
from train.hooks.spec import load_hooks

ROOT = Path(__file__).parent.parent
SEES = """
import json, os, sys
print(json.dumps({"env": dict(os.environ), "argv": sys.argv[1:], "cwd": os.getcwd(),
                  "stdin": json.load(sys.stdin)}))
"""


def running(workspace: Workspace, script: str, more: str = "", *arguments: str) -> None:
    command = json.dumps([sys.executable, "-c", script, *arguments])
    write_hooks(
        workspace,
        f'[[hook]]\nname = "do"\non = ["dataset.sealed"]\ncommand = {command}\n{more}\n',
    )


def told(workspace: Workspace, event=None) -> Delivery:
    event = event or happened()
    emit(event, workspace)
    return Outbox(workspace).read(event.id, "do")


def log(workspace: Workspace) -> str:
    return (workspace.hooks / happened().id / "do" / "log.txt").read_text()


def test_a_command_sees_what_its_hook_names_and_no_token(workspace, monkeypatch):
    for name in ("HF_TOKEN", "RUNPOD_API_KEY", "OTHER"):
        monkeypatch.setenv(name, "zwqx")
    monkeypatch.setenv("WANTED", "yes")
    running(workspace, SEES, 'env = ["WANTED", "NOT_SET"]')
    assert told(workspace).state == "delivered"
    seen = json.loads(log(workspace))["env"]
    assert seen["WANTED"] == "yes"
    assert seen["TURNMILL_HOOK_CHAIN"] == "do"
    ours = {"PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "WANTED", "TURNMILL_HOME"}
    assert set(seen) <= ours | {"TURNMILL_HOOK_CHAIN", "LC_CTYPE", "__CF_USER_TEXT_ENCODING"}


def test_placeholders_stay_one_argument_and_the_event_is_on_stdin(workspace):
    running(workspace, SEES, "", "{path}", "{event_id}", '{"a": 1}', "{other}", "$HOME")
    odd = "datasets/a b; rm -rf $HOME `x`"
    event = happened(path=odd)
    emit(event, workspace)
    seen = json.loads((workspace.hooks / event.id / "do" / "log.txt").read_text())
    assert seen["argv"] == [odd, event.id, '{"a": 1}', "{other}", "$HOME"]
    assert seen["cwd"] == os.path.realpath(workspace.home)
    assert seen["stdin"]["data"]["dataset"] == "support"


def test_a_command_that_fails_is_not_run_again(workspace):
    running(workspace, "print('ran'); raise SystemExit(7)")
    delivery = told(workspace)
    assert delivery.state == "failed"
    assert (delivery.attempts[0].status, delivery.attempts[0].error) == (7, "exit 7")
    assert flush(workspace) == []
    assert log(workspace) == "ran\n"


def test_a_command_may_be_tried_again_if_its_hook_says_so(workspace):
    script = (
        "import pathlib; f = pathlib.Path('n'); n = f.exists(); f.touch(); raise SystemExit(not n)"
    )
    running(workspace, script, "attempts = 2")
    assert told(workspace).state == "pending"
    from serve.commands.hooks import replay

    (row,) = replay(happened().id[4:16], None, workspace)
    assert row["state"] == "delivered"


def test_a_command_that_is_not_there(workspace):
    write_hooks(workspace, '[[hook]]\nname="do"\non=["dataset.sealed"]\ncommand=["no-such-thing"]')
    assert told(workspace).attempts[0].error == "no such program"


def alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    if status.exists():
        return status.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return subprocess.run(["ps", "-p", str(pid)], capture_output=True, check=False).returncode == 0


def test_a_command_that_hangs_is_ended_with_all_it_started(workspace):
    write_hooks(
        workspace,
        '[[hook]]\nname = "do"\non = ["dataset.sealed"]\ntimeout_s = 1.0\n'
        'command = ["sh", "-c", "sleep 600 & echo $!; wait"]\n',
    )
    delivery = told(workspace)
    assert delivery.attempts[0].error == "timeout"
    child = int(log(workspace))
    wait_until(lambda: not alive(child))


def test_a_command_cut_short_by_our_death_is_written_down_and_not_run_again(workspace):
    script = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    running(workspace, script, "timeout_s = 900")
    code = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "from hooks_ground import happened; from train.hooks.emit import emit\n"
        "from ingest.workspace import Workspace; from pathlib import Path\n"
        f"emit(happened(), Workspace(Path({str(workspace.home)!r})))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    place = workspace.hooks / happened().id / "do"
    wait_until(lambda: (place / "log.txt").exists() and log(workspace).endswith("\n"))
    started = Outbox(workspace).read(happened().id, "do")
    assert started.state == "running"
    assert flush(workspace)[0].state == "running"  # its process lives: it is left alone
    process.kill()
    process.wait()
    (delivery,) = flush(workspace)
    assert (delivery.state, delivery.attempts[-1].error) == ("failed", "interrupted")
    os.kill(int(log(workspace)), signal.SIGKILL)  # one line: it ran once


@pytest.mark.parametrize(
    ("chain", "word"), [("do", "circle"), ("a,do,b", "circle"), ("a,b,c", "depth"), ("a,b", None)]
)
def test_circles_and_long_chains_are_refused(workspace, monkeypatch, chain, word):
    monkeypatch.setenv("TURNMILL_HOOK_CHAIN", chain)
    running(workspace, "print('ran')")
    delivery = told(workspace)
    if word is None:
        assert delivery.state == "delivered"
    else:
        assert delivery.state == "refused"
        assert word in (delivery.attempts[0].error or "")


def test_a_command_that_does_what_it_follows_from_stops_by_itself(workspace):
    # each emits an event of its own, which would lead to the next
    script = (
        "import os, sys; sys.path.insert(0, 'tests'); os.chdir(sys.argv[1])\n"
        "sys.path.insert(0, 'tests')\n"
        "from hooks_ground import happened; from train.hooks.emit import emit\n"
        "from ingest.workspace import Workspace; from pathlib import Path\n"
        "emit(happened(5), Workspace(Path(sys.argv[2])))"
    )
    running(workspace, script, "", str(ROOT), str(workspace.home))
    assert told(workspace).state == "delivered"
    second = Outbox(workspace).read(happened(5).id, "do")
    assert (second.state, second.attempts[0].error) == ("refused", "circle: do -> do")


FAULTS = """
[[hook]]
name = "Bad Name"
on = ["dataset.sold"]
url = "http://example.org/x"
secret = "in the open"

[[hook]]
name = "two"
on = ["run.finished"]
command = ["a"]
train = "b.toml"

[[hook]]
name = "c"
on = ["dataset.sealed"]
command = ["x", "--run={path}", "{run_id}"]
"""


def test_all_faults_of_the_file_are_named_at_once(workspace):
    workspace.config.write_text(FAULTS)
    with pytest.raises(SpecError) as caught:
        load_hooks(workspace)
    text = caught.value.message
    for word in (
        "hook.0.name", "hook.0.on.0", "hook.0.secret: Extra inputs", "use https",
        "one of url, command and train", "{path} stands alone", "{run_id} is not known",
    ):  # fmt: skip
        assert word in text
    assert "in the open" not in text


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ('url = "https://user:pw@example.org"\nsecret_env = "A"', "no user name"),
        ('url = "https://exa mple.org"\nsecret_env = "A"', "without blanks"),
        ('url = "ftp://example.org"\nsecret_env = "A"', "begins with https"),
        ('url = "https://example.org:x"\nsecret_env = "A"', "ort"),
        ('url = "http://127.0.0.1.example.org"\nsecret_env = "A"', "use https"),
        ('url = "https://a..b"\nsecret_env = "A"', "abel"),
        ('url = "https://example.org"', "needs one of secret_file"),
        ('url = "https://example.org"\nsecret_env = "whsec_c2VjcmV0IQ=="', "the name of a var"),
        ('url = "https://example.org"\nsecret_env = "A"\nenv = ["B"]', "env is for command"),
        ('command = ["a"]\nenv = ["B=1"]', "names only"),
        ('command = ["{path}"]', "no placeholder"),
        ('command = ["a\\u0000"]', "no NUL"),
        ('train = "t.toml"\nattempts = 3', "no timeout_s and attempts"),
    ],
)
def test_what_a_hook_may_not_say(workspace, line, word):
    workspace.config.write_text(f'[[hook]]\nname = "a"\non = ["dataset.sealed"]\n{line}')
    with pytest.raises(SpecError) as caught:
        load_hooks(workspace)
    assert word in caught.value.message
    assert "c2VjcmV0" not in caught.value.message


def test_two_processes_at_once_deliver_once(workspace):
    running(workspace, "import time; print('ran', flush=True); time.sleep(1)")
    outbox = Outbox(workspace)
    outbox.put(happened().model_copy(update={"hooks": ["do"]}))
    code = (
        "from pathlib import Path; from ingest.workspace import Workspace\n"
        "from train.hooks.flush import flush\n"
        f"flush(Workspace(Path({str(workspace.home)!r})))"
    )
    started = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) for _ in range(3)]
    assert [process.wait(60) for process in started] == [0, 0, 0]
    assert log(workspace) == "ran\n"
