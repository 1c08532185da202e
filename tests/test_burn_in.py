import random

import numpy as np
import pytest
import torch
from train_ground import small_spec, small_version, tiny_base, trained

from train.burn_in import BurnIn, heaviest
from train.order import epoch_order
from train.run import prepare_run
from train.trainer import load_rows

pytestmark = [
    pytest.mark.torch,
    # trl 1.16 reads names that transformers 5.23 has renamed
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning"),
]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny_base(tmp_path_factory.mktemp("base"))


def steps(events):
    return [(e["loss"], e["grad_norm"], e["lr"]) for e in events if e["event"] == "step"]


def test_a_run_is_to_the_bit_what_it_is_without(workspace, base, monkeypatch):
    # dropout is on: a random number too many would change every loss
    small_version(workspace)
    tried, told = trained(prepare_run(small_spec(base), workspace, run_id="tried"))
    states = []

    def skipped(self, *_, **__):
        states.append((random.getstate()[1][:3], np.random.get_state()[1][:3].tolist()))

    monkeypatch.setattr(BurnIn, "on_train_begin", skipped)
    plain, plainly = trained(prepare_run(small_spec(base), workspace, run_id="plain"))
    assert len(states) == 1
    assert steps(told) == steps(plainly)
    assert tried.artefacts == plain.artefacts
    assert tried.metrics["tokens"] == plain.metrics["tokens"]


def test_it_comes_before_the_first_step_and_after_each_resume(workspace, base):
    small_version(workspace)
    plan = prepare_run(small_spec(base), workspace, run_id="r1")
    checks = iter(range(1, 1000))
    _, first = trained(plan, lambda: next(checks) >= 5)
    _, second = trained(plan)
    for events in (first, second):
        kinds = [event["event"] for event in events]
        assert kinds.count("burn_in") == 1
        assert kinds.index("burn_in") < kinds.index("step")
    told = next(event for event in first if event["event"] == "burn_in")
    assert told["rows"] == plan.micro_batch
    assert told["peak_gib"] > 0.1
    assert told["forecast_gib"] == plan.peak.peak_gib


def test_the_heaviest_micro_batch_of_all_passes_is_taken(workspace, base, monkeypatch):
    small_version(workspace)
    plan = prepare_run(small_spec(base), workspace, run_id="r1")
    lengths = [len(ids) for ids in load_rows(plan.run_dir / "rendered/train.parquet")["input_ids"]]
    found = []
    monkeypatch.setattr(
        BurnIn, "on_train_begin", lambda self, *_, **__: found.append(heaviest(self.trainer))
    )
    trained(plan)
    (rows,) = found
    sizes = []
    for epoch in range(2):
        order = epoch_order(lengths, plan.micro_batch, plan.seed, epoch)
        for at in range(0, len(order), plan.micro_batch):
            batch = order[at : at + plan.micro_batch]
            sizes.append(len(batch) * max(lengths[row] for row in batch))
    assert len(rows) * max(lengths[row] for row in rows) == max(sizes)


def test_optimiser_states_gradients_and_weights_are_put_back(workspace, base, monkeypatch):
    small_version(workspace)
    plan = prepare_run(small_spec(base), workspace, run_id="r1")
    real = BurnIn.on_train_begin

    def looked_at(self, args, state, control, **kwargs):
        weights = {n: p.detach().clone() for n, p in self.trainer.model.named_parameters()}
        before = torch.get_rng_state()
        real(self, args, state, control, **kwargs)
        assert torch.equal(before, torch.get_rng_state())
        assert not self.trainer.optimizer.optimizer.state
        assert not self.trainer._metrics["train"]
        for name, parameter in self.trainer.model.named_parameters():
            assert parameter.grad is None
            assert torch.equal(parameter, weights[name])
            # -0.0 and 0.0 are equal and yet not the same
            assert torch.equal(parameter.signbit(), weights[name].signbit())
        seen.append(True)

    seen = []
    monkeypatch.setattr(BurnIn, "on_train_begin", looked_at)
    trained(plan)
    assert seen
