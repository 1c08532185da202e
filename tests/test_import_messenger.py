"""Messenger and Instagram: parts, mangled text, the app's own words, the encrypted download."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from made import only, read

from ingest.archive import open_export
from ingest.importers.base import Item, Reject, Skip
from ingest.importers.messenger import Messenger
from ingest.importers.messenger_lines import repaired
from ingest.message import Conversation

MS = 1767261600000  # 2026-01-01 10:00 UTC


def mangled(text: str) -> str:
    return text.encode().decode("latin-1")


def message(minute: float, content: str | None = "hi", who: str = "Anna Reed", **more: Any):
    said = {} if content is None else {"content": content}
    return {"sender_name": who, "timestamp_ms": int(MS + minute * 60000), **said, **more}


def thread(*messages: Any, **more: Any) -> dict[str, Any]:
    return {
        "participants": [{"name": "Anna Reed"}, {"name": "Bo"}],
        "messages": list(messages),
        "title": "Anna Reed",
        "is_still_participant": True,
        "thread_path": "inbox/anna_1",
    } | more


def encrypted(*messages: Any, name: str = "Anna Reed_3") -> dict[str, Any]:
    return {"participants": ["Anna Reed", "Bo"], "threadName": name, "messages": list(messages)}


def secret(minute: float, text: str = "hi", who: str = "Anna Reed", **more: Any) -> dict[str, Any]:
    return {
        "senderName": who, "timestamp": int(MS + minute * 60000), "text": text, "type": "text",
        "media": [], "reactions": [], "isUnsent": False,
    } | more  # fmt: skip


@pytest.fixture
def items(tmp_path):
    """What the importer makes of files by name; one value alone is ``message_1.json``."""

    def items_of(files: Any, **options: Any) -> list[Item]:
        files = files if "participants" not in files else {"anna_1/message_1.json": files}
        for name, value in files.items():
            path = tmp_path / "export" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(value if isinstance(value, bytes) else json.dumps(value).encode())
        return read(Messenger(), tmp_path / "export", **options)

    return items_of


def texts(conversation: Conversation) -> list[str]:
    return [each.content for each in conversation.messages]


def events(conversation: Conversation) -> list[str]:
    return [text for _, text in conversation.metadata.get("events", [])]


@pytest.mark.parametrize("numbers", [(1, 2, 10), (10, 1, 2), (2, 10, 1)])
def test_msg1_parts_in_any_order_become_one_ascending_talk(items, numbers):
    # the higher the number the older, and the newest first in each
    parts = [
        thread(message(9, "6"), message(8, "5", "Bo")),
        thread(message(7, "4"), message(6, "3", "Bo")),
        thread(message(5, "2"), message(4, "1", "Bo")),
    ]
    by_number = dict(zip((1, 2, 10), parts, strict=True))
    found = only(items({f"inbox/anna_1/message_{n}.json": by_number[n] for n in numbers}))
    assert texts(found) == ["1", "2", "3", "4", "5", "6"]
    assert found.created_at == datetime(2026, 1, 1, 10, 4, tzinfo=UTC)


def test_msg1_messages_of_one_moment_keep_their_order(items):
    found = only(items(thread(message(1, "c", "Bo"), message(1, "b"), message(1, "a", "Bo"))))
    assert texts(found) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("text", "right"),
    [
        (mangled("Größe 🌾"), "Größe 🌾"),
        ("plain", "plain"),
        ("“right” already", "“right” already"),
        ("“half” " + mangled("é"), "“half” Ã©"),
        ("é", "é"),
        ("\u00ff\u00fe", "\u00ff\u00fe"),
        ("", ""),
    ],
)
def test_msg2_text_is_repaired_string_by_string_where_the_way_back_succeeds(text, right):
    assert repaired(text) == right
    assert repaired({"a": [text, 1, None]}) == {"a": [right, 1, None]}


def test_msg2_names_titles_and_reactions_too(items):
    name = mangled("Zoë")
    reaction = [{"reaction": mangled("🌾"), "actor": name}]
    found = only(items(thread(message(1, mangled("ä"), name, reactions=reaction), title=name)))
    assert (found.title, found.participants[0].name, texts(found)) == ("Zoë", "Zoë", ["ä"])
    assert found.messages[0].extra["reactions"] == [{"reaction": "🌾", "actor": "Zoë"}]


@pytest.mark.parametrize("kind", [{}, {"type": "Generic"}])
def test_msg3_the_type_may_be_missing(items, kind):
    found = only(items(thread(message(1, "said", **kind))))
    assert (texts(found), found.messages[0].extra) == (["said"], {})


@pytest.mark.parametrize("kind", [{"type": "Call"}, {"call_duration": 0}, {"type": "Subscribe"}])
def test_msg3_calls_are_events_by_type_or_duration(items, kind):
    found = only(items(thread(message(2), message(1, "The video chat ended.", **kind))))
    assert (texts(found), events(found)) == (["hi"], ["Anna Reed: The video chat ended."])


def test_msg4_an_unsent_message_is_kept_aside(items):
    found = only(items(thread(message(2), message(1, None, is_unsent=True))))
    assert [(m.content, m.train, m.on_path) for m in found.messages] == [
        ("", False, False),
        ("hi", None, True),
    ]


APP = [
    "Anna Reed sent an attachment.",
    "You sent an attachment.",
    "Anna sent an attachment.",
    "Anna Reed hat einen Anhang gesendet.",
    "Du hast einen Anhang gesendet.",
    "Enviaste un archivo adjunto.",
    "Reacted 😆 to your message ",
    "Hat mit ❤ auf deine Nachricht reagiert",
    "Reaccionó con 😆 a tu mensaje",
    "Liked a message",
    "Anna Reed named the group Mill hands.",
    "Anna Reed set the nickname for Bo to Flour.",
    "You missed a call from Bo.",
]


@pytest.mark.parametrize("text", APP)
def test_msg5_the_apps_words_are_events(items, text):
    found = only(items(thread(message(2), message(1, mangled(text)))))
    assert texts(found) == ["hi"]
    assert text in events(found)[0]


@pytest.mark.parametrize(
    "text",
    ["My boss sent an attachment.", "I reacted badly to your message", "Bo left the group.",
     "I turned off the oven", "He sent a photo.", "You are right", "Anna"],
)  # fmt: skip
def test_msg5_people_may_say_nearly_the_same(items, text):
    assert texts(only(items(thread(message(1, text))))) == [text]


def test_msg5_the_apps_words_beside_a_file_are_no_text(items):
    share = {"link": "https://a.example", "share_text": mangled("Brötchen")}
    found = only(items(thread(message(1, "Anna Reed sent an attachment.", share=share))))
    (said,) = found.messages
    assert said.content == ""
    assert [(a.kind, a.uri, a.text) for a in said.attachments] == [
        ("link", "https://a.example", "Brötchen")
    ]


def test_files_of_every_kind_are_attachments(items):
    keys = {"photos": "a.jpg", "videos": "b.mp4", "audio_files": "c.aac", "gifs": "d.gif"}
    files: dict[str, Any] = {key: [{"uri": uri}] for key, uri in keys.items()}
    files |= {"files": [{"uri": "e.pdf"}], "sticker": {"uri": "f.png"}}
    found = only(items(thread(message(1, None, **files))))
    assert [(a.kind, a.uri) for a in found.messages[0].attachments] == [
        ("image", "a.jpg"), ("video", "b.mp4"), ("audio", "c.aac"), ("gif", "d.gif"),
        ("file", "e.pdf"), ("sticker", "f.png")]  # fmt: skip


def test_msg6_the_two_downloads_of_a_person_stay_apart(items):
    found = items({"inbox/anna_1/message_1.json": thread(message(1, "old")),
                   "Anna Reed_3.json": encrypted(secret(2, "new"))})  # fmt: skip
    assert sorted(text for each in found for text in texts(each)) == ["new", "old"]
    assert {each.title for each in found} == {"Anna Reed"}
    assert [each.metadata.get("encrypted", False) for each in found] == [True, False]


@pytest.mark.parametrize("step", [1, -1])
def test_the_encrypted_download_reads_in_either_order(items, step):
    talk = [
        secret(1, "Größe"),
        secret(2, "", "Bo", type="media", media=[{"uri": "./media/a.png"}]),
        secret(3, "gone", isUnsent=True),
        secret(4, "not available", type="placeholder"),
        secret(5, "https://a.example", type="link"),
    ][::step]
    found = only(items({"Anna Reed_3.json": encrypted(*talk)}))
    assert [(m.content, m.on_path) for m in found.messages] == [
        ("Größe", True), ("", True), ("gone", False), ("https://a.example", True)]  # fmt: skip
    assert found.messages[1].attachments[0].uri == "./media/a.png"
    assert events(found) == ["Anna Reed: not available"]


def test_flat_encrypted_files_are_threads_of_their_own(items):
    found = items(
        {f"Anna Reed_{n}.json": encrypted(secret(n), name=f"Anna Reed_{n}") for n in (1, 2)}
    )
    assert len({each.id for each in found}) == 2


def test_a_thread_is_named_by_its_path_even_if_one_part_is_damaged(items):
    cut = json.dumps(thread(message(2, "new"), message(1.5, "lost"))).encode()[:180]
    whole = b"\xef\xbb\xbf" + json.dumps(thread(message(1, "old"))).encode()
    found = items({"x/message_1.json": cut, "x/message_2.json": whole})
    (kept,) = [each for each in found if isinstance(each, Conversation)]
    assert texts(kept) == ["old\nnew"]
    assert kept.source_id.startswith("inbox/anna_1|")
    assert sum(isinstance(each, Reject) for each in found) == 1


def test_wrong_types_cost_no_neighbour(items):
    odd = {key: [{"x": 1}, None] for key in ("content", "photos", "share", "sticker", "type",
                                             "reactions", "is_unsent")}  # fmt: skip
    found = items(thread(message(3, "c"), 7, message(2) | odd, None,
                         {"sender_name": 4, "timestamp_ms": "x"}, message(1, "a")))  # fmt: skip
    (kept,) = [each for each in found if isinstance(each, Conversation)]
    assert "a" in texts(kept)[1]
    assert "c" in texts(kept)[-1]
    assert sum(isinstance(each, Reject) for each in found) == 2


@pytest.mark.parametrize(
    "raw", [b"{}", b"null", b" ", b"[]", b"\xff", b'{"participants": [], "messages": []}']
)
def test_a_file_without_messages_is_counted(tmp_path, raw):
    path = tmp_path / "message_1.json"
    path.write_bytes(raw)
    found = read(Messenger(), path)
    assert found
    assert all(isinstance(each, Skip | Reject) for each in found)


@pytest.mark.parametrize(
    ("value", "sure"),
    [
        (thread(message(1)), True),
        (encrypted(secret(1)), True),
        ({"participants": [{"name": "x"}], "messages": [{"role": "user"}]}, False),
        ({"messages": [message(1)]}, False),
        ([thread(message(1))], False),
    ],
)
def test_known_by_shape(tmp_path, value, sure):
    path = tmp_path / "anything"
    path.write_text(json.dumps(value))
    assert (Messenger().sniff(open_export(path)) > 0.9) is sure
