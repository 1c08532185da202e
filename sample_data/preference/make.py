"""Writes the invented preference pairs and what they should become: ``python make.py``."""

import hashlib
import json
from pathlib import Path

import msgspec

from ingest.message import Conversation, Message, conversation_id

HERE = Path(__file__).parent


def conversation(record, prompt, chosen, rejected, tools=None, **metadata):
    """The conversation of a pair; each part is a list of (role, text)."""
    messages = []
    parent = None
    for name, turns, on_path in (
        ("prompt", prompt, True), ("chosen", chosen, True), ("rejected", rejected, False)
    ):
        above = parent
        for at, (role, text) in enumerate(turns):
            key = f"{name}-{at}"
            messages.append(
                Message(role, text, source_id=key, parent_id=above, on_path=on_path)
            )
            above = key
        parent = above if name == "prompt" else parent
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    native = hashlib.sha256(text.encode()).hexdigest()
    return Conversation(
        id=conversation_id("preference", native),
        importer="preference",
        messages=tuple(messages),
        tools=tools,
        metadata=metadata,
    )


def said(role, text):
    return {"role": role, "content": text}


U, A, S = "user", "assistant", "system"
pairs = []

# TRL, the prompt apart, texts
record = {"prompt": "Which river?", "chosen": "The Luddle.", "rejected": "The Thames.", "score": 4}
pairs.append((record, conversation(
    record, [(U, "Which river?")], [(A, "The Luddle.")], [(A, "The Thames.")], score=4
)))

# TRL, the prompt inside both sides
start = [said(S, "Be brief."), said(U, "Open today?"), said(A, "Which day is it?"), said(U, "Monday.")]
record = {"chosen": [*start, said(A, "No.")], "rejected": [*start, said(A, "Yes."), said(U, "Sure?"), said(A, "No.")]}
pairs.append((record, conversation(
    record,
    [(S, "Be brief."), (U, "Open today?"), (A, "Which day is it?"), (U, "Monday.")],
    [(A, "No.")],
    [(A, "Yes."), (U, "Sure?"), (A, "No.")],
)))

# the prompt as text, and again on both sides, and the chosen side once more
chosen = [said(U, "Who barks?"), said(A, "Pippa does.")]
record = {
    "prompt": "Who barks?",
    "prompt_id": "p-3",
    "chosen": chosen,
    "rejected": [said(U, "Who barks?"), said(A, "The miller.")],
    "messages": chosen,
    "score_chosen": 8.5,
}
pairs.append((record, conversation(
    record, [(U, "Who barks?")], [(A, "Pippa does.")], [(A, "The miller.")],
    prompt_id="p-3", score_chosen=8.5,
)))

# OpenAI
tools = [{"type": "function", "function": {"name": "price_of"}}]
record = {
    "input": {"messages": [said(U, "A kilo of spelt?")], "tools": tools, "parallel_tool_calls": True},
    "preferred_output": [said(A, "3.80 crowns.")],
    "non_preferred_output": [said(A, "It depends.")],
}
pairs.append((record, conversation(
    record, [(U, "A kilo of spelt?")], [(A, "3.80 crowns.")], [(A, "It depends.")],
    json.dumps(tools, separators=(",", ":")), parallel_tool_calls=True,
)))

# Anthropic HH
start = "\n\nHuman: How old is the mill?\n\nAssistant: It is from 1742.\n\nHuman: And the wheel?\n\nAssistant:"
record = {"chosen": start + " From after the flood.\nSince 1809.", "rejected": start + " Older."}
pairs.append((record, conversation(
    record,
    [(U, "How old is the mill?"), (A, "It is from 1742."), (U, "And the wheel?")],
    [(A, "From after the flood.\nSince 1809.")],
    [(A, "Older.")],
)))

# texts without any prompt: nobody's question is made up
record = {"chosen": "The wheel keeps turning.", "rejected": "The wheel stops."}
pairs.append((record, conversation(
    record, [], [(A, "The wheel keeps turning.")], [(A, "The wheel stops.")]
)))

(HERE / "pairs.jsonl").write_text("".join(json.dumps(r) + "\n" for r, _ in pairs))
(HERE / "expected.jsonl").write_bytes(b"".join(msgspec.json.encode(c) + b"\n" for _, c in pairs))
