"""A run that is killed without warning, again and again, ends as one that never was."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from train_ground import WORDS, message, seal_version, small_spec, talk, tiny_base

from ingest.files import sha256_file
from ingest.workspace import Workspace
from train.record import read_record
from train.run import prepare_run
from train.spec import HeldOutSpec, LoraSpec

pytestmark = pytest.mark.torch

KILLS = 10
SEED = 20_261_124


@pytest.fixture(scope="module")
def server():
    """A process that forks one run after another."""
    program = [sys.executable, str(Path(__file__).with_name("fork_server.py"))]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent),
                   "OMP_NUM_THREADS": "1"}  # fmt: skip
    with subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
    ) as process:
        yield process
        process.stdin.close()


def attempt(server, plan, **more):
    """One program from its start to its end, whatever that is: its events and its status."""
    server.stdin.write(json.dumps({"plan": str(plan.run_dir / "plan.json"), **more}) + "\n")
    server.stdin.flush()
    told = []
    for line in server.stdout:
        event = json.loads(line)
        if event["event"] == "ended":
            return told, event["status"]
        told.append(event)
    raise AssertionError("the server is gone")


def other(n):
    """A conversation that nothing like it is trained on: what is learned of others harms it."""
    dice = random.Random(n)
    return [message(role, " ".join(dice.choices(WORDS, k=6))) for role in ("user", "assistant")]


@pytest.fixture(scope="module")
def plans(tmp_path_factory):
    workspace = Workspace(tmp_path_factory.mktemp("home")).create()
    train = [talk(n, 1 + n % 3) for n in range(22)]
    seal_version(workspace, {"train": train, "validation": [other(n) for n in range(5)]})
    base = tiny_base(tmp_path_factory.mktemp("base"))
    spec = small_spec(
        base,
        lora=LoraSpec(r=4, alpha=8, dropout=0.2),
        micro_batch=1,
        grad_accumulation=2,
        save_every_steps=3,
        learning_rate=0.05,
        held_out=HeldOutSpec(every_steps=2),
    )
    return {name: prepare_run(spec, workspace, run_id=name) for name in ("whole", "killed")}


@pytest.fixture(scope="module")
def straight(server, plans):
    told, status = attempt(server, plans["whole"])
    assert status == 0
    return told


@pytest.fixture(scope="module")
def killed(server, plans):
    """Events of all attempts of a run that was killed ``KILLS`` times, and the steps of the kills.

    Each time some milliseconds after a step: in one, in a held-out loss, in a checkpoint.
    """
    dice = random.Random(SEED)
    plan, told, kills = plans["killed"], [], []
    for kill_at in sorted(dice.choices(range(1, plan.steps - 4), k=KILLS)):
        events, status = attempt(server, plan, kill_at=kill_at, wait_s=dice.uniform(0, 0.03))
        assert status == -signal.SIGKILL
        told += events
        kills.append(max(event["step"] for event in events if event["event"] == "step"))
    rest, status = attempt(server, plan)
    assert status == 0
    return told + rest, kills


def values(told, kind, *names):
    """What was told of each step; told again after a kill it must be the same."""
    found = {}
    for event in told:
        if event["event"] == kind:
            value = tuple(event[name] for name in names if name in event)
            assert found.setdefault(event["step"], value) == value
    return found


def test_the_run_was_killed_all_over(plans, killed):
    _, kills = killed
    assert len(kills) == KILLS
    assert len(set(kills)) >= 6
    assert min(kills) <= 4
    assert max(kills) >= plans["killed"].steps - 8


def test_the_losses_are_the_same_to_the_bit(plans, straight, killed):
    one = values(straight, "step", "loss", "grad_norm", "lr", "tokens", "trained_tokens")
    assert sorted(one) == list(range(1, plans["whole"].steps + 1))
    assert values(killed[0], "step", "loss", "grad_norm", "lr", "tokens", "trained_tokens") == one


def test_the_held_out_losses_and_what_they_decide_are_the_same(straight, killed):
    one = values(straight, "eval", "loss", "best_loss", "best_step")
    assert values(killed[0], "eval", "loss", "best_loss", "best_step") == one


def test_the_best_weights_are_delivered_and_are_not_the_last(plans, straight):
    record = read_record(plans["whole"].run_dir)
    best = min((event["loss"], event["step"]) for event in straight
               if event["event"] == "eval" and event["step"])  # fmt: skip
    assert record.metrics["delivered_step"] == best[1] < plans["whole"].steps
    # measured again on the weights as they were read back
    assert record.metrics["eval_loss"] == best[0]


def test_the_adapter_and_the_record_are_the_same_to_the_bit(plans, straight, killed):
    whole, broken = (read_record(plan.run_dir) for plan in plans.values())
    assert broken.artefacts == whole.artefacts
    for name, digest in broken.artefacts.items():
        assert sha256_file(plans["killed"].run_dir / name) == digest
    clocks = {"seconds", "tokens_per_s"}
    for name in whole.metrics.keys() - clocks:
        assert broken.metrics[name] == whole.metrics[name], name
    assert whole.metrics.keys() == broken.metrics.keys()
    assert not (plans["killed"].run_dir / "best").exists()
