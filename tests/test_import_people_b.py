"""Google Chat, Teams, Signal and WeChat: what each format says in its own way, and damage."""

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from made import only, read

from ingest.archive import open_export
from ingest.importers.base import Importer, Item, Reject, Skip
from ingest.importers.googlechat import GoogleChat
from ingest.importers.long_dates import from_long_date
from ingest.importers.signal import Signal
from ingest.importers.signal_text import is_signal
from ingest.importers.teams import Teams
from ingest.importers.wechat import WeChat
from ingest.importers.whatsapp import WhatsApp
from ingest.message import Conversation
from ingest.registry import choose
from ingest.spool import Spool

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_to(name: str, content: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not isinstance(content, bytes | str):
            content = json.dumps(content)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_to


def texts(items: list[Item]) -> list[list[str]]:
    return [[m.content for m in item.messages] for item in items if isinstance(item, Conversation)]


# Google Chat
def gchat(number: int, text: str | None = "Good grain!", **more: Any) -> dict[str, Any]:
    source: dict[str, Any] = {
        "creator": {"name": "Miller", "email": "m@example.org", "user_type": "Human"},
        "created_date": f"Tuesday, May 5, 2026 at 8:{number:02d}:00 AM UTC",
        "topic_id": f"t{number}", "message_id": f"G/t{number}/m{number}", "text": text,
    }  # fmt: skip
    return source | more


MAY_3 = datetime(2022, 5, 3, 17, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "Tuesday, May 3, 2022 at 5:01:02 PM UTC", "Tuesday, May 3, 2022 at 5:01:02\u202fPM UTC",
        "Dienstag, 3. Mai 2022 um 17:01:02 UTC", "mardi 3 mai 2022 à 17:01:02 UTC",
        "martes, 3 de mayo de 2022, 5:01:02 p.\u00a0m. UTC", "martedì 3 maggio 2022 17:01:02 UTC",
        "terça-feira, 3 de maio de 2022 às 17:01:02 UTC", "wtorek, 3 maja 2022 17:01:02 UTC",
        "2022年5月3日火曜日 17時01分02秒 UTC", "2022년 5월 3일 화요일 오후 5시 1분 2초 UTC",
    ],
)  # fmt: skip
def test_gch1_dates_in_words_of_many_languages(text: str) -> None:
    assert from_long_date(text) == MAY_3


@pytest.mark.parametrize(
    "text", [None, "", "soon", "May 3, 2022", "99:99 May 3 2022", "1:02 Foo 3 2022"]
)
def test_gch1_what_is_no_date_is_none(text: str | None) -> None:
    assert from_long_date(text) is None


def test_gch1_midnight_and_noon() -> None:
    midnight = from_long_date("Tuesday, May 3, 2022 at 12:01:02 AM UTC")
    noon = from_long_date("Tuesday, May 3, 2022 at 12:01:02 PM UTC")
    assert (midnight, noon) == (MAY_3.replace(hour=0), MAY_3.replace(hour=12))


def test_gch1_an_unknown_date_is_kept_as_written(write: Write) -> None:
    path = write("m.json", {"messages": [gchat(1, created_date="Tirsdag klokken fem")]})
    (message,) = only(read(GoogleChat(), path)).messages
    assert message.created_at is None
    assert message.extra["created_date"] == "Tirsdag klokken fem"


def test_gch2_a_topic_of_several_messages_is_a_conversation_of_its_own(write: Write) -> None:
    talk = [gchat(1, "a", topic_id="x"), gchat(2, "alone"), gchat(3, "b", topic_id="x")]
    found = read(GoogleChat(), write("m.json", {"messages": talk}))
    assert texts(found) == [["alone"], ["a", "b"]]
    assert isinstance(found[1], Conversation)
    assert [m.parent_id for m in found[1].messages] == [None, "G/t1/m1"]


def test_gch3_a_deleted_message_is_kept_off_the_path(write: Write) -> None:
    gone = gchat(2, None, message_state="DELETED")
    del gone["creator"]
    (first, second) = only(
        read(GoogleChat(), write("m.json", {"messages": [gchat(1), gone]}))
    ).messages
    assert (first.on_path, second.on_path, second.train) == (True, False, False)


