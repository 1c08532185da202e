"""The redaction check looks at many texts at once, in several processes, and misses nothing."""

import re
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from redact_ground import frame_of, put, talk

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))

from redact_corpus import documents

import dataset.redact.check as check
from dataset.build import build
from dataset.flow import Stopwatch
from dataset.manifest import DatasetSpec
from dataset.redact.check_looks import Asked, Batch, Left, Looks
from dataset.redact.check_patterns import KINDS, left_in, near
from dataset.redact.written import PLACEHOLDER
from ingest.message import Message, ToolCall
from ingest.store import Store, open_store
from ingest.workspace import Workspace

EVERYTHING = Asked(KINDS, people=True)
_VALUES = (
    "q@mill-post.org", "+49 170 1234567", "4111 1111 1111 1111", "DE89370400440532013000",
    "8.8.4.4", "https://jo:hunter2@example.com", "sk-" + "a1B2" * 8, "AKIA" + "A1B2" * 4,
    "eyJhbGciOiJI.eyJzdWIiOiI.", "AP\u0130-KEY\x1c=\x1f'tr0ub4dor3x", "pa\u017fsword: tr0ub4dor3x",
    "to\u212aen=tr0ub4dor3x", "123-45-6789", "-----BEGIN PRIVATE KEY-----",
    "+\u0664\u0669 \u0661\u0667\u0660 1234567", "[EMAIL_1]", "Person_7", "Anna", "anna", "jo",
    "Jo Anna", "小明", "Mu\u0308ller", "hosanna", " ", "\n", "\x1c", "v ", ".", "1", "x",
)  # fmt: skip
TEXTS = st.lists(st.one_of(st.sampled_from(_VALUES), st.text(max_size=3)), max_size=6)


def suspicious(text: str, kinds: frozenset[str] = KINDS) -> bool:
    return bool(pl.Series([text]).str.contains(near(kinds))[0])


@given(TEXTS.map("".join))
@example("".join(_VALUES))
def test_a_text_that_is_not_suspicious_holds_nothing(text: str) -> None:
    for kind in {kind for kind, _, _ in left_in(text)}:
        assert suspicious(text, frozenset({kind}))


def test_no_line_of_the_corpus_that_holds_something_is_passed_over() -> None:
    lines = [line for document in documents(600) for line in document.text.split("\n")]
    found = {(kind, line) for line in lines for kind, _, _ in left_in(line)}
    assert len({kind for kind, _ in found}) >= 9
    assert [line for kind, line in found if not suspicious(line, frozenset({kind}))] == []


@pytest.mark.parametrize(
    "text", ["at 10:30, version 3.12", "hi @jo", "the password is new", "1,200 x = y", "", "日本語"]
)
def test_most_texts_are_not_suspicious(text: str) -> None:
    assert not suspicious(text)


def test_nothing_is_suspicious_if_no_kind_is_asked() -> None:
    assert not suspicious("".join(_VALUES), frozenset())


@given(TEXTS.map("".join))
@example("xPerson_1Person_2 _Person_3Person_4")
def test_placeholders_are_told_by_the_plain_pattern(text: str) -> None:
    plain = re.compile(r"\[([A-Z][A-Z0-9_]*)_(\d+)\]|(?<![^\W_])Person_\d+")
    assert [each.span() for each in PLACEHOLDER.finditer(text)] == [
        each.span() for each in plain.finditer(text)
    ]


PEOPLE = ("Anna Müller", "Jo Anna", "小明", "Person Mill")


def put_samples(store: Store) -> None:
    texts = [
        *_VALUES,
        "password:[PASSWORD_1]abcdefgh1",
        "jo[EMAIL_1]anna and Person_3",
        "nothing at all",
        *(document.text for document in documents(60)),
    ]
    call = ToolCall("c", "mail", '{"to": "q@mill-post.org", "by": "müller"}')
    messages = (
        Message("user", "hi", name="8.8.4.4"),
        Message("assistant", "ok", tool_calls=(call, call), reasoning="Anna!"),
        Message("tool", "done", name="Anna", tool_call_id="c"),
    )
    tools = '[{"name": "q@mill-post.org"}]'
    put(
        store,
        *(talk(at, PEOPLE[at % 4 :][:2], text, "ok") for at, text in enumerate(texts)),
        talk(1001, PEOPLE, messages=messages, title="8.8.4.4", tools=tools),
        talk(1002, (), "", "ok"),
        talk(1003, PEOPLE, messages=()),
    )


def by_itself(looks: Looks, rows: pl.DataFrame, names: dict[str, list[str]]) -> list[Left]:
    """What is found if every text of every conversation is looked at by itself."""
    looks._suspects = lambda rows, looks: list(range(len(rows)))  # type: ignore[method-assign]
    return looks(Batch(rows, names)).left


@pytest.mark.parametrize("asked", [EVERYTHING, Asked(frozenset({"ip"}), people=False)])
def test_looks_at_whole_conversations_find_what_looks_at_each_text_do(
    workspace: Workspace, asked: Asked
) -> None:
    with open_store(workspace.store) as store:
        put_samples(store)
        rows = frame_of(store)
        names = store.participants_of(rows["id"].to_list()) if asked.people else {}
    found = Looks(asked)(Batch(rows, names)).left
    assert found == by_itself(Looks(asked), rows, names)
    assert 3 < len({each.conversation for each in found}) < len(rows)


@pytest.mark.parametrize("kind", ["chat", "preference"])
def test_any_number_of_workers_finds_the_same(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, kind: Any
) -> None:
    monkeypatch.setattr(check, "_BATCH", 7)
    monkeypatch.setattr(check, "_FEW", 0)
    with open_store(workspace.store) as store:
        put_samples(store)
        answers = (
            Message("user", "Who?", source_id="1"),
            Message("assistant", "Anna", source_id="2", parent_id="1", on_path=False),
            Message("assistant", "8.8.4.4", source_id="3", parent_id="1"),
        )
        put(store, *(talk(at, PEOPLE, messages=answers) for at in range(2001, 2020)))
        spec = DatasetSpec(name="d", kind=kind, steps=[])
        version = build(store, spec, workspace)
        clock = Stopwatch()
        one, two = (
            check.check_files(
                sorted(version.path.glob("data/*.parquet")),
                EVERYTHING,
                lambda ids: store.participants_of([id_ for id_ in ids if id_ != "talk-0003"]),
                workers=workers,
                clock=clock,
            )
            for workers in (1, 2)
        )
    assert one == two
    assert one.conversations > 14
    assert one.left
    assert clock.seconds > 0
