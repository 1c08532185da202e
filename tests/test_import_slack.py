"""Slack's export: what its files hold, and what must not be lost or believed."""

import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from made import only, read

from ingest.archive import open_export
from ingest.importers.base import Item, Reject, Skip
from ingest.importers.slack import Slack
from ingest.importers.slack_text import plain_text, text_of_blocks
from ingest.message import Conversation

Files = dict[str, Any]
USERS = [{"id": "U1", "name": "anna", "profile": {"display_name": "Anna"}}]
CHANNELS = [{"id": "C1", "name": "mill", "members": ["U1"]}]
OLD = "1434139102.000002"


def message(
    ts: Any = OLD, text: str = "hi", user: str | None = "U1", **more: Any
) -> dict[str, Any]:
    who = {"user": user} if user else {}
    return {"type": "message", "ts": ts, "text": text, **who, **more}


@pytest.fixture
def items(tmp_path):
    """What the importer makes of the files of an export; bytes stand as they are."""

    def items_of(files: Files, **options: Any) -> list[Item]:
        for name, value in files.items():
            path = tmp_path / "export" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(value if isinstance(value, bytes) else json.dumps(value).encode())
        return read(Slack(), tmp_path / "export", **options)

    return items_of


@pytest.fixture
def channel(items):
    """The conversations of one channel."""

    def of(*messages: Any) -> list[Conversation]:
        found = items({"mill/2015-06-12.json": list(messages), "users.json": USERS,
                       "channels.json": CHANNELS})  # fmt: skip
        assert all(isinstance(each, Conversation) for each in found)
        return found

    return of


def texts(conversation: Conversation) -> list[str]:
    return [each.content for each in conversation.messages]


def test_slk1_the_ts_stays_text_and_keeps_its_microseconds(channel):
    ((said,),) = (each.messages for each in channel(message("1434139102.000002")))
    assert said.source_id == "1434139102.000002"
    assert said.created_at == datetime(2015, 6, 12, 19, 58, 22, 2, tzinfo=UTC)


def test_slk2_a_bots_text_may_stand_in_attachments_or_blocks_only(channel):
    block = {"type": "section", "text": {"type": "mrkdwn", "text": "from <@U1>"}}
    (found,) = channel(
        message("1.1", "", None, subtype="bot_message", username="Bell",
                attachments=[{"title": "Six", "text": "o'clock"}]),
        message("2.1", "", None, subtype="bot_message", bot_id="B2", blocks=[block]),
        message("3.1", "", None, subtype="bot_message", bot_id="B3",
                bot_profile={"name": "Three"}, attachments=[{"fallback": "fell back"}]),
    )  # fmt: skip
    assert [(m.name, m.content) for m in found.messages] == [
        ("Bell", "Six\no'clock"),
        ("B2", "from @Anna"),
        ("Three", "fell back"),
    ]


@pytest.mark.parametrize(
    "subtype", ["channel_join", "bot_add", "file_comment", "pinned_item", "never_seen"]
)
def test_slk3_what_nobody_said_is_an_event(channel, subtype):
    (found,) = channel(message("1.1", "<@U1> did it", subtype=subtype), message("2.1", "hi"))
    assert texts(found) == ["hi"]
    assert [text for _, text in found.metadata["events"]] == ["@Anna did it"]


def test_slk3_a_channel_of_events_alone_is_skipped(items):
    (item,) = items({"mill/d.json": [message(subtype="channel_join")]})
    assert isinstance(item, Skip)


def test_slk4_a_broadcast_answer_counts_once(channel):
    answer = message("2.1", "yes", thread_ts="1.1", subtype="thread_broadcast")
    (found,) = channel(message("1.1", "ready?", thread_ts="1.1"), answer, answer)
    assert texts(found) == ["ready?", "yes"]
    assert [m.parent_id for m in found.messages] == [None, "1.1"]


def test_slk5_answers_join_their_question_over_files(items):
    found = items({
        "mill/2015-06-12.json": [message("1434139102.1", "question", thread_ts="1434139102.1"),
                                 message("1434139103.1", "aside")],
        "mill/2015-06-20.json": [message("1434830302.1", "answer", "U2", thread_ts="1434139102.1")],
    })  # fmt: skip
    assert [texts(each) for each in found] == [["aside"], ["question", "answer"]]
    assert found[1].metadata["thread_ts"] == "1434139102.1"


