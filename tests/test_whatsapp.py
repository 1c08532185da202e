"""WhatsApp's text export in the shapes that its platforms and locales write."""

import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from made import only, read

from ingest.archive import open_export
from ingest.errors import ExportError
from ingest.importers import whatsapp_lines, whatsapp_phrases
from ingest.importers.base import Item, Reject, Skip
from ingest.importers.whatsapp import WhatsApp
from ingest.importers.whatsapp_dates import DateFormat
from ingest.importers.whatsapp_phrases import may_be_the_apps
from ingest.message import Attachment, Conversation

NAME = "WhatsApp Chat with Anna Reed.txt"


@pytest.fixture
def items(tmp_path):
    def items_of(text: str | bytes, **options: Any) -> list[Item]:
        path = tmp_path / NAME
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read(WhatsApp(), path, **options)

    return items_of


@pytest.fixture
def chat(items):
    """The one session of a chat."""

    def chat_of(text: str | bytes, **options: Any) -> Conversation:
        return only(items(text, **options))

    return chat_of


def said(conversation: Conversation) -> list[tuple[str | None, str]]:
    return [(message.name, message.content) for message in conversation.messages]


def events(conversation: Conversation) -> list[str]:
    return [text for _, text in conversation.metadata.get("events", [])]


# -- heads ---------------------------------------------------------------------------------------

HEADS = [
    ("31/01/2026, 15:52 - ", datetime(2026, 1, 31, 15, 52)),
    ("31/1/26, 15:52 - ", datetime(2026, 1, 31, 15, 52)),
    ("1/31/26, 3:52 PM - ", datetime(2026, 1, 31, 15, 52)),
    ("1/31/26, 3:52\u202fPM - ", datetime(2026, 1, 31, 15, 52)),
    ("1/31/26, 12:05\u202fAM - ", datetime(2026, 1, 31, 0, 5)),
    ("1/31/26, 12:05\u202fPM - ", datetime(2026, 1, 31, 12, 5)),
    ("31/1/26, 3:52 p. m. - ", datetime(2026, 1, 31, 15, 52)),
    ("31/1/26, 3:52\u00a0p.\u00a0m. - ", datetime(2026, 1, 31, 15, 52)),
    ("31/1/26, 3:52\u202fa.\u00a0m. - ", datetime(2026, 1, 31, 3, 52)),
    ("31/1/26, 3:52 p.m. - ", datetime(2026, 1, 31, 15, 52)),
    ("31/1/26, 3:52pm - ", datetime(2026, 1, 31, 15, 52)),
    ("31.01.26, 15:52 - ", datetime(2026, 1, 31, 15, 52)),
    ("31.01.2026 15:52 - ", datetime(2026, 1, 31, 15, 52)),
    ("31-01-2026 15:52 - ", datetime(2026, 1, 31, 15, 52)),
    ("31/01/2026 15.52 \u2013 ", datetime(2026, 1, 31, 15, 52)),
    ("2026-01-31, 15:52 - ", datetime(2026, 1, 31, 15, 52)),
    ("2026.01.31 15:52 - ", datetime(2026, 1, 31, 15, 52)),
    ("2026/01/31, 15:52 - ", datetime(2026, 1, 31, 15, 52)),
    ("2026/1/31 \u4e0b\u53483:52 - ", datetime(2026, 1, 31, 15, 52)),
    ("2026/1/31 \u4e0a\u534812:05 - ", datetime(2026, 1, 31, 0, 5)),
    ("2026. 1. 31. \uc624\ud6c4 3:52 - ", datetime(2026, 1, 31, 15, 52)),
    ("[31.01.26, 15:52:07] ", datetime(2026, 1, 31, 15, 52, 7)),
    ("[1/31/26, 3:52:07\u202fPM] ", datetime(2026, 1, 31, 15, 52, 7)),
    ("[2026-01-31, 3:52:07 p.\u202fm.] ", datetime(2026, 1, 31, 15, 52, 7)),
    ("[01/31/26 15:52] ", datetime(2026, 1, 31, 15, 52)),
    ("\u200e[31.01.26, 15:52:07] ", datetime(2026, 1, 31, 15, 52, 7)),
    ("\u202a[31.01.26, 15:52:07] ", datetime(2026, 1, 31, 15, 52, 7)),
    ("[\u200e31.01.26, 15:52:07] ", datetime(2026, 1, 31, 15, 52, 7)),
    ("\u200e31/01/2026, 15:52 - ", datetime(2026, 1, 31, 15, 52)),
    ("\ufeff31/01/2026, 15:52 - ", datetime(2026, 1, 31, 15, 52)),
]


