"""ChatGPT's data export: trees, content types and the quirks seen in real ones."""

import io
import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from made import gpt_export, gpt_message, gpt_talk, node, only, read

from ingest.archive import open_export
from ingest.importers.base import Item, Reject, Skip
from ingest.importers.chatgpt import ChatGPT
from ingest.message import Attachment, Conversation, Message, ToolCall


@pytest.fixture
def items(tmp_path):
    def items_of(*talks: dict[str, Any]) -> list[Item]:
        path = tmp_path / "conversations.json"
        path.write_bytes(gpt_export(*talks))
        return read(ChatGPT(), path)

    return items_of


@pytest.fixture
def message(items):
    """The message that an assistant message with these changes becomes."""

    def message_of(**changes: Any) -> Message:
        mapping = {
            **node("u", None, gpt_message("user", "Question"), "a"),
            **node("a", "u", gpt_message("assistant", "Answer", **changes)),
        }
        return only(items(gpt_talk(mapping=mapping))).messages[-1]

    return message_of


def tree(*nodes: dict[str, Any], current: str | None = None) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for each in nodes:
        mapping |= each
    return gpt_talk(mapping=mapping, current_node=current)


# -- conversations -------------------------------------------------------------------------------


def test_a_conversation_and_its_messages(items):
    found = only(items(gpt_talk(default_model_slug="gpt-x", gizmo_id="g-1")))
    assert found.source_id == "conv-0"
    assert found.title == "Talk 0"
    assert found.created_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert found.metadata == {"model": "gpt-x", "gizmo_id": "g-1"}
    assert [(m.role, m.content, m.source_id, m.parent_id) for m in found.messages] == [
        ("user", "How is the flour?", "u", None),
        ("assistant", "Answer 0", "a", "u"),
    ]


def test_the_id_follows_the_exports_id_and_nothing_else(items):
    one, other, third = items(
        gpt_talk(1), gpt_talk(2, title="x", conversation_id="conv-1"), gpt_talk(3)
    )
    assert one.id == other.id != third.id


def test_an_old_export_names_it_id(items):
    assert only(items(gpt_talk(conversation_id=None, id="old"))).source_id == "old"


@pytest.mark.parametrize("time", [None, 0, 0.0, -5, 1700000000000.0])
def test_no_date_is_invented(items, time):
    found = only(items(gpt_talk(create_time=time)))
    assert found.created_at is None


def test_a_message_without_time_keeps_its_place(items):
    talk = gpt_talk()
    talk["mapping"]["u"]["message"]["create_time"] = None
    assert [m.created_at is None for m in only(items(talk)).messages] == [True, False]


def test_a_time_written_as_text_is_read(items):
    found = only(items(gpt_talk(create_time="1700000000.5")))
    assert found.created_at == datetime(2023, 11, 14, 22, 13, 20, 500000, tzinfo=UTC)


@pytest.mark.parametrize("empty", [{}, node("root", None, None)])
def test_a_conversation_without_messages_is_skipped(items, empty):
    (item,) = items(gpt_talk(mapping=empty))
    assert isinstance(item, Skip)
    assert item.reason == "no messages"


@pytest.mark.parametrize(
    "talk",
    [
        gpt_talk(mapping=None),
        gpt_talk(mapping={"u": {"message": {"content": None}}}),
        gpt_talk(mapping=[1, 2]),
        gpt_talk(title=5),
        {"other": "object"},
        5,
        None,
        "canary",
    ],
)
def test_what_is_no_conversation_costs_itself_and_tells_its_place(items, talk):
    first, bad, last = items(gpt_talk(1), talk, gpt_talk(2))
    assert isinstance(first, Conversation)
    assert isinstance(last, Conversation)
    assert isinstance(bad, Reject)
    assert bad.where.startswith("conversations.json: byte")
    assert bad.hint
    assert "canary" not in "".join(bad)


def test_a_lone_surrogate_becomes_a_replacement_character(items):
    assert only(items(gpt_talk(text="\ud83d!"))).messages[0].content == "\ufffd!"


# -- trees ---------------------------------------------------------------------------------------


