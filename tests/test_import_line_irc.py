"""LINE and IRC: text logs whose days stand elsewhere than their times."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from made import only, read

from ingest.archive import open_export
from ingest.errors import ExportError
from ingest.importers.base import Item, Reject
from ingest.importers.irc import Irc
from ingest.importers.irc_lines import day_in_name
from ingest.importers.line import LineChat
from ingest.importers.line_words import media_tag, title_of
from ingest.message import Conversation

Write = Callable[..., Path]
HEAD = "[LINE] Chat history with Mill\nSaved on: 2026/04/30 18:00\n\n2026/04/13(Mon)\n"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_to(content: str | bytes, name: str = "any.name") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_to


def said(items: list[Item]) -> list[tuple[str | None, str]]:
    return [(m.name, m.content) for c in items if isinstance(c, Conversation) for m in c.messages]


# LINE
def test_lin1_two_tabs_are_a_system_line(write: Write) -> None:
    found = only(
        read(LineChat(), write(HEAD + "10:00\tTobin\thi\n10:01\t\tTobin joined the group.\n"))
    )
    assert len(found.messages) == 1
    assert found.metadata["events"] == [["2026-04-13T10:01:00", "Tobin joined the group."]]


def test_lin2_quotes_around_several_lines_are_the_exports(write: Write) -> None:
    text = HEAD + '10:00\tTobin\t"a\n\n""b"" c"\n10:01\tMill\t"one line"\n'
    assert said(read(LineChat(), write(text))) == [("Tobin", 'a\n\n"b" c'), ("Mill", '"one line"')]


def test_lin2_a_date_inside_quotes_is_text(write: Write) -> None:
    text = HEAD + '10:00\tTobin\t"it was on\n2026/04/01(Wed)\nI think"\n10:01\tMill\tyes\n'
    found = read(LineChat(), write(text))
    assert said(found)[0] == ("Tobin", "it was on\n2026/04/01(Wed)\nI think")
    assert only(found).messages[1].created_at == datetime(2026, 4, 13, 10, 1)


def test_lin2_a_quote_that_never_closes_swallows_no_other_message(write: Write) -> None:
    text = HEAD + '10:00\tTobin\t"hm\n10:01\tMill\tyes\n\n2026/04/14(Tue)\n10:00\tTobin\tb\n'
    assert said(read(LineChat(), write(text))) == [
        ("Tobin", '"hm'),
        ("Mill", "yes"),
        ("Tobin", "b"),
    ]


@pytest.mark.parametrize(
    ("clock", "hour"),
    [("上午9:05", 9), ("下午9:05", 21), ("午前0:05", 0), ("午後12:05", 12), ("9:05PM", 21),
     ("12:05am", 0), ("9:05 p.m.", 21), ("21:05", 21)],
)  # fmt: skip
def test_lin3_halves_of_the_day_in_many_languages(write: Write, clock: str, hour: int) -> None:
    (message,) = only(read(LineChat(), write(f"{HEAD}{clock}\tTobin\thi\n"))).messages
    assert message.created_at == datetime(2026, 4, 13, hour, 5)


@pytest.mark.parametrize(
    ("text", "kind"),
    [("[Photo]", "image"), ("[写真]", "image"), ("[貼圖]", "sticker"),
     ("[ボイスメッセージ]", "audio"),
     ("[影片]", "video"), ("[File] bill.pdf", "file")],
)  # fmt: skip
def test_lin4_tags_of_media_are_translated(text: str, kind: str) -> None:
    found = media_tag(text)
    assert found is not None
    assert found[0] == kind


def test_lin4_words_after_a_tag_are_speech() -> None:
    assert media_tag("[Photo] of the mill, please") is None
    assert media_tag("[sic] indeed") is None


@pytest.mark.parametrize(
    ("line", "name"),
    [("[LINE] Chat history with Mill", "Mill"), ("Chat history in Mill talk", "Mill talk"),
     ("[LINE] Millとのトーク履歴", "Mill"), ("[LINE] 與Mill的聊天記錄", "Mill"),
     ("[LINE] Mill", "Mill"),
     ("\ufeff[LINE] Millのトーク履歴", "Mill")],
)  # fmt: skip
def test_line_titles_of_many_languages(line: str, name: str) -> None:
    assert title_of(line) == name


def test_line_the_weekday_tells_the_order_of_day_and_month(write: Write) -> None:
    def times(*days: str) -> list[datetime | None]:
        text = "[LINE] Mill\n\n" + "".join(f"{day}\n10:00\tT\thi\n\n" for day in days)
        return [c.created_at for c in read(LineChat(), write(text)) if isinstance(c, Conversation)]

    assert times("Mon, 1/12/2026", "Tue, 1/13/2026") == [
        datetime(2026, 1, 12, 10), datetime(2026, 1, 13, 10),
    ]  # fmt: skip
    assert times("Tue, 1/12/2026") == [datetime(2026, 12, 1, 10)]


def test_line_an_open_order_is_asked_for_not_guessed(write: Write) -> None:
    # a weekday in a language that we do not know fits both
    path = write("[LINE] Mill\n\nXyz, 2/3/2026\n10:00\tT\thi\n")
    with pytest.raises(ExportError) as error:
        read(LineChat(), path)
    assert "--date-order" in error.value.hint
    (message,) = only(read(LineChat(), path, date_order="dmy")).messages
    assert message.created_at == datetime(2026, 3, 2, 10)


def test_line_old_groups_have_speakers_of_several_words(write: Write) -> None:
    text = "2026.02.02 Monday\n" + "".join(
        f"08:0{n} {who} {word} the mill\n"
        for n, (who, word) in enumerate([("Ysolde B", "at"), ("Tobin", "by"), ("Ysolde B", "to"),
                                         ("Ysolde B", "for"), ("Tobin", "by")])
    )  # fmt: skip
    assert [name for name, _ in said(read(LineChat(), write(text)))] == [
        "Ysolde B", "Tobin", "Ysolde B", "Tobin",
    ]  # fmt: skip


def test_line_damage_costs_what_is_damaged(write: Write) -> None:
    raw = (HEAD + "10:00\tTobin\ta\n").encode() + b"\xff\xfe\x00 junk\n99:99\tTobin\tb\n10:02\tMill"
    found = read(LineChat(), write(raw))
    names = [name for name, _ in said(found)]
    assert names == ["Tobin"]
    assert "a" in said(found)[0][1]
    assert "b" in said(found)[0][1]


def test_line_a_file_without_a_message_is_a_reject(write: Write) -> None:
    path = write("nothing here\n")
    assert LineChat().sniff(open_export(path)) == 0
    (item,) = read(LineChat(), path)
    assert isinstance(item, Reject)


def test_line_utf16_is_read(write: Write) -> None:
    raw = (HEAD + "10:00\tTobin\tMühle\n").encode("utf-16")
    path = write(raw)
    assert LineChat().sniff(open_export(path)) == 0.9
    assert said(read(LineChat(), path)) == [("Tobin", "Mühle")]


# IRC
LOG = "[08:00] <marla> which flour?\n[08:01] <miller> the white one\n"


@pytest.mark.parametrize(
    ("name", "day"),
    [("2026-01-15.log", 15), ("#mill.20260115.log", 15), ("2026/01/16/#mill.txt", 16),
     ("mill_2026_01_17.txt", 17)],
)  # fmt: skip
def test_irc1_the_day_is_in_the_name_of_the_file(
    write: Write, tmp_path: Path, name: str, day: int
) -> None:
    write(LOG, f"logs/{name}")
    assert only(read(Irc(), tmp_path / "logs")).created_at == datetime(2026, 1, day, 8, 0)


@pytest.mark.parametrize("name", ["mill.log", "1234567890.log", "2026-13-45.log", "v1.20.log"])
def test_irc1_without_a_day_there_is_none(name: str) -> None:
    assert day_in_name(name) is None


def test_irc1_times_without_a_day_are_kept_as_written(write: Write) -> None:
    found = only(read(Irc(), write(LOG)))
    assert [m.created_at for m in found.messages] == [None, None]
    assert found.messages[0].extra["time"] == "08:00"


def test_irc1_days_named_inside_and_midnight(write: Write) -> None:
    irssi = (
        "--- Log opened Sat Jan 17 23:50:00 2026\n23:58 <@a> one\n--- Day changed Sun Jan 18 2026\n"
        "00:01 < b> two\n"
    )
    assert [m.created_at for m in only(read(Irc(), write(irssi))).messages] == [
        datetime(2026, 1, 17, 23, 58), datetime(2026, 1, 18, 0, 1),
    ]  # fmt: skip
    bare = write("[23:58] <a> one\n[00:01] <b> two\n", "x-2026-01-17.log")
    assert only(read(Irc(), bare)).messages[1].created_at == datetime(2026, 1, 18, 0, 1)


def test_irc2_nick_changes_are_followed(write: Write) -> None:
    log = (
        "[08:00] <marla> one\n=== marla is now known as marla_away\n[08:01] <marla_away> two\n"
        "[08:02] <miller> yes\n"
    )
    found = only(read(Irc(), write(log), as_assistant=("marla",)))
    assert [(m.role, m.content) for m in found.messages] == [
        ("assistant", "one\ntwo"),
        ("user", "yes"),
    ]
    assert [p.id for p in found.participants] == ["marla", "miller"]


def test_irc2_a_nick_that_quit_is_somebody_else_later(write: Write) -> None:
    log = (
        "[08:00] <a> one\n[08:01] *** a is now known as b\n[08:02] *** Quits: b (gone)\n"
        "[08:03] <b> two\n[08:04] <a> three\n"
    )
    found = only(read(Irc(), write(log)))
    assert [p.id for p in found.participants] == ["a", "b"]
    assert [m.content for m in found.messages] == ["one", "two", "three"]


def test_irc2_bots_are_flagged(write: Write) -> None:
    log = "[08:00] <millbot> wind\n[08:01] <botanist> flowers\n[08:02] <ubottu> help\n"
    found = only(read(Irc(), write(log)))
    assert [m.extra.get("bot") for m in found.messages] == [True, None, True]


def test_irc3_interleaved_talks_stay_as_the_channel_had_them(write: Write) -> None:
    log = (
        "[08:00] <a> rye?\n[08:00] <b> dog?\n[08:01] <m> b: by the weir\n[08:01] <m> a: yes\n"
        "[08:02] <m> both are fine\n"
    )
    found = only(read(Irc(), write(log)))
    assert [(m.name, m.content, m.extra.get("to")) for m in found.messages] == [
        ("a", "rye?", None), ("b", "dog?", None), ("m", "b: by the weir", "b"),
        ("m", "a: yes", "a"),
        ("m", "both are fine", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "log",
    [
        "[08:00] <a> x\n[08:01] <b> y\n", "08:00 <@a> x\n08:01 < b> y\n",
        "2026-01-15 08:00:01\ta\tx\n2026-01-15 08:01:01\t@b\ty\n",
        "[2026-01-15 08:00:01] <a> x\n[2026-01-15 08:01:01] <b> y\n",
        "2026-01-15T08:00:01Z <a> x\n2026-01-15T08:01:01Z <b> y\n",
        "**** BEGIN LOGGING AT Thu Jan 15 08:00:00 2026\n[08:00:01] <a>\tx\n[08:01:01] <b>\ty\n",
    ],
)  # fmt: skip
def test_irc_logs_of_many_clients(write: Write, log: str) -> None:
    path = write(log)
    assert Irc().sniff(open_export(path)) == 0.9
    assert said(read(Irc(), path)) == [("a", "x"), ("b", "y")]


def test_irc_colours_and_actions(write: Write) -> None:
    found = only(
        read(Irc(), write("[08:00] <a> \x0304,01red\x0f and \x02bold\x02\n[08:01] * a waves\n"))
    )
    assert [(m.content, m.extra.get("action")) for m in found.messages] == [
        ("red and bold", None), ("waves", True),
    ]  # fmt: skip


def test_irc_a_stated_utc_is_kept(write: Write) -> None:
    found = only(read(Irc(), write("2026-01-15T08:00:01Z <a> x\n2026-01-15T08:00:02Z <b> y\n")))
    assert found.created_at is not None
    assert found.created_at.utcoffset() is not None


def test_irc_latin1_of_old_logs(write: Write) -> None:
    raw = "[08:00] <a> Mühle\n[08:01] <b> ja\n".encode("latin-1")
    assert said(read(Irc(), write(raw)))[0] == ("a", "Mühle")


def test_irc_damage_costs_what_is_damaged(write: Write) -> None:
    raw = b"[08:00] <a> x\n\xff\xfe\x00junk\n[08:01] <b> y\n[99:99] <a> z\n[08:0"
    found = only(read(Irc(), write(raw)))
    assert [m.content for m in found.messages] == ["x", "y", "z"]
    assert len(found.metadata["events"]) == 2


def test_irc_other_texts_are_not_claimed(write: Write) -> None:
    path = write("Dear T,\nthe mill is open.\n")
    assert Irc().sniff(open_export(path)) == 0
    html = write("<html>\n<body>\n08:00 <b>x</b>\n", "page")
    assert Irc().sniff(open_export(html)) == 0
    empty = write(" \n", "empty")
    (item,) = read(Irc(), empty)
    assert isinstance(item, Reject)
