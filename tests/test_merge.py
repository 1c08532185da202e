import importlib.util
import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from train_ground import small_spec, small_version, tiny_base

from ingest.files import read_json, sha256_file
from ingest.workspace import Workspace
from train.certificate import Comparison, verify_model
from train.load import load_model, load_tokenizer
from train.merge import CERTIFICATE, MergeRefused, judge, merge_run, read_certificate
from train.record import read_record
from train.render import template_sha256
from train.run import prepare_run
from train.sft import run

pytestmark = [
    pytest.mark.torch,
    # trl 1.16 reads names that transformers 5.23 has renamed
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning"),
]


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """A folder with a run, its version and its base, and a copy of it."""
    folder = tmp_path_factory.mktemp("run") / "all"
    workspace = Workspace(folder / "home").create()
    small_version(workspace)
    base = tiny_base(folder / "base")
    plan = prepare_run(small_spec(base, max_steps=3), workspace, run_id="r1")
    run(plan, lambda _: None, lambda: False)
    return folder, shutil.copytree(folder, folder.with_name("copy"))


@pytest.fixture
def workspace(once):
    """As it was after the run, at the same place: plans name absolute folders."""
    folder, copy = once
    shutil.rmtree(folder)
    shutil.copytree(copy, folder)
    return Workspace(folder / "home")


@pytest.fixture
def trained(workspace):
    return read_record(workspace.runs / "r1")


def altered(record, change):
    """The record of a run whose adapter is another one."""
    file = record.plan.run_dir / "adapter" / "adapter_model.safetensors"
    save_file({name: change(name, one) for name, one in load_file(file).items()}, file)
    artefacts = {**record.artefacts, f"adapter/{file.name}": sha256_file(file)}
    return record.model_copy(update={"artefacts": artefacts}).write(record.plan.run_dir)


def test_a_merge_is_proved_and_then_named(trained, workspace):
    stages = []
    certificate = merge_run(trained, workspace, on_progress=stages.append)
    folder = workspace.models / "r1"
    assert stages == ["merge", "compare"]
    assert certificate.verdict == "pass"
    assert certificate == read_certificate(folder)
    assert certificate.compared_on == "validation"
    assert certificate.comparison.rows == 5
    assert certificate.comparison.argmax_agree == 1.0
    assert certificate.comparison.effect_to_error > 100
    assert certificate.comparison.relative_l2 < 1e-5
    assert set(certificate.files) == {file.name for file in folder.iterdir()} - {CERTIFICATE}
    assert all(sha256_file(folder / name) == one for name, one in certificate.files.items())
    assert [file.name for file in workspace.models.iterdir()] == ["r1"]


def test_the_merged_folder_is_an_ordinary_model(trained, workspace):
    certificate = merge_run(trained, workspace)
    folder = workspace.models / "r1"
    base = trained.plan.base.path
    tokenizer = load_tokenizer(str(folder))
    assert template_sha256(tokenizer) == trained.template_sha256 == certificate.template_sha256
    assert read_json(folder / "generation_config.json") == read_json(
        base / "generation_config.json"
    )
    assert certificate.eos_token_ids == [tokenizer.eos_token_id]
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        merged, bare = (load_model(str(one))(ids).logits for one in (folder, base))
    assert (merged - bare).abs().max() > 1e-4


def test_an_adapter_without_effect_is_refused(trained, workspace):
    record = altered(trained, lambda name, one: one * 0 if "lora_B" in name else one)
    with pytest.raises(MergeRefused, match="the adapter changes nothing") as caught:
        merge_run(record, workspace)
    assert CERTIFICATE in caught.value.hint
    told = json.loads((record.plan.run_dir / CERTIFICATE).read_text())
    assert told["verdict"] == "fail"
    assert told["comparison"]["adapter_effect"] == 0
    assert not list(workspace.models.glob("**/*"))


def test_another_base_is_refused(trained, workspace, tmp_path):
    other = tiny_base(tmp_path / "other", seed=1)
    weights = trained.plan.base.path / "model.safetensors"
    weights.write_bytes((other / "model.safetensors").read_bytes())
    with pytest.raises(MergeRefused, match="not the base model that r1 was trained on"):
        merge_run(trained, workspace)
    assert not (workspace.models / "r1").exists()


