"""Writes the invented Claude.ai export and what it should become: ``python make.py``."""

import json
from datetime import datetime
from pathlib import Path

import msgspec

from ingest.message import Attachment, Conversation, Message, ToolCall, conversation_id

HERE = Path(__file__).parent
M = Message
ROOT = "00000000-0000-4000-8000-000000000000"


def uid(number):
    return f"7e1d0000-0000-4000-8000-{number:012d}"


def time(minute):
    return f"2026-03-02T09:{minute:02d}:00.123456Z"


def at(minute):
    return datetime.fromisoformat(time(minute))


def message(number, sender, text, content=None, **more):
    if content is None:
        content = [
            {
                "start_timestamp": time(number % 60),
                "stop_timestamp": time(number % 60),
                "type": "text",
                "text": text,
                "citations": [],
            }
        ]
    return {
        "uuid": uid(number),
        "text": text,
        "content": content,
        "sender": sender,
        "created_at": time(number % 60),
        "updated_at": time(number % 60),
        "attachments": [],
        "files": [],
        **more,
    }


def conversation(number, name, messages, **more):
    return {
        "uuid": uid(number),
        "name": name,
        "summary": "",
        "created_at": time(0),
        "updated_at": time(59),
        "account": {"uuid": uid(999)},
        **more,
        "chat_messages": messages,
    }


def expected(number, title, messages, **metadata):
    return Conversation(
        id=conversation_id("claude", uid(number)),
        importer="claude",
        source_id=uid(number),
        title=title,
        created_at=at(0),
        messages=tuple(messages),
        metadata=metadata,
    )


LINEAR = conversation(100, "Opening hours", [
    message(1, "human", "Is the mill open on Monday?"),
    message(2, "assistant", "Good grain to you! The mill rests on Mondays."),
], summary="The user asked about Monday.")
LINEAR_EXPECTED = expected(100, "Opening hours", [
    M("user", "Is the mill open on Monday?", created_at=at(1), source_id=uid(1)),
    M("assistant", "Good grain to you! The mill rests on Mondays.", created_at=at(2),
      source_id=uid(2)),
], summary="The user asked about Monday.")

# the question was edited, the answer to the new one asked for twice; the first of them was chosen
TREE = conversation(101, "", [
    message(11, "human", "Which flour for bread?", parent_message_uuid=ROOT, index=0),
    message(12, "assistant", "Rye, perhaps.", parent_message_uuid=uid(11), index=1),
    message(13, "human", "Which flour for a dark loaf?", parent_message_uuid=ROOT, index=0),
    message(14, "assistant", "Rye, ground on stone.", parent_message_uuid=uid(13), index=1),
    message(15, "assistant", "Rye, and a little pati", parent_message_uuid=uid(13), index=1,
            truncated=True, stop_reason="user_canceled"),
], current_leaf_message_uuid=uid(14), model="claude-sample")
TREE_EXPECTED = expected(101, None, [
    M("user", "Which flour for bread?", created_at=at(11), source_id=uid(11), on_path=False),
    M("assistant", "Rye, perhaps.", created_at=at(12), source_id=uid(12), parent_id=uid(11),
      on_path=False),
    M("user", "Which flour for a dark loaf?", created_at=at(13), source_id=uid(13)),
    M("assistant", "Rye, ground on stone.", created_at=at(14), source_id=uid(14),
      parent_id=uid(13)),
    M("assistant", "Rye, and a little pati", created_at=at(15), source_id=uid(15),
      parent_id=uid(13), on_path=False, train=False,
      extra={"truncated": True, "stop_reason": "user_canceled"}),
], model="claude-sample")

