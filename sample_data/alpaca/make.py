"""Writes the invented Alpaca sample and what it should become: ``python make.py``."""

import hashlib
import json
from pathlib import Path

import msgspec

from ingest.message import Conversation, Message, conversation_id

HERE = Path(__file__).parent
M = Message


def conversation(record, messages, **metadata):
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    native = hashlib.sha256(text.encode()).hexdigest()
    return Conversation(
        id=conversation_id("alpaca", native),
        importer="alpaca",
        messages=tuple(messages),
        metadata=metadata,
    )


pairs = []

record = {"instruction": "Name the river at the mill.", "input": "", "output": "The Luddle."}
pairs.append((record, conversation(record, [
    M("user", "Name the river at the mill."), M("assistant", "The Luddle."),
])))

record = {
    "instruction": "Translate into German.",
    "input": "The wheel keeps turning.",
    "output": "Das Rad dreht sich weiter.",
    "category": "müllerei",
}
pairs.append((record, conversation(record, [
    M("user", "Translate into German.\nThe wheel keeps turning.",
      extra={"input": "The wheel keeps turning."}),
    M("assistant", "Das Rad dreht sich weiter."),
], category="müllerei")))

record = {
    "instruction": "And rye?",
    "input": "",
    "output": "2.90 crowns.",
    "system": "You sell flour.",
    "history": [["What is a kilo of oat?", "3.10 crowns."], ["Thanks.", ""]],
}
pairs.append((record, conversation(record, [
    M("system", "You sell flour."),
    M("user", "What is a kilo of oat?"),
    M("assistant", "3.10 crowns."),
    M("user", "Thanks."),
    M("user", "And rye?"),
    M("assistant", "2.90 crowns."),
])))

record = {"instruction": "Greet.", "input": "", "chosen": "Good grain to you!", "rejected": "Hi."}
pairs.append((record, conversation(record, [
    M("user", "Greet.", source_id="prompt-0"),
    M("assistant", "Good grain to you!", source_id="chosen-0", parent_id="prompt-0"),
    M("assistant", "Hi.", source_id="rejected-0", parent_id="prompt-0", on_path=False),
])))

(HERE / "alpaca.json").write_text(
    json.dumps([r for r, _ in pairs], indent=4, ensure_ascii=False) + "\n"
)
(HERE / "expected.jsonl").write_bytes(b"".join(msgspec.json.encode(c) + b"\n" for _, c in pairs))