@pytest.mark.parametrize(("head", "at"), HEADS, ids=[ascii(head) for head, _ in HEADS])
def test_a_head_in_every_shape(chat, head, at):
    found = chat(f"{head}Anna: Hello: you\n{head}\u200eBo: \u202aHi\u202c\n")
    assert said(found) == [("Anna", "Hello: you"), ("Bo", "Hi")]
    assert found.messages[0].created_at == at
    assert found.created_at == at
    assert at.tzinfo is None


@pytest.mark.parametrize("text", ["Anna: Hello\n", "just a note\n", "12 - 13: x\n"])
def test_a_file_without_heads_is_an_error_that_names_the_file(items, text):
    with pytest.raises(ExportError, match="no line starts with a date") as caught:
        items(text)
    assert NAME in caught.value.message
    assert caught.value.hint


# -- the order of day and month ------------------------------------------------------------------


def dated(*dates: str) -> str:
    return "".join(f"{date}, 10:00 - Anna: x\n" for date in dates)


@pytest.mark.parametrize(
    ("dates", "order"),
    [
        (("1/2/26", "13/2/26"), "dmy"),
        (("1/2/26", "2/13/26"), "mdy"),
        (("12/31/25", "1/1/26"), "mdy"),
        (("2026-02-01",), "ymd"),
        (("2026-02-01", "13/2/26"), "dmy"),
    ],
)
def test_the_order_is_inferred_from_the_whole_file(items, dates, order):
    found = [c for c in items(dated(*dates)) if isinstance(c, Conversation)]
    assert [c.created_at for c in found] == [
        DateFormat(order).parse(date, "10:00")
        for date in dates  # type: ignore[arg-type]
    ]


def test_the_deciding_date_may_be_the_last_of_a_long_file(items, monkeypatch):
    monkeypatch.setattr(whatsapp_lines, "_BLOCK", 64)
    found = items(dated(*["1/2/26"] * 200, "1/13/26"))
    assert found[0].created_at == datetime(2026, 1, 2, 10, 0)  # type: ignore[union-attr]


@pytest.mark.parametrize("dates", [("1/2/26", "12/12/26"), ("13/2/26", "2/13/26")])
def test_an_order_that_stays_open_is_an_error_of_two_lines(items, dates):
    with pytest.raises(ExportError, match="order of day and month") as caught:
        items(dated(*dates))
    assert "--date-order" in caught.value.hint
    assert NAME in caught.value.message


@pytest.mark.parametrize(
    ("dates", "order"),
    [
        (("1/2/26", "2/2/26", "1/3/26"), "dmy"),
        (("2/1/26", "2/2/26", "3/1/26"), "mdy"),
        (("12/11/25", "1/2/26", "2/1/26"), "mdy"),
        (("11/12/25", "2/1/26", "1/2/26"), "dmy"),
        (("5/6/26", "6/5/26"), "mdy"),
        (("2026-02-01", "1/3/26"), "dmy"),
    ],
)
def test_wap3_where_numbers_leave_it_open_the_order_in_which_dates_never_go_back_wins(
    items, dates, order
):
    found = items(dated(*dates))
    assert found[-1].created_at == DateFormat(order).parse(dates[-1], "10:00")


@pytest.mark.parametrize(
    "dates",
    [
        ("1/2/26", "1/2/26"),
        ("1/1/26", "2/2/26", "3/3/26"),
        ("3/3/26", "2/2/26", "4/4/26"),
        ("1/2/26", "1/3/26", "5/5/26", "1/4/26"),
    ],
)
def test_wap3_where_both_or_neither_go_back_the_user_is_asked(items, dates):
    with pytest.raises(ExportError, match="order of day and month"):
        items(dated(*dates))


