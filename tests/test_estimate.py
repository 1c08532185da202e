"""Time and cost: from runs where there are, from arithmetic where the rate is known, else none."""

import pytest

pytestmark = pytest.mark.torch

pytest.importorskip("torch")

from memory_ground import LLAMA_8B, SMALL, TINYLLAMA  # noqa: E402 - after the check for torch
from train_ground import seal_version, small_spec, talk  # noqa: E402

from train.choose import Rows, choose  # noqa: E402
from train.device import Device  # noqa: E402
from train.estimate import arithmetic, estimate  # noqa: E402
from train.gpus import find_card  # noqa: E402
from train.plan import BaseUse, make_plan  # noqa: E402
from train.record import new_record  # noqa: E402
from train.tally import SplitCounts  # noqa: E402

COUNTS = SplitCounts(
    file="", sha256="", rows=64, tokens=32_000, trained_tokens=9, refused={}, rows_cut=0,
    tokens_lost=0, trained_tokens_lost=0,
)  # fmt: skip
CPU = Device(kind="cpu", name="x86_64")


@pytest.fixture
def planned(workspace):
    version = seal_version(workspace, {"train": [talk(1)]})

    def make(device, run_id="now", weights="a", **asked):
        spec = small_spec(workspace.runs, **asked)
        return make_plan(
            spec,
            version,
            [(500, 100)] * 64,
            device,
            run_id=run_id,
            run_dir=workspace.runs / run_id,
            base=BaseUse(
                model="base", path=workspace.runs, weights={"w": weights}, template_sha256="0"
            ),
            splits={"train": COUNTS},
            choice=choose(spec, device, Rows(500, 500, 500.0)),
        )

    return make


def finish(plan, state="succeeded", rate=1000.0):
    plan.run_dir.mkdir(parents=True, exist_ok=True)
    metrics = {"tokens_per_s": rate}
    new_record(plan).entered(state, metrics=metrics).write(plan.run_dir)


def card(name):
    return find_card(name).device()


def test_the_arithmetic_of_a_known_model(planned):
    made = arithmetic(LLAMA_8B, planned(CPU, lora={"r": 16}))
    # 32 layers of 4096 x (4096 + 1024 + 1024 + 4096 + 3 x 14336)
    assert made.weights == 32 * 4096 * (4096 + 1024 + 1024 + 4096 + 3 * 14336)
    assert made.head == 128256 * 4096
    assert (made.layers, made.width) == (32, 4096)
    assert made.adapter == 41_943_040  # as peft counts it


def test_checkpointing_and_all_weights_take_more(planned):
    plain, again, full = (
        arithmetic(TINYLLAMA, plan).step_flops(plan, 500) for plan in (
            planned(CPU, checkpointing=False),
            planned(CPU, checkpointing=True),
            planned(CPU, checkpointing=False, method="full"),
        )
    )  # fmt: skip
    assert plain * 1.4 < again < plain * 1.6
    assert plain * 1.4 < full < plain * 1.6


def test_published_rates_lie_within_the_range(workspace, planned):
    """LLaMA-Factory's table: Llama-2-7B on an A100, LoRA: 2,392 to 4,007 tokens a second."""
    llama_2 = LLAMA_8B | {
        "intermediate_size": 11008,
        "num_key_value_heads": 32,
        "vocab_size": 32000,
    }
    plan = planned(card("A100"), quantization="none", micro_batch=4, epochs=50.0)
    made = estimate(plan, llama_2, workspace, here=False)
    assert made.low_s < plan.tokens / 4007
    assert plan.tokens / 2392 < made.high_s
    assert made.low_s < made.seconds < made.high_s
    assert "data sheet" in made.basis


def test_a_faster_card_takes_less(workspace, planned):
    seconds = [
        estimate(planned(card(name)), LLAMA_8B, workspace, here=False).seconds
        for name in ("l4", "a100", "h100")
    ]
    assert seconds == sorted(seconds, reverse=True)


def test_a_card_that_is_neither_known_nor_here_has_no_number(workspace, planned):
    device = Device(kind="cuda", name="Nobody's 1", memory_gib=9.0, bf16=True)
    assert estimate(planned(device), LLAMA_8B, workspace, here=False) is None


def test_a_model_that_is_not_known_has_no_number(workspace, planned):
    assert estimate(planned(CPU), {"model_type": "nobody's"}, workspace) is None


def test_here_the_rate_is_measured(workspace, planned):
    made = estimate(planned(CPU), SMALL["llama"], workspace)
    assert 0 < made.low_s < made.seconds < made.high_s
    assert "measured here" in made.basis


def test_a_finished_run_of_the_same_base_says_it_best(workspace, planned):
    finish(planned(CPU, "r1"), rate=500.0)
    finish(planned(CPU, "r2"), rate=1000.0)
    plan = planned(CPU)
    made = estimate(plan, SMALL["llama"], workspace)
    assert made.seconds == pytest.approx(plan.tokens / 1000, rel=0.01)
    assert made.low_s < plan.tokens / 1000
    assert made.high_s > plan.tokens / 500
    assert "run r2 and 1 more" in made.basis


@pytest.mark.parametrize(
    ("done", "state"),
    [({"weights": "b"}, "succeeded"), ({"checkpointing": True}, "succeeded"), ({}, "failed")],
)
def test_runs_of_another_kind_say_nothing(workspace, planned, done, state):
    finish(planned(CPU, "r1", **done), state)
    assert "measured here" in estimate(planned(CPU), SMALL["llama"], workspace).basis


def test_a_damaged_record_does_not_stop_a_plan(workspace, planned):
    finish(planned(CPU, "r1"))
    (workspace.runs / "r0").mkdir()
    (workspace.runs / "r0" / "run.json").write_text("{}")
    assert "run r1" in estimate(planned(CPU), SMALL["llama"], workspace).basis


def test_the_driver_and_the_catalogue_mean_the_same_card(workspace, planned):
    driver = Device(kind="cuda", name="NVIDIA H100 80GB HBM3", memory_gib=79.1, bf16=True)
    finish(planned(driver, "r1"))
    assert "run r1" in estimate(planned(card("h100")), LLAMA_8B, workspace, here=False).basis


def test_a_price_gives_a_cost(workspace, planned):
    finish(planned(CPU, "r1"), rate=10.0)
    plan = planned(CPU)
    made = estimate(plan, SMALL["llama"], workspace, usd_per_hour=3.6)
    assert made.cost_usd == pytest.approx(made.seconds / 1000)
    assert estimate(plan, SMALL["llama"], workspace).cost_usd is None
