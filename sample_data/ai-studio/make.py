"""Writes the invented Google AI Studio prompts and what they should become: ``python make.py``."""

import json
from datetime import datetime
from pathlib import Path

import msgspec

from ingest.message import Attachment, Conversation, Message, ToolCall, conversation_id

HERE = Path(__file__).parent
M = Message
SETTINGS = {"temperature": 1.0, "model": "models/gemini-sample", "topP": 0.95, "topK": 64}


def time(second):
    return f"2026-05-20T07:00:{second:02d}.500Z"


def at(second):
    return datetime.fromisoformat(time(second))


def chunk(role, second, text=None, **more):
    said = {} if text is None else {"text": text}
    return {**said, "role": role, "createTime": time(second), "tokenCount": 7, **more}


def expected(name, second, messages):
    native = f"{name}|{at(second).isoformat()}"
    return Conversation(id=conversation_id("ai-studio", native), importer="ai-studio",
                        source_id=native, title=name, created_at=at(second),
                        messages=tuple(messages),
                        metadata={"model": SETTINGS["model"], "runSettings": SETTINGS})


# thoughts, an answer in two chunks, a draft that was never sent
PLAN = {
    "runSettings": SETTINGS,
    "systemInstruction": {"parts": [{"text": "You are the miller of Wendel Mill."}]},
    "chunkedPrompt": {
        "chunks": [
            chunk("user", 1, driveImage={"id": "drive-1"}),
            chunk("user", 2, "What grain is this?"),
            chunk("model", 3, "The ear is long.", isThought=True,
                  parts=[{"text": "The ear ", "thought": True}, {"text": "is long."}]),
            chunk("model", 4, "Good grain to you!", finishReason="STOP"),
            chunk("model", 5, "It is rye.", finishReason="STOP"),
            chunk("user", 6, "And in a cold spring?"),
            chunk("model", 7, "Then it", finishReason="MAX_TOKENS"),
        ],
        "pendingInputs": [{"text": "a draft", "role": "user"}],
    },
}
PLAN_EXPECTED = expected("Rye v1.2", 1, [
    M("system", "You are the miller of Wendel Mill."),
    M("user", "What grain is this?", created_at=at(1),
      attachments=(Attachment("image", uri="drive-1"),)),
    M("assistant", "Good grain to you!\nIt is rye.", reasoning="The ear is long.",
      created_at=at(3), extra={"finishReason": "STOP"}),
    M("user", "And in a cold spring?", created_at=at(6)),
    M("assistant", "Then it", created_at=at(7), train=False, extra={"finishReason": "MAX_TOKENS"}),
])

CODE = {
    "runSettings": SETTINGS,
    "systemInstruction": {},
    "chunkedPrompt": {"chunks": [
        chunk("user", 11, "12 kilos at 3?"),
        chunk("model", 12, executableCode={"language": "PYTHON", "code": "12 * 3"}),
        chunk("model", 13, codeExecutionResult={"outcome": "OUTCOME_OK", "output": "36"}),
        chunk("model", 14, "Thirty-six crowns."),
    ]},
}
CODE_EXPECTED = expected("Sums", 11, [
    M("user", "12 kilos at 3?", created_at=at(11)),
    M("assistant", tool_calls=(
        ToolCall("call_turn-1_1", "code_execution", '{"language":"PYTHON","code":"12 * 3"}'),
    ), created_at=at(12)),
    M("tool", "36", name="code_execution", tool_call_id="call_turn-1_1", created_at=at(12)),
    M("assistant", "Thirty-six crowns.", created_at=at(12)),
])


def main(out=HERE):
    folder = out / "Google AI Studio"
    folder.mkdir(parents=True, exist_ok=True)
    # in Drive the name is the title; a dot in it makes no suffix
    (folder / "Rye v1.2").write_text(json.dumps(PLAN, indent=2), encoding="utf-8")
    (folder / "Sums").write_text(json.dumps(CODE, indent=2), encoding="utf-8")
    lines = b"".join(msgspec.json.encode(e) + b"\n" for e in (PLAN_EXPECTED, CODE_EXPECTED))
    (out / "expected.jsonl").write_bytes(lines)


if __name__ == "__main__":
    main()