def test_another_adapter_than_the_run_made_is_refused(trained, workspace):
    altered(trained, lambda _, one: one * 2)
    with pytest.raises(MergeRefused, match="is not what the run made"):
        merge_run(trained, workspace)


def test_other_compared_rows_than_the_run_used_are_refused(trained, workspace):
    rows = trained.plan.run_dir / trained.plan.splits["validation"].file
    rows.unlink()
    with pytest.raises(MergeRefused, match="is not what the run used"):
        merge_run(trained, workspace)


def test_another_template_is_refused(trained, workspace):
    file = trained.plan.base.path / "chat_template.jinja"
    file.write_text(file.read_text() + " ")
    with pytest.raises(MergeRefused, match="another chat template"):
        merge_run(trained, workspace)


def test_an_unfinished_run_is_refused(trained, workspace):
    with pytest.raises(MergeRefused, match="the run is interrupted"):
        merge_run(trained.entered("interrupted"), workspace)


def test_an_existing_folder_is_left_alone(trained, workspace, tmp_path):
    out = tmp_path / "mine"
    out.mkdir()
    with pytest.raises(MergeRefused, match="exists"):
        merge_run(trained, workspace, out=out)
    assert list(out.iterdir()) == []


def test_a_comparison_that_dies_refuses_the_merge(trained, workspace):
    config = trained.plan.run_dir / "adapter" / "adapter_config.json"
    rows = trained.plan.run_dir / trained.plan.splits["validation"].file
    rows.write_bytes(b"not parquet")
    counts = trained.plan.splits["validation"].model_copy(update={"sha256": sha256_file(rows)})
    plan = trained.plan.model_copy(update={"splits": {**trained.plan.splits, "validation": counts}})
    with pytest.raises(MergeRefused, match="the comparison ended with status 1"):
        merge_run(trained.model_copy(update={"plan": plan}), workspace)
    assert config.exists()
    assert not (workspace.models / "r1").exists()


def test_a_model_without_a_certificate_is_not_a_merged_one(trained):
    with pytest.raises(MergeRefused, match="holds no readable"):
        read_certificate(trained.plan.base.path)


def test_an_error_near_the_effect_fails():
    figures = {
        "rows": 1, "positions": 1, "relative_l2": 0.0, "kl": 0.0, "argmax_agree": 1.0,
        "adapter_effect": 1.0, "effect_to_error": None,
    }  # fmt: skip
    assert judge(Comparison(max_abs=0.0099, **figures))[0]
    assert not judge(Comparison(max_abs=0.0101, **figures))[0]
    assert not judge(Comparison(max_abs=float("nan"), **figures))[0]


def test_the_record_names_its_plan(trained):
    assert read_record(trained.plan.run_dir).plan == trained.plan


def test_a_merged_model_is_what_was_certified(trained, workspace):
    certificate = merge_run(trained, workspace, dtype="bf16")
    folder = workspace.models / "r1"
    assert certificate.dtype == "bf16"
    assert certificate.cast.kl > certificate.comparison.kl
    assert sorted(workspace.models.iterdir()) == [folder]
    assert verify_model(folder) == certificate
    for name, change, why in (
        ("model.safetensors", lambda file: file.write_bytes(file.read_bytes()[:-1]), "is not the"),
        ("chat_template.jinja", lambda file: file.write_text("other"), "is not the file"),
        ("model.safetensors", lambda file: file.unlink(), "is certified and not there"),
        ("model-2.safetensors", lambda file: file.write_bytes(b""), "was added"),
    ):
        copy = shutil.copytree(folder, folder.with_name("copy"))
        change(copy / name)
        with pytest.raises(MergeRefused, match=f"{name}: {why}"):
            verify_model(copy)
        shutil.rmtree(copy)


def test_a_quantised_run_needs_its_library_or_the_original_weights(trained, workspace, monkeypatch):
    plan = trained.plan.model_copy(update={"quantization": "nf4"})
    record = trained.model_copy(update={"plan": plan})
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MergeRefused, match="bitsandbytes, which makes them") as caught:
        merge_run(record, workspace)
    assert "--onto original" in caught.value.hint
    monkeypatch.undo()
    certificate = merge_run(record, workspace, onto="original")
    assert "onto the original weights" in certificate.recipe