def test_gch4_a_bot_is_flagged_and_may_be_chosen(write: Write) -> None:
    bot = {"name": "Vane", "email": "v@example.org", "user_type": "Bot"}
    path = write("m.json", {"messages": [gchat(1, creator=bot)]})
    (message,) = only(read(GoogleChat(), path, as_assistant=("v@example.org",))).messages
    assert (message.role, message.extra["user_type"]) == ("assistant", "Bot")


def test_gch_ids_do_not_depend_on_where_the_folder_lies(write: Write) -> None:
    one = only(read(GoogleChat(), write("a/m.json", {"messages": [gchat(1)]})))
    other = only(read(GoogleChat(), write("b/messages.json", {"messages": [gchat(1)]})))
    assert one.id == other.id


# Teams
def teams(number: int, content: str = "Good grain!", **more: Any) -> dict[str, Any]:
    at = datetime(2026, 6, 1, 8, tzinfo=UTC) + timedelta(minutes=number)
    return {
        "Id": str(number), "ChatId": "c1", "MessageType": "message",
        "CreatedDateTime": at.isoformat().replace("+00:00", "Z"),
        "From": {"User": {"Id": "u1", "DisplayName": "Miller"}},
        "Body": {"ContentType": "html", "Content": content}, "Mentions": [], "Attachments": [],
        **more,
    }  # fmt: skip


def test_tms1_html_becomes_text_and_mentions_names(write: Write) -> None:
    body = 'Hi <at id="0"></at> &amp; <at id="7">Tobin</at>!<br><emoji alt="\U0001f33e"></emoji>'
    path = write("m.json", [teams(1, body, Mentions=[{"Id": 0, "MentionText": "A & B"}])])
    assert texts(read(Teams(), path)) == [["Hi @A & B & @Tobin!\n\U0001f33e"]]


def test_tms1_text_bodies_are_no_html(write: Write) -> None:
    path = write("m.json", [teams(1, Body={"ContentType": "text", "Content": "1 < 2 &amp; 3"})])
    assert texts(read(Teams(), path)) == [["1 < 2 &amp; 3"]]


def test_tms2_a_chat_in_the_files_of_both_members_counts_once(write: Write, tmp_path: Path) -> None:
    write("users/a/messages_a.json", [teams(1, "one"), teams(3, "three")])
    write("users/b/messages_b.json", [teams(2, "two"), teams(3, "three")])
    assert texts(read(Teams(), tmp_path)) == [["one\ntwo\nthree"]]


def test_tms2_one_id_in_two_chats_is_two_messages(write: Write) -> None:
    path = write("m.json", [teams(1, "one"), teams(1, "other", ChatId="c2")])
    assert texts(read(Teams(), path)) == [["one"], ["other"]]


def test_tms3_what_nobody_said_is_an_event(write: Write) -> None:
    events = [
        teams(2, "<systemEventMessage/>", From=None, MessageType="systemEventMessage",
              EventDetail={"@odata.type": "#microsoft.graph.callEndedEventMessageDetail"}),
    ]  # fmt: skip
    found = only(read(Teams(), write("m.json", [teams(1), *events])))
    assert len(found.messages) == 1
    assert found.metadata["events"] == [
        ["2026-06-01T08:02:00+00:00", "callEndedEventMessageDetail"]
    ]


def test_tms4_forwarded_words_are_not_the_senders(write: Write) -> None:
    content = json.dumps({"originalMessageContent": "<p>Bread at noon</p>"})
    files = [{"Id": "1", "ContentType": "forwardedMessageReference", "Content": content}]
    messages = [
        teams(1, '<attachment id="1"></attachment>', Attachments=files),
        teams(2, '<p>See:</p><attachment id="1"></attachment>', Attachments=files),
    ]
    bare, comment = only(read(Teams(), write("m.json", messages))).messages
    assert (bare.content, bare.train) == ("", False)
    assert (comment.content, comment.train) == ("See:", None)
    kept = bare.extra["forwardedMessageReference"]
    assert kept == {"originalMessageContent": "Bread at noon"}