def test_wap3_a_line_in_a_message_that_looks_like_a_date_does_not_count(items):
    found = items(dated("5/2/26") + "1/2/25 was the day\n" + dated("1/3/26"))
    assert found[-1].created_at == datetime(2026, 3, 1, 10, 0)


def test_one_chat_that_stays_open_costs_no_other(tmp_path):
    (tmp_path / "a.txt").write_text(dated("1/2/26"))
    (tmp_path / "b.txt").write_text(dated("31/2/26", "30/1/26"))
    reject, kept = read(WhatsApp(), tmp_path)
    assert isinstance(reject, Reject)
    assert reject.where == "a.txt"
    assert "--date-order" in reject.hint
    assert isinstance(kept, Conversation)


def test_a_zone_that_the_user_names_is_given_to_the_times(chat):
    found = chat(f"{H}Anna: hi\n", tz="Europe/Berlin")
    assert found.created_at == datetime(2026, 1, 31, 9, 0, tzinfo=UTC)
    assert found.messages[0].created_at == found.created_at
    assert found.id == chat(f"{H}Anna: hi\n").id


@pytest.mark.parametrize(("order", "month"), [("dmy", 2), ("mdy", 1)])
def test_the_user_says_the_order(items, order, month):
    (found,) = items(dated("1/2/26"), date_order=order)
    assert found.created_at.month == month  # type: ignore[union-attr]


def test_a_date_that_is_none_is_kept_as_it_stands(chat):
    found = chat(dated("31/1/26", "31/2/26"))
    assert found.messages[0].extra["parts"][1] == [None, 1]
    assert found.messages[0].extra["time"] == "31/2/26 10:00"


def test_the_order_of_lines_is_the_files(chat):
    text = "31/1/26, 10:30 - Anna: first\n31/1/26, 10:00 - Bo: second\n"
    assert [text for _, text in said(chat(text))] == ["first", "second"]


# -- names and texts -----------------------------------------------------------------------------