def test_slk6_users_that_no_list_names_keep_their_id_or_profile(channel):
    (found,) = channel(
        message("1.1", "a", "USLACKBOT"),
        message("2.1", "b", "U404"),
        message("3.1", "c", "U405", user_profile={"real_name": "Gone Person"}),
    )
    assert [p.name for p in found.participants] == ["Slackbot", "U404", "Gone Person"]
    assert [p.id for p in found.participants] == ["USLACKBOT", "U404", "U405"]


def test_slk7_a_direct_message_is_named_by_its_people(items):
    found = only(items({"D1/d.json": [message()], "users.json": USERS,
                        "dms.json": [{"id": "D1", "members": ["U1", "U9"]}]}))  # fmt: skip
    assert found.title == "Anna, U9"
    assert found.metadata == {"channel": "D1"}


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("<@U1>", "@Anna"),
        ("<@U2|bo>", "@bo"),
        ("<@U404>", "@U404"),
        ("<#C1>", "#mill"),
        ("<#C2|oven>", "#oven"),
        ("<!here> <!subteam^S1|@bakers>", "@here @bakers"),
        ("<!date^1392734382^{date}|18 Feb>", "18 Feb"),
        ("<https://a.example/b|the list>", "[the list](https://a.example/b)"),
        ("<https://a.example/b>", "https://a.example/b"),
        ("<http://a.example|a.example>", "a.example"),
        ("<mailto:a@example.org|a@example.org>", "a@example.org"),
        ("a &lt;b&gt; &amp; c", "a <b> & c"),
        ("&lt;@U1&gt;", "<@U1>"),
        ("&amp;lt;", "&lt;"),
        ("a < b > c", "a < b > c"),
    ],
)
def test_slk8_markup_is_decoded_once_after_splitting(raw, shown):
    assert plain_text(raw, {"U1": "Anna", "C1": "mill"}) == shown


def test_slk8_rich_blocks_read_as_they_were_shown():
    def section(*runs: dict[str, str]) -> dict[str, Any]:
        return {"type": "rich_text_section", "elements": list(runs)}

    said = {"type": "text", "text": "see "}
    link = {"type": "link", "url": "https://a.example", "text": "a"}
    block = {"type": "rich_text", "elements": [
        section(said, {"type": "user", "user_id": "U1"}, {"type": "emoji", "name": "wave"}),
        {"type": "rich_text_list", "elements": [section(link), section(said)]},
    ]}  # fmt: skip
    assert (
        text_of_blocks([block], {"U1": "Anna"})
        == "see @Anna:wave:\n- [a](https://a.example)\n- see "
    )


@pytest.mark.parametrize("ts", [None, "", "soon", 1434139102.000002, [], "1e9", "-1.0"])
def test_slk9_a_bad_ts_costs_one_message(items, ts):
    found = items({"mill/d.json": [message("1.1", "a"), message(ts, "b"), message("2.1", "c")]})
    rejects = [each for each in found if isinstance(each, Reject)]
    (kept,) = [each for each in found if isinstance(each, Conversation)]
    assert texts(kept) == ["a\nc"]
    assert len(rejects) == 1
    assert "mill/d.json" in rejects[0].where


def test_slk10_export_tokens_are_redacted_everywhere(channel):
    url = "https://files.slack.com/F1/a.png?t=xoxe-12-ab-C_d"
    (found,) = channel(
        message(text=f"<{url}>", files=[{"name": "a.png", "url_private": url}], odd={"u": url})
    )
    assert "xoxe" not in str(found)
    (said,) = found.messages
    bare = url.partition("?")[0]
    assert (said.content, said.attachments[0].uri, said.extra["odd"]) == (bare, bare, {"u": bare})


@pytest.mark.parametrize(
    ("query", "left"),
    [("?t=xoxe-1-a", ""), ("?t=xoxe-1&amp;w=2", "?w=2"), ("?w=2&amp;t=xoxe-1", "?w=2"),
     ("?w=2&amp;t=xoxe-1&amp;h=3", "?w=2&h=3"), ("?t=noon", "?t=noon"),
     ("?t=xoxe-1&amp;t=xoxp-2", "?")],
)  # fmt: skip
def test_slk10_what_stands_beside_a_token_stays(channel, query, left):
    (found,) = channel(message(text=f"<https://files.slack.com/a.png{query}>"))
    assert found.messages[0].content == f"https://files.slack.com/a.png{left}"


def test_slk11_channel_names_of_zips_that_hide_their_utf8(tmp_path):
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("m\u00fchle/2015-06-12.json", json.dumps([message()]))
    raw = path.read_bytes()
    # without the flag that says so, as many zip programs write them
    for at in (6, raw.index(b"PK\x01\x02") + 8):
        raw = raw[: at + 1] + bytes([raw[at + 1] & ~0x08]) + raw[at + 2 :]
    path.write_bytes(raw)
    assert only(read(Slack(), path)).title == "m\u00fchle"


