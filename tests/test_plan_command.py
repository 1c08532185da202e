"""``turnmill plan``: every number, the peak of memory among them, and nothing started."""

import json

import pytest

pytestmark = pytest.mark.torch

pytest.importorskip("torch")

from tiny_models import tiny_model, tiny_tokenizer  # noqa: E402 - after the check for torch
from train_ground import seal_version, talk  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from serve.cli import app  # noqa: E402
from serve.commands import plans  # noqa: E402
from train.run import prepare_run  # noqa: E402
from train.spec import load_train_spec  # noqa: E402


@pytest.fixture
def spec(workspace, tmp_path):
    version = seal_version(workspace, {"train": [talk(n) for n in range(9)]})
    base = tmp_path / "base"
    tokenizer = tiny_tokenizer()
    tokenizer.save_pretrained(base)
    tiny_model(tokenizer).save_pretrained(base)
    file = tmp_path / "train.toml"
    file.write_text(f'dataset = "{version.name}"\nbase_model = "{base}"\nmax_length = 128\n')
    return file


def told(workspace, spec, **more):
    return plans.plan_json(plans.plan(spec, workspace, **more))


def test_the_peak_is_told_by_part(workspace, spec):
    plan = told(workspace, spec)
    assert plan["peak_gib"] == pytest.approx(sum(plan["peak_by_category"].values()), abs=0.01)
    assert plan["peak_by_category"]["weights"] > 0
    assert plan["memory_gib"] > 0
    assert plan["fits"] is True


def test_a_run_that_does_not_fit_is_told(workspace, spec):
    assert told(workspace, spec, memory_gib=0.01)["fits"] is False
    assert told(workspace, spec, memory_gib=80.0)["fits"] is True


def command(workspace, spec, *options):
    return CliRunner().invoke(app, ["plan", str(spec), "--home", str(workspace.home), *options])


CONTRACT = {
    "micro_batch", "grad_accumulation", "max_length", "checkpointing", "quantization", "steps",
    "tokens", "trained_tokens", "peak_gib", "peak_by_category", "seconds_estimate",
    "cost_usd_estimate",
}  # fmt: skip


def test_the_json_keeps_the_contract_for_a_card_that_is_not_here(workspace, spec):
    done = command(workspace, spec, "--json", "--gpu", "rtx 4090", "--usd-per-hour", "0.4")
    assert done.exit_code == 0, done.output
    plan = json.loads(done.stdout)
    assert set(plan) >= CONTRACT
    assert (plan["device"], plan["device_name"]) == ("cuda", "RTX 4090 24GB")
    assert plan["precision"] == "bf16"
    assert plan["cost_usd_estimate"] == pytest.approx(
        plan["seconds_estimate"] / 3600 * 0.4, abs=1e-4
    )
    assert plan["seconds_low"] < plan["seconds_estimate"] < plan["seconds_high"]


def test_nothing_is_left_behind(workspace, spec):
    before = {file for file in workspace.home.rglob("*") if file.is_file()}
    assert command(workspace, spec).exit_code == 0
    left = {file for file in workspace.home.rglob("*") if file.is_file()} - before
    assert all(file.is_relative_to(workspace.rendered) for file in left)


def test_the_page_is_written(workspace, spec, tmp_path):
    page = tmp_path / "plan.html"
    assert command(workspace, spec, "--html", str(page), "--explain").exit_code == 0
    assert "In plain words" in page.read_text("utf-8")


def test_a_run_is_planned_just_so(workspace, spec):
    shown = told(workspace, spec)
    run = plans.plan_json(prepare_run(load_train_spec(spec), workspace, run_id="r1"))
    # the clock decides the estimate of time
    for plan in (shown, run):
        for name in [name for name in plan if name.startswith("seconds")]:
            del plan[name]
    assert shown == run


def test_an_open_length_is_that_of_the_longest_row(workspace, spec):
    spec.write_text(spec.read_text().replace("max_length = 128\n", ""))
    plan = told(workspace, spec)
    assert plan["max_length"] == 64
    assert plan["length_quantiles"]["1"] <= 64
    assert plan["splits"]["train"]["tokens_lost"] == 0


def test_what_a_fixed_length_cuts_is_told(workspace, spec):
    spec.write_text(spec.read_text().replace("128", "40"))
    plan = told(workspace, spec)
    (row,) = [one for one in plan["lengths"] if one["max_length"] == 40]
    assert row["rows_cut"] > 0
    lost = plan["splits"]["train"]["trained_tokens_lost"]
    assert 0 < lost <= row["trained_beyond"]


def test_bitsandbytes_is_refused_before_anything_is_rendered(workspace, spec):
    spec.write_text(spec.read_text() + 'quantization = "nf4"\n')
    done = command(workspace, spec)
    assert done.exit_code == 2 or "CUDA only" in str(done.exception)
    assert not any(workspace.rendered.rglob("*.parquet"))