H = "31/01/2026, 10:00 - "
MAP = "https://maps.google.com/?q=1,2"
NAMES = [
    "Anna",
    "+49 151 2345678",
    "~ Zoë",
    "Tobin-2 (Bakery)",
    "7 of 9",
    "Æ 🌾 - 🌻",
    'Joe "Big" Reed',
    "\u201eMimi\u201c M\u00fcller",
    "O'Neil & Sons",
    "a" * 120,
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_may_hold_nearly_anything(chat, name):
    found = chat(f"{H}{name}: hi\n{H}Bo: ho\n{H}{name}: again: and again\n")
    assert said(found) == [(name, "hi"), ("Bo", "ho"), (name, "again: and again")]


def test_marks_around_a_phone_number_are_no_part_of_the_name(chat):
    assert said(chat(f"{H}\u202a+49 151 2345678\u202c: hi\n")) == [("+49 151 2345678", "hi")]


def test_a_message_runs_to_the_next_head(chat):
    text = f"{H}Anna: list:\n\n- one: 1\n10:30 - no head\n1. two\n[x] three\n\n{H}Bo: ok\n"
    assert said(chat(text)) == [
        ("Anna", "list:\n\n- one: 1\n10:30 - no head\n1. two\n[x] three"),
        ("Bo", "ok"),
    ]


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n"])
def test_the_last_line_may_end_in_any_way(chat, end):
    assert said(chat(f"{H}Anna: a\n{H}Bo: b{end}")) == [("Anna", "a"), ("Bo", "b")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_encodings_and_line_ends(chat, encoding, newline):
    text = newline.join([f"{H}Zo\u00eb: a\u20ac", "second", f"{H}Bo: b", ""])
    marks = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}
    found = chat(marks.get(encoding, b"") + text.encode(encoding))
    assert said(found) == [("Zo\u00eb", "a\u20ac\nsecond"), ("Bo", "b")]


def test_bytes_that_are_no_utf8_are_replaced(chat):
    assert said(chat(H.encode() + b"Anna: a\xff\n")) == [("Anna", "a\ufffd")]


@pytest.mark.parametrize("text", ["", " ", "\u200e"])
def test_an_empty_text_is_still_somebodys_line(chat, text):
    found = chat(f"{H}Anna: hi\n{H}Bo:{text}\n{H}Anna: ho\n")
    assert [name for name, _ in said(found)] == ["Anna", "Bo", "Anna"]


@pytest.mark.parametrize("block", [1, 7, 64, 1000])
def test_blocks_of_any_size_give_the_same(chat, monkeypatch, block):
    text = "".join(
        f"{H}{name}: z\u00eb\u20ac\r\nmore {n}\r\n\r\n" for n, name in enumerate("ABAAB" * 9)
    )
    whole = chat(text)
    monkeypatch.setattr(whatsapp_lines, "_BLOCK", block)
    assert chat(text) == whole
    assert len(whole.messages) == 36


# -- what the app says ---------------------------------------------------------------------------

SAID_BY_THE_APP = [
    "Messages and calls are end-to-end encrypted. Learn more.",
    "Anna created group \u201cMill: orders\u201d",
    'Anna changed the subject from "a: b" to "c: d"',
    'Anna changed the subject to "a: b"',
    "Anna hat den Betreff von \u201ea: b\u201c zu \u201ec\u201c ge\u00e4ndert",
    "Your security code with Anna changed. Tap to learn more.",
    "Anna joined using this group's invite link",
    "Missed voice call",
    "Anna added you",
    "Something new without a colon",
    "",
]


@pytest.mark.parametrize("line", SAID_BY_THE_APP)
def test_what_the_app_says_is_an_event_and_no_speech(chat, line):
    found = chat(f"{H}{line}\n{H}Anna: hi\n")
    assert said(found) == [("Anna", "hi")]
    assert events(found) == [line]
    assert [p.name for p in found.participants] == ["Anna"]


def test_on_ios_the_app_speaks_behind_a_mark(chat):
    head = "[31.01.26, 10:00:00] "
    found = chat(f"{head}Mill: \u200eAnna hat die Gruppe verlassen\n{head}Anna: hi\n")
    assert said(found) == [("Anna", "hi")]
    assert events(found) == ["Mill: Anna hat die Gruppe verlassen"]


def test_a_known_speaker_may_say_what_the_app_says(chat):
    found = chat(f"{H}Anna: hi\n{H}Bo: ok\n{H}Anna: Missed voice call, end-to-end encrypted\n")
    assert said(found)[-1] == ("Anna", "Missed voice call, end-to-end encrypted")


@pytest.mark.parametrize(
    "text",
    [
        "Missed voice call, Tap to call back",
        "Missed group video call",
        "Voice call, 12 min",
        "Voice call, 1 hr 5 min",
        "Video call, No answer",
        "Verpasster Sprachanruf um 10:30",
        "Videoanruf, 3 Min.",
    ],
)
@pytest.mark.parametrize("mark", ["", "\u200e"])
def test_wap6_calls_are_events_even_of_known_speakers(chat, mark, text):
    found = chat(f"{H}Anna: hi\n{H}Anna: {mark}{text}\n{H}Anna: ho\n")
    assert said(found) == [("Anna", "hi\nho")]
    assert events(found) == [f"Anna: {text}"]


@pytest.mark.parametrize(
    "text",
    [
        "Missed voice calls are my fate",
        "Voice call, please",
        "Video call",
        "Location: the mill",
        "an image omitted from the book was omitted",
        "see https://maps.google.com/?q=1,2 later",
        "(file attached)",
        "1 < 2 > 0",
        "POLL: who comes?",
        "This message was deleted by me",
    ],
)
def test_wap6_people_may_say_nearly_the_same(chat, text):
    assert said(chat(f"{H}Anna: hi\n{H}Bo: {text}\n"))[1] == ("Bo", text)


@pytest.mark.parametrize(
    ("text", "kind", "file", "caption"),
    [
        ("Our loaf \u200eimage omitted", "image", None, "Our loaf"),
        ("two\nlines \u200e<attached: 1-PHOTO.jpg>", "image", "1-PHOTO.jpg", "two\nlines"),
        ("list.pdf \u2022 \u200e3 pages \u200edocument omitted", "file", "list.pdf", ""),
        ("\u200evideo note omitted", "video", None, ""),
        ("\u200eContact card omitted", "contact", None, ""),
        ("\u200eGIF omitted", "gif", None, ""),
        (f"location: {MAP}", "location", MAP, ""),
        (f"The Mill, Lane 1: {MAP}", "location", MAP, ""),
    ],
)  # fmt: skip
def test_wap6_captions_stand_before_or_after_the_file(chat, text, kind, file, caption):
    (message,) = chat(f"[31.01.26, 10:00:00] Anna: {text}\n").messages
    assert message.content == caption
    assert message.attachments == (Attachment(kind, uri=file),)


def every_phrase() -> list[str]:
    """A text for every phrase that the app's tables hold."""
    tables = whatsapp_phrases
    return [
        *tables._OMITTED_PHRASES,
        *(f"{kind} {word}" for kind in tables._IOS_KINDS for word in tables._OMITTED_WORDS),
        *tables._DELETED_PHRASES,
        *(f"{phrase}." for phrase in tables._DELETED_PHRASES),
        *(f"{word}:\nBread?\nOPTION: yes" for word in tables._POLL_WORDS),
        *(f"{word}: https://maps.google.com/?q=1" for word in tables._PLACE_WORDS),
        "This message was deleted by admin Anna",
        "a.jpg (Datei angeh\u00e4ngt)",
    ]


def test_the_quick_look_at_a_text_misses_no_phrase():
    assert [each for each in every_phrase() if not may_be_the_apps(each)] == []


@pytest.mark.parametrize("text", every_phrase())
def test_no_phrase_of_the_app_is_speech_of_a_known_speaker(chat, text):
    found = chat(f"{H}Anna: hi\n{H}Bo: ho\n{H}Anna: {text}\n")
    assert "".join(content for _, content in said(found)) == "hiho"


@pytest.mark.parametrize("mark", ["", "\u200e"])
def test_a_poll_is_no_speech(chat, mark):
    found = chat(f"{H}Anna: hi\n{H}Anna: {mark}POLL:\nBread?\nOPTION: yes (1 vote)\n{H}Anna: ho\n")
    assert "OPTION" not in "".join(text for _, text in said(found))
    assert "OPTION" in "".join(events(found))


@pytest.mark.parametrize(
    ("text", "attachment", "caption"),
    [
        ("<Media omitted>", Attachment("media"), ""),
        ("<Medien ausgeschlossen>", Attachment("media"), ""),
        ("<Multimedia omitido>\nlook", Attachment("media"), "look"),
        ("\u200eimage omitted", Attachment("image"), ""),
        ("\u200eBild weggelassen", Attachment("image"), ""),
        ("\u200e<attached: 00000012-PHOTO.jpg>", Attachment("image", uri="00000012-PHOTO.jpg"), ""),
        ("IMG-1.jpg (file attached)\nlook here", Attachment("image", uri="IMG-1.jpg"), "look here"),
        ("\u200ePTT-1.opus (file attached)", Attachment("audio", uri="PTT-1.opus"), ""),
        ("my list.pdf (Datei angeh\u00e4ngt)", Attachment("file", uri="my list.pdf"), ""),
        (
            "Location: https://maps.google.com/?q=1,2",
            Attachment("location", uri="https://maps.google.com/?q=1,2"),
            "",
        ),
    ],
)
def test_files_are_attachments_and_no_speech(chat, text, attachment, caption):
    (message,) = chat(f"{H}Anna: {text}\n").messages
    assert (message.content, message.attachments) == (caption, (attachment,))


@pytest.mark.parametrize(
    "text",
    [
        "This message was deleted",
        "You deleted this message.",
        "Diese Nachricht wurde gel\u00f6scht",
    ],
)
def test_a_deleted_message_stands_alone_and_is_not_trained(chat, text):
    found = chat(f"{H}Anna: a\n{H}Anna: {text}\n{H}Anna: b\n")
    assert [(m.content, m.train) for m in found.messages] == [("a", None), ("", False), ("b", None)]
    assert found.messages[1].extra == {"deleted": True}


def test_an_edited_message_loses_the_apps_words(chat):
    (message,) = chat(f"{H}Anna: fixed \u200e<This message was edited>\n").messages
    assert (message.content, message.extra) == ("fixed", {"edited": True})


# -- conversations -------------------------------------------------------------------------------


def test_sessions_are_conversations_with_lasting_ids(items):
    days = [f"{day:02}/01/2026, 10:00 - Anna: x\n" for day in (13, 14, 15)]
    two, three = items("".join(days[:2])), items("".join(days))
    assert len(three) == 3
    assert [c.id for c in three[:2]] == [c.id for c in two]
    assert len({c.id for c in three}) == 3


def test_the_assistant_is_whom_the_user_chose(chat):
    text = f"{H}Anna: q\n{H}Bo: a\n"
    assert [m.role for m in chat(text).messages] == ["user", "user"]
    found = chat(text, as_assistant=("Bo",))
    assert [m.role for m in found.messages] == ["user", "assistant"]
    assert [(p.name, p.is_assistant) for p in found.participants] == [("Anna", False), ("Bo", True)]


def test_a_chat_in_which_nobody_speaks_is_skipped(items):
    (item,) = items(f"{H}Anna created group \u201cMill\u201d\n")
    assert isinstance(item, Skip)
    assert item.reason == "no messages"


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("WhatsApp Chat with Anna Reed.txt", "Anna Reed"),
        ("WhatsApp Chat with Anna (2).txt", "Anna"),
        ("WhatsApp Chat mit Zo\u00eb.txt", "Zo\u00eb"),
        ("Chat de WhatsApp con Mill: orders.txt", "Mill: orders"),
        ("Mill orders/_chat.txt", "Mill orders"),
        ("WhatsApp Chat - Anna/_chat.txt", "Anna"),
        ("notes.txt", "notes"),
    ],
)
def test_the_title_is_the_chats_name(tmp_path, name, title):
    path = tmp_path / "WhatsApp Chat - Wrong.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(name, f"{H}Anna: hi\n")
        file.writestr("IMG-1.jpg", b"\xff\xd8")
        file.writestr("licence.txt", "no chat")
    assert only(read(WhatsApp(), path)).title == title


