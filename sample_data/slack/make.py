"""Writes the invented Slack export and what it should become: ``python make.py``."""

import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ingest.message import Attachment, Conversation, Message, Participant, conversation_id

HERE = Path(__file__).parent
ROOT = HERE / "slack-export"
MILL, MARLA, TOBIN, GONE, SENTRY = "U01MILL", "U02MARLA", "U03TOBIN", "U09GONE", "B01BELL"
NAMES = {MILL: "Wendel Mill", MARLA: "Marla Quillfeather", TOBIN: "Tobin-2 (Bakery)"}
DAY = 1772442000  # 2026-03-02 09:00 UTC


def ts(minute, fraction=200):
    return f"{DAY + minute * 60}.{fraction:06d}"


def at(minute, fraction=200):
    return datetime.fromtimestamp(DAY + minute * 60, UTC).replace(microsecond=fraction)


def iso(minute, fraction=200):
    return at(minute, fraction).isoformat()


def raw(minute, user, text, **more):
    return {
        "client_msg_id": f"0000-{minute}",
        "type": "message",
        "text": text,
        "user": user,
        "ts": ts(minute),
        "team": "T01",
        "user_team": "T01",
        "source_team": "T01",
        **more,
    }


def rich(text):
    section = {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}
    return [{"type": "rich_text", "block_id": "b1", "elements": [section]}]


def event(minute, subtype, user, text):
    return {"type": "message", "subtype": subtype, "ts": ts(minute), "user": user, "text": text}


def said(minute, user, text, **more):
    more.setdefault("source_id", ts(minute))
    role = "assistant" if user == MILL else "user"
    return Message(role, text, name=NAMES.get(user, user), created_at=at(minute), **more)


def person(key):
    return Participant(NAMES.get(key, key), key, key == MILL)


ROOT_TS, LATE = ts(3), 60 * 24 * 3
GENERAL = [
    event(0, "channel_join", MARLA, f"<@{MARLA}> has joined the channel"),
    raw(1, MARLA, f"<@{MILL}> is the rye &lt;fresh&gt; &amp; fine? See <#C02|ovens>"),
    raw(2, MILL, "Good grain to you! <https://mill.example.org/rye|Rye> is ground at six.",
        blocks=rich("Rye is ground at six."), edited={"user": MILL, "ts": ts(2, 900)}),
    raw(3, TOBIN, "Who takes the Crow Hill round?", thread_ts=ROOT_TS, reply_count=2,
        reply_users_count=2, latest_reply=ts(LATE), reply_users=[MARLA, MILL],
        replies=[{"user": MARLA, "ts": ts(5)}, {"user": MILL, "ts": ts(LATE)}]),
    raw(4, GONE, "I have left the bakery.", reactions=[{"name": "wave", "users": [MARLA], "count": 1}]),
    raw(5, MARLA, "I can.", thread_ts=ROOT_TS, parent_user_id=TOBIN),
    {"type": "message", "subtype": "bot_message", "ts": ts(6), "bot_id": SENTRY,
     "username": "Mill bell", "text": "",
     "attachments": [{"fallback": "Six o'clock", "title": "Six o'clock", "text": "The stones turn."}]},
    # a broadcast answer stands in the channel and in the thread
    raw(LATE, MILL, "Take the cart, Marla.", thread_ts=ROOT_TS, subtype="thread_broadcast",
        root={"ts": ROOT_TS, "text": "Who takes the Crow Hill round?"}),
    raw(LATE, MILL, "Take the cart, Marla.", thread_ts=ROOT_TS, subtype="thread_broadcast"),
]  # fmt: skip
FILE = {
    "id": "F01", "name": "stone.jpg", "title": "stone", "mimetype": "image/jpeg", "size": 2048,
    "url_private_download": "https://files.example.org/F01/download/stone.jpg?t=xoxe-123-abc-DEF",
    "url_private": "https://files.example.org/F01/stone.jpg?t=xoxe-123-abc-DEF",
}  # fmt: skip
DIRECT = [
    raw(90, MARLA, "Look:", files=[FILE], upload=True),
    raw(91, MARLA, "cracked?"),
    raw(92, MILL, "Only a scratch."),
]
USERS = [
    {"id": MILL, "team_id": "T01", "name": "mill", "deleted": False, "real_name": "Wendel Mill",
     "profile": {"real_name": "Wendel Mill", "display_name": "", "email": "mill@example.org"}},
    {"id": MARLA, "team_id": "T01", "name": "marla", "deleted": False, "real_name": "Marla Q.",
     "profile": {"real_name": "Marla Q.", "display_name": "Marla Quillfeather"}},
    {"id": TOBIN, "team_id": "T01", "name": "tobin", "deleted": False, "real_name": "T.",
     "profile": {"real_name": "T.", "display_name": "Tobin-2 (Bakery)"}},
]  # fmt: skip
CHANNELS = [
    {"id": "C01", "name": "general", "created": DAY, "creator": MILL, "is_archived": False,
     "is_general": True, "members": [MILL, MARLA, TOBIN], "topic": {"value": ""}},
    {"id": "C02", "name": "ovens", "created": DAY, "creator": MILL, "is_archived": False,
     "is_general": False, "members": [MILL], "topic": {"value": ""}},
]  # fmt: skip
DMS = [{"id": "D01", "created": DAY, "members": [MARLA, MILL]}]


