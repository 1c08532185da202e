"""From an export to the store: every conversation counted once, whole or not at all."""

import gzip
import json
import os
import random
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import gpt_export, gpt_talk, jsonl, read, record

from ingest import batch, load
from ingest.errors import ExportError
from ingest.importers.base import ImportOptions
from ingest.importers.chatgpt import ChatGPT
from ingest.load import ImportReport, Progress, import_export
from ingest.message import Conversation
from ingest.store import Store, Where, open_store
from ingest.workspace import Workspace

Import = Callable[..., ImportReport]


@pytest.fixture
def land(tmp_path: Path, store: Store) -> Import:
    """Imports raw bytes under a file name."""

    def imported(raw: bytes, name: str = "export.json", **options: Any) -> ImportReport:
        path = tmp_path / name
        path.write_bytes(raw)
        return import_export(path, store, **options)

    return imported


def counts(report: ImportReport) -> dict[str, int]:
    return {
        "stored": report.stored,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "rejected": report.rejected,
        "skipped": sum(report.skipped.values()),
    }


def total(report: ImportReport) -> int:
    return sum(counts(report).values())


def content(store: Store) -> list[tuple[str, str]]:
    return [(conversation.id, hash_) for conversation, hash_, _ in store.stream()]


# -- counting ------------------------------------------------------------------------------------


def test_a_report_of_everything(land):
    report = land(jsonl(record(1), record(1), {"messages": []}, b"{bad", record(2)), "a.jsonl")
    assert report.read == 5
    assert counts(report) == {
        "stored": 3, "updated": 0, "unchanged": 0, "rejected": 1, "skipped": 1
    }  # fmt: skip
    assert report.skipped == {"no messages": 1}
    assert report.messages == 6
    assert [source.importer for source in report.sources] == ["openai"]
    assert report.as_json()["skipped"] == 1


GOOD = st.builds(record, st.integers(0, 5), st.text(max_size=20))
EMPTY = st.just({"messages": []})
BAD = st.sampled_from(
    [
        b"{",
        b"5",
        b'"x"',
        b"[1]",  # alone, "[]" is an array without records
        b"{}",
        b"\x00",
        b'{"messages": [5]}',
        b'{"messages": [{"role": 1}]}',
    ]
)
TALK = st.builds(gpt_talk, st.integers(0, 5), st.text(max_size=20))
BAD_TALK = st.sampled_from([5, None, {}, {"mapping": 5}, {"title": 5}, "x", [1]])
EMPTY_TALK = st.builds(lambda n: gpt_talk(n, mapping={}), st.integers(0, 5))


@settings(max_examples=10, deadline=None)
@given(
    lines=st.lists(GOOD | EMPTY | BAD, max_size=12),
    talks=st.lists(TALK | EMPTY_TALK | BAD_TALK, max_size=12),
    size=st.sampled_from([1, 3, batch.BATCH_MESSAGES]),
)
def test_what_is_read_is_accounted_for_and_twice_is_once(lines, talks, size):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch, "BATCH_MESSAGES", size)
        jsonl_file, json_file = Path(folder, "a.jsonl"), Path(folder, "b.json")
        jsonl_file.write_bytes(jsonl(*lines) + b"\n")
        json_file.write_bytes(gpt_export(*talks))
        with open_store(Path(folder, "store.duckdb")) as store:
            for path, name, found in ((jsonl_file, "openai", lines), (json_file, "chatgpt", talks)):
                first = import_export(path, store, format_name=name)
                assert total(first) == first.read == len(found)
                before = content(store)
                again = import_export(path, store, format_name=name)
                assert counts(again) == {
                    **counts(first),
                    "stored": 0,
                    "updated": 0,
                    "unchanged": first.stored + first.updated + first.unchanged,
                }
                assert (again.read, again.messages) == (first.read, first.messages)
                path.write_bytes(path.read_bytes() + b" ")  # other bytes, the same conversations
                third = import_export(path, store, format_name=name)
                assert total(third) == third.read == first.read
                assert content(store) == before


def test_one_id_twice_in_an_export_keeps_the_later(land, store):
    report = land(gpt_export(gpt_talk(1), gpt_talk(1, text="Another question?"), gpt_talk(2)))
    assert total(report) == report.read == 3
    assert report.stored == 2
    texts = [conversation.messages[0].content for conversation, _, _ in store.stream()]
    assert texts == ["Another question?", "How is the flour?"]