def test_side_branches_are_kept_and_marked(items):
    found = only(
        items(
            tree(
                node("u", None, gpt_message("user", "q"), "a1", "a2"),
                node("a1", "u", gpt_message("assistant", "first")),
                node("a2", "u", gpt_message("assistant", "second")),
                current="a2",
            )
        )
    )
    assert [(m.content, m.on_path) for m in found.messages] == [
        ("q", True),
        ("first", False),
        ("second", True),
    ]


def test_equal_siblings_stay_two_messages(items):
    found = only(
        items(
            tree(
                node("u", None, gpt_message("user", "q"), "a1", "a2"),
                node("a1", "u", gpt_message("assistant", "same")),
                node("a2", "u", gpt_message("assistant", "same")),
                current="a1",
            )
        )
    )
    assert [m.on_path for m in found.messages] == [True, True, False]


@pytest.mark.parametrize("current", [None, "gone"])
def test_without_a_current_node_the_newest_leaf_ends_the_path(items, current):
    found = only(
        items(
            tree(
                node("u", None, gpt_message("user", "q"), "a1", "a2"),
                node("a1", "u", gpt_message("assistant", "newer", create_time=1700000009.0)),
                node("a2", "u", gpt_message("assistant", "older", create_time=1700000001.0)),
                current=current,
            )
        )
    )
    assert [m.content for m in found.messages if m.on_path] == ["q", "newer"]


def test_nodes_in_any_order_come_parents_first(items):
    found = only(
        items(
            tree(
                node("a", "u", gpt_message("assistant", "answer")),
                node("u", "client-created-root", gpt_message("user", "question"), "a"),
                node("client-created-root", None, None, "u"),
                current="a",
            )
        )
    )
    assert [m.content for m in found.messages] == ["question", "answer"]
    assert found.metadata == {}


def test_children_that_no_parent_lists_come_after_their_parents(items):
    nodes = [node(str(n), str(n - 1) if n else None, gpt_message("user", str(n))) for n in range(5)]
    found = only(items(tree(*reversed(nodes), current="4")))
    assert [m.content for m in found.messages] == ["0", "1", "2", "3", "4"]
    assert all(m.on_path for m in found.messages)
    assert found.metadata == {"damaged_tree": True}


def test_a_node_without_message_is_stepped_over(items):
    found = only(
        items(
            tree(
                node("u", None, gpt_message("user", "q"), "gap"),
                node("gap", "u", None, "a"),
                node("a", "gap", gpt_message("assistant", "r")),
                current="a",
            )
        )
    )
    assert [m.parent_id for m in found.messages] == [None, "u"]


@pytest.mark.parametrize(
    "nodes",
    [
        [node("x", "x", gpt_message("user", "1"), "x")],
        [node("x", "y", gpt_message("user", "1"), "y"), node("y", "x", None, "x")],
        [node("x", "gone", gpt_message("user", "1"), "nowhere")],
        [node("x", None, gpt_message("user", "1")), node("y", None, None)],
        [node("r", None, None, "r", "x"), node("x", "r", gpt_message("user", "1"), "r")],
    ],
    ids=["own parent", "cycle", "parent and child gone", "two roots", "child is its ancestor"],
)
def test_a_damaged_tree_ends_and_keeps_its_message(items, nodes):
    assert [m.content for m in only(items(tree(*nodes, current="x"))).messages] == ["1"]


@pytest.mark.slow
def test_a_tree_of_20_000_levels(items):
    count = 20_000
    nodes: dict[str, Any] = {}
    for n in range(count):
        parent = str(n - 1) if n else None
        nodes |= node(
            str(n), parent, None if n < count - 1 else gpt_message("user", "deep"), str(n + 1)
        )
    found = only(items(gpt_talk(mapping=nodes, current_node=str(count - 1))))
    assert [m.content for m in found.messages] == ["deep"]


# -- content -------------------------------------------------------------------------------------


IMAGE = {"content_type": "image_asset_pointer", "asset_pointer": "sediment://1", "size_bytes": 7}


