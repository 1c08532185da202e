"""Writes the invented Google Chat Takeout and what it should become: ``python make.py``."""

import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ingest.message import Attachment, Conversation, Message, Participant, conversation_id

HERE = Path(__file__).parent
ROOT = HERE / "Takeout" / "Google Chat"
MILL = {"name": "Wendel Mill", "email": "mill@wendel.example.org", "user_type": "Human"}
YSOLDE = {"name": "Ysolde Barrowmead", "email": "ysolde@example.org", "user_type": "Human"}
BOT = {"name": "Weather Vane", "email": "vane@example.org", "user_type": "Bot"}


def said(who, date, topic, number, text=None, group="AAAAspace", **more):
    source = {"creator": who, "created_date": date} if who else {"created_date": date}
    if text is not None:
        source["text"] = text
    return {**source, "topic_id": topic, "message_id": f"{group}/{topic}/{number}", **more}


SPACE = [
    said(YSOLDE, "Tuesday, May 5, 2026 at 8:00:00\u202fAM UTC", "t1", "t1",
         "Do you have rye flour again?"),
    said(BOT, "Tuesday, May 5, 2026 at 8:00:30 AM UTC", "t2", "t2", "Wind from the west."),
    said(MILL, "Tuesday, May 5, 2026 at 8:02:00 AM UTC", "t1", "m2",
         "Good grain to you! Fresh since Monday.",
         quoted_message_metadata={"creator": YSOLDE, "text": "Do you have rye flour again?"}),
    said(None, "Tuesday, May 5, 2026 at 8:05:00 AM UTC", "t3", "t3", message_state="DELETED",
         deletion_metadata={"deletion_type": "CREATOR"}),
    said(YSOLDE, "Thursday, May 7, 2026 at 9:00:00 AM UTC", "t1", "m3", "Then two sacks, please.",
         attached_files=[{"original_name": "shelf.png", "export_name": "File-shelf?account_id=1.png"}]),
]
DM = [
    said(MILL, "Dienstag, 5. Mai 2026 um 17:00:00 UTC", "d1", "d1", "The dog is at your door.", "DMmill"),
    said(MILL, "Dienstag, 5. Mai 2026 um 17:01:00 UTC", "d2", "d2", "He wants bread.", "DMmill"),
    said(YSOLDE, "Dienstag, 5. Mai 2026 um 17:02:00 UTC", "d3", "d3", "He had some.", "DMmill"),
]


def at(day, hour, minute, second=0):
    return datetime(2026, 5, day, hour, minute, second, tzinfo=UTC)


PEOPLE = {"Wendel Mill": Participant("Wendel Mill", MILL["email"], True),
          "Ysolde Barrowmead": Participant("Ysolde Barrowmead", YSOLDE["email"]),
          "Weather Vane": Participant("Weather Vane", BOT["email"]),
          "Unknown": Participant("Unknown")}


def expected(native, title, group, names, messages, **facts):
    return Conversation(id=conversation_id("googlechat", native), importer="googlechat",
                        source_id=native, title=title, created_at=messages[0].created_at,
                        messages=tuple(messages), participants=tuple(PEOPLE[n] for n in names),
                        metadata={"group": group, **facts})


M = Message
DM_EXPECTED = [expected(
    "DMmill|2026-05-05T17:00:00+00:00|Wendel Mill", "Wendel Mill, Ysolde Barrowmead", "DM DMmill",
    ["Wendel Mill", "Ysolde Barrowmead"], [
        M("assistant", "The dog is at your door.\nHe wants bread.", name="Wendel Mill",
          created_at=at(5, 17, 0), source_id="DMmill/d1/d1",
          extra={"parts": [["2026-05-05T17:00:00+00:00", 24], ["2026-05-05T17:01:00+00:00", 15]],
                 "part_ids": ["DMmill/d1/d1", "DMmill/d2/d2"]}),
        M("user", "He had some.", name="Ysolde Barrowmead", created_at=at(5, 17, 2),
          source_id="DMmill/d3/d3"),
    ])]
SPACE_EXPECTED = [
    expected("AAAAspace|2026-05-05T08:00:30+00:00|Weather Vane", "Mill talk", "Space AAAAspace",
             ["Weather Vane", "Unknown"], [
        M("user", "Wind from the west.", name="Weather Vane", created_at=at(5, 8, 0, 30),
          source_id="AAAAspace/t2/t2", extra={"user_type": "Bot"}),
        M("user", "", name="Unknown", created_at=at(5, 8, 5), source_id="AAAAspace/t3/t3",
          train=False, on_path=False,
          extra={"message_state": "DELETED", "deletion_metadata": {"deletion_type": "CREATOR"},
                 "deleted": True}),
    ]),
    expected("AAAAspace/t1|2026-05-05T08:00:00+00:00|Ysolde Barrowmead", "Mill talk",
             "Space AAAAspace", ["Ysolde Barrowmead", "Wendel Mill"], [
        M("user", "Do you have rye flour again?", name="Ysolde Barrowmead",
          created_at=at(5, 8, 0), source_id="AAAAspace/t1/t1"),
        M("assistant", "Good grain to you! Fresh since Monday.", name="Wendel Mill",
          created_at=at(5, 8, 2), source_id="AAAAspace/t1/m2", parent_id="AAAAspace/t1/t1",
          extra={"quoted_message_metadata": SPACE[2]["quoted_message_metadata"]}),
        M("user", "Then two sacks, please.", name="Ysolde Barrowmead", created_at=at(7, 9, 0),
          source_id="AAAAspace/t1/m3", parent_id="AAAAspace/t1/t1",
          attachments=(Attachment("image", "shelf.png", "File-shelf_account_id=1.png"),)),
    ], topic_id="t1"),
]


def put(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def main():
    put(ROOT / "Groups/DM DMmill/messages.json", {"messages": DM})
    put(ROOT / "Groups/DM DMmill/group_info.json", {"members": [MILL, YSOLDE]})
    put(ROOT / "Groups/Space AAAAspace/messages.json", {"messages": SPACE})
    put(ROOT / "Groups/Space AAAAspace/group_info.json",
        {"name": "Mill talk", "members": [MILL, YSOLDE, BOT]})
    put(ROOT / "Users/User 1/user_info.json",
        {"user": MILL, "membership_info": [{"group_id": "DM DMmill",
                                            "membership_state": "MEMBER_JOINED"}]})
    lines = [msgspec.json.encode(each) for each in (*DM_EXPECTED, *SPACE_EXPECTED)]
    (HERE / "expected.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    (HERE / "options.json").write_text('{"as_assistant": ["Wendel Mill"]}\n')


if __name__ == "__main__":
    main()
