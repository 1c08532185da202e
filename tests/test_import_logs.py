"""Logs of model calls: repeated histories, what was not kept, dialects, every kind of damage."""

import json
from pathlib import Path
from typing import Any

import pytest
from made import jsonl, only, read

from ingest.archive import open_export
from ingest.importers import calls as calls_module
from ingest.importers.base import Item, Reject, Skip
from ingest.importers.langfuse import Langfuse
from ingest.importers.litellm import LiteLLM
from ingest.importers.openai_messages import OpenAIMessages
from ingest.importers.openai_stored import OpenAIStored
from ingest.importers.otel import OTel
from ingest.message import Conversation, ToolCall


def say(role: str, text: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": text, **more}


def row(key: str, messages: Any, answer: Any = "a", minute: int = 0, **more: Any) -> dict[str, Any]:
    """A row of LiteLLM's spend logs."""
    message = answer if isinstance(answer, dict) else say("assistant", answer)
    response = {"choices": [{"index": 0, "finish_reason": "stop", "message": message}]}
    return {"request_id": key, "call_type": "acompletion", "spend": 0,
            "startTime": f"2026-03-05T07:{minute:02d}:00Z", "messages": messages,
            "response": response, **more}  # fmt: skip


def completion(key: str, answer: str = "a", **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": "stop", "message": say("assistant", answer)}
    return {"id": key, "object": "chat.completion", "created": 1772440000, "model": "m",
            "choices": [choice], **more}  # fmt: skip


def observation(key: str, given: Any, got: Any = "a", **more: Any) -> dict[str, Any]:
    return {"id": key, "trace_id": "t", "type": "GENERATION", "input": given, "output": got,
            "start_time": "2026-03-06 06:00:00.123456", **more}  # fmt: skip


def span(key: str = "1", events: Any = (), **attributes: Any) -> dict[str, Any]:
    """A span as an SDK prints it; attribute names with ``__`` for dots."""
    values = {name.replace("__", "."): value for name, value in attributes.items()}
    return {"name": "chat", "context": {"trace_id": "t", "span_id": key}, "attributes": values,
            "events": list(events), "start_time": f"2026-03-07T05:00:0{key[0]}Z"}  # fmt: skip


def part(text: str, role: str = "user", **more: Any) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": text}], **more}


Q, A, Q2 = say("user", "q"), say("assistant", "a"), say("user", "r")
LOGS = {"litellm": LiteLLM, "openai-stored": OpenAIStored, "langfuse": Langfuse, "otel": OTel}


@pytest.fixture
def items(tmp_path: Path):
    def items_of(name: str, *lines: Any) -> list[Item]:
        path = tmp_path / "any.name"
        path.write_bytes(jsonl(*lines))
        return read(LOGS[name](), path)

    return items_of


def said(found: Conversation) -> list[tuple[str, str, bool]]:
    return [(m.role, m.content, m.on_path) for m in found.messages]


def reasons(items: list[Item]) -> list[str]:
    return [item.reason for item in items if isinstance(item, Skip | Reject)]


def test_log1_calls_that_repeat_the_history_are_one_conversation(items):
    found = only(items("litellm", row("1", [Q]), row("2", [Q, A, Q2], "b", 1)))
    assert said(found) == [("user", "q", True), ("assistant", "a", True), ("user", "r", True),
                           ("assistant", "b", True)]  # fmt: skip
    assert found.metadata["calls"] == 2


def test_log1_the_order_of_the_log_does_not_matter(items):
    lines = [row("1", [Q]), row("2", [Q, A, Q2], "b", 1)]
    assert items("litellm", *lines) == items("litellm", *lines[::-1])


def test_log1_a_differing_prefix_branches_off_where_it_differs(items):
    other = say("user", "s")
    found = only(
        items(
            "litellm", row("1", [Q]), row("2", [Q, A, Q2], "b", 1), row("3", [Q, A, other], "c", 2)
        )
    )
    assert said(found) == [("user", "q", True), ("assistant", "a", True), ("user", "r", False),
                           ("assistant", "b", False), ("user", "s", True),
                           ("assistant", "c", True)]  # fmt: skip
    ids = {m.source_id: m.parent_id for m in found.messages}
    assert len(ids) == 6
    assert found.messages[4].parent_id == found.messages[1].source_id


def test_log1_the_same_prompt_again_gives_siblings(items):
    found = only(items("litellm", row("1", [Q]), row("2", [Q], "b", 1)))
    assert said(found) == [("user", "q", True), ("assistant", "a", False), ("assistant", "b", True)]


def test_log1_other_openings_are_other_talks(items):
    assert len(items("litellm", row("1", [Q]), row("2", [Q2], "b", 1))) == 2


def test_log1_an_answer_sent_back_without_its_reasoning_is_the_same(items):
    answer = say("assistant", "a ", reasoning_content="hm", annotations=[])
    found = only(items("litellm", row("1", [Q], answer), row("2", [Q, A, Q2], "b", 1)))
    assert [m.reasoning for m in found.messages] == [None, "hm", None, None]


def test_log1_results_follow_a_call_whose_id_was_rewritten(items):
    def call(key: str, written: str) -> dict[str, Any]:
        function = {"name": "f", "arguments": written}
        return say("assistant", None, tool_calls=[{"id": key, "function": function}])

    result = say("tool", "r", tool_call_id="y")
    found = only(
        items(
            "litellm",
            row("1", [Q], call("x", '{"a": 1, "b": 2}')),
            row("2", [Q, call("y", '{"b":2,"a":1}'), result], "b", 1),
        )
    )
    assert len(found.messages) == 4
    assert found.messages[1].tool_calls == (ToolCall("x", "f", '{"a": 1, "b": 2}'),)
    assert (found.messages[2].tool_call_id, found.messages[2].name) == ("x", "f")


def test_log1_a_system_prompt_that_tells_the_time_is_no_new_talk_within_a_session(items):
    lines = [
        row("1", [say("system", "7:00"), Q], session_id="s"),
        row("2", [say("system", "7:01"), Q, A, Q2], "b", 1, session_id="s"),
    ]
    found = only(items("litellm", *lines))
    assert [(m.content, m.on_path) for m in found.messages if m.on_path] == [
        ("7:01", True), ("q", True), ("a", True), ("r", True), ("b", True)]  # fmt: skip


def test_log1_two_sessions_that_begin_alike_are_two_talks(items):
    lines = [row("1", [Q], session_id="s"), row("2", [Q], "b", 1, session_id="u")]
    assert len(items("litellm", *lines)) == 2


def test_log1_a_long_talk_is_cut_so_that_memory_stays_bounded(items, monkeypatch):
    monkeypatch.setattr(calls_module, "LONGEST", 2)
    found = items("litellm", row("1", [Q]), row("2", [Q, A, Q2], "b", 1))
    assert [len(each.messages) for each in found] == [2, 4]
    assert found[1].source_id == f"{found[0].source_id}#2"


def test_log1_messages_of_stored_completions_lie_beside_them(tmp_path):
    folder = tmp_path / "x"
    folder.mkdir()
    pages = [
        {"object": "list", "data": [{"id": "c-10", **Q2}, {"id": "c-9", **A}, {"id": "c-0", **Q}]}
    ]
    (folder / "a.jsonl").write_bytes(jsonl(*pages))
    (folder / "b.json").write_text(json.dumps({"object": "list", "data": [completion("c", "b")]}))
    found = only(read(OpenAIStored(), folder))
    assert [content for _, content, _ in said(found)] == ["q", "a", "r", "b"]


def test_log1_a_completion_without_its_messages_is_skipped_with_that_reason(items):
    assert reasons(items("openai-stored", completion("c"))) == [
        "the messages of the call are not in the export"
    ]


@pytest.mark.parametrize("empty", [{}, "{}", None, [], "[]", ""])
def test_log2_prompts_that_were_not_kept(items, empty):
    found = items("litellm", row("1", empty), row("2", [Q]))
    assert reasons(found) == ["prompts were not kept in the spend logs"]
    assert len(found) == 2


def test_log2_the_request_may_hold_them_alone(items):
    body = json.dumps({"messages": [Q], "tools": [{"type": "function"}]})
    found = only(items("litellm", row("1", {}, proxy_server_request=body)))
    assert (found.messages[0].content, found.tools) == ("q", '[{"type":"function"}]')


def test_log2_a_failed_call_has_no_answer(items):
    assert said(only(items("litellm", row("1", [Q], status="failure")))) == [("user", "q", True)]


def test_log2_keys_and_addresses_are_not_kept(items):
    line = row("1", [Q], api_key="canary", requester_ip_address="canary")
    assert "canary" not in repr(items("litellm", line))


def test_log3_times_without_a_zone_mean_utc(items):
    found = only(items("langfuse", observation("1", [Q])))
    assert found.created_at.isoformat() == "2026-03-06T06:00:00.123456+00:00"


def test_log3_traces_beside_observations_name_the_session(tmp_path):
    for name, lines in (
        ("a", [observation("1", [Q]), observation("2", [Q], trace_id="u")]),
        ("b", [{"id": "t", "timestamp": "2026-03-06 06:00:00", "session_id": "s"}]),
    ):
        (tmp_path / "x").mkdir(exist_ok=True)
        (tmp_path / "x" / name).write_bytes(jsonl(*lines))
    found = read(Langfuse(), tmp_path / "x")
    assert [each.metadata.get("session_id") for each in found] == ["s", None]


def test_log3_rows_may_carry_the_session_and_camel_case(items):
    line = {"id": "1", "traceId": "t", "type": "GENERATION", "startTime": "2026-03-06T06:00:00Z",
            "sessionId": "s", "input": [Q], "output": A}  # fmt: skip
    assert only(items("langfuse", line)).metadata["session_id"] == "s"


def test_log3_only_generations_are_calls(items):
    found = items("langfuse", observation("1", [Q], type="SPAN"), observation("2", [Q]))
    assert reasons(found) == ["a step that calls no model"]


def test_log3_text_in_brackets_that_is_no_json_is_text(items):
    assert only(items("langfuse", observation("1", "[INST] q"))).messages[0].content == "[INST] q"


STRUCTURED = {"gen_ai__input__messages": [part("q")],
              "gen_ai__output__messages": [part("a", "assistant")]}  # fmt: skip
AS_TEXT = {key: json.dumps(value) for key, value in STRUCTURED.items()}
BOTH = [("user", "q", True), ("assistant", "a", True)]


@pytest.mark.parametrize("values", [STRUCTURED, AS_TEXT])
def test_log4_messages_on_spans_are_structured_or_text(items, values):
    assert said(only(items("otel", span(**values)))) == BOTH


def test_log4_messages_on_events_are_structured(items):
    values = {key.replace("__", "."): value for key, value in STRUCTURED.items()}
    event = {"name": "gen_ai.client.inference.operation.details", "attributes": values}
    assert said(only(items("otel", span(events=[event])))) == BOTH
    record = {"traceId": "t", "spanId": "s", "eventName": event["name"], "body": None,
              "attributes": values}  # fmt: skip
    assert said(only(items("otel", record))) == BOTH


def test_log4_a_call_on_its_span_and_on_an_event_is_one_call(items):
    line = span(**STRUCTURED)
    assert reasons(items("otel", line, line)) == ["the call comes twice"]


def test_log5_each_output_message_is_a_candidate(items):
    told = [part("a", "assistant"), part("b", "assistant", finish_reason="length")]
    found = only(items("otel", span(**{**STRUCTURED, "gen_ai__output__messages": told})))
    assert said(found) == [*BOTH, ("assistant", "b", False)]
    assert found.messages[1].parent_id == found.messages[2].parent_id
    assert [m.train for m in found.messages] == [None, None, False]


@pytest.mark.parametrize(("kind", "response"), [("thinking", "result"), ("reasoning", "response")])
def test_log6_variants_of_thinking_and_results(items, kind, response):
    call = {"type": "tool_call", "id": "x", "name": "f", "arguments": {"n": 1}}
    asked = [
        part("q"),
        {"role": "assistant", "parts": [{"type": kind, "content": "hm"}, call]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "x", response: {"y": 2}}]},
    ]
    found = only(items("otel", span(**{**STRUCTURED, "gen_ai__input__messages": asked}))).messages
    assert found[1].reasoning == "hm"
    assert found[1].tool_calls == (ToolCall("x", "f", '{"n":1}'),)
    assert (found[2].role, found[2].content, found[2].name) == ("tool", '{"y":2}', "f")


