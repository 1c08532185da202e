"""``turnmill plan``: every number, the peak of memory among them, and nothing started."""

import pytest

pytestmark = pytest.mark.torch

pytest.importorskip("torch")

from tiny_models import tiny_model, tiny_tokenizer  # noqa: E402 - after the check for torch
from train_ground import seal_version, talk  # noqa: E402

from serve.commands import plans  # noqa: E402


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
