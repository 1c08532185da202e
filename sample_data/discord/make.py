"""Writes the invented DiscordChatExporter files and what they should become: ``python make.py``."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import msgspec

from ingest.message import Attachment, Conversation, Message, Participant, conversation_id

HERE = Path(__file__).parent
START = datetime(2026, 3, 2, 9, 0, tzinfo=timezone(timedelta(hours=1)))
BASE = 1477922400000000000
AUTHORS = {
    "mill": ("9000000000000000001", "millbot", "Wendel Mill", True),
    "marla": ("9000000000000000002", "marla.q", "Marla Quillfeather", False),
    "tobin": ("9000000000000000003", "tobin2", "Tobin-2 (Bakery)", False),
}
GUILD = {"id": "1100000000000000001", "name": "Mill hands", "iconUrl": "icons/g.png"}


def key(minute):
    return str(BASE + minute * 251658240000)


def at(minute):
    return START + timedelta(minutes=minute)


def in_utc(minute):
    return at(minute).astimezone(UTC).isoformat()


def raw(minute, author, content, kind="Default", **more):
    key_, name, nickname, is_bot = AUTHORS[author]
    return {
        "id": key(minute),
        "type": kind,
        "timestamp": at(minute).isoformat(timespec="milliseconds"),
        "timestampEdited": None,
        "callEndedTimestamp": None,
        "isPinned": False,
        "content": content,
        "author": {
            "id": key_, "name": name, "discriminator": "0000", "nickname": nickname,
            "color": None, "isBot": is_bot, "roles": [], "avatarUrl": f"avatars/{key_}.png",
        },
        "attachments": [], "embeds": [], "stickers": [], "reactions": [], "mentions": [],
        "inlineEmojis": [],
        **more,
    }  # fmt: skip


def reply(minute, author, content, to):
    reference = {"messageId": key(to), "channelId": "1", "guildId": "1"}
    return raw(minute, author, content, "Reply", reference=reference)


def said(minute, author, content, **more):
    _, _, nickname, is_bot = AUTHORS[author]
    extra = ({"isBot": True} if is_bot else {}) | more.pop("extra", {})
    role = "assistant" if author == "mill" else "user"
    return Message(
        role, content, name=nickname, created_at=at(minute), source_id=key(minute), extra=extra, **more
    )


def people(*authors):
    return tuple(Participant(AUTHORS[a][2], AUTHORS[a][0], a == "mill") for a in authors)


def document(guild, channel, messages):
    return {
        "guild": guild,
        "channel": channel,
        "dateRange": {"after": None, "before": None},
        "exportedAt": "2026-03-09T10:00:00+01:00",
        "messages": messages,
        "messageCount": len(messages),
    }


ORDERS = {
    "id": "1200000000000000001", "type": "GuildTextChat", "categoryId": "1", "category": "Shop",
    "name": "orders", "topic": "Ask for flour",
}  # fmt: skip
THREAD = {
    "id": "1200000000000000002", "type": "GuildPublicThread", "categoryId": ORDERS["id"],
    "category": "orders", "name": "Crow Hill round", "topic": None,
}  # fmt: skip
DIRECT = {
    "id": "1200000000000000003", "type": "DirectTextChat", "categoryId": None, "category": None,
    "name": "Marla Quillfeather", "topic": None,
}  # fmt: skip
FORWARDED = {
    "content": "The ford is closed.", "timestamp": at(-600).isoformat(), "timestampEdited": None,
    "attachments": [], "embeds": [], "stickers": [],
}  # fmt: skip
FILE = {"id": "7", "url": "files/loaf.png", "fileName": "loaf.png", "fileSizeBytes": 4096}
REACTIONS = [{"emoji": {"id": "", "name": "🌾", "code": "ear_of_rice"}, "count": 1, "users": []}]
PART_1 = [
    raw(0, "tobin", "Joined the server.", "GuildMemberJoin"),
    raw(1, "tobin", "Do you still have spelt?"),
    raw(2, "tobin", "Two sacks", reactions=REACTIONS),
    reply(3, "mill", "Good grain to you! Yes, two sacks.", 1),
    raw(4, "marla", "", attachments=[FILE], stickers=[
        {"id": "5", "name": "woof", "format": "Png", "sourceUrl": "stickers/woof.png"}]),
]  # fmt: skip
# the second file of the channel repeats the last message of the first
PART_2 = [
    PART_1[-1],
    raw(5, "marla", "", "Default", forwardedMessage=FORWARDED,
        reference={"messageId": "55", "channelId": "9", "guildId": "9"}),
    raw(6, "mill", "", "ChatInputCommand", interaction={"id": "3", "name": "price"},
        embeds=[{"title": "Spelt", "description": "3.80 crowns"}]),
    raw(70, "tobin", "Edited: thanks", timestampEdited=at(71).isoformat()),
]  # fmt: skip


def conversation(channel, guild, first, messages, participants, **more):
    minute, author = first
    native = f"{channel['id']}|{in_utc(minute)}|{AUTHORS[author][2]}"
    metadata = {
        "guild": guild["id"],
        "guild_name": guild["name"],
        "channel_type": channel["type"],
        "category": channel["category"],
        "topic": channel["topic"],
        **more,
    }
    return Conversation(
        id=conversation_id("discord", native),
        importer="discord",
        source_id=native,
        title=channel["name"],
        created_at=at(minute),
        messages=tuple(messages),
        participants=participants,
        metadata={name: value for name, value in metadata.items() if value is not None},
    )


NO_GUILD = {"id": "0", "name": "Direct Messages", "iconUrl": ""}


def expected():
    yield conversation(
        ORDERS, GUILD, (1, "tobin"),
        [
            said(1, "tobin", "Do you still have spelt?\nTwo sacks", extra={
                "reactions": REACTIONS,
                "parts": [[in_utc(1), 24], [in_utc(2), 9]],
                "part_ids": [key(1), key(2)]}),
            said(3, "mill", "Good grain to you! Yes, two sacks.", parent_id=key(1),
                 extra={"type": "Reply"}),
            said(4, "marla", "", attachments=(
                Attachment("image", "loaf.png", "files/loaf.png", size_bytes=4096),
                Attachment("sticker", "woof", "stickers/woof.png"))),
            said(5, "marla", "The ford is closed.", train=False,
                 extra={"forwardedMessage": FORWARDED}),
            said(6, "mill", "Spelt\n3.80 crowns", extra={
                "type": "ChatInputCommand", "interaction": {"id": "3", "name": "price"},
                "embeds": [{"title": "Spelt", "description": "3.80 crowns"}]}),
        ],
        people("tobin", "mill", "marla"),
        events=[[in_utc(0), "Tobin-2 (Bakery): Joined the server."]],
    )  # fmt: skip
    yield conversation(
        ORDERS, GUILD, (70, "tobin"),
        [said(70, "tobin", "Edited: thanks", extra={"timestampEdited": at(71).isoformat()})],
        people("tobin"),
    )
    # a thread is one conversation, however late the answer
    yield conversation(
        THREAD, GUILD, (10, "tobin"),
        [said(10, "tobin", "Who goes?"), said(3000, "mill", "Marla goes.")],
        people("tobin", "mill"),
    )  # fmt: skip
    yield conversation(
        DIRECT, NO_GUILD, (20, "marla"),
        [said(20, "marla", "Are you open?"), said(300, "mill", "Until five.")],
        people("marla", "mill"),
    )  # fmt: skip


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False), "utf-8")


if __name__ == "__main__":
    folder = HERE / "export"
    write(folder / "Mill hands - Shop - orders [1] [part 1].json", document(GUILD, ORDERS, PART_1))
    write(folder / "Mill hands - Shop - orders [1] [part 2].json", document(GUILD, ORDERS, PART_2))
    write(folder / "Mill hands - orders - Crow Hill round [2].json",
          document(GUILD, THREAD, [raw(10, "tobin", "Who goes?"), raw(3000, "mill", "Marla goes.")]))
    write(folder / "Private - Marla [3].json", document(NO_GUILD, DIRECT, [
        raw(20, "marla", "Are you open?"), raw(300, "mill", "Until five.")]))  # fmt: skip
    with (HERE / "expected.jsonl").open("wb") as file:
        file.writelines(msgspec.json.encode(each) + b"\n" for each in expected())
    write(HERE / "options.json", {"as_assistant": ["Wendel Mill"]})
