"""Claude.ai's export: linear and tree, blocks, files."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from made import only, read

from ingest.archive import open_export
from ingest.importers.base import Item, Skip
from ingest.importers.claude import Claude
from ingest.message import Attachment, Conversation, Message

ZERO = "00000000-0000-0000-0000-000000000000"
ROOT = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def items(tmp_path: Path):
    def items_of(*talks: Any) -> list[Item]:
        path = tmp_path / "any.name"
        path.write_text(json.dumps(list(talks)))
        return read(Claude(), path)

    return items_of


@pytest.fixture
def talk(items):
    """The conversation of some messages."""
    return lambda *said, **more: only(items(conversation(*said, **more)))


def conversation(*said: Any, **more: Any) -> dict[str, Any]:
    return {"uuid": "c", "name": "Talk", "chat_messages": list(said), **more}


def message(uuid: str, sender: str = "human", text: str = "Text", **more: Any) -> dict[str, Any]:
    return {"uuid": uuid, "sender": sender, "text": text, "content": [], **more}


def block(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, **more}


def path(found: Conversation) -> list[str | None]:
    return [m.source_id for m in found.messages if m.on_path]


def shape(found: Conversation) -> list[tuple[str | None, str | None]]:
    return [(m.source_id, m.parent_id) for m in found.messages]


def test_cld1_a_linear_export_is_one_path_without_links(talk):
    found = talk(message("a"), message("b", "assistant"), message("c"))
    assert path(found) == ["a", "b", "c"]
    assert [m.parent_id for m in found.messages] == [None] * 3


def test_cld1_a_tree_keeps_the_abandoned_edit_off_the_path(talk):
    found = talk(
        message("a", parent_message_uuid=ROOT),
        message("b", "assistant", parent_message_uuid="a"),
        message("c", parent_message_uuid=ROOT),
        message("d", "assistant", parent_message_uuid="c"),
        current_leaf_message_uuid="d",
    )
    assert path(found) == ["c", "d"]
    assert shape(found) == [("a", None), ("b", "a"), ("c", None), ("d", "c")]


def test_cld1_messages_in_any_order_come_parents_first(talk):
    found = talk(
        message("b", "assistant", parent_message_uuid="a"), message("a", parent_message_uuid=ROOT)
    )
    assert shape(found) == [("a", None), ("b", "a")]


@pytest.mark.parametrize("root", [ROOT, ZERO, "gone", None, "", "a"])
def test_cld2_a_parent_that_is_no_message_makes_a_root(talk, root):
    found = talk(
        message("a", parent_message_uuid=root), message("b", "assistant", parent_message_uuid="a")
    )
    assert [m.source_id for m in found.messages] == ["a", "b"]
    assert "b" in path(found)


def test_cld3_the_current_leaf_decides_though_another_is_newer(talk):
    said = (
        message("a", parent_message_uuid=ROOT),
        message("b", "assistant", parent_message_uuid="a", created_at="2026-01-01T00:00:00Z"),
        message("c", "assistant", parent_message_uuid="a", created_at="2026-01-02T00:00:00Z"),
    )
    assert path(talk(*said, current_leaf_message_uuid="b")) == ["a", "b"]
    assert path(talk(*said)) == ["a", "c"]
    assert path(talk(*reversed(said), current_leaf_message_uuid="gone")) == ["a", "c"]


def test_cld4_blocks_win_over_the_text_that_repeats_them(talk):
    found = talk(message("a", text="placeholder", content=[block("text", text="real")]))
    assert found.messages[0].content == "real"


@pytest.mark.parametrize("content", [[], None, ""])
def test_cld4_without_blocks_the_text_counts(talk, content):
    assert talk(message("a", text="said", content=content)).messages[0].content == "said"


def test_cld5_a_pasted_document_is_no_empty_message(talk):
    pasted = {
        "file_name": "a.txt",
        "file_type": "txt",
        "file_size": 5,
        "extracted_content": "flour",
    }
    found = talk(message("a", text="", attachments=[pasted]))
    assert found.messages[0].content == ""
    assert found.messages[0].attachments == (
        Attachment("file", "a.txt", mime_type="txt", size_bytes=5, text="flour"),
    )


def test_cld6_a_file_in_both_lists_is_one_attachment(talk):
    both = {"file_uuid": "f1", "file_name": "a.png"}
    found = talk(
        message(
            "a",
            files=[both, {"file_name": "b.png"}, {"file_uuid": "f3", "file_name": "a.png"}],
            files_v2=[{**both, "file_kind": "image"}, {"file_uuid": "f2", "file_name": "b.png"}],
        )
    )
    assert [(a.kind, a.uri) for a in found.messages[0].attachments] == [
        ("image", "f1"),
        ("file", "f2"),
        ("file", "f3"),
    ]


def test_cld6_old_files_have_a_name_only_and_may_repeat_it(talk):
    found = talk(message("a", files=[{"file_name": "a.pdf"}, {"file_name": "a.pdf"}]))
    assert [a.name for a in found.messages[0].attachments] == ["a.pdf", "a.pdf"]


@pytest.mark.parametrize("written", [None, "t1"])
def test_cld7_calls_and_results_pair_with_and_without_ids(talk, written):
    ids = [written and f"{written}-{n}" for n in range(2)]
    found = talk(
        message(
            "m",
            "assistant",
            content=[
                block("tool_use", id=ids[0], name="weigh", input={"kilos": 2}),
                block("tool_use", id=ids[1], name="price", input={}),
                block("tool_result", tool_use_id=ids[0], content=[block("text", text="2 kg")]),
                block("tool_result", tool_use_id=ids[1], content="5.80"),
                block("text", text="5.80 crowns"),
            ],
        )
    )
    asked, first, second, answer = found.messages
    assert [c.arguments for c in asked.tool_calls] == ['{"kilos":2}', "{}"]
    made = [c.id for c in asked.tool_calls]
    assert made == (ids if written else ["call_m_1", "call_m_2"])
    assert [(m.role, m.tool_call_id, m.name, m.content) for m in (first, second)] == [
        ("tool", made[0], "weigh", "2 kg"),
        ("tool", made[1], "price", "5.80"),
    ]
    assert (answer.role, answer.content) == ("assistant", "5.80 crowns")
    assert shape(found) == [("m", None), ("m.1", "m"), ("m.2", "m.1"), ("m.3", "m.2")]


def test_cld7_the_next_message_hangs_on_the_last_step(talk):
    used = [block("tool_use", name="weigh", input=None), block("tool_result", content="2 kg")]
    found = talk(
        message("a", parent_message_uuid=ROOT),
        message("b", "assistant", parent_message_uuid="a", content=used),
        message("c", parent_message_uuid="b"),
    )
    assert shape(found) == [("a", None), ("b", "a"), ("b.1", "b"), ("c", "b.1")]
    assert path(found) == ["a", "b", "b.1", "c"]


def test_cld8_a_conversation_without_messages_is_skipped(items):
    for none in ([], None):
        (item,) = items(conversation(chat_messages=none))
        assert isinstance(item, Skip)
        assert item.reason == "no messages"


def test_cld9_a_conversation_without_a_project_has_none(talk):
    assert talk(message("a")).metadata == {}
    assert talk(message("a"), project_uuid="p").metadata == {"project_uuid": "p"}


def test_cld10_thinking_is_reasoning_and_never_text(talk):
    thinking = block("thinking", thinking="hm", cut_off=True, summaries=[{"summary": "s"}])
    found = talk(message("a", "assistant", content=[thinking, block("text", text="Rye.")]))
    (answer,) = found.messages
    assert (answer.content, answer.reasoning, answer.train) == ("Rye.", "hm", None)
    assert answer.extra == {"cut_off": True, "summaries": [[{"summary": "s"}]]}


def test_cld10_thinking_between_two_texts_parts_no_answer(talk):
    content = [
        block("thinking", thinking="one"),
        block("text", text="Rye."),
        block("thinking", thinking="two"),
        block("text", text="Oat."),
    ]
    (answer,) = talk(message("a", "assistant", content=content)).messages
    assert (answer.reasoning, answer.content) == ("one\n\ntwo", "Rye.\nOat.")


def test_cld10_a_thought_without_an_answer_is_not_trained(talk):
    (found,) = talk(message("a", "assistant", content=[block("thinking", thinking="hm")])).messages
    assert (found.content, found.reasoning, found.train) == ("", "hm", False)


def test_cld11_third_party_copies_with_roles_strings_and_epochs(talk):
    said = {"role": "user", "content": "Hello", "created_at": 1700000000}
    found = talk(
        said, {**said, "role": "assistant", "created_at": 1700000000500}, uuid=None, id="x"
    )
    assert [(m.role, m.content) for m in found.messages] == [
        ("user", "Hello"),
        ("assistant", "Hello"),
    ]
    assert found.source_id == "x"
    assert found.messages[1].created_at == datetime(2023, 11, 14, 22, 13, 20, 500000, tzinfo=UTC)


def test_gen11_unknown_blocks_are_kept_raw_and_not_rendered(talk):
    strange = [block("voice_note", text="canary"), 5, block("text", text=7), "loose"]
    content = [*strange, block("text", text="said")]
    (found,) = talk(message("a", "assistant", content=content)).messages
    assert found.content == "said"
    assert found.extra["content"] == strange


def test_gen17_interrupted_answers_are_not_trained(talk):
    found = talk(
        message("a", "assistant", truncated=True),
        message("b", "assistant", stop_reason="user_canceled"),
        message("c", "assistant", stop_reason="stop_sequence", truncated=False),
    )
    assert [m.train for m in found.messages] == [False, False, None]


def test_an_unknown_sender_is_kept_by_name_and_never_trained(talk):
    (found,) = talk(message("a", "narrator")).messages
    assert (found.role, found.train, found.extra) == ("system", False, {"sender": "narrator"})


def test_errors_of_tools_are_kept(talk):
    used = [block("tool_use", name="x", input={}), block("tool_result", content=[{"type": "image"}],
            is_error=True)]  # fmt: skip
    tool = talk(message("a", "assistant", content=used)).messages[1]
    assert tool.extra == {"is_error": True, "content": [{"type": "image"}]}


def test_one_odd_field_costs_itself(items):
    found = only(items(conversation(message("a", truncated="maybe"), name=5)))
    assert found.title is None
    assert found.messages[0] == Message("user", "Text", source_id="a")
    assert sorted(found.metadata["unreadable"]) == ["chat_messages.0.truncated", "name"]


def test_twice_the_same_uuid_and_none_are_distinct_messages(talk):
    found = talk(message("a"), message("a"), {"sender": "human", "text": "x"})
    assert [m.source_id for m in found.messages] == ["a", "a#2", "#2"]


def test_a_damaged_tree_says_so_and_loses_nothing(talk):
    found = talk(message("a", parent_message_uuid="b"), message("b", parent_message_uuid="a"))
    assert found.metadata == {"damaged_tree": True}
    assert len(found.messages) == 2


def test_a_single_conversation_as_a_document_is_read(tmp_path):
    path = tmp_path / "any.name"
    path.write_text(json.dumps(conversation(message("a"))))
    assert Claude().sniff(open_export(path)) > 0.9
    assert only(read(Claude(), path)).source_id == "c"


def test_an_object_around_the_array_is_read(tmp_path):
    path = tmp_path / "any.name"
    path.write_text(json.dumps({"conversations": [conversation(message("a"))]}))
    assert Claude().sniff(open_export(path)) > 0.9
    assert only(read(Claude(), path)).source_id == "c"


@pytest.mark.parametrize(
    "beside",
    [
        [{"uuid": "u", "full_name": "canary", "email_address": "canary"}],
        [{"uuid": "p", "name": "canary", "docs": [{"filename": "a", "content": "canary"}]}],
        [{"conversations_memory": "canary", "account_uuid": "u"}],
    ],
)
def test_gen14_users_projects_and_memories_are_never_imported(tmp_path, beside):
    alone = tmp_path / "alone.json"
    alone.write_text(json.dumps(beside))
    assert Claude().sniff(open_export(alone)) == 0
    assert "canary" not in repr(read(Claude(), alone))
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.json").write_text(json.dumps(beside))
    (folder / "b.json").write_text(json.dumps([conversation(message("a"))]))
    found = only(read(Claude(), folder))
    assert "canary" not in repr(found)


def test_cld6_a_second_file_of_one_name_is_another_file(talk):
    named = {"file_name": "a.png"}
    found = talk(message("a", files=[named, named], files_v2=[{**named, "file_uuid": "f1"}]))
    assert [a.uri for a in found.messages[0].attachments] == ["f1", None]
