"""Repetitions, exact and near: what is found is really alike, and what is kept stays."""

import random
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from step_ground import NOWHERE, folded, frame_of, made, talk

from dataset.near.forest import Forest
from dataset.near.index import PERMUTATIONS, banding
from dataset.said import digests, shingles
from dataset.steps.base import StepContext
from dataset.steps.dedupe_exact import DedupeExact
from dataset.steps.dedupe_near import DedupeNear
from ingest.message import Message, ToolCall

WORDS = [f"word{n}" for n in range(400)]


def words(count: int, seed: int) -> list[str]:
    return random.Random(seed).choices(WORDS, k=count)


def said(text: str, **fields: object) -> tuple[Message, ...]:
    return (Message("user", text, **fields), Message("assistant", "Yes."))


def jaccard(one: pl.DataFrame, other: pl.DataFrame) -> float:
    a, b = (set(shingles(each)[0].tolist()) for each in (one, other))
    return len(a & b) / len(a | b)


# -- exact ---------------------------------------------------------------------------------------


def test_a_repetition_in_a_later_batch_is_dropped_too():
    step = made(DedupeExact)
    first = step.apply(frame_of(talk("1", *said("q")), talk("2", *said("r"))))
    second = step.apply(frame_of(talk("3", *said("r")), talk("4", *said("s"))))
    assert first.frame["id"].to_list() == ["1", "2"]
    assert second.frame["id"].to_list() == ["4"]
    assert step.clusters().rows() == [("2", "3")]


@pytest.mark.parametrize("other", ["Ground  RYE\n", "ground rye", "ｇround rye", "Ground\u00a0rye"])
def test_normalised_texts_are_equal_where_asked(other):
    frame = frame_of(talk("1", *said("Ground rye")), talk("2", *said(other)))
    assert len(made(DedupeExact).apply(frame).frame) == 2
    assert len(made(DedupeExact, normalise=True).apply(frame).frame) == 1


def test_texts_that_run_together_alike_are_not_equal():
    pairs = [("a", "bc"), ("ab", "c"), ("abc", ""), ("", "abc"), ("1:a", "bc"), ("a1:b", "c")]
    talks = [talk(str(n), Message("user", a), Message("user", b)) for n, (a, b) in enumerate(pairs)]
    calls = [
        talk(f"c{n}", Message("user", "a", tool_calls=(ToolCall("i", name, arguments),)))
        for n, (name, arguments) in enumerate(pairs)
    ]
    frame = frame_of(*talks, *calls, talk("empty"))
    assert len(set(digests(frame, normalise=False))) == len(frame)


# -- shingles ------------------------------------------------------------------------------------


def test_shingles_are_runs_of_five_words_and_shorter_ones_at_the_end():
    one = frame_of(talk("1", Message("user", "a b c d e f")))
    hashes, starts = shingles(one)
    assert starts.tolist() == [0, 6]
    assert len(set(hashes.tolist())) == 6
    other, _ = shingles(frame_of(talk("2", Message("user", "x b c d e f"))))
    assert hashes.tolist()[1:] == other.tolist()[1:]
    assert hashes[0] != other[0]


def test_shingles_end_with_the_turn_and_know_who_speaks():
    joined = frame_of(talk("1", Message("user", "a b c")))
    apart = frame_of(talk("1", Message("user", "a b"), Message("user", "c")))
    swapped = frame_of(talk("1", Message("assistant", "a b c")))
    assert jaccard(joined, apart) < 0.5
    assert jaccard(joined, swapped) == 0


def test_case_punctuation_and_system_messages_do_not_count():
    plain = frame_of(talk("1", Message("user", "grind the rye today please")))
    dressed = frame_of(
        talk(
            "2",
            Message("system", "You are a mill."),
            Message("user", "Grind, the RYE\ntoday: please!"),
        )
    )
    assert jaccard(plain, dressed) == 1


