"""Writes the invented prompts and completions and what they should become: ``python make.py``."""

import hashlib
import json
from pathlib import Path

import msgspec

from ingest.message import Conversation, Message, conversation_id

HERE = Path(__file__).parent
M = Message


def conversation(record, *messages, **metadata):
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    native = hashlib.sha256(text.encode()).hexdigest()
    return Conversation(
        id=conversation_id("prompt-completion", native),
        importer="prompt-completion",
        messages=messages,
        metadata=metadata,
    )


def said(role, text):
    return {"role": role, "content": text}


pairs = []

record = {"prompt": "What turns the wheel?", "completion": " The river Luddle.\n"}
pairs.append((record, conversation(
    record, M("user", "What turns the wheel?"), M("assistant", " The river Luddle.\n")
)))

# only the completion is trained
record = {
    "prompt": [said("system", "Be brief."), said("user", "Rye?"), said("assistant", "2.90."), said("user", "Oat?")],
    "completion": [said("assistant", "3.10.")],
    "source": "till",
}
pairs.append((record, conversation(
    record,
    M("system", "Be brief."),
    M("user", "Rye?"),
    M("assistant", "2.90.", train=False),
    M("user", "Oat?"),
    M("assistant", "3.10."),
    source="till",
)))

# unpaired preference: an answer not to learn
record = {"prompt": "Is the mill haunted?", "completion": "Surely.", "label": False}
pairs.append((record, conversation(
    record, M("user", "Is the mill haunted?"), M("assistant", "Surely.", train=False), label=False
)))

(HERE / "train.jsonl").write_text("".join(json.dumps(r) + "\n" for r, _ in pairs))
(HERE / "expected.jsonl").write_bytes(b"".join(msgspec.json.encode(c) + b"\n" for _, c in pairs))
