"""The store: round trips, look-ups, locks, and files that are no store."""

import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import columns
from ingest.errors import StoreError
from ingest.importers.base import Reject
from ingest.message import Attachment, Conversation, Message, Participant, ToolCall
from ingest.store import SCHEMA_VERSION, SourceRecord, Store, Where, open_store

FULL = Conversation(
    id="x-1",
    importer="x",
    source_id="native",
    title="Title",
    created_at=datetime(2026, 1, 2, 3, 4, 5, 678901, UTC),
    messages=(
        Message(
            role="assistant",
            content="line\nline \U0001f33e",
            name="Bo",
            reasoning="hm",
            tool_calls=(ToolCall("c1", "f", '{ "a": 1 }'), ToolCall("c2", "g")),
            attachments=(Attachment("image", "n", "u", "image/png", 7, "text"), Attachment()),
            created_at=datetime(2026, 1, 2, 3, 4, 5),
            train=True,
            source_id="s",
            parent_id="p",
            on_path=False,
            extra={"a": [1, None, {"b": 2.5}], "c": "d"},
        ),
        Message("tool", "42", tool_call_id="c1", train=False, created_at=None),
        Message("user"),
    ),
    participants=(Participant("Anna", "7"), Participant("Bo", None, is_assistant=True)),
    tools='[{"type": "function"}]',
    metadata={"events": [["2026-01-01", "joined"]]},
)
BARE = Conversation(id="x-2", importer="x")


def put(store: Store, conversations: Sequence[Conversation], source: str = "src") -> None:
    first = store.next_ord()
    ords = range(first, first + len(conversations))
    with store.transaction():
        store.insert(*tables(source, ords, conversations))


def tables(
    source: str, ords: Sequence[int], conversations: Sequence[Conversation]
) -> tuple[pa.Table, pa.Table]:
    numbers = np.array(ords)
    hashes = [c.content_hash for c in conversations]
    return (
        columns.renumbered(columns.conversation_columns(source, conversations, hashes), numbers),
        columns.renumbered(columns.message_columns(conversations), numbers),
    )


def named(id_: str, **fields: object) -> Conversation:
    return Conversation(id=id_, importer="x", **fields)  # type: ignore[arg-type]


# -- round trips ---------------------------------------------------------------------------------


def test_every_field_comes_back(store):
    put(store, [FULL, BARE])
    assert list(store.stream()) == [
        (FULL, FULL.content_hash, "src"),
        (BARE, BARE.content_hash, "src"),
    ]
    assert store.get("x-1") == FULL


def test_a_time_keeps_its_moment_and_whether_it_had_a_zone(store):
    east = datetime(2026, 1, 2, 3, 4, tzinfo=timezone(timedelta(hours=5)))
    put(store, [named("a", created_at=east), named("b", created_at=datetime(2026, 1, 2, 3, 4))])
    a, b = store.get("a").created_at, store.get("b").created_at
    assert (a, a.tzinfo) == (east, UTC)
    assert (b, b.tzinfo) == (datetime(2026, 1, 2, 3, 4), None)


TEXT = st.text(max_size=10)
TIMES = st.none() | st.datetimes(datetime(1980, 1, 1), datetime(2200, 1, 1)) | st.datetimes(
    datetime(1980, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)
)  # fmt: skip
JSON = st.dictionaries(
    TEXT, TEXT | st.integers() | st.none() | st.lists(TEXT, max_size=2), max_size=2
)
MESSAGES = st.builds(
    Message,
    role=st.sampled_from(["system", "developer", "user", "assistant", "tool"]),
    content=TEXT,
    name=st.none() | TEXT,
    reasoning=st.none() | TEXT,
    tool_calls=st.lists(st.builds(ToolCall, TEXT, TEXT, TEXT), max_size=2).map(tuple),
    attachments=st.lists(st.builds(Attachment, TEXT, st.none() | TEXT), max_size=2).map(tuple),
    created_at=TIMES,
    train=st.none() | st.booleans(),
    on_path=st.booleans(),
    extra=JSON,
)
CONVERSATIONS = st.builds(
    Conversation,
    id=TEXT,
    importer=TEXT,
    title=st.none() | TEXT,
    created_at=TIMES,
    messages=st.lists(MESSAGES, max_size=4).map(tuple),
    participants=st.lists(st.builds(Participant, TEXT), max_size=2).map(tuple),
    metadata=JSON,
)


def test_any_conversation_comes_back_with_its_hash(store):
    @settings(max_examples=30, deadline=None)
    @given(conversations=st.lists(CONVERSATIONS, max_size=4))
    def law(conversations: list[Conversation]) -> None:
        store.delete(range(1, store.next_ord()))
        put(store, conversations)
        found = list(store.stream())
        assert [conversation for conversation, _, _ in found] == conversations
        assert all(conversation.content_hash == hash_ for conversation, hash_, _ in found)

    law()


def test_a_store_keeps_what_it_holds_when_it_is_closed(tmp_path):
    path = tmp_path / "deep" / "store.duckdb"
    with open_store(path) as store:
        put(store, [FULL])
    with open_store(path) as store:
        assert store.get("x-1") == FULL


