"""Open WebUI, LibreChat, SillyTavern and LM Studio: what each of their quirks becomes."""

import json
import sqlite3
from typing import Any

import pytest
from made import jsonl, only, read

from ingest.archive import open_export
from ingest.importers.base import Importer, Item, Reject, Skip
from ingest.importers.librechat import LibreChat
from ingest.importers.lmstudio import LMStudio
from ingest.importers.openwebui import OpenWebUI
from ingest.importers.sillytavern import SillyTavern
from ingest.importers.sillytavern_dates import from_tavern
from ingest.message import Conversation, Message, ToolCall


@pytest.fixture
def items(tmp_path):
    def items_of(importer: Importer, raw: Any, name: str = "x.json") -> list[Item]:
        path = tmp_path / name
        path.write_bytes(raw if isinstance(raw, bytes) else json.dumps(raw).encode())
        assert importer.sniff(open_export(path)) > 0.9
        return read(importer, path)

    return items_of


def flow(conversation: Conversation) -> list[tuple[str, str, bool]]:
    return [(m.role, m.content, m.on_path) for m in conversation.messages]


def node(parent: str | None, role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"parentId": parent, "childrenIds": [], "role": role, "content": content, **more}


def webui(tree: dict[str, Any], current: str | None = None, **chat: Any) -> dict[str, Any]:
    return {"id": "c1", "title": "T", "created_at": 1770000000,
            "chat": {"history": {"messages": tree, "currentId": current}, **chat}}  # fmt: skip


def test_owu1_the_tree_wins_over_the_list(items):
    tree = {"a": node(None, "user", "q"), "b": node("a", "assistant", "a")}
    found = only(
        items(OpenWebUI(), [webui(tree, "b", messages=[{"role": "user", "content": "l"}])])
    )
    assert flow(found) == [("user", "q", True), ("assistant", "a", True)]


def test_owu1_a_list_alone_is_a_chain(items):
    chat = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
    found = only(items(OpenWebUI(), [{"id": "c1", "chat": chat}]))
    assert flow(found) == [("user", "q", True), ("assistant", "a", True)]
    assert found.messages[1].parent_id == found.messages[0].source_id


DETAILS = (
    '<details type="reasoning" done="true" duration="3">\n<summary>Thought</summary>\n'
    "> I think\n> &lt;b&gt; twice\n</details>\nBefore. "
    '<details type="tool_calls" done="true" id="t1" name="look" arguments="&quot;{}&quot;"'
    ' result="&quot;found&quot;">\n<summary>Tool Executed</summary>\n</details>\nAfter.'
)


def test_owu2_blocks_in_the_text_become_steps(items):
    found = only(items(OpenWebUI(), [webui({"b": node(None, "assistant", DETAILS)}, "b")])).messages
    assert [(m.role, m.content) for m in found] == [
        ("assistant", "Before. "), ("tool", "found"), ("assistant", "After."),
    ]  # fmt: skip
    assert found[0].reasoning == "I think\n&lt;b&gt; twice"  # an old block: nothing was escaped
    assert found[0].tool_calls == (ToolCall("t1", "look", "{}"),)
    assert found[1].tool_call_id == "t1"


def test_owu2_escaped_blocks_are_unescaped(items):
    text = DETAILS.replace("> I think\n> &lt;b&gt;", "&gt; I think\n&gt; &lt;b&gt;")
    found = only(items(OpenWebUI(), [webui({"b": node(None, "assistant", text)}, "b")])).messages
    assert found[0].reasoning == "I think\n<b> twice"


def test_owu2_what_a_user_wrote_is_not_taken_apart(items):
    found = only(items(OpenWebUI(), [webui({"a": node(None, "user", DETAILS)}, "a")])).messages
    assert [m.content for m in found] == [DETAILS]


def test_owu2_an_unknown_block_is_kept_beside_the_text(items):
    block = '<details type="code_interpreter" output="1">\n<summary>x</summary>\nprint\n</details>'
    text = f"a\n{block}\nb <details><summary>s</summary>mine</details>"
    found = only(items(OpenWebUI(), [webui({"b": node(None, "assistant", text)}, "b")])).messages[0]
    assert found.content == "a\nb <details><summary>s</summary>mine</details>"
    assert found.extra == {"content": [{"type": "code_interpreter", "html": block}]}


