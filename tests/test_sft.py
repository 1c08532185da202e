import json
import os
import resource
import signal
import subprocess
import sys
import time

import pytest
import torch
from train_ground import plain_loss, small_spec, small_version, stop_after, tiny_base, trained

from ingest.files import read_json, sha256_file, write_json
from train.checkpoints import SEAL, latest
from train.load import load_model
from train.order import step_rows
from train.plan import read_plan
from train.record import list_runs, open_run, read_record
from train.run import prepare_run, start_run
from train.trainer import load_rows

pytestmark = [
    pytest.mark.torch,
    # trl 1.16 reads names that transformers 5.23 has renamed
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning"),
]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny_base(tmp_path_factory.mktemp("base"))


@pytest.fixture
def plan(workspace, base):
    small_version(workspace)
    return prepare_run(small_spec(base), workspace, run_id="r1")


def test_a_run_ends_with_an_adapter_and_a_record(plan):
    record, events = trained(plan)
    assert record.state == "succeeded"
    assert record == read_record(plan.run_dir)
    assert [change.state for change in record.states] == ["planned", "running", "succeeded"]
    assert set(record.artefacts) == {
        "adapter/adapter_config.json",
        "adapter/adapter_model.safetensors",
    }
    for name, digest in record.artefacts.items():
        assert sha256_file(plan.run_dir / name) == digest
    assert record.metrics["eval_loss"] < record.metrics["eval_loss_before"]
    steps = [event for event in events if event["event"] == "step"]
    assert [event["step"] for event in steps] == list(range(1, plan.steps + 1))
    assert steps[-1]["tokens"] == plan.tokens
    assert steps[-1]["trained_tokens"] == plan.trained_tokens
    assert steps[-1]["seconds_left"] == 0


def test_no_stray_files(plan):
    trained(plan)
    assert sorted(file.name for file in plan.run_dir.iterdir()) == [
        "adapter", "checkpoints", "plan.json", "rendered", "run.json", "tensorboard",
    ]  # fmt: skip
    assert not list(plan.run_dir.rglob("README.md"))


def test_only_the_last_checkpoints_are_kept(plan):
    trained(plan)
    kept = sorted(folder.name for folder in (plan.run_dir / "checkpoints").iterdir())
    assert kept == ["checkpoint-12", "checkpoint-8"]


def test_the_loss_counts_exactly_the_masked_tokens(plan, base):
    _, events = trained(plan)
    first = next(event for event in events if event["event"] == "step")
    rows = load_rows(plan.run_dir / plan.splits["train"].file)
    lengths = [len(ids) for ids in rows["input_ids"]]
    order = step_rows(lengths, plan.micro_batch, plan.grad_accumulation, plan.seed, 1)
    model = load_model(str(base))
    total, count = 0.0, 0
    # the adapter starts as nothing, so the first loss is the base model's
    for row in next(order):
        ids, labels = torch.tensor(rows[row]["input_ids"]), rows[row]["labels"]
        with torch.no_grad():
            logits = model(ids[None]).logits[0]
        for at, label in enumerate(labels):
            if label != -100:
                total -= torch.log_softmax(logits[at - 1], -1)[label].item()
                count += 1
    assert first["loss"] == pytest.approx(total / count, rel=1e-5)
    assert first["trained_tokens"] == count


def test_the_held_out_loss_is_a_mean_over_trained_tokens(plan, base):
    record, _ = trained(plan)
    rows = load_rows(plan.run_dir / plan.splits["validation"].file)
    model = load_model(str(base))
    assert record.metrics["eval_loss_before"] == pytest.approx(plain_loss(model, rows), rel=1e-5)


@pytest.mark.parametrize("stopped_at", [3, 6, 9])
def test_a_resumed_run_gives_the_same_adapter_to_the_bit(workspace, base, stopped_at):
    # an epoch has 6 steps: the stops lie inside the first, at its end, inside the second
    small_version(workspace)
    whole = prepare_run(small_spec(base), workspace, run_id="whole")
    broken = prepare_run(small_spec(base), workspace, run_id="broken")
    straight, told = trained(whole)
    first, events = trained(broken, stop_after(stopped_at))
    assert first.state == "interrupted"
    assert events[-1] == {"event": "checkpoint", "step": stopped_at}
    second, rest = trained(broken)
    assert second.state == "succeeded"
    assert second.artefacts == straight.artefacts
    losses = [event["loss"] for event in told if event["event"] == "step"]
    both = [event["loss"] for event in events + rest if event["event"] == "step"]
    assert both == losses
    assert second.metrics["tokens"] == straight.metrics["tokens"]


def test_an_incomplete_or_altered_checkpoint_is_not_resumed(plan):
    trained(plan, stop_after(8))
    checkpoints = plan.run_dir / "checkpoints"
    assert latest(checkpoints)[0].name == "checkpoint-8"
    weights = checkpoints / "checkpoint-8" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    assert latest(checkpoints)[0].name == "checkpoint-4"
    (checkpoints / "checkpoint-4" / SEAL).unlink()
    assert latest(checkpoints) is None


