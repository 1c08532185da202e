"""Le Chat, Copilot, Perplexity and Character.AI: what each of their quirks becomes."""

import json
import zipfile
from typing import Any

import pytest
from made import only, read

from ingest.archive import open_export
from ingest.errors import ExportError
from ingest.importers.base import Item, Reject, Skip
from ingest.importers.characterai import CharacterAI
from ingest.importers.copilot import Copilot
from ingest.importers.lechat import LeChat
from ingest.importers.perplexity import Perplexity
from ingest.message import Attachment, Conversation, Message, ToolCall


def le(key: str, role: str = "user", content: str = "x", **changes: Any) -> dict[str, Any]:
    """A message of Le Chat; ``key`` ends with its second."""
    return {
        "id": key,
        "version": 0,
        "chatId": "chat-1",
        "content": content,
        "contentChunks": None,
        "role": role,
        "createdAt": f"2026-03-02T08:00:{int(key[1:]):02}.000Z",
        "reaction": "neutral",
        "preference": None,
        "preferenceOver": None,
        "files": [],
    } | changes


@pytest.fixture
def lechat(tmp_path):
    def items_of(*messages: Any, name: str = "chat-1.json") -> list[Item]:
        path = tmp_path / name
        path.write_bytes(json.dumps(messages).encode())
        return read(LeChat(), path)

    return items_of


def test_lch1_one_conversation_a_chat_without_a_title(lechat):
    found = only(lechat(le("m1"), name="renamed.json"))
    assert (found.source_id, found.title) == ("chat-1", None)
    assert found.id == only(lechat(le("m1"))).id


def test_lch1_a_zip_holds_a_file_a_chat(tmp_path):
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        archive.writestr("chat-1.json", json.dumps([le("m1")]))
        archive.writestr("chat-2.json", json.dumps([le("m1", chatId="chat-2")]))
        archive.writestr("chat-2-files/data.json", "{}")
    assert LeChat().sniff(open_export(tmp_path / "export.zip")) > 0
    items = read(LeChat(), tmp_path / "export.zip")
    assert [i.source_id for i in items if isinstance(i, Conversation)] == ["chat-1", "chat-2"]
    assert [i.where for i in items if isinstance(i, Skip)] == ["chat-2-files/data.json"]


def test_lch2_the_order_is_that_of_the_times(lechat):
    found = only(lechat(le("m3"), le("m1"), le("m2", "assistant")))
    assert [m.source_id for m in found.messages] == ["m1", "m2", "m3"]
    assert [m.parent_id for m in found.messages] == [None, "m1", "m2"]


def test_lch3_chunks_are_the_text_of_an_empty_content(lechat):
    chunks = [{"type": "text", "text": "cut in"}, {"type": "reference", "referenceIds": [1]},
              {"type": "text", "text": " two"}]  # fmt: skip
    found = only(lechat(le("m1", "assistant", "", contentChunks=chunks))).messages[0]
    assert found.content == "cut in two"
    assert found.extra == {"contentChunks": [chunks[1]]}


def test_lch3_content_where_no_chunk_has_text(lechat):
    chunks = [{"type": "custom_element"}]
    assert only(lechat(le("m1", contentChunks=chunks))).messages[0].content == "x"


def test_lch4_arguments_stay_the_text_they_are(lechat):
    call = {"type": "tool_call", "name": "web_search", "publicArguments": "old mills",
            "publicResult": {"a": 1}}  # fmt: skip
    chunks = [{"type": "text", "text": "a"}, call, call, {"type": "text", "text": "b"}]
    found = only(lechat(le("m1", "assistant", "", contentChunks=chunks))).messages
    assert [(m.role, m.content) for m in found] == [
        ("assistant", "a"), ("tool", '{"a":1}'), ("assistant", ""), ("tool", '{"a":1}'),
        ("assistant", "b"),
    ]  # fmt: skip
    assert found[0].tool_calls == (ToolCall("call_m1_1", "web_search", "old mills"),)
    assert [m.tool_call_id for m in found if m.role == "tool"] == ["call_m1_1", "call_m1_2"]
    assert [m.parent_id for m in found] == [None, "m1", "m1.1", "m1.2", "m1.3"]


def test_lch4_an_interrupted_call_is_untrained(lechat):
    chunks = [{"type": "tool_call", "name": "t", "isInterrupted": True}]
    assert only(lechat(le("m1", "assistant", "", contentChunks=chunks))).messages[0].train is False