def test_one_id_twice_in_different_batches_keeps_the_later(land, store, monkeypatch):
    monkeypatch.setattr(batch, "BATCH_MESSAGES", 1)
    report = land(gpt_export(gpt_talk(1), gpt_talk(2), gpt_talk(1, text="Another question?")))
    assert counts(report) == {
        "stored": 2, "updated": 0, "unchanged": 1, "rejected": 0, "skipped": 0
    }  # fmt: skip
    assert store.list_conversations(Where(search="Another"), 9)[0]["title"] == "Talk 1"


def test_an_updated_export_updates_by_id(land, store):
    land(gpt_export(gpt_talk(1), gpt_talk(2), gpt_talk(3)))
    order = [id_ for id_, _ in content(store)]
    newer = gpt_export(gpt_talk(4), gpt_talk(3), gpt_talk(2, title="Renamed"), gpt_talk(1))
    assert counts(land(newer)) == {
        "stored": 1, "updated": 1, "unchanged": 2, "rejected": 0, "skipped": 0
    }  # fmt: skip
    found = [conversation for conversation, _, _ in store.stream()]
    assert [c.id for c in found][:3] == order  # an update keeps its place
    assert [c.title for c in found] == ["Talk 1", "Renamed", "Talk 3", "Talk 4"]
    assert sum(len(c.messages) for c in found) == 8


def test_other_options_read_the_file_again(land, store):
    chat = b"31/01/2026, 10:00 - Anna: q\n31/01/2026, 10:01 - Bo: a\n"
    land(chat, "chat.txt")
    report = land(chat, "chat.txt", options=ImportOptions(as_assistant=("Bo",)))
    assert report.updated == 1
    (found,) = [conversation for conversation, _, _ in store.stream()]
    assert [m.role for m in found.messages] == ["user", "assistant"]


def test_many_batches_store_what_one_does(land, store, tmp_path, monkeypatch):
    raw = gpt_export(*[gpt_talk(n) for n in range(50)])
    land(raw)
    monkeypatch.setattr(batch, "_BATCH_BYTES", 40)
    with open_store(tmp_path / "other.duckdb") as other:
        import_export(tmp_path / "export.json", other)
        assert content(other) == content(store)


def test_progress_tells_bytes_and_conversations(land, monkeypatch):
    monkeypatch.setattr(batch, "BATCH_MESSAGES", 100)
    seen: list[Progress] = []
    raw = gpt_export(*[gpt_talk(n) for n in range(200)])
    land(raw, on_progress=seen.append)
    assert [at.conversations for at in seen] == [50, 100, 150, 200, 200]
    assert [at.bytes_read for at in seen][-1] == len(raw) == seen[0].bytes_total


def test_keeping_a_copy_is_no_progress(store, tmp_path, monkeypatch):
    monkeypatch.setattr(batch, "BATCH_MESSAGES", 1)
    folder = tmp_path / "export"
    folder.mkdir()
    for shard in range(3):
        raw = gpt_export(gpt_talk(shard))
        (folder / f"conversations-{shard:03}.json").write_bytes(raw)
    seen: list[Progress] = []
    raw_folder = tmp_path / "raw"
    import_export(folder, store, raw=raw_folder, on_progress=seen.append)
    assert list(raw_folder.iterdir())
    assert seen[0].bytes_read < seen[-1].bytes_read == seen[0].bytes_total


# -- exports of one account, one after the other -------------------------------------------------


def at(time: float, number: int, **fields: Any) -> dict[str, Any]:
    """A talk whose messages were written at a time."""
    talk = gpt_talk(number, **fields)
    for node in talk["mapping"].values():
        if node["message"]:
            node["message"]["create_time"] = time
    return {**talk, "create_time": time}


def test_an_older_export_does_not_overwrite_a_newer_one(land, store):
    land(gpt_export(at(2e9, 1, text="And now?"), at(1.8e9, 2)), "newer.json")
    report = land(gpt_export(at(1.9e9, 1), at(1.8e9, 2)), "older.json")
    assert (report.updated, report.unchanged) == (0, 2)
    assert next(store.stream())[0].messages[0].content == "And now?"


def missing(store: Store) -> list[str]:
    rows = store.list_conversations(Where(), 99)
    return [row["title"] for row in rows if row["missing_from"]]


def test_what_a_newer_export_no_longer_has_is_kept_and_marked(land, store):
    land(gpt_export(at(1.7e9, 1), at(1.7e9, 2), at(1.7e9, 3)), "a.json")
    report = land(gpt_export(at(1.7e9, 1), at(1.7e9, 3), at(1.8e9, 4)), "b.json")
    assert (report.stored, report.unchanged, report.missing) == (1, 2, 1)
    assert missing(store) == ["Talk 2"]