def conversation(place, first, title, messages, people, **metadata):
    native = f"{place}|{first[0]}|{first[1]}"
    return Conversation(
        id=conversation_id("slack", native),
        importer="slack",
        source_id=native,
        title=title,
        created_at=messages[0].created_at,
        messages=tuple(messages),
        participants=tuple(people),
        metadata=metadata,
    )


def expected():
    marla = NAMES[MARLA]
    yield conversation(
        "D01", (iso(90), marla), f"{marla}, {NAMES[MILL]}",
        [
            said(90, MARLA, "Look:\ncracked?",
                 attachments=(Attachment(
                     "image", "stone.jpg",
                     "https://files.example.org/F01/download/stone.jpg",
                     "image/jpeg", 2048),),
                 extra={"parts": [[iso(90), 5], [iso(91), 8]], "part_ids": [ts(90), ts(91)]}),
            said(92, MILL, "Only a scratch."),
        ],
        [person(MARLA), person(MILL)],
        channel="D01",
    )  # fmt: skip
    yield conversation(
        "C01", (iso(1), marla), "general",
        [
            said(1, MARLA, "@Wendel Mill is the rye <fresh> & fine? See #ovens"),
            said(2, MILL, "Good grain to you! [Rye](https://mill.example.org/rye) is ground at six.",
                 extra={"edited": {"user": MILL, "ts": ts(2, 900)}}),
            said(4, GONE, "I have left the bakery.",
                 extra={"reactions": [{"name": "wave", "users": [MARLA], "count": 1}]}),
            Message("user", "Six o'clock\nThe stones turn.", name="Mill bell", created_at=at(6),
                    source_id=ts(6),
                    extra={"subtype": "bot_message", "attachments": GENERAL[6]["attachments"]}),
        ],
        [person(MARLA), person(MILL), person(GONE), Participant("Mill bell", SENTRY)],
        channel="C01",
        events=[[iso(0), "@Marla Quillfeather has joined the channel"]],
    )  # fmt: skip
    yield conversation(
        f"C01/{ROOT_TS}", (iso(3), NAMES[TOBIN]), "general",
        [
            said(3, TOBIN, "Who takes the Crow Hill round?"),
            said(5, MARLA, "I can.", parent_id=ROOT_TS),
            said(LATE, MILL, "Take the cart, Marla.", parent_id=ROOT_TS,
                 extra={"subtype": "thread_broadcast"}),
        ],
        [person(TOBIN), person(MARLA), person(MILL)],
        channel="C01",
        thread_ts=ROOT_TS,
    )  # fmt: skip


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=4))


if __name__ == "__main__":
    write(ROOT / "users.json", USERS)
    write(ROOT / "channels.json", CHANNELS)
    write(ROOT / "dms.json", DMS)
    write(ROOT / "integration_logs.json", [{"user_id": MILL, "service_type": "bell", "date": "1"}])
    for folder, messages in (("general", GENERAL), ("D01", DIRECT)):
        days = {}
        for each in messages:
            day = datetime.fromtimestamp(int(each["ts"].partition(".")[0]), UTC).date()
            days.setdefault(day, []).append(each)
        for day, each in days.items():
            write(ROOT / folder / f"{day}.json", each)
    with (HERE / "expected.jsonl").open("wb") as file:
        file.writelines(msgspec.json.encode(each) + b"\n" for each in expected())
    write(HERE / "options.json", {"as_assistant": ["Wendel Mill"]})
