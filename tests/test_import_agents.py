"""Sessions of coding agents: Claude Code, Codex CLI, Gemini CLI."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made import jsonl, only, read

from ingest.archive import open_export
from ingest.importers.base import Item, Reject, Skip
from ingest.importers.claude_code import ClaudeCode
from ingest.importers.codex import Codex
from ingest.importers.gemini_cli import GeminiCLI
from ingest.load import import_export
from ingest.message import Attachment, Conversation, Message, ToolCall
from ingest.registry import sniff

Line = dict[str, Any]


def on_path(conversation: Conversation) -> list[str | None]:
    return [message.source_id for message in conversation.messages if message.on_path]


def texts(conversation: Conversation) -> list[tuple[str, str]]:
    return [(m.role, m.content) for m in conversation.messages]


def rows(conversation: Conversation) -> list[tuple[str | None, str | None, bool]]:
    return [(m.source_id, m.parent_id, m.on_path) for m in conversation.messages]


# Claude Code


@pytest.fixture
def claude(tmp_path: Path) -> Callable[..., list[Item]]:
    """What the lines of one session file become."""

    def claude_of(*lines: Any, raw: bytes | None = None) -> list[Item]:
        path = tmp_path / "session.jsonl"
        path.write_bytes(jsonl(*lines) if raw is None else raw)
        return read(ClaudeCode(), path)

    return claude_of


SECONDS = iter(range(10_000))


def line(kind: str, uuid: str | None, parent: str | None, content: Any, **more: Any) -> Line:
    second = next(SECONDS)
    message = {"role": kind, "content": content} | more.pop("message", {})
    return {
        "type": kind,
        "uuid": uuid,
        "parentUuid": parent,
        "sessionId": "s-1",
        "isSidechain": False,
        "timestamp": f"2026-01-02T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.000Z",
        "message": message,
    } | more


def user(uuid: str | None, parent: str | None, content: Any, **more: Any) -> Line:
    return line("user", uuid, parent, content, **more)


def bot(
    uuid: str | None, parent: str | None, *blocks: Any, message_id: str | None = None, **more: Any
) -> Line:
    message = {"id": message_id or f"msg_{uuid}", "model": "claude-x", "type": "message"}
    return line("assistant", uuid, parent, list(blocks), message=message, **more)


def text(words: str) -> Line:
    return {"type": "text", "text": words}


def thought(words: str) -> Line:
    return {"type": "thinking", "thinking": words, "signature": "c2ln"}


def use(call: str, name: str = "Bash", **given: Any) -> Line:
    return {"type": "tool_use", "id": call, "name": name, "input": given}


def result(call: str, content: Any = "done", **more: Any) -> Line:
    return {"type": "tool_result", "tool_use_id": call, "content": content, **more}


def test_cc1_lines_of_one_message_are_one_turn(claude):
    found = only(
        claude(
            user("u", None, "Grind."),
            bot("a1", "u", thought("Which flour?"), message_id="m"),
            bot("a2", "a1", text("Grinding."), message_id="m"),
            bot("a3", "a2", use("c", command="grind"), message_id="m"),
            user("t", "a3", [result("c")]),
            bot("b", "t", text("Done.")),
        )
    )
    assert found.messages[1].reasoning == "Which flour?"
    assert found.messages[1].content == "Grinding."
    assert found.messages[1].tool_calls == (ToolCall("c", "Bash", '{"command":"grind"}'),)
    assert rows(found) == [
        ("u", None, True),
        ("a1", "u", True),
        ("t", "a1", True),
        ("b", "t", True),
    ]


def test_cc2_streaming_keeps_the_last_form_and_every_call(claude):
    found = only(
        claude(
            user("u", None, "Grind."),
            bot("a1", "u", text("Grin"), message_id="m"),
            bot("a2", "a1", text("Grinding."), use("c", command=""), message_id="m"),
            bot("a3", "a2", text("Grinding."), use("c", command="grind"), use("d"), message_id="m"),
        )
    )
    answer = found.messages[1]
    assert answer.content == "Grinding."
    assert [(c.id, c.arguments) for c in answer.tool_calls] == [
        ("c", '{"command":"grind"}'),
        ("d", "{}"),
    ]


def test_cc2_a_stream_may_repeat_its_uuid(claude):
    found = only(
        claude(
            user("u", None, "Hi"),
            bot("a", "u", text("Go"), message_id="m"),
            bot("a", "u", text("Good grain"), message_id="m"),
        )
    )
    assert texts(found) == [("user", "Hi"), ("assistant", "Good grain")]
    assert "conflicting_lines" not in found.metadata


def test_cc3_of_conflicting_lines_the_first_is_kept_and_the_rest_counted(claude):
    found = only(claude(user("u", None, "one"), user("u", None, "two"), bot("a", "u", text("x"))))
    assert texts(found) == [("user", "one"), ("assistant", "x")]
    assert found.metadata["conflicting_lines"] == 1


def test_cc4_a_dangling_parent_follows_the_line_before(claude):
    found = only(
        claude(
            user("u", None, "a"),
            bot("b", "u", text("b")),
            user("v", "gone", "c"),
            bot("d", "v", text("d")),
        )
    )
    assert rows(found)[2] == ("v", "b", True)
    assert on_path(found) == ["u", "b", "v", "d"]
    assert found.metadata["damaged_tree"] is True


def test_cc5_a_history_that_is_written_again_is_there_once(claude):
    first, second = user("u", None, "a"), bot("b", "u", text("b"), message_id="m")
    again = [first | {"uuid": "u2"}, second | {"uuid": "b2", "parentUuid": "u2"}]
    found = only(claude(first, second, first, second, *again, user("v", "b2", "c")))
    assert rows(found) == [("u", None, True), ("b", "u", True), ("v", "b", True)]
    assert "conflicting_lines" not in found.metadata


def test_cc6_two_empty_thoughts_of_one_moment_orphan_nobody(claude):
    one = bot("a1", "u", thought(""), message_id="m1")
    two = bot("a2", "a1", thought(""), message_id="m2") | {"timestamp": one["timestamp"]}
    found = only(claude(user("u", None, "a"), one, two, bot("b", "a2", text("b"))))
    assert on_path(found) == ["u", "a1", "a2", "b"]
    assert "damaged_tree" not in found.metadata


@pytest.mark.parametrize(
    "content", ["done", [text("do"), text("ne")], ["done"], [text("done")]], ids=str
)
def test_cc7_results_are_tool_messages(claude, content):
    found = only(claude(bot("a", None, use("c")), user("t", "a", [result("c", content)])))
    tool = found.messages[1]
    assert (tool.role, tool.name, tool.tool_call_id) == ("tool", "Bash", "c")
    assert tool.content.replace("\n", "") == "done"


def test_cc7_results_and_words_of_one_line_are_messages_in_a_row(claude):
    found = only(
        claude(
            bot("a", None, use("c"), use("d", "Read")),
            user("t", "a", [result("c", "1"), result("d", "2", is_error=True), text("Stop.")]),
            bot("b", "t", text("ok")),
        )
    )
    assert rows(found) == [
        ("a", None, True),
        ("t", "a", True),
        ("t#1", "t", True),
        ("t#2", "t#1", True),
        ("b", "t#2", True),
    ]
    assert [m.role for m in found.messages] == ["assistant", "tool", "tool", "user", "assistant"]
    assert found.messages[2].extra == {"is_error": True}


@pytest.mark.parametrize("first", ["t1", "t2"])
def test_results_of_parallel_calls_all_lie_on_the_path(claude, first):
    """Each result hangs on the line of its own call: by the tree alone, one is a side branch."""
    results = {
        "t1": user("t1", "a1", [result("c", "1")]),
        "t2": user("t2", "a2", [result("d", "2")]),
    }
    other = "t2" if first == "t1" else "t1"
    found = only(
        claude(
            user("u", None, "x"),
            bot("a1", "u", use("c"), message_id="m"),
            bot("a2", "a1", use("d"), message_id="m"),
            results[first],
            results[other],
            bot("b", other, text("both done")),
        )
    )
    assert on_path(found) == ["u", "a1", first, other, "b"]
    assert all(m.on_path for m in found.messages)


def test_cc8_synthetic_answers_are_kept_untrained(claude):
    synthetic = bot("a", "u", text("API Error"), isApiErrorMessage=True)
    synthetic["message"]["model"] = "<synthetic>"
    found = only(claude(user("u", None, "x"), synthetic))
    assert found.messages[1].train is False
    assert found.messages[1].extra == {"model": "<synthetic>", "isApiErrorMessage": True}


INJECTED = [
    "<command-name>/clear</command-name>",
    "<command-message>x</command-message>",
    "<command-args></command-args>",
    "<local-command-stdout>ok</local-command-stdout>",
    "Caveat: The messages below were generated by the user while running local commands.",
    "[Request interrupted by user]",
    "[Request interrupted by user for tool use]",
    "<environment_context>linux</environment_context>",
]


@pytest.mark.parametrize("words", INJECTED)
@pytest.mark.parametrize("listed", [True, False])
def test_cc9_what_nobody_typed_is_untrained(claude, words, listed):
    found = only(claude(user("u", None, [text(words)] if listed else words), user("v", "u", "x")))
    assert [m.train for m in found.messages] == [False, None]


def test_cc9_meta_lines_and_summaries_are_untrained(claude):
    found = only(
        claude(user("u", None, "a", isMeta=True), user("v", "u", "b", isCompactSummary=True))
    )
    assert [(m.train, m.extra) for m in found.messages] == [
        (False, {"isMeta": True}),
        (False, {"isCompactSummary": True}),
    ]


def test_an_answer_that_was_interrupted_is_untrained(claude):
    found = only(
        claude(
            user("u", None, "x"),
            bot("a", "u", use("c")),
            user("t", "a", [result("c", "stopped", is_error=True)]),
            user("v", "t", [text("[Request interrupted by user for tool use]")]),
            bot("b", "v", text("ok")),
        )
    )
    assert [m.train for m in found.messages] == [None, False, None, False, None]


def test_cc10_a_sub_agent_is_a_conversation_of_its_own(claude):
    main, side = claude(
        user("u", None, "x"),
        bot("a", "u", use("c", "Task")),
        user("su", None, "Look.", isSidechain=True),
        bot("sa", "su", text("Found."), isSidechain=True),
        user("t", "a", [result("c", "Found.")]),
        bot("b", "t", text("Here.")),
    )
    assert on_path(main) == ["u", "a", "t", "b"]
    assert on_path(side) == ["su", "sa"]
    assert side.metadata["isSidechain"] is True
    assert side.metadata["sessionId"] == main.source_id == "s-1"


def test_cc10_two_sub_agents_are_two_conversations(claude):
    found = claude(
        *(
            each
            for name in ("p", "q")
            for each in (
                user(f"{name}1", None, "x", isSidechain=True),
                bot(f"{name}2", f"{name}1", text("y"), isSidechain=True),
            )
        )
    )
    assert [c.source_id for c in found] == ["s-1/p1", "s-1/q1"]
    named = claude(user("p1", None, "x", isSidechain=True, agentId="7f"))
    assert only(named).source_id == "s-1/7f"


def test_cc11_every_session_of_a_file(claude):
    found = claude(
        user("u", None, "a"),
        user("v", None, "b", sessionId="s-2"),
        bot("w", "u", text("c")),
        bot("x", "v", text("d"), sessionId="s-2"),
    )
    assert [(c.source_id, on_path(c)) for c in found] == [("s-1", ["u", "w"]), ("s-2", ["v", "x"])]


@pytest.mark.parametrize(
    "bad",
    [
        {"message": None},
        {"message": "canary"},
        {"message": {"role": "user", "content": None}},
        {"message": {"role": "user", "content": {"canary": 1}}},
        {"message": {"role": "user"}},
        {"message": ["canary"]},
    ],
    ids=str,
)
def test_cc12_a_line_without_a_message_costs_itself(claude, bad):
    reject, found = claude(
        user("u", None, "a"), user("v", "u", "x") | bad, bot("b", "v", text("c"))
    )
    assert isinstance(reject, Reject)
    assert reject.where == "session.jsonl: line 2"
    assert "canary" not in "".join(reject)
    assert rows(found) == [("u", None, True), ("b", "u", True)]


def test_cc12_bare_strings_are_text(claude):
    found = only(claude(user("u", None, ["a", text("b"), None, 5])))
    assert found.messages[0].content == "a\nb"
    assert found.messages[0].extra == {"blocks": [None, 5]}


def test_lines_of_the_application_part_nothing(claude):
    hook = {"type": "progress", "uuid": "p", "parentUuid": "u", "sessionId": "s-1", "data": {}}
    note = line("system", "n", "p", "") | {"message": None, "content": "Compacted"}
    found = only(claude(user("u", None, "a"), hook, note, bot("b", "n", text("c"))))
    assert rows(found) == [("u", None, True), ("b", "u", True)]
    assert [text for _, text in found.metadata["events"]] == ["Compacted"]
    assert found.metadata["lines"] == {"progress": 1}


def test_a_compacted_session_goes_on_where_it_was(claude):
    boundary = line("system", "n", None, "", subtype="compact_boundary", logicalParentUuid="b")
    found = only(
        claude(
            user("u", None, "a"),
            bot("b", "u", text("c")),
            boundary,
            user("v", "n", "This session is being continued", isCompactSummary=True),
            bot("d", "v", text("e")),
        )
    )
    assert on_path(found) == ["u", "b", "v", "d"]


def test_rewound_turns_are_side_branches(claude):
    found = only(
        claude(
            user("u", None, "a"),
            bot("b", "u", text("b")),
            user("v1", "b", "c"),
            bot("d1", "v1", text("d")),
            user("v2", "b", "other"),
            bot("d2", "v2", text("e")),
        )
    )
    assert on_path(found) == ["u", "b", "v2", "d2"]
    assert len(found.messages) == 6


def test_unknown_blocks_and_lines_are_kept_apart(claude):
    odd = {"type": "hologram", "beam": 1}
    other = {"type": "novelty", "uuid": "n", "parentUuid": "u", "sessionId": "s-1", "content": "x"}
    found = only(claude(user("u", None, "a"), other, bot("b", "n", odd, text("c"))))
    assert found.messages[1].content == "c"
    assert found.messages[1].extra["blocks"] == [odd]
    assert found.metadata["other"] == [{"type": "novelty", "content": "x"}]


def test_pictures_are_references_without_bytes(claude):
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QQ"}}
    file = {"type": "document", "title": "t", "source": {"type": "text", "data": "words"}}
    found = only(claude(user("u", None, [image, file, text("x")])))
    assert found.messages[0].attachments == (
        Attachment("image", mime_type="image/png"),
        Attachment("file", name="t", text="words"),
    )


def test_a_summary_in_another_file_is_the_title(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(jsonl(user("u", None, "a"), bot("b", "u", text("c"))))
    (tmp_path / "b.jsonl").write_bytes(
        jsonl({"type": "summary", "summary": "Flour talk", "leafUuid": "b"})
    )
    found, skip = read(ClaudeCode(), tmp_path)
    assert found.title == "Flour talk"
    assert isinstance(skip, Skip)


def test_a_session_that_was_copied_into_another_file_loses_neither(tmp_path):
    for name, words in (("a", "one"), ("b", "two")):
        (tmp_path / f"{name}.jsonl").write_bytes(jsonl(user("u", None, words)))
    found = read(ClaudeCode(), tmp_path)
    assert [c.source_id for c in found] == ["s-1", "s-1#2"]


def test_the_web_variant(claude):
    lines = [
        {"type": each["type"], "timestamp": each["timestamp"], "message": each["message"]}
        for each in (user(None, None, "a"), bot(None, None, text("b")), user(None, None, "c"))
    ]
    found = only(claude(raw=json.dumps({"loglines": lines}).encode()))
    assert texts(found) == [("user", "a"), ("assistant", "b"), ("user", "c")]
    assert all(m.on_path for m in found.messages)


# Codex


@pytest.fixture
def codex(tmp_path: Path) -> Callable[..., list[Item]]:
    def codex_of(*lines: Any, raw: bytes | None = None) -> list[Item]:
        path = tmp_path / "rollout.jsonl"
        path.write_bytes(jsonl(*lines) if raw is None else raw)
        return read(Codex(), path)

    return codex_of


META = {"id": "c-1", "timestamp": "2026-01-02T03:04:05Z", "instructions": "Be brief."}


def says(role: str, words: str) -> Line:
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": words}]}


def calls(call: str | None, command: str) -> Line:
    arguments = json.dumps({"command": [command]})
    return {"type": "function_call", "name": "shell", "arguments": arguments, "call_id": call}


def gives(call: str | None, output: Any) -> Line:
    return {"type": "function_call_output", "call_id": call, "output": output}


def reasons(words: str, secret: str | None = None) -> Line:
    summary = [{"type": "summary_text", "text": words}] if words else []
    return {"type": "reasoning", "summary": summary, "content": None, "encrypted_content": secret}


def event(kind: str, **more: Any) -> Line:
    return wrap({"type": kind, **more}, "event_msg")


def wrap(payload: Any, kind: str = "response_item") -> Line:
    return {"timestamp": "2026-01-02T03:04:06Z", "type": kind, "payload": payload}


TALK = [
    says("user", "<environment_context>\n  <cwd>/mill</cwd>\n</environment_context>"),
    says("user", "Grind."),
    reasons("Which flour?"),
    says("assistant", "Grinding."),
    calls("k", "grind"),
    calls("l", "sift"),
    gives("k", '{"output":"ok","metadata":{"exit_code":0}}'),
    gives("l", "sifted"),
    says("assistant", "Done."),
]
GENERATIONS = {
    "document": json.dumps({"session": META, "items": TALK}).encode(),
    "bare": jsonl(META, {"record_type": "state"}, *TALK, {"record_type": "state"}),
    "wrapped, nested facts": jsonl(wrap({"meta": META}, "session_meta"), *map(wrap, TALK)),
    "wrapped": jsonl(
        wrap(META, "session_meta"),
        event("user_message", message="Grind."),
        *map(wrap, TALK),
        event("agent_reasoning", text="Which flour?"),
        event("agent_message", message="Grinding."),
        event("agent_message", message="Done."),
        event("token_count", info=None),
    ),
}


@pytest.mark.parametrize("raw", GENERATIONS.values(), ids=GENERATIONS)
def test_cdx3_every_generation_gives_the_same_conversation(codex, raw):
    found = only(codex(raw=raw))
    assert found.source_id == "c-1"
    assert texts(found) == [
        ("system", "Be brief."),
        ("user", TALK[0]["content"][0]["text"]),
        ("user", "Grind."),
        ("assistant", "Grinding."),
        ("tool", '{"output":"ok","metadata":{"exit_code":0}}'),
        ("tool", "sifted"),
        ("assistant", "Done."),
    ]
    answer = found.messages[3]
    assert answer.reasoning == "Which flour?"
    assert answer.tool_calls == (
        ToolCall("k", "shell", '{"command": ["grind"]}'),
        ToolCall("l", "shell", '{"command": ["sift"]}'),
    )
    assert [(m.tool_call_id, m.name) for m in found.messages[4:6]] == [
        ("k", "shell"),
        ("l", "shell"),
    ]


@pytest.mark.parametrize("raw", GENERATIONS.values(), ids=GENERATIONS)
def test_cdx3_every_generation_is_known(tmp_path, raw):
    path = tmp_path / "any.name"
    path.write_bytes(raw)
    assert [kind.name for _, kind in sniff(open_export(path))] == ["codex"]


def test_cdx1_events_are_never_counted_beside_items(codex):
    found = only(codex(raw=GENERATIONS["wrapped"]))
    assert [m.content for m in found.messages].count("Done.") == 1


def test_cdx1_a_file_of_events_alone_is_read_from_them(codex):
    found = only(
        codex(
            wrap(META, "session_meta"),
            event("user_message", message="a"),
            event("agent_message", message="b"),
        )
    )
    assert texts(found)[1:] == [("user", "a"), ("assistant", "b")]


@pytest.mark.parametrize(
    "words",
    [
        "<environment_context>x</environment_context>",
        "<user_instructions>x</user_instructions>",
        "# AGENTS.md instructions for /mill",
    ],
)
def test_cdx2_what_was_injected_is_untrained(codex, words):
    found = only(codex(wrap(says("user", words)), wrap(says("user", "x"))))
    assert [m.train for m in found.messages] == [False, None]


def test_cdx2_system_and_developer_are_untrained(codex):
    found = only(codex(wrap(META, "session_meta"), wrap(says("developer", "x"))))
    assert [(m.role, m.train) for m in found.messages] == [("system", False), ("developer", False)]


@pytest.mark.parametrize("meta", [META, {"meta": META}, {"meta": META, "git": {"branch": "b"}}])
def test_cdx4_facts_stand_in_the_payload_or_below_it(codex, meta):
    found = only(codex(wrap(meta, "session_meta"), wrap(says("user", "x"))))
    assert found.source_id == "c-1"
    assert found.metadata == ({"git": {"branch": "b"}} if "git" in meta else {})


def test_cdx5_encrypted_reasoning_is_kept_closed(codex):
    found = only(
        codex(wrap(says("user", "x")), wrap(reasons("", "gAAA")), wrap(says("assistant", "y")))
    )
    answer = found.messages[1]
    assert answer.reasoning is None
    assert answer.extra == {"encrypted_content": ["gAAA"]}


def test_cdx6_compaction_replaces_nothing(codex):
    summary = wrap({"message": "We talked.", "replacement_history": []}, "compacted")
    found = only(codex(wrap(says("user", "a")), summary, wrap(says("assistant", "b"))))
    assert texts(found) == [("user", "a"), ("assistant", "b")]
    assert found.metadata["compacted"] == [["2026-01-02T03:04:06Z", "We talked."]]


def test_calls_without_ids_pair_in_order(codex):
    found = only(
        codex(
            wrap(calls(None, "a")),
            wrap(calls(None, "b")),
            wrap(gives(None, "1")),
            wrap(gives(None, [{"type": "input_text", "text": "2"}])),
        )
    )
    one, two = (call.id for call in found.messages[0].tool_calls)
    assert one != two
    assert [(m.tool_call_id, m.content) for m in found.messages[1:]] == [(one, "1"), (two, "2")]


def test_turns_taken_back_are_side_branches(codex):
    found = only(
        codex(
            wrap(says("user", "a")),
            wrap(says("assistant", "b")),
            wrap(says("user", "c")),
            wrap(says("assistant", "d")),
            event("thread_rolled_back", num_turns=1),
            wrap(says("user", "e")),
        )
    )
    assert [(m.content, m.on_path) for m in found.messages] == [
        ("a", True),
        ("b", True),
        ("c", False),
        ("d", False),
        ("e", True),
    ]
    assert found.messages[4].parent_id == found.messages[2].parent_id == found.messages[1].source_id


def test_an_aborted_turn_is_untrained(codex):
    found = only(
        codex(
            wrap(says("user", "a")),
            wrap(says("assistant", "b")),
            event("turn_aborted", reason="interrupted"),
            wrap(says("user", "c")),
            wrap(says("assistant", "d")),
        )
    )
    assert [m.train for m in found.messages] == [None, False, None, None]


def test_unknown_items_are_kept_apart(codex):
    search = {"type": "web_search_call", "action": {"query": "x"}}
    found = only(
        codex(wrap(says("user", "a")), wrap(says("assistant", "b")), wrap(search), wrap(1, "novel"))
    )
    assert found.messages[1].extra == {"items": [search]}
    assert found.metadata["other"] == [wrap(1, "novel")]


# Gemini CLI


@pytest.fixture
def gemini(tmp_path: Path) -> Callable[..., list[Item]]:
    def gemini_of(*lines: Any, raw: bytes | None = None) -> list[Item]:
        path = tmp_path / "session.jsonl"
        path.write_bytes(jsonl(*lines) if raw is None else raw)
        return read(GeminiCLI(), path)

    return gemini_of


HEAD = {"sessionId": "g-1", "projectHash": "ab", "startTime": "2026-01-02T03:04:05Z"}


def entry(key: str, kind: str, content: Any, **more: Any) -> Line:
    return {"id": key, "timestamp": "2026-01-02T03:04:06Z", "type": kind, "content": content} | more


def document(*messages: Line, **more: Any) -> bytes:
    return json.dumps({**HEAD, "messages": list(messages), **more}, indent=2).encode()


TOOL = {
    "id": "k",
    "name": "run_shell_command",
    "args": {"command": "grind"},
    "status": "success",
    "result": [{"functionResponse": {"id": "k", "name": "x", "response": {"output": "ok"}}}],
}


def test_old_and_new_form_give_the_same(gemini):
    messages = [
        entry("1", "user", "a"),
        entry(
            "2", "gemini", "b", toolCalls=[TOOL], thoughts=[{"subject": "s", "description": "d"}]
        ),
        entry("3", "gemini", "c", model="gemini-x"),
    ]
    new = only(gemini(HEAD, *messages))
    assert only(gemini(raw=document(*messages))) == new
    assert new.messages[1] == Message(
        "assistant",
        "b",
        reasoning="s\nd",
        tool_calls=(ToolCall("k", "run_shell_command", '{"command":"grind"}'),),
        created_at=new.messages[0].created_at,
        source_id="2",
        parent_id="1",
    )
    tool = new.messages[2]
    assert (tool.role, tool.content, tool.name, tool.tool_call_id, tool.parent_id) == (
        "tool",
        "ok",
        "run_shell_command",
        "k",
        "2",
    )
    assert new.messages[3].parent_id == tool.source_id
    assert new.messages[3].extra == {"model": "gemini-x"}


@pytest.mark.parametrize("kind", ["info", "warning", "error"])
def test_gcl1_notices_are_no_turns(gemini, kind):
    found = only(
        gemini(HEAD, entry("1", "user", "a"), entry("2", kind, "n"), entry("3", "gemini", "b"))
    )
    assert texts(found) == [("user", "a"), ("assistant", "b")]
    assert found.messages[1].parent_id == "1"
    assert found.metadata["events"] == [["2026-01-02T03:04:06+00:00", kind, "n"]]


def test_gcl2_the_last_state_of_a_message_wins_in_its_first_place(gemini):
    found = only(
        gemini(HEAD, entry("1", "user", "a"), entry("2", "gemini", ""), entry("3", "user", "c"),
               entry("2", "gemini", "b"))
    )  # fmt: skip
    assert texts(found) == [("user", "a"), ("assistant", "b"), ("user", "c")]


def test_gcl3_set_merges_the_header(gemini):
    found = only(gemini(HEAD, {"$set": {"summary": "Flour"}}, entry("1", "user", "a")))
    assert (found.title, found.source_id) == ("Flour", "g-1")


def test_gcl3_a_checkpoint_rebuilds_and_bare_lines_after_it_count(gemini):
    one, two = entry("1", "user", "a"), entry("2", "gemini", "b")
    found = only(
        gemini(HEAD, one, entry("x", "gemini", "old"), {"$set": {"messages": [one, two]}},
               entry("3", "user", "c"), entry("4", "gemini", "d"))
    )  # fmt: skip
    assert on_path(found) == ["1", "2", "3", "4"]
    assert [m.source_id for m in found.messages if not m.on_path] == ["x"]


def test_gcl4_turns_cut_by_a_rewind_are_side_branches(gemini):
    found = only(
        gemini(HEAD, entry("1", "user", "a"), entry("2", "gemini", "b"), entry("3", "user", "c"),
               entry("4", "gemini", "d"), {"$rewindTo": "3"}, entry("5", "user", "e"))
    )  # fmt: skip
    assert on_path(found) == ["1", "2", "5"]
    assert {m.source_id: m.parent_id for m in found.messages} == {
        "1": None,
        "2": "1",
        "3": "2",
        "4": "3",
        "5": "2",
    }


def test_gcl4_a_rewind_to_nowhere_cuts_nothing(gemini):
    found = only(gemini(HEAD, entry("1", "user", "a"), {"$rewindTo": "gone"}))
    assert on_path(found) == ["1"]


@pytest.mark.parametrize("content", ["a\nb", [{"text": "a"}, {"text": "b"}], ["a", {"text": "b"}]])
def test_gcl5_content_is_text_or_parts(gemini, content):
    assert only(gemini(HEAD, entry("1", "user", content))).messages[0].content == "a\nb"


def test_gcl5_files_and_unknown_parts(gemini):
    image = {"inlineData": {"mimeType": "image/png", "data": "QQ"}}
    found = only(gemini(HEAD, entry("1", "user", [image, {"beam": 1}, {"text": "a"}])))
    assert found.messages[0].attachments == (Attachment("image", mime_type="image/png"),)
    assert found.messages[0].extra == {"content": [{"beam": 1}]}


def test_gcl6_the_session_context_is_untrained(gemini):
    context = "<session_context>\nToday is Friday.\n</session_context>"
    found = only(gemini(HEAD, entry("1", "user", [{"text": context}]), entry("2", "user", context)))
    assert [m.train for m in found.messages] == [False, None]


def test_gcl7_files_left_over_from_writing_are_skipped(tmp_path):
    raw = jsonl(HEAD, entry("1", "user", "a"))
    for name in ("session-1.jsonl", ".tmp-session-1.jsonl", "session-1.jsonl.unreadable-7"):
        (tmp_path / name).write_bytes(raw)
    found = read(GeminiCLI(), tmp_path)
    assert sorted(type(item).__name__ for item in found) == ["Conversation", "Skip", "Skip"]


def test_a_sub_agent_names_the_session_that_it_worked_for(tmp_path):
    (tmp_path / "g-1").mkdir()
    (tmp_path / "g-1" / "a.jsonl").write_bytes(
        jsonl({**HEAD, "sessionId": "a", "kind": "subagent"}, entry("1", "user", "x"))
    )
    found = only(read(GeminiCLI(), tmp_path))
    assert found.metadata["kind"] == "subagent"
    assert found.metadata["parentSession"] == "g-1"


def test_a_cancelled_call_has_a_result_that_says_so(gemini):
    call = {"id": "k", "name": "f", "args": {}, "status": "cancelled", "result": None}
    waiting = {"id": "l", "name": "g", "args": {}, "status": "executing"}
    found = only(gemini(HEAD, entry("1", "gemini", "", toolCalls=[call, waiting])))
    assert [(m.tool_call_id, m.extra) for m in found.messages[1:]] == [
        ("k", {"status": "cancelled"})
    ]


def test_a_truncated_document_keeps_its_whole_messages(gemini):
    raw = document(entry("1", "user", "a"), entry("2", "gemini", "b"))
    reject, found = gemini(raw=raw[:-60])
    assert isinstance(reject, Reject)
    assert (found.source_id, texts(found)) == ("g-1", [("user", "a")])


# all three

ANSWER = [text("2.90"), use("c", q="2.90")]
FORMATS = [
    (
        ClaudeCode(),
        [
            user("u", None, "Rye?"),
            bot("a", "u", *ANSWER),
            user("t", "a", [result("c", [text("2.90")])]),
        ],
    ),
    (
        Codex(),
        [
            wrap(META, "session_meta"),
            *map(wrap, (says("user", "Rye?"), says("assistant", "2.90"), calls("k", "2.90"))),
            wrap(gives("k", "2.90")),
        ],
    ),
    (
        GeminiCLI(),
        [HEAD, entry("1", "user", "Rye?"), entry("2", "gemini", "2.90", toolCalls=[TOOL])],
    ),
]
each_format = pytest.mark.parametrize(
    ("importer", "lines"), FORMATS, ids=["claude", "codex", "gemini"]
)


@pytest.fixture
def items(tmp_path: Path) -> Callable[..., list[Item]]:
    def items_of(importer: Any, raw: bytes) -> list[Item]:
        path = tmp_path / "any.name"
        path.write_bytes(raw)
        return read(importer, path)

    return items_of


@each_format
def test_each_knows_its_own_and_no_other(tmp_path, importer, lines):
    path = tmp_path / "any.name"
    path.write_bytes(jsonl(*lines))
    assert [kind.name for _, kind in sniff(open_export(path))] == [importer.name]


@each_format
@pytest.mark.parametrize(
    "bad", [b"canary", b'"canary"', b"5", b"null", b"[1]", b'{"canary": 1}', b'{"cut": "canary']
)
def test_a_bad_line_costs_itself(items, importer, lines, bad):
    whole = only(items(importer, jsonl(*lines)))
    reject, found = items(importer, jsonl(*lines[:2], bad, *lines[2:]))
    assert isinstance(reject, Reject)
    assert reject.where == "any.name: line 3"
    assert reject.hint
    assert "canary" not in "".join(reject)
    assert found == whole


@each_format
def test_a_truncated_file_keeps_the_lines_before(items, importer, lines):
    raw = jsonl(*lines)
    reject, found = items(importer, raw[:-5])
    assert isinstance(reject, Reject)
    assert len(found.messages) >= 1


@each_format
@pytest.mark.parametrize("raw", [b"\n", b"{}", b"[]", b"5"])
def test_files_without_a_session_are_counted(items, importer, lines, raw):
    found = items(importer, raw)
    assert len(found) == 1
    assert isinstance(found[0], Reject | Skip)


@each_format
@pytest.mark.parametrize("wrong", [5, "x", [], {}, [5], [[]], [None], {"a": [1]}, True, None])
def test_wrong_types_anywhere_are_no_traceback(items, importer, lines, wrong):
    for path in paths(lines):
        for item in items(importer, jsonl(*replaced(lines, path, wrong))):
            if isinstance(item, Conversation):
                assert item.messages
                assert item.content_hash
            else:
                assert "2.90" not in "".join(item)


@each_format
def test_a_session_is_stored_once(tmp_path, store, importer, lines):
    path = tmp_path / "any.name"
    path.write_bytes(jsonl(*lines))
    assert import_export(path, store).stored == 1
    path.write_bytes(jsonl(*lines) + b"\n")
    again = import_export(path, store)
    assert (again.stored, again.updated, again.unchanged) == (0, 0, 1)


@each_format
def test_calls_and_results_pair(items, importer, lines):
    found = only(items(importer, jsonl(*lines)))
    called = [call.id for m in found.messages for call in m.tool_calls]
    answered = [m.tool_call_id for m in found.messages if m.role == "tool"]
    assert called == answered != []


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = []
    for key, each in value.items() if isinstance(value, dict) else enumerate(value):
        found.append((*at, key))
        if isinstance(each, dict | list):
            found += paths(each, (*at, key))
    return found


def replaced(value: Any, path: tuple[Any, ...], wrong: Any) -> Any:
    copy = json.loads(json.dumps(value))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = wrong
    return copy
