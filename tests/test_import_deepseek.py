"""DeepSeek: roles from fragments, branches, zones, and captured API answers."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from made import gpt_export, gpt_talk, only, read

from ingest.archive import open_export
from ingest.importers.base import Item, Reject, Skip
from ingest.importers.chatgpt import ChatGPT
from ingest.importers.deepseek import DeepSeek
from ingest.message import Conversation


@pytest.fixture
def items(tmp_path: Path):
    def items_of(value: Any) -> list[Item]:
        path = tmp_path / "any.name"
        path.write_text(json.dumps(value))
        return read(DeepSeek(), path)

    return items_of


def node(key: str, parent: str | None, *fragments: tuple[str, Any], **more: Any) -> dict[str, Any]:
    message = {"fragments": [{"type": kind, "content": text} for kind, text in fragments], **more}
    return {key: {"id": key, "parent": parent, "message": message, "children": []}}


def export(*nodes: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    mapping: dict[str, Any] = {"root": {"id": "root", "parent": None, "message": None}}
    for each in nodes:
        mapping |= each
    return [{"id": "c", "title": "T", "inserted_at": None, "mapping": mapping, **more}]


def capture(*messages: Any, **session: Any) -> dict[str, Any]:
    content = {"chat_session": {"id": "s", **session}, "chat_messages": list(messages)}
    return {"code": 0, "data": {"biz_code": 0, "biz_data": content}}


def shape(found: Conversation) -> list[tuple[str | None, str | None, bool]]:
    return [(m.source_id, m.parent_id, m.on_path) for m in found.messages]


def test_dsk1_roles_come_from_the_types_of_fragments(items):
    found = only(
        items(
            export(
                node("1", "root", ("REQUEST", "q")),
                node("2", "1", ("THINK", "hm"), ("RESPONSE", "a"), ("RESPONSE", "b")),
            )
        )
    )
    assert [(m.role, m.content, m.reasoning, m.train) for m in found.messages] == [
        ("user", "q", None, None),
        ("assistant", "a\nb", "hm", None),
    ]


def test_dsk1_unknown_types_are_kept_raw_and_not_rendered(items):
    odd = [("SEARCH", "canary"), ("RESPONSE", "a"), ("TOOL", {"x": 1}), ("RESPONSE", 5)]
    (found,) = only(items(export(node("1", "root", *odd)))).messages
    assert found.content == "a"
    assert [each["type"] for each in found.extra["fragments"]] == ["SEARCH", "TOOL", "RESPONSE"]


def test_dsk1_unknown_types_alone_say_nobodys_words(items):
    (found,) = only(items(export(node("1", "root", ("SEARCH", "x"))))).messages
    assert (found.role, found.content, found.train) == ("assistant", "", False)


def test_dsk1_a_node_of_both_sides_becomes_two_messages(items):
    both = node("1", "root", ("REQUEST", "q"), ("FILE", "f"), ("RESPONSE", "a"))
    found = only(items(export(both, node("2", "1", ("REQUEST", "next")))))
    assert [(m.role, m.content) for m in found.messages] == [
        ("user", "q"),
        ("assistant", "a"),
        ("user", "next"),
    ]
    assert shape(found) == [("1", None, True), ("1.1", "1", True), ("2", "1.1", True)]


def test_dsk2_regenerated_answers_are_branches_and_the_newest_leaf_counts(items):
    found = only(
        items(
            export(
                node("1", "root", ("REQUEST", "q"), inserted_at="2026-01-01T00:00:00+08:00"),
                node("2", "1", ("RESPONSE", "a"), inserted_at="2026-01-01T00:02:00+08:00"),
                # the later clock time is the earlier moment
                node("3", "1", ("RESPONSE", "b"), inserted_at="2026-01-01T01:00:00+09:00"),
            )
        )
    )
    assert shape(found) == [("1", None, True), ("2", "1", True), ("3", "1", False)]


def test_dsk2_the_current_message_decides(items):
    found = only(
        items(
            capture(
                {"message_id": 1, "parent_id": None, "role": "USER", "content": "q"},
                {"message_id": 2, "parent_id": 1, "role": "ASSISTANT", "content": "a"},
                {"message_id": 3, "parent_id": 1, "role": "ASSISTANT", "content": "b"},
                current_message_id=2,
            )
        )
    )
    assert shape(found) == [("1", None, True), ("2", "1", True), ("3", "1", False)]


def test_dsk3_the_offset_of_a_time_is_honoured(items):
    first = node("1", "root", ("REQUEST", "q"), inserted_at="2026-01-01T06:13:20.123000+08:00")
    found = only(items(export(first, inserted_at="2026-01-01T06:00:00+08:00")))
    eight = timezone(timedelta(hours=8))
    assert found.messages[0].created_at == datetime(2026, 1, 1, 6, 13, 20, 123000, eight)
    # in UTC, as the store gives it back: else its hash would differ
    assert found.created_at is not None
    assert found.created_at.isoformat() == "2025-12-31T22:00:00+00:00"


def test_dsk4_neither_takes_the_other_for_its_own(tmp_path):
    ours, theirs = tmp_path / "conversations.json", tmp_path / "other.json"
    ours.write_text(json.dumps(export(node("1", "root", ("REQUEST", "q")))))
    theirs.write_bytes(gpt_export(gpt_talk()))
    for path, wanted in ((ours, [0.95, 0]), (theirs, [0, 0.95])):
        assert [each.sniff(open_export(path)) for each in (DeepSeek(), ChatGPT())] == wanted


def test_a_captured_answer_states_roles_and_what_was_broken_off(items):
    fragments = [{"id": 1, "type": "THINK", "content": "hm"}, {"type": "RESPONSE", "content": "a"}]
    said = {"message_id": 2, "parent_id": 1, "role": "ASSISTANT", "status": "INCOMPLETE"}
    found = only(
        items(
            capture(
                {"message_id": 1, "role": "USER", "inserted_at": 1700000000.5, "content": "q"},
                {**said, "fragments": fragments},
            )
        )
    )
    question, answer = found.messages
    assert question.created_at == datetime(2023, 11, 14, 22, 13, 20, 500000, tzinfo=UTC)
    assert (answer.content, answer.reasoning, answer.train) == ("a", "hm", False)
    assert answer.extra == {"status": "INCOMPLETE"}


def test_older_answers_hold_content_and_thinking(items):
    said = {"message_id": 1, "role": "ASSISTANT", "content": "a", "thinking_content": "hm"}
    (found,) = only(items(capture(said))).messages
    assert (found.content, found.reasoning, found.train) == ("a", "hm", None)


def test_a_thought_without_an_answer_is_not_trained(items):
    (found,) = only(items(export(node("1", "root", ("THINK", "hm"))))).messages
    assert (found.reasoning, found.train) == ("hm", False)


def test_files_are_attachments_with_their_text(items):
    files = [{"id": "f", "file_name": "a.png", "file_size": 5, "content": "text"}, 5]
    (found,) = only(items(export(node("1", "root", ("REQUEST", "q"), files=files)))).messages
    (file,) = found.attachments
    assert (file.kind, file.name, file.uri, file.size_bytes, file.text) == (
        "image",
        "a.png",
        "f",
        5,
        "text",
    )


def test_without_messages_it_is_skipped(items):
    for value in (export(), export(mapping={}), capture()):
        (item,) = items(value)
        assert isinstance(item, Skip)
        assert item.reason == "no messages"


def test_without_a_mapping_it_is_a_reject(items):
    (item,) = items(export(mapping=None))
    assert isinstance(item, Reject)
