"""Writes an invented Langfuse export (observations, traces) and what it should become."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ingest.message import Conversation, Message, conversation_id

HERE = Path(__file__).parent
M = Message


def at(minute, second=0):
    return datetime(2026, 3, 6, 6, minute, second, tzinfo=UTC)


def written(time):
    return time.strftime("%Y-%m-%d %H:%M:%S.%f")


def node(parent, role, text):
    """The id of a message as the importer defines it: a digest of it and all before it."""
    return hashlib.sha256(msgspec.json.encode([parent, role, text, [], []])).hexdigest()[:16]


def observation(key, trace, kind, minute, given, got, **more):
    return {"id": key, "trace_id": trace, "project_id": "p-mill", "environment": "default",
            "type": kind, "parent_observation_id": None, "start_time": written(at(minute)),
            "end_time": written(at(minute, 3)), "name": "answer", "metadata": "{}",
            "level": "DEFAULT", "status_message": None, "version": None, "input": given,
            "output": got, "provided_model_name": "mill-sample" if kind == "GENERATION" else None,
            **more}


def say(role, text):
    return {"role": role, "content": text}


Q, A = "Is rye heavier than wheat?", "Good grain to you! A little."
Q2, A2 = "And oats?", "Good grain to you! Lighter."
TEXT, TEXT_A = "Name a flour.", "Good grain to you! Spelt."
OBSERVATIONS = [
    # the newest first; input and output are JSON written as text
    observation("o-3", "t-2", "GENERATION", 5,
                json.dumps([say("user", Q), say("assistant", A), say("user", Q2)]),
                json.dumps(say("assistant", A2))),
    observation("o-1", "t-1", "SPAN", 0, json.dumps({"question": Q}), json.dumps({"answer": A})),
    observation("o-2", "t-1", "GENERATION", 0, json.dumps({"messages": [say("user", Q)]}),
                json.dumps(say("assistant", A))),
    # plain text in, plain text out, no session
    observation("o-4", "t-3", "GENERATION", 9, TEXT, TEXT_A),
]
TRACES = [{"id": f"t-{n}", "timestamp": written(at(n)), "name": "talk", "user_id": "u-1",
           "session_id": "s-mill" if n < 3 else None, "tags": [], "input": None, "output": None}
          for n in (1, 2, 3)]


def facts(key, trace):
    return {"call": key, "model": "mill-sample", "trace_id": trace, "name": "answer"}


def expected(session, created, calls, *turns):
    made, parent = [], None
    for role, text, time, extra in turns:
        key = node(parent or "", role, text)
        made.append(M(role, text, created_at=time, source_id=key, parent_id=parent, extra=extra))
        parent = key
    native = f"{session}|{made[0].source_id}" if session else made[0].source_id
    metadata = {"session_id": session, "calls": calls} if session else {"calls": calls}
    return Conversation(id=conversation_id("langfuse", native), importer="langfuse",
                        source_id=native, created_at=at(created), messages=tuple(made),
                        metadata=metadata)


EXPECTED = [
    expected("s-mill", 0, 2, ("user", Q, at(0), {}), ("assistant", A, at(0, 3), facts("o-2", "t-1")),
             ("user", Q2, at(5), {}), ("assistant", A2, at(5, 3), facts("o-3", "t-2"))),
    expected(None, 9, 1, ("user", TEXT, at(9), {}),
             ("assistant", TEXT_A, at(9, 3), facts("o-4", "t-3"))),
]


def main(out=HERE):
    for name, records in (("observations", OBSERVATIONS), ("traces", TRACES)):
        folder = out / "export" / name
        folder.mkdir(parents=True, exist_ok=True)
        lines = "".join(json.dumps(each) + "\n" for each in records)
        (folder / "20260306.jsonl").write_text(lines, encoding="utf-8")
    lines = b"".join(msgspec.json.encode(each) + b"\n" for each in EXPECTED)
    (out / "expected.jsonl").write_bytes(lines)


if __name__ == "__main__":
    main()
