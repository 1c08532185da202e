"""iMessage: texts in archives, attachments, times, tapbacks, edits, and damage."""

import plistlib
import runpy
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import SAMPLES
from made import read

from ingest.archive import open_export
from ingest.errors import ExportError
from ingest.importers.base import Item, Reject, Skip
from ingest.importers.imessage import IMessage
from ingest.importers.imessage_edits import edits_of
from ingest.importers.typedstream import text_of_archive
from ingest.message import Conversation, Message

HEADER = b"\x04\x0bstreamtyped\x81\xe8\x03\x84\x01@\x84\x84\x84\x08NSString\x01\x84\x84\x08NSObject"
DAY = 800_000_000  # seconds since 2001: 9 May 2026


def archive(size: bytes, raw: bytes) -> bytes:
    return HEADER + b"\x00\x85\x84\x01+" + size + raw + b"\x86\x84\x02iI\x01\x04"


def short(text: str) -> bytes:
    return archive(bytes([len(text.encode())]), text.encode())


def summary(**keys: Any) -> bytes:
    return plistlib.dumps(keys, fmt=plistlib.FMT_BINARY)


Make = Callable[..., Path]


@pytest.fixture
def chat_db(tmp_path: Path) -> Make:
    """A database with one chat of the given message rows."""

    def make(*rows: dict[str, Any], modern: bool = True) -> Path:
        path = tmp_path / "any.name"
        with sqlite3.connect(path) as db:
            newer = (
                ", associated_message_type, associated_message_guid, message_summary_info,"
                " cache_has_attachments, date_retracted, item_type, thread_originator_guid,"
                " group_title, attributedBody"
            )
            db.execute(
                "CREATE TABLE message (ROWID INTEGER PRIMARY KEY, guid, text, handle_id, date,"
                f" is_from_me{newer if modern else ''})"
            )
            db.execute("CREATE TABLE handle (ROWID INTEGER PRIMARY KEY, id)")
            db.execute("CREATE TABLE chat (ROWID INTEGER PRIMARY KEY, guid, chat_identifier)")
            db.execute("CREATE TABLE chat_message_join (chat_id, message_id)")
            db.execute("INSERT INTO handle VALUES (1, 'tobin@example.org')")
            db.execute("INSERT INTO chat VALUES (1, 'chat-guid', 'tobin@example.org')")
            for number, row in enumerate(rows, 1):
                lost = row.pop("lost", False)
                full = {
                    "ROWID": number, "guid": f"g{number}", "handle_id": 1, "is_from_me": 0,
                    "date": (DAY + number) * 10**9, **row,
                }  # fmt: skip
                marks = ", ".join("?" * len(full))
                db.execute(
                    f"INSERT INTO message ({', '.join(full)}) VALUES ({marks})",
                    list(full.values()),
                )
                if not lost:
                    db.execute("INSERT INTO chat_message_join VALUES (1, ?)", [number])
        db.close()
        return path

    return make


def messages(path: Path, **options: Any) -> list[Message]:
    found = read(IMessage(), path, **options)
    return [m for item in found if isinstance(item, Conversation) for m in item.messages]


@pytest.mark.parametrize(
    ("size", "length"),
    [
        (b"\x7f", 127),
        (b"\x81\x80\x00", 128),
        (b"\x81\x90\x01", 400),
        (b"\x82\x70\x11\x01\x00", 70000),
    ],
)
def test_ims1_lengths_of_one_two_and_four_bytes(size: bytes, length: int) -> None:
    assert text_of_archive(archive(size, b"r" * length)) == "r" * length


def test_ims1_the_length_counts_bytes_not_characters() -> None:
    assert text_of_archive(short("Mühle \U0001f33e")) == "Mühle \U0001f33e"


@pytest.mark.parametrize(
    "blob",
    [
        None, b"", b"bplist00", HEADER, HEADER + b"\x84\x01+", HEADER + b"\x84\x01+\x81\x01",
        HEADER + b"\x84\x01+\x05abc", HEADER + b"\x84\x01+\x84abc",
    ],
)  # fmt: skip
def test_ims1_what_is_no_whole_archive_has_no_text(blob: bytes | None) -> None:
    assert text_of_archive(blob) is None