def test_scripts_without_spaces_are_compared_letter_by_letter():
    frame = frame_of(talk("1", Message("user", "今日はライ麦を挽いてください")))
    assert len(shingles(frame)[0]) == 14


def test_rows_without_words_have_no_shingles():
    frame = frame_of(talk("1"), talk("2", Message("user", "👍")), talk("3", Message("user", "ja")))
    assert shingles(frame)[1].tolist() == [0, 0, 0, 1]


def test_the_hash_of_a_shingle_never_changes():
    hashes, _ = shingles(frame_of(talk("1", Message("user", "one two"))))
    assert [f"{each:016x}" for each in hashes.tolist()] == ["97c5f0e913e01cbf", "576563aa506c39b9"]


# -- near ----------------------------------------------------------------------------------------


def altered(text: list[str], changes: int, seed: int) -> list[str]:
    """Every change costs up to five shingles of either side."""
    found = list(text)
    for at in random.Random(seed).sample(range(len(text)), changes):
        found[at] = f"other{at}"
    return found


def near_pairs(count: int, changes: int) -> pl.DataFrame:
    talks = []
    for n in range(count):
        base = words(200, n)
        for which, text in enumerate((base, altered(base, changes, n))):
            talks.append(talk(f"{n}-{which}", Message("user", " ".join(text))))
    return frame_of(*talks)


def test_near_repetitions_are_found_and_others_are_not(tmp_path):
    alike, unlike = near_pairs(300, 3), near_pairs(300, 12)
    step = made(DedupeNear, keep="first")
    result = folded(step, alike, tmp_path)
    expected = [
        jaccard(alike[at : at + 1], alike[at + 1 : at + 2]) >= 0.8 for at in range(0, len(alike), 2)
    ]
    assert sum(expected) > 250
    assert result.report.dropped["nearly repeats another one"] == sum(expected)
    assert result.report.facts["clusters"] == sum(expected)
    assert len(folded(made(DedupeNear), unlike, tmp_path).frame) == len(unlike)


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 0.9, 1.0])
def test_the_banding_misses_one_in_a_thousand_at_most(threshold):
    bands, rows = banding(threshold)
    assert bands * rows <= PERMUTATIONS
    assert 1 - (1 - threshold**rows) ** bands >= 0.999


def test_no_pair_below_the_threshold_is_dropped(tmp_path):
    # right at the edge, where signatures err in both directions
    frame = near_pairs(200, 5)
    kept = set(folded(made(DedupeNear, keep="first"), frame, tmp_path).frame["id"])
    for at in range(0, len(frame), 2):
        alike = jaccard(frame[at : at + 1], frame[at + 1 : at + 2]) >= 0.8
        assert (frame["id"][at + 1] not in kept) == alike


KEEP = [("longest", "2"), ("newest", "3"), ("first", "1")]


@pytest.mark.parametrize(("rule", "stays"), KEEP)
def test_which_one_stays(tmp_path, rule, stays):
    from datetime import datetime

    base = " ".join(words(100, 1))
    frame = frame_of(
        talk("1", Message("user", base), created_at=datetime(2026, 1, 2)),
        talk("2", Message("user", f"{base} more words"), created_at=datetime(2026, 1, 1)),
        talk("3", Message("user", base), created_at=datetime(2026, 1, 3)),
        talk("4", Message("user", " ".join(words(100, 2)))),
    )
    context = StepContext(NOWHERE.store, NOWHERE.workspace)
    step = made(DedupeNear, context, keep=rule)
    assert folded(step, frame, tmp_path).frame["id"].to_list() == sorted([stays, "4"])
    assert sorted(step.clusters().rows()) == [(stays, id_) for id_ in "123" if id_ != stays]
    assert context.stand_ins == ({} if stays == "1" else {stays: "1"})