def test_a_finished_run_is_not_trained_again(plan):
    first, _ = trained(plan)
    second, events = trained(plan)
    assert second == first
    assert events == []


def test_another_dataset_version_is_refused(plan):
    manifest = plan.dataset.path / "manifest.json"
    write_json(manifest, {**read_json(manifest), "fingerprint": "0" * 64})
    record, _ = trained(plan)
    assert record.state == "failed"
    assert "another dataset version" in record.failure.message


def test_another_chat_template_is_refused(workspace, tmp_path):
    small_version(workspace)
    other = tiny_base(tmp_path / "base")
    plan = prepare_run(small_spec(other), workspace, run_id="r1")
    template = other / "chat_template.jinja"
    template.write_text(template.read_text() + " ")
    record, _ = trained(plan)
    assert record.state == "failed"
    assert "another chat template" in record.failure.message


def test_altered_rendered_rows_are_refused(plan):
    rows = plan.run_dir / plan.splits["train"].file
    rows.write_bytes(rows.read_bytes() + b"x")
    record, _ = trained(plan)
    assert "not what was planned" in record.failure.message


def test_a_held_out_loss_that_is_no_number_ends_the_run(workspace, base):
    small_version(workspace)
    asked = small_spec(base, learning_rate=1e30, warmup_ratio=0, held_out={"every_steps": 1})
    record, events = trained(prepare_run(asked, workspace, run_id="r1"))
    assert record.failure.kind == "nan"
    assert "held-out" in record.failure.message
    assert all(event["loss"] is not None for event in events if event["event"] == "eval")


def test_a_loss_that_is_no_number_ends_the_run(workspace, base):
    small_version(workspace)
    plan = prepare_run(small_spec(base, learning_rate=1e30), workspace, run_id="r1")
    record, _ = trained(plan)
    assert record.state == "failed"
    assert record.failure.kind == "nan"


def command(plan):
    return [sys.executable, "-m", "train.sft", str(plan.run_dir / "plan.json")]


def test_a_full_disk_keeps_the_checkpoint_before_it_and_says_so(plan):
    trained(plan, stop_after(4))
    size = max(f.stat().st_size for f in (plan.run_dir / "checkpoints").rglob("*.pt"))

    def small_disk():
        # no file may grow beyond this: the kernel refuses the write as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, size // 2))

    done = subprocess.run(
        command(plan), capture_output=True, preexec_fn=small_disk, check=False, timeout=120
    )
    told = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 2
    assert told["event"] == "error"
    assert told["class"] == "disk"
    assert "no room to write" in told["message"]
    assert "free disk space" in told["hint"]
    assert b"Traceback" not in done.stderr
    assert latest(plan.run_dir / "checkpoints")[0].name == "checkpoint-4"
    assert read_record(plan.run_dir).failure.kind == "disk"


def test_an_interrupt_is_recorded_and_the_same_command_goes_on(plan):
    lines = []
    with subprocess.Popen(command(plan), stdout=subprocess.PIPE) as process:
        for line in process.stdout:
            lines.append(json.loads(line))
            if lines[-1]["event"] == "step" and lines[-1]["step"] == 2:
                os.kill(process.pid, signal.SIGINT)
    assert process.returncode == 130
    assert lines[-1]["event"] == "interrupted"
    assert read_record(plan.run_dir).state == "interrupted"
    record, events = trained(plan)
    assert record.state == "succeeded"
    assert events[0]["from_step"] >= 2


def test_the_local_launcher_follows_a_run_to_its_end(workspace, base):
    small_version(workspace)
    events = []
    record = start_run(small_spec(base), workspace, run_id="r1", on_event=events.append)
    assert record.state == "succeeded"
    kinds = {event["event"] for event in events}
    assert kinds >= {"render", "plan", "start", "step", "eval", "checkpoint", "succeeded"}
    logged = (workspace.runs / "r1" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in logged] == [
        event for event in events if event["event"] not in ("render", "plan")
    ]
    assert list_runs(workspace) == [record] == [open_run("r", workspace)]
    assert read_plan(record.plan.run_dir / "plan.json") == record.plan


def test_the_local_launcher_forwards_ctrl_c_once(workspace, base):
    small_version(workspace)
    events = []

    def press(event):
        events.append(event)
        if event["event"] == "step" and event["step"] == 2:
            os.kill(os.getpid(), signal.SIGINT)

    record = start_run(small_spec(base), workspace, run_id="r1", on_event=press)
    assert record.state == "interrupted"
    assert events[-1]["event"] == "interrupted"
    assert latest(record.plan.run_dir / "checkpoints")


def test_the_local_launcher_reads_the_exit_status_of_a_killed_run(workspace, base):
    small_version(workspace)

    def kill(event):
        if event["event"] == "start":
            children = subprocess.run(
                ["pgrep", "-P", str(os.getpid()), "-f", "train.sft"],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            os.kill(int(children.stdout.split()[0]), signal.SIGKILL)
            time.sleep(0.1)

    record = start_run(small_spec(base), workspace, run_id="r1", on_event=kill)
    assert record.state == "failed"
    assert record.failure.kind == "killed"
    again = start_run(small_spec(base), workspace, resume="r1")
    assert again.state == "succeeded"