def test_old_exports_have_one_file_a_message(channel):
    file = {"id": "F1", "name": "a.pdf", "mimetype": "application/pdf", "size": 7}
    (found,) = channel(message(subtype="file_share", file=file, upload=True))
    (attachment,) = found.messages[0].attachments
    assert (attachment.kind, attachment.name, attachment.size_bytes) == ("file", "a.pdf", 7)


def test_a_deleted_question_is_kept_aside(channel):
    (found,) = channel(
        message("1.1", "This message was deleted.", subtype="tombstone", thread_ts="1.1"),
        message("2.1", "I see", thread_ts="1.1"),
    )
    assert [(m.content, m.train, m.on_path) for m in found.messages] == [
        ("", False, False),
        ("I see", None, True),
    ]


def test_a_busy_channel_parts_after_an_hour_and_a_direct_talk_after_six(items):
    late = message("1434146302.1", "b")  # two hours later
    found = items({"mill/d.json": [message("1434139102.1", "a"), late], "channels.json": CHANNELS,
                   "D1/d.json": [message("1434139102.1", "a"), late],
                   "dms.json": [{"id": "D1", "members": ["U1"]}]})  # fmt: skip
    assert [each.metadata["channel"] for each in found] == ["D1", "C1", "C1"]


def test_unknown_fields_and_blocks_are_kept_raw(channel):
    blocks = [{"type": "rich_text", "elements": []}, {"type": "hologram", "x": 1}]
    (found,) = channel(message(blocks=blocks, mood="fine", reactions=[{"name": "ok"}]))
    assert found.messages[0].extra == {
        "blocks": [{"type": "hologram", "x": 1}],
        "mood": "fine",
        "reactions": [{"name": "ok"}],
    }


@pytest.mark.parametrize("cut", [10, 60, 90, 130])
def test_a_truncated_day_keeps_what_is_whole(items, cut):
    whole = json.dumps([message("1.1", "a"), message("2.1", "b"), message("3.1", "c")]).encode()
    found = items({"mill/1.json": [message("0.1", "first")], "mill/2.json": whole[:cut]})
    assert sum(isinstance(each, Reject) for each in found) == 1
    kept = "\n".join(
        text for each in found if isinstance(each, Conversation) for text in texts(each)
    )
    assert kept == "\n".join(["first", "a", "b"][: 1 + whole[:cut].count(b"}")])


ODD = [b"", b"   ", b"null", b"{}", b'[1, null, [], "x"]', b"\xff\xfe\x00", b"[" * 2000]


@pytest.mark.parametrize("raw", ODD)
def test_a_file_that_is_no_day_costs_no_other(items, raw):
    found = items({"mill/1.json": [message(text="kept")], "mill/2.json": raw, "users.json": raw})
    assert [texts(each) for each in found if isinstance(each, Conversation)] == [["kept"]]
    assert all(isinstance(each, Conversation | Reject) for each in found)


def test_wrong_types_everywhere_cost_nothing_else(items):
    keys = ("text", "user", "subtype", "files", "blocks", "thread_ts", "attachments")
    keys += ("user_profile", "bot_profile", "username")
    objects: Files = {key: {"x": [1]} for key in keys}
    lists: Files = {key: [None, 3, "x"] for key in keys if key != "subtype"}
    odd = [message("2.1") | objects, message("3.1") | lists]
    found = items({"mill/1.json": [message("1.1", "a"), *odd, message("4.1", "b")]})
    assert not [each for each in found if isinstance(each, Reject)]
    said = [text for each in found for text in texts(each)]
    assert (said[0], said[-1]) == ("a", "b")


@pytest.mark.parametrize("name", ["anything.json", "export.bin"])
def test_it_is_known_by_shape_and_not_by_name(tmp_path: Path, name):
    path = tmp_path / name
    path.write_text(json.dumps([message()]))
    assert Slack().sniff(open_export(path)) > 0.9
    path.write_text(json.dumps([{"type": "message", "date": "2020"}]))
    assert Slack().sniff(open_export(path)) == 0


def test_slk_a_member_that_is_no_id_is_no_name(items):
    dms = [{"id": "D1", "members": [["U1"], None, "U1", {"id": 1}, 7]}]
    found = items({"D1/2015-06-12.json": [message()], "users.json": USERS, "dms.json": dms})
    assert [each.title for each in found if isinstance(each, Conversation)] == ["Anna, 7"]
