"""What a run shows while it goes on fits its two lines at any width."""

import io

import pytest
from rich.console import Console

from serve import terminal
from serve.commands.run_display import RunDisplay, duration, progress
from serve.commands.run_notes import note_of


def step(n, **more):
    return {
        "event": "step", "step": n, "steps": 1200, "loss": 1.5, "lr": 1.9e-4,
        "tokens_per_s": 12345.6,
        "trained_tokens_per_s": 3210.4, "memory_gib": 61.25, "memory_peak_gib": 74.5,
        "seconds_left": 4211.0, **more,
    }  # fmt: skip


HELD_OUT = {"event": "eval", "step": 100, "loss": 1.456, "best_loss": 1.4, "best_step": 80}


def shown(display, width):
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=True, color_system=None).print(display)
    return out.getvalue().splitlines()


def after(*events):
    display = RunDisplay()
    for event in events:
        display.take(event)
    return display


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 120, 200])
def test_two_lines_that_fit(width):
    lines = shown(after(step(7), HELD_OUT), width)
    assert len(lines) == 2
    assert all(len(line) <= width for line in lines)
    assert "7/1200" in lines[0]
    assert lines[1].startswith("loss 1.500")


def test_at_120_columns_everything_is_said():
    first, second = shown(after(step(123), HELD_OUT), 120)
    assert "123/1200  lr 1.9e-04  70 min left" in first
    assert second.strip() == (
        "loss 1.500  held-out 1.456 (best 1.400 at step 80)  12,346 tok/s (3,210 trained)"
        "  61.2 GiB (peak 74.5)"
    )


def test_at_80_columns_the_short_forms_are_said():
    _, second = shown(after(step(123), HELD_OUT), 80)
    assert second.strip() == (
        "loss 1.500  held-out 1.456 (best 1.400)  12,346 tok/s (3,210 trained)  61.2 GiB"
    )
    _, second = shown(after(step(123), HELD_OUT), 60)
    assert second.strip() == "loss 1.500  held-out 1.456 (best 1.400)  12,346 tok/s"


def test_one_line_before_the_first_step():
    assert shown(after(), 80) == ["starting"]
    rendering = {"event": "render", "split": "train", "rows": 1000, "of": 5000}
    assert shown(after(rendering), 80) == ["rendering train 1000/5000"]


def test_the_loss_is_smoothed_and_starts_where_it_is():
    display = after(step(1, loss=4.0))
    assert display.loss == pytest.approx(4.0)
    display.take(step(2, loss=2.0))
    assert display.loss == pytest.approx((0.9 * 4.0 + 2.0) / 1.9)


def test_plain_lines_where_there_is_no_terminal(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(terminal, "err", Console(file=out, width=80))
    with progress() as on_event:
        for n in range(1, 21):
            on_event(step(n))
        on_event(HELD_OUT)
    lines = out.getvalue().splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        "step 1/1200", "step 10/1200", "step 20/1200", "step 100: held-out loss 1.456",
    ]  # fmt: skip
    assert "\x1b" not in out.getvalue()


def test_an_early_end_is_told_in_a_sentence():
    event = {"event": "early_stop", "step": 40, "reason": "3 losses without a better one",
             "best_loss": 1.25, "best_step": 25}  # fmt: skip
    assert note_of(event) == (
        "ends early at step 40: 3 losses without a better one; the best held-out loss, 1.250, was"
        " at step 25"
    )


@pytest.mark.parametrize(
    ("seconds", "words"), [(3.2, "3 s"), (89, "89 s"), (100, "2 min"), (7500, "2 h 05 min")]
)
def test_durations_in_words(seconds, words):
    assert duration(seconds) == words
