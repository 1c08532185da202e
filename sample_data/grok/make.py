"""Writes the invented Grok export and what it should become: ``python make.py``."""

import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ingest.message import Attachment, Conversation, Message, conversation_id

HERE = Path(__file__).parent
M = Message
START = 1_767_600_000_000  # ms


def at(second):
    return datetime.fromtimestamp(START / 1000 + second, UTC)


def response(key, parent, sender, text, second, **more):
    return {"response": {
        "_id": key, "conversation_id": "c", "message": text, "sender": sender,
        "create_time": {"$date": {"$numberLong": str(START + second * 1000)}},
        "parent_response_id": parent, "manual": False, "partial": False, "web_search_results": [],
        "file_attachments": [], "metadata": {}, **more,
    }, "share_link": None}


def conversation(key, title, responses):
    return {"conversation": {
        "id": key, "user_id": "u-1", "create_time": "2026-01-05T08:00:00.250000Z",
        "modify_time": "2026-01-06T08:00:00Z", "title": title, "summary": "", "starred": False,
        "system_prompt_name": "", "media_types": [],
    }, "responses": responses}


def expected(key, title, messages):
    return Conversation(id=conversation_id("grok", key), importer="grok", source_id=key,
                        title=title, created_at=datetime(2026, 1, 5, 8, 0, 0, 250000, UTC),
                        messages=tuple(messages))


EXPORT = {
    "conversations": [
        # the first answer was asked for again
        conversation("g-1", "Dark bread", [
            response("r-1", None, "human", "Which flour is dark?", 1),
            response("r-2", "r-1", "ASSISTANT", "Wheat.", 2, model="grok-sample"),
            response("r-3", "r-1", "grok-sample", "Rye.", 3, thinking_trace="Dark means rye.",
                     steps=[{"text": ["Looking at the flour"]}]),
        ]),
        # an empty message is a picture; a broken off answer is not trained
        conversation("g-2", "A picture", [
            response("r-4", None, "human", "Draw the mill.", 1, file_attachments=["asset-1"]),
            response("r-5", "r-4", "assistant", "", 2, generated_image_urls=["mill.jpg"]),
            response("r-6", "r-5", "human", "Once more?", 3),
            response("r-7", "r-6", "assistant", "", 4),
            response("r-8", "r-7", "human", "With the dog!", 5),
            response("r-9", "r-8", "assistant", "A mill wi", 6, partial=True),
        ]),
        conversation("g-3", "Nothing", []),
    ],
    "projects": [],
    "tasks": [],
}
EXPECTED = [
    expected("g-1", "Dark bread", [
        M("user", "Which flour is dark?", created_at=at(1), source_id="r-1"),
        M("assistant", "Wheat.", created_at=at(2), source_id="r-2", parent_id="r-1", on_path=False,
          extra={"model": "grok-sample"}),
        M("assistant", "Rye.", reasoning="Dark means rye.", created_at=at(3), source_id="r-3",
          parent_id="r-1",
          extra={"steps": [{"text": ["Looking at the flour"]}], "sender": "grok-sample"}),
    ]),
    expected("g-2", "A picture", [
        M("user", "Draw the mill.", created_at=at(1), source_id="r-4",
          attachments=(Attachment("file", uri="asset-1"),)),
        M("assistant", created_at=at(2), source_id="r-5", parent_id="r-4",
          attachments=(Attachment("image", uri="mill.jpg"),)),
        M("user", "Once more?", created_at=at(3), source_id="r-6", parent_id="r-5"),
        M("assistant", created_at=at(4), source_id="r-7", parent_id="r-6",
          attachments=(Attachment("image"),)),
        M("user", "With the dog!", created_at=at(5), source_id="r-8", parent_id="r-7"),
        M("assistant", "A mill wi", created_at=at(6), source_id="r-9", parent_id="r-8",
          train=False, extra={"partial": True}),
    ]),
]


def main(out=HERE):
    folder = out / "ttl" / "30d" / "export_data" / "0a1b2c3d"
    (folder / "prod-mc-asset-server" / "asset-1").mkdir(parents=True, exist_ok=True)
    text = json.dumps(EXPORT)
    (folder / "prod-grok-backend.json").write_text(text, encoding="utf-8")
    (folder / "prod-mc-asset-server" / "asset-1" / "content").write_bytes(b"\x89PNG\r\n\0sample")
    for name in ("auth-mgmt-api", "billing"):
        (folder / f"prod-mc-{name}.json").write_text('{"email": "miller@example.org"}')
    lines = b"".join(msgspec.json.encode(each) + b"\n" for each in EXPECTED)
    (out / "expected.jsonl").write_bytes(lines)


if __name__ == "__main__":
    main()