def test_parts_of_every_kind(message):
    found = message(
        content={
            "content_type": "multimodal_text",
            "parts": [
                "before",
                {
                    "content_type": "image_asset_pointer",
                    "asset_pointer": "sediment://1",
                    "size_bytes": 7,
                },
                None,
                {"content_type": "audio_transcription", "text": "spoken"},
                {"content_type": "audio_asset_pointer", "asset_pointer": "file-service://2"},
                {"content_type": "real_time_user_audio_video_asset_pointer", "frames": []},
                {"content_type": "new_kind", "n": 1},
                5,
                "after",
            ],
        }
    )
    assert found.content == "before\nspoken\nafter"
    assert found.attachments == (
        Attachment("image", uri="sediment://1", size_bytes=7),
        Attachment("audio", uri="file-service://2"),
        Attachment("audio"),
    )
    assert found.extra["content_type"] == "multimodal_text"
    assert found.extra["parts"] == [
        {"content_type": "real_time_user_audio_video_asset_pointer", "frames": []},
        {"content_type": "new_kind", "n": 1},
        5,
    ]


@pytest.mark.parametrize("pointer", [5, {"a": 1}, ["x"]])
def test_a_pointer_that_is_no_text_is_kept_raw(message, pointer):
    part = {"content_type": "image_asset_pointer", "asset_pointer": pointer, "size_bytes": "7"}
    found = message(content={"content_type": "multimodal_text", "parts": [part]})
    assert found.attachments == ()
    assert found.extra["parts"] == [part]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"content_type": "code", "language": "python", "text": "1 + 1"}, "1 + 1"),
        ({"content_type": "execution_output", "text": "2"}, "2"),
        ({"content_type": "tether_browsing_display", "result": "found"}, "found"),
        ({"content_type": "tether_quote", "title": "T", "url": "u", "text": "quoted"}, "quoted"),
        ({"content_type": "system_error", "name": "E", "text": "failed"}, "failed"),
        ({"content_type": "text", "parts": []}, ""),
        ({"content_type": "text", "parts": [""]}, ""),
        ({"content_type": "code", "parts": [], "text": "kept"}, "kept"),
        ({"content_type": "brand_new", "text": "kept"}, "kept"),
        ({"content_type": "brand_new"}, ""),
        (None, ""),
    ],
)
def test_text_is_found_under_the_key_of_its_type(message, content, text):
    assert message(content=content).content == text


@pytest.mark.parametrize(
    "content",
    [
        {"content_type": "thoughts", "thoughts": [{"summary": "S", "content": "C"}, "plain"]},
        {"content_type": "thoughts", "parts": ["S", "C", "plain"]},
    ],
)
def test_thoughts_are_reasoning_and_not_trained(message, content):
    found = message(content=content)
    assert found.content == ""
    assert (found.reasoning or "").split() == ["S", "C", "plain"]
    assert found.train is False


def test_a_recap_is_not_trained(message):
    found = message(content={"content_type": "reasoning_recap", "content": "Thought for 5 s"})
    assert (found.content, found.train) == ("Thought for 5 s", False)


@pytest.mark.parametrize("kind", ["user_editable_context", "model_editable_context"])
@pytest.mark.parametrize("role", ["user", "assistant"])
def test_what_the_account_adds_is_system_whatever_its_role_says(items, kind, role):
    content = {"content_type": kind, "user_profile": "About", "user_instructions": "Be brief"}
    nodes = node("x", None, gpt_message(role, content=content))
    (found,) = only(items(tree(nodes, current="x"))).messages
    assert (found.role, found.content, found.train) == ("system", "About\n\nBe brief", False)


def test_an_unknown_role_is_kept_by_name_and_never_trained(items):
    (found,) = only(items(tree(node("x", None, gpt_message("critic", "hm")), current="x"))).messages
    assert (found.role, found.train, found.extra) == ("system", False, {"role": "critic"})


# -- tools ---------------------------------------------------------------------------------------


