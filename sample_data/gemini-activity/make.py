"""Writes the invented My Activity of Gemini and what it should become: ``python make.py``."""

import json
from datetime import datetime
from pathlib import Path

import msgspec

from ingest.message import Attachment, Conversation, Message, conversation_id

HERE = Path(__file__).parent
M = Message
APP = "https://gemini.google.com/app/"


def record(title, time, html=None, **more):
    entry = {
        "header": "Gemini Apps",
        "title": title,
        "time": time,
        "products": ["Gemini Apps"],
        "activityControls": ["Gemini Apps Activity"],
        **more,
    }
    return entry | ({"safeHtmlItem": [{"html": html}]} if html else {})


def expected(native, rule, messages):
    return Conversation(
        id=conversation_id("gemini", native),
        importer="gemini",
        source_id=native,
        created_at=messages[0].created_at,
        messages=tuple(messages),
        metadata={"grouped_by": rule},
    )


def user(text, time, **more):
    return M("user", text, created_at=datetime.fromisoformat(time), **more)


SILENCE = "30 minutes of silence"
# the newest stands first
EXPORT = [
    record("Prompted And how do I keep the starter?", "2026-03-02T18:20:00.100Z",
           "<p>Cool, and fed once a week.</p>", titleUrl=APP + "a1b2c3d4e5f6"),
    record("Used an Assistant feature", "2026-03-02T18:10:00Z"),
    record("Asked was ist Roggen? Attached 1 file.",
           "2026-03-02T15:00:00.5Z", "<p>Roggen ist ein <b>Getreide</b>.</p>",
           subtitles=[{"name": "Attached 1 file."}, {"name": "-  grain.jpg", "url": "grain-1.jpg"}]),
    record("Prompted with: Which flour is dark?", "2026-03-02T12:20:00Z",
           "<p>Rye:</p><ul><li>dark</li><li>a little sour</li></ul>"),
    record("Said good morning miller", "2026-03-02T12:00:00Z"),
    record("Prompted How do I make a starter?", "2026-03-01T08:00:00Z",
           "<p>Flour &amp; water, five days.</p><p>Then bake.</p>", titleUrl=APP + "a1b2c3d4e5f6"),
    record("Hast du Mehl gesagt?", "2026-02-28T08:00:00Z", "<p>Ja.</p>",
           header="Gemini-Apps", products=["Gemini-Apps"]),
    record("Gave feedback: good response", "2026-02-27T08:00:00Z"),
    {"header": "Search", "title": "Searched for mill", "time": "2026-02-26T08:00:00Z",
     "products": ["Search"]},
]
EXPECTED = [
    expected("2026-03-02T15:00:00.500000+00:00", SILENCE, [
        user("was ist Roggen?", "2026-03-02T15:00:00.5Z",
             attachments=(Attachment("file", "grain.jpg", "grain-1.jpg"),)),
        M("assistant", "Roggen ist ein Getreide."),
    ]),
    expected("2026-03-02T12:00:00+00:00", SILENCE, [
        user("good morning miller", "2026-03-02T12:00:00Z"),
        user("Which flour is dark?", "2026-03-02T12:20:00Z"),
        M("assistant", "Rye:\n\n- dark\n- a little sour"),
    ]),
    expected("a1b2c3d4e5f6", "titleUrl", [
        user("How do I make a starter?", "2026-03-01T08:00:00Z"),
        M("assistant", "Flour & water, five days.\n\nThen bake."),
        user("And how do I keep the starter?", "2026-03-02T18:20:00.100Z"),
        M("assistant", "Cool, and fed once a week."),
    ]),
    expected("2026-02-28T08:00:00+00:00", SILENCE, [
        user("Hast du Mehl gesagt?", "2026-02-28T08:00:00Z"),
        M("assistant", "Ja."),
    ]),
]


def main(out=HERE):
    folder = out / "Takeout" / "My Activity" / "Gemini Apps"
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(EXPORT, indent=2, ensure_ascii=False)
    (folder / "MyActivity.json").write_text(text, encoding="utf-8")
    other = out / "Takeout" / "My Activity" / "Search"
    other.mkdir(parents=True, exist_ok=True)
    (other / "MyActivity.json").write_text(json.dumps(EXPORT[-1:]), encoding="utf-8")
    lines = b"".join(msgspec.json.encode(each) + b"\n" for each in EXPECTED)
    (out / "expected.jsonl").write_bytes(lines)


if __name__ == "__main__":
    main()