def test_owu3_output_is_preferred_to_the_rendered_text(items):
    output = [
        {"type": "reasoning", "content": [], "summary": [{"type": "summary_text", "text": "hm"}]},
        {"type": "message", "content": [{"type": "output_text", "text": "a"}]},
        {"type": "web_search_call", "id": "w"},
    ]
    answer = node(None, "assistant", "rendered", output=output)
    found = only(items(OpenWebUI(), [webui({"b": answer}, "b")])).messages[0]
    assert (found.content, found.reasoning) == ("a", "hm")
    assert found.extra == {"output": [output[2]]}


TREE = {
    "a": node(None, "user", "q", childrenIds=["c", "b"], timestamp=1),
    "b": node("a", "assistant", "old", timestamp=1770000009),
    "c": node("a", "assistant", "new", timestamp=1770000005),
}


@pytest.mark.parametrize(
    ("current", "kept"), [("c", "new"), ("b", "old"), (None, "old"), ("?", "old")]
)
def test_owu4_the_current_message_ends_the_path(items, current, kept):
    found = only(items(OpenWebUI(), [webui(TREE, current)]))
    assert [m.content for m in found.messages] == ["q", "new", "old"]  # in the stated order
    assert [m.content for m in found.messages if m.on_path] == ["q", kept]


def test_owu_an_unfinished_or_failed_answer_is_untrained(items):
    tree = {"a": node(None, "assistant", "x", done=False),
            "b": node("a", "assistant", "y", error={"content": "z"})}  # fmt: skip
    found = only(items(OpenWebUI(), [webui(tree, "b")])).messages
    assert [m.train for m in found] == [False, False]
    assert found[1].extra == {"error": {"content": "z"}}


def test_owu_a_tree_with_a_cycle_keeps_every_message(items):
    found = only(
        items(OpenWebUI(), [webui({"a": node("b", "user", "q"), "b": node("a", "user", "r")})])
    )
    assert {m.content for m in found.messages} == {"q", "r"}
    assert found.metadata["damaged_tree"] is True


def test_owu_a_damaged_chat_between_good_ones(items):
    good = webui({"a": node(None, "user", "q")}, "a")
    raw = b"[" + b",".join([json.dumps(good).encode(), b'{"id": "x", "chat": ', b"5",
                            json.dumps(good).encode()]) + b"]"  # fmt: skip
    found = items(OpenWebUI(), raw)
    assert sum(isinstance(i, Conversation) for i in found) == 2
    assert any(isinstance(i, Reject) for i in found)


def database(path, *rows: tuple[str, Any]) -> None:
    with sqlite3.connect(path) as db:
        db.execute(
            "CREATE TABLE chat (id TEXT, user_id TEXT, title TEXT, chat JSON, created_at INT)"
        )
        db.executemany("INSERT INTO chat VALUES (?, 'canary', 'T', ?, 1770000000)", rows)
    db.close()


def test_owu_the_database_gives_what_the_export_gives(items, tmp_path):
    chat = webui(TREE, "c")
    database(tmp_path / "webui.db", ("c1", json.dumps(chat["chat"])))
    assert OpenWebUI().sniff(open_export(tmp_path / "webui.db")) > 0.9
    found = only(read(OpenWebUI(), tmp_path / "webui.db"))
    assert found == only(items(OpenWebUI(), [chat]))
    assert "canary" not in repr(found)


def test_owu_a_damaged_row_costs_itself(tmp_path):
    good = json.dumps(webui(TREE, "c")["chat"])
    database(
        tmp_path / "x.db", ("a", good), ("b", '{"history": '), ("c", None), ("d", good), ("e", "{}")
    )
    kinds = [type(i) for i in read(OpenWebUI(), tmp_path / "x.db")]
    assert kinds == [Conversation, Reject, Reject, Conversation, Skip]


def test_owu_another_applications_table_of_chats_is_not_ours(tmp_path):
    with sqlite3.connect(tmp_path / "x.db") as db:
        db.execute("CREATE TABLE chat (ROWID INTEGER, guid TEXT, style INTEGER)")
    db.close()
    assert OpenWebUI().sniff(open_export(tmp_path / "x.db")) == 0


def libre(key: str, parent: str | None, user: bool, **more: Any) -> dict[str, Any]:
    return {"messageId": key, "parentMessageId": parent or "00000000-0000-0000-0000-000000000000",
            "isCreatedByUser": user, "sender": "User", "text": key,
            "createdAt": f"2026-04-01T08:00:0{key[1:]}.000Z", **more}  # fmt: skip


