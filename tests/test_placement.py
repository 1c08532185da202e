"""Splits with groups and times: no group in two splits, and nothing moves when data is added."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from step_ground import frame_of, talk

from dataset.manifest import SplitReport, SplitSpec
from dataset.placement import BRIDGES, UNTIMED, Placement
from dataset.read import thread_of
from dataset.split import split_of
from dataset.spool import Spool
from ingest.message import Conversation, Message, Participant
from ingest.people import chat_of

HALVES = {"validation": 0.3, "test": 0.3}


def split(
    talks: list[Conversation],
    folder: Path,
    stand_ins: dict[str, str] | None = None,
    selected: list[Conversation] | None = None,
    **spec: Any,
) -> tuple[dict[str, str], SplitReport]:
    """Where each conversation goes, and the report; in batches of three."""
    known = iter([(each.id, thread_of(each)) for each in selected or talks])
    placement = Placement(SplitSpec(**{**HALVES, **spec}), 0, stand_ins or {}, known)
    places: dict[str, str] = {}
    with Spool(folder / "rows.arrow") as spool:
        for at in range(0, len(talks), 3):
            spool.write(frame_of(*talks[at : at + 3]))
        if placement.grouped:
            for frame in spool:
                placement.observe(frame)
            placement.settle(spool)
        for frame in spool:
            kept, names = placement.place(frame)
            places |= dict(zip(kept["id"], names, strict=True))
    return places, placement.report()


def with_people(id_: str, *names: str) -> Conversation:
    messages = (
        Message("user", "q", name=names[0] if names else None),
        Message("assistant", "a", name="Mill"),
    )
    people = (*[Participant(name) for name in names], Participant("Mill", is_assistant=True))
    return talk(id_, *messages, participants=people)


# -- groups --------------------------------------------------------------------------------------


def test_who_talks_is_in_one_split_and_the_assistant_does_not_count(tmp_path):
    talks = [with_people(str(n), f"Person {n % 7}") for n in range(60)]
    places, report = split(talks, tmp_path, group_by=["participants"])
    assert len(places) == 60
    for person in range(7):
        assert len({places[str(n)] for n in range(person, 60, 7)}) == 1
    assert report.groups["participants"].model_dump() == {
        "asked": True, "groups": 7, "in_two_splits": 0
    }  # fmt: skip


def test_what_is_not_asked_is_counted_all_the_same(tmp_path):
    talks = [with_people(str(n), f"Person {n % 7}") for n in range(60)]
    places, report = split(talks, tmp_path)
    parted = sum(len({places[str(n)] for n in range(person, 60, 7)}) > 1 for person in range(7))
    count = report.groups["participants"]
    assert (count.asked, count.groups, count.in_two_splits) == (False, 7, parted)
    assert parted > 0


def far_apart() -> tuple[str, str]:
    """Two ids that hash into two splits."""
    spec = SplitSpec(**HALVES)
    ids = [str(n) for n in range(100)]
    return ids[0], next(id_ for id_ in ids if split_of(id_, spec, 0) != split_of(ids[0], spec, 0))


def test_what_belongs_to_two_splits_is_left_out_and_moves_nobody(tmp_path):
    one, other = far_apart()
    before = [with_people(one, "Anna"), with_people(other, "Bo")]
    bridge = with_people("bridge", "Anna", "Bo")
    first, _ = split(before, tmp_path, group_by=["participants"])
    second, report = split([*before, bridge], tmp_path, group_by=["participants"])
    assert second == first
    assert report.dropped == {BRIDGES: 1}
    assert (report.rows_in, report.kept) == (3, 2)


def test_a_conversation_that_was_left_out_joins_nothing(tmp_path):
    one, other = far_apart()
    talks = [
        with_people(one, "Anna"),
        with_people(other, "Bo"),
        with_people("x", "Anna", "Bo", "Cy"),
    ]
    alone, _ = split([with_people("y", "Cy")], tmp_path, group_by=["participants"])
    places, _ = split([*talks, with_people("y", "Cy")], tmp_path, group_by=["participants"])
    assert places["y"] == alone["y"]


def session(chat: str, number: int) -> Conversation:
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number)
    native = f"{chat}|{at.isoformat()}|Anna"
    return talk(f"{chat}-{number}", Message("user", "q"), source_id=native, created_at=at)


def test_sessions_of_a_chat_stay_together(tmp_path):
    talks = [session(f"chat {n % 5}", n) for n in range(40)]
    places, report = split(talks, tmp_path, group_by=["thread"])
    assert all(
        len({places[t.id] for t in talks if t.id.startswith(f"chat {c}")}) == 1 for c in range(5)
    )
    assert (report.groups["thread"].groups, report.groups["thread"].in_two_splits) == (5, 0)


@pytest.mark.parametrize(
    ("native", "chat"),
    [
        ("D01|2026-03-02T10:30:00.000200+00:00|Marla", "D01"),
        ("Wendel Mill|2026-01-09T15:52:00|Tobin|2", "Wendel Mill"),
        ("a|b|2026-01-09T15:52:00|T", "a|b"),
        ("chat||Anna#2", "chat"),
        ("conv-5", None),
        ("model|draft", None),
        ("|", None),
    ],
)
def test_the_chat_of_a_session(native, chat):
    assert chat_of(native) == chat


def test_an_agents_helper_belongs_to_its_session():
    main = Conversation(id="1", importer="claude-code", source_id="s")
    side = Conversation(
        id="2",
        importer="claude-code",
        source_id="s/a",
        metadata={"isSidechain": True, "sessionId": "s"},
    )
    child = Conversation(
        id="3", importer="gemini-cli", source_id="t", metadata={"parentSession": "p"}
    )
    assert thread_of(main) == thread_of(side) == "claude-code|s"
    assert thread_of(child) == "gemini-cli|p"


def test_near_duplicates_stay_together(tmp_path):
    texts = [" ".join(f"w{(n * 7 + k) % 97}" for k in range(60)) for n in range(0, 90, 30)]
    talks = [
        talk(f"{n}-{copy}", Message("user", f"{text} {copy}"))
        for copy in range(12)
        for n, text in enumerate(texts)
    ]
    places, report = split(talks, tmp_path, group_by=["near-duplicates"])
    for n in range(3):
        assert len({places[f"{n}-{copy}"] for copy in range(12)}) == 1
    count = report.groups["near-duplicates"]
    assert (count.asked, count.groups, count.in_two_splits) == (True, 3, 0)
    alone, _ = split(talks, tmp_path)
    assert any(len({alone[f"{n}-{copy}"] for copy in range(12)}) > 1 for n in range(3))


def test_what_stands_for_an_earlier_one_goes_where_that_would_have_gone(tmp_path):
    one, other = far_apart()
    for grouping in ([], ["thread"]):
        talks = [talk(other, Message("user", "q"))]
        selected = [talk(one, Message("user", "q")), *talks]
        places, _ = split(talks, tmp_path, {other: one}, selected, group_by=grouping)
        assert places == {other: split_of(one, SplitSpec(**HALVES), 0)}


people = st.lists(st.sampled_from("ABCDEFG"), max_size=2, unique=True)
texts = st.lists(st.sampled_from("abcd"), min_size=1, max_size=7).map(" ".join)
KINDS = ("participants", "thread", "near-duplicates")


@st.composite
def conversations(draw: st.DrawFn) -> list[Conversation]:
    made = []
    for n in range(draw(st.integers(0, 14))):
        names = draw(people)
        made.append(
            talk(
                f"id-{n}",
                Message("user", draw(texts), name=names[0] if names else None),
                participants=tuple(Participant(name) for name in names),
                source_id=f"chat {draw(st.integers(0, 4))}|2026-01-01T00:00:0{n % 10}|x",
                created_at=datetime(2026, draw(st.integers(1, 3)), 1),
            )
        )
    return made


TIMES = {"by": "time", "validation_from": datetime(2026, 2, 1), "test_from": datetime(2026, 3, 1)}


@settings(max_examples=40, deadline=None)
@given(
    conversations(),
    st.lists(st.sampled_from(KINDS), unique=True),
    st.booleans(),
    st.integers(0, 14),
)
def test_no_group_is_in_two_splits_and_nothing_moves(tmp_path_factory, talks, kinds, timed, cut):
    folder = tmp_path_factory.mktemp("split")
    spec = {
        **({**TIMES, "validation": 0, "test": 0} if timed else {}),
        "group_by": kinds,
        "near": 0.5,
    }
    places, report = split(talks, folder, **spec)  # the report itself refuses a leak
    assert report.rows_in == len(talks) == report.kept + sum(report.dropped.values())
    assert report.kept == len(places)
    for kind in set(kinds) - {"near-duplicates"}:
        seen: dict[str, set[str]] = {}
        for each in talks:
            of = (
                [p.name for p in each.participants] if kind == "participants" else [thread_of(each)]
            )
            for group in of if each.id in places else []:
                seen.setdefault(group, set()).add(places[each.id])
        assert all(len(splits) == 1 for splits in seen.values())
    earlier, _ = split(talks[:cut], folder, **spec)
    assert (
        earlier
        == {id_: places[id_] for id_ in earlier if id_ in places}
        == {each.id: places[each.id] for each in talks[:cut] if each.id in places}
    )


# -- times ---------------------------------------------------------------------------------------


def at(id_: str, time: datetime | None) -> Conversation:
    return talk(id_, Message("user", "q"), created_at=time)


def test_a_cut_by_time(tmp_path):
    talks = [
        at("old", datetime(2026, 1, 31, 23, 59)),
        at("middle", datetime(2026, 2, 1)),
        at("zoned", datetime(2026, 2, 28, 23, 30, tzinfo=UTC)),
        at("new", datetime(2026, 3, 1)),
        at("never", None),
    ]
    places, report = split(talks, tmp_path, **{**TIMES, "validation": 0, "test": 0})
    assert places == {"old": "train", "middle": "validation", "zoned": "validation", "new": "test"}
    assert report.dropped == {UNTIMED: 1}


def test_only_a_test_split_by_time():
    spec = SplitSpec(by="time", test_from=datetime(2026, 1, 1))
    assert (spec.validation, spec.test) == (0, 0)
    assert SplitSpec.model_validate(spec.model_dump(mode="json")) == spec


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"by": "time"}, "is needed"),
        ({"by": "time", "test": 0.1, "test_from": datetime(2026, 1, 1)}, "no shares"),
        ({"test_from": datetime(2026, 1, 1)}, "by = "),
        (
            {
                "by": "time",
                "test_from": datetime(2026, 1, 1),
                "validation_from": datetime(2026, 1, 1),
            },
            "before",
        ),
        (
            {
                "by": "time",
                "test_from": datetime(2026, 1, 1, tzinfo=UTC),
                "validation_from": datetime(2025, 1, 1),
            },
            "zone",
        ),
        ({"group_by": ["person"]}, "near-duplicates"),
    ],
)
def test_a_split_that_makes_no_sense(spec, words):
    with pytest.raises(ValidationError, match=words):
        SplitSpec(**spec)


def test_shares_stay_about_right_with_groups(tmp_path):
    talks = [with_people(f"c{n}", f"Person {n % 400}") for n in range(1200)]
    places, _ = split(talks, tmp_path, group_by=["participants"])
    shares = Counter(places.values())
    assert shares["test"] / 1200 == pytest.approx(0.3, abs=0.08)
