"""Gemini's two Takeout files and Google AI Studio's prompts."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from made import only, read

from ingest.archive import open_export
from ingest.errors import ExportError
from ingest.importers.ai_studio import AIStudio
from ingest.importers.base import Item, Reject, Skip
from ingest.importers.gemini import Gemini
from ingest.message import Attachment, Conversation

APP = "https://gemini.google.com/app/"


@pytest.fixture
def gemini(tmp_path: Path):
    def items_of(value: Any) -> list[Item]:
        path = tmp_path / "any.name"
        path.write_text(json.dumps(value))
        return read(Gemini(), path)

    return items_of


@pytest.fixture
def studio(tmp_path: Path):
    def items_of(value: Any, name: str = "Any name v1.2") -> list[Item]:
        path = tmp_path / name
        path.write_text(json.dumps(value))
        return read(AIStudio(), path)

    return items_of


# -- Gemini, My Activity ---------------------------------------------------------------------------


def prompt(title: str, time: Any = "2026-01-01T10:00:00Z", answer: str | None = "<p>Yes</p>",
           **more: Any) -> dict[str, Any]:  # fmt: skip
    html = {"safeHtmlItem": [{"html": answer}]} if answer else {}
    header = {"header": "Gemini Apps", "products": ["Gemini Apps"]}
    return {"title": title, "time": time, **header, **html, **more}


def texts(found: Item) -> list[str]:
    assert isinstance(found, Conversation)
    return [m.content for m in found.messages]


def test_gem1_a_conversations_address_joins_what_other_prompts_part(gemini):
    first, second = gemini(
        [
            prompt("Prompted three", "2026-01-03T10:00:00Z", None, titleUrl=APP + "abc123def"),
            prompt("Prompted two", "2026-01-02T10:00:00Z", None, titleUrl=APP + "fff999eee"),
            prompt("Prompted one", "2026-01-01T10:00:00Z", None, titleUrl=APP + "abc123def?hl=en"),
        ]
    )
    assert texts(first) == ["two"]
    assert texts(second) == ["one", "three"]
    assert (second.source_id, second.metadata) == ("abc123def", {"grouped_by": "titleUrl"})


def test_gem1_without_one_half_an_hour_of_silence_parts(gemini):
    later, earlier = gemini(
        [
            prompt("Prompted d", "2026-01-01T11:00:01Z", None),
            prompt("Prompted c", "2026-01-01T10:30:00Z", None),
            prompt(
                "Prompted b", "2026-01-01T10:00:00Z", None, titleUrl="https://gemini.google.com/"
            ),
            prompt("Prompted a", "2026-01-01T10:00:00Z", None),
        ]
    )
    assert texts(later) == ["d"]
    assert texts(earlier) == ["a", "b", "c"]
    assert earlier.metadata == {"grouped_by": "30 minutes of silence"}


def test_gem1_a_later_export_gives_the_same_ids(gemini):
    old = [prompt("Prompted a", "2026-01-01T10:00:00Z")]
    new = [prompt("Prompted b", "2026-01-01T10:10:00Z"), *old]
    assert only(gemini(old)).id == only(gemini(new)).id


@pytest.mark.parametrize(
    "title",
    [
        "Prompted why", "Asked why", "Said why", "Branched why", "Answered why",
        "Prompted with: why", "Asked Gemini: why", "Asked Bard: why", "Prompted\u00a0why",
        "Prompted why Attached 2 files.", "Prompted why\nAttached 1 file.",
    ],
)  # fmt: skip
def test_gem2_the_verb_and_the_note_on_files_are_cut(gemini, title):
    assert texts(only(gemini([prompt(title)]))) == ["why", "Yes"]


@pytest.mark.parametrize(
    "verb", ["Created", "Used", "Added", "Gave", "Selected", "Shared", "Deleted"]
)
def test_gem2_other_activities_are_skipped(gemini, verb):
    item, talk = gemini([prompt(f"{verb} something"), prompt("Prompted why")])
    assert isinstance(item, Skip)
    assert item.reason == "an activity that is no prompt"
    assert texts(talk) == ["why", "Yes"]


@pytest.mark.parametrize("header", ["Gemini-Apps", "Aplicaciones de Gemini", "Bard"])
def test_gem3_a_title_in_another_language_stays_whole(gemini, header):
    found = only(gemini([prompt("Pregunta: ¿por qué?", header=header, products=[])]))
    assert texts(found) == ["Pregunta: ¿por qué?", "Yes"]


def test_gem3_without_verb_and_answer_it_is_no_prompt(gemini):
    (item,) = gemini([prompt("Has usado una función", answer=None)])
    assert isinstance(item, Skip)


def test_gem4_other_products_in_the_same_shape_give_nothing(tmp_path, gemini):
    other = prompt("Searched for canary", header="Search", products=["Search"])
    first, second = gemini([other, prompt("Prompted why")])
    assert first == Skip("any.name: byte 1", "an activity of another product")
    assert texts(second) == ["why", "Yes"]
    alone = tmp_path / "youtube.json"
    alone.write_text(json.dumps([other, other]))
    assert Gemini().sniff(open_export(alone)) == 0


def test_gem5_answers_are_html_and_none_is_invented(gemini):
    (found,) = gemini(
        [
            prompt("Prompted b", answer=None),
            prompt("Prompted a", answer="<ul><li>flour &amp; water</li></ul><script>x</script>"),
        ]
    )
    assert [(m.role, m.content) for m in found.messages] == [
        ("user", "a"),
        ("assistant", "- flour & water"),
        ("user", "b"),
    ]


def test_gem5_html_alone_is_an_error_that_says_what_to_choose(tmp_path):
    path = tmp_path / "MyActivity.html"
    path.write_text(
        '<html><head><title>My Activity History</title></head><body><div class="outer-cell">'
        "Gemini Apps<br>Prompted canary</div></body></html>"
    )
    assert 0 < Gemini().sniff(open_export(path)) < 0.5
    with pytest.raises(ExportError) as caught:
        read(Gemini(), path)
    assert "JSON" in str(caught.value.hint)
    assert "canary" not in str(caught.value)


def test_html_beside_json_is_skipped(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/MyActivity.html").write_text("<html><title>My Activity</title>Gemini")
    (tmp_path / "a/MyActivity.json").write_text(json.dumps([prompt("Prompted why")]))
    skip, talk = read(Gemini(), tmp_path / "a")
    assert isinstance(skip, Skip)
    assert texts(talk) == ["why", "Yes"]


def test_files_of_a_prompt_are_attachments(gemini):
    listed = [{"name": "Attached 1 file."}, {"name": "-  a.jpg", "url": "a-1.jpg"}, {"name": "x"}]
    found = only(
        gemini(
            [
                prompt("Prompted Attached 1 file.", subtitles=listed, imageFile="b.png",
                       audioFiles=["c.ogg"], attachedFiles=[{"name": "d", "url": "d.pdf"}, 5]),
            ]
        )
    )  # fmt: skip
    assert found.messages[0].content == ""
    assert found.messages[0].attachments == (
        Attachment("file", "d", "d.pdf"),
        Attachment("image", uri="b.png"),
        Attachment("audio", uri="c.ogg"),
        Attachment("file", "a.jpg", "a-1.jpg"),
    )
    assert found.messages[0].extra == {"subtitles": [{"name": "x"}]}


def test_a_prompt_without_time_is_kept_without_one(gemini):
    found = only(gemini([prompt("Prompted why", time=None)]))
    assert found.created_at is None
    assert texts(found) == ["why", "Yes"]


# -- Gemini, Conversation History ------------------------------------------------------------------


def asked(index: Any, text: str = "q", **more: Any) -> dict[str, Any]:
    return {"user_turn": {"prompt": text, "turn_index": index, **more}}


def said(index: Any, text: str = "a", **more: Any) -> dict[str, Any]:
    return {"system_turn": {"text": [{"data": text}], "turn_index": index, **more}}


def history(*turns: Any, **more: Any) -> dict[str, Any]:
    return {"title": "T", "creation_time": "2026-01-01T00:00:00Z", **more,
            "conversation_turns": list(turns)}  # fmt: skip


def test_gem6_the_system_turn_is_the_assistant(gemini):
    thoughts = [{"headline": "h", "description": "d"}, {"headline": "i"}]
    found = only(gemini(history(asked(0), said(1, model_thoughts=thoughts))))
    assert [(m.role, m.content, m.reasoning) for m in found.messages] == [
        ("user", "q", None),
        ("assistant", "a", "h\nd\n\ni"),
    ]
    assert found.metadata == {"times": "last modified"}


def test_gem6_a_repeated_index_is_another_turn_and_the_last_one_counts(gemini):
    found = only(gemini(history(asked(0), said(1), asked(2), asked(2), said(3), said(3))))
    assert [(m.source_id, m.parent_id, m.on_path) for m in found.messages] == [
        ("user-0", None, True),
        ("assistant-1", "user-0", True),
        ("user-2", "assistant-1", False),
        ("user-2#2", "assistant-1", True),
        ("assistant-3", "user-2#2", False),
        ("assistant-3#2", "user-2#2", True),
    ]


def test_gem6_deleted_turns_lie_beside_the_path(gemini):
    gone = {"turn_deleted_time": "2026-01-02T00:00:00Z"}
    found = only(gemini(history(asked(0), said(1, **gone), asked(2), said(3, **gone))))
    assert [(m.source_id, m.parent_id, m.on_path) for m in found.messages] == [
        ("user-0", None, True),
        ("assistant-1", "user-0", False),
        ("user-2", "user-0", True),
        ("assistant-3", "user-2", False),
    ]


def test_gem6_a_deleted_beginning_is_kept_beside_the_path(gemini):
    gone = {"turn_deleted_time": "2026-01-02T00:00:00Z"}
    found = only(gemini(history(asked(0, **gone), said(1))))
    assert [(m.source_id, m.parent_id, m.on_path) for m in found.messages] == [
        ("user-0", None, False),
        ("assistant-1", "user-0", True),
    ]


def test_gem6_times_are_the_turns_own(gemini):
    found = only(gemini(history(asked(0, turn_last_modified="2026-01-03T00:00:00Z"))))
    assert found.messages[0].created_at == datetime(2026, 1, 3, tzinfo=UTC)
    assert found.created_at == datetime(2026, 1, 1, tzinfo=UTC)


def test_texts_of_cards_and_strange_pieces(gemini):
    pieces = [{"data": "a"}, {"cards": [{"content": "b"}, 5]}, {"chart": 1}]
    turn = {"system_turn": {"text": pieces, "turn_index": 0, "images": ["i.png"], "new": True}}
    (found,) = only(gemini(history(turn))).messages
    assert (found.content, found.attachments) == ("a\nb", (Attachment("image", uri="i.png"),))
    assert found.extra == {"new": True, "text": [{"chart": 1}]}


def test_turns_without_an_index_follow_each_other(gemini):
    found = only(gemini(history(asked(None), said("x"), asked(None))))
    assert [m.source_id for m in found.messages if m.on_path] == ["user-0", "assistant-1", "user-2"]


def test_two_talks_of_one_moment_are_two(tmp_path):
    (tmp_path / "a").mkdir()
    for name in ("conversation_1.txt", "conversation_2.txt"):
        (tmp_path / "a" / name).write_text(json.dumps(history(asked(0))))
    first, second = read(Gemini(), tmp_path / "a")
    assert first.id != second.id


def test_a_talk_without_turns_is_skipped(gemini):
    (item,) = gemini(history())
    assert item == Skip("any.name", "no messages")


# -- AI Studio -------------------------------------------------------------------------------------


def chunk(role: str, text: str | None = None, **more: Any) -> dict[str, Any]:
    return {"role": role, **({} if text is None else {"text": text}), **more}


def studio_file(*chunks: Any, **more: Any) -> dict[str, Any]:
    return {"runSettings": {"model": "models/x"}, "chunkedPrompt": {"chunks": list(chunks)}, **more}


def test_ais1_thoughts_are_reasoning_and_never_text(studio):
    found = only(
        studio(studio_file(chunk("user", "q"), chunk("model", "hm", isThought=True),
                           chunk("model", "a")))
    )  # fmt: skip
    assert [(m.role, m.content, m.reasoning) for m in found.messages] == [
        ("user", "q", None),
        ("assistant", "a", "hm"),
    ]


def test_ais1_thoughts_alone_are_not_trained(studio):
    found = only(studio(studio_file(chunk("user", "q"), chunk("model", "hm", isThought=True))))
    assert (found.messages[1].content, found.messages[1].train) == ("", False)


def test_ais2_consecutive_chunks_are_one_turn_and_media_are_attachments(studio):
    found = only(
        studio(
            studio_file(
                chunk("user", driveImage={"id": "d1"}),
                chunk("user", "q"),
                chunk("model", "a"),
                chunk("model", "hm", isThought=True),
                chunk("model", "b"),
                chunk("model", inlineImage={"mimeType": "image/png", "data": "AAAAAAA="}),
            )
        )
    )
    assert [(m.content, m.reasoning) for m in found.messages] == [("q", None), ("a\nb", "hm")]
    assert found.messages[0].attachments == (Attachment("image", uri="d1"),)
    assert found.messages[1].attachments == (
        Attachment("image", mime_type="image/png", size_bytes=5),
    )


@pytest.mark.parametrize(
    "written", ["be kind", {"text": "be kind"}, {"parts": [{"text": "be kind"}]}]
)
def test_ais3_the_system_instruction_is_system(studio, written):
    found = only(studio(studio_file(chunk("user", "q"), systemInstruction=written)))
    assert [(m.role, m.content) for m in found.messages] == [("system", "be kind"), ("user", "q")]


def test_ais4_a_draft_is_no_message(studio):
    draft = {"pendingInputs": [chunk("user", "canary")]}
    value = studio_file(chunk("user", "q"))
    value["chunkedPrompt"] |= draft
    assert "canary" not in repr(only(studio(value)))
    (item,) = studio({"chunkedPrompt": draft})
    assert item == Skip("Any name v1.2", "no messages")


@pytest.mark.parametrize("key", ["chunkedPrompt", "contents", "history"])
def test_ais5_older_places_of_the_chunks_are_read(tmp_path, studio, key):
    parts = {"role": "model", "parts": [{"text": "a"}, {"text": "b"}]}
    value = {"runSettings": {"model": "models/x"}, key: [chunk("user", "q"), parts]}
    assert [m.content for m in only(studio(value)).messages] == ["q", "ab"]
    assert AIStudio().sniff(open_export(tmp_path / "Any name v1.2")) > 0.9


@pytest.mark.parametrize(
    "value",
    [
        {"contents": [chunk("user", "q")]},
        {"history": [1]},
        {"prompt": {"messages": [chunk("user", "q")]}},
        {"runSettings": 5},
        [{"chunkedPrompt": []}],
    ],
)
def test_ais5_other_objects_are_not_claimed(tmp_path, value):
    path = tmp_path / "a"
    path.write_text(json.dumps(value))
    assert AIStudio().sniff(open_export(path)) == 0


def test_a_long_instruction_before_the_chunks_does_not_hide_them(tmp_path):
    path = tmp_path / "a"
    value = {"runSettings": {"model": "models/x"}, "systemInstruction": {"text": "long " * 20_000},
             "chunkedPrompt": {"chunks": [chunk("user", "q")]}}  # fmt: skip
    path.write_text(json.dumps(value))
    assert AIStudio().sniff(open_export(path)) > 0.9


@pytest.mark.parametrize(
    ("more", "train"),
    [
        ({"finishReason": "STOP"}, None),
        ({"finishReason": "SAFETY"}, False),
        ({"errorMessage": "quota"}, False),
    ],
)
def test_broken_off_answers_are_not_trained(studio, more, train):
    answer = only(studio(studio_file(chunk("user", "q"), chunk("model", "a", **more)))).messages[1]
    assert (answer.train, answer.extra) == (train, more)


def test_the_name_in_drive_is_the_title(studio):
    value = studio_file(chunk("user", "q"))
    assert only(studio(value)).title == "Any name v1.2"
    assert only(studio(value, "Talk.json")).title == "Talk"


def test_functions_called_and_answered_pair(studio):
    found = only(
        studio(
            studio_file(
                chunk("user", "q"),
                chunk("model", functionCall={"name": "weigh", "args": {"kilos": 2}}),
                chunk("model", functionResponse={"name": "weigh", "response": {"ok": 1}}),
                chunk("model", "done"),
            )
        )
    )
    _, asked_, answered, _ = found.messages
    assert (asked_.tool_calls[0].name, asked_.tool_calls[0].arguments) == ("weigh", '{"kilos":2}')
    assert answered.role == "tool"
    assert (answered.tool_call_id, answered.content) == (asked_.tool_calls[0].id, '{"ok":1}')


def test_a_document_cut_off_is_a_reject(tmp_path):
    path = tmp_path / "a"
    path.write_text(json.dumps(studio_file(chunk("user", "canary")))[:-20])
    (item,) = read(AIStudio(), path)
    assert isinstance(item, Reject)
    assert "canary" not in repr(item)