def test_lch5_what_the_user_preferred_is_kept(lechat):
    found = only(
        lechat(
            le("m1"),
            le("m2", "assistant", reaction="positive"),
            le("m3", "assistant", preference="chosen", preferenceOver="m2"),
            le("m4"),
        )
    ).messages
    assert [(m.source_id, m.parent_id, m.on_path) for m in found] == [
        ("m1", None, True), ("m2", "m1", False), ("m3", "m1", True), ("m4", "m3", True),
    ]  # fmt: skip
    assert found[1].extra == {"reaction": "positive"}
    assert found[2].extra == {"preference": "chosen", "preferenceOver": "m2"}


def test_lechat_a_damaged_message_costs_itself(lechat):
    items = lechat(le("m1"), {"id": 5}, "x", le("m2", "assistant"))
    conversation = items[-1]
    assert [type(i) for i in items] == [Reject, Reject, Conversation]
    assert len(conversation.messages) == 2
    assert conversation.metadata == {"damaged_messages": 2}


def test_lechat_an_unknown_role_is_kept_untrained(lechat):
    found = only(lechat(le("m1", "narrator"))).messages[0]
    assert (found.role, found.train, found.extra["role"]) == ("system", False, "narrator")


A = "Conversation,Time,Author,Message"
B = "CreatedAt,MessageContent,Author,ChatName"


@pytest.fixture
def copilot(tmp_path):
    def items_of(text: str, **options: Any) -> list[Item]:
        path = tmp_path / "activity.csv"
        path.write_bytes(text.replace("\n", "\r\n").encode())
        return read(Copilot(), path, **options)

    return items_of


def said(conversation: Conversation) -> list[tuple[str, str]]:
    return [(m.role, m.content) for m in conversation.messages]


def test_cop1_both_headers_in_any_order_of_columns(copilot):
    one = copilot(f"{A}\nBread,2026-02-17T14:36:11,Human,q\nBread,2026-02-17T14:36:12,AI,a\n")
    two = copilot("Author,Message,Time,Conversation\nHuman,q,2026-02-17T14:36:11,Bread\n"
                  "AI,a,2026-02-17T14:36:12,Bread\n")  # fmt: skip
    three = copilot(f"{B}\n2/17/2026 14:36:11 +00:00,q,user,Bread\n"
                    "2/17/2026 14:36:12 +00:00,a,bot,Bread\n")  # fmt: skip
    assert one == two
    assert said(only(one)) == said(only(three)) == [("user", "q"), ("assistant", "a")]
    assert only(one).title == only(three).title == "Bread"


@pytest.mark.parametrize(
    ("author", "role"),
    [("HUMAN", "user"), ("User", "user"), ("ai", "assistant"), ("BOT", "assistant"),
     ("Copilot", "assistant"), ("assistant", "assistant"), ("api_tool", "tool")],
)  # fmt: skip
def test_cop1_authors_in_any_case(copilot, author, role):
    assert only(copilot(f"{A}\nx,2026-01-01T00:00:00,{author},y\n")).messages[0].role == role


def test_cop1_an_unknown_author_costs_its_row(copilot):
    rows = "x,2026-01-01T00:00:00,user,q\nx,2026-01-01T00:00:01,Clippy,canary\n"
    items = copilot(f"{A}\n{rows}x,2026-01-01T00:00:02,AI,a\n")
    assert [type(i) for i in items] == [Reject, Conversation]
    assert items[0].where == "activity.csv: line 3"
    assert "canary" not in str(items[0])
    assert said(items[1]) == [("user", "q"), ("assistant", "a")]
    assert items[1].metadata == {"rejected_rows": 1}


def test_cop2_line_breaks_and_quotes_in_cells(copilot):
    found = only(copilot(f'{A}\nx,2026-01-01T00:00:00,AI,"a\n""b"", c"\n'))
    assert found.messages[0].content == 'a\r\n"b", c'


def test_cop2_a_cell_larger_than_the_csv_module_allows(copilot):
    assert len(only(copilot(f"{A}\nx,,AI,{'y' * 300_000}\n")).messages[0].content) == 300_000


def test_cop3_the_newest_row_comes_first_and_seconds_are_shared(copilot):
    rows = ["09,AI,a2", "09,Human,q2", "01,AI,a1", "01,Human,q1"]
    found = only(copilot("\n".join([A, *(f"x,2026-01-01T00:00:{row}" for row in rows)])))
    assert [m.content for m in found.messages] == ["q1", "a1", "q2", "a2"]


def test_cop3_without_any_difference_of_times_the_authors_tell_the_direction(copilot):
    found = copilot(f"{A}\nx,2026-01-01T00:00:09,AI,a\nx,2026-01-01T00:00:09,Human,q\n")
    assert said(only(found)) == [("user", "q"), ("assistant", "a")]