def test_a_newcomer_that_unites_two_clusters_moves_nobody(tmp_path):
    # a and b are not alike; the bridge is like both, and longer
    left, right = words(60, 1), words(60, 2)
    a = talk("a", Message("user", " ".join(left + right[:30])))
    b = talk("b", Message("user", " ".join(left[30:] + right)))
    bridge = talk("bridge", Message("user", " ".join([*left, *right])))
    options = {"threshold": 0.6, "keep": "longest"}
    assert jaccard(frame_of(a), frame_of(b)) < 0.6 < jaccard(frame_of(a), frame_of(bridge))

    def kept_of(*talks):
        context = StepContext(NOWHERE.store, NOWHERE.workspace)
        frame = folded(made(DedupeNear, context, **options), frame_of(*talks), tmp_path).frame
        return {context.stand_ins.get(id_, id_) for id_ in frame["id"]}

    assert kept_of(a, b) == {"a", "b"}
    assert kept_of(a, b, bridge) == {"a"}  # b goes; what stays stands where a stood


def test_batches_make_no_difference(tmp_path):
    frame = near_pairs(40, 3)
    whole = folded(made(DedupeNear), frame, tmp_path)
    parts = folded(made(DedupeNear), frame, tmp_path, batch=7)
    assert whole.frame.equals(parts.frame)
    assert whole.report == parts.report


texts = st.lists(st.sampled_from("abcdefg"), max_size=9).map(" ".join)


@settings(max_examples=30, deadline=None)
@given(st.lists(texts, max_size=12), st.sampled_from(["longest", "newest", "first"]))
def test_deduplicating_twice_changes_nothing(tmp_path_factory, contents, rule):
    folder = tmp_path_factory.mktemp("near")
    frame = frame_of(*[talk(str(n), Message("user", each)) for n, each in enumerate(contents)])
    once = folded(made(DedupeNear, keep=rule, threshold=0.5), frame, folder)
    assert once.report.rows_in == len(frame)
    assert once.report.kept + sum(once.report.dropped.values()) == len(frame)
    twice = folded(made(DedupeNear, keep=rule, threshold=0.5), once.frame, folder)
    assert twice.frame.equals(once.frame)


@settings(max_examples=30, deadline=None)
@given(st.lists(texts, min_size=1, max_size=10), st.integers(1, 9))
def test_what_is_kept_stands_where_it_stood_when_data_grows(tmp_path_factory, contents, cut):
    folder = tmp_path_factory.mktemp("near")
    talks = [talk(str(n), Message("user", each)) for n, each in enumerate(contents)]

    def places(some):
        context = StepContext(NOWHERE.store, NOWHERE.workspace)
        step = made(DedupeNear, context, threshold=0.5)
        frame = folded(step, frame_of(*some), folder).frame
        return {id_: context.stand_ins.get(id_, id_) for id_ in frame["id"]}

    before, after = places(talks[:cut]), places(talks)
    assert all(after[id_] == place for id_, place in before.items() if id_ in after)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=20))
def test_a_forest_is_the_transitive_closure(pairs):
    forest, classes = Forest(), {n: {n} for n in range(10)}
    for one, other in pairs:
        forest.unite(one, other)
        union = classes[one] | classes[other]
        for each in union:
            classes[each] = union
    assert all(forest.find(n) == min(classes[n]) for n in range(10))
    assert forest.groups() == {min(c): sorted(c) for c in classes.values() if len(c) > 1}


def test_no_rows_at_all(tmp_path):
    result = folded(made(DedupeNear), frame_of(), tmp_path)
    assert (len(result.frame), result.report.rows_in) == (0, 0)
    assert np.array_equal(shingles(frame_of())[1], [0])


def test_many_equal_rows_are_compared_with_one_each(tmp_path: Path):
    text = " ".join(words(30, 1))
    frame = frame_of(*[talk(str(n), Message("user", text)) for n in range(400)])
    step = made(DedupeNear)
    result = folded(step, frame, tmp_path)
    assert result.frame["id"].to_list() == ["0"]
    assert result.report.facts["pairs compared"] == 399