def test_ims1_a_message_without_text_is_read_from_its_archive(chat_db: Make) -> None:
    (message,) = messages(chat_db({"text": None, "attributedBody": short("Is it open?")}))
    assert message.content == "Is it open?"


def test_ims2_the_object_mark_is_an_attachment_and_no_text(chat_db: Make) -> None:
    path = chat_db({"text": "\ufffcthe gate", "cache_has_attachments": 1})
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE attachment (ROWID INTEGER PRIMARY KEY, filename, mime_type)")
        db.execute("CREATE TABLE message_attachment_join (message_id, attachment_id)")
        db.execute("INSERT INTO attachment VALUES (5, '~/gate.mov', 'video/quicktime')")
        db.execute("INSERT INTO message_attachment_join VALUES (1, 5)")
    db.close()
    (message,) = messages(path)
    assert message.content == "the gate"
    assert [(file.kind, file.uri) for file in message.attachments] == [("video", "~/gate.mov")]


def test_ims3_dates_are_nanoseconds_or_before_ios_11_seconds(chat_db: Make) -> None:
    found = messages(
        chat_db(
            {"text": "old", "date": DAY},
            {"text": "new", "date": (DAY + 60) * 10**9, "is_from_me": 1},
        )
    )
    assert [message.created_at for message in found] == [
        datetime(2026, 5, 9, 6, 13, 20, tzinfo=UTC), datetime(2026, 5, 9, 6, 14, 20, tzinfo=UTC),
    ]  # fmt: skip


def test_ims4_tapbacks_are_no_messages_and_stay_with_what_they_mean(chat_db: Make) -> None:
    found = messages(
        chat_db(
            {"text": "It is rye.", "is_from_me": 1},
            {"text": "Liked “It is rye.”", "associated_message_type": 2001,
             "associated_message_guid": "p:0/g1"},
            {"text": "Loved “It is rye.”", "associated_message_type": 2000,
             "associated_message_guid": "bp:g1"},
            {"text": "Removed a heart", "associated_message_type": 3000,
             "associated_message_guid": "p:0/g1"},
        )
    )  # fmt: skip
    assert [message.content for message in found] == ["It is rye."]
    assert found[0].extra["reactions"] == [["tobin@example.org", "liked"]]


def test_ims5_of_edits_the_last_text_wins(chat_db: Make) -> None:
    history = summary(otr={"0": {}}, ec={"0": [{"t": short("rey")}, {"t": short("rye")}]})
    (message,) = messages(chat_db({"text": None, "message_summary_info": history}))
    assert message.content == "rye"
    assert message.extra["edited"] == ["rey"]


def test_ims5_an_unsent_message_is_kept_off_the_path(chat_db: Make) -> None:
    taken = summary(otr={"0": {}}, rp=[0])
    (message,) = messages(chat_db({"text": None, "message_summary_info": taken}))
    assert (message.content, message.on_path, message.train) == ("", False, False)


def test_ims5_of_several_parts_the_archived_text_counts(chat_db: Make) -> None:
    history = summary(otr={"0": {}, "1": {}}, ec={"1": [{"t": short("a")}, {"t": short("b")}]})
    body = {"attributedBody": short("first b"), "message_summary_info": history}
    (message,) = messages(chat_db(body))
    assert message.content == "first b"


@pytest.mark.parametrize(
    "blob",
    [b"junk", b"bplist00", summary(ec=7), summary(ec={"0": "x"}, otr=[]), summary(rp="all"),
     plistlib.dumps(["x"]), b"<?xml version='1.0'?><plist><dict><key>", b"bplist00" + b"\xff" * 64],
)  # fmt: skip
def test_ims5_a_damaged_history_is_no_history(blob: bytes) -> None:
    assert edits_of(blob) == (None, (), False)


def test_old_databases_lack_columns(chat_db: Make) -> None:
    (message,) = messages(chat_db({"text": "hello"}, modern=False))
    assert message.content == "hello"