def test_cop3_one_name_for_two_chats_gives_two_conversations(copilot):
    rows = ["x,2026-01-03T00:00:00,user,q", "y,2026-01-02T00:00:00,user,q",
            "x,2026-01-01T00:00:00,user,q"]  # fmt: skip
    items = copilot("\n".join([A, *rows]))
    assert [i.title for i in items] == ["x", "y", "x"]
    assert len({i.id for i in items}) == 3


def test_cop3_a_later_export_has_the_same_id(copilot):
    old = "x,2026-01-01T00:00:01,AI,a\nx,2026-01-01T00:00:01,user,q\n"
    new = f"{A}\nx,2026-01-02T00:00:00,AI,more\nx,2026-01-02T00:00:00,user,q2\n{old}"
    assert only(copilot(f"{A}\n{old}")).id == only(copilot(new)).id


def test_cop3_times_are_aware_only_where_an_offset_is_stated(copilot):
    one = only(copilot(f"{A}\nx,2026-01-01T00:00:01,AI,a\n"))
    other = only(copilot(f"{B}\n1/31/2026 1:00:00 PM +02:00,a,bot,x\n"))
    assert one.created_at.tzinfo is None
    assert other.created_at.isoformat() == "2026-01-31T11:00:00+00:00"
    zoned = only(copilot(f"{A}\nx,2026-01-01T00:00:01,AI,a\n", tz="Europe/Berlin"))
    assert zoned.created_at.isoformat() == "2025-12-31T23:00:01+00:00"


def test_cop3_a_time_that_is_none_is_kept_as_text(copilot):
    found = only(copilot(f"{B}\n31/1/2026 10:00:00 +00:00,a,bot,x\n")).messages[0]
    assert (found.created_at, found.extra) == (None, {"time": "31/1/2026 10:00:00 +00:00"})
    found = only(copilot(f"{B}\n31/1/2026 10:00:00 +00:00,a,bot,x\n", date_order="dmy"))
    assert found.created_at.month == 1


def test_cop4_prompts_alone_are_stored_and_nothing_is_invented(copilot):
    items = copilot("Timestamp,ClientApp,Prompt\n2026-01-05T13:00:00,Paint,c\n"
                    "2026-01-05T12:10:00,Paint,b\n2026-01-05T12:00:00,Paint,a\n")  # fmt: skip
    assert [said(i) for i in items] == [[("user", "c")], [("user", "a"), ("user", "b")]]
    assert items[0].title is None
    assert items[0].metadata["ClientApp"] == "Paint"


def test_cop5_a_header_without_rows(copilot, tmp_path):
    assert copilot(f"{A}\n") == []
    assert Copilot().sniff(open_export(tmp_path / "activity.csv")) > 0.9


def test_copilot_a_damaged_row_between_good_ones(copilot):
    items = copilot(f'{A}\nx,2026-01-01T00:00:00,user,q\nx,y,user,"a"b\nx,only two\n'
                    "x,2026-01-01T00:00:02,AI,a\n")  # fmt: skip
    assert [type(i) for i in items] == [Reject, Reject, Conversation]
    assert said(items[-1]) == [("user", "q"), ("assistant", "a")]


def test_copilot_another_table_is_not_ours(copilot, tmp_path):
    with pytest.raises(ExportError, match="header"):
        copilot("Author,Message\na,b\n")
    assert Copilot().sniff(open_export(tmp_path / "activity.csv")) == 0


@pytest.fixture
def perplexity(tmp_path):
    def items_of(document: Any) -> list[Item]:
        path = tmp_path / "thread.json"
        path.write_bytes(json.dumps(document).encode())
        assert Perplexity().sniff(open_export(path)) > 0.9
        return read(Perplexity(), path)

    return items_of


def entry(**changes: Any) -> dict[str, Any]:
    answer = {"intended_usage": "ask_text", "markdown_block": {"answer": "a", "chunks": ["a"]}}
    return {"uuid": "e1", "context_uuid": "c1", "query_str": "q", "blocks": [answer],
            "updated_datetime": "2026-02-02T07:00:09"} | changes  # fmt: skip


def test_perplexity_a_thread_of_the_service(perplexity):
    found = only(perplexity({"status": "success", "entries": [entry(thread_title="T")]}))
    assert (found.source_id, found.title) == ("c1", "T")
    assert said(found) == [("user", "q"), ("assistant", "a")]
    assert found.created_at.tzinfo is None


def test_perplexity_the_answer_is_its_block_and_not_the_first_one(perplexity):
    steps = {"intended_usage": "pro_search_steps", "markdown_block": {"answer": "searching"}}
    found = only(perplexity({"entries": [entry(blocks=[steps, *entry()["blocks"]])]}))
    assert said(found)[1] == ("assistant", "a")
    assert found.messages[1].extra["blocks"] == [steps]


