import json
import subprocess
import sys

import pytest
import torch
from train_ground import seal_version, small_spec, talk, tiny_base

from ingest.workspace import Workspace
from train import memory_bound
from train.plan import read_plan
from train.record import read_record
from train.run import prepare_run
from train.sft import run
from train.spec import LoraSpec
from train.step_down import HELD_OUT, RunSetup, next_setup

GIB = 2**30

pytestmark = [
    pytest.mark.torch,
    # trl 1.16 reads names that transformers 5.23 has renamed
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning"),
]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny_base(tmp_path_factory.mktemp("base"))


def planned(workspace, base, run_id="r1", **more):
    asked = {
        "micro_batch": 4, "grad_accumulation": 2, "epochs": 1.0, "checkpointing": False,
        # dropout falls otherwise on other micro batches
        "lora": LoraSpec(r=4, alpha=8, dropout=0.0), "save_every_steps": 2, "max_length": 512,
    }  # fmt: skip
    return prepare_run(small_spec(base, **{**asked, **more}), workspace, run_id=run_id)


def sealed(workspace):
    # rows of unequal length, the longest over 128 tokens
    train = [talk(n, 1 + 2 * (n % 6)) for n in range(22)]
    return seal_version(workspace, {"train": train, "validation": [talk(n) for n in range(50, 53)]})


@pytest.fixture
def version(workspace):
    return sealed(workspace)


@pytest.fixture(scope="module")
def peak(tmp_path_factory, base):
    """GiB of live tensors at the peak of a run's first step, by its micro batch."""
    workspace = Workspace(tmp_path_factory.mktemp("measured"))
    sealed(workspace)
    found = {}

    class Measured(memory_bound._Bound):
        def add(self, tensor, category):
            super().add(tensor, category)
            found[rows] = max(found.get(rows, 0.0), self.total / GIB)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory_bound, "_Bound", Measured)
        for rows in (4, 2, 1):
            asked = {"micro_batch": rows, "grad_accumulation": 1, "checkpointing": rows == 1}
            plan = planned(workspace, base, f"rows{rows}", eval=False, **asked)
            run(plan, lambda event: None, lambda: True, memory_limit_gib=1.0)
    return found


def trained(plan, limit=None, emit=lambda event: None):
    """To the end: each time memory runs out the same call goes on, as a new program would."""
    events = []

    def told(event):
        events.append(event)
        emit(event)

    record = run(plan, told, lambda: False, limit)
    while record.state == "running":
        record = run(plan, told, lambda: False, limit)
    return record, events


def losses(events):
    return {event["step"]: event["loss"] for event in events if event["event"] == "step"}


def rungs(record):
    return [change.after for change in record.changes]


def test_a_run_without_enough_memory_takes_smaller_batches_and_learns_the_same(
    workspace, version, base, peak
):
    whole, told = trained(planned(workspace, base, "whole"))
    record, events = trained(planned(workspace, base, "bounded"), (peak[4] + peak[2]) / 2)
    assert record.state == "succeeded"
    assert rungs(record) == [
        RunSetup(micro_batch=2, grad_accumulation=4, checkpointing=False, max_length=512)
    ]
    assert [change.during for change in record.changes] == ["burn-in"]
    assert losses(events).keys() == losses(told).keys()
    for step, loss in losses(told).items():
        assert losses(events)[step] == pytest.approx(loss, rel=1e-4)
    assert record.metrics["trained_tokens"] == whole.metrics["trained_tokens"]


def test_every_rung_and_the_refusal_after_the_last(workspace, version, base):
    plan = planned(workspace, base, allow_shorter=True, eval=False)
    record, events = trained(plan, 0.001)
    assert [str(after) for after in rungs(record)] == [
        "micro batch 2 x 4, length 512",
        "micro batch 1 x 8, length 512",
        "micro batch 1 x 8, length 512, checkpointing",
        "micro batch 1 x 8, length 192, checkpointing",
        "micro batch 1 x 8, length 96, checkpointing",
        "micro batch 1 x 8, length 64, checkpointing",
    ]
    assert [event["after"] for event in events if event["event"] == "step_down"] == [
        str(after) for after in rungs(record)
    ]
    assert record.failure.kind == "out-of-memory"
    assert "micro batch 1 x 8, length 64, checkpointing" in record.failure.message
    assert "a smaller base model" in record.failure.advice
    assert read_record(plan.run_dir) == record


