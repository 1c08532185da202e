"""Writes an invented ``chat.db`` of iMessage and what it should become: ``python make.py``."""

import plistlib
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ingest.message import Attachment, Conversation, Message, Participant, conversation_id

HERE = Path(__file__).parent
EPOCH = datetime(2001, 1, 1, tzinfo=UTC)
YSOLDE, TOBIN = "ysolde@example.org", "tobin@example.org"
SCHEMA = """
CREATE TABLE handle (ROWID INTEGER PRIMARY KEY, id TEXT, service TEXT);
CREATE TABLE chat (ROWID INTEGER PRIMARY KEY, guid TEXT, chat_identifier TEXT, display_name TEXT,
                   service_name TEXT);
CREATE TABLE message (ROWID INTEGER PRIMARY KEY, guid TEXT, text TEXT, attributedBody BLOB,
                      handle_id INTEGER, service TEXT, date INTEGER, is_from_me INTEGER,
                      item_type INTEGER DEFAULT 0, group_title TEXT, group_action_type INTEGER,
                      other_handle INTEGER, associated_message_guid TEXT,
                      associated_message_type INTEGER DEFAULT 0, message_summary_info BLOB,
                      cache_has_attachments INTEGER DEFAULT 0, thread_originator_guid TEXT,
                      date_edited INTEGER DEFAULT 0, date_retracted INTEGER DEFAULT 0);
CREATE TABLE chat_message_join (chat_id INTEGER, message_id INTEGER);
CREATE TABLE attachment (ROWID INTEGER PRIMARY KEY, guid TEXT, filename TEXT, mime_type TEXT,
                         transfer_name TEXT, total_bytes INTEGER);
CREATE TABLE message_attachment_join (message_id INTEGER, attachment_id INTEGER);
"""


def archive(text):
    """An archived NSMutableAttributedString of a text without attributes of its own."""
    raw = text.encode()
    if len(raw) < 0x80:
        size = bytes([len(raw)])
    elif len(raw) < 0x10000:
        size = b"\x81" + len(raw).to_bytes(2, "little")
    else:
        size = b"\x82" + len(raw).to_bytes(4, "little")
    return (
        b"\x04\x0bstreamtyped\x81\xe8\x03\x84\x01@\x84\x84\x84\x19NSMutableAttributedString\x00"
        b"\x84\x84\x12NSAttributedString\x00\x84\x84\x08NSObject\x00\x85\x92\x84\x84\x84\x0f"
        b"NSMutableString\x01\x84\x84\x08NSString\x01\x95\x84\x01+" + size + raw +
        b"\x86\x84\x02iI\x01\x04\x92\x84\x84\x84\x0cNSDictionary\x00\x95\x84\x01i\x01\x92\x84\x96"
        b"\x96\x1d__kIMMessagePartAttributeName\x86\x92\x84\x84\x84\x08NSNumber\x00\x84\x84\x07"
        b"NSValue\x00\x95\x84\x01*\x84\x99\x99\x00\x86\x86\x86"
    )


def history(*texts):
    return plistlib.dumps({"otr": {"0": {"lo": 0, "le": 3}}, "ec": {"0": [
        {"d": 800000000.0 + at, "t": archive(text)} for at, text in enumerate(texts)]}},
        fmt=plistlib.FMT_BINARY)


def at(day, hour, minute):
    return datetime(2026, 7, day, hour, minute, tzinfo=UTC)


def ns(*when):
    return int((at(*when) - EPOCH).total_seconds()) * 10**9


