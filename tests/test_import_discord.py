"""Discord: DiscordChatExporter's files, and the one-sided data package."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from conftest import SAMPLES
from made import only, read

from ingest.archive import open_export
from ingest.importers.base import Item, Reject, Skip
from ingest.importers.discord import Discord
from ingest.importers.discord_package import DiscordPackage
from ingest.load import import_export
from ingest.message import Conversation

START = datetime(2026, 1, 1, 10, 0, tzinfo=UTC)
BIG = 9_007_199_254_740_993  # 2**53 + 1


def message(
    number: int, content: str = "hi", who: str = "Anna", kind: str = "Default", **more: Any
):
    return {
        "id": str(BIG + number),
        "type": kind,
        "timestamp": (START + timedelta(minutes=number)).isoformat(),
        "content": content,
        "author": {"id": f"{BIG}{who}", "name": who.lower(), "nickname": who, "isBot": False},
        "attachments": [], "embeds": [],
        **more,
    }  # fmt: skip


def document(*messages: Any, channel: str = "7", guild: str = "5", kind: str = "GuildTextChat"):
    return {
        "guild": {"id": guild, "name": "Mill"},
        "channel": {"id": channel, "type": kind, "name": "orders"},
        "dateRange": {"after": None, "before": None},
        "messages": list(messages),
        "messageCount": len(messages),
    }


@pytest.fixture
def items(tmp_path):
    """What an importer makes of files; bytes stand as they are."""

    def items_of(files: Any, importer: Any = Discord, **options: Any) -> list[Item]:
        files = files if "guild" not in files else {"any.json": files}
        for name, value in files.items():
            path = tmp_path / "export" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(value if isinstance(value, bytes) else json.dumps(value).encode())
        return read(importer(), tmp_path / "export", **options)

    return items_of


def texts(conversation: Conversation) -> list[str]:
    return [each.content for each in conversation.messages]


@pytest.mark.parametrize("kind", ["Default", "Reply", "ChatInputCommand", "20", "23"])
def test_dsc1_speech(items, kind):
    assert texts(only(items(document(message(1, "said", kind=kind))))) == ["said"]


@pytest.mark.parametrize(
    "kind", ["RecipientAdd", "Call", "ChannelNameChange", "GuildMemberJoin", "ThreadCreated", "46"]
)
def test_dsc1_everything_else_is_an_event(items, kind):
    found = only(items(document(message(1, "did it", kind=kind), message(2, "hi", "Bo"))))
    assert texts(found) == ["hi"]
    assert [text for _, text in found.metadata["events"]] == ["Anna: did it"]
    assert [p.name for p in found.participants] == ["Bo"]


def test_dsc2_parts_of_a_channel_merge_by_id_whatever_their_order(items):
    one, two, three = (message(n, str(n), who) for n, who in ((1, "A"), (2, "B"), (3, "A")))
    found = only(items({"a.json": document(three, two), "b.json": document(two, one)}))
    assert texts(found) == ["1", "2", "3"]
    assert [m.source_id for m in found.messages] == [str(BIG + n) for n in (1, 2, 3)]


def test_dsc3_a_thread_is_one_conversation_however_long_it_sleeps(items):
    talk = [message(1, "a"), message(60 * 24 * 40, "b", "Bo")]
    thread, channel = (
        document(*talk, channel="8", kind="GuildPublicThread"),
        document(*talk, channel="9"),
    )
    found = items({"1.json": thread, "2.json": channel})
    assert [texts(each) for each in found] == [["a", "b"], ["a"], ["b"]]


@pytest.mark.parametrize(("guild", "parts"), [("0", 1), ("5", 2)])
def test_dsc4_direct_messages_have_guild_0_and_part_after_six_hours(items, guild, parts):
    talk = [message(1, "a"), message(121, "b", "Bo")]
    assert len(items(document(*talk, guild=guild))) == parts


def test_dsc5_a_forwarded_message_is_not_empty_and_not_the_senders(items):
    forwarded = {"content": "from elsewhere", "attachments": [{"fileName": "a.png", "url": "u"}]}
    found = only(items(document(
        message(1, "look"),
        message(2, "", forwardedMessage=forwarded, reference={"messageId": "99"}),
        message(3, "well?"),
    )))  # fmt: skip
    assert [(m.content, m.train) for m in found.messages] == [
        ("look", None), ("from elsewhere", False), ("well?", None)]  # fmt: skip
    assert found.messages[1].extra["forwardedMessage"] == forwarded
    assert found.messages[1].attachments[0].kind == "image"
    assert found.messages[1].parent_id is None


def test_a_reply_names_its_question_and_begins_a_turn(items):
    found = only(items(document(
        message(1, "a"), message(2, "b"),
        message(3, "c", kind="Reply", reference={"messageId": str(BIG + 1)}),
    )))  # fmt: skip
    assert [(m.content, m.parent_id) for m in found.messages] == [
        ("a\nb", None), ("c", str(BIG + 1))]  # fmt: skip


def test_speakers_are_one_by_id_whatever_they_are_called(items):
    renamed = message(2, "b")
    renamed["author"]["nickname"] = "Anna of the mill"
    found = only(items(document(message(1, "a"), renamed), as_assistant=(f"{BIG}Anna",)))
    assert texts(found) == ["a\nb"]
    assert [(p.name, p.is_assistant) for p in found.participants] == [("Anna", True)]


def test_a_bots_embeds_are_its_text_and_unknown_fields_are_kept(items):
    embed = {"title": "Spelt", "description": "3.80"}
    found = only(items(document(message(1, "", embeds=[embed], mood="fine", isPinned=True))))
    assert texts(found) == ["Spelt\n3.80"]
    assert found.messages[0].extra == {"embeds": [embed], "mood": "fine", "isPinned": True}


def test_a_channel_without_messages_is_skipped(items):
    (item,) = items(document())
    assert isinstance(item, Skip)


def test_one_bad_message_costs_no_other(items):
    odd = {key: [{"x": 1}, 3] for key in message(1)} | {"id": "5"}
    raw = json.dumps(document(message(1, "a"), 7, {}, odd, message(2, "b"))).encode()
    raw = raw.replace(b'"b"', b'"b\xff"')
    found = items({"a.json": raw})
    said = [text for each in found if isinstance(each, Conversation) for text in texts(each)]
    assert said[-1] == "a\nb\ufffd"
    assert sum(isinstance(each, Reject) for each in found) == 2


@pytest.mark.parametrize("cut", [0.5, 0.8, 0.95])
def test_a_truncated_file_keeps_what_is_whole(items, cut):
    whole = json.dumps(document(*[message(n, f"text {n}") for n in range(1, 20)])).encode()
    raw = whole[: int(len(whole) * cut)]
    found = items({"a.json": raw})
    (kept,) = [each for each in found if isinstance(each, Conversation)]
    (reject,) = [each for each in found if isinstance(each, Reject)]
    count = raw.count(b'"embeds": []}')
    assert texts(kept)[0].split("\n") == [f"text {n}" for n in range(1, count + 1)]
    assert "byte" in reject.where


# -- the data package ------------------------------------------------------------------------------

CSV = "ID,Timestamp,Contents,Attachments\r\n"


def package(items, table: bytes | str, **more: Any) -> list[Item]:
    table = table.encode() if isinstance(table, str) else table
    return items({"messages/c7/messages.csv": table, **more}, DiscordPackage)


def test_dsc6_own_messages_are_stored_one_sided_and_never_trained(items):
    rows = (
        "2,2026-01-01 10:00:00+00:00,later,\r\n"
        f'{BIG},2026-01-01 10:00:30+00:00,"a, ""b""\nc",\r\n'
        "1,2026-01-01 09:59:00+00:00,first,https://x.example/a.png\r\n"
    )
    found = only(package(items, CSV + rows))
    assert found.metadata["one_sided"] is True
    assert [m.train for m in found.messages] == [False]
    assert texts(found) == ['first\nlater\na, "b"\nc']
    assert found.messages[0].extra["part_ids"] == ["1", "2", str(BIG)]
    assert found.messages[0].attachments[0].kind == "image"


@pytest.mark.parametrize("folder", ["messages", "Messages", "Nachrichten"])
def test_dsc6_the_case_of_folders_does_not_matter(items, folder):
    row = {"ID": BIG, "Timestamp": "2026-01-01 10:00:00", "Contents": "x", "Attachments": ""}
    files = {
        f"{folder}/c7/messages.json": [row],
        f"{folder}/c7/channel.json": {"id": "7", "type": 1},
        f"{folder}/index.json": {"7": "Direct Message with bo"},
        "Account/user.json": {"id": "1", "username": "anna", "email": "a@example.org"},
    }
    found = only(items(files, DiscordPackage))
    assert found.title == "Direct Message with bo"
    assert found.messages[0].source_id == str(BIG)
    assert found.messages[0].created_at == datetime(2026, 1, 1, 10, 0)
    assert [(p.name, p.id) for p in found.participants] == [("anna", "1")]


def test_dsc6_the_report_warns(store):
    report = import_export(SAMPLES / "discord-package" / "package", store)
    (warning,) = report.warnings
    assert "3 conversations hold one side only" in warning


@pytest.mark.parametrize(
    "rows", ["", "\r\n", ",,,\r\n", "5\r\n", 'x,y,"z', "5,never,text,,,,more\r\n", "\x00,\x00\r\n"]
)
def test_dsc6_odd_rows_are_counted_and_cost_nothing(items, rows):
    found = package(items, CSV + "1,2026-01-01 10:00:00,kept,\r\n" + rows)
    (kept,) = [each for each in found if isinstance(each, Conversation)]
    assert texts(kept)[0].startswith("kept")


@pytest.mark.parametrize("content", [CSV, "", "[]"])
def test_dsc6_a_channel_without_messages_is_skipped(items, content):
    found = package(items, content)
    assert all(isinstance(each, Skip | Reject) for each in found)
    assert found


def test_known_by_shape(tmp_path):
    def marks(raw: bytes) -> tuple[bool, bool]:
        path = tmp_path / "x"
        path.write_bytes(raw)
        export = open_export(path)
        return Discord().sniff(export) > 0.9, DiscordPackage().sniff(export) > 0.9

    assert marks(json.dumps(document(message(1))).encode()) == (True, False)
    assert marks(b"\xef\xbb\xbf" + CSV.encode() + b"1,2,3,4\r\n") == (False, True)
    assert marks(b'[{"ID": 1, "Timestamp": "", "Contents": ""}]') == (False, True)
    assert marks(b'{"messages": [], "name": "x"}') == (False, False)
    assert marks(b"ID,Name\r\n") == (False, False)


@pytest.mark.parametrize("end", ["\r", "\r\r\n"])
def test_dsc6_lines_of_other_files_may_end_in_any_way(tmp_path, end):
    path = tmp_path / "x"
    path.write_bytes(f"one two{end}three,four{end}".encode())
    assert DiscordPackage().sniff(open_export(path)) == 0
    path.write_bytes(CSV.replace("\r\n", end).encode())
    assert DiscordPackage().sniff(open_export(path)) > 0.9
