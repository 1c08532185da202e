"""WeChat as exporters write it for WeClone: CSV ``id,MsgSvrID,type_name,is_sender,talker,...``.

A long chat is cut into several files: they are read in the order of the numbers in their names. The
order of lines is the file's, for times have minutes only.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

import msgspec

from ingest.archive import Export, Member
from ingest.importers.base import ImporterKind, ImportOptions, Item, Reject
from ingest.importers.chats import conversations
from ingest.importers.media import media_kind
from ingest.message import Attachment
from ingest.people import Event, Line
from ingest.shape import Peek, holds, like
from ingest.spool import Spool
from ingest.text import encoding_of
from ingest.times import from_iso

_NEEDED = {"type_name", "is_sender", "talker", "msg", "CreateTime"}
_USED = _NEEDED | {"id", "MsgSvrID", "room_name", "src", "content"}
_SPEECH = {"文本", "text", "引用回复", "quote", "(分享)文本", "(未知)文本"}
_MEDIA = {
    "图片": "image", "image": "image", "语音": "audio", "voice": "audio", "audio": "audio",
    "视频": "video", "video": "video", "动画表情": "sticker", "sticker": "sticker",
    "用户上传的gif表情": "sticker", "animated emoji": "sticker", "文件": "file", "file": "file",
    "位置": "location", "location": "location", "名片": "contact", "推荐公众号": "contact",
}  # fmt: skip
_EVENTS = re.compile(
    r"^(?:系统通知|拍一拍|消息撤回\d*|.*撤回.*|system.*|recall.*|添加好友|语音通话)$", re.I
)
_NUMBER = re.compile(r"\d+")
_decode = msgspec.json.Decoder(dict[str, str]).decode


class WeChat:
    """The importer of WeChat messages as CSV."""

    name = "wechat"
    title = "WeChat (CSV of WeClone and its exporters)"
    kind: ImporterKind = "people"
    needs = "--as-assistant Me or the talker's id; --tz for the time zone"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when a CSV header has the exporters' column names."""
        return 0.95 if holds(export, _is_ours) else 0.0

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:
        """Every room's sessions."""
        seen: Counter[str] = Counter()
        members = sorted(like(export, _is_ours), key=_natural) or export.members
        with Spool() as spool:
            for member in members:
                yield from _fill(spool, member)
            for room in spool.chats():
                items = (_item(_decode(raw)) for raw in spool.alone(room))
                yield from conversations(self.name, room, items, options, seen, title=room)


def _is_ours(look: Peek) -> bool:
    if look.kind != "text":
        return False
    header = (look.text.splitlines() or [""])[0].split(",")
    return {name.strip(' "') for name in header} >= _NEEDED


def _natural(member: Member) -> list[tuple[int, str]]:
    """Sorts ``chat_5000.csv`` before ``chat_10000.csv``."""
    parts = re.split(r"(\d+)", member.name)
    return [(int(part), "") if _NUMBER.fullmatch(part) else (-1, part) for part in parts]


def _fill(spool: Spool, member: Member) -> Iterator[Reject]:
    hint = "export the chat again; the rest was imported"
    with (
        member.open() as file,
        io.TextIOWrapper(
            file, encoding_of(member.head(), "gb18030"), errors="replace", newline=""
        ) as text,
    ):
        rows = csv.DictReader(text, restkey="more", restval="")
        if not set(rows.fieldnames or ()) >= _NEEDED:
            yield Reject(member.name, "its first line does not name WeClone's columns", hint)
            return
        while True:
            where = f"{member.name}: line {rows.line_num + 1}"
            try:
                row = next(rows, None)
            except csv.Error as error:
                yield Reject(where, f"not a row: {error}", hint)
                continue
            if row is None:
                return
            if "more" in row or not row["CreateTime"]:
                yield Reject(where, "the row has another number of columns", hint)
                continue
            room = row.get("room_name") or PurePosixPath(member.base).stem
            server_id = row.get("MsgSvrID", "")
            # a spreadsheet writes '7.4E+18' for all of them
            key = server_id if server_id.isdigit() and server_id.strip("0") else where
            spool.add(room, key, msgspec.json.encode(row))


def _item(row: dict[str, str]) -> Line | Event:
    at = _time(row["CreateTime"])
    said, kind = row["msg"], row["type_name"].strip()
    if _EVENTS.match(kind):
        return Event(at, said)
    extra: dict[str, Any] = {k: v for k, v in row.items() if k not in _USED and v}
    if at is None and row["CreateTime"]:
        extra["CreateTime"] = row["CreateTime"]
    files: tuple[Attachment, ...] = ()
    if media := _MEDIA.get(kind.lower()):
        uri = row.get("src") or None
        name = said if media_kind(said) != "file" or media == "file" else None
        files, said = (Attachment(media, name=name, uri=uri),), ""
    elif kind.lower() not in _SPEECH:
        # a card, a transfer, a game: its text is the application's, not the person's
        extra |= {"type_name": kind, "msg": said}
        said = ""
    is_mine = row["is_sender"].strip() == "1"
    return Line(
        speaker="Me" if is_mine else row["talker"] or "Unknown",
        text=said,
        at=at,
        attachments=files,
        extra=extra or None,
        # some exporters name the other side as talker of one's own lines
        speaker_id=None if is_mine else row["talker"] or None,
        source_id=row.get("MsgSvrID") or None,
    )


def _time(text: str) -> datetime | None:
    """The time of ``2024/10/4 11:42`` or ``2024-10-04 11:42:05``."""
    written = _NUMBER.findall(text[:64])
    if len(written) < 5 or re.search(r"[+Z]", text):
        return from_iso(text)
    year, month, day, *clock = (int(number) for number in written)
    return from_iso(f"{year:04}-{month:02}-{day:02}T" + ":".join(f"{n:02}" for n in clock[:3]))
