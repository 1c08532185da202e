"""Writes an invented LINE chat, as a phone saves it, and what it should become."""

from datetime import datetime
from pathlib import Path

import msgspec

from ingest.message import Attachment, Conversation, Message, Participant, conversation_id

HERE = Path(__file__).parent
CHAT = "Wendel Mill"
TEXT = """\
[LINE] Chat history with Wendel Mill
Saved on: 2026/04/30 18:00

Mon, 4/13/2026
9:00AM\tTobin\tGood morning!
9:01AM\tTobin\t"Please keep for me:
- rye, two sacks
- the ""old"" bread

Mon, 4/6/2026 I paid."
9:05AM\tWendel Mill\tGood grain to you! It is kept.
12:30PM\tTobin\t[Photo]
12:31PM\t\tTobin unsent a message.
12:40PM\tTobin\t[Sticker]

Tue, 4/14/2026
7:15PM\tWendel Mill\t"Fetch it" is all the dog says.
7:16PM\tTobin\t[File] bill.pdf
"""


def at(day, hour, minute):
    return datetime(2026, 4, day, hour, minute)


M = Message
TOBIN, MILL = Participant("Tobin"), Participant(CHAT, None, True)
ORDER = 'Please keep for me:\n- rye, two sacks\n- the "old" bread\n\nMon, 4/6/2026 I paid.'


def expected(time, who, people, messages, **facts):
    native = f"{CHAT}|{time.isoformat()}|{who}"
    return Conversation(id=conversation_id("line", native), importer="line", source_id=native,
                        title=CHAT, created_at=time, messages=tuple(messages),
                        participants=people, metadata=facts)


EXPECTED = [
    expected(at(13, 9, 0), "Tobin", (TOBIN, MILL), [
        M("user", f"Good morning!\n{ORDER}", name="Tobin", created_at=at(13, 9, 0),
          extra={"parts": [["2026-04-13T09:00:00", 13], ["2026-04-13T09:01:00", len(ORDER)]]}),
        M("assistant", "Good grain to you! It is kept.", name=CHAT, created_at=at(13, 9, 5)),
        M("user", "", name="Tobin", created_at=at(13, 12, 30),
          attachments=(Attachment("image"), Attachment("sticker")),
          extra={"parts": [["2026-04-13T12:30:00", 0], ["2026-04-13T12:40:00", 0]]}),
    ], events=[["2026-04-13T12:31:00", "Tobin unsent a message."]]),
    expected(at(14, 19, 15), CHAT, (MILL, TOBIN), [
        M("assistant", '"Fetch it" is all the dog says.', name=CHAT, created_at=at(14, 19, 15)),
        M("user", "", name="Tobin", created_at=at(14, 19, 16),
          attachments=(Attachment("file", "bill.pdf"),)),
    ]),
]


def main():
    (HERE / "[LINE] Chat with Wendel Mill.txt").write_text("\ufeff" + TEXT.replace("\n", "\r\n"),
                                                           encoding="utf-8", newline="")
    lines = [msgspec.json.encode(each) for each in EXPECTED]
    (HERE / "expected.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    (HERE / "options.json").write_text('{"as_assistant": ["Wendel Mill"]}\n')


if __name__ == "__main__":
    main()
