"""Writes the invented Telegram exports and what they should become: ``python make.py``."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from ingest.message import Attachment, Conversation, Message, Participant, conversation_id

HERE = Path(__file__).parent
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PEOPLE = {"user1": "Wendel Mill", "user2": "Marla Quillfeather", "user3": "Tobin-2 (Bakery)"}
MISSING = "(File not included. Change data exporting settings to download.)"


def at(minute):
    return START + timedelta(minutes=minute)


def times(minute):
    local = at(minute).replace(tzinfo=None) + timedelta(hours=1)
    return {"date": local.isoformat(), "date_unixtime": str(int(at(minute).timestamp()))}


def raw(id_, minute, who, text, **more):
    entities = [{"type": "plain", "text": text}] if isinstance(text, str) and text else []
    return {
        "id": id_, "type": "message", **times(minute), "from": PEOPLE.get(who), "from_id": who,
        **more, "text": text, "text_entities": entities,
    }  # fmt: skip


def service(id_, minute, who, action, **more):
    return {
        "id": id_, "type": "service", **times(minute), "actor": PEOPLE[who], "actor_id": who,
        "action": action, **more, "text": "", "text_entities": [],
    }  # fmt: skip


def said(id_, minute, who, text, *, name=None, **more):
    role = "assistant" if who == "user1" else "user"
    return Message(
        role, text, name=name or PEOPLE.get(who, who), created_at=at(minute),
        source_id=str(id_), **more,
    )  # fmt: skip


def people(*keys):
    return tuple(Participant(PEOPLE.get(key, key), key, key == "user1") for key in keys)


def conversation(chat, minute, first, messages, participants, **metadata):
    native = f"{chat['id']}|{at(minute).isoformat()}|{first}"
    return Conversation(
        id=conversation_id("telegram", native),
        importer="telegram",
        source_id=native,
        title=chat["name"],
        created_at=at(minute),
        messages=tuple(messages),
        participants=participants,
        metadata={"type": chat["type"], **metadata},
    )


PRIVATE = {
    "name": "Marla Quillfeather", "type": "personal_chat", "id": 4002,
    "messages": [
        raw(1, 0, "user2", ["See ", {"type": "text_link", "text": "the list", "href": "https://mill.example.org/list"},
                            " or ", {"type": "link", "text": "mill.example.org"}, "."]),
        raw(2, 1, "user2", "", photo="photos/photo_1.jpg", photo_file_size=1024, width=10, height=10),
        raw(3, 2, "user1", "Good grain to you!", reply_to_message_id=1, edited=times(3)["date"],
            edited_unixtime=times(3)["date_unixtime"]),
        raw(4, 400, "user2", "Passed on", forwarded_from="Mill news"),
        raw(5, 401, "user2", "", file=MISSING, thumbnail=MISSING, media_type="sticker",
            sticker_emoji="🌾"),
        raw(6, 402, "user1", "Pretty."),
    ],
}  # fmt: skip
GROUP = {
    "name": "Mill: orders", "type": "private_group", "id": 4003,
    "messages": [
        service(1, 0, "user1", "create_group", title="Mill: orders", members=["Wendel Mill", "Tobin-2 (Bakery)"]),
        raw(2, 1, "user3", "Spelt?"),
        raw(3, 2, "user9", "Rye!"),
        raw(4, 3, "user1", "Both."),
        raw(5, 4, "user3", "", poll={"question": "When?", "closed": False, "total_voters": 1,
            "answers": [{"text": "today", "voters": 1, "chosen": True}, {"text": "later", "voters": 0, "chosen": False}]}),
        raw(6, 5, "user3", "", location_information={"latitude": 1.5, "longitude": 2.5}),
    ],
}  # fmt: skip
CHANNEL = {
    "name": "Mill news", "type": "public_channel", "id": 4004,
    "messages": [{**raw(9, 10, "channel4004", "Flood at the ford."), "from": None}],
}
del CHANNEL["messages"][0]["from"]
POLL = GROUP["messages"][4]["poll"]
ACCOUNT = {
    "about": "Here is the data you requested.",
    "personal_information": {"user_id": 1, "first_name": "Wendel", "last_name": "Mill", "phone_number": "", "bio": ""},
    "contacts": {"about": "", "list": []},
    "chats": {"about": "This page lists all chats.", "list": [GROUP]},
    "left_chats": {"about": "This page lists left chats.", "list": [CHANNEL]},
}  # fmt: skip


def expected():
    # the account's file comes first by name
    yield conversation(
        GROUP, 1, PEOPLE["user3"],
        [
            said(2, 1, "user3", "Spelt?"),
            said(3, 2, "user9", "Rye!"),
            said(4, 3, "user1", "Both."),
            said(5, 4, "user3", "",
                 attachments=(Attachment("poll", "When?", text="- today\n- later"),
                              Attachment("location", uri="geo:1.5,2.5")),
                 extra={"poll": POLL, "parts": [[at(4).isoformat(), 0], [at(5).isoformat(), 0]],
                        "part_ids": ["5", "6"]}),
        ],
        people("user3", "user9", "user1"),
        events=[[at(0).isoformat(), "Wendel Mill: create group (Wendel Mill, Tobin-2 (Bakery), Mill: orders)"]],
    )  # fmt: skip
    yield conversation(
        CHANNEL, 10, "Mill news",
        [said(9, 10, "channel4004", "Flood at the ford.", name="Mill news")],
        (Participant("Mill news", "channel4004"),), left=True,
    )  # fmt: skip
    yield conversation(
        PRIVATE, 0, PEOPLE["user2"],
        [
            said(1, 0, "user2", "See [the list](https://mill.example.org/list) or mill.example.org.",
                 attachments=(Attachment("image", uri="photos/photo_1.jpg", size_bytes=1024),),
                 extra={"width": 10, "height": 10, "parts": [[at(0).isoformat(), 66], [at(1).isoformat(), 0]],
                        "part_ids": ["1", "2"]}),
            said(3, 2, "user1", "Good grain to you!", parent_id="1",
                 extra={"edited": times(3)["date"], "edited_unixtime": times(3)["date_unixtime"]}),
        ],
        people("user2", "user1"),
    )  # fmt: skip
    yield conversation(
        PRIVATE, 400, PEOPLE["user2"],
        [
            said(4, 400, "user2", "Passed on", train=False, extra={"forwarded_from": "Mill news"}),
            said(5, 401, "user2", "", attachments=(Attachment("sticker", "🌾"),),
                 extra={"media_type": "sticker", "sticker_emoji": "🌾"}),
            said(6, 402, "user1", "Pretty."),
        ],
        people("user2", "user1"),
    )  # fmt: skip


def write(path, value):
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False), "utf-8")


if __name__ == "__main__":
    write(HERE / "account-result.json", ACCOUNT)
    write(HERE / "result.json", PRIVATE)
    with (HERE / "expected.jsonl").open("wb") as file:
        file.writelines(msgspec.json.encode(each) + b"\n" for each in expected())
    write(HERE / "options.json", {"as_assistant": ["Wendel Mill"]})