def test_many_messages_are_streamed_in_their_order(store):
    talks = [
        named(f"c{n}", messages=tuple(Message("user", f"{n}.{m}") for m in range(n % 50)))
        for n in range(300)
    ]
    put(store, talks)
    assert [conversation for conversation, _, _ in store.stream()] == talks


# -- look-ups ------------------------------------------------------------------------------------


def test_an_id_is_found_by_its_beginning(store):
    put(store, [named("x-12"), named("x-123"), named("y-1")])
    assert store.get("y").id == "y-1"
    assert store.get("x-123").id == "x-123"
    assert store.get("x-12").id == "x-12"  # whole, though another begins with it


@pytest.mark.parametrize("prefix", ["x", "", "x-1"])
def test_a_beginning_that_fits_several_is_an_error(store, prefix):
    put(store, [named("x-12"), named("x-13")])
    with pytest.raises(StoreError, match="several"):
        store.get(prefix)


@pytest.mark.parametrize("prefix", ["z", "x-%", "x-_", "' OR true --", "12"])
def test_an_id_that_is_not_there_is_an_error(store, prefix):
    put(store, [named("x-12")])
    with pytest.raises(StoreError, match="no such conversation"):
        store.get(prefix)


def found(store: Store, limit: int = 99, **where: str) -> list[str]:
    return [row["id"] for row in store.list_conversations(Where(**where), limit)]


@pytest.fixture
def talks(store: Store) -> Store:
    put(
        store,
        [
            named("a", title="Flour", messages=(Message("user", "Is RYE in stock? 100%"),)),
            named("b", messages=(Message("user", "it's 'quoted'; DROP TABLE messages; --"),)),
            named("c", title="Gr\u00fc\u00dfe", participants=(Participant("Anna"),)),
            Conversation(
                "d", "y", participants=(Participant('Jo "Big" \\ Reed'), Participant("B"))
            ),
        ],
    )
    return store


@pytest.mark.parametrize(
    ("search", "ids"),
    [
        ("rye", ["a"]),
        ("FLOUR", ["a"]),
        ("GR\u00dc\u00df", ["c"]),
        ("100%", ["a"]),
        ("%", ["a"]),
        ("_", []),
        ("'quoted'", ["b"]),
        ("'; DROP TABLE messages; --", ["b"]),
        ("' OR '1'='1", []),
        ("\\", []),
        ("?", ["a"]),
        ("", ["a", "b", "c", "d"]),
    ],
)
def test_search_takes_its_text_as_it_is(talks, search, ids):
    assert found(talks, search=search) == ids
    assert talks.counts() == {"x": 3, "y": 1}


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("Anna", ["c"]),
        ("Ann", []),
        ('Jo "Big" \\ Reed', ["d"]),
        ("Big", []),
        ('"', []),
        ("' OR true --", []),
    ],
)
def test_a_participant_is_found_by_the_whole_name(talks, name, ids):
    assert found(talks, participant=name) == ids


def test_conditions_are_all_met_and_the_limit_holds(talks):
    assert found(talks, importer="y") == ["d"]
    assert found(talks, importer="y", search="rye") == []
    assert found(talks, limit=2) == ["a", "b"]


def test_a_list_row(talks):
    put(talks, [FULL])
    assert talks.list_conversations(Where(search="Title"), 1) == [
        {
            "id": "x-1",
            "importer": "x",
            "title": "Title",
            "messages": 3,
            "created_at": "2026-01-02T03:04:05.678901+00:00",
            "content_hash": FULL.content_hash,
            "missing_from": None,
        }
    ]


def test_conversations_are_selected_for_a_build(store):
    day = datetime(2026, 1, 1)
    put(
        store,
        [
            named("a", created_at=day, participants=(Participant("Anna"),)),
            named("b", created_at=day + timedelta(days=1), participants=(Participant("Bo"),)),
            Conversation("c", "y", created_at=(day + timedelta(days=2)).replace(tzinfo=UTC)),
            Conversation("d", "y"),
        ],
    )

    def select(importers=(), people=(), since=None, until=None) -> str:
        ords = store.select_ords(importers, people, since, until)
        return "".join(c.id for c, _, _ in store.stream_ords(ords))

    assert select() == "abcd"
    assert select(importers=["y"]) == "cd"
    assert select(people=["Anna", "Bo"]) == "ab"
    assert select(people=["' OR true --"]) == ""
    assert select(since=day + timedelta(days=1)) == "bc"
    assert select(until=day + timedelta(days=1)) == "a"
    assert select(since=day.replace(tzinfo=timezone(timedelta(hours=-24 + 1)))) == "bc"


