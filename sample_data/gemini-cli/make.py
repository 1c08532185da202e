"""Writes invented Gemini CLI sessions, old and new, and what they should become."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from ingest.message import Attachment, Conversation, Message, ToolCall, conversation_id

HERE = Path(__file__).parent
CHATS = HERE / "tmp" / "scales" / "chats"
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MODEL = "gemini-mill-1"
HASH = "ab" * 32
M = Message
SEEN = {"extra": {"model": MODEL}}


def at(second):
    return START + timedelta(seconds=second)


def stamp(second):
    return at(second).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def header(key, second, **more):
    return {"sessionId": key, "projectHash": HASH, "startTime": stamp(second), "lastUpdated": stamp(second + 90), **more}


def entry(key, second, kind, content, **more):
    more = {"model": MODEL, "tokens": {"total": 9}, **more} if kind == "gemini" else more
    return {"id": key, "timestamp": stamp(second), "type": kind, "content": content, **more}


def tool(key, name, args, output, second, status="success"):
    result = [{"functionResponse": {"id": key, "name": name, "response": {"output": output}}}]
    return {"id": key, "name": name, "args": args, "result": result, "status": status, "timestamp": stamp(second)}


def conversation(key, title, second, messages, **metadata):
    return Conversation(
        id=conversation_id("gemini-cli", key),
        importer="gemini-cli",
        source_id=key,
        title=title,
        created_at=at(second),
        messages=tuple(messages),
        metadata={"projectHash": HASH, **metadata, "lastUpdated": stamp(second + 90)},
    )


# old: one document
old = {
    **header("old-1", 0),
    "messages": [
        entry("m1", 1, "info", "Update available"),
        entry("m2", 2, "user", "What does oat cost?"),
        entry("m3", 4, "gemini", "I read the list.",
              thoughts=[{"subject": "Prices", "description": "They are in a file.", "timestamp": stamp(3)}],
              toolCalls=[tool("read-1", "read_file", {"path": "prices.txt"}, "oat 3.10", 5),
                         tool("ls-1", "ls", {}, "prices.txt", 6)]),
        entry("m4", 8, "gemini", "3.10 crowns."),
    ],
    "summary": "Price of oat",
}
expected_old = conversation("old-1", "Price of oat", 0, [
    M("user", "What does oat cost?", created_at=at(2), source_id="m2"),
    M("assistant", "I read the list.", reasoning="Prices\nThey are in a file.",
      tool_calls=(ToolCall("read-1", "read_file", '{"path":"prices.txt"}'), ToolCall("ls-1", "ls", "{}")),
      created_at=at(4), source_id="m3", parent_id="m2", **SEEN),
    M("tool", "oat 3.10", name="read_file", tool_call_id="read-1", created_at=at(5),
      source_id="m3/read-1", parent_id="m3"),
    M("tool", "prices.txt", name="ls", tool_call_id="ls-1", created_at=at(6),
      source_id="m3/ls-1", parent_id="m3/read-1"),
    M("assistant", "3.10 crowns.", created_at=at(8), source_id="m4", parent_id="m3/ls-1", **SEEN),
], events=[[at(1).isoformat(), "info", "Update available"]])

# new: a log
context = "<session_context>\nThe mill's scales.\n</session_context>"
first = entry("n1", 101, "user", [{"text": context}])
log = [
    header("new-1", 100, kind="main"),
    first,
    entry("n2", 102, "user", [{"text": "What is on this label?"}, {"inlineData": {"mimeType": "image/png", "data": "iVBORw0="}}]),
    entry("n3", 103, "gemini", ""),
    entry("n3", 104, "gemini", "Rye, one kilo."),
    {"$set": {"summary": "A label"}},
    entry("n4", 110, "user", "Print it."),
    entry("n5", 112, "gemini", "Printed."),
    {"$rewindTo": "n4"},
    entry("n6", 120, "user", "Print two."),
    entry("n7", 122, "gemini", "Printed two."),
]
expected_new = conversation("new-1", "A label", 100, [
    M("user", context, created_at=at(101), train=False, source_id="n1"),
    M("user", "What is on this label?", created_at=at(102), source_id="n2", parent_id="n1",
      attachments=(Attachment("image", mime_type="image/png"),)),
    M("assistant", "Rye, one kilo.", created_at=at(104), source_id="n3", parent_id="n2", **SEEN),
    M("user", "Print it.", created_at=at(110), source_id="n4", parent_id="n3", on_path=False),
    M("assistant", "Printed.", created_at=at(112), source_id="n5", parent_id="n4", on_path=False, **SEEN),
    M("user", "Print two.", created_at=at(120), source_id="n6", parent_id="n3"),
    M("assistant", "Printed two.", created_at=at(122), source_id="n7", parent_id="n6", **SEEN),
], kind="main")
sub = [header("sub-1", 105, kind="subagent"), entry("s1", 106, "user", "Look at the label.")]
expected_sub = conversation("sub-1", None, 105, [
    M("user", "Look at the label.", created_at=at(106), source_id="s1"),
], kind="subagent", parentSession="new-1")

(CHATS / "new-1").mkdir(parents=True, exist_ok=True)
(CHATS / "session-2026-03-02-old.json").write_text(json.dumps(old, indent=2) + "\n")
for name, lines in (("session-2026-03-02-new.jsonl", log), ("new-1/sub-1.jsonl", sub)):
    (CHATS / name).write_text("".join(json.dumps(each) + "\n" for each in lines))
# in the order of the files' names
(HERE / "expected.jsonl").write_bytes(
    b"".join(msgspec.json.encode(c) + b"\n" for c in (expected_sub, expected_new, expected_old))
)
