"""Writes what signal-export would make of an invented chat, and what it should become."""

import json
from datetime import datetime
from pathlib import Path

import msgspec

from ingest.message import Attachment, Conversation, Message, Participant, conversation_id

HERE = Path(__file__).parent
CHAT = "Marla Quillfeather"


def said(time, sender, body, **more):
    return {"date": f"2026-03-02T{time}", "sender": sender, "body": body + "  ", "quote": "",
            "sticker": None, "reactions": [], "attachments": [], "deleted": False, "call": False,
            "missed": False, **more}


LINES = [
    said("09:00:00.250000", CHAT, "Is the mill open today?"),
    said("09:01:00", "Me", "Good grain to you!\nUntil five.",
         quote="\n\n> Is the mill open today?\n\n", reactions=[[CHAT, "\U0001f33e"]]),
    said("09:02:00", CHAT, "", sticker={"id": "1", "packId": "p", "packKey": "k", "emoji": "\U0001f44d",
                                       "extension": "webp"}),
    said("09:03:00", CHAT, "", attachments=[{"name": "gate.jpg", "path": "media/gate.jpg"}]),
    said("09:04:00", "Me", "", deleted=True),
    said("09:05:00", CHAT, "Missed voice call", call=True, missed=True),
    said("18:30:00", CHAT, "Thank you for the flour."),
]


def at(time):
    return datetime.fromisoformat(f"2026-03-02T{time}")


M = Message
MARLA, ME = Participant(CHAT), Participant("Me", None, True)


def expected(time, who, people, messages, **facts):
    native = f"{CHAT}|2026-03-02T{time}|{who}"
    return Conversation(id=conversation_id("signal", native), importer="signal", source_id=native,
                        title=CHAT, created_at=at(time), messages=tuple(messages),
                        participants=people, metadata=facts)


EXPECTED = [
    expected("09:00:00.250000", CHAT, (MARLA, ME), [
        M("user", "Is the mill open today?", name=CHAT, created_at=at("09:00:00.250000")),
        M("assistant", "Good grain to you!\nUntil five.", name="Me", created_at=at("09:01:00"),
          extra={"quote": "Is the mill open today?", "reactions": [[CHAT, "\U0001f33e"]]}),
        M("user", "", name=CHAT, created_at=at("09:02:00"),
          attachments=(Attachment("sticker", "\U0001f44d"),
                       Attachment("image", "gate.jpg", "media/gate.jpg")),
          extra={"parts": [["2026-03-02T09:02:00", 0], ["2026-03-02T09:03:00", 0]]}),
        M("assistant", "", name="Me", created_at=at("09:04:00"), train=False,
          extra={"deleted": True}),
    ], events=[["2026-03-02T09:05:00", f"{CHAT}: Missed voice call"]]),
    expected("18:30:00", CHAT, (MARLA,), [
        M("user", "Thank you for the flour.", name=CHAT, created_at=at("18:30:00")),
    ]),
]


def main():
    folder = HERE / "export" / CHAT
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in LINES)
    (folder / "data.json").write_text(text, encoding="utf-8")
    # signal-export writes both: the chat counts once
    shown = "".join(f"[{line['date'][:19].replace('T', ' ')}] {line['sender']}: {line['body']}\n"
                    for line in LINES)
    (folder / "chat.md").write_text(shown, encoding="utf-8")
    lines = [msgspec.json.encode(each) for each in EXPECTED]
    (HERE / "expected.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    (HERE / "options.json").write_text('{"as_assistant": ["Me"]}\n')


if __name__ == "__main__":
    main()
