"""Writes the invented Conversation History of Gemini and what it becomes: ``python make.py``."""

import json
from datetime import datetime
from pathlib import Path

import msgspec

from ingest.message import Attachment, Conversation, Message, conversation_id

HERE = Path(__file__).parent
M = Message


def time(minute):
    return f"2026-04-10T08:{minute:02d}:00.000001Z"


def at(minute):
    return datetime.fromisoformat(time(minute))


def asked(index, prompt, minute, **more):
    return {"user_turn": {"prompt": prompt, "turn_index": index, "turn_last_modified": time(minute),
                          **more}}


def said(index, data, minute, **more):
    return {"system_turn": {"text": [{"data": data}], "turn_index": index,
                            "turn_last_modified": time(minute), **more}}


def document(title, minute, turns):
    return {"title": title, "creation_time": time(minute), "last_modification_time": time(59),
            "conversation_turns": turns}


def expected(title, minute, messages):
    native = at(minute).isoformat()
    return Conversation(id=conversation_id("gemini", native), importer="gemini", source_id=native,
                        title=title, created_at=at(minute), messages=tuple(messages),
                        metadata={"times": "last modified"})


# the second question was edited and answered anew
EDITED = document("Bread for the fair", 0, [
    asked(0, "How many loaves for the fair?", 1),
    said(1, "Forty.", 2, model_thoughts=[
        {"headline": "Counting", "description": "The fair feeds two hundred."},
        {"headline": "Deciding", "description": "Five to a loaf."},
    ]),
    asked(2, "And rolls?", 3),
    said(3, "None.", 4),
    asked(2, "And rolls for the children?", 5),
    {"system_turn": {"text": [{"data": "Sixty."}, {"cards": [{"content": "Rolls: 60"}]}],
                     "images": ["rolls.png"], "turn_index": 3, "turn_last_modified": time(6)}},
])
EDITED_EXPECTED = expected("Bread for the fair", 0, [
    M("user", "How many loaves for the fair?", created_at=at(1), source_id="user-0"),
    M("assistant", "Forty.", created_at=at(2), source_id="assistant-1", parent_id="user-0",
      reasoning="Counting\nThe fair feeds two hundred.\n\nDeciding\nFive to a loaf."),
    M("user", "And rolls?", created_at=at(3), source_id="user-2", parent_id="assistant-1",
      on_path=False),
    M("assistant", "None.", created_at=at(4), source_id="assistant-3", parent_id="user-2",
      on_path=False),
    M("user", "And rolls for the children?", created_at=at(5), source_id="user-2#2",
      parent_id="assistant-1"),
    M("assistant", "Sixty.\nRolls: 60", created_at=at(6), source_id="assistant-3#2",
      parent_id="user-2#2", attachments=(Attachment("image", uri="rolls.png"),)),
])

DELETED = document("The dog", 10, [
    asked(0, "What is the dog called?", 11),
    said(1, "Bran.", 12),
    asked(2, "Never mind.", 13, turn_deleted_time=time(20)),
    said(3, "As you like.", 14, turn_deleted_time=time(20)),
])
DELETED_EXPECTED = expected("The dog", 10, [
    M("user", "What is the dog called?", created_at=at(11), source_id="user-0"),
    M("assistant", "Bran.", created_at=at(12), source_id="assistant-1", parent_id="user-0"),
    M("user", "Never mind.", created_at=at(13), source_id="user-2", parent_id="assistant-1",
      on_path=False, extra={"turn_deleted_time": time(20)}),
    M("assistant", "As you like.", created_at=at(14), source_id="assistant-3", parent_id="user-2",
      on_path=False, extra={"turn_deleted_time": time(20)}),
])


def main(out=HERE):
    folder = out / "Takeout" / "Gemini" / "Conversation History"
    folder.mkdir(parents=True, exist_ok=True)
    for number, value in enumerate((EDITED, DELETED), 1):
        text = json.dumps(value, indent=2)
        (folder / f"conversation_{number}.txt").write_text(text, encoding="utf-8")
    lines = b"".join(msgspec.json.encode(e) + b"\n" for e in (EDITED_EXPECTED, DELETED_EXPECTED))
    (out / "expected.jsonl").write_bytes(lines)


if __name__ == "__main__":
    main()