def test_a_message_to_a_tool_is_a_call_and_the_tools_answer_its_result(items):
    code = {"content_type": "code", "language": "python", "text": "print(1)"}
    author = {"role": "tool", "name": "python", "metadata": {}}
    output = {"content_type": "execution_output", "text": "1"}
    found = only(
        items(
            tree(
                node("u", None, gpt_message("user", "q"), "c"),
                node("c", "u", gpt_message("assistant", content=code, recipient="python"), "t"),
                node("t", "c", gpt_message("tool", author=author, content=output)),
                current="t",
            )
        )
    )
    _, call, result = found.messages
    assert (call.content, call.tool_calls) == ("", (ToolCall("call_c", "python", "print(1)"),))
    assert (result.role, result.name, result.content) == ("tool", "python", "1")
    assert result.tool_call_id == "call_c"


@pytest.mark.parametrize(
    "messages", [[{"text": "one"}, {"text": None}, {}, 5, {"text": "two"}], None, 5]
)
def test_output_that_only_the_metadata_reports(message, messages):
    result = {"code": "x", "messages": messages}
    found = message(
        content={"content_type": "execution_output"}, metadata={"aggregate_result": result}
    )
    assert found.content == ("one\ntwo" if isinstance(messages, list) else "")
    assert found.extra["aggregate_result"] == result


def test_a_tool_answer_without_its_call_has_no_call_id(items):
    found = only(items(tree(node("t", None, gpt_message("tool", "1")), current="t")))
    assert found.messages[0].tool_call_id is None


# -- what is not trained -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "extra"),
    [
        ({"weight": 0}, {"weight": 0}),
        ({"weight": 0.0}, {"weight": 0}),
        ({"status": "in_progress"}, {"status": "in_progress"}),
        ({"status": "error"}, {"status": "error"}),
        ({"metadata": {"is_visually_hidden_from_conversation": True}}, {}),
    ],
)
def test_internal_interrupted_and_hidden_messages_are_not_trained(message, changes, extra):
    found = message(**changes)
    assert (found.content, found.train, found.extra) == ("Answer", False, extra)


@pytest.mark.parametrize(
    "changes",
    [{}, {"metadata": None}, {"metadata": {}}, {"weight": None}, {"status": None}, {"weight": 1}],
)
def test_other_messages_are_trained_by_role(message, changes):
    found = message(**changes)
    assert (found.content, found.train, found.extra) == ("Answer", None, {})


def test_the_model_of_a_message_is_kept(message):
    assert message(metadata={"model_slug": "gpt-x"}).extra == {"model_slug": "gpt-x"}


# -- files ---------------------------------------------------------------------------------------


def packed(path: Path, members: dict[str, bytes]) -> Path:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)
    path.write_bytes(buffer.getvalue())
    return path


BESIDE = {
    "user.json": b'{"email": "x"}',
    "message_feedback.json": b"[]",
    "shared_conversations.json": b'[{"id": "1", "title": "shared"}]',
    "conversations_notes.json": b'{"a": 1}',
    "chat.html": b"<html>",
}


def test_shards_and_a_single_file_give_the_same_conversations(tmp_path):
    talks = [gpt_talk(n) for n in range(6)]
    single = packed(tmp_path / "a.zip", {**BESIDE, "conversations.json": gpt_export(*talks)})
    shards = packed(
        tmp_path / "b.zip",
        {
            **BESIDE,
            "x/conversations-000.json": gpt_export(*talks[:4]),
            "x/conversations-001.json": gpt_export(*talks[4:]),
        },
    )
    assert read(ChatGPT(), single) == read(ChatGPT(), shards)
    assert len(read(ChatGPT(), single)) == 6


@pytest.mark.parametrize(
    ("raw", "sure"),
    [
        (gpt_export(gpt_talk()), True),
        (b"\xef\xbb\xbf" + gpt_export(gpt_talk()), True),
        (json.dumps([gpt_talk()], indent=2).encode(), True),
        (gpt_export(gpt_talk(text="a ] } long one " * 9000)), True),
        (json.dumps([{"inserted_at": "x", **gpt_talk()}]).encode(), False),
        (b'[{"chat_messages": []}]', False),
        (b"[]", False),
        (b'{"mapping": {}}', False),
        (b"\x00\x01", False),
    ],
)
def test_it_is_known_by_shape(tmp_path, raw, sure):
    path = tmp_path / "any.name"
    path.write_bytes(raw)
    assert (ChatGPT().sniff(open_export(path)) > 0) is sure