# -- transactions --------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, StoreError])
def test_a_transaction_that_ends_in_an_error_leaves_nothing(store, error):
    put(store, [FULL])

    def stopped() -> None:
        with store.transaction():
            store.delete([1])
            store.insert(*tables("src", [2], [BARE]))
            store.put_rejects("src", "x", "path", [Reject("here", "bad")])
            store.put_source("sha", "{}", "x", "path", SourceRecord(1, 0, {}, 0, 0))
            raise error("stop")

    with pytest.raises(error):
        stopped()
    assert [c.id for c, _, _ in store.stream()] == ["x-1"]
    assert store.rejects() == []
    assert store.source_record("sha", "{}") is None
    put(store, [BARE])
    assert [c.id for c, _, _ in store.stream()] == ["x-1", "x-2"]


def test_what_was_deleted_is_gone_with_its_messages(store):
    put(store, [FULL, BARE])
    with store.transaction():
        store.delete([1])
    assert [c.id for c, _, _ in store.stream()] == ["x-2"]
    assert found(store, search="line") == []


def test_a_source_is_remembered_with_its_options(store):
    record = SourceRecord(5, 1, {"no messages": 2}, 9, 1)
    store.put_source("sha", "one", "x", "path", record)
    assert store.source_record("sha", "one") == record
    assert store.source_record("sha", "two") is None
    store.put_source("sha", "two", "x", "path", record)
    assert store.source_record("sha", "one") is None


def test_the_quarantine_is_kept_by_export(store):
    store.put_rejects("s1", "x", "one", [Reject("b", "bad", "do"), Reject("a", "bad")])
    store.put_rejects("s2", "x", "two", [Reject("c", "worse", "do")])
    store.put_rejects("s1", "x", "one", [Reject("z", "bad", "do")])
    assert store.rejects() == [
        {"source": "one", "where": "z", "reason": "bad", "hint": "do"},
        {"source": "two", "where": "c", "reason": "worse", "hint": "do"},
    ]


# -- files that cannot be used -------------------------------------------------------------------


def refused(path: Path, *words: str) -> None:
    with pytest.raises(StoreError) as caught, open_store(path) as store:
        list(store.stream())
    error = caught.value
    assert str(path) in error.message or str(path.parent) in error.message
    assert error.hint
    assert "\n" not in error.message + error.hint
    for word in words:
        assert word in f"{error.message} {error.hint}"


def filled(path: Path) -> bytes:
    with open_store(path) as store:
        texts = (f"{n * 7919 % 104729:x}" * 40 for n in range(900))
        put(store, [named(f"c{n}", messages=(Message("user", t),)) for n, t in enumerate(texts)])
    return path.read_bytes()


@pytest.mark.parametrize("raw", [b"", b"hello " * 5000, b"SQLite format 3\0" + b"\0" * 9000])
def test_a_file_that_is_no_store(tmp_path, raw):
    path = tmp_path / "store.duckdb"
    path.write_bytes(raw)
    refused(path, "damaged or no store")
    assert path.read_bytes() == raw


@pytest.mark.parametrize("place", [0, 4100, 12_400, 0.3, 0.5])
def test_a_damaged_store(tmp_path, place):
    path = tmp_path / "store.duckdb"
    raw = bytearray(filled(path))
    start = place if isinstance(place, int) else int(len(raw) * place)
    raw[start : start + 5000] = b"\x5a" * 5000
    path.write_bytes(bytes(raw))
    refused(path, "damaged or no store")


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_a_cut_store(tmp_path, share):
    path = tmp_path / "store.duckdb"
    raw = filled(path)
    path.write_bytes(raw[: int(len(raw) * share)])
    refused(path, "damaged or no store")


def test_after_an_error_the_same_file_can_be_opened_again(tmp_path):
    path = tmp_path / "store.duckdb"
    good = filled(path)
    bad = bytearray(good)
    start = len(bad) // 2
    bad[start : start + 5000] = b"\x5a" * 5000
    path.write_bytes(bytes(bad))
    refused(path)
    path.write_bytes(good)
    with open_store(path) as store:
        assert len(list(store.stream())) == 900


def test_a_folder_in_the_stores_place(tmp_path):
    (tmp_path / "store.duckdb").mkdir()
    refused(tmp_path / "store.duckdb")


def test_a_home_that_is_a_file(tmp_path):
    (tmp_path / "home").touch()
    refused(tmp_path / "home" / "store.duckdb", "--home")


@pytest.mark.parametrize("version", [SCHEMA_VERSION + 1, 0])
def test_a_store_of_another_schema_is_refused(tmp_path, version):
    path = tmp_path / "store.duckdb"
    with open_store(path):
        pass
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE schema_version SET version = ?", [version])
    refused(path, f"schema version {version}", "newer one")


HOLD = """
import sys
from pathlib import Path
from ingest.store import open_store
with open_store(Path(sys.argv[1])):
    print("open", flush=True)
    sys.stdin.read()
"""


def test_a_store_that_another_process_has_open(tmp_path):
    path = tmp_path / "clock" / "store.duckdb"
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"open\n"
        refused(path, "another process has the store open", "wait")
        other.stdin.close()
    with open_store(path) as store:
        assert store.is_empty()


def test_a_bug_of_ours_stays_a_bug(store):
    with pytest.raises(duckdb.Error, match="nowhere"), store.transaction():
        list(store.stream("nowhere = 1"))
