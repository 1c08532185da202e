"""Writes the invented Instagram download and what it should become: ``python make.py``."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from ingest.message import Attachment, Conversation, Message, Participant, conversation_id

HERE = Path(__file__).parent
START = datetime(2026, 3, 7, 18, 0, tzinfo=UTC)
MILL, MARLA, GONE = "Wendel Mill 🌾", "Marla Quillfeather", "Instagram User"
REEL = "https://reels.example.org/reel/wheel/"
STILL = "https://pictures.example.org/v/loaf.jpg?stp=dst-jpg"


def at(minute):
    return START + timedelta(minutes=minute)


def mangled(value):
    """As the download writes text: each byte of UTF-8 as a character."""
    if isinstance(value, str):
        return value.encode().decode("latin-1")
    if isinstance(value, list):
        return [mangled(each) for each in value]
    if isinstance(value, dict):
        return {key: mangled(each) for key, each in value.items()}
    return value


def raw(minute, who, content=None, **more):
    message = {"sender_name": who, "timestamp_ms": int(at(minute).timestamp() * 1000)}
    if content is not None:
        message["content"] = content
    return {
        **message,
        **more,
        "is_geoblocked_for_viewer": False,
        "is_unsent_image_by_messenger_kid_parent": False,
    }


def document(place, title, people, messages):
    return {
        "participants": [{"name": each} for each in people],
        "messages": messages,  # the newest first
        "title": title,
        "is_still_participant": True,
        "thread_path": place,
        "magic_words": [],
    }


DIRECT = "inbox/marlaquillfeather_17842"
REQUEST = "message_requests/instagramuser_17901"
LOVED = [{"reaction": "❤", "actor": MILL, "timestamp": int(at(2).timestamp())}]
FILES = {
    DIRECT: document(DIRECT, MARLA, [MARLA, MILL], [
        raw(8, MARLA, "Liked a message"),
        raw(7, MILL, "Für dich: Dinkel, ein Kilo."),
        raw(6, MARLA, "Marla Quillfeather sent an attachment.",
            share={"link": f"{STILL}&_nc_ohc=Q7kNv&oh=00_AfB1&oe=69B1C2D3",
                   "original_content_owner": "wendel.mill"}),
        raw(5, MARLA, "Audio call ended", call_duration=61),
        raw(3, MARLA, "Größe zwei 🍞", reactions=LOVED),
        raw(2, MARLA, photos=[{
            "uri": f"your_instagram_activity/messages/{DIRECT}/photos/9001.jpg",
            "creation_timestamp": int(at(2).timestamp())}]),
        raw(1, MILL, "Good grain to you! Ja – jede Größe."),
        raw(0, MARLA, "Backt ihr noch?",
            share={"link": REEL, "share_text": "Das Rad 🎡", "original_content_owner": "wendel.mill"}),
    ]),
    REQUEST: document(REQUEST, GONE, [GONE, MILL], [
        raw(31, MILL, "Good grain to you! At six."),
        raw(30, GONE, "when does the wheel start"),
    ]),
}  # fmt: skip


def said(minute, who, text, **more):
    return Message(
        "assistant" if who == MILL else "user", text, name=who, created_at=at(minute), **more
    )


def conversation(place, minute, title, who, messages, **metadata):
    native = f"{place}|{at(minute).isoformat()}|{who}"
    return Conversation(
        id=conversation_id("messenger", native),
        importer="messenger",
        source_id=native,
        title=title,
        created_at=at(minute),
        messages=tuple(messages),
        participants=(Participant(who), Participant(MILL, is_assistant=True)),
        metadata={"thread_path": place, **metadata},
    )


def expected():
    photo = f"your_instagram_activity/messages/{DIRECT}/photos/9001.jpg"
    yield conversation(
        DIRECT, 0, MARLA, MARLA,
        [
            said(0, MARLA, "Backt ihr noch?",
                 attachments=(Attachment("link", uri=REEL, text="Das Rad 🎡"),)),
            said(1, MILL, "Good grain to you! Ja – jede Größe."),
            said(2, MARLA, "Größe zwei 🍞",
                 attachments=(Attachment("image", uri=photo), Attachment("link", uri=STILL)),
                 extra={"reactions": LOVED, "parts": [
                     [at(2).isoformat(), 0], [at(3).isoformat(), 12], [at(6).isoformat(), 0]]}),
            said(7, MILL, "Für dich: Dinkel, ein Kilo."),
        ],
        events=[[at(5).isoformat(), "Marla Quillfeather: Audio call ended"],
                [at(8).isoformat(), "Marla Quillfeather: Liked a message"]],
    )  # fmt: skip
    yield conversation(
        REQUEST, 30, GONE, GONE,
        [said(30, GONE, "when does the wheel start"), said(31, MILL, "Good grain to you! At six.")],
    )  # fmt: skip


if __name__ == "__main__":
    for place, value in FILES.items():
        path = HERE / "download/your_instagram_activity/messages" / place / "message_1.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(mangled(value), indent=2), "utf-8")
    with (HERE / "expected.jsonl").open("wb") as file:
        file.writelines(msgspec.json.encode(each) + b"\n" for each in expected())
    (HERE / "options.json").write_text(json.dumps({"as_assistant": [MILL]}), "utf-8")
