"""Writes invented spend logs of LiteLLM and what they should become: ``python make.py``."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ingest.message import Conversation, Message, conversation_id

HERE = Path(__file__).parent
M = Message


def at(minute, second=0):
    return datetime(2026, 3, 5, 7, minute, second, tzinfo=UTC)


def node(parent, role, text):
    """The id of a message as the importer defines it: a digest of it and all before it."""
    return hashlib.sha256(msgspec.json.encode([parent, role, text, [], []])).hexdigest()[:16]


def row(key, minute, messages, answer, session="sess-mill", **more):
    response = {"id": f"chatcmpl-{key}", "object": "chat.completion", "model": "mill-sample",
                "choices": [{"index": 0, "finish_reason": "stop",
                             "message": {"role": "assistant", "content": answer}}]}
    return {"request_id": key, "call_type": "acompletion", "api_key": "hash-of-a-key",
            "spend": 0.0001, "total_tokens": 20, "prompt_tokens": 15, "completion_tokens": 5,
            "startTime": f"2026-03-05T07:{minute:02d}:00Z",
            "endTime": f"2026-03-05T07:{minute:02d}:02Z", "completionStartTime": None,
            "model": "mill-sample", "model_id": "m-1", "model_group": "mill", "user": "default",
            "metadata": {"user_api_key_alias": "mill"}, "cache_hit": "None", "request_tags": [],
            "end_user": "", "requester_ip_address": "", "messages": messages,
            "response": response if answer else {}, "session_id": session, "status": "success",
            **more}


Q, A = {"role": "user", "content": "Which flour is dark?"}, "Good grain to you! Rye."
Q2, A2 = {"role": "user", "content": "And light?"}, "Good grain to you! Wheat."
OTHER = {"role": "user", "content": "When do you open?"}
NOW = [{"role": "system", "content": f"It is 7:{n:02d} at the mill."} for n in range(4)]
ROWS = [
    # the system prompt tells the time: the same talk all the same
    row("r-1", 0, [NOW[0], Q], A),
    row("r-2", 1, [NOW[1], Q, {"role": "assistant", "content": A}, Q2], A2),
    # not kept: the proxy was not told to
    row("r-3", 2, {}, "", session="sess-gone"),
    # kept as the request alone, and written as text, as a dump of the table does
    row("r-4", 3, "{}", "Good grain to you! At seven.", session="sess-door",
        proxy_server_request=json.dumps({"model": "mill", "messages": [OTHER]})),
    # failed: a question without an answer
    row("r-5", 4, [OTHER], "", session="sess-late", status="failure"),
]


def messages(system, *turns):
    """The messages of one branch: (role, text, time, extra) each."""
    made, parent = [], None
    for role, text, time, extra in (("system", system, None, {}), *turns) if system else turns:
        key = node(parent or "", role, text)
        made.append(M(role, text, created_at=time, source_id=key, parent_id=parent, extra=extra))
        parent = key
    return made


def expected(session, messages, calls, created):
    opening = node("", "user", next(m.content for m in messages if m.role == "user"))
    native = f"{session}|{opening}"
    return Conversation(id=conversation_id("litellm", native), importer="litellm",
                        source_id=native, created_at=at(created), messages=tuple(messages),
                        metadata={"session_id": session, "calls": calls})


def facts(key):
    return {"call": key, "model": "mill-sample"}


FIRST = messages(NOW[0]["content"], ("user", Q["content"], at(0), {}),
                 ("assistant", A, at(0, 2), facts("r-1")))
SECOND = messages(NOW[1]["content"], ("user", Q["content"], None, {}), ("assistant", A, None, {}),
                  ("user", Q2["content"], at(1), {}), ("assistant", A2, at(1, 2), facts("r-2")))
FIRST = [msgspec.structs.replace(message, on_path=False) for message in FIRST]
EXPECTED = [
    expected("sess-mill", FIRST + SECOND, 2, 0),
    expected("sess-door", messages(None, ("user", OTHER["content"], at(3), {}),
             ("assistant", "Good grain to you! At seven.", at(3, 2), facts("r-4"))), 1, 3),
    expected("sess-late", messages(None, ("user", OTHER["content"], at(4), {})), 1, 4),
]


def main(out=HERE):
    (out / "spend_logs.json").write_text(json.dumps(ROWS), encoding="utf-8")
    lines = b"".join(msgspec.json.encode(each) + b"\n" for each in EXPECTED)
    (out / "expected.jsonl").write_bytes(lines)


if __name__ == "__main__":
    main()