def test_what_comes_back_is_no_longer_marked(land, store):
    land(gpt_export(at(1.7e9, 1), at(1.7e9, 2), at(1.7e9, 3)), "a.json")
    land(gpt_export(at(1.7e9, 1), at(1.7e9, 3)), "b.json")
    land(gpt_export(at(1.7e9, 1), at(1.7e9, 2), at(1.7e9, 3), at(1.8e9, 4)), "c.json")
    assert missing(store) == []


def test_an_older_export_marks_nothing_younger_as_missing(land, store):
    land(gpt_export(at(1.7e9, 1), at(1.7e9, 2), at(1.9e9, 3)), "newer.json")
    report = land(gpt_export(at(1.7e9, 1), at(1.7e9, 2)), "older.json")
    assert report.missing == 0
    assert missing(store) == []


def test_an_export_of_another_account_marks_nothing(land, store):
    land(gpt_export(at(1.7e9, 1), at(1.7e9, 2), at(1.7e9, 3)), "a.json")
    assert land(gpt_export(at(1.8e9, 1), at(1.8e9, 7), at(1.8e9, 8)), "b.json").missing == 0


def test_a_warning_about_one_sided_talks_comes_again(land):
    package = b"ID,Timestamp,Contents,Attachments\n1,2026-01-02 10:00:00,hello,\n"
    first = land(package, "messages.csv", format_name="discord-package")
    assert "one side" in " ".join(first.warnings)
    assert land(package, "messages.csv", format_name="discord-package").warnings == first.warnings


# -- files that are not as they should be --------------------------------------------------------


@pytest.mark.parametrize("share", [0.1, 0.35, 0.5, 0.77, 0.99])
def test_a_truncated_export_keeps_every_complete_conversation(land, store, share):
    talks = [gpt_talk(n) for n in range(40)]
    whole = gpt_export(*talks)
    cut = int(len(whole) * share)
    complete = sum(len(gpt_export(*talks[: n + 1])) - 1 <= cut for n in range(40))
    report = land(whole[:cut])
    assert (report.stored, report.rejected, report.read) == (complete, 1, complete + 1)
    (reject,) = store.rejects()
    start = len(gpt_export(*talks[:complete])) + 1 if complete else 1
    assert reject["where"] == f"export.json: bytes {start}-{cut}"


def test_a_bom_is_no_trouble(land):
    assert land(b"\xef\xbb\xbf" + gpt_export(gpt_talk())).stored == 1
    assert land(b"\xef\xbb\xbf" + jsonl(record(1), record(2)), "a.jsonl").stored == 2


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "empty"),
        (b"just some text", "no importer recognises"),
        (b"\x89PNG\r\n\x1a\n\0\0", "no importer recognises"),
        (b"%PDF-1.7 \x00\x01", "no importer recognises"),
        (b"[]", "no importer recognises"),
        (b'{"a": 1}', "no importer recognises"),
        (b"   \n", "no importer recognises"),
    ],
)
def test_a_file_of_another_kind_is_an_error_of_two_lines(land, store, raw, words):
    with pytest.raises(ExportError, match=words) as caught:
        land(raw)
    assert "export.json" in caught.value.message
    assert caught.value.hint
    assert "\n" not in caught.value.message + caught.value.hint
    assert store.is_empty()


def test_an_unknown_format_is_an_error_that_lists_the_known(land):
    with pytest.raises(ExportError, match="no importer is called 'nope'") as caught:
        land(b"x", format_name="nope")
    assert "chatgpt" in caught.value.hint


def test_a_file_read_as_another_format_rejects_and_stores_nothing(land, store):
    report = land(gpt_export(gpt_talk()), format_name="openai")
    assert (report.read, report.rejected) == (1, 1)
    assert store.is_empty()


def test_an_unknown_role_costs_its_record(land, store):
    bad = {"messages": [{"role": "wizard", "content": "x"}]}
    report = land(jsonl(record(1), bad, record(2)), "a.jsonl")
    assert (report.stored, report.rejected) == (2, 1)
    assert "wizard" in store.rejects()[0]["reason"]


def test_a_conversation_without_an_assistant_is_stored(land):
    assert land(jsonl(record(1), {"messages": [{"role": "user", "content": "x"}]})).stored == 2


@pytest.mark.parametrize(
    "text", ["\0", "a\0b", "\x01\x1b[31m", "\ud83d", "\U0010ffff", "\ufeff", "\u2028"]
)
def test_odd_characters_come_back_as_they_went_in(land, store, text):
    land(gpt_export(gpt_talk(text=text, title=text)))
    (found,) = [conversation for conversation, _, _ in store.stream()]
    assert found.messages[0].content == found.title == text.replace("\ud83d", "\ufffd")
    assert found.content_hash == content(store)[0][1]


