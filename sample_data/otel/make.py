"""Writes invented OpenTelemetry spans and log records and what they should become."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ingest.message import Conversation, Message, ToolCall, conversation_id

HERE = Path(__file__).parent
M = Message


def at(minute, second=0):
    return datetime(2026, 3, 7, 5, minute, second, tzinfo=UTC)


def nano(time):
    return f"{int(time.timestamp())}000000000"


def typed(value):
    if isinstance(value, dict):
        return {"kvlistValue": {"values": [{"key": k, "value": typed(v)} for k, v in value.items()]}}
    if isinstance(value, list):
        return {"arrayValue": {"values": [typed(each) for each in value]}}
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}


def attributes(values):
    return [{"key": key, "value": typed(value)} for key, value in values.items()]


def span(key, minute, values, events=()):
    return {"traceId": f"{minute:032x}", "spanId": f"{key:016x}", "name": "chat mill-sample",
            "kind": 3, "startTimeUnixNano": nano(at(minute)),
            "endTimeUnixNano": nano(at(minute, 4)), "attributes": attributes(values),
            "events": list(events)}


def text(role, content, **more):
    return {"role": role, "parts": [{"type": "text", "content": content}], **more}


def node(parent, role, content, calls=()):
    """The id of a message as the importer defines it: a digest of it and all before it."""
    said = [parent, role, content, [list(call) for call in calls], []]
    return hashlib.sha256(msgspec.json.encode(said)).hexdigest()[:16]


COMMON = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "mill-sample",
          "gen_ai.conversation.id": "talk-1"}
ASK = text("user", "Does the wheel turn?")
CALL = {"role": "assistant", "finish_reason": "tool_call", "parts": [
    {"type": "reasoning", "content": "I must look."},
    {"type": "tool_call", "id": "w1", "name": "look", "arguments": {"at": "wheel"}}]}
SENT_BACK = {"role": "assistant", "parts": CALL["parts"][1:]}
RESULT = {"role": "tool", "parts": [{"type": "tool_call_response", "id": "w1", "response": "turns"}]}
DONE = text("assistant", "Good grain to you! It turns.", finish_reason="stop")
SHORTER = text("assistant", "It turns.", finish_reason="stop")
RULE = [{"type": "text", "content": "You are the mill."}]
SPANS = [
    # structured here, JSON written as text there
    span(1, 0, {**COMMON, "gen_ai.system_instructions": RULE, "gen_ai.input.messages": [ASK],
                "gen_ai.output.messages": [CALL]}),
    span(2, 1, {"http.request.method": "GET"}),
    span(3, 2, {**COMMON, "gen_ai.system_instructions": json.dumps(RULE),
                "gen_ai.input.messages": json.dumps([ASK, SENT_BACK, RESULT]),
                # two candidates
                "gen_ai.output.messages": json.dumps([DONE, SHORTER])}),
]


def record(minute, name, body, key=9):
    return {"timeUnixNano": nano(at(minute)), "traceId": f"{7:032x}", "spanId": f"{key:016x}",
            "attributes": attributes({"event.name": name}), "body": typed(body)}


LOGS = [  # the older events, one message each
    record(6, "gen_ai.user.message", {"content": "Which sack is bran?"}),
    record(7, "gen_ai.choice", {"index": 0, "finish_reason": "stop",
                                "message": {"content": "Good grain to you! The small one."}}),
]
S = node("", "system", "You are the mill.")
U = node(S, "user", "Does the wheel turn?")
C = node(U, "assistant", "", [("look", '{"at":"wheel"}')])
T = node(C, "tool", "turns")
A = node(T, "assistant", "Good grain to you! It turns.")
B = node(T, "assistant", "It turns.")
NATIVE = f"talk-1|{node('', 'user', 'Does the wheel turn?')}"
ONE, THREE, NINE = (f"{t:032x}.{k:016x}" for t, k in ((0, 1), (2, 3), (7, 9)))
U2 = node("", "user", "Which sack is bran?")
A2 = node(U2, "assistant", "Good grain to you! The small one.")
MODEL = {"model": "mill-sample"}
EXPECTED = [
    Conversation(
        id=conversation_id("otel", NATIVE), importer="otel", source_id=NATIVE, created_at=at(0),
        metadata={"session_id": "talk-1", "calls": 2},
        messages=(
            M("system", "You are the mill.", source_id=S),
            M("user", "Does the wheel turn?", created_at=at(0), source_id=U, parent_id=S),
            M("assistant", reasoning="I must look.",
              tool_calls=(ToolCall("w1", "look", '{"at":"wheel"}'),), created_at=at(0, 4),
              source_id=C, parent_id=U, extra={"call": ONE, **MODEL}),
            M("tool", "turns", name="look", tool_call_id="w1", created_at=at(2), source_id=T,
              parent_id=C),
            M("assistant", "Good grain to you! It turns.", created_at=at(2, 4), source_id=A,
              parent_id=T, extra={"call": THREE, **MODEL}),
            M("assistant", "It turns.", created_at=at(2, 4), source_id=B, parent_id=T,
              on_path=False, extra={"call": THREE, "candidate": 1, **MODEL}),
        ),
    ),
    Conversation(
        id=conversation_id("otel", U2), importer="otel", source_id=U2, created_at=at(6),
        metadata={"calls": 1},
        messages=(
            M("user", "Which sack is bran?", created_at=at(6), source_id=U2),
            M("assistant", "Good grain to you! The small one.", created_at=at(6), source_id=A2,
              parent_id=U2, extra={"call": NINE}),
        ),
    ),
]


def main(out=HERE):
    resource = {"attributes": attributes({"service.name": "mill"})}
    traces = {"resourceSpans": [{"resource": resource, "scopeSpans": [
        {"scope": {"name": "mill"}, "spans": [each]}]} for each in SPANS]}
    logs = {"resourceLogs": [{"resource": resource, "scopeLogs": [
        {"scope": {"name": "mill"}, "logRecords": LOGS}]}]}
    (out / "traces.json").write_text(json.dumps(traces), encoding="utf-8")
    (out / "logs.jsonl").write_text(json.dumps(logs) + "\n", encoding="utf-8")
    # in import order: logs come before traces
    lines = b"".join(msgspec.json.encode(each) + b"\n" for each in reversed(EXPECTED))
    (out / "expected.jsonl").write_bytes(lines)


if __name__ == "__main__":
    main()
