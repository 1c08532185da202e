"""Writes invented IRC logs (two kinds of client) and what they should become."""

from datetime import datetime
from pathlib import Path

import msgspec

from ingest.message import Conversation, Message, Participant, conversation_id

HERE = Path(__file__).parent
BRACKETS = """\
=== marla [~marla@example.org] has joined #mill
[08:00] <marla> which flour for rolls?
[08:01] <tobin> has anyone seen the dog?
[08:01] <miller> marla: the white one
[08:02] <ysolde> tobin, by the weir
[08:02] <millbot> Wind from the west.
[08:03] * tobin runs
=== marla is now known as marla_away
[08:05] <marla_away> thanks
[08:06] <marla_away> back later
[10:00] <miller> the wheel stands still
"""
IRSSI = """\
--- Log opened Sat Jan 17 23:50:00 2026
23:58 <@miller> who closed the gate?
23:59 -!- tobin [~tobin@example.org] has joined #mill
--- Day changed Sun Jan 18 2026
00:01 < tobin> I did, \x02late\x02
00:02 -!- tobin [~tobin@example.org] has quit [gone]
--- Log closed Sun Jan 18 00:10:00 2026
"""


def at(day, hour, minute):
    return datetime(2026, 1, day, hour, minute)


def M(role, text, name, when, **extra):
    return Message(role, text, name=name, created_at=at(*when), extra=extra)


def expected(channel, messages, people, **facts):
    first = messages[0]
    native = f"{channel}|{first.created_at.isoformat()}|{first.name}"
    return Conversation(
        id=conversation_id("irc", native), importer="irc", source_id=native, title=channel,
        created_at=first.created_at, messages=tuple(messages),
        participants=tuple(Participant(n, n, n == "miller") for n in people), metadata=facts)


EXPECTED = [
    expected("#mill", [
        M("user", "which flour for rolls?", "marla", (15, 8, 0)),
        M("user", "has anyone seen the dog?", "tobin", (15, 8, 1)),
        M("assistant", "marla: the white one", "miller", (15, 8, 1), to="marla"),
        M("user", "tobin, by the weir", "ysolde", (15, 8, 2), to="tobin"),
        M("user", "Wind from the west.", "millbot", (15, 8, 2), bot=True),
        M("user", "runs", "tobin", (15, 8, 3), action=True),
        M("user", "thanks\nback later", "marla_away", (15, 8, 5),
          parts=[["2026-01-15T08:05:00", 6], ["2026-01-15T08:06:00", 10]]),
    ], ["marla", "tobin", "miller", "ysolde", "millbot"],
       events=[[None, "marla [~marla@example.org] has joined #mill"],
               [None, "marla is now known as marla_away"]]),
    expected("#mill", [M("assistant", "the wheel stands still", "miller", (15, 10, 0))], ["miller"]),
    expected("gate", [
        M("assistant", "who closed the gate?", "miller", (17, 23, 58)),
        M("user", "I did, late", "tobin", (18, 0, 1)),
    ], ["miller", "tobin"],
       events=[["2026-01-17T23:59:00", "tobin [~tobin@example.org] has joined #mill"],
               ["2026-01-18T00:02:00", "tobin [~tobin@example.org] has quit [gone]"]]),
]


def main():
    folder = HERE / "channels" / "2026" / "01" / "15"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "#mill.txt").write_text(BRACKETS, encoding="utf-8")
    (HERE / "gate.log").write_text(IRSSI, encoding="utf-8")
    lines = [msgspec.json.encode(each) for each in EXPECTED]
    (HERE / "expected.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    (HERE / "options.json").write_text('{"as_assistant": ["miller"]}\n')


if __name__ == "__main__":
    main()
