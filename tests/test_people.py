"""People's chats: sessions, turns, and roles that are chosen and never guessed."""

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.message import Attachment, Participant
from ingest.people import SESSION_GAP, Event, Line, participants, sessions, turns

START = datetime(2026, 1, 1, 9, 0)


def line(minute: float, speaker: str = "Anna", text: str = "hi", **more: object) -> Line:
    return Line(speaker, text, START + timedelta(minutes=minute), **more)  # type: ignore[arg-type]


def event(minute: float, text: str = "joined") -> Event:
    return Event(START + timedelta(minutes=minute), text)


def cut(*items: Line | Event, **options: object) -> list[tuple[list[str], list[str]]]:
    """Texts of lines and of events, by session."""
    return [
        ([each.text for each in found.lines], [each.text for each in found.events])
        for found in sessions(items, **options)  # type: ignore[arg-type]
    ]


# -- sessions ------------------------------------------------------------------------------------


def test_nothing_is_no_session():
    assert cut() == []


@pytest.mark.parametrize(("minutes", "count"), [(359, 1), (360, 1), (360.02, 2), (5000, 2)])
def test_a_silence_longer_than_six_hours_parts(minutes, count):
    assert len(cut(line(0), line(minutes))) == count


def test_a_clock_that_goes_back_does_not_part():
    assert len(cut(line(600), line(0), line(300))) == 1


def test_a_line_without_time_stays_and_the_silence_counts_from_the_last_time():
    undated = Line("Anna", "?", None)
    assert cut(line(0), undated, line(30)) == [(["hi", "?", "hi"], [])]
    assert cut(line(0), undated, line(700)) == [(["hi", "?"], []), (["hi"], [])]


def test_events_belong_where_they_fall_and_in_a_silence_to_the_nearer_side():
    found = cut(event(-9, "a"), line(0), event(5, "b"), event(10, "c"), event(990, "d"), line(1000))
    assert found == [(["hi"], ["a", "b", "c"]), (["hi"], ["d"])]


def test_events_without_time_stay_with_what_came_before():
    assert cut(line(0), Event(None, "x"), line(1000))[0] == (["hi"], ["x"])


def test_events_alone_are_a_session_without_lines():
    assert cut(event(0), event(9000)) == [([], ["joined", "joined"])]


def test_a_session_has_a_longest_length():
    assert [len(lines) for lines, _ in cut(*[line(n) for n in range(7)], longest=3)] == [3, 3, 1]


MINUTES = st.lists(st.integers(0, 2000), max_size=30).map(sorted)


@given(MINUTES)
def test_sessions_keep_every_line_once_in_order_and_part_at_every_silence(minutes):
    items = [line(minute, text=str(at)) for at, minute in enumerate(minutes)]
    found = list(sessions(items))
    assert [each for session in found for each in session.lines] == items
    for before, after in pairwise(found):
        assert after.lines[0].at - before.lines[-1].at > SESSION_GAP
    for session in found:
        assert all(b.at - a.at <= SESSION_GAP for a, b in pairwise(session.lines))


# -- turns ---------------------------------------------------------------------------------------


def test_nobody_is_the_assistant_unless_chosen():
    messages = list(turns([line(0, "Anna"), line(1, "Assistant"), line(2, "Bot")], []))
    assert [m.role for m in messages] == ["user", "user", "user"]
    assert [m.name for m in messages] == ["Anna", "Assistant", "Bot"]


@pytest.mark.parametrize("chosen", ["Bot", "id-7"])
def test_the_chosen_speaker_is_the_assistant_by_name_or_id(chosen):
    lines = [line(0, "Anna"), line(1, "Bot", speaker_id="id-7")]
    assert [m.role for m in turns(lines, [chosen])] == ["user", "assistant"]
    assert participants(lines, [chosen]) == (
        Participant("Anna"),
        Participant("Bot", "id-7", is_assistant=True),
    )


@pytest.mark.parametrize("chosen", ["bot", "Bo", "Bot ", "id", ""])
def test_no_other_spelling_chooses(chosen):
    lines = [line(0, "Bot", speaker_id="id-7")]
    assert [m.role for m in turns(lines, [chosen])] == ["user"]


def test_consecutive_lines_of_a_speaker_are_one_turn_that_loses_nothing():
    (message,) = turns([line(0, text="a"), line(1, text="b\nc"), line(2, text="")], [])
    assert message.content == "a\nb\nc"
    assert message.created_at == START
    assert message.extra == {
        "parts": [
            ["2026-01-01T09:00:00", 1],
            ["2026-01-01T09:01:00", 3],
            ["2026-01-01T09:02:00", 0],
        ]
    }


def test_one_line_has_no_parts():
    (message,) = turns([line(0, extra={"edited": True})], [])
    assert message.extra == {"edited": True}


def test_attachments_of_a_turn_are_kept_in_order():
    one, two = Attachment("image"), Attachment("audio")
    (message,) = turns([line(0, attachments=(one,)), line(1, attachments=(two,))], [])
    assert message.attachments == (one, two)


def test_speakers_with_one_name_and_two_ids_are_two():
    lines = [line(0, speaker_id="1"), line(1, speaker_id="2"), line(2)]
    assert len(list(turns(lines, []))) == 3
    assert len(participants(lines, [])) == 3


def test_a_renamed_speaker_is_one_by_id():
    lines = [line(0, "Anna", speaker_id="1"), line(1, "Anna B.", speaker_id="1")]
    assert len(list(turns(lines, []))) == 1
    assert participants(lines, []) == (Participant("Anna", "1"),)


def test_a_line_that_stands_alone_is_not_merged():
    lines = [line(0), line(1, text="", alone=True, train=False), line(2)]
    assert [(m.content, m.train) for m in turns(lines, [])] == [
        ("hi", None),
        ("", False),
        ("hi", None),
    ]


@given(st.lists(st.tuples(st.sampled_from("AB"), st.text("xy\n", max_size=4), st.booleans())))
def test_turns_alternate_or_stand_alone_and_keep_every_text(said):
    lines = [line(n, who, text, alone=alone) for n, (who, text, alone) in enumerate(said)]
    messages = list(turns(lines, ["B"]))
    assert "".join(m.content for m in messages).replace("\n", "") == "".join(
        text for _, text, _ in said
    ).replace("\n", "")
    assert sum(len(m.extra.get("parts", [0])) for m in messages) == len(lines)
    assert all((m.role == "assistant") == (m.name == "B") for m in messages)