def test_bytes_of_zero_between_records_cost_no_other(land):
    report = land(jsonl(record(1), b"\0" * 500, record(2)), "a.jsonl", format_name="openai")
    assert (report.stored, report.rejected) == (2, 1)


def test_numbers_beyond_64_bits_are_stored(land, store):
    odd = {"content_type": "new", "n": 2**70}
    talk = gpt_talk()
    talk["mapping"]["a"]["message"]["content"]["parts"] = ["x", odd]
    land(gpt_export(talk))
    (found,) = [conversation for conversation, _, _ in store.stream()]
    assert found.messages[-1].extra["parts"] == [odd]


def test_the_quarantine_of_an_export_is_replaced_when_it_is_read_again(land, store):
    raw = jsonl(record(1), b"{bad", b"{worse")
    land(raw, "a.jsonl")
    land(raw, "b.jsonl")
    assert len(store.rejects()) == 2
    land(raw, "a.jsonl", options=ImportOptions(date_order="dmy"))
    assert len(store.rejects()) == 2


def test_a_name_that_is_no_utf8_is_imported(store, tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.json")
    path.write_bytes(gpt_export(gpt_talk(1), 5))  # type: ignore[arg-type]
    report = import_export(path, store)
    assert (report.stored, report.rejected) == (1, 1)
    json.dumps(report.as_json()).encode()
    assert store.rejects()[0]["source"].endswith("caf\ufffd.json")


# -- folders -------------------------------------------------------------------------------------


def test_a_folder_of_exports_is_imported_export_by_export(store, tmp_path):
    folder = tmp_path / "downloads"
    (folder / "account").mkdir(parents=True)
    (folder / "account" / "conversations.json").write_bytes(gpt_export(gpt_talk(1)))
    (folder / "account" / "user.json").write_bytes(b"{}")
    (folder / "a.jsonl").write_bytes(jsonl(record(1), record(2)))
    (folder / "notes.md").write_bytes(b"# notes")
    (folder / "empty.json").touch()
    (folder / "gone.json").symlink_to(tmp_path / "nowhere")
    report = import_export(folder, store)
    assert sorted(source.importer for source in report.sources) == ["chatgpt", "openai"]
    assert report.stored == total(report) == report.read == 3
    assert report.as_json()["importer"] == "mixed"


def test_two_unpacked_exports_in_one_folder_are_both_imported(store, tmp_path):
    folder = tmp_path / "downloads"
    for name in ("account", "chat"):
        (folder / name).mkdir(parents=True)
    (folder / "account" / "conversations.json").write_bytes(gpt_export(gpt_talk(1)))
    (folder / "chat" / "_chat.txt").write_text("[31.01.26, 10:00:00] Anna: hi\n")
    assert import_export(folder, store).stored == 2


def test_an_unpacked_export_is_one_whole(store, tmp_path):
    folder = tmp_path / "account"
    folder.mkdir()
    (folder / "conversations-000.json").write_bytes(gpt_export(gpt_talk(1)))
    (folder / "conversations-001.json").write_bytes(gpt_export(gpt_talk(2)))
    (folder / "user.json").write_bytes(b'{"id": "1"}')
    (folder / "shared_conversations.json").write_bytes(b'[{"id": "1", "title": "x"}]')
    (folder / "message_feedback.json").write_bytes(b'[{"id": "1", "rating": "thumbs_up"}]')
    (folder / "chat.html").write_bytes(b"<html>")
    report = import_export(folder, store)
    assert (len(report.sources), report.stored) == (1, 2)


def test_a_folder_with_nothing_known_is_an_error(store, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"\x89PNG\0")
    with pytest.raises(ExportError, match="no importer recognises this folder"):
        import_export(folder, store)


# -- interruptions -------------------------------------------------------------------------------


class Interrupted(ChatGPT):
    """Reads as ChatGPT does and is interrupted after some conversations."""

    def __init__(self, after: int) -> None:
        self._after = after

    def read(self, export: Any, options: ImportOptions) -> Iterator[Any]:
        for number, item in enumerate(super().read(export, options)):
            if number == self._after:
                raise KeyboardInterrupt
            yield item


@pytest.mark.parametrize("after", [0, 1, 30, 99])
def test_an_interrupted_import_leaves_the_store_as_it_was(land, store, monkeypatch, after):
    land(gpt_export(*[gpt_talk(n) for n in range(10)]))
    before, rejects = content(store), store.rejects()
    newer = gpt_export(*[gpt_talk(n, text="New question?") for n in range(100)])
    monkeypatch.setattr(batch, "BATCH_MESSAGES", 16)
    with monkeypatch.context() as patch:
        patch.setattr(load, "choose", lambda export, name: Interrupted(after))
        with pytest.raises(KeyboardInterrupt):
            land(newer)
    assert content(store) == before
    assert store.rejects() == rejects
    report = land(newer)
    assert (report.stored, report.updated, report.unchanged) == (90, 10, 0)


def test_an_interrupt_while_progress_is_shown_leaves_the_store_as_it_was(land, store, monkeypatch):
    def interrupt(now: Progress) -> None:
        if now.conversations >= 128:
            raise KeyboardInterrupt

    monkeypatch.setattr(batch, "BATCH_MESSAGES", 64)
    raw = gpt_export(*[gpt_talk(n) for n in range(200)])
    with pytest.raises(KeyboardInterrupt):
        land(raw, on_progress=interrupt)
    assert store.is_empty()
    assert land(raw).stored == 200


def test_a_file_damaged_in_the_middle_of_an_archive_lands_nothing(land, store):
    texts = [random.Random(n).randbytes(99).hex() for n in range(500)]
    raw = gzip.compress(gpt_export(*[gpt_talk(n, text) for n, text in enumerate(texts)]))
    land(gpt_export(gpt_talk(0)))
    before = content(store)
    with pytest.raises(ExportError, match="more\\.gz"):
        land(raw[: len(raw) // 2], "more.gz")
    assert content(store) == before
    assert land(raw, "more.gz").stored == 499


def test_a_workspace_is_private(tmp_path):
    workspace = Workspace(tmp_path / "deep" / "home").create()
    with open_store(workspace.store):
        pass
    assert workspace.home.stat().st_mode & 0o777 == 0o700
    assert workspace.store.stat().st_mode & 0o777 == 0o600


def test_conversations_are_as_the_importer_gave_them(land, store, tmp_path):
    land(gpt_export(gpt_talk(1), gpt_talk(2)))
    given_ = [c for c in read(ChatGPT(), tmp_path / "export.json") if isinstance(c, Conversation)]
    assert [conversation for conversation, _, _ in store.stream()] == given_


def test_an_export_in_which_nothing_is_found_says_so(land):
    (warning,) = land(b'{"chats": {"list": []}}', "result.json", format_name="telegram").warnings
    assert "no conversation was found" in warning


def test_a_damaged_file_among_others_is_named(store, tmp_path):
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "conversations-000.json").write_bytes(gpt_export(gpt_talk(1)))
    (folder / "conversations-001.json").write_bytes(b"\xff" + gpt_export(gpt_talk(2)))
    (folder / "notes.txt").write_text("no JSON, and none by its name")
    report = import_export(folder, store)
    assert report.stored == 1
    (warning,) = report.warnings
    assert "conversations-001.json does not begin like JSON" in warning


def test_a_damaged_file_in_a_folder_of_exports_costs_no_other(store, tmp_path):
    folder = tmp_path / "downloads"
    folder.mkdir()
    (folder / "a.json").write_bytes(gpt_export(gpt_talk(1)))
    (folder / "b.json").write_bytes(gpt_export(gpt_talk(2)))
    (folder / "c.gz").write_bytes(gzip.compress(gpt_export(gpt_talk(3)))[:50])
    (folder / "d.zip").write_bytes(b"PK\x03\x04 and nothing else")
    report = import_export(folder, store)
    assert report.stored == 2
    assert sum("cannot be read" in warning for warning in report.warnings) == 2


def test_a_damaged_member_of_a_zip_is_named_and_costs_no_other(store, tmp_path):
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("conversations.json", gpt_export(gpt_talk(1)))
        file.writestr("other.json", b"damaged one")
    path.write_bytes(path.read_bytes().replace(b"damaged one", b"damaged!one"))
    report = import_export(path, store)
    assert report.stored == 1
    (warning,) = report.warnings
    assert "other.json cannot be read" in warning


def test_the_fault_of_a_damaged_zip_is_told_where_nothing_is_recognised(store, tmp_path):
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("conversations.json", gpt_export(gpt_talk(1)))
        file.writestr("note.txt", b"x")
    path.write_bytes(path.read_bytes().replace(b"How is", b"Who is"))
    with pytest.raises(ExportError, match="CRC"):
        import_export(path, store)