def test_perplexity_tokens_and_signatures_are_not_imported(perplexity):
    source = entry(
        read_write_token="canary",
        attachments=["https://example.org/a.png?Signature=canary&Expires=9"],
    )
    found = only(perplexity({"entries": [source]}))
    assert "canary" not in repr(found)
    assert found.messages[0].attachments == (Attachment(uri="https://example.org/a.png"),)


def test_perplexity_a_failed_answer_is_untrained(perplexity):
    found = only(perplexity({"entries": [entry(status="FAILED")]}))
    assert (found.messages[1].train, found.messages[1].extra["status"]) == (False, "FAILED")


def test_perplexity_a_data_request_is_streamed_thread_by_thread(perplexity):
    thread = {"context_title": "T", "entries": [{"query": "q", "answer": "a"}]}
    items = perplexity({"conversations": [thread, 5, thread | {"entries": []}]})
    assert [type(i) for i in items] == [Conversation, Reject, Skip]


@pytest.mark.parametrize(
    "document",
    [
        {"entries": [{"query": "q", "answer": "a"}]},
        {"conversations": [{"query": "q", "answer": "a"}]},
        {"conversations": [{"from": "human", "value": "x"}], "metadata": {"thread_id": "x"}},
        {"threads": [{"title": "x", "messages": []}]},
        [{"query_str": "q", "blocks": []}],
    ],
)
def test_perplexity_general_words_are_no_thread(document, tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(json.dumps(document).encode())
    assert Perplexity().sniff(open_export(path)) == 0


def cai(human: bool | None, text: str, **more: Any) -> dict[str, Any]:
    src = {"name": "Guest" if human else "Wendel", "is_human": human}
    return {"text": text, "created": "2023-01-05T22:33:45-05:00", "src": src, **more}


@pytest.fixture
def character(tmp_path):
    def items_of(*histories: Any) -> list[Item]:
        path = tmp_path / "Wendel.json"
        document = {"info": {"character": {"name": "Wendel"}},
                    "histories": {"histories": list(histories)}}  # fmt: skip
        path.write_bytes(json.dumps(document).encode())
        return read(CharacterAI(), path)

    return items_of


def test_cai1_who_is_human_is_the_user(character):
    found = only(character({"external_id": "h", "msgs": [cai(False, "hi"), cai(True, "ho")]}))
    assert said(found) == [("assistant", "hi"), ("user", "ho")]
    assert [(p.name, p.is_assistant) for p in found.participants] == [
        ("Wendel", True), ("Guest", False),
    ]  # fmt: skip


def test_cai1_who_is_spoken_to_where_the_speaker_is_not_stated(character):
    message = {"text": "x", "src": {"name": "?"}, "tgt": {"is_human": True}}
    assert only(character({"msgs": [message]})).messages[0].role == "assistant"


def test_cai1_an_unknown_speaker_is_nobody(character):
    found = only(character({"msgs": [{"text": "x"}, cai(True, "y")]})).messages
    assert found[0] == Message("system", "x", train=False, source_id="0",
                               extra={"speaker": "unknown"})  # fmt: skip


def test_cai2_two_replies_in_a_row_stay_two_and_swap_nobody(character):
    lines = [cai(True, "q"), cai(False, "a"), cai(False, "b"), cai(True, "r"), cai(False, "c")]
    assert said(only(character({"msgs": lines}))) == [
        ("user", "q"), ("assistant", "a"), ("assistant", "b"), ("user", "r"), ("assistant", "c"),
    ]  # fmt: skip


def test_cai2_an_alternative_reply_is_a_sibling(character):
    lines = [cai(True, "q"), cai(False, "a"), cai(False, "b", is_alternative=True), cai(True, "r")]
    found = only(character({"msgs": lines})).messages
    assert [(m.parent_id, m.on_path) for m in found] == [
        (None, True), ("0", True), ("0", False), ("1", True),
    ]  # fmt: skip


def test_cai3_the_answer_to_a_data_request_is_not_ours(tmp_path):
    path = tmp_path / "chats.json"
    path.write_bytes(json.dumps({"chats": [{"turns": [{"candidates": []}]}]}).encode())
    assert CharacterAI().sniff(open_export(path)) == 0


def test_cai_a_damaged_history_between_good_ones(character):
    good = {"external_id": "h", "msgs": [cai(True, "q")]}
    items = character(good, "x", good | {"external_id": "i"}, {"msgs": []})
    assert [type(i) for i in items] == [Conversation, Reject, Conversation, Skip]
