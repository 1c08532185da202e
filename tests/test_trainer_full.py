"""A run that trains all weights, from its plan to a certified model."""

import pytest
import torch
from train_ground import (
    never,
    plain_loss,
    small_spec,
    small_version,
    stop_after,
    tiny_base,
)

from ingest.files import sha256_file
from ingest.workspace import Workspace
from train.certificate import Comparison
from train.load import load_model, load_tokenizer
from train.merge import judge, merge_run
from train.render import template_sha256
from train.run import prepare_run
from train.sft import run
from train.trainer import load_rows

pytestmark = [
    pytest.mark.torch,
    # trl 1.16 reads names that transformers 5.23 has renamed
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning"),
]


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    workspace = Workspace(tmp_path_factory.mktemp("home")).create()
    small_version(workspace)
    return workspace, tiny_base(tmp_path_factory.mktemp("base"))


def planned(ground, run_id):
    workspace, base = ground
    spec = small_spec(base, method="full", learning_rate=1e-3, report_to=[])
    return prepare_run(spec, workspace, run_id=run_id)


@pytest.fixture(scope="module")
def record(ground):
    return run(planned(ground, "whole"), lambda _: None, never)


def test_all_weights_are_trained_and_the_whole_model_is_written(ground, record):
    folder = record.plan.run_dir / "model"
    assert record.state == "succeeded"
    assert set(record.artefacts) == {f"model/{file.name}" for file in folder.iterdir()}
    for name, digest in record.artefacts.items():
        assert sha256_file(record.plan.run_dir / name) == digest
    before = dict(load_model(str(ground[1])).named_parameters())
    after = dict(load_model(str(folder)).named_parameters())
    assert before.keys() == after.keys()
    assert all(not torch.equal(before[name], after[name]) for name in before)
    assert record.metrics["eval_loss"] < record.metrics["eval_loss_before"]
    assert template_sha256(load_tokenizer(str(folder))) == record.template_sha256


def test_the_written_model_has_the_loss_that_was_measured_in_memory(record):
    rows = load_rows(record.plan.run_dir / record.plan.splits["validation"].file)
    model = load_model(str(record.plan.run_dir / "model"))
    assert record.metrics["eval_loss"] == pytest.approx(plain_loss(model, rows), rel=1e-5)


def test_a_resumed_run_gives_the_same_model_to_the_bit(ground, record):
    broken = planned(ground, "broken")
    first = run(broken, lambda _: None, stop_after(5))
    assert first.state == "interrupted"
    second = run(broken, lambda _: None, never)
    assert second.artefacts == record.artefacts


def test_its_merge_is_a_certified_copy(ground, record, tmp_path):
    certificate = merge_run(record, ground[0], out=tmp_path / "model")
    assert certificate.verdict == "pass"
    assert certificate.comparison.max_abs == 0
    assert certificate.comparison.adapter_effect > 0.01
    assert "training's effect" in certificate.reason
    trained = sha256_file(record.plan.run_dir / "model" / "model.safetensors")
    assert certificate.files["model.safetensors"] == trained


def test_a_model_like_its_base_is_no_result():
    same = Comparison(rows=1, positions=1, max_abs=0, relative_l2=0, kl=0, argmax_agree=1,
                      adapter_effect=0, effect_to_error=None)  # fmt: skip
    assert judge(same, whole=True) == (
        False, "the training changed nothing: its rate was too low for these weights",
    )  # fmt: skip