def nested(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    by_id = {m["messageId"]: m | {"children": []} for m in messages}
    for each in by_id.values():
        if above := by_id.get(each["parentMessageId"]):
            above["children"].append(each)
    return [each for each in by_id.values() if each["parentMessageId"] not in by_id]


FLAT = [libre("m1", None, True), libre("m2", "m1", False), libre("m3", "m1", False),
        libre("m4", "m2", True)]  # fmt: skip


@pytest.mark.parametrize("key", ["messages", "messagesTree"])
def test_lbc1_nested_and_flat_agree(items, key):
    flat = only(items(LibreChat(), {"conversationId": "c", "messages": FLAT}))
    tree = only(items(LibreChat(), {"conversationId": "c", key: nested(FLAT)}))
    assert flat == tree
    assert flow(flat) == [("user", "m1", True), ("assistant", "m2", True), ("user", "m4", True),
                          ("assistant", "m3", False)]  # fmt: skip


def test_lbc1_a_talk_deeper_than_decoders_go(items):
    turns = [libre(f"m{n % 10}", None, n % 2 == 0) | {"messageId": f"n{n}"} for n in range(3000)]
    raw = b'{"conversationId": "c", "messages": ['
    raw += b"".join(json.dumps(turn)[:-1].encode() + b', "children": [' for turn in turns)
    raw += b"]}" * 3000 + b"]}"
    found = only(items(LibreChat(), raw))
    assert len(found.messages) == 3000
    assert all(m.on_path for m in found.messages)
    assert found.messages[-1].parent_id == "n2998"
    assert isinstance(items(LibreChat(), raw[:-9000])[0], Reject)


def test_lbc2_the_sender_decides_nothing(items):
    messages = [libre("m1", None, True, sender="GPT-4"), libre("m2", "m1", False, sender="User")]
    found = only(items(LibreChat(), {"conversationId": "c", "messages": messages})).messages
    assert [(m.role, m.extra["sender"]) for m in found] == [
        ("user", "GPT-4"),
        ("assistant", "User"),
    ]


def test_lbc_messages_without_a_time_count_as_their_question(items):
    messages = [libre("m1", None, True), libre("m2", "m1", False), libre("m9", "m1", True)]
    messages += [libre("m4", "m9", False) | {"createdAt": None}]
    found = only(items(LibreChat(), {"conversationId": "c", "messages": messages}))
    assert [m.source_id for m in found.messages if m.on_path] == ["m1", "m9", "m4"]


def test_lbc_parts_of_an_answer(items):
    call = {"id": "", "function": {"name": "f", "arguments": "{}", "output": "o"}}
    parts = [{"type": "think", "think": "hm"}, {"type": "text", "text": {"value": "a"}},
             {"type": "tool_call", "tool_call": call}, {"type": "error", "error": "e"}]  # fmt: skip
    message = libre("m1", None, False, content=parts, text="")
    found = only(items(LibreChat(), {"conversationId": "c", "messages": [message]})).messages
    assert [(m.role, m.content, m.reasoning) for m in found] == [
        ("assistant", "a", "hm"), ("tool", "o", None),
    ]  # fmt: skip
    assert found[0].tool_calls == (ToolCall("call_m1_1", "f", "{}"),)
    assert found[0].extra["content"] == [parts[3]]


@pytest.mark.parametrize(
    "fault", [{"unfinished": True}, {"error": True}, {"finish_reason": "incomplete"}]
)
def test_lbc_interrupted_answers_are_untrained(items, fault):
    message = libre("m1", None, False, **fault)
    found = only(items(LibreChat(), {"conversationId": "c", "messages": [message]})).messages[0]
    assert found.train is False


def test_lbc_a_damaged_message_is_named_and_costs_itself(items):
    found = only(items(LibreChat(), {"conversationId": "c", "messages": [FLAT[0], 5, FLAT[1]]}))
    assert len(found.messages) == 2
    assert found.metadata["unreadable"] == ["messages.1"]


HEADER = {
    "user_name": "Guest",
    "character_name": "Wendel",
    "create_date": "2023-4-21 @20h 03m 06s 446ms",
}


def line(user: bool | None, mes: Any, **more: Any) -> dict[str, Any]:
    return {
        "name": "Guest" if user else "Wendel",
        "is_user": user,
        "send_date": "April 21, 2023 8:03pm",
        "mes": mes,
        **more,
    }


def test_stv1_the_header_is_no_message(items):
    found = only(
        items(SillyTavern(), jsonl(HEADER, line(False, "hi"), line(True, "ho")), "x.jsonl")
    )
    assert flow(found) == [("assistant", "hi", True), ("user", "ho", True)]
    assert [(p.name, p.is_assistant) for p in found.participants] == [
        ("Wendel", True),
        ("Guest", False),
    ]


def test_stv1_chats_of_groups_without_a_header(items):
    found = only(items(SillyTavern(), jsonl(line(False, "hi"), line(True, "ho")), "x.jsonl"))
    assert len(found.messages) == 2


def test_stv1_a_header_alone(items):
    assert isinstance(items(SillyTavern(), jsonl(HEADER), "x.jsonl")[0], Skip)


@pytest.mark.parametrize(
    ("written", "time"),
    [
        ("2023-4-21 @20h 03m 06s 446ms", "2023-04-21T20:03:06.446000"),
        ("2024-7-12@01h31m37s", "2024-07-12T01:31:37"),
        ("April 21, 2023 8:03pm", "2023-04-21T20:03:00"),
        ("May 1, 2023 12:00am", "2023-05-01T00:00:00"),
        ("2026-01-02T10:00:00.000Z", "2026-01-02T10:00:00+00:00"),
        (1720744400000, "2024-07-12T00:33:20+00:00"),
        ("1720744400000", "2024-07-12T00:33:20+00:00"),
        ("2023-13-41 @20h 03m 06s 446ms", None),
        ("Mai 1, 2023 12:00am", None),
        ("soon", None),
        (None, None),
        ([], None),
        (float("1e300"), None),
    ],
)
def test_stv2_dates(written, time):
    found = from_tavern(written)
    assert (found.isoformat() if found else None) == time


def test_stv3_swipes_are_siblings_and_one_is_on_the_path(items):
    swiped = line(
        False,
        "b",
        swipes=["a", "b"],
        swipe_id=1,
        swipe_info=[{"send_date": "2024-7-12@01h31m37s", "extra": {"model": "m"}}],
    )
    found = only(
        items(SillyTavern(), jsonl(HEADER, line(True, "q"), swiped, line(True, "r")), "x.jsonl")
    )
    assert flow(found) == [("user", "q", True), ("assistant", "a", False), ("assistant", "b", True),
                           ("user", "r", True)]  # fmt: skip
    question, one, other, after = found.messages
    assert one.parent_id == other.parent_id == question.source_id
    assert after.parent_id == other.source_id
    assert (one.created_at.year, one.extra) == (2024, {"model": "m"})


@pytest.mark.parametrize(("shown", "count"), [("a", 2), ("c", 3)])
def test_stv3_a_swipe_that_is_not_there_yet(items, shown, count):
    swiped = line(False, shown, swipes=["a", "b"], swipe_id=2)
    found = only(items(SillyTavern(), jsonl(HEADER, swiped), "x.jsonl")).messages
    assert len(found) == count
    assert [m.content for m in found if m.on_path] == [shown]


def test_stv4_hidden_and_system_lines_are_untrained(items):
    rows = [line(True, "q", is_system=True), line(False, "a", is_system=True),
            line(False, "help", is_system=True, extra={"type": "help"}),
            line(False, "it rains", extra={"type": "narrator"}), line(None, "?")]  # fmt: skip
    found = only(items(SillyTavern(), jsonl(HEADER, *rows), "x.jsonl")).messages
    assert [(m.role, m.train) for m in found] == [
        ("user", False), ("assistant", False), ("system", False), ("system", False),
        ("system", False),
    ]  # fmt: skip


def test_stv_branches_of_one_chat_are_two_conversations(items):
    rows = [HEADER | {"chat_metadata": {"main_chat": "Main"}}, line(False, "hi")]
    one = only(items(SillyTavern(), jsonl(*rows), "Branch #1.jsonl"))
    other = only(items(SillyTavern(), jsonl(*rows), "Branch #2.jsonl"))
    main = only(items(SillyTavern(), jsonl(HEADER, line(False, "hi")), "renamed.jsonl"))
    assert len({one.id, other.id, main.id}) == 3
    assert main.id == only(items(SillyTavern(), jsonl(HEADER, line(False, "hi")), "Main.jsonl")).id


def test_stv_a_damaged_line_costs_itself(items):
    raw = jsonl(HEADER, line(True, "q"), b'{"mes": "canary', b"[]", {"mes": 5}, line(False, "a"))
    found = items(SillyTavern(), raw, "x.jsonl")
    assert [i.where for i in found[:-1]] == [f"x.jsonl: line {n}" for n in (3, 4, 5)]
    assert "canary" not in repr(found[:-1])
    assert [m.content for m in found[-1].messages] == ["q", "a"]


def lm(*versions: Any, selected: int = 0) -> dict[str, Any]:
    return {"versions": list(versions), "currentlySelected": selected}


def single(text: str, role: str = "user") -> dict[str, Any]:
    return {"type": "singleStep", "role": role, "content": [{"type": "text", "text": text}]}


def multi(*steps: Any) -> dict[str, Any]:
    return {"type": "multiStep", "role": "assistant", "steps": list(steps)}


def block(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "contentBlock", "content": [{"type": "text", "text": text}], **more}


def studio(*messages: Any, **more: Any) -> dict[str, Any]:
    return {"name": "T", "createdAt": 1772500000000, "messages": list(messages), **more}


def test_lms1_versions_are_siblings_and_one_is_selected(items):
    found = only(
        items(
            LMStudio(),
            studio(
                lm(single("q")),
                lm(multi(block("a")), multi(block("b")), selected=1),
                lm(single("r")),
            ),
        )
    )
    assert flow(found) == [
        ("user", "q", True),
        ("assistant", "a", False),
        ("assistant", "b", True),
        ("user", "r", True),
    ]
    assert [m.parent_id for m in found.messages] == [None, "0", "0", "1-1"]


@pytest.mark.parametrize("selected", [7, -1, None])
def test_lms1_a_selection_out_of_range_keeps_everything(items, selected):
    found = only(items(LMStudio(), studio(lm(single("a"), single("b"), selected=selected))))
    assert len(found.messages) == 2
    assert sum(m.on_path for m in found.messages) == 1


def test_lms2_only_content_is_the_answer(items):
    steps = [
        {"type": "status", "text": "s"},
        block("hm", style={"type": "thinking"}),
        block("a"),
        {"type": "citationBlock", "citedText": "c"},
        {"type": "debugInfoBlock", "debugInfo": "d"},
    ]
    found = only(items(LMStudio(), studio(lm(multi(*steps))))).messages[0]
    assert (found.content, found.reasoning) == ("a", "hm")
    assert found.extra == {"steps": steps[3:]}


def test_lms2_stretches_of_one_block_follow_each_other(items):
    parts = {
        "type": "contentBlock",
        "content": [{"type": "text", "text": "It "}, {"type": "text", "text": "is."}],
    }
    found = only(items(LMStudio(), studio(lm(multi(parts, block("More."))))))
    assert found.messages[0].content == "It is.\nMore."


def test_lms_the_prompt_of_the_chat_comes_first_and_drafts_do_not(items):
    config = {"fields": [{"key": "llm.prediction.systemPrompt", "value": "Be brief."}]}
    found = only(
        items(
            LMStudio(), studio(lm(single("q")), perChatPredictionConfig=config, clientInput="draft")
        )
    )
    assert found.messages[0] == Message(
        "system", "Be brief.", train=False, source_id="systemPrompt"
    )
    assert "draft" not in repr(found)


def test_lms_the_id_is_the_time_it_was_begun(items):
    one = only(items(LMStudio(), studio(lm(single("q"))), "a.conversation.json"))
    assert one.id == only(items(LMStudio(), studio(lm(single("q")), name="New"), "b.json")).id


def test_lms_a_file_cut_off_is_one_reject_and_the_others_go_on(tmp_path):
    for number in range(3):
        document = json.dumps(studio(lm(single("canary")), createdAt=1772500000000 + number))
        raw = document[:-5] if number == 1 else document
        (tmp_path / f"{number}.conversation.json").write_text(raw)
    found = read(LMStudio(), tmp_path)
    assert [type(i) for i in found] == [Conversation, Reject, Conversation]
    assert "canary" not in repr(found[1])
