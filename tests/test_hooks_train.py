"""A version is sealed: a training starts by itself, ends, and is told."""

import json
import shutil
from pathlib import Path

import pytest
from hooks_ground import SECRET, receiver, wait_until, write_hooks
from made import gpt_export, gpt_talk
from train_ground import tiny_base

from serve.announce import announce
from serve.cli import run
from train.hooks import flush as flushing
from train.hooks.event import PLACEHOLDERS, run_ended
from train.hooks.outbox import SETTLED, Outbox
from train.record import Failure, open_run

pytestmark = pytest.mark.torch

HOOKS = """
[[hook]]
name = "retrain"
on = ["dataset.sealed"]
train = "train.toml"

[[hook]]
name = "tell"
on = ["dataset.sealed", "run.finished", "run.failed"]
url = "{url}"
secret_file = "secret.txt"
"""
SPEC = """
dataset = "support@latest"
base_model = "base"
max_steps = 2
max_length = 256
grad_accumulation = 1
[lora]
r = 4
alpha = 8
"""


def test_a_sealed_version_is_trained_on_and_that_is_told(
    workspace, tmp_path: Path, capsys, monkeypatch
):
    def turnmill(*arguments: str) -> dict:
        capsys.readouterr()
        code = run([*arguments, "--json", "--home", str(workspace.home)])
        out, err = capsys.readouterr()
        assert code == 0, err
        return json.loads(out)

    export, spec = tmp_path / "conversations.json", tmp_path / "support.toml"
    export.write_bytes(gpt_export(*[gpt_talk(n) for n in range(40)]))
    spec.write_text('name = "support"\n[split]\nvalidation = 0.2\ntest = 0.2\n')
    tiny_base(workspace.home / "base")  # named by a path relative to the workspace
    (workspace.home / "train.toml").write_text(SPEC)
    (workspace.home / "secret.txt").write_text(SECRET)
    (workspace.home / "secret.txt").chmod(0o600)
    turnmill("import", str(export))
    with receiver() as door:
        write_hooks(workspace, HOOKS.format(url=door.url))
        version = turnmill("build", str(spec))
        sealed, outbox = door.came[0]["id"], Outbox(workspace)
        wait_until(lambda: outbox.read(sealed, "retrain").state in SETTLED, 500)
        log = (outbox.place(sealed, "retrain") / "log.txt").read_text()
        assert outbox.read(sealed, "retrain").state == "delivered", log
        record = open_run("latest", workspace)
        ran = outbox.find(door.came[1]["id"])
        assert ran.chain == ["retrain"]
        assert ran.data["run_id"] == record.run_id
        kinds = [each["json"]["type"] for each in door.came]
        assert kinds == ["dataset.sealed", "run.finished"]
        assert all(each["verified"] for each in door.came)
        assert {each["json"]["data"]["fingerprint"] for each in door.came} == {
            version["fingerprint"]
        }
        assert str(tmp_path).encode() not in b"".join(each["body"] for each in door.came)

        # whoever watched the run dies before it tells; a hook is not for what was before it
        shutil.rmtree(workspace.hooks / ran.id)
        monkeypatch.setattr(flushing, "_GRACE_S", 0.0)
        assert flushing.flush(workspace)[0].event == ran.id
        assert door.came[-1]["json"]["type"] == "run.finished"
        shutil.rmtree(workspace.hooks / ran.id)
        workspace.config.touch()
        assert flushing.flush(workspace) == []

        failure = Failure(kind="memory", message="/private/zwqx: no room", advice="less")
        broken = record.entered("failed", failure=failure)
        announce(lambda: run_ended(broken, workspace), workspace)
        assert door.came[-1]["json"]["type"] == "run.failed"
        assert door.came[-1]["json"]["data"]["failure"] == "memory"
        assert b"zwqx" not in door.came[-1]["body"]
        for event in outbox.events():
            assert set(PLACEHOLDERS[event.kind]) <= set(event.placeholders())
