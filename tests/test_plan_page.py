"""A plan for people: the page, the terminal, the bar."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_report_page import HOSTILE, Page

from serve import terminal
from serve.commands.plan_view import show
from serve.plan_text import PARTS, duration, explained, length_rows, shares
from serve.web.memory_bar import memory_bar
from serve.web.plan_page import write_plan_page
from train import memory
from train.device import Device
from train.lengths import LengthUse, histogram
from train.plan import BaseUse, DatasetUse, Estimate, PeakUse, TrainPlan
from train.spec import LoraSpec

GIBS = dict(zip(PARTS, (15.0, 0.2, 0.2, 0.3, 4.0, 0.5, 0.1, 0.5, 0.5), strict=True))
PEAK = PeakUse(
    peak_gib=sum(GIBS.values()), parts_gib=GIBS, expected_error=0.05, basis="a guess",
    memory_gib=23.5, fits=True,
)  # fmt: skip


@pytest.fixture
def plan(tmp_path):
    def make(**changes):
        fields = {
            "run_id": "r1", "run_dir": tmp_path, "lora": LoraSpec(), "micro_batch": 2,
            "dataset": DatasetUse(name="support", fingerprint="ab" * 32, path=tmp_path),
            "base": BaseUse(model="Qwen/Qwen3-4B", path=tmp_path, weights={}, template_sha256="0"),
            "device": Device(kind="cuda", name="L4", memory_gib=23.5, bf16=True),
            "precision": "bf16", "checkpointing": True, "grad_accumulation": 8,
            "max_length": 2048, "learning_rate": 2e-4, "warmup_steps": 3, "epochs": 1.0,
            "steps": 94, "save_every_steps": 10, "keep_checkpoints": 2, "seed": 0,
            "train_on": "assistant", "eval": False, "rows": 1500, "tokens": 300_000,
            "trained_tokens": 90_000, "splits": {}, "histogram": histogram([10, 700, 4000]),
            "lengths": [
                LengthUse(max_length=n, rows_cut=cut, tokens_beyond=9 * cut, trained_beyond=cut)
                for n, cut in ((512, 100), (2048, 22), (4096, 0), (8192, 0))
            ],
            "peak": PEAK, "decisions": ["It fits."],
            "estimate": Estimate(
                seconds=7200, low_s=3600, high_s=10800, basis="a run", usd_per_hour=2, cost_usd=4
            ),
        }  # fmt: skip
        return TrainPlan.model_validate({**fields, **changes})

    return make


@pytest.fixture
def page(plan, tmp_path):
    return lambda **changes: write_plan_page(tmp_path / "p.html", plan(**changes)).read_text(
        "utf-8"
    )


def printed(capsys, plan, **how):
    terminal.out.width, before = 90, terminal.out.width
    try:
        show(plan, **how)
    finally:
        terminal.out.width = before
    return capsys.readouterr().out


def test_the_page_holds_every_number(page):
    text = Page(page()).text
    for told in ("It fits.", "94", "90,000", "21.3 GiB of 23.5 GiB", "between 1 h 0 min and 3 h",
                 "$4.00, between $2.00 and $6.00", "weights", "15.0 GiB"):  # fmt: skip
        assert told in text
    for means in PARTS.values():
        assert means in text


def test_the_page_is_alone_and_runs_nothing(page):
    made = Page(page())
    assert not {"script", "link", "iframe", "img", "object", "form"} & set(made.tags)
    assert not any(
        name in {"href", "src"} or name.startswith("on") for _, name, _ in made.attributes
    )


def test_foreign_text_on_the_page_is_text(page):
    base = BaseUse(model=HOSTILE, path="x", weights={}, template_sha256="0")
    html = page(
        base=base, decisions=[HOSTILE], dataset=DatasetUse(name=HOSTILE, fingerprint="0", path="x")
    )
    assert "<script>" not in html
    assert "<img" not in html


def test_a_plan_without_forecast_and_estimate_has_a_page(page):
    text = Page(page(peak=None, estimate=None, histogram=None, lengths=[])).text
    assert "Planned." in text
    assert "The fullest moment" not in text


def test_what_does_not_fit_is_in_the_headline(page):
    short = PEAK.model_copy(update={"memory_gib": 16.0, "fits": False, "fix": "micro_batch = 1"})
    text = Page(page(peak=short)).text
    assert "It may not fit." in text
    assert "micro_batch = 1" in text


def test_every_part_of_a_forecast_has_words():
    assert set(PARTS) == set(memory.PARTS)


def test_the_terminal_shows_the_same(plan, capsys):
    out = printed(capsys, plan())
    for told in ("Plan: support@", "21.3 GiB of 23.5 GiB", "2 h 0 min", "chosen", "It fits."):
        assert told in out
    assert "Explained" not in out


def test_explain_says_what_each_number_is(plan, capsys):
    out = " ".join(printed(capsys, plan(), explain=True).split())
    for heading, words in explained(plan()):
        assert heading[1:] in out
        assert words[:40] in out
    assert PARTS["optimiser"] in out


def test_escape_sequences_do_not_reach_the_terminal(plan, capsys):
    assert "\x1b]0;" not in printed(capsys, plan(decisions=["\x1b]0;title\x07"]))


def test_lengths_that_cut_nothing_are_told_once(plan):
    assert [row[0] for row in length_rows(plan())] == [512, 2048, 4096]
    assert [row[0] for row in length_rows(plan(max_length=8192))] == [512, 2048, 4096, 8192]


@given(st.lists(st.floats(0, 50), min_size=1, max_size=9), st.floats(0, 100), st.integers(1, 200))
def test_law_a_bar_is_as_long_as_its_sum(sizes, more, cells):
    whole = sum(sizes) + more or 1.0
    made = shares(sizes, whole, cells)
    assert all(one >= 0 for one in made)
    assert sum(made) == round(cells * sum(sizes) / whole)


def test_the_bar_of_a_small_model_is_in_mib():
    assert "MiB" in memory_bar({"weights": 0.01}, 0.5)
    assert "GiB" in memory_bar({"weights": 10.0}, None)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "under 1 s"), (59, "59 s"), (61, "1 min 1 s"), (3000, "50 min"), (7260, "2 h 1 min"),
     (200_000, "2 d 7 h")],
)  # fmt: skip
def test_times_have_two_units_at_most(seconds, words):
    assert duration(seconds) == words