def test_messages_of_a_deleted_chat_are_found(chat_db: Make) -> None:
    path = chat_db({"text": "here"}, {"text": "left over", "lost": True})
    found = [item for item in read(IMessage(), path) if isinstance(item, Conversation)]
    assert [(c.title, c.messages[0].content) for c in found] == [
        ("tobin@example.org", "here"), ("tobin@example.org", "left over"),
    ]  # fmt: skip


def test_a_renamed_group_is_an_event(chat_db: Make) -> None:
    (item,) = read(IMessage(), chat_db({"text": "hi"}, {"item_type": 2, "group_title": "Orders"}))
    assert isinstance(item, Conversation)
    assert [event[1] for event in item.metadata["events"]] == [
        "tobin@example.org named the conversation Orders"
    ]


def test_who_is_me_is_chosen(chat_db: Make) -> None:
    path = chat_db({"text": "Is it open?"}, {"text": "Yes.", "is_from_me": 1})
    assert [m.role for m in messages(path)] == ["user", "user"]
    assert [m.role for m in messages(path, as_assistant=("Me",))] == ["user", "assistant"]


def test_the_newest_messages_lie_in_the_log_beside_the_database(
    chat_db: Make, tmp_path: Path
) -> None:
    path = chat_db({"text": "old"})
    folder = tmp_path / "Messages"
    folder.mkdir()
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("INSERT INTO message (ROWID, text, handle_id, date) VALUES (9, 'new', 1, ?)",
               [(DAY + 9) * 10**9])  # fmt: skip
    db.execute("INSERT INTO chat_message_join VALUES (1, 9)")
    db.commit()
    (folder / "chat.db").write_bytes(path.read_bytes())
    (folder / "chat.db-wal").write_bytes(path.with_name("any.name-wal").read_bytes())
    db.close()
    (message,) = messages(folder)
    assert message.content == "old\nnew"


def test_values_of_wrong_types_cost_themselves(chat_db: Make) -> None:
    found = messages(
        chat_db(
            {"text": 7, "date": "yesterday", "guid": None, "handle_id": "x"},
            {"text": "good", "message_summary_info": "text", "attributedBody": 3, "date": 2.5},
        )
    )
    assert sorted(message.content for message in found) == ["", "good"]


@pytest.mark.parametrize("cut", [100, 4096, 9000, -14000, -4096])
def test_a_truncated_database_is_an_error_with_a_hint_or_rejects(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "chat.db"
    path.write_bytes((SAMPLES / "imessage" / "chat.db").read_bytes()[:cut])
    found: list[Item] = []
    hint = ""
    try:
        found = read(IMessage(), path)
    except ExportError as error:
        hint = error.hint
    assert hint or all(isinstance(item, Conversation | Reject | Skip) for item in found)


def test_other_databases_are_not_claimed(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE message (id)")
    db.close()
    assert IMessage().sniff(open_export(path)) == 0
    (item,) = read(IMessage(), path)
    assert isinstance(item, Reject)


def test_an_empty_database_counts_its_chat(chat_db: Make) -> None:
    (item,) = read(IMessage(), chat_db())
    assert isinstance(item, Skip)


def test_the_sample_is_what_its_generator_writes(tmp_path: Path) -> None:
    """The database's pages may differ between versions of SQLite; its rows may not."""
    # not imported: that would leave a __pycache__ in the sample's folder
    rows = runpy.run_path(str(SAMPLES / "imessage" / "make.py"))["ROWS"]
    found = sqlite3.connect(SAMPLES / "imessage" / "chat.db")
    guids = [guid for (guid,) in found.execute("SELECT guid FROM message ORDER BY ROWID")]
    found.close()
    assert guids == [row[1] for row in rows]


def test_ims_values_of_other_types_stand_in_no_column_of_text(chat_db: Make) -> None:
    path = chat_db(
        {"text": "a", "guid": 7, "thread_originator_guid": 7.5},
        {"text": "b", "is_from_me": 1, "guid": b"\x00\xff", "thread_originator_guid": b"x"},
    )
    found = messages(path)
    assert [(m.source_id, m.parent_id) for m in found] == [("7", "7.5"), (None, None)]
