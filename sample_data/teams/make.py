"""Writes the invented Teams export and what it should become: ``python make.py``."""

import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ingest.message import Attachment, Conversation, Message, Participant, conversation_id

HERE = Path(__file__).parent
ROOT = HERE / "export"
USERS = {"u-mill": "Wendel Mill", "u-ysolde": "Ysolde Barrowmead", "u-marla": "Marla Quillfeather"}
CHANNEL = "19:channel@thread.tacv2"
CHAT = "19:chat@unq.gbl.spaces"


def iso(day, hour, minute):
    return f"2026-06-{day:02d}T{hour:02d}:{minute:02d}:00Z"


def ms(day, hour, minute):
    return str(int(datetime(2026, 6, day, hour, minute, tzinfo=UTC).timestamp() * 1000))


def post(when, user, content, kind="html", **more):
    source = {"User": {"Id": user, "DisplayName": USERS[user]}} if isinstance(user, str) else user
    return {"Id": ms(*when), "ReplyToId": None, "MessageType": "message",
            "CreatedDateTime": iso(*when), "DeletedDateTime": None, "Importance": "normal",
            "From": source, "Body": {"ContentType": kind, "Content": content}, "Mentions": [],
            "Attachments": [], "Reactions": [], **more}


def in_channel(*args, reply_to=None, **more):
    place = {"TeamId": "team-1", "ChannelId": CHANNEL}
    return {**post(*args, **more), "ChannelIdentity": place, "ReplyToId": reply_to}


ROOT_ID, LATE_ID, LONE_ID = ms(1, 8, 0), ms(3, 9, 0), ms(2, 10, 0)
POSTS = [
    in_channel((1, 8, 0), "u-ysolde",
               '<p>Hello <at id="0">Wendel</at>,</p><p>is the wheel &amp; the stone ready?</p>',
               Mentions=[{"Id": 0, "MentionText": "Wendel Mill",
                          "Mentioned": {"User": {"Id": "u-mill", "DisplayName": "Wendel Mill"}}}]),
    in_channel((1, 8, 1), None, "<systemEventMessage/>", MessageType="systemEventMessage",
               EventDetail={"@odata.type": "#microsoft.graph.membersAddedEventMessageDetail"}),
    in_channel((2, 10, 0), "u-marla", "The gate is open.", "text"),
    in_channel((3, 9, 0), "u-mill", '<div>Good grain to you! Both turn. <emoji id="w" alt="\U0001f33e" title=""></emoji></div>'
               '<attachment id="a1"></attachment>', reply_to=ROOT_ID,
               Attachments=[{"Id": "a1", "ContentType": "reference", "Name": "stone.pdf",
                             "ContentUrl": "https://files.example.org/stone.pdf", "Content": None}]),
]
QUOTED, FORWARDED = ms(4, 7, 0), ms(4, 7, 3)
SAID = [
    {**post((4, 7, 0), "u-ysolde", "Where is the dog?", "text"), "ChatId": CHAT},
    {**post((4, 7, 1), "u-mill", f'<attachment id="{QUOTED}"></attachment><p>By the stove.</p>',
            Attachments=[{"Id": QUOTED, "ContentType": "messageReference", "Content": json.dumps(
                {"messageId": QUOTED, "messagePreview": "Where is the dog?"})}]),
     "ChatId": CHAT},
    {**post((4, 7, 3), "u-ysolde", f'<attachment id="1"></attachment>',
            Attachments=[{"Id": "1", "ContentType": "forwardedMessageReference",
                          "Content": json.dumps({"originalMessageId": "1", "originalMessageContent":
                                                 "<p>Bread at noon</p>"})}]),
     "ChatId": CHAT},
    {**post((4, 7, 4), "u-ysolde", "", "text", DeletedDateTime=iso(4, 7, 5)), "ChatId": CHAT},
    {**post((4, 7, 6), {"User": None, "Application": {"Id": "app-1", "DisplayName": "Vane"}},
            "Wind from the west.", "text"), "ChatId": CHAT},
]


def at(day, hour, minute):
    return datetime(2026, 6, day, hour, minute, tzinfo=UTC)


PEOPLE = {name: Participant(name, id_, name == "Wendel Mill") for id_, name in USERS.items()}
PEOPLE["Vane"] = Participant("Vane", "app-1")


def expected(place, title, names, messages, **facts):
    first = messages[0]
    native = f"{place}|{first.created_at.isoformat()}|{first.name}"
    return Conversation(id=conversation_id("teams", native), importer="teams", source_id=native,
                        title=title, created_at=first.created_at, messages=tuple(messages),
                        participants=tuple(PEOPLE[name] for name in names), metadata=facts)


def M(role, text, name, when, **more):
    return Message(role, text, name=name, created_at=at(*when), source_id=ms(*when), **more)


EXPECTED = [
    expected(CHANNEL, "Orders", ["Marla Quillfeather"],
             [M("user", "The gate is open.", "Marla Quillfeather", (2, 10, 0))],
             events=[["2026-06-01T08:01:00+00:00", "membersAddedEventMessageDetail"]]),
    expected(f"{CHANNEL}/{ROOT_ID}", "Orders", ["Ysolde Barrowmead", "Wendel Mill"], [
        M("user", "Hello @Wendel Mill,\n\nis the wheel & the stone ready?", "Ysolde Barrowmead",
          (1, 8, 0)),
        M("assistant", "Good grain to you! Both turn. \U0001f33e", "Wendel Mill", (3, 9, 0),
          parent_id=ROOT_ID,
          attachments=(Attachment("file", "stone.pdf", "https://files.example.org/stone.pdf"),)),
    ], thread=ROOT_ID),
    expected(CHAT, None, ["Ysolde Barrowmead", "Wendel Mill", "Vane"], [
        M("user", "Where is the dog?", "Ysolde Barrowmead", (4, 7, 0)),
        M("assistant", "By the stove.", "Wendel Mill", (4, 7, 1), parent_id=QUOTED,
          extra={"messageReference": {"messageId": QUOTED, "messagePreview": "Where is the dog?"}}),
        M("user", "", "Ysolde Barrowmead", (4, 7, 3), train=False,
          extra={"forwardedMessageReference": {"originalMessageId": "1",
                                               "originalMessageContent": "Bread at noon"}}),
        M("user", "", "Ysolde Barrowmead", (4, 7, 4), train=False, on_path=False,
          extra={"deletedDateTime": iso(4, 7, 5)}),
        M("user", "Wind from the west.", "Vane", (4, 7, 6), extra={"application": True}),
    ]),
]


def put(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main():
    put(ROOT / "teams/team-1/channels_team-1.json", [{"Id": CHANNEL, "DisplayName": "Orders"}])
    put(ROOT / "teams/team-1/teamMembers_team-1.json",
        [{"Id": f"m-{id_}", "UserId": id_, "DisplayName": name} for id_, name in USERS.items()])
    put(ROOT / "teams/team-1/messages_team-1.json", POSTS)
    # each member's file holds the chat, and Ysolde's lacks the first message
    put(ROOT / "users/u-mill/messages_u-mill.json", SAID)
    put(ROOT / "users/u-ysolde/messages_u-ysolde.json", SAID[1:])
    lines = [msgspec.json.encode(each) for each in EXPECTED]
    (HERE / "expected.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    (HERE / "options.json").write_text('{"as_assistant": ["Wendel Mill"]}\n')


if __name__ == "__main__":
    main()
