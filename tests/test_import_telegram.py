"""Telegram Desktop's export: one chat or an account, old and new, whole and damaged."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from made import only, read

from ingest.archive import open_export
from ingest.importers.base import Item, Reject, Skip
from ingest.importers.telegram import Telegram
from ingest.message import Attachment, Conversation

UNIX = 1767261600  # 2026-01-01 10:00 UTC
Chat = dict[str, Any]


def message(number: int, text: Any = "hi", who: str = "Anna", **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "type": "message",
        "date": f"2026-01-01T11:{number:02}:00",
        "date_unixtime": str(UNIX + 60 * number),
        "from": who,
        "from_id": f"user{who}",
        "text": text,
    } | more


def chat(*messages: Any, name: str | None = "Mill", id_: int = 7, **more: Any) -> Chat:
    return {"name": name, "type": "personal_chat", "id": id_, "messages": list(messages)} | more


def account(*chats: Any, left: tuple[Any, ...] = ()) -> Chat:
    return {
        "about": "Here is the data",
        "personal_information": {"user_id": 1},
        "contacts": {"list": [{"first_name": "x" * 300}] * 400},
        "chats": {"about": "", "list": list(chats)},
        "left_chats": {"about": "", "list": list(left)},
    }


@pytest.fixture
def items(tmp_path):
    def items_of(value: Any, **options: Any) -> list[Item]:
        path = tmp_path / "result.json"
        path.write_bytes(
            value if isinstance(value, bytes) else json.dumps(value, indent=1).encode()
        )
        return read(Telegram(), path, **options)

    return items_of


def texts(conversation: Conversation) -> list[str]:
    return [each.content for each in conversation.messages]


def talks(found: list[Item]) -> list[Conversation]:
    return [each for each in found if isinstance(each, Conversation)]


def test_tgm1_every_chat_of_an_account_and_the_left_ones_flagged(items):
    found = items(account(chat(message(1, "a")), chat(message(1, "b"), id_=8, name="Bo"),
                          left=(chat(message(1, "c"), id_=9, type="public_channel"),)))  # fmt: skip
    assert [(texts(each), each.metadata.get("left", False)) for each in found] == [
        (["a"], False), (["b"], False), (["c"], True)]  # fmt: skip
    assert len({each.id for each in found}) == 3


def test_tgm2_a_deleted_account_is_known_by_its_id(items):
    gone = [
        message(n, str(n)) | {"from": None, "from_id": id_}
        for n, id_ in ((1, "user8"), (2, "user9"))
    ]
    found = only(items(chat(*gone)))
    assert texts(found) == ["1", "2"]
    assert [(p.name, p.id) for p in found.participants] == [("user8", "user8"), ("user9", "user9")]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ([], ""),
        (["a ", {"type": "bold", "text": "b"}, "c"], "a bc"),
        ([{"type": "text_link", "text": "list", "href": "https://a.example"}, "!"],
         "[list](https://a.example)!"),
        ([{"type": "link", "text": "a.example"}], "a.example"),
        ([{"type": "mention_name", "text": "Bo", "user_id": 3}], "Bo"),
        ([{"type": "never_seen", "text": "kept"}, {"type": "empty"}, 3, None], "kept"),
        ("two\nlines \\\"quoted\\\"", "two\nlines \\\"quoted\\\""),
        (None, ""),
    ],
)  # fmt: skip
def test_tgm3_text_is_joined_without_separators_and_links_keep_their_target(items, text, shown):
    assert texts(only(items(chat(message(1, text))))) == [shown]


def test_tgm3_entities_alone_are_the_text(items):
    one = message(1, text_entities=[{"type": "plain", "text": "a"}, {"type": "bold", "text": "b"}])
    del one["text"]
    assert texts(only(items(chat(one)))) == ["ab"]


@pytest.mark.parametrize(
    ("times", "at"),
    [
        ({}, datetime(2026, 1, 1, 10, 1, tzinfo=UTC)),
        ({"date_unixtime": None}, datetime(2026, 1, 1, 11, 1)),
        ({"date": None}, datetime(2026, 1, 1, 10, 1, tzinfo=UTC)),
        ({"date": "yesterday", "date_unixtime": "soon"}, None),
    ],
)
def test_tgm4_the_unix_time_wins_and_either_will_do(items, times, at):
    found = only(items(chat(message(1) | times)))
    assert found.messages[0].created_at == at


def test_tgm4_times_with_and_without_zone_in_one_chat_do_not_break_it(items):
    found = only(items(chat(message(1, "a"), message(2, "b", "Bo", date_unixtime=None),
                            message(3, "c"))))  # fmt: skip
    assert texts(found) == ["a", "b", "c"]


def test_a_zone_that_the_user_names_is_given_to_local_times(items):
    found = only(items(chat(message(1, date_unixtime=None)), tz="Europe/Berlin"))
    assert found.created_at == datetime(2026, 1, 1, 10, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "sentence",
    ["(File not included. Change data exporting settings to download.)",
     "(File exceeds maximum size. Change data exporting settings to download.)"],
)  # fmt: skip
def test_tgm5_a_sentence_is_no_path(items, sentence):
    one = message(1, "", file=sentence, file_name="a.mp4", mime_type="video/mp4", file_size=9)
    (attachment,) = only(items(chat(one, message(2, photo=sentence)))).messages[0].attachments[:1]
    assert attachment == Attachment("video", name="a.mp4", mime_type="video/mp4", size_bytes=9)


@pytest.mark.parametrize(
    ("media", "kind"),
    [("voice_message", "audio"), ("sticker", "sticker"), ("animation", "video"), ("holo", "file")],
)
def test_tgm6_any_media_type_is_an_attachment(items, media, kind):
    (said,) = only(items(chat(message(1, "", media_type=media, file="files/x")))).messages
    assert [(a.kind, a.uri) for a in said.attachments] == [(kind, "files/x")]
    assert said.extra["media_type"] == media


@pytest.mark.parametrize("source", ["Mill news", None])
def test_tgm7_forwarded_text_is_not_the_senders(items, source):
    found = only(items(chat(message(1, "own"), message(2, "theirs", forwarded_from=source),
                            message(3, "own"))))  # fmt: skip
    assert [(m.content, m.train) for m in found.messages] == [
        ("own", None), ("theirs", False), ("own", None)]  # fmt: skip
    assert found.messages[1].extra["forwarded_from"] == source


def test_tgm8_a_channels_posts_are_signed_by_the_channel(items):
    post = message(1, "news") | {"from_id": "channel7"}
    del post["from"]
    found = only(items(chat(post, type="public_channel", name="Mill news")))
    assert [(p.name, p.id) for p in found.participants] == [("Mill news", "channel7")]


def test_service_lines_are_events(items):
    told = {"actor": "Anna", "action": "invite_members", "members": ["Bo", None], "text": ""}
    service = {"id": 1, "type": "service", "date_unixtime": str(UNIX), **told}
    found = only(items(chat(service, message(2))))
    assert [text for _, text in found.metadata["events"]] == ["Anna: invite members (Bo)"]
    assert texts(found) == ["hi"]


def test_replies_point_at_their_question_in_this_chat_only(items):
    here = message(2, "b", reply_to_message_id=1)
    elsewhere = message(3, "c", "Bo", reply_to_message_id=9, reply_to_peer_id="channel1")
    found = only(items(chat(message(1, "a"), here, elsewhere)))
    assert [m.parent_id for m in found.messages] == [None, "1", None]


def test_places_contacts_and_polls_are_attachments(items):
    found = only(items(chat(
        message(1, "", location_information={"latitude": 1.5, "longitude": 2}),
        message(2, "", "Bo", contact_information={"first_name": "A", "last_name": "B",
                                                  "phone_number": "+0"}),
        message(3, "", poll={"question": "When?", "answers": [{"text": "now"}, {"text": "later"}]}),
    )))  # fmt: skip
    kinds = [(a.kind, a.name, a.uri, a.text) for m in found.messages for a in m.attachments]
    assert kinds == [
        ("location", None, "geo:1.5,2", None),
        ("contact", "A B", None, "+0"),
        ("poll", "When?", None, "- now\n- later"),
    ]


def test_the_chosen_speaker_may_be_named_by_id(items):
    found = only(items(chat(message(1, "q"), message(2, "a", "Bo")), as_assistant=("userBo",)))
    assert [m.role for m in found.messages] == ["user", "assistant"]


def test_a_chat_without_messages_is_skipped(items):
    assert [type(each) for each in items(account(chat(), chat(message(1))))] == [Skip, Conversation]
    (item,) = items(chat())
    assert isinstance(item, Skip)


ODD = (
    b'{"id": [1], "type": {}, "date": [], "from": 4, "from_id": {}, "text": {}, "photo": 1,'
    b' "file": [], "poll": 7, "location_information": [], "contact_information": "x",'
    b' "reply_to_message_id": {}, "media_type": 3, "mime_type": 4, "file_size": "big"}'
)
BAD = [
    b'{"id": 2, "text": }',
    b'{"id": 2, "text": "\\ud83d"}',
    b'{"id": 2, "text": "\xff"}',
    b"7",
    ODD,
]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize(
    "whole", [chat, lambda *m: account(chat(*m), chat(message(1, "z"), id_=8))]
)
def test_one_bad_message_costs_no_other(items, whole, bad):
    raw = json.dumps(whole(message(1, "a"), "BAD", message(3, "b"))).encode()
    found = talks(items(raw.replace(b'"BAD"', bad)))
    said = [text for each in found for text in texts(each)]
    assert said[0].split("\n")[0] == "a"
    assert "b" in "\n".join(said).split("\n")
    assert ("z" in said) == (whole is not chat)


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.9])
def test_a_truncated_chat_keeps_what_is_whole(items, cut):
    raw = json.dumps(chat(*[message(n, f"text {n}") for n in range(1, 30)])).encode()
    raw = raw[: int(len(raw) * cut)]
    found = items(raw)
    count = raw.count(b'"}')
    assert texts(talks(found)[0])[0].split("\n") == [f"text {n}" for n in range(1, count + 1)]
    assert [type(each) for each in found] == [Conversation, Reject]


def test_a_truncated_account_keeps_whole_messages_of_its_last_chat(items):
    raw = json.dumps(account(chat(message(1, "a")), chat(message(1, "b"), message(2, "c"), id_=8)))
    found = items(raw[: raw.index('"c"')].encode())
    assert [texts(each) for each in talks(found)] == [["a"], ["b"]]
    assert talks(found)[1].metadata["type"] == "personal_chat"
    assert sum(isinstance(each, Reject) for each in found) >= 1


@pytest.mark.parametrize(
    ("value", "sure"),
    [
        (chat(message(1)), True),
        (account(chat(message(1))), True),
        ({"chats": {"list": []}}, True),
        ({"name": "x", "type": "a", "id": 1, "messages": [{"role": "user"}]}, False),
        ({"messages": [message(1)]}, False),
        ([chat(message(1))], False),
    ],
)
def test_known_by_shape(tmp_path, value, sure):
    path = tmp_path / "anything"
    path.write_text(json.dumps(value))
    assert (Telegram().sniff(open_export(path)) > 0.9) is sure