def test_a_chat_without_a_name_is_named_by_its_zip_or_folder(tmp_path):
    folder = tmp_path / "Mill"
    folder.mkdir()
    (folder / "_chat.txt").write_text(f"{H}Anna: hi\n")
    path = tmp_path / "WhatsApp Chat - Anna.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.write(folder / "_chat.txt", "_chat.txt")
    titles = [only(read(WhatsApp(), each)).title for each in (folder, folder / "_chat.txt", path)]
    assert titles == ["Mill", "Mill", "Anna"]


@pytest.mark.parametrize(
    ("raw", "sure"),
    [
        (f"{H}Anna: hi\n".encode(), True),
        (b"[31.01.26, 10:00:00] Anna: hi\n", True),
        (f"\ufeff{H}Anna: hi\n".encode("utf-16"), True),
        (b"plain text\n", False),
        (b"31/01/2026 a diary\n", False),
        (b"[]", False),
        (b'[{"a": 1}]', False),
        (b"\x00\x01", False),
    ],
)
def test_it_is_known_by_shape(tmp_path, raw, sure):
    path = tmp_path / "any.name"
    path.write_bytes(raw)
    assert (WhatsApp().sniff(open_export(path)) > 0) is sure


def test_clocks_that_do_not_exist_are_no_time():
    assert DateFormat("dmy").parse("1/1/26", "25:00") is None
    assert DateFormat("dmy").parse("1/1/26", "10:61") is None
    assert DateFormat("dmy").parse("1/13/26", "10:00") is None


def test_samples_folder_is_read_as_a_folder():
    found = read(WhatsApp(), Path(__file__).parent.parent / "sample_data" / "whatsapp-ios")
    assert len(found) == 6