def test_tms_graphs_own_case_and_pages_are_read(write: Write) -> None:
    def lower(value: Any) -> Any:
        if isinstance(value, dict):
            return {k[0].lower() + k[1:]: lower(v) for k, v in value.items()}
        return [lower(v) for v in value] if isinstance(value, list) else value

    path = write("m.json", {"@odata.count": 1, "value": [lower(teams(1))]})
    assert isinstance(choose(open_export(path)), Teams)
    assert texts(read(Teams(), path)) == [["Good grain!"]]


def test_tms_replies_in_a_channel_are_a_thread(write: Write) -> None:
    place = {"ChatId": None, "ChannelIdentity": {"ChannelId": "ch"}}
    posts = [
        teams(1, "root", **place), teams(2, "alone", **place),
        teams(900, "reply", ReplyToId="1", **place),
    ]  # fmt: skip
    found = read(Teams(), write("m.json", posts))
    assert texts(found) == [["alone"], ["root", "reply"]]


# Signal
def signal(number: int, body: str = "Good grain!", **more: Any) -> dict[str, Any]:
    return {
        "date": f"2026-03-02T09:{number:02d}:00", "sender": "Tobin", "body": body, "quote": "",
        "sticker": "", "reactions": [], "attachments": [], **more,
    }  # fmt: skip


def lines(*records: Any) -> str:
    return "".join(f"{json.dumps(record)}\n" for record in records)


def test_sig1_bodies_of_several_lines(write: Write) -> None:
    text = "[2019-12-24, 12:23] Tobin: a\n\nb: c\n[2019-12-24, 12:24] Me: d\n"
    found = only(read(Signal(), write("chat.md", text), as_assistant=("Me",)))
    assert [(m.role, m.content) for m in found.messages] == [
        ("user", "a\n\nb: c"),
        ("assistant", "d"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "[2019-12-24, 12:23] Tobin: a\n[2019-12-24, 12:24] Ysolde: b\n",
        "[2019-12-24 12:23:01] Tobin: a  \n[2019-12-24 12:24:01] Ysolde: b  \n",
        "[2019-12-24 12:23:01] Tobin: a\n[2019-12-24 12:24:01] Me: b\n",
    ],
)
def test_sig1_both_heads_are_signals_and_not_whatsapps(write: Write, text: str) -> None:
    export = open_export(write("any.txt", text))
    assert (Signal().sniff(export), WhatsApp().sniff(export)) == (0.95, 0.0)


@pytest.mark.parametrize(
    "text",
    [
        "[2019-12-24, 12:23:01] Tobin: a\n[2019-12-24, 12:24:01] Me: b\n",
        "\u200e[2019-12-24 12:23:01] Tobin: \u200eMessages are encrypted\n",
        "[2019-12-24 12:23:01] Tobin: \u200eimage omitted\n[2019-12-24 12:24:01] Me: b\n",
        "[24.12.19, 12:23] Tobin: a\n",
        "",
    ],
)
def test_sig1_whatsapps_heads_are_not_claimed(text: str) -> None:
    assert not is_signal(text)


def test_sig1_json_and_text_of_one_chat_count_once(write: Write, tmp_path: Path) -> None:
    write("Tobin/data.json", lines(signal(1, "from json")))
    write("Tobin/chat.md", "[2026-03-02, 09:01] Tobin: from text\n")
    write("Ysolde/chat.md", "[2026-03-02, 09:01] Ysolde: only text\n")
    assert texts(read(Signal(), tmp_path)) == [["from json"], ["only text"]]


def test_sig1_calls_and_senderless_lines_are_events(write: Write) -> None:
    records = [
        signal(1, "Missed voice call"), signal(2, "hello"), signal(3, "x", sender="No-Sender"),
        signal(4, "anything", call=True),
    ]  # fmt: skip
    found = only(read(Signal(), write("data.json", lines(*records))))
    assert [m.content for m in found.messages] == ["hello"]
    assert len(found.metadata["events"]) == 3


def test_sig1_an_epoch_of_zero_is_no_time(write: Write) -> None:
    record = signal(1, date="1970-01-01T00:00:00")
    assert only(read(Signal(), write("d", lines(record)))).messages[0].created_at is None