def test_rows_are_cut_shorter_only_where_the_plan_allows_it(workspace, version, base, peak):
    # with one row, its activations recomputed
    limit = 0.7 * peak[1]
    refused, _ = trained(planned(workspace, base, "refused", eval=False), limit)
    assert refused.failure.kind == "out-of-memory"
    allowed = planned(workspace, base, "allowed", eval=False, allow_shorter=True)
    record, events = trained(allowed, limit)
    assert record.state == "succeeded"
    assert rungs(record)[-1].max_length < 512
    (cut,) = [event for event in events if event["event"] == "shortened"]
    assert cut["rows_cut"] > 0
    lost = allowed.trained_tokens - record.metrics["trained_tokens"]
    assert lost == cut["trained_tokens_lost"] > 0


def test_memory_that_runs_out_between_checkpoints_goes_on_from_the_last(workspace, version, base):
    whole, told = trained(planned(workspace, base, "whole", epochs=2.0))
    left = [torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")]

    def full_once(event):
        if event["event"] == "step" and event["step"] == 5 and left:
            raise left.pop()

    record, events = trained(planned(workspace, base, "broken", epochs=2.0), emit=full_once)
    (change,) = record.changes
    assert (change.during, change.step, change.after.micro_batch) == ("training", 5, 2)
    assert change.reason == "CUDA out of memory. Tried to allocate 2.00 GiB"
    assert [e["from_step"] for e in events if e["event"] == "start"] == [0, 4]
    for step, loss in losses(told).items():
        assert losses(events)[step] == pytest.approx(loss, rel=1e-4)
    assert record.metrics["tokens"] == whole.metrics["tokens"]


def test_the_program_goes_on_in_a_new_one_under_the_same_number(workspace, version, base, peak):
    plan = planned(workspace, base)
    limit = ["--memory-limit", str((peak[4] + peak[2]) / 2)]
    command = [sys.executable, "-m", "train.sft", str(plan.run_dir / "plan.json"), *limit]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        out, error = process.communicate(timeout=240)
    assert process.returncode == 0, error.decode()[-2000:]
    events = [json.loads(line) for line in out.splitlines()]
    kinds = [event["event"] for event in events]
    assert kinds.count("start") == 2
    assert kinds[-1] == "succeeded"
    logged = (plan.run_dir / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in logged] == events
    record = read_record(plan.run_dir)
    assert record.process.pid == process.pid
    assert [change.state for change in record.states] == [
        "planned", "running", "running", "succeeded",
    ]  # fmt: skip


@pytest.mark.parametrize("micro_batch", [1, 2, 3, 6, 8, 12])
def test_the_rows_of_a_step_are_never_changed(workspace, version, base, micro_batch):
    plan = read_plan(planned(workspace, base, allow_shorter=True).run_dir / "plan.json")
    now = RunSetup(
        micro_batch=micro_batch, grad_accumulation=2, checkpointing=False, max_length=512
    )
    seen = [now]
    while now := next_setup(plan, now, 300, "training"):
        seen.append(now)
    assert {one.micro_batch * one.grad_accumulation for one in seen} == {2 * micro_batch}
    assert seen[-1].max_length == 64
    assert seen[-1].checkpointing
    assert len(set(map(str, seen))) == len(seen)


def test_the_held_out_loss_is_helped_by_smaller_batches_only(workspace, version, base):
    plan = planned(workspace, base, allow_shorter=True)
    one = RunSetup(micro_batch=1, grad_accumulation=8, checkpointing=False, max_length=512)
    assert next_setup(plan, one, 300, HELD_OUT) is None