def test_log6_older_events_of_one_message_each(items):
    def event(kind: str, **values: Any) -> dict[str, Any]:
        return {"name": f"gen_ai.{kind}", "attributes": values}

    choice = event("choice", index=0, finish_reason="stop", message='{"content": "a"}')
    events = [event("system.message", content="s"), event("user.message", content="q"), choice]
    assert said(only(items("otel", span(events=events)))) == [("system", "s", True), *BOTH]


def test_log6_the_first_numbered_attributes(items):
    values = {"gen_ai__prompt__0__role": "user", "gen_ai__prompt__0__content": "q",
              "gen_ai__completion__0__role": "assistant",
              "gen_ai__completion__0__content": "a"}  # fmt: skip
    assert said(only(items("otel", span(**values)))) == BOTH


@pytest.mark.parametrize("key", ["gen_ai__input__messages", "gen_ai__output__messages"])
def test_log7_messages_that_instrumentation_cut_are_rejected(items, key):
    cut = span("1", **{**AS_TEXT, key: AS_TEXT[key][:-9]})
    found = items("otel", cut, span("2", **AS_TEXT))
    assert reasons(found) == ["incomplete JSON in a text field"]
    assert len(found) == 2


def test_log7_a_cut_prompt_of_a_proxy_is_rejected(items):
    assert reasons(items("litellm", row("1", '[{"role": "us'))) == [
        "incomplete JSON in a text field"
    ]