# WeChat
COLUMNS = ["id", "MsgSvrID", "type_name", "is_sender", "talker", "room_name", "msg", "src",
           "CreateTime"]  # fmt: skip


def wechat(*rows: dict[str, Any], columns: list[str] = COLUMNS) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    for number, row in enumerate(rows, 1):
        full = {
            "id": number, "MsgSvrID": 700 + number, "type_name": "文本", "is_sender": 0,
            "talker": "tobin", "room_name": "room", "msg": "hi", "src": "",
            "CreateTime": f"2026/5/4 8:{number:02d}", **row,
        }  # fmt: skip
        writer.writerow([full.get(name, "") for name in columns])
    return out.getvalue()


def test_wxc1_types_are_named_in_chinese_or_english(write: Write) -> None:
    rows = [
        {"type_name": "图片", "src": "a.dat"}, {"type_name": "Text", "msg": "b", "talker": "y"},
        {"type_name": "语音", "src": "c.amr", "talker": "z"}, {"type_name": "系统通知", "msg": "e"},
        {"type_name": "小程序", "msg": "<app>", "talker": "w"},
    ]  # fmt: skip
    found = only(read(WeChat(), write("x.csv", wechat(*rows))))
    assert [(m.content, [a.kind for a in m.attachments]) for m in found.messages] == [
        ("", ["image"]), ("b", []), ("", ["audio"]), ("", []),
    ]  # fmt: skip
    assert found.messages[3].extra == {"type_name": "小程序", "msg": "<app>"}
    assert [event[1] for event in found.metadata["events"]] == ["e"]


def test_wxc2_equal_minutes_keep_the_files_order(write: Write) -> None:
    rows = [{"msg": str(n), "CreateTime": "2026/5/4 8:00"} for n in (3, 1, 2)]
    found = only(read(WeChat(), write("x.csv", wechat(*rows))))
    assert found.messages[0].content == "3\n1\n2"
    assert found.created_at == datetime(2026, 5, 4, 8, 0)


def test_wxc2_parts_of_a_chat_are_read_in_the_order_of_their_numbers(
    write: Write, tmp_path: Path
) -> None:
    write("chat_10000.csv", wechat({"msg": "b", "MsgSvrID": 2}))
    write("chat_5000.csv", wechat({"msg": "a", "MsgSvrID": 1}))
    assert texts(read(WeChat(), tmp_path)) == [["a\nb"]]


def test_wxc3_newlines_in_cells_stay(write: Write) -> None:
    assert texts(read(WeChat(), write("x.csv", wechat({"msg": "a\n\nb,c"})))) == [["a\n\nb,c"]]


def test_wxc4_speakers_of_a_group_are_never_merged(write: Write) -> None:
    rows = [{"talker": "tobin"}, {"talker": "ysolde"}, {"talker": "tobin", "is_sender": 1}]
    found = only(read(WeChat(), write("x.csv", wechat(*rows)), as_assistant=("Me",)))
    assert [(m.name, m.role) for m in found.messages] == [
        ("tobin", "user"), ("ysolde", "user"), ("Me", "assistant"),
    ]  # fmt: skip


def test_wxc_gb18030_of_old_exporters(write: Write) -> None:
    raw = wechat({"msg": "磨坊今天开吗"}).encode("gb18030")
    assert texts(read(WeChat(), write("x.csv", raw))) == [["磨坊今天开吗"]]


def test_wxc_ids_spoilt_by_a_spreadsheet_lose_no_message(write: Write) -> None:
    rows = [{"msg": "a", "MsgSvrID": "7.43E+18"}, {"msg": "b", "MsgSvrID": "7.43E+18"}]
    assert texts(read(WeChat(), write("x.csv", wechat(*rows)))) == [["a\nb"]]


def test_wxc_quotes_that_never_close_end_at_a_limit(write: Write) -> None:
    raw = wechat({"msg": "a"}) + '9,9,文本,0,t,room,"' + "x" * 200_000
    found = read(WeChat(), write("x.csv", raw))
    assert texts(found) == [["a"]]
    assert [type(item) for item in found] == [Reject, Conversation]


