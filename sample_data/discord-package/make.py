"""Writes the invented Discord data package and what it should become: ``python make.py``."""

import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ingest.message import Attachment, Conversation, Message, Participant, conversation_id

HERE = Path(__file__).parent
ROOT = HERE / "package"
ME = ("9000000000000000002", "marla.q")
URL = "https://cdn.example.org/attachments/1/2/loaf.png?ex=1"
# the newest first, as in the package
AS_CSV = [
    ("1477922400000000012", "2026-03-02 18:00:00.000000+00:00", "Good night", ""),
    ("1477922400000000011", "2026-03-02 09:01:00.120000+00:00", "Two sacks,\nplease", URL),
    ("1477922400000000010", "2026-03-02 09:00:00.000000+00:00", 'Is "spelt" there?', ""),
]
AS_JSON = [
    {"ID": 1477922400000000021, "Timestamp": "2026-03-03 10:00:30", "Contents": "ok", "Attachments": ""},
    {"ID": 1477922400000000020, "Timestamp": "2026-03-03 10:00:00", "Contents": "Hi Tobin", "Attachments": ""},
]  # fmt: skip


def conversation(channel, title, at, messages, **metadata):
    native = f"{channel}|{at.isoformat()}|{ME[1]}"
    return Conversation(
        id=conversation_id("discord-package", native),
        importer="discord-package",
        source_id=native,
        title=title,
        created_at=at,
        messages=tuple(messages),
        participants=(Participant(ME[1], ME[0]),),
        metadata={"one_sided": True, **metadata},
    )


def said(at, text, key, **more):
    return Message("user", text, name=ME[1], created_at=at, train=False, source_id=key, **more)


def expected():
    first, second = datetime(2026, 3, 2, 9, 0, tzinfo=UTC), datetime(2026, 3, 2, 18, 0, tzinfo=UTC)
    guild = {"guild": "1100000000000000001", "guild_name": "Mill hands", "channel_type": "0"}
    yield conversation(
        "1200000000000000001", "orders", first,
        [said(first, 'Is "spelt" there?\nTwo sacks,\nplease', AS_CSV[2][0],
              attachments=(Attachment("image", uri=URL),),
              extra={"parts": [["2026-03-02T09:00:00+00:00", 17],
                               ["2026-03-02T09:01:00.120000+00:00", 17]],
                     "part_ids": [AS_CSV[2][0], AS_CSV[1][0]]})],
        **guild,
    )  # fmt: skip
    yield conversation(
        "1200000000000000001", "orders", second,
        [said(second, "Good night", AS_CSV[0][0])], **guild,
    )  # fmt: skip
    at = datetime(2026, 3, 3, 10, 0)
    yield conversation(
        "1200000000000000003", "Direct Message with tobin2", at,
        [said(at, "Hi Tobin\nok", "1477922400000000020", extra={
            "parts": [["2026-03-03T10:00:00", 8], ["2026-03-03T10:00:30", 2]],
            "part_ids": ["1477922400000000020", "1477922400000000021"]})],
        channel_type="DM",
    )  # fmt: skip


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value), "utf-8")


def quoted(cell):
    return '"' + cell.replace('"', '""') + '"' if set(cell) & set(',\n"') else cell


if __name__ == "__main__":
    folder = ROOT / "Messages"
    rows = [("ID", "Timestamp", "Contents", "Attachments"), *AS_CSV]
    table = "".join(",".join(quoted(cell) for cell in row) + "\r\n" for row in rows)
    write(folder / "c1200000000000000001" / "messages.csv", table)
    write(folder / "c1200000000000000001" / "channel.json", {
        "id": "1200000000000000001", "type": 0, "name": "orders",
        "guild": {"id": "1100000000000000001", "name": "Mill hands"}})
    write(folder / "c1200000000000000003" / "messages.json", AS_JSON)
    write(folder / "c1200000000000000003" / "channel.json", {
        "id": "1200000000000000003", "type": "DM", "recipients": [ME[0], "9000000000000000003"]})
    write(folder / "index.json", {"1200000000000000001": "orders in Mill hands",
                                  "1200000000000000003": "Direct Message with tobin2"})
    write(ROOT / "Account" / "user.json", {
        "id": ME[0], "username": ME[1], "discriminator": 0, "email": "marla@example.org",
        "verified": True})  # fmt: skip
    write(HERE / "expected.jsonl", "")
    with (HERE / "expected.jsonl").open("wb") as file:
        file.writelines(msgspec.json.encode(each) + b"\n" for each in expected())
