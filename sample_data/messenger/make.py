"""Writes the invented Messenger downloads and what they should become: ``python make.py``."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from ingest.message import Attachment, Conversation, Message, Participant, conversation_id

HERE = Path(__file__).parent
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MILL, ZOE = "Wendel Mill", "Zoë Fenwhistle"


def at(minute):
    return START + timedelta(minutes=minute)


def ms(minute):
    return int(at(minute).timestamp() * 1000)


def mangled(value):
    """As the account's download writes text: each byte of UTF-8 as a character."""
    if isinstance(value, str):
        return value.encode().decode("latin-1")
    if isinstance(value, list):
        return [mangled(each) for each in value]
    if isinstance(value, dict):
        return {key: mangled(each) for key, each in value.items()}
    return value


def raw(minute, who, content=None, **more):
    message = {"sender_name": who, "timestamp_ms": ms(minute)}
    if content is not None:
        message["content"] = content
    return {**message, **more, "is_geoblocked_for_viewer": False}


def document(messages, **more):
    return {
        "participants": [{"name": ZOE}, {"name": MILL}],
        "messages": messages,
        "title": ZOE,
        "is_still_participant": True,
        "thread_path": "inbox/zoefenwhistle_77",
        "magic_words": [],
        **more,
    }


REACTIONS = [{"reaction": "🌾", "actor": MILL}]
# newest first, the older half in the file of the higher number
PART_1 = [
    raw(12, ZOE, "Reacted 🌾 to your message "),
    raw(11, MILL, "Until five."),
    raw(10, ZOE, "You unsent a message", is_unsent=True),
    raw(9, ZOE, "Zoë Fenwhistle sent an attachment.",
        share={"link": "https://mill.example.org/loaf", "share_text": "Brot für alle"}),
]  # fmt: skip
PART_2 = [
    raw(3, MILL, "The video chat ended.", call_duration=95),
    raw(2, MILL, "Good grain to you! Ja, natürlich."),
    raw(1, ZOE, "Größe zwei?", reactions=REACTIONS),
    raw(1, ZOE, photos=[{"uri": "photos/1.jpg", "creation_timestamp": 1772442060}]),
]
ENCRYPTED = {
    "participants": [ZOE, MILL],
    "threadName": "Zoë Fenwhistle_12",
    "messages": [
        {"isUnsent": False, "media": [], "reactions": [], "senderName": MILL, "text": "Gern.",
         "timestamp": ms(2002), "type": "text"},
        {"isUnsent": True, "media": [], "reactions": [], "senderName": ZOE, "text": "",
         "timestamp": ms(2001), "type": "text"},
        {"isUnsent": False, "media": [{"uri": "./media/loaf.png"}],
         "reactions": [{"actor": MILL, "reaction": "🌾"}], "senderName": ZOE, "text": "Schön, nicht?",
         "timestamp": ms(2000), "type": "media"},
        {"isUnsent": False, "media": [], "reactions": [], "senderName": ZOE,
         "text": "This message is not available.", "timestamp": ms(1999), "type": "placeholder"},
    ],
}  # fmt: skip


def said(minute, who, text, **more):
    return Message(
        "assistant" if who == MILL else "user", text, name=who, created_at=at(minute), **more
    )


def conversation(place, minute, title, messages, **metadata):
    native = f"{place}|{at(minute).isoformat()}|{ZOE}"
    return Conversation(
        id=conversation_id("messenger", native),
        importer="messenger",
        source_id=native,
        title=title,
        created_at=at(minute),
        messages=tuple(messages),
        participants=(Participant(ZOE), Participant(MILL, is_assistant=True)),
        metadata=metadata,
    )


def expected():
    photo = Attachment("image", uri="photos/1.jpg")
    link = Attachment("link", uri="https://mill.example.org/loaf", text="Brot für alle")
    yield conversation(
        "inbox/zoefenwhistle_77", 1, ZOE,
        [
            said(1, ZOE, "Größe zwei?", attachments=(photo,), extra={
                "reactions": REACTIONS, "parts": [[at(1).isoformat(), 0], [at(1).isoformat(), 11]]}),
            said(2, MILL, "Good grain to you! Ja, natürlich."),
            said(9, ZOE, "", attachments=(link,)),
            said(10, ZOE, "You unsent a message", train=False, on_path=False,
                 extra={"is_unsent": True}),
            said(11, MILL, "Until five."),
        ],
        thread_path="inbox/zoefenwhistle_77",
        events=[[at(3).isoformat(), "Wendel Mill: The video chat ended."],
                [at(12).isoformat(), "Zoë Fenwhistle: Reacted 🌾 to your message "]],
    )  # fmt: skip
    yield conversation(
        "e2ee/Zoë Fenwhistle_12", 2000, ZOE,
        [
            said(2000, ZOE, "Schön, nicht?", attachments=(Attachment("image", uri="./media/loaf.png"),),
                 extra={"reactions": [{"actor": MILL, "reaction": "🌾"}]}),
            said(2001, ZOE, "", train=False, on_path=False, extra={"isUnsent": True}),
            said(2002, MILL, "Gern."),
        ],
        encrypted=True,
        events=[[at(1999).isoformat(), "Zoë Fenwhistle: This message is not available."]],
    )  # fmt: skip


def write(path, value, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, **more), "utf-8")


if __name__ == "__main__":
    folder = HERE / "download" / "your_facebook_activity" / "messages" / "inbox" / "zoefenwhistle_77"
    write(folder / "message_1.json", mangled(document(PART_1)))
    write(folder / "message_2.json", mangled(document(PART_2)))
    write(HERE / "encrypted" / "Zoe Fenwhistle_12.json", ENCRYPTED, ensure_ascii=False)
    with (HERE / "expected.jsonl").open("wb") as file:
        file.writelines(msgspec.json.encode(each) + b"\n" for each in expected())
    write(HERE / "options.json", {"as_assistant": ["Wendel Mill"]})
