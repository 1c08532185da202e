"""OpenAI-style training files: records, parts, calls, weights and every way to be wrong."""

import json
from typing import Any

import pytest
from made import jsonl, only, read, record

from ingest.archive import open_export
from ingest.importers.base import Item, Reject, Skip
from ingest.importers.openai_messages import OpenAIMessages
from ingest.message import Attachment, Conversation, Message, ToolCall


@pytest.fixture
def items(tmp_path):
    def items_of(raw: bytes) -> list[Item]:
        path = tmp_path / "messages.jsonl"
        path.write_bytes(raw)
        return read(OpenAIMessages(), path)

    return items_of


@pytest.fixture
def message(items):
    """What a message of a record becomes."""

    def message_of(**source: Any) -> Message:
        return only(items(jsonl({"messages": [source]}))).messages[0]

    return message_of


def test_lines_and_an_array_give_the_same_conversations(items):
    records = [record(n, tools=[{"type": "function"}]) for n in range(4)]
    assert items(jsonl(*records)) == items(json.dumps(records, indent=1).encode())


def test_a_record(items):
    found = only(items(jsonl(record(1, tools=[{"a": 1}], split="x", parallel_tool_calls=False))))
    assert [(m.role, m.content) for m in found.messages] == [
        ("user", "How is the flour? 1"),
        ("assistant", "Answer 1"),
    ]
    assert found.tools == '[{"a":1}]'
    assert found.metadata == {"split": "x", "parallel_tool_calls": False}


def test_the_id_is_the_content_whatever_the_order_of_keys(items):
    one, other, third = items(
        jsonl(record(1, a=1, b=2), b'{"b":2,"a":1,' + json.dumps(record(1))[1:].encode(), record(2))
    )
    assert one.content_hash == other.content_hash
    assert len({one.id, other.id, third.id}) == 3


def test_a_record_that_is_there_twice_keeps_both_under_lasting_ids(items):
    raw = jsonl(record(1), record(1))
    assert [c.id for c in items(raw)] == [c.id for c in items(raw)]
    assert len({c.id for c in items(raw)}) == 2


@pytest.mark.parametrize(
    ("weight", "train"), [(0, False), (1, True), (0.0, False), (None, None), (True, True)]
)
def test_weight_says_what_is_trained(message, weight, train):
    assert message(role="assistant", content="x", weight=weight).train is train


def test_fields_of_a_message(message):
    found = message(
        role="assistant",
        content=None,
        name="bot",
        reasoning_content="hm",
        refusal="no",
        audio={"id": 1},
    )
    assert found == Message(
        "assistant", name="bot", reasoning="hm", extra={"refusal": "no", "audio": {"id": 1}}
    )


def test_reasoning_under_its_other_name(message):
    assert message(role="assistant", content="x", reasoning="hm").reasoning == "hm"


def test_content_parts(message):
    image = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    odd = {"type": "input_audio", "input_audio": {"data": ""}}
    found = message(
        role="user",
        content=[{"type": "text", "text": "a"}, image, odd, 5, {"type": "input_text", "text": "b"}],
    )
    assert found.content == "a\nb"
    assert found.attachments == (Attachment("image", uri="https://example.org/a.png"),)
    assert found.extra == {"parts": [odd, 5]}


def test_calls_keep_their_arguments_as_written(message):
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{ "a" : 1.0 }'}}
    loose = {"function": {"name": "g", "arguments": {"b": [1]}}}
    bare = {"function": {"name": "h"}}
    found = message(role="assistant", tool_calls=[call, loose, bare])
    assert found.tool_calls[0] == ToolCall("c1", "f", '{ "a" : 1.0 }')
    assert [(c.name, c.arguments) for c in found.tool_calls[1:]] == [
        ("g", '{"b":[1]}'),
        ("h", "{}"),
    ]
    assert len({c.id for c in found.tool_calls}) == 3


def test_a_tool_answer(message):
    found = message(role="tool", tool_call_id="c1", content="42")
    assert (found.role, found.tool_call_id, found.content) == ("tool", "c1", "42")


def test_a_record_without_messages_is_skipped(items):
    (item,) = items(jsonl({"messages": []}))
    assert isinstance(item, Skip)


