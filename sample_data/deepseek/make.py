"""Writes the invented DeepSeek export and what it should become: ``python make.py``."""

import json
from datetime import datetime
from pathlib import Path

import msgspec

from ingest.message import Attachment, Conversation, Message, conversation_id

HERE = Path(__file__).parent
M = Message


def time(minute):
    return f"2026-02-11T20:{minute:02d}:00.123000+08:00"


def at(minute):
    return datetime.fromisoformat(time(minute))


def node(key, parent, children, minute=None, *fragments, files=()):
    said = None
    if minute is not None:
        said = {"files": list(files), "model": "deepseek-sample", "inserted_at": time(minute),
                "fragments": [{"type": kind, "content": text} for kind, text in fragments]}
    return {key: {"id": key, "parent": parent, "children": children, "message": said}}


def conversation(key, title, *nodes):
    mapping = {}
    for each in nodes:
        mapping |= each
    return {"id": key, "title": title, "inserted_at": time(0), "updated_at": time(59),
            "mapping": mapping}


def expected(key, title, messages):
    return Conversation(id=conversation_id("deepseek", key), importer="deepseek", source_id=key,
                        title=title, created_at=at(0), messages=tuple(messages))


MODEL = {"model": "deepseek-sample"}
EXPORT = [
    # more answers than questions: the first was asked for again
    conversation("d-1", "Dark bread",
        node("root", None, ["1"]),
        node("1", "root", ["2", "3"], 1, ("REQUEST", "Which flour is dark?")),
        node("2", "1", [], 2, ("RESPONSE", "Wheat.")),
        node("3", "1", [], 3, ("THINK", "Dark means rye."), ("SEARCH", "two pages"),
             ("RESPONSE", "Rye."), ("RESPONSE", "Ground on stone.")),
    ),
    conversation("d-2", "An order",
        node("root", None, ["1"]),
        node("1", "root", ["2"], 5, ("REQUEST", "What is in the order?"),
             files=[{"id": "f-1", "file_name": "order.pdf", "file_size": 512,
                     "content": "2 kg rye"}]),
        node("2", "1", ["3"], 6, ("RESPONSE", "Two kilos of rye.")),
        node("3", "2", ["4"], 7, ("REQUEST", "Is that enough?")),
        node("4", "3", [], 8, ("THINK", "For a family of")),
    ),
    conversation("d-3", "Nothing", node("root", None, [])),
]
EXPECTED = [
    expected("d-1", "Dark bread", [
        M("user", "Which flour is dark?", created_at=at(1), source_id="1", extra=MODEL),
        M("assistant", "Wheat.", created_at=at(2), source_id="2", parent_id="1", on_path=False,
          extra=MODEL),
        M("assistant", "Rye.\nGround on stone.", reasoning="Dark means rye.", created_at=at(3),
          source_id="3", parent_id="1",
          extra={**MODEL, "fragments": [{"type": "SEARCH", "content": "two pages"}]}),
    ]),
    expected("d-2", "An order", [
        M("user", "What is in the order?", created_at=at(5), source_id="1", extra=MODEL,
          attachments=(Attachment("file", "order.pdf", "f-1", size_bytes=512, text="2 kg rye"),)),
        M("assistant", "Two kilos of rye.", created_at=at(6), source_id="2", parent_id="1",
          extra=MODEL),
        M("user", "Is that enough?", created_at=at(7), source_id="3", parent_id="2", extra=MODEL),
        M("assistant", reasoning="For a family of", created_at=at(8), source_id="4",
          parent_id="3", train=False, extra=MODEL),
    ]),
]


def main(out=HERE):
    folder = out / "deepseek_data"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "conversations.json").write_text(json.dumps(EXPORT), encoding="utf-8")
    user = {"user_id": "u-1", "email": "miller@example.org", "mobile": "none"}
    (folder / "user.json").write_text(json.dumps(user), encoding="utf-8")
    lines = b"".join(msgspec.json.encode(each) + b"\n" for each in EXPECTED)
    (out / "expected.jsonl").write_bytes(lines)


if __name__ == "__main__":
    main()
