"""Writes invented Codex CLI sessions of three generations and what they should become."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from ingest.message import Conversation, Message, ToolCall, conversation_id

HERE = Path(__file__).parent
DAY = HERE / "sessions" / "2026" / "03" / "02"
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
M = Message
ENVIRONMENT = "<environment_context>\n  <cwd>/home/mill/scales</cwd>\n</environment_context>"
OUTPUT = '{"output":"rye 2.90\\noat 3.10\\n","metadata":{"exit_code":0}}'
ARGUMENTS = '{"command": ["cat", "prices.txt"]}'


def at(second):
    return START + timedelta(seconds=second)


def stamp(second):
    return at(second).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def says(role, words, **more):
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": words}], **more}


ITEMS = [
    (1, says("user", ENVIRONMENT)),
    (2, says("user", "What does oat cost?")),
    (4, {"type": "reasoning", "summary": [{"type": "summary_text", "text": "**Reading the list**"}],
         "encrypted_content": "gAAAAmill"}),
    (5, says("assistant", "I read the price list.")),
    (6, {"type": "function_call", "name": "shell", "arguments": ARGUMENTS, "call_id": "call_1"}),
    (7, {"type": "function_call_output", "call_id": "call_1", "output": OUTPUT}),
    (9, says("assistant", "3.10 crowns a kilo.")),
]


def meta(key, second):
    return {"id": key, "timestamp": stamp(second), "instructions": "Prices are in crowns."}


def wrap(second, payload, kind="response_item"):
    return {"timestamp": stamp(second), "type": kind, "payload": payload}


def expected(key, created, times, extra, more=(), **metadata):
    def when(second):
        return at(second) if times else None

    return Conversation(
        id=conversation_id("codex", key),
        importer="codex",
        source_id=key,
        created_at=at(created),
        messages=(
            M("system", "Prices are in crowns.", train=False),
            M("user", ENVIRONMENT, created_at=when(1), train=False),
            M("user", "What does oat cost?", created_at=when(2)),
            M("assistant", "I read the price list.", reasoning="**Reading the list**",
              tool_calls=(ToolCall("call_1", "shell", ARGUMENTS),), created_at=when(4),
              extra={**extra, "encrypted_content": ["gAAAAmill"]}),
            M("tool", OUTPUT, name="shell", tool_call_id="call_1", created_at=when(7)),
            M("assistant", "3.10 crowns a kilo.", created_at=when(9), extra=extra),
            *more,
        ),
        metadata=metadata,
    )


GIT = {"branch": "main", "commit_hash": "0f" * 20}
FACTS = {"cwd": "/home/mill/scales", "originator": "codex_cli_rs", "cli_version": "0.50.0", "git": GIT}
newest = [
    wrap(0, {**meta("c0de0003", 0), **FACTS}, "session_meta"),
    wrap(0, {"cwd": FACTS["cwd"], "approval_policy": "on-request", "model": "codex-mill-1"}, "turn_context"),
    wrap(2, {"type": "user_message", "message": "What does oat cost?"}, "event_msg"),
    *(wrap(second, item) for second, item in ITEMS),
    wrap(9, {"type": "agent_message", "message": "3.10 crowns a kilo."}, "event_msg"),
    wrap(9, {"type": "token_count", "info": None}, "event_msg"),
    wrap(10, {"message": "The user asked for the price of oat."}, "compacted"),
    wrap(12, says("user", "Write it on the board.")),
    wrap(13, says("assistant", "I begin to wri")),
    wrap(14, {"type": "turn_aborted", "reason": "interrupted"}, "event_msg"),
]
SEEN = {"model": "codex-mill-1"}
more = (
    M("user", "Write it on the board.", created_at=at(12)),
    M("assistant", "I begin to wri", created_at=at(13), train=False, extra={**SEEN, "interrupted": True}),
)
files = {
    "rollout-1.json": json.dumps({"session": meta("c0de0001", 0), "items": [i for _, i in ITEMS]}, indent=2) + "\n",
    "rollout-2.jsonl": [{**meta("c0de0002", 0), "git": GIT}, {"record_type": "state"}, *(i for _, i in ITEMS)],
    "rollout-3.jsonl": newest,
}
DAY.mkdir(parents=True, exist_ok=True)
for name, lines in files.items():
    text = lines if isinstance(lines, str) else "".join(json.dumps(each) + "\n" for each in lines)
    (DAY / name).write_text(text)
conversations = (
    expected("c0de0001", 0, False, {}),
    expected("c0de0002", 0, False, {}, git=GIT),
    expected("c0de0003", 0, True, SEEN, more, **FACTS,
             compacted=[[stamp(10), "The user asked for the price of oat."]]),
)
(HERE / "expected.jsonl").write_bytes(b"".join(msgspec.json.encode(c) + b"\n" for c in conversations))
