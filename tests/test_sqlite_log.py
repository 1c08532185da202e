"""A database that an application has open: its latest rows lie in the log beside it."""

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import SAMPLES

from ingest.archive import open_export
from ingest.importers.base import ImportOptions
from ingest.load import import_export
from ingest.raw import keep_raw
from ingest.registry import choose
from ingest.store import Store

SAID = "Only the log knows of the oats."
ROWS = {
    "imessage/chat.db": (
        "INSERT INTO message (ROWID, guid, text, handle_id, date, is_from_me)"
        " SELECT 9000, 'late', :said, handle_id, max(date) + 1, 0 FROM message",
        "INSERT INTO chat_message_join SELECT min(chat_id), 9000 FROM chat_message_join",
    ),
    "openwebui/webui.db": (
        "INSERT INTO chat SELECT 'late', user_id, :said, share_id, archived, created_at + 1,"
        " updated_at, chat, pinned, meta, folder_id FROM chat LIMIT 1",
    ),
}


@pytest.fixture(params=sorted(ROWS))
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A sample whose last transaction is in the log only; the application still has it open."""
    path = tmp_path / "in use" / Path(request.param).name
    path.parent.mkdir()
    shutil.copyfile(SAMPLES / request.param, path)
    application = sqlite3.connect(path)
    application.execute("PRAGMA journal_mode = WAL")
    before = path.read_bytes()
    for statement in ROWS[request.param]:
        application.execute(statement, {"said": SAID} if ":said" in statement else {})
    application.commit()
    assert path.read_bytes() == before
    yield path
    application.close()


def found(path: Path) -> str:
    export = open_export(path)
    return str(list(choose(export).read(export, ImportOptions())))


def test_a_database_given_by_itself_is_read_with_its_log(database: Path) -> None:
    assert SAID in found(database)
    assert database.name in str(open_export(database).members)


def test_what_is_read_does_not_depend_on_how_it_is_given(database: Path) -> None:
    assert found(database) == found(database.parent)


def test_the_users_files_stay_as_they_are(database: Path, store: Store, tmp_path: Path) -> None:
    files = sorted(database.parent.iterdir())
    before = [(file.name, file.read_bytes()) for file in files]
    import_export(database, store, raw=tmp_path)
    assert [(f.name, f.read_bytes()) for f in sorted(database.parent.iterdir())] == before


def test_a_row_more_in_the_log_is_another_export(database: Path, store: Store) -> None:
    first = import_export(database, store)
    again = import_export(database, store)
    assert (again.stored, again.unchanged) == (0, first.stored)
    bare = database.with_name("bare.db")
    shutil.copyfile(database, bare)
    assert open_export(bare).sha256() != open_export(database).sha256()
    assert SAID not in found(bare)


def test_the_kept_copy_holds_the_log(database: Path, tmp_path: Path) -> None:
    assert SAID in found(keep_raw(open_export(database), "ab" * 32, tmp_path))


def test_a_database_whose_tables_are_in_the_log_only(tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    application = sqlite3.connect(path)
    application.execute("PRAGMA journal_mode = WAL")  # writes the first page and no table
    sample = sqlite3.connect(SAMPLES / "imessage/chat.db")
    application.executescript("\n".join(sample.iterdump()))
    assert b"CREATE TABLE" not in path.read_bytes()
    assert choose(open_export(path)).name == "imessage"
    assert found(path) == found(SAMPLES / "imessage/chat.db")
    application.close()
    sample.close()


@pytest.mark.parametrize("kind", ["none", "empty", "link", "folder"])
def test_what_is_no_log_does_not_count(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "chat.db"
    shutil.copyfile(SAMPLES / "imessage/chat.db", path)
    log = tmp_path / "chat.db-wal"
    if kind == "empty":
        log.touch()
    elif kind == "link":
        log.symlink_to(SAMPLES / "imessage/chat.db")
    elif kind == "folder":
        log.mkdir()
    export = open_export(path)
    assert [member.name for member in export.members] == ["chat.db"]
    assert not export.is_files


def test_a_log_of_something_else_harms_nothing(tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    shutil.copyfile(SAMPLES / "imessage/chat.db", path)
    whole = found(path)
    (tmp_path / "chat.db-wal").write_bytes(b"no log of SQLite" * 99)
    assert found(path) == whole