def flat(count: int) -> dict[str, Any]:
    order = sorted(range(count), key=str)
    values = {f"llm.input_messages.{n}.message.content": str(n) for n in order}
    return values | {f"llm.input_messages.{n}.message.role": "user" for n in order}


def test_log8_indices_sort_as_numbers(items):
    found = only(items("otel", span(**flat(12))))
    assert [m.content for m in found.messages] == [str(n) for n in range(12)]


def test_log8_nested_attributes_and_tables_say_the_same(items):
    messages = [{"message": {"role": "user", "content": "q"}}]
    nested = span() | {"attributes": {"llm": {"input_messages": messages}}}
    pairs = [{"message.role": "user", "message.content": "q"}]
    table = {"context.trace_id": "t", "context.span_id": "1",
             "attributes.llm.input_messages": pairs}  # fmt: skip
    for line in (nested, table):
        assert said(only(items("otel", line))) == [("user", "q", True)]


def test_log8_parts_tools_and_calls(items):
    base = "llm.input_messages.0.message."
    values = {
        base + "role": "user",
        base + "contents.0.message_content.type": "text",
        base + "contents.0.message_content.text": "q",
        base + "contents.1.message_content.type": "image",
        base + "contents.1.message_content.image.image.url": "data:image/png;base64,AAAA",
        "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "f",
        "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": "{}",
        "llm.tools.0.tool.json_schema": '{"x": 1}',
    }
    found = only(items("otel", span(**values)))
    (image,) = found.messages[0].attachments
    assert (image.kind, image.uri, image.mime_type) == ("image", None, "image/png")
    assert found.messages[1].tool_calls == (ToolCall("call_1_1", "f", "{}"),)
    assert found.tools == '[{"x": 1}]'


