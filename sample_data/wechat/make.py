"""Writes invented WeChat CSV files as WeClone reads them, and what they should become."""

import csv
from datetime import datetime
from pathlib import Path

import msgspec

from ingest.message import Attachment, Conversation, Message, Participant, conversation_id

HERE = Path(__file__).parent
COLUMNS = ["id", "MsgSvrID", "type_name", "is_sender", "talker", "room_name", "msg", "src",
           "CreateTime"]
ROOM = "mill@chatroom"
FIRST = [
    [1, "7001", "文本", 0, "wxid_ysolde", ROOM, "磨坊今天开吗?", "", "2026/5/4 8:00"],
    [2, "7002", "文本", 0, "wxid_tobin", ROOM, "有黑麦粉吗?\n要两袋。", "", "2026/5/4 8:00"],
    [3, "7003", "文本", 1, "wxid_tobin", ROOM, "Good grain to you! 开到五点。", "", "2026/5/4 8:01"],
    [4, "7004", "图片", 1, "wxid_tobin", ROOM, "图片", "image/gate.dat", "2026/5/4 8:01"],
]
SECOND = [
    [5, "7004", "图片", 1, "wxid_tobin", ROOM, "图片", "image/gate.dat", "2026/5/4 8:01"],
    [6, "7005", "系统通知", 0, "wxid_ysolde", ROOM, "Ysolde 修改了群名", "", "2026/5/4 8:02"],
    [7, "7006", "转账", 0, "wxid_ysolde", ROOM, "收到转账", "", "2026/5/4 8:03"],
    [8, "7007", "文本", 0, "wxid_ysolde", ROOM, "谢谢", "", "2026/5/6 9:30"],
]


def at(day, hour, minute):
    return datetime(2026, 5, day, hour, minute)


YSOLDE = Participant("wxid_ysolde", "wxid_ysolde")
TOBIN = Participant("wxid_tobin", "wxid_tobin")
ME = Participant("Me", None, True)


def M(role, text, name, when, number, **more):
    return Message(role, text, name=name, created_at=at(*when), source_id=str(number), **more)


def expected(time, people, messages, **facts):
    native = f"{ROOM}|{time.isoformat()}|wxid_ysolde"
    return Conversation(id=conversation_id("wechat", native), importer="wechat", source_id=native,
                        title=ROOM, created_at=time, messages=tuple(messages),
                        participants=people, metadata=facts)


EXPECTED = [
    expected(at(4, 8, 0), (YSOLDE, TOBIN, ME), [
        M("user", "磨坊今天开吗?", "wxid_ysolde", (4, 8, 0), 7001),
        M("user", "有黑麦粉吗?\n要两袋。", "wxid_tobin", (4, 8, 0), 7002),
        M("assistant", "Good grain to you! 开到五点。", "Me", (4, 8, 1), 7003,
          attachments=(Attachment("image", uri="image/gate.dat"),),
          extra={"parts": [["2026-05-04T08:01:00", 24], ["2026-05-04T08:01:00", 0]],
                 "part_ids": ["7003", "7004"]}),
        M("user", "", "wxid_ysolde", (4, 8, 3), 7006,
          extra={"type_name": "转账", "msg": "收到转账"}),
    ], events=[["2026-05-04T08:02:00", "Ysolde 修改了群名"]]),
    expected(at(6, 9, 30), (YSOLDE,), [M("user", "谢谢", "wxid_ysolde", (6, 9, 30), 7007)]),
]


def main():
    folder = HERE / "mill"
    folder.mkdir(exist_ok=True)
    # the second part sorts before the first by letters
    for name, rows in (("mill_5000.csv", FIRST), ("mill_10000.csv", SECOND)):
        with (folder / name).open("w", encoding="utf-8-sig", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *rows])
    lines = [msgspec.json.encode(each) for each in EXPECTED]
    (HERE / "expected.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    (HERE / "options.json").write_text('{"as_assistant": ["Me"]}\n')


if __name__ == "__main__":
    main()
