"""Writes invented stored completions of OpenAI and what they should become: ``python make.py``."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ingest.message import Conversation, Message, ToolCall, conversation_id

HERE = Path(__file__).parent
M = Message
MODEL = "gpt-sample"
RAIN = {"id": "call_w1", "type": "function",
        "function": {"name": "weather", "arguments": '{"place": "mill"}'}}


def at(minute):
    return datetime(2026, 3, 4, 8, minute, tzinfo=UTC)


def node(parent, role, text, calls=()):
    """The id of a message as the importer defines it: a digest of it and all before it."""
    said = [parent, role, text, [list(call) for call in calls], []]
    return hashlib.sha256(msgspec.json.encode(said)).hexdigest()[:16]


def completion(key, minute, message, finish="stop", **more):
    return {"id": key, "object": "chat.completion", "created": int(at(minute).timestamp()),
            "model": MODEL, "request_id": f"req_{key}", "seed": None, "service_tier": "default",
            "tools": None, "metadata": {"shop": "mill"},
            "choices": [{"index": 0, "finish_reason": finish, "logprobs": None,
                         "message": {"role": "assistant", "refusal": None, **message}}], **more}


SYSTEM = {"role": "system", "content": "You are the mill's assistant."}
ASK = {"role": "user", "content": "Can I dry grain today?"}
CALL = {"role": "assistant", "content": None, "tool_calls": [RAIN]}
RAINS = {"role": "tool", "content": "rain", "tool_call_id": "call_w1"}
NO = {"role": "assistant", "content": "Good grain to you! No, it rains."}
TOMORROW = {"role": "user", "content": "And tomorrow?"}
YES = {"role": "assistant", "content": "Tomorrow the sun"}
REWORDED = {"role": "user", "content": "And on Sunday?"}
SUNDAY = {"role": "assistant", "content": "On Sunday it is dry."}
HISTORIES = {
    "chatcmpl-1": [SYSTEM, ASK],
    "chatcmpl-2": [SYSTEM, ASK, CALL, RAINS],
    "chatcmpl-3": [SYSTEM, ASK, CALL, RAINS, NO, TOMORROW],
    "chatcmpl-4": [SYSTEM, ASK, CALL, RAINS, NO, REWORDED],
}
COMPLETIONS = [  # the newest first, as the API gives them
    completion("chatcmpl-4", 9, SUNDAY),
    completion("chatcmpl-3", 5, YES, "length"),
    completion("chatcmpl-2", 1, NO),
    completion("chatcmpl-1", 0, CALL, "tool_calls"),
    completion("chatcmpl-9", 0, NO),  # its messages were not fetched
]


def pages():
    for key, history in HISTORIES.items():
        data = [{"id": f"{key}-{at}", "name": None, "content_parts": None, **message}
                for at, message in enumerate(history)]
        yield {"object": "list", "data": data, "first_id": data[0]["id"],
               "last_id": data[-1]["id"], "has_more": False}


S = node("", "system", SYSTEM["content"])
U = node(S, "user", ASK["content"])
C = node(U, "assistant", "", [("weather", '{"place":"mill"}')])
T = node(C, "tool", "rain")
A = node(T, "assistant", NO["content"])
U2 = node(A, "user", TOMORROW["content"])
A2 = node(U2, "assistant", YES["content"])
U3 = node(A, "user", REWORDED["content"])
A3 = node(U3, "assistant", SUNDAY["content"])


def facts(key):
    return {"call": key, "model": MODEL}


EXPECTED = [Conversation(
    id=conversation_id("openai-stored", U), importer="openai-stored", source_id=U,
    created_at=at(0), metadata={"metadata": {"shop": "mill"}, "calls": 4},
    messages=(
        M("system", SYSTEM["content"], source_id=S),
        M("user", ASK["content"], created_at=at(0), source_id=U, parent_id=S),
        M("assistant", tool_calls=(ToolCall("call_w1", "weather", '{"place": "mill"}'),),
          created_at=at(0), source_id=C, parent_id=U, extra=facts("chatcmpl-1")),
        M("tool", "rain", name="weather", tool_call_id="call_w1", created_at=at(1), source_id=T,
          parent_id=C),
        M("assistant", NO["content"], created_at=at(1), source_id=A, parent_id=T,
          extra=facts("chatcmpl-2")),
        M("user", TOMORROW["content"], created_at=at(5), source_id=U2, parent_id=A, on_path=False),
        M("assistant", YES["content"], created_at=at(5), source_id=A2, parent_id=U2, on_path=False,
          train=False, extra={"finish_reason": "length", **facts("chatcmpl-3")}),
        M("user", REWORDED["content"], created_at=at(9), source_id=U3, parent_id=A),
        M("assistant", SUNDAY["content"], created_at=at(9), source_id=A3, parent_id=U3,
          extra=facts("chatcmpl-4")),
    ),
)]


def main(out=HERE):
    folder = out / "stored"
    folder.mkdir(parents=True, exist_ok=True)
    page = {"object": "list", "data": COMPLETIONS, "first_id": COMPLETIONS[0]["id"],
            "last_id": COMPLETIONS[-1]["id"], "has_more": False}
    (folder / "completions.json").write_text(json.dumps(page, indent=1), encoding="utf-8")
    lines = "".join(json.dumps(each) + "\n" for each in pages())
    (folder / "messages.jsonl").write_text(lines, encoding="utf-8")
    lines = b"".join(msgspec.json.encode(each) + b"\n" for each in EXPECTED)
    (out / "expected.jsonl").write_bytes(lines)


if __name__ == "__main__":
    main()