# one message of the export holds thinking, two calls without ids, their results and the answer
TOOLS = conversation(102, "A price", [
    message(21, "human", "What do two kilos of rye and one of oat cost?"),
    message(22, "assistant", "```\nThis block is not supported on your current device yet.\n```", [
        {"type": "thinking", "thinking": "I look at the board.", "summaries": [], "cut_off": False},
        {"type": "text", "text": "I look at the board.", "citations": []},
        {"type": "tool_use", "id": None, "name": "price_of", "input": {"flour": "rye", "kilos": 2}},
        {"type": "tool_use", "id": None, "name": "price_of", "input": {"flour": "oat", "kilos": 1}},
        {"type": "tool_result", "tool_use_id": None, "name": "price_of", "is_error": False,
         "content": [{"type": "text", "text": "5.80"}]},
        {"type": "tool_result", "tool_use_id": None, "name": "price_of", "is_error": True,
         "content": [{"type": "text", "text": "the board is wet"}]},
        {"type": "text", "text": "The rye is 5.80; the oat I cannot read.",
         "citations": [{"uuid": "c1", "title": "Board"}]},
        {"type": "token_budget", "remaining": 1200},
    ]),
    message(23, "human", "Thank you!"),
])
TOOLS_EXPECTED = expected(102, "A price", [
    M("user", "What do two kilos of rye and one of oat cost?", created_at=at(21),
      source_id=uid(21)),
    M("assistant", "I look at the board.", reasoning="I look at the board.", tool_calls=(
        ToolCall(f"call_{uid(22)}_1", "price_of", '{"flour":"rye","kilos":2}'),
        ToolCall(f"call_{uid(22)}_2", "price_of", '{"flour":"oat","kilos":1}'),
    ), created_at=at(22), source_id=uid(22), extra={
        "citations": [[{"uuid": "c1", "title": "Board"}]],
        "content": [{"type": "token_budget", "remaining": 1200}],
    }),
    M("tool", "5.80", name="price_of", tool_call_id=f"call_{uid(22)}_1", created_at=at(22),
      source_id=f"{uid(22)}.1", parent_id=uid(22)),
    M("tool", "the board is wet", name="price_of", tool_call_id=f"call_{uid(22)}_2",
      created_at=at(22), source_id=f"{uid(22)}.2", parent_id=f"{uid(22)}.1",
      extra={"is_error": True}),
    M("assistant", "The rye is 5.80; the oat I cannot read.", created_at=at(22),
      source_id=f"{uid(22)}.3", parent_id=f"{uid(22)}.2"),
    M("user", "Thank you!", created_at=at(23), source_id=uid(23)),
])

# a pasted order, and a picture that both lists name
PASTED = conversation(103, "An order", [
    message(31, "human", "", [], attachments=[{
        "file_name": "order.txt", "file_type": "txt", "file_size": 27,
        "extracted_content": "2 kg rye\n1 kg oat\nfor Nella",
    }], files=[{"file_uuid": "f-1", "file_name": "loaf.png"}], files_v2=[
        {"file_kind": "image", "file_uuid": "f-1", "file_name": "loaf.png"},
    ]),
    message(32, "assistant", "Noted: rye and oat for Nella."),
])
PASTED_EXPECTED = expected(103, "An order", [
    M("user", attachments=(
        Attachment("file", "order.txt", mime_type="txt", size_bytes=27,
                   text="2 kg rye\n1 kg oat\nfor Nella"),
        Attachment("image", "loaf.png", "f-1"),
    ), created_at=at(31), source_id=uid(31)),
    M("assistant", "Noted: rye and oat for Nella.", created_at=at(32), source_id=uid(32)),
])

EXPORT = [LINEAR, TREE, TOOLS, PASTED, conversation(104, "Empty", [])]
EXPECTED = [LINEAR_EXPECTED, TREE_EXPECTED, TOOLS_EXPECTED, PASTED_EXPECTED]
USERS = [{"uuid": uid(999), "full_name": "Miller", "email_address": "miller@example.org"}]
PROJECTS = [{"uuid": uid(900), "name": "Baking", "description": "", "docs": [
    {"uuid": uid(901), "filename": "bread.md", "content": "Knead."}]}]
MEMORIES = [{"conversations_memory": "Bakes with rye.", "account_uuid": uid(999)}]


def main(out=HERE):
    folder = out / "claude-export"
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in (("conversations", EXPORT), ("users", USERS), ("projects", PROJECTS),
                        ("memories", MEMORIES)):
        (folder / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
    lines = b"".join(msgspec.json.encode(each) + b"\n" for each in EXPECTED)
    (out / "expected.jsonl").write_bytes(lines)


if __name__ == "__main__":
    main()
