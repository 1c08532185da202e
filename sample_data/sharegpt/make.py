"""Writes the invented ShareGPT sample and what it should become: ``python make.py``."""

import hashlib
import json
from pathlib import Path

import msgspec

from ingest.message import Conversation, Message, ToolCall, conversation_id

HERE = Path(__file__).parent
M = Message
TOOLS = json.dumps([{"name": "price_of", "parameters": {"type": "object"}}])


def conversation(record, messages, tools=None, **metadata):
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    native = hashlib.sha256(text.encode()).hexdigest()
    return Conversation(
        id=conversation_id("sharegpt", native),
        importer="sharegpt",
        messages=tuple(messages),
        tools=tools,
        metadata=metadata,
    )


def turn(who, value, **more):
    return {"from": who, "value": value, **more}


pairs = []

record = {
    "id": "mill_0",
    "conversations": [
        turn("human", "Is the mill open on Monday?"),
        turn("human", "Or at least the shop?"),  # two in a row
        turn("gpt", "Good grain to you!\nBoth rest on Mondays."),
        turn("user", "And on Friday?"),
        turn("chatgpt", "From seven to five."),
    ],
}
pairs.append((record, conversation(record, [
    M("user", "Is the mill open on Monday?"),
    M("user", "Or at least the shop?"),
    M("assistant", "Good grain to you!\nBoth rest on Mondays."),
    M("user", "And on Friday?"),
    M("assistant", "From seven to five."),
], id="mill_0")))

one = {"name": "price_of", "arguments": {"flour": "rye", "kilos": 2}}
two = {"name": "price_of", "arguments": '{"flour": "oat", "kilos": 1}'}
record = {
    "system": "You are the assistant of Wendel Mill.",
    "tools": TOOLS,
    "conversations": [
        turn("human", "Two kilos of rye and one of oat?"),
        turn("function_call", json.dumps([one, two])),
        turn("observation", "5.80"),
        turn("observation", "3.10"),
        turn("gpt", "8.90 crowns."),
        turn("function_call", "call price_of(rye)"),  # not JSON: it stays text
    ],
}
pairs.append((record, conversation(record, [
    M("system", "You are the assistant of Wendel Mill."),
    M("user", "Two kilos of rye and one of oat?"),
    M("assistant", tool_calls=(
        ToolCall("call_1", "price_of", '{"flour":"rye","kilos":2}'),
        ToolCall("call_1_1", "price_of", '{"flour": "oat", "kilos": 1}'),
    )),
    M("tool", "5.80", name="price_of", tool_call_id="call_1"),
    M("tool", "3.10", name="price_of", tool_call_id="call_1_1"),
    M("assistant", "8.90 crowns."),
    M("assistant", "call price_of(rye)", extra={"from": "function_call"}),
], TOOLS)))

record = {
    "conversations": [turn("human", "Who built the mill?")],
    "chosen": turn("gpt", "Orrin Wendel and his two sisters."),
    "rejected": turn("gpt", "Nobody knows."),
}
pairs.append((record, conversation(record, [
    M("user", "Who built the mill?", source_id="prompt-0"),
    M("assistant", "Orrin Wendel and his two sisters.", source_id="chosen-0", parent_id="prompt-0"),
    M("assistant", "Nobody knows.", source_id="rejected-0", parent_id="prompt-0", on_path=False),
])))

record = {
    "conversation": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Which river?"},
        {"role": "assistant", "content": "The Luddel.", "weight": 0},
        {"role": "user", "content": "Luddle?"},
        {"role": "assistant", "content": "The Luddle.", "loss": True, "source": "desk"},
    ],
    "lang": "en",
}
pairs.append((record, conversation(record, [
    M("system", "Be brief."),
    M("user", "Which river?"),
    M("assistant", "The Luddel.", train=False),
    M("user", "Luddle?"),
    M("assistant", "The Luddle.", train=True, extra={"source": "desk"}),
], lang="en")))

(HERE / "train.json").write_text(json.dumps([r for r, _ in pairs], indent=2) + "\n")
(HERE / "expected.jsonl").write_bytes(b"".join(msgspec.json.encode(c) + b"\n" for _, c in pairs))