DIALECTS = {
    "blocks": ({"system": "s", "messages": [say("user", [{"type": "text", "text": "q"}])]},
               say("assistant", [{"type": "thinking", "thinking": "hm"},
                                 {"type": "text", "text": "a"}])),
    "items": ({"instructions": "s", "input": "q"},
              {"output": [{"type": "reasoning", "summary": [{"type": "summary_text",
                                                             "text": "hm"}]},
                          {"type": "message", "role": "assistant",
                           "content": [{"type": "output_text", "text": "a"}]}]}),
    "contents": ({"systemInstruction": {"parts": [{"text": "s"}]},
                  "contents": [{"role": "user", "parts": [{"text": "q"}]}]},
                 {"candidates": [{"content": {"role": "model", "parts": [
                     {"text": "hm", "thought": True}, {"text": "a"}]}}]}),
}  # fmt: skip


@pytest.mark.parametrize("name", DIALECTS)
def test_every_dialect_says_the_same(items, name):
    found = only(items("langfuse", observation("1", *map(json.dumps, DIALECTS[name]))))
    spoken = [(m.role, m.content) for m in found.messages if m.content]
    assert spoken == [("system", "s"), ("user", "q"), ("assistant", "a")]
    assert [m.reasoning for m in found.messages if m.reasoning] == ["hm"]