LONG = "The order: " + ", ".join(["rye"] * 40)
ROWS = [  # chat, guid, handle, from me, when, more
    (1, "g1", 1, 0, (1, 9, 0), {"attributedBody": archive("Is the mill open? \U0001f33e")}),
    (1, "g2", 0, 1, (1, 9, 1), {"attributedBody": archive("Good grain to you! Until five.")}),
    (1, "t1", 1, 0, (1, 9, 2), {"text": "Loved \u201cGood grain\u201d", "associated_message_type": 2000,
                               "associated_message_guid": "p:0/g2"}),
    (1, "g3", 1, 0, (1, 9, 3), {"attributedBody": archive("\ufffc"), "cache_has_attachments": 1}),
    (1, "g4", 0, 1, (1, 9, 4), {"message_summary_info": history("Knock twise.", "Knock twice."),
                               "date_edited": 1}),
    (1, "g5", 1, 0, (1, 9, 5), {"message_summary_info": plistlib.dumps(
        {"otr": {"0": {}}, "rp": [0]}, fmt=plistlib.FMT_BINARY), "date_retracted": 1}),
    (2, "g6", 2, 0, (2, 8, 0), {"attributedBody": archive(LONG)}),
    (2, "e1", 2, 0, (2, 8, 1), {"item_type": 2, "group_title": "Orders"}),
    (2, "g7", 1, 0, (2, 8, 2), {"text": "Me too.", "thread_originator_guid": "g6",
                               "service": "SMS"}),
]


def M(role, text, name, when, guid, **more):
    return Message(role, text, name=name, created_at=at(*when), source_id=guid, **more)


def expected(guid, title, who, names, messages, **facts):
    native = f"{guid}|{messages[0].created_at.isoformat()}|{who}"
    return Conversation(
        id=conversation_id("imessage", native), importer="imessage", source_id=native,
        title=title, created_at=messages[0].created_at, messages=tuple(messages),
        participants=tuple(Participant(name, name, name == "Me") for name in names),
        metadata=facts)


EXPECTED = [
    expected("iMessage;-;ysolde", YSOLDE, YSOLDE, [YSOLDE, "Me"], [
        M("user", "Is the mill open? \U0001f33e", YSOLDE, (1, 9, 0), "g1"),
        M("assistant", "Good grain to you! Until five.", "Me", (1, 9, 1), "g2",
          extra={"reactions": [[YSOLDE, "loved"]]}),
        M("user", "", YSOLDE, (1, 9, 3), "g3",
          attachments=(Attachment("image", "gate.heic", "~/Library/Messages/gate.heic",
                                  "image/heic", 1234),)),
        M("assistant", "Knock twice.", "Me", (1, 9, 4), "g4", extra={"edited": ["Knock twise."]}),
        M("user", "", YSOLDE, (1, 9, 5), "g5", train=False, on_path=False, extra={"unsent": True}),
    ]),
    expected("iMessage;+;chat2", "Orders", TOBIN, [TOBIN, YSOLDE], [
        M("user", LONG, TOBIN, (2, 8, 0), "g6"),
        M("user", "Me too.", YSOLDE, (2, 8, 2), "g7", parent_id="g6", extra={"service": "SMS"}),
    ], events=[["2026-07-02T08:01:00+00:00", f"{TOBIN} named the conversation Orders"]]),
]


def main():
    path = HERE / "chat.db"
    path.unlink(missing_ok=True)
    db = sqlite3.connect(path)
    db.executescript(SCHEMA)
    db.executemany("INSERT INTO handle VALUES (?, ?, 'iMessage')", [(1, YSOLDE), (2, TOBIN)])
    db.executemany("INSERT INTO chat VALUES (?, ?, ?, ?, 'iMessage')", [
        (1, "iMessage;-;ysolde", YSOLDE, ""), (2, "iMessage;+;chat2", "chat2", "Orders")])
    for number, (chat, guid, handle, mine, when, more) in enumerate(ROWS, 1):
        row = {"ROWID": number, "guid": guid, "handle_id": handle, "is_from_me": mine,
               "date": ns(*when), "service": "iMessage", **more}
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        db.execute(f"INSERT INTO message ({names}) VALUES ({marks})", list(row.values()))
        db.execute("INSERT INTO chat_message_join VALUES (?, ?)", (chat, number))
    db.execute("INSERT INTO attachment VALUES (1, 'a1', '~/Library/Messages/gate.heic',"
               " 'image/heic', 'gate.heic', 1234)")
    db.execute("INSERT INTO message_attachment_join VALUES (4, 1)")
    db.commit()
    db.execute("VACUUM")
    db.close()
    lines = [msgspec.json.encode(each) for each in EXPECTED]
    (HERE / "expected.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    (HERE / "options.json").write_text('{"as_assistant": ["Me"]}\n')


if __name__ == "__main__":
    main()
