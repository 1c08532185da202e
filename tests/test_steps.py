"""The steps of a build, and how conversations fall into splits."""

import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from step_ground import frame_of, made, talk

from dataset.manifest import SplitSpec
from dataset.split import split_of
from dataset.steps import registry
from dataset.steps.dedupe_exact import DedupeExact
from dataset.steps.has_assistant import HasAssistant
from ingest.errors import SpecError
from ingest.message import Message, ToolCall

ROLES = {"u": "user", "a": "assistant", "s": "system", "t": "tool", "d": "developer"}


def roles(letters: str) -> tuple[Message, ...]:
    """``A`` is an assistant message that is not trained, ``+`` one that is by order."""
    train = {"A": False, "+": True}
    names = {**ROLES, "A": "assistant", "+": "assistant"}
    return tuple(Message(names[each], "x", train=train.get(each)) for each in letters)


# -- has-assistant -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("letters", "reason"),
    [
        ("ua", None),
        ("sua", None),
        ("aua", None),
        ("u+", None),
        ("uAua", None),
        ("utta", None),
        ("", "no assistant turn"),
        ("u", "no assistant turn"),
        ("sut", "no assistant turn"),
        ("uA", "no trained assistant turn"),
        ("uAuA", "no trained assistant turn"),
        ("a", "no user turn"),
        ("sa", "no user turn"),
        ("au", "no user turn before the assistant's"),
        ("auA", "no user turn before the assistant's"),
    ],
)
def test_what_can_be_learned_from(letters, reason):
    frame, report, *_ = made(HasAssistant).apply(frame_of(talk("1", *roles(letters))))
    assert len(frame) == report.kept == (reason is None)
    assert report.dropped == ({reason: 1} if reason else {})


def test_reasons_are_counted_and_the_order_is_kept():
    letters = ["ua", "u", "sua", "uA", "u", "uau"]
    talks = [talk(str(n), *roles(each)) for n, each in enumerate(letters)]
    frame, report, *_ = made(HasAssistant).apply(frame_of(*talks))
    assert frame["id"].to_list() == ["0", "2", "5"]
    assert report.model_dump(by_alias=True) == {
        "name": "has-assistant",
        "in": 6,
        "kept": 3,
        "dropped": {"no assistant turn": 2, "no trained assistant turn": 1},
        "changed": 0,
        "changes": {},
        "facts": {},
    }


# -- dedupe-exact --------------------------------------------------------------------------------

BASE = (Message("user", "q"), Message("assistant", "r"))
SAME = {
    "other names": (Message("user", "q", name="Anna"), Message("assistant", "r")),
    "other ids": (Message("user", "q", source_id="9"), Message("assistant", "r", parent_id="9")),
    "a side branch": (*BASE, Message("user", "aside", on_path=False)),
}
OTHER = {
    "other text": (Message("user", "q "), Message("assistant", "r")),
    "other role": (Message("system", "q"), Message("assistant", "r")),
    "other order": BASE[::-1],
    "fewer": BASE[:1],
    "more": (*BASE, Message("user", "")),
    "reasoning": (BASE[0], Message("assistant", "r", reasoning="hm")),
    "a call": (BASE[0], Message("assistant", "r", tool_calls=(ToolCall("1", "f", "{}"),))),
    "another call": (BASE[0], Message("assistant", "r", tool_calls=(ToolCall("1", "g", "{}"),))),
    "other arguments": (
        BASE[0],
        Message("assistant", "r", tool_calls=(ToolCall("1", "f", "[]"),)),
    ),
}


@pytest.mark.parametrize("messages", SAME.values(), ids=SAME)
def test_the_same_talk_is_kept_once(messages):
    frame, report, *_ = made(DedupeExact).apply(
        frame_of(talk("1", *BASE), talk("2", *messages, title="Other"), talk("3", *OTHER["more"]))
    )
    assert frame["id"].to_list() == ["1", "3"]
    assert report.dropped == {"repeats an earlier one": 1}


def test_different_talks_are_all_kept():
    talks = [talk("base", *BASE), *(talk(name, *messages) for name, messages in OTHER.items())]
    frame, report, *_ = made(DedupeExact).apply(frame_of(*talks))
    assert len(frame) == len(talks)
    assert report.dropped == {}


