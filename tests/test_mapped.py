"""Any table becomes conversations by the mapping that the user gives."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from ingest.archive import open_export
from ingest.errors import ExportError, UserError
from ingest.importers.base import ImportOptions, Reject, Skip
from ingest.importers.mapped import Mapped
from ingest.importers.mapping import parse_pairs
from ingest.load import import_export
from ingest.message import Conversation
from serve.cli import run

MAP = ["role=author", "content=body", "thread=ticket_id"]
ROWS: list[dict[str, Any]] = [
    {"ticket_id": "7", "author": "Customer", "body": "no flour\ntoday?"},
    {"ticket_id": "8", "author": "end-user", "body": "hello"},
    {"ticket_id": "7", "author": "agent", "body": "from noon"},
    {"ticket_id": "8", "author": "AI", "body": "good grain"},
]
TALKS = {
    "7": [("user", "no flour\ntoday?"), ("assistant", "from noon")],
    "8": [("user", "hello"), ("assistant", "good grain")],
}


def items(path: Path, *mapping: str, **options: Any) -> list[Any]:
    said = ImportOptions(mapping=parse_pairs(mapping or MAP), **options)
    return list(Mapped().read(open_export(path), said))


def talks(found: list[Any]) -> dict[str | None, list[tuple[str, str]]]:
    return {
        each.source_id: [(m.role, m.content) for m in each.messages]
        for each in found
        if isinstance(each, Conversation)
    }


def csv_of(rows: list[dict[str, Any]], delimiter: str = ",") -> str:
    lines = [delimiter.join(rows[0])]
    lines += [delimiter.join(f'"{value}"' for value in row.values()) for row in rows]
    return "\r\n".join(lines) + "\r\n"


def write(folder: Path, kind: str, rows: list[dict[str, Any]] = ROWS) -> Path:
    path = folder / f"table.{kind}"
    if kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif kind == "json":
        path.write_text(json.dumps(rows, indent=1))
    elif kind == "parquet":
        parquet.write_table(pa.Table.from_pylist(rows), path)
    elif kind == "db":
        with sqlite3.connect(path) as database:
            database.execute(f"CREATE TABLE ticket ({', '.join(rows[0])})")
            marks = ", ".join("?" * len(rows[0]))
            database.executemany(
                f"INSERT INTO ticket VALUES ({marks})", [tuple(row.values()) for row in rows]
            )
            database.execute("CREATE TABLE other (x)")
        database.close()
    else:
        delimiter = {"csv": ",", "tsv": "\t", "ssv": ";", "psv": "|"}[kind]
        path.write_text(csv_of(rows, delimiter), encoding="utf-8-sig")
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "ssv", "psv", "jsonl", "json", "parquet", "db"])
def test_every_kind_of_table_gives_the_same_conversations(tmp_path, kind):
    found = items(write(tmp_path, kind))
    assert list(talks(found).items()) == list(TALKS.items())
    assert len(found) == 2
    other = items(write(tmp_path, "json"))
    assert [c.id for c in found] == [c.id for c in other]


def test_a_zip_of_tables_shares_its_threads(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("1.csv", csv_of(ROWS[:2]))
        file.writestr("2.csv", csv_of(ROWS[2:]))
        file.writestr("note.txt", "nothing to see")
    found = items(tmp_path / "a.zip")
    assert talks(found) == TALKS
    assert [each for each in found if isinstance(each, Skip)] == [Skip("note.txt", "no table")]


def test_rows_are_ordered_by_time_where_there_is_one(tmp_path):
    rows = [
        {"author": "agent", "body": "second", "ticket_id": 1, "at": "2026-01-02T10:00:00Z"},
        {"author": "user", "body": "first", "ticket_id": 1, "at": "2026-01-02T11:00:00+02:00"},
        {"author": "user", "body": "third", "ticket_id": 1, "at": 1767351600},
    ]
    (found,) = items(write(tmp_path, "jsonl", rows), *MAP, "time=at")
    assert [m.content for m in found.messages] == ["first", "second", "third"]
    assert found.created_at.isoformat() == "2026-01-02T09:00:00+00:00"


def test_a_time_that_is_none_keeps_its_row_in_place(tmp_path):
    rows = [
        {"author": "user", "body": "a", "ticket_id": 1, "at": "2026-01-02T10:00:00"},
        {"author": "agent", "body": "b", "ticket_id": 1, "at": "soon after"},
        {"author": "user", "body": "c", "ticket_id": 1, "at": "2026-01-02T11:00:00"},
    ]
    (found,) = items(write(tmp_path, "csv", rows), *MAP, "time=at", tz="Europe/Berlin")
    assert [m.content for m in found.messages] == ["a", "b", "c"]
    assert found.messages[1].created_at is None
    assert found.messages[1].extra == {"at": "soon after"}
    assert found.messages[0].created_at.isoformat() == "2026-01-02T09:00:00+00:00"


def test_names_ids_titles_and_other_columns_are_kept(tmp_path):
    row = {
        "author": "agent", "body": "hi", "ticket_id": 3, "who": "Bo", "nr": 12, "about": "Flour",
        "score": 0.5, "empty": None, "tags": ["a"],
    }  # fmt: skip
    (found,) = items(write(tmp_path, "json", [row]), *MAP, "name=who", "id=nr", "title=about")
    (message,) = found.messages
    assert (message.name, message.source_id, found.title) == ("Bo", "12", "Flour")
    assert message.extra == {"score": 0.5, "tags": ["a"]}
    assert [(p.name, p.is_assistant) for p in found.participants] == [("Bo", True)]


def test_values_inside_objects_are_named_with_dots(tmp_path):
    row = {"from": {"kind": "bot"}, "body": {"text": "hi", "more": 1}, "a.b": "t"}
    path = write(tmp_path, "jsonl", [row, row])
    (found,) = items(path, "role=from.kind", "content=body.text", "thread=a.b")
    assert talks([found]) == {"t": [("assistant", "hi"), ("assistant", "hi")]}


def test_content_that_is_no_text_is_json(tmp_path):
    rows = [{"author": "user", "body": value, "ticket_id": 1} for value in ({"a": [1]}, 7, None)]
    (found,) = items(write(tmp_path, "jsonl", rows))
    assert [m.content for m in found.messages] == ['{"a":[1]}', "7", ""]
    assert [m.train for m in found.messages] == [None, None, False]


def test_an_unknown_role_is_rejected_with_its_place(tmp_path):
    rows = [*ROWS, {"ticket_id": "7", "author": "wizard", "body": "secret"}]
    found = items(write(tmp_path, "csv", rows))
    assert talks(found) == TALKS
    (reject,) = (each for each in found if isinstance(each, Reject))
    assert reject.where == "table.csv: line 7"  # a cell has a line end
    assert "--map role:" in reject.hint
    assert "secret" not in reject.reason + reject.hint


def test_unusual_words_for_roles_are_said(tmp_path):
    rows = [
        {"author": word, "body": "x", "ticket_id": "1"} for word in ("Miller", "0", "bot", "Eve")
    ]
    path = write(tmp_path, "csv", rows)
    (found,) = items(path, *MAP, "role:miller=assistant", "role:0=system", "role:*=user")
    assert [m.role for m in found.messages] == ["assistant", "system", "assistant", "user"]


def test_an_override_beats_the_usual_word(tmp_path):
    found = items(write(tmp_path, "csv"), *MAP, "role:agent=tool")
    assert talks(found)["7"][1][0] == "tool"


def test_without_a_thread_a_file_is_one_conversation(tmp_path):
    (found,) = items(write(tmp_path, "csv"), "role=author", "content=body")
    assert [m.content for m in found.messages] == [row["body"] for row in ROWS]


def test_rows_without_a_thread_stand_alone(tmp_path):
    rows = [{"author": "user", "body": text, "ticket_id": ""} for text in "ab"]
    assert [len(c.messages) for c in items(write(tmp_path, "csv", rows))] == [1, 1]


def test_two_tables_with_the_same_small_ids_do_not_overwrite_each_other(tmp_path):
    one = items(write(tmp_path, "csv"))
    renamed = [{"nr": r["ticket_id"], "author": r["author"], "body": r["body"]} for r in ROWS]
    two = items(write(tmp_path, "json", renamed), "role=author", "content=body", "thread=nr")
    assert not {c.id for c in one} & {c.id for c in two}


@pytest.mark.parametrize("kind", ["csv", "jsonl", "json", "parquet", "db"])
def test_a_column_that_is_not_there_lists_those_that_are(tmp_path, kind):
    with pytest.raises(UserError) as caught:
        items(write(tmp_path, kind), "role=author", "content=text", "thread=ticket_id")
    assert "text" in caught.value.message
    assert "ticket_id, author, body" in caught.value.hint


def test_a_damaged_row_costs_only_itself(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(
        'author,body,ticket_id\nuser,a,1\nuser,a,1,2\nuser\n\nagent,"x"y,1\nagent,b,1\n'
    )
    found = items(path)
    assert talks(found) == {"1": [("user", "a"), ("assistant", "b")]}
    rejects = [each.where for each in found if isinstance(each, Reject)]
    assert rejects == ["a.csv: line 3", "a.csv: line 4", "a.csv: line 6"]


def test_a_damaged_line_of_json_costs_only_itself(tmp_path):
    path = write(tmp_path, "jsonl")
    path.write_text(path.read_text() + '{"author": \n[1]\n')
    found = items(path)
    assert talks(found) == TALKS
    assert sum(isinstance(each, Reject) for each in found) == 2


def test_two_columns_of_one_name_are_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("author,body,body\nuser,a,b\n")
    with pytest.raises(ExportError, match="body"):
        items(path, "role=author", "content=body")


def test_a_file_that_is_no_table(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("just words\n")
    with pytest.raises(ExportError, match="no table"):
        items(path)


@pytest.mark.parametrize(
    ("pairs", "word"),
    [
        (["role"], "no '='"),
        (["rolle=x", "role=a", "content=b"], "rolle"),
        (["role=a"], "content"),
        (["role=a", "content=b", "role:x=boss"], "boss"),
        (["role=", "content=b"], "role"),
    ],
)
def test_a_mapping_that_says_nothing_clear_is_refused(pairs, word):
    with pytest.raises(UserError, match=word) as caught:
        parse_pairs(pairs)
    assert caught.value.hint


def test_a_word_for_a_role_may_hold_an_equals_sign():
    pairs = parse_pairs(["role=a", "content=b=c", "role:x=y=user"])
    assert pairs == (("role", "a"), ("content", "b=c"), ("role:x=y", "user"))


# -- SQLite --------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["ticket", "SELECT * FROM ticket WHERE ticket_id = '7'"])
def test_a_query_or_a_table_of_a_database(tmp_path, query):
    found = talks(items(write(tmp_path, "db"), query=query))
    assert found["7"] == TALKS["7"]
    assert ("8" in found) == (query == "ticket")


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM ticket",
        "SELECT nothing FROM ticket",
        "PRAGMA query_only = 0",
        "ATTACH 'other.db' AS other",
        "CREATE TEMP TABLE x AS SELECT 1",
        "SELECT 1; SELECT 2",
    ],
)
def test_a_query_that_does_not_only_read_is_refused(tmp_path, query, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, "db")
    before = path.read_bytes()
    with pytest.raises(UserError) as caught:
        items(path, query=query)
    assert "--query" in caught.value.message
    assert "ticket" in caught.value.hint
    assert path.read_bytes() == before
    assert not (tmp_path / "other.db").exists()


def test_a_database_whose_table_is_not_clear_says_so(tmp_path):
    path = write(tmp_path, "db")
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE second AS SELECT * FROM ticket")
    database.close()
    with pytest.raises(UserError, match="several tables") as caught:
        items(path)
    assert "second (ticket_id, author, body)" in caught.value.hint


def test_the_latest_rows_of_a_database_in_use_are_read(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    path = write(folder, "db")
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("INSERT INTO ticket VALUES ('8', 'user', 'more')")
    database.commit()
    assert (folder / "table.db-wal").stat().st_size
    found = items(folder)
    database.close()
    assert talks(found)["8"] == [*TALKS["8"], ("user", "more")]
    assert not any(isinstance(each, Skip) for each in found)


def test_a_query_for_what_is_no_database(tmp_path):
    with pytest.raises(UserError, match="no SQLite"):
        items(write(tmp_path, "csv"), query="SELECT 1")


# -- the store and the command line --------------------------------------------------------------


def test_a_table_lands_and_lands_again_unchanged(tmp_path, store):
    options = ImportOptions(mapping=parse_pairs(MAP))
    path = write(tmp_path, "csv")
    assert import_export(path, store, format_name="mapped", options=options).stored == 2
    renamed = path.rename(tmp_path / "again.csv")
    renamed.write_text(renamed.read_text("utf-8-sig") + '"8","user","more"\n')
    report = import_export(renamed, store, format_name="mapped", options=options)
    assert (report.stored, report.updated, report.unchanged) == (0, 1, 1)


def test_the_command_line_takes_a_mapping(tmp_path, capsys):
    path = write(tmp_path, "db")
    arguments = ["import", str(path), "--home", str(tmp_path / "home"), "--json"]
    for pair in MAP:
        arguments += ["--map", pair]
    assert run([*arguments, "--query", "ticket"]) == 0
    assert json.loads(capsys.readouterr().out)["stored"] == 2


@pytest.mark.parametrize(
    "arguments",
    [["--query", "x"], ["--map", "role=x"], ["--map", "role"], ["--format", "chatgpt", "--map",
     "role=author", "--map", "content=body"]],
)  # fmt: skip
def test_the_command_line_refuses_half_a_mapping(tmp_path, capsys, arguments):
    path = write(tmp_path, "csv")
    assert run(["import", str(path), "--home", str(tmp_path / "home"), *arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 2


def test_the_first_message_of_a_table_without_a_header_is_in_no_error(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("Author,When does the mill open on market days?,Ticket ID\nb,c,d\n")
    with pytest.raises(UserError) as raised:
        items(path)
    assert "market" not in raised.value.message + raised.value.hint
    assert raised.value.hint.startswith("its columns: Author, Ticket ID, 1 that look like text")
    path.write_text("Is it open?,Is it open?\nb,c\n")
    with pytest.raises(UserError) as raised:
        items(path)
    assert "open" not in raised.value.message + raised.value.hint


def test_a_database_damaged_in_the_middle_keeps_its_rows_before(tmp_path):
    path = tmp_path / "x.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE t (ticket_id, author, body)")
        rows = [(str(number), "user", "x" * 500) for number in range(400)]
        database.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)
    database.close()
    raw = bytearray(path.read_bytes())
    raw[-30 * 4096 : -29 * 4096] = b"\xff" * 4096
    path.write_bytes(raw)
    found = items(path)
    (reject,) = (each for each in found if isinstance(each, Reject))
    assert "malformed" in reject.reason
    assert sum(isinstance(each, Conversation) for each in found) > 100