def test_an_unknown_part_is_kept_and_not_rendered(items):
    odd = {"type": "hologram", "content": "canary"}
    found = only(
        items("langfuse", observation("1", [say("user", [odd, {"type": "text", "text": "q"}])]))
    )
    assert found.messages[0].content == "q"
    assert found.messages[0].extra["parts"] == [odd]


def test_an_answer_that_was_broken_off_is_not_trained(items):
    line = row("1", [Q])
    line["response"]["choices"][0]["finish_reason"] = "length"
    answer = only(items("litellm", line)).messages[1]
    assert (answer.train, answer.extra["finish_reason"]) == (False, "length")


def test_logs_are_no_training_files(tmp_path):
    path = tmp_path / "x"
    for line in (row("1", [Q]), completion("c", messages=[Q])):
        path.write_bytes(jsonl(line))
        assert OpenAIMessages().sniff(open_export(path)) == 0


GOOD = {
    "litellm": lambda n: row(f"{n}", [say("user", f"canary {n}")]),
    "openai-stored": lambda n: completion(f"{n}", messages=[say("user", f"canary {n}")]),
    "langfuse": lambda n: observation(f"{n}", [say("user", f"canary {n}")]),
    "otel": lambda n: span(
        f"{n}", **{**STRUCTURED, "gen_ai__input__messages": [part(f"canary {n}")]}
    ),
}
BAD = [b"{", b"[1]", b'"x"', b"\xff\xfe", b"null", b"7"]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("name", GOOD)
def test_one_bad_record_costs_no_other(items, name, bad):
    found = items(name, GOOD[name](1), bad, GOOD[name](2))
    kinds = sorted(type(item).__name__ for item in found)
    assert kinds == ["Conversation", "Conversation", "Reject"]
    assert not any("canary" in reason for reason in reasons(found))


ODD: list[Any] = [None, True, 7, -1.5, "x", "[", [], [None], {}, {"x": 1}, [["x"]], 10**30]


def paths(value: Any, at: tuple[Any, ...] = ()):
    if at:
        yield at
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(each, (*at, key))


@pytest.mark.parametrize("name", GOOD)
def test_values_of_another_type_cost_no_neighbour(items, name):
    for at in paths(GOOD[name](1)):
        changed = []
        for number, odd in enumerate(ODD):
            line = inner = json.loads(json.dumps(GOOD[name](1)))
            for key in at[:-1]:
                inner = inner[key]
            inner[at[-1]] = odd
            changed.append(line)
            found = items(name, line, GOOD[name](2))
            assert len(found) == 2, (at, number)
            assert any(isinstance(each, Conversation) for each in found)
            assert not any("canary" in reason for reason in reasons(found))


@pytest.mark.parametrize("name", GOOD)
def test_a_truncated_file_keeps_its_whole_records(tmp_path, name):
    path = tmp_path / "x"
    for raw in (jsonl(*map(GOOD[name], range(1, 4))),
                json.dumps([GOOD[name](n) for n in range(1, 4)]).encode()):  # fmt: skip
        path.write_bytes(raw[:-40])
        assert LOGS[name]().sniff(open_export(path)) > 0.9
        found = read(LOGS[name](), path)
        assert [type(each).__name__ for each in found].count("Conversation") == 2
        assert [type(each).__name__ for each in found].count("Reject") == 1


@pytest.mark.parametrize("raw", [b" ", b"[]", b"{}", b"null", b"[1, null]", b'{"data": []}'])
@pytest.mark.parametrize("name", GOOD)
def test_a_file_of_nothing_is_no_traceback(tmp_path, name, raw):
    path = tmp_path / "x"
    path.write_bytes(raw)
    assert LOGS[name]().sniff(open_export(path)) == 0
    assert not any(isinstance(item, Conversation) for item in read(LOGS[name](), path))
