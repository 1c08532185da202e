"""Writes an invented Zendesk export (tickets, users, audits) and what it should become."""

import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ingest.message import Attachment, Conversation, Message, Participant, conversation_id

HERE = Path(__file__).parent
M = Message


def time(minute):
    return f"2026-03-02T09:{minute:02d}:00Z"


def at(minute):
    return datetime(2026, 3, 2, 9, minute, tzinfo=UTC)


def ms(minute):
    return int(at(minute).timestamp() * 1000)


def user(key, name, role):
    return {"id": key, "url": f"https://mill.example.org/api/v2/users/{key}.json", "name": name,
            "email": f"user{key}@example.org", "role": role, "active": True}


def comment(key, author, minute, text, public=True, **more):
    return {"id": key, "type": "Comment", "author_id": author, "body": text,
            "html_body": f"<div>{text}</div>", "plain_body": text, "public": public,
            "attachments": [], "audit_id": key + 500, "via": {"channel": "web"},
            "created_at": time(minute), **more}


def ticket(key, subject, *comments, **more):
    return {"id": key, "url": f"https://mill.example.org/api/v2/tickets/{key}.json",
            "subject": subject, "description": comments[0]["body"] if comments else "",
            "status": "closed", "priority": None, "tags": ["flour"], "requester_id": 10,
            "submitter_id": 10, "assignee_id": 20, "created_at": time(0), "updated_at": time(59),
            "comments": list(comments), **more}


USERS = [user(10, "Marla Quillfeather", "end-user"), user(20, "Wendel Mill", "agent"),
         user(21, "Odo Bramble", "admin")]
TICKETS = [
    ticket(1, "Dark bread",
        comment(101, 10, 0, "Which flour is dark?", attachments=[
            {"id": 9, "file_name": "loaf.jpg", "content_type": "image/jpeg", "size": 2048,
             "content_url": "https://mill.example.org/attachments/loaf.jpg?token=abc"}]),
        comment(102, 21, 1, "She owes us two sacks.", public=False),
        comment(103, 20, 2, "Good grain to you! Rye is dark."),
        comment(104, -1, 3, "Your question is answered.", via={"channel": "rule"}),
        comment(105, 10, 4, "Thank you."),
    ),
    # a talk of Zendesk Messaging: the comment only says that there was one
    ticket(2, "Conversation with Marla",
        comment(201, -1, 9, "(09:05) Marla: Is the mill open?", via={"channel": "native_messaging"}),
    ),
    ticket(3, "Scrubbed", status="deleted"),
]


def line(kind, actor_type, actor, minute, index, **more):
    return {"type": kind, "actor_type": actor_type, "actor_id": actor, "timestamp": ms(minute),
            "chat_index": index, **more}


HISTORY = [
    line("ChatJoin", "end-user", "10", 5, 0, actor_name="Marla"),
    line("ChatMessage", "end-user", "10", 5, 1, actor_name="Marla", message="Is the mill open?"),
    line("ChatMessage", "agent", "-1", 5, 2, actor_name="Mill bot", message="One moment."),
    line("ChatMessage", "agent", "20", 6, 3, actor_name="Wendel", message="Good grain to you!"),
    line("ChatMessage", "agent", "20", 6, 4, actor_name="Wendel", message="Until five."),
]
AUDITS = [
    {"id": 901, "ticket_id": 2, "created_at": time(5), "author_id": -1, "events": [
        {"id": 1, "type": "ChatStartedEvent", "value": {"conversation_id": "c-2",
                                                       "history": HISTORY[:2]}}]},
    {"id": 902, "ticket_id": 2, "created_at": time(9), "author_id": -1, "events": [
        {"id": 2, "type": "ChatEndedEvent", "value": {"conversation_id": "c-2",
                                                     "history": HISTORY}}]},
]
MARLA = Participant("Marla Quillfeather", "10")
WENDEL = Participant("Wendel Mill", "20", True)
ZENDESK = Participant("Zendesk", "-1")
FACTS = {"status": "closed", "tags": ["flour"]}


def expected(key, title, messages, participants, created, **facts):
    return Conversation(id=conversation_id("zendesk", key), importer="zendesk", source_id=key,
                        title=title, created_at=at(created), messages=tuple(messages),
                        participants=participants, metadata={**FACTS, **facts})


WEB = {"via": "web"}
EXPECTED = [
    expected("1", "Dark bread", [
        M("user", "Which flour is dark?", name="Marla Quillfeather", created_at=at(0),
          source_id="101", extra=WEB,
          attachments=(Attachment("image", "loaf.jpg",
                                  "https://mill.example.org/attachments/loaf.jpg", "image/jpeg",
                                  2048),)),
        M("system", "She owes us two sacks.", name="Odo Bramble", created_at=at(1),
          source_id="102", train=False, on_path=False, extra={"public": False, **WEB}),
        M("assistant", "Good grain to you! Rye is dark.", name="Wendel Mill", created_at=at(2),
          source_id="103", extra=WEB),
        M("assistant", "Your question is answered.", name="Zendesk", created_at=at(3),
          source_id="104", train=False, extra={"bot": True, "via": "rule"}),
        M("user", "Thank you.", name="Marla Quillfeather", created_at=at(4), source_id="105",
          extra=WEB),
    ], (MARLA, Participant("Odo Bramble", "21", True), WENDEL, ZENDESK), 0),
    expected("2", "Conversation with Marla", [
        M("user", "Is the mill open?", name="Marla Quillfeather", created_at=at(5)),
        M("assistant", "One moment.", name="Mill bot", created_at=at(5), train=False,
          extra={"bot": True}),
        M("assistant", "Good grain to you!\nUntil five.", name="Wendel Mill", created_at=at(6),
          extra={"parts": [["2026-03-02T09:06:00+00:00", 18], ["2026-03-02T09:06:00+00:00", 11]]}),
        M("system", "(09:05) Marla: Is the mill open?", name="Zendesk", created_at=at(9),
          source_id="201", train=False, on_path=False,
          extra={"public": False, "via": "native_messaging", "transcript": True}),
    ], (MARLA, Participant("Mill bot", "-1"), WENDEL), 0,
        events=[["2026-03-02T09:05:00+00:00", "ChatJoin"]]),
]


def main(out=HERE):
    folder = out / "export"
    folder.mkdir(parents=True, exist_ok=True)
    for name, records in (("tickets", TICKETS), ("users", USERS), ("ticket_audits", AUDITS)):
        lines = "".join(json.dumps(each) + "\n" for each in records)
        (folder / f"{name}.ndjson").write_text(lines, encoding="utf-8")
    lines = b"".join(msgspec.json.encode(each) + b"\n" for each in EXPECTED)
    (out / "expected.jsonl").write_bytes(lines)


if __name__ == "__main__":
    main()