def test_call_ids_do_not_make_a_difference():
    calls = [(BASE[0], Message("assistant", tool_calls=(ToolCall(i, "f", "{}"),))) for i in "12"]
    frame, *_ = made(DedupeExact).apply(frame_of(talk("1", *calls[0]), talk("2", *calls[1])))
    assert frame["id"].to_list() == ["1"]


@given(st.lists(st.lists(st.sampled_from("uas"), max_size=2), max_size=12))
def test_what_is_left_is_distinct_complete_and_stays(letters):
    talks = [talk(str(n), *roles("".join(each))) for n, each in enumerate(letters)]
    once, report, *_ = made(DedupeExact).apply(frame_of(*talks))
    assert report.rows_in == len(talks) == report.kept + sum(report.dropped.values())
    assert len(once) == len({tuple(each) for each in letters})
    twice, *_ = made(DedupeExact).apply(once)
    assert twice.equals(once)


# -- the registry --------------------------------------------------------------------------------


def test_an_unknown_step_is_an_error_that_lists_the_known():
    with pytest.raises(SpecError, match="no step is called 'nope'") as caught:
        registry.step("nope")
    assert "dedupe-exact" in caught.value.hint


PLUGIN = """
from dataset.steps.base import StepOptions, keep
import polars as pl

class Shout:
    name = "shout"
    title = "drop everything"
    parallel = True
    Options = StepOptions
    def __init__(self, options, context):
        pass
    def apply(self, frame):
        return keep(frame, self.name, pl.Series("reason", ["loud"] * len(frame)))

class Usurper(Shout):
    name = "dedupe-exact"
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed distribution with two steps, one of which takes a built-in's name."""
    (tmp_path / "loud_steps.py").write_text(PLUGIN)
    info = tmp_path / "loud_steps-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: loud-steps\nVersion: 1.0\n")
    points = "[turnmill.step]\nshout = loud_steps:Shout\nusurper = loud_steps:Usurper\n"
    (info / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(tmp_path)
    registry.steps.cache_clear()
    yield
    registry.steps.cache_clear()
    sys.modules.pop("loud_steps", None)


@pytest.mark.usefixtures("plugin")
def test_a_plugin_adds_a_step_and_takes_no_built_in_name():
    _, report, *_ = made(registry.step("shout")).apply(frame_of(talk("1", *BASE)))
    assert report.dropped == {"loud": 1}
    assert registry.step("dedupe-exact") is DedupeExact


# -- splits --------------------------------------------------------------------------------------


def test_shares_of_the_splits_are_those_asked_for():
    spec = SplitSpec(validation=0.1, test=0.2)
    counts = Counter(split_of(f"id-{n}", spec, 0) for n in range(20_000))
    assert counts["test"] == pytest.approx(4000, rel=0.05)
    assert counts["validation"] == pytest.approx(2000, rel=0.05)


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        (SplitSpec(validation=0, test=0), {"train"}),
        (SplitSpec(validation=0.5, test=0), {"train", "validation"}),
        (SplitSpec(validation=0, test=0.5), {"train", "test"}),
    ],
)
def test_a_share_of_zero_is_no_split(spec, names):
    assert {split_of(str(n), spec, 0) for n in range(200)} == names


def test_another_seed_splits_otherwise():
    spec = SplitSpec(validation=0.3, test=0.3)
    zero, one = ([split_of(str(n), spec, seed) for n in range(100)] for seed in (0, 1))
    assert zero != one


def test_the_split_of_an_id_never_changes():
    spec = SplitSpec(validation=0.25, test=0.25)
    positions = [0.737, 0.312, 0.581, 0.850, 0.404, 0.242, 0.356, 0.525]  # of their sha256
    expected = [
        "test" if position < 0.25 else "validation" if position < 0.5 else "train"
        for position in positions
    ]
    assert [split_of(f"chatgpt-{n}", spec, 7) for n in range(8)] == expected


def test_a_larger_test_share_takes_from_no_test_conversation():
    small, large = SplitSpec(test=0.1), SplitSpec(test=0.3)
    for n in range(500):
        if split_of(str(n), small, 0) == "test":
            assert split_of(str(n), large, 0) == "test"
