"""Writes signal-export's text of an invented chat and what it should become."""

from datetime import datetime
from pathlib import Path

import msgspec

from ingest.message import Attachment, Conversation, Message, Participant, conversation_id

HERE = Path(__file__).parent
CHAT = "Mill and friends"
TEXT = """\
[2019-12-24, 12:23] Ysolde: Is there bread today?

Or only cake?
[2019-12-24, 12:24] Me: Good grain to you! Both.
(- Ysolde: \U0001f35e, Tobin: \U0001f44d -)
[2019-12-24, 12:25] Ysolde: ![loaf.jpg](./media/loaf.jpg)  \n\
[2019-12-24, 12:26] Tobin: 

> Good grain to you! Both.

Keep me a loaf.
[2019-12-24, 12:27] No-Sender: Tobin joined
[2019-12-25, 08:00] Tobin:  \n\
(( \U0001f385 ))
"""


def at(day, time):
    return datetime.fromisoformat(f"2019-12-{day}T{time}")


M = Message
EXPECTED = [
    Conversation(
        id=conversation_id("signal", f"{CHAT}|2019-12-24T12:23:00|Ysolde"), importer="signal",
        source_id=f"{CHAT}|2019-12-24T12:23:00|Ysolde", title=CHAT, created_at=at(24, "12:23"),
        messages=(
            M("user", "Is there bread today?\n\nOr only cake?", name="Ysolde",
              created_at=at(24, "12:23")),
            M("assistant", "Good grain to you! Both.", name="Me", created_at=at(24, "12:24"),
              extra={"reactions": [["Ysolde", "\U0001f35e"], ["Tobin", "\U0001f44d"]]}),
            M("user", "", name="Ysolde", created_at=at(24, "12:25"),
              attachments=(Attachment("image", "loaf.jpg", "./media/loaf.jpg"),)),
            M("user", "Keep me a loaf.", name="Tobin", created_at=at(24, "12:26"),
              extra={"quote": "Good grain to you! Both."}),
        ),
        participants=(Participant("Ysolde"), Participant("Me", None, True), Participant("Tobin")),
        metadata={"events": [["2019-12-24T12:27:00", "Tobin joined"]]}),
    Conversation(
        id=conversation_id("signal", f"{CHAT}|2019-12-25T08:00:00|Tobin"), importer="signal",
        source_id=f"{CHAT}|2019-12-25T08:00:00|Tobin", title=CHAT, created_at=at(25, "08:00"),
        messages=(M("user", "", name="Tobin", created_at=at(25, "08:00"),
                    attachments=(Attachment("sticker", "\U0001f385"),)),),
        participants=(Participant("Tobin"),)),
]


def main():
    (HERE / f"{CHAT}.md").write_text(TEXT, encoding="utf-8")
    lines = [msgspec.json.encode(each) for each in EXPECTED]
    (HERE / "expected.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    (HERE / "options.json").write_text('{"as_assistant": ["Me"]}\n')


if __name__ == "__main__":
    main()
