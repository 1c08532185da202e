"""Several processes of one machine train as one does.

The processes are real ones on the CPU, joined by gloo: one run is killed under ``torchrun`` and
ended under ``accelerate launch``, and all checks look at it.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from safetensors.torch import load_file
from train_ground import small_spec, small_version, tiny_base

from ingest.errors import SpecError
from ingest.workspace import Workspace
from train.batch import split_batch
from train.checkpoints import latest
from train.distributed import (
    DistributedError,
    dealt,
    forget_failures,
    is_lost_peer,
    one_card,
    passes_each,
    peer_failure,
    require_room,
)
from train.launchers.export_accelerate import accelerate_configs
from train.launchers.local import LocalLauncher, environment, program
from train.launchers.local import _agreed as agreed
from train.order import step_rows
from train.plan import TrainPlan
from train.record import RunRecord, new_record, read_record
from train.run import prepare_run, start_run
from train.sft import run
from train.spec import LoraSpec, TrainSpec

pytestmark = [
    pytest.mark.torch,
    # trl 1.16 reads names that transformers 5.23 has renamed
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning"),
]
KILLED_AT = 6


def spec_of(base: Path, **more: object) -> TrainSpec:
    # 22 rows in micro batches of 2: the last step of an epoch leaves one process without rows.
    # No dropout: each process draws its own
    return small_spec(base, lora=LoraSpec(r=4, alpha=8, dropout=0.0), micro_batch=2,
                      epochs=4.0, **more)  # fmt: skip


class Runs(NamedTuple):
    """The same spec on one process, and on two of which one was killed on the way."""

    one: RunRecord
    two: RunRecord
    alone: list[dict]
    killed: list[dict]
    resumed: list[dict]
    failed: RunRecord
    left: list[int]
    checkpoint: int


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    home = tmp_path_factory.mktemp("home")
    workspace, base = Workspace(home), tiny_base(home / "base")
    small_version(workspace)
    alone: list[dict] = []
    one = run(prepare_run(spec_of(base), workspace, run_id="one"), alone.append, lambda: False)
    plan = prepare_run(spec_of(base, processes=2), workspace, run_id="two")
    failed, killed, left = killed_on_the_way(plan)
    checkpoint = latest(plan.run_dir / "checkpoints")[1].step
    resumed = under_accelerate(plan, home)
    return Runs(one, read_record(plan.run_dir), alone, killed, resumed, failed, left, checkpoint)


def killed_on_the_way(plan: TrainPlan) -> tuple[RunRecord, list[dict], list[int]]:
    """Kill the second process after a step; the record, the events, who still lives."""
    events: list[dict] = []
    ranks: dict[int, int] = {}

    def watch(event: dict) -> None:
        events.append(event)
        if event["event"] == "start":
            ranks.update(processes_of_run())
        if event["event"] == "step" and event["step"] == KILLED_AT:
            os.kill(ranks[1], signal.SIGKILL)

    record = LocalLauncher().launch(plan, watch)
    until = time.monotonic() + 20
    while (left := [pid for pid in ranks.values() if lives(pid)]) and time.monotonic() < until:
        time.sleep(0.1)
    return record, events, left


def processes_of_run() -> dict[int, int]:
    """Process ids of the run by rank: grandchildren of ours, started by torchrun."""
    (launcher,) = children(os.getpid())
    found = {}
    for pid in children(launcher):
        told = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        found |= {int(one[5:]): pid for one in told if one.startswith(b"RANK=")}
    return found


def children(pid: int) -> list[int]:
    told = subprocess.run(["pgrep", "-P", str(pid), "-f", "train.sft"], capture_output=True,
                          text=True, check=True)  # fmt: skip
    return [int(one) for one in told.stdout.split()]


def lives(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] not in "ZX"


def under_accelerate(plan: TrainPlan, home: Path) -> list[dict]:
    """Go on with a run, started by ``accelerate launch`` with the config written for it."""
    config = home / "ddp.yaml"
    config.write_text(accelerate_configs(plan)["ddp"])
    done = subprocess.run(
        [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(config),
         "-m", "train.sft", str(plan.run_dir / "plan.json")],
        env=environment(), capture_output=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:].decode()
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith(b"{")]


def losses(events: list[dict]) -> dict[int, float]:
    return {one["step"]: one["loss"] for one in events if one["event"] == "step"}


def test_the_loss_curve_is_that_of_one_process(runs: Runs) -> None:
    both = losses(runs.killed) | losses(runs.resumed)
    assert both == pytest.approx(losses(runs.alone), abs=1e-5)
    assert sorted(both) == list(range(1, runs.one.plan.steps + 1))


def test_the_adapter_is_that_of_one_process(runs: Runs) -> None:
    file = "adapter/adapter_model.safetensors"
    one, two = (load_file(each.plan.run_dir / file) for each in (runs.one, runs.two))
    assert one.keys() == two.keys()
    for name, weights in one.items():
        assert (weights - two[name]).abs().max() < 1e-5, name


def test_tokens_are_counted_over_all_processes(runs: Runs) -> None:
    assert runs.two.state == "succeeded"
    for name in ("step", "tokens", "trained_tokens"):
        assert runs.two.metrics[name] == runs.one.metrics[name]
    assert runs.two.metrics["tokens"] == runs.two.plan.tokens


def test_the_held_out_loss_is_that_of_one_process(runs: Runs) -> None:
    assert runs.two.metrics["eval_loss"] == pytest.approx(runs.one.metrics["eval_loss"], abs=1e-5)


def test_a_killed_process_ends_the_others_and_the_record_says_so(runs: Runs) -> None:
    assert runs.failed.state == "failed"
    assert runs.failed.failure.kind == "killed"
    assert runs.left == []
    assert max(losses(runs.killed)) < runs.one.plan.steps


def test_a_killed_run_goes_on_from_its_checkpoint(runs: Runs) -> None:
    start = next(one for one in runs.resumed if one["event"] == "start")
    assert start["from_step"] == runs.checkpoint >= 4


def test_one_process_alone_speaks(runs: Runs) -> None:
    told = (runs.two.plan.run_dir / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in told] == runs.killed + runs.resumed
    steps = [one["step"] for one in runs.resumed if one["event"] == "step"]
    assert steps == sorted(set(steps))
    assert [change.state for change in runs.two.states] == [
        "planned", "running", "failed", "running", "succeeded",
    ]  # fmt: skip


@pytest.mark.parametrize("rows", [1, 2, 7, 22, 24, 49])
@pytest.mark.parametrize(
    ("micro_batch", "passes", "size"), [(1, 2, 2), (2, 4, 2), (3, 4, 4), (2, 6, 3)]
)
def test_each_step_has_the_rows_of_a_run_on_one_process(rows, micro_batch, passes, size):
    from accelerate.data_loader import BatchSamplerShard
    from torch.utils.data import BatchSampler

    from train.order import epoch_order

    lengths = [8 + n * 5 % 17 for n in range(rows)]
    order = list(dealt(epoch_order(lengths, micro_batch, 0, 0), micro_batch, size))
    shares = [
        list(BatchSamplerShard(BatchSampler(order, micro_batch, drop_last=False), size, rank))
        for rank in range(size)
    ]
    assert len({len(share) for share in shares}) == 1
    wanted = list(step_rows(lengths, micro_batch, passes, 0, -(-rows // (micro_batch * passes))))
    each = passes // size
    for step, known in enumerate(wanted):
        seen = [
            row
            for share in shares
            for batch in share[step * each : (step + 1) * each]
            for row in batch
        ]
        # the silent row has the number after the last one
        assert sorted(row for row in seen if row < rows) == sorted(known)


def test_one_process_gets_its_rows_as_they_are():
    assert list(dealt([2, 0, 1], 2, 1)) == [2, 0, 1]


@pytest.fixture
def plan(tmp_path: Path) -> TrainPlan:
    workspace, base = Workspace(tmp_path), tiny_base(tmp_path / "base")
    small_version(workspace)
    return prepare_run(spec_of(base), workspace, run_id="r1")


def test_passes_that_cannot_be_shared_out_are_refused(plan: TrainPlan) -> None:
    assert passes_each(plan, 2) == 1
    with pytest.raises(DistributedError, match="among 3 processes") as caught:
        require_room(plan, 3)
    assert "divides 2" in caught.value.hint


def test_more_processes_than_cards_are_refused(plan: TrainPlan) -> None:
    device = plan.device.model_copy(update={"kind": "cuda"})
    with pytest.raises(DistributedError, match="2 processes, but 0 cards"):
        require_room(plan.model_copy(update={"device": device}), 2)


def test_the_record_of_a_refused_run_says_so(plan: TrainPlan, monkeypatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    record = run(plan, lambda _: None, lambda: False)
    assert record.state == "failed"
    assert "cannot be shared out among 3 processes" in record.failure.message


def test_a_process_that_does_not_speak_leaves_word_of_its_failure(plan, monkeypatch) -> None:
    monkeypatch.setattr("train.distributed._GRACE_S", 0.0)
    assert peer_failure(plan.run_dir, plan.run_id).kind == "killed"
    with monkeypatch.context() as second:
        second.setenv("WORLD_SIZE", "3")
        second.setenv("RANK", "1")
        events: list[dict] = []
        failed = run(plan, events.append, lambda: False)
    assert "cannot be shared out among 3 processes" in failed.failure.message
    # the first process writes the record, and takes over what the other said
    assert read_record(plan.run_dir).state == "planned"
    assert peer_failure(plan.run_dir, plan.run_id) == failed.failure
    forget_failures(plan.run_dir)
    assert peer_failure(plan.run_dir, plan.run_id).kind == "killed"


def test_only_a_lost_connection_counts_as_a_lost_process() -> None:
    assert is_lost_peer(RuntimeError("[../gloo/transport/tcp/pair.cc:547] Connection closed"))
    assert is_lost_peer(torch.distributed.DistBackendError("NCCL communicator was aborted"))
    assert not is_lost_peer(RuntimeError("shapes do not match"))
    assert not is_lost_peer(ValueError("gloo"))


def test_a_status_of_torchrun_says_less_than_the_record(plan: TrainPlan) -> None:
    several = new_record(plan.model_copy(update={"processes": 2}))
    stopped = several.entered("interrupted")
    assert agreed(stopped, 1, out_of_memory=False) == stopped
    lost = agreed(several.entered("running"), 1, out_of_memory=False)
    assert (lost.state, lost.failure.kind) == ("failed", "killed")
    # torchrun itself did not start
    assert agreed(several, 1, out_of_memory=False).failure.kind == "bug"


@pytest.mark.parametrize(("before", "after"), [(None, "0"), ("2,3", "2"), ("1", "1"), ("", "")])
def test_a_process_alone_sees_one_card(before, after, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if before is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", before)
    one_card()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == after


def test_several_processes_are_started_by_torchrun(plan: TrainPlan) -> None:
    file = str(plan.run_dir / "plan.json")
    assert program(plan) == ["-m", "train.sft", file]
    several = program(plan.model_copy(update={"processes": 4}))
    assert several == [
        "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=4",
        "-m", "train.sft", file,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "split"),
    [
        ({"processes": 2}, (2, 8)),
        ({"processes": 3}, (2, 9)),
        ({"processes": 8}, (2, 8)),
        ({"processes": 8, "effective_batch": 8}, (1, 8)),
        ({"processes": 2, "micro_batch": 16}, (16, 2)),
        ({"processes": 4, "effective_batch": 24}, (2, 12)),
    ],
)
def test_the_passes_of_a_step_divide_among_the_processes(asked, split):
    assert split_batch(TrainSpec(dataset="d", base_model="b", **asked)) == split


@pytest.mark.parametrize(
    "asked",
    [
        {"processes": 3, "effective_batch": 16},
        {"processes": 2, "micro_batch": 16, "effective_batch": 16},
        {"processes": 2, "micro_batch": 2, "grad_accumulation": 3},
    ],
)
def test_a_batch_that_does_not_divide_among_the_processes_is_refused(asked):
    with pytest.raises(SpecError, match="cannot be shared out"):
        split_batch(TrainSpec(dataset="d", base_model="b", **asked))


@pytest.mark.skipif(not os.environ.get("TURNMILL_SOAK"), reason="another run on two processes")
def test_ctrl_c_stops_all_processes_at_a_checkpoint(tmp_path: Path) -> None:
    workspace, base = Workspace(tmp_path), tiny_base(tmp_path / "base")
    small_version(workspace)

    def press(event: dict) -> None:
        if event["event"] == "step" and event["step"] == 2:
            os.kill(os.getpid(), signal.SIGINT)

    record = start_run(spec_of(base, processes=2), workspace, run_id="r1", on_event=press)
    assert record.state == "interrupted"
    assert latest(record.plan.run_dir / "checkpoints")[1].step >= 2