def test_times_without_a_zone_take_the_stated_one_and_keep_their_ids(write: Write) -> None:
    path = write("x.csv", wechat({}))
    plain, zoned = only(read(WeChat(), path)), only(read(WeChat(), path, tz="Asia/Shanghai"))
    assert plain.created_at is not None
    eight = timezone(timedelta(hours=8))
    assert zoned.created_at == plain.created_at.replace(tzinfo=eight)
    assert plain.id == zoned.id


# damage, for all
def three(make: Callable[[int], Any]) -> list[Any]:
    return [make(1), make(2), make(3)]


KINDS: dict[str, tuple[Importer, Callable[[list[Any]], bytes], Callable[[int], Any]]] = {
    "googlechat": (GoogleChat(), lambda r: json.dumps({"messages": r}).encode(), gchat),
    "teams": (Teams(), lambda r: json.dumps(r).encode(), teams),
    "signal": (Signal(), lambda r: lines(*r).encode(), signal),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_corrupt_record_costs_itself(write: Write, kind: str) -> None:
    importer, dump, make = KINDS[kind]
    raw = dump([make(1), "WRONG", make(3)]).replace(b'"WRONG"', b'{"broken": [}')
    found = read(importer, write("x", raw))
    assert texts(found) == [["Good grain!\nGood grain!"]]
    assert sum(isinstance(item, Reject) for item in found) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_file_keeps_what_is_whole(write: Write, kind: str) -> None:
    importer, dump, make = KINDS[kind]
    raw = dump(three(make))
    found = read(importer, write("x", raw[:-40]))
    assert texts(found) == [["Good grain!\nGood grain!"]]
    assert sum(isinstance(item, Reject) for item in found) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("odd", [None, 7, "text", [], {}, [[]], {"x": {"y": []}}, -1.5, True])
def test_any_field_of_any_type_costs_no_neighbour(write: Write, kind: str, odd: Any) -> None:
    importer, dump, make = KINDS[kind]
    for key in make(2):
        found = read(importer, write("x", dump([make(1), {**make(2), key: odd}, make(3)])))
        said = [text for talk in texts(found) for text in talk]
        assert "\n".join(said).count("Good grain!") >= 2
        assert all(isinstance(item, Conversation | Reject | Skip) for item in found)


@pytest.mark.parametrize(
    "importer", [GoogleChat(), Teams(), Signal(), WeChat()], ids=lambda i: i.name
)
@pytest.mark.parametrize(
    "raw", [b" ", b"{}", b"[]", b'{"messages": []}', b"\xff\xfe\x00", b"[1, 2]"]
)
def test_empty_and_foreign_files_are_counted_or_nothing(
    write: Write, importer: Importer, raw: bytes
) -> None:
    path = write("x", raw)
    assert importer.sniff(open_export(path)) == 0
    assert all(isinstance(item, Reject | Skip) for item in read(importer, path))


def test_wechat_a_row_cut_off_costs_itself(write: Write) -> None:
    raw = wechat({"msg": "a"}, {"msg": "b"}, {"msg": "c"})
    found = read(WeChat(), write("x.csv", raw[: raw.rindex("c")]))
    assert texts(found) == [["a\nb"]]
    assert sum(isinstance(item, Reject) for item in found) == 1


# the spool
def test_the_spool_keeps_each_record_once_and_in_order() -> None:
    with Spool() as spool:
        assert spool.add("a", "1", b"late", rank="2")
        assert not spool.add("a", "1", b"again", rank="0")
        spool.add("a", "2", b"early", rank="1")
        spool.add("b", "1", b"x", thread="t")
        spool.add("b", "2", b"y", thread="t")
        assert spool.chats() == ["a", "b"]
        assert list(spool.alone("a")) == [b"early", b"late"]
        assert [list(spool.thread("b", thread)) for thread in spool.threads("b")] == [[b"x", b"y"]]


def test_a_wechat_time_of_any_length_is_no_traceback(write: Write) -> None:
    found = only(read(WeChat(), write("x.csv", wechat({"CreateTime": "2026/5/4 8:" + "9" * 9000}))))
    assert found.messages[0].created_at is None
