"""Writes invented Claude Code sessions and what they should become: ``python make.py``."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from ingest.message import Attachment, Conversation, Message, ToolCall, conversation_id

HERE = Path(__file__).parent
PROJECT = HERE / "projects" / "-home-mill-scales"
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
FACTS = {"cwd": "/home/mill/scales", "version": "2.0.14", "gitBranch": "main"}
MODEL = "claude-mill-1"
M = Message


def at(second):
    return START + timedelta(seconds=second)


def stamp(second):
    return at(second).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def line(kind, session, uuid, parent, second, **fields):
    return {
        "parentUuid": parent,
        "isSidechain": False,
        "userType": "external",
        "cwd": FACTS["cwd"],
        "sessionId": session,
        "version": FACTS["version"],
        "gitBranch": FACTS["gitBranch"],
        "type": kind,
        "uuid": uuid,
        "timestamp": stamp(second),
        **fields,
    }


def user(session, uuid, parent, second, content, **fields):
    message = {"role": "user", "content": content}
    return line("user", session, uuid, parent, second, message=message, **fields)


def bot(session, uuid, parent, second, message_id, *blocks, model=MODEL, **fields):
    message = {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": list(blocks),
        "stop_reason": None,
        "usage": {"input_tokens": 4, "output_tokens": 2},
    }
    return line("assistant", session, uuid, parent, second, message=message,
                requestId=f"req_{message_id}", **fields)


def text(words):
    return {"type": "text", "text": words}


def use(call, name, **given):
    return {"type": "tool_use", "id": call, "name": name, "input": given}


def result(call, content, **more):
    return {"tool_use_id": call, "type": "tool_result", "content": content, **more}


def conversation(native, title, second, messages, **metadata):
    return Conversation(
        id=conversation_id("claude-code", native),
        importer="claude-code",
        source_id=native,
        title=title,
        created_at=at(second),
        messages=tuple(messages),
        metadata={**FACTS, **metadata},
    )


SEEN = {"extra": {"model": MODEL}}

# one: parallel calls, a sub-agent, an interruption, a streamed answer
one = "5e550001-0000-4000-8000-000000000001"
png = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0="}}
lines_one = [
    {"type": "file-history-snapshot", "messageId": "x", "snapshot": {}, "isSnapshotUpdate": False},
    user(one, "a1", None, 0, "<command-name>/model</command-name>"),
    user(one, "a2", "a1", 5, [text("Why do the scales show 2.90 for oat?"), png]),
    bot(one, "b1", "a2", 8, "msg_1", {"type": "thinking", "thinking": "Prices may be swapped.", "signature": "c2ln"}),
    bot(one, "b2", "b1", 9, "msg_1", text("I look at the")),
    bot(one, "b3", "b2", 10, "msg_1", text("I look at the price list.")),
    bot(one, "b4", "b3", 11, "msg_1", use("toolu_1", "Read", file_path="/home/mill/scales/prices.txt")),
    bot(one, "b5", "b4", 12, "msg_1", use("toolu_2", "Task", prompt="Find the price of oat.")),
    # each result hangs on the line of its own call
    user(one, "c1", "b4", 13, [result("toolu_1", "rye 2.90\noat 2.90")], toolUseResult={"lines": 2}),
    user(one, "c2", "b5", 20, [result("toolu_2", [text("Oat is 3.10.")])]),
    line("system", one, "d1", "c2", 21, subtype="informational", content="Context low", level="info"),
    bot(one, "e1", "d1", 22, "msg_2", text("Line two must say 3.10."), use("toolu_3", "Edit", line=2)),
    user(one, "f1", "e1", 23, [result("toolu_3", "The user doesn't want to proceed.", is_error=True)]),
    user(one, "f2", "f1", 24, [text("[Request interrupted by user for tool use]")]),
    user(one, "g1", "f2", 30, "I do it by hand. Thanks!"),
    bot(one, "h1", "g1", 33, "msg_3", text("Good grain to you!")),
]
side = [
    {**user(one, "s1", None, 12, "Find the price of oat."), "isSidechain": True, "agentId": "0a1b2c3d"},
    {**bot(one, "s2", "s1", 18, "msg_s", text("Oat is 3.10.")), "isSidechain": True, "agentId": "0a1b2c3d"},
]
calls = (
    ToolCall("toolu_1", "Read", '{"file_path":"/home/mill/scales/prices.txt"}'),
    ToolCall("toolu_2", "Task", '{"prompt":"Find the price of oat."}'),
)
expected_one = conversation(one, "Scales show a wrong price", 0, [
    M("user", "<command-name>/model</command-name>", created_at=at(0), train=False, source_id="a1"),
    M("user", "Why do the scales show 2.90 for oat?", created_at=at(5), source_id="a2", parent_id="a1",
      attachments=(Attachment("image", mime_type="image/png"),)),
    M("assistant", "I look at the price list.", reasoning="Prices may be swapped.", tool_calls=calls,
      created_at=at(8), source_id="b1", parent_id="a2", **SEEN),
    M("tool", "rye 2.90\noat 2.90", name="Read", tool_call_id="toolu_1", created_at=at(13),
      source_id="c1", parent_id="b1"),
    M("tool", "Oat is 3.10.", name="Task", tool_call_id="toolu_2", created_at=at(20),
      source_id="c2", parent_id="c1"),
    M("assistant", "Line two must say 3.10.", tool_calls=(ToolCall("toolu_3", "Edit", '{"line":2}'),),
      created_at=at(22), train=False, source_id="e1", parent_id="c2",
      extra={"model": MODEL, "interrupted": True}),
    M("tool", "The user doesn't want to proceed.", name="Edit", tool_call_id="toolu_3", created_at=at(23),
      source_id="f1", parent_id="e1", extra={"is_error": True}),
    M("user", "[Request interrupted by user for tool use]", created_at=at(24), train=False,
      source_id="f2", parent_id="f1"),
    M("user", "I do it by hand. Thanks!", created_at=at(30), source_id="g1", parent_id="f2"),
    M("assistant", "Good grain to you!", created_at=at(33), source_id="h1", parent_id="g1", **SEEN),
], events=[[at(21).isoformat(), "Context low"]], lines={"file-history-snapshot": 1})
expected_side = conversation(f"{one}/0a1b2c3d", None, 12, [
    M("user", "Find the price of oat.", created_at=at(12), source_id="s1"),
    M("assistant", "Oat is 3.10.", created_at=at(18), source_id="s2", parent_id="s1", **SEEN),
], isSidechain=True, sessionId=one)

# two: the summary of the first session, a rewound turn, an answer of the application
two = "5e550002-0000-4000-8000-000000000002"
lines_two = [
    {"type": "summary", "summary": "Scales show a wrong price", "leafUuid": "h1"},
    user(two, "m1", None, 100, "Print a label."),
    bot(two, "n1", "m1", 103, "msg_4", text("Rye or oat?")),
    user(two, "o1", "n1", 110, "Rye."),
    bot(two, "p1", "o1", 112, "msg_5", text("Printed a rye label.")),
    user(two, "o2", "n1", 120, "Oat."),
    bot(two, "p2", "o2", 121, "msg_6", text("API Error: 529"), model="<synthetic>", isApiErrorMessage=True),
    {"type": "custom-title", "customTitle": "Labels", "sessionId": two},
]
expected_two = conversation(two, "Labels", 100, [
    M("user", "Print a label.", created_at=at(100), source_id="m1"),
    M("assistant", "Rye or oat?", created_at=at(103), source_id="n1", parent_id="m1", **SEEN),
    M("user", "Rye.", created_at=at(110), source_id="o1", parent_id="n1", on_path=False),
    M("assistant", "Printed a rye label.", created_at=at(112), source_id="p1", parent_id="o1",
      on_path=False, **SEEN),
    M("user", "Oat.", created_at=at(120), source_id="o2", parent_id="n1"),
    M("assistant", "API Error: 529", created_at=at(121), train=False, source_id="p2", parent_id="o2",
      extra={"model": "<synthetic>", "isApiErrorMessage": True}),
])

PROJECT.mkdir(parents=True, exist_ok=True)
for name, lines in ((f"{one}.jsonl", lines_one), (f"{two}.jsonl", lines_two), ("agent-0a1b2c3d.jsonl", side)):
    (PROJECT / name).write_text("".join(json.dumps(each) + "\n" for each in lines))
# in the order of the files' names
(HERE / "expected.jsonl").write_bytes(
    b"".join(msgspec.json.encode(c) + b"\n" for c in (expected_one, expected_two, expected_side))
)
