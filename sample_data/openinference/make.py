"""Writes invented spans with OpenInference's flattened attributes and what they should become."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ingest.message import Conversation, Message, ToolCall, conversation_id

HERE = Path(__file__).parent
M = Message
TURNS = [("user", f"How long is turn {n}?") if n % 2 == 0 else ("assistant", f"Turn {n} is short.")
         for n in range(11)]


def at(minute, second=0):
    return datetime(2026, 3, 8, 4, minute, second, tzinfo=UTC)


def node(parent, role, content, calls=()):
    """The id of a message as the importer defines it: a digest of it and all before it."""
    said = [parent, role, content, [list(call) for call in calls], []]
    return hashlib.sha256(msgspec.json.encode(said)).hexdigest()[:16]


SCHEMA = '{"type": "function", "function": {"name": "look"}}'
FLAT = {"openinference.span.kind": "LLM", "llm.model_name": "mill-sample", "session.id": "s-10",
        "llm.tools.0.tool.json_schema": SCHEMA}
# eleven messages: as text, 10 sorts before 2
for n, (role, said) in sorted(enumerate(TURNS), key=lambda each: str(each[0])):
    FLAT[f"llm.input_messages.{n}.message.role"] = role
    FLAT[f"llm.input_messages.{n}.message.content"] = said
ANSWER = "llm.output_messages.0.message."
FLAT |= {ANSWER + "role": "assistant",
         ANSWER + "tool_calls.0.tool_call.id": "c1",
         ANSWER + "tool_calls.0.tool_call.function.name": "look",
         ANSWER + "tool_calls.0.tool_call.function.arguments": '{"at": "wheel"}'}
SPANS = [
    {"name": "chain", "context": {"trace_id": "0xa", "span_id": "0x1"},
     "start_time": "2026-03-08T04:00:00.000000Z", "end_time": "2026-03-08T04:00:09.000000Z",
     "attributes": {"openinference.span.kind": "CHAIN", "input.value": "x"}, "events": []},
    {"name": "chat", "context": {"trace_id": "0xa", "span_id": "0x2"},
     "start_time": "2026-03-08T04:01:00.000000Z", "end_time": "2026-03-08T04:01:05.000000Z",
     "attributes": FLAT, "events": []},
]


def expected():
    made, parent = [], None
    for n, (role, said) in enumerate(TURNS):
        key = node(parent or "", role, said)
        made.append(M(role, said, created_at=at(1) if n == 10 else None, source_id=key,
                      parent_id=parent))
        parent = key
    key = node(parent, "assistant", "", [("look", '{"at":"wheel"}')])
    made.append(M("assistant", tool_calls=(ToolCall("c1", "look", '{"at": "wheel"}'),),
                  created_at=at(1, 5), source_id=key, parent_id=parent,
                  extra={"call": "0xa.0x2", "model": "mill-sample"}))
    native = f"s-10|{made[0].source_id}"
    return Conversation(id=conversation_id("otel", native), importer="otel", source_id=native,
                        created_at=at(1), messages=tuple(made), tools=f"[{SCHEMA}]",
                        metadata={"session_id": "s-10", "calls": 1})


def main(out=HERE):
    lines = "".join(json.dumps(each) + "\n" for each in SPANS)
    (out / "spans.jsonl").write_text(lines, encoding="utf-8")
    (out / "expected.jsonl").write_bytes(msgspec.json.encode(expected()) + b"\n")


if __name__ == "__main__":
    main()
