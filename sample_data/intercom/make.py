"""Writes invented Intercom conversations and what they should become: ``python make.py``."""

import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ingest.message import Attachment, Conversation, Message, Participant, conversation_id

HERE = Path(__file__).parent
M = Message
MARLA = {"type": "user", "id": "u-1", "name": "Marla Quillfeather", "email": "marla@example.org"}
LEAD = {"type": "lead", "id": "l-1", "name": None, "email": ""}
WENDEL = {"type": "admin", "id": "7", "name": "Wendel Mill", "email": "wendel@example.org"}
BOT = {"type": "bot", "id": "8", "name": "Mill bot", "email": "bot@example.org"}


def at(minute):
    return datetime(2026, 3, 3, 10, minute, tzinfo=UTC)


def unix(minute):
    return int(at(minute).timestamp())


def part(key, kind, author, minute, body, **more):
    return {"type": "conversation_part", "id": key, "part_type": kind, "body": body,
            "created_at": unix(minute), "updated_at": unix(minute), "author": author,
            "attachments": [], "redacted": False, **more}


def conversation(key, author, body, *parts, delivered="customer_initiated", subject=""):
    return {"type": "conversation", "id": key, "created_at": unix(0), "updated_at": unix(59),
            "title": None, "state": "closed", "read": True,
            "source": {"type": "conversation", "id": f"s-{key}", "delivered_as": delivered,
                       "subject": subject, "body": body, "author": author, "attachments": [],
                       "redacted": False},
            "contacts": {"type": "contact.list", "contacts": [{"type": "contact", "id": "u-1"}]},
            "conversation_parts": {"type": "conversation_part.list",
                                   "conversation_parts": list(parts), "total_count": len(parts)}}


EXPORT = [
    conversation("501", MARLA, "<p>Which flour is dark?</p>",
        part("1", "assignment", WENDEL, 1, None),
        part("2", "comment", BOT, 1, "<p>Somebody will be with you.</p>"),
        part("3", "note", WENDEL, 2, "<p>She owes us two sacks.</p>"),
        part("4", "comment", WENDEL, 3, "<p>Good grain to you!<br>Rye &amp; nothing else.</p>",
             attachments=[{"type": "upload", "name": "rye.png", "content_type": "image/png",
                           "filesize": 640, "url": "https://mill.example.org/rye.png?sig=abc"}]),
        part("5", "comment", MARLA, 4, None, redacted=True),
        part("6", "close", WENDEL, 5, "<p>The wheel keeps turning.</p>"),
        subject="<p>Dark bread</p>"),
    conversation("502", WENDEL, "<p>New: spelt from the upper field!</p>",
        part("7", "comment", LEAD, 6, "<p>How much is it?</p>"),
        part("8", "comment", WENDEL, 7, "<p>Good grain to you! Three coins.</p>"),
        delivered="automated"),
]
WENDEL_IS, MARLA_IS = Participant("Wendel Mill", "7", True), Participant("Marla Quillfeather", "u-1")


def expected(key, title, messages, participants, **facts):
    return Conversation(id=conversation_id("intercom", key), importer="intercom", source_id=key,
                        title=title, created_at=at(0), messages=tuple(messages),
                        participants=participants, metadata={"state": "closed", **facts})


EXPECTED = [
    expected("501", "Dark bread", [
        M("user", "Which flour is dark?", name="Marla Quillfeather", created_at=at(0),
          source_id="s-501", extra={"delivered_as": "customer_initiated"}),
        M("assistant", "Somebody will be with you.", name="Mill bot", created_at=at(1),
          source_id="2", train=False, extra={"bot": True}),
        M("system", "She owes us two sacks.", name="Wendel Mill", created_at=at(2), source_id="3",
          train=False, on_path=False, extra={"public": False, "part_type": "note"}),
        M("assistant", "Good grain to you!\nRye & nothing else.", name="Wendel Mill",
          created_at=at(3), source_id="4",
          attachments=(Attachment("image", "rye.png", "https://mill.example.org/rye.png",
                                  "image/png", 640),)),
        M("user", "", name="Marla Quillfeather", created_at=at(4), source_id="5", train=False,
          extra={"redacted": True}),
        M("assistant", "The wheel keeps turning.", name="Wendel Mill", created_at=at(5),
          source_id="6", extra={"part_type": "close"}),
    ], (MARLA_IS, Participant("Mill bot", "8"), WENDEL_IS),
        events=[["2026-03-03T10:01:00+00:00", "assignment"]]),
    # a campaign: sent to many, nobody's answer
    expected("502", None, [
        M("assistant", "New: spelt from the upper field!", name="Wendel Mill", created_at=at(0),
          source_id="s-502", train=False, extra={"delivered_as": "automated"}),
        M("user", "How much is it?", name="l-1", created_at=at(6), source_id="7"),
        M("assistant", "Good grain to you! Three coins.", name="Wendel Mill", created_at=at(7),
          source_id="8"),
    ], (WENDEL_IS, Participant("l-1", "l-1"))),
]


def main(out=HERE):
    page = {"type": "conversation.list", "pages": {"type": "pages", "page": 1, "total_pages": 1},
            "total_count": len(EXPORT), "conversations": EXPORT}
    (out / "conversations.json").write_text(json.dumps(page), encoding="utf-8")
    lines = b"".join(msgspec.json.encode(each) + b"\n" for each in EXPECTED)
    (out / "expected.jsonl").write_bytes(lines)


if __name__ == "__main__":
    main()