DEEP = (
    b'{"messages": [{"role": "user", "content": "canary", "x": ' + b"[" * 600 + b"]" * 600 + b"}]}"
)
DEEPER = DEEP.replace(b"[" * 600, b"[" * 60_000).replace(b"]" * 600, b"]" * 60_000)
BAD = [
    b"canary",
    b'{"canary": ',
    b'"canary"',
    b"5",
    b"null",
    b"[1, 2]",
    b"\x00\x00",
    b'{"prompt": "canary"}',
    b'{"messages": "canary"}',
    b'{"messages": ["canary"]}',
    b'{"messages": [{"content": "canary"}]}',
    b'{"messages": [{"role": "canary of more than twenty-four letters", "content": "x"}]}',
    b'{"messages": [{"role": ["user"], "content": "canary"}]}',
    b'{"messages": [{"role": {"a": 1}, "content": "canary"}]}',
    b'{"messages": [{"role": "user", "content": {"canary": 1}}]}',
    b'{"messages": [{"role": "user", "content": 5}]}',
    b'{"messages": [{"role": "user", "content": "x", "name": {"canary": 1}}]}',
    b'{"messages": [{"role": "assistant", "tool_calls": 5}]}',
    b'{"messages": [{"role": "assistant", "tool_calls": "canary"}]}',
    b'{"messages": [{"role": "assistant", "tool_calls": {"canary": 1}}]}',
    b'{"messages": [{"role": "assistant", "tool_calls": [{"function": "canary"}]}]}',
    b'{"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": 5}}]}]}',
    DEEP,
    DEEPER,
]


@pytest.mark.parametrize("bad", BAD, ids=[raw[:60].decode("latin-1") for raw in BAD])
def test_a_bad_record_costs_itself_and_its_reason_holds_no_text(items, bad):
    first, reject, last = items(jsonl(record(1), bad, record(2)))
    assert isinstance(first, Conversation)
    assert isinstance(last, Conversation)
    assert isinstance(reject, Reject)
    assert reject.where == "messages.jsonl: record 2"
    assert reject.hint
    assert "canary" not in "".join(reject)


@pytest.mark.parametrize("bad", [b"5", b'{"messages": 5}', b'{"messages": [}', DEEP])
def test_a_bad_element_of_an_array_tells_its_place(items, bad):
    good = json.dumps(record(1)).encode()
    first, reject, last = items(b"[" + good + b"," + bad + b"," + good + b"]")
    assert isinstance(first, Conversation)
    assert isinstance(last, Conversation)
    assert isinstance(reject, Reject)
    assert f"byte {len(good) + 2}" in reject.where.replace("bytes", "byte")


def test_a_first_line_that_is_an_array_is_a_bad_record_of_lines(items):
    first, second = items(jsonl([1, 2], record(1)))
    assert isinstance(first, Reject)
    assert isinstance(second, Conversation)


@pytest.mark.parametrize(
    ("raw", "content"),
    [
        (b'{"messages": [{"role": "user", "content": "a\\ud83d"}]}', "a\ufffd"),
        (b'{"messages": [{"role": "user", "content": "a\xff"}]}', "a\ufffd"),
        (b'{"messages": [{"role": "user", "content": "a\\u0000b"}]}', "a\0b"),
        (b'{"messages": [{"role": "user", "content": "a\tb"}]}', "a\tb"),
    ],
)
def test_text_that_strict_decoders_refuse_is_read(items, raw, content):
    assert only(items(raw)).messages[0].content == content


@pytest.mark.parametrize("number", [b"123456789012345678901234567890", b"1e400", b"NaN"])
def test_numbers_beyond_every_type_do_not_stop_the_import(items, number):
    found = only(
        items(b'{"n": ' + number + b', "messages": [{"role": "user", "content": "\xff"}]}')
    )
    assert found.content_hash
    assert list(found.metadata) == ["n"]


@pytest.mark.parametrize(
    ("raw", "sure"),
    [
        (jsonl(record(1), record(2)), True),
        (jsonl(record(1)), True),
        (json.dumps([record(1)]).encode(), True),
        (jsonl({"messages": [{"role": "assistant", "tool_calls": []}]}), True),
        (b"\xef\xbb\xbf" + jsonl(record(1), record(2)), True),
        (jsonl({"messages": []}), False),
        (jsonl({"messages": [{"from": "human"}]}), False),
        (jsonl({"prompt": "x", "completion": "y"}), False),
        (b"plain text", False),
    ],
)
def test_it_is_known_by_shape(tmp_path, raw, sure):
    path = tmp_path / "any.name"
    path.write_bytes(raw)
    assert (OpenAIMessages().sniff(open_export(path)) > 0) is sure


@pytest.mark.parametrize("role", ["Who barks?", "Когда-открыто", "x" * 24, ["a"], 7])
def test_a_role_that_may_be_text_is_not_quoted(items, role):
    (reject,) = items(jsonl({"messages": [{"role": role, "content": "x"}]}))
    assert reject.reason.endswith("the unknown role ?")
