"""Writes an invented LINE group of the older kind (no title, blanks for tabs) and its outcome."""

from datetime import datetime
from pathlib import Path

import msgspec

from ingest.message import Attachment, Conversation, Message, Participant, conversation_id

HERE = Path(__file__).parent
CHAT = "mill group"
TEXT = """\
2026.02.02 Monday
08:00 Wendel Mill Good grain to you! The wheel turns.
08:01 Ysolde Barrowmead Then I bring the grain.
08:02 Wendel Mill Come to the back gate.
08:03 Ysolde Barrowmead When?
08:04 Wendel Mill At nine.
Or at ten.
08:05 Ysolde Barrowmead Photos are coming.
08:06 Ysolde Barrowmead [写真]
08:07 Tobin joined the group.
"""


def at(minute):
    return datetime(2026, 2, 2, 8, minute)


def M(role, text, name, minute, **more):
    return Message(role, text, name=name, created_at=at(minute), **more)


MILL, YSOLDE = "Wendel Mill", "Ysolde Barrowmead"
NATIVE = f"{CHAT}|2026-02-02T08:00:00|{MILL}"
EXPECTED = Conversation(
    id=conversation_id("line", NATIVE), importer="line", source_id=NATIVE, title=CHAT,
    created_at=at(0),
    messages=(
        M("assistant", "Good grain to you! The wheel turns.", MILL, 0),
        M("user", "Then I bring the grain.", YSOLDE, 1),
        M("assistant", "Come to the back gate.", MILL, 2),
        M("user", "When?", YSOLDE, 3),
        M("assistant", "At nine.\nOr at ten.", MILL, 4),
        M("user", "Photos are coming.", YSOLDE, 5, attachments=(Attachment("image"),),
          extra={"parts": [["2026-02-02T08:05:00", 18], ["2026-02-02T08:06:00", 0]]}),
    ),
    participants=(Participant(MILL, None, True), Participant(YSOLDE)),
    metadata={"events": [["2026-02-02T08:07:00", "Tobin joined the group."]]},
)


def main():
    (HERE / f"{CHAT}.txt").write_text(TEXT, encoding="utf-8")
    (HERE / "expected.jsonl").write_bytes(msgspec.json.encode(EXPECTED) + b"\n")
    (HERE / "options.json").write_text('{"as_assistant": ["Wendel Mill"]}\n')


if __name__ == "__main__":
    main()
