"""The law of outward formats: a row is refused, or our own importer reads it back equal."""

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from export_ground import TOOL, row
from hypothesis import given, settings
from hypothesis import strategies as st
from made import only, read
from msgspec.structs import replace

from dataset.export.base import FormatOptions, Misfit
from dataset.export.losses import fit
from dataset.export.registry import FORMATS
from ingest.message import Message, ToolCall
from ingest.registry import importer

ALL_FIELDS = frozenset({"name", "reasoning", "tool_calls", "tool_call_id", "train"})
TEXT = st.text(max_size=12)
SAID = st.text(min_size=1, max_size=12)
FLAG = st.sampled_from([None, None, None, True, False])
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
ARGUMENTS = st.dictionaries(TEXT, VALUES, max_size=3).map(json.dumps)


@st.composite
def turns(draw: Callable[..., Any], at: int) -> list[Message]:
    """A question and what follows: often calls with their results, then an answer."""
    made = [Message("user", draw(SAID), name=draw(st.none() | SAID), train=draw(FLAG))]
    ids = [f"call_{at}_{n}" for n in range(draw(st.sampled_from([0, 0, 1, 1, 2])))]
    if ids:
        names = [draw(st.sampled_from(["price_of", "weigh"])) for _ in ids]
        calls = [ToolCall(*pair, draw(ARGUMENTS)) for pair in zip(ids, names, strict=True)]
        text = draw(st.sampled_from(["", "", "", "Let me see."]))
        made.append(Message("assistant", text, tool_calls=tuple(calls), train=draw(FLAG)))
        made += [
            Message("tool", draw(TEXT), tool_call_id=id_, name=name)
            for id_, name in zip(ids, names, strict=True)
        ]
    reasoning = draw(st.sampled_from([None, None, "Hm, so."]))
    made.append(Message("assistant", draw(SAID), reasoning=reasoning, train=draw(FLAG)))
    return made


@st.composite
def orderly(draw: Callable[..., Any]) -> list[Message]:
    """A conversation as models have it."""
    role = draw(st.sampled_from([None, "system", "developer"]))
    made = [Message(role, draw(SAID))] if role else []
    for at in range(draw(st.integers(1, 3))):
        made += draw(turns(at))
    return made if draw(st.booleans()) else made[: draw(st.integers(1, len(made)))]


MESSAGE = st.builds(
    Message,
    role=st.sampled_from(["system", "developer", "user", "assistant", "assistant", "tool"]),
    content=TEXT,
    name=st.none() | TEXT,
    reasoning=st.none() | SAID,
    tool_calls=st.lists(
        st.builds(ToolCall, st.sampled_from(["a", "b"]), TEXT, ARGUMENTS | TEXT), max_size=2
    ).map(tuple),
    tool_call_id=st.sampled_from([None, None, "a", "b"]),
    train=FLAG,
)


def plain(messages: list[Message]) -> list[Message]:
    """Without what only some formats can say."""
    return [replace(each, train=None, reasoning=None) for each in messages]


CONVERSATIONS = st.one_of(
    orderly(),
    orderly().map(plain),
    st.tuples(SAID, SAID).map(
        lambda pair: [Message("user", pair[0]), Message("assistant", pair[1])]
    ),
    st.lists(MESSAGE, min_size=1, max_size=4),
)
TOOLS = st.sampled_from([None, None, json.dumps([TOOL])])


def read_back(name: str, record: dict[str, Any]) -> tuple[list[Message], str | None]:
    """What our importer makes of the record, written by the format."""
    outward = FORMATS[name](FormatOptions("mill", ALL_FIELDS, objects=False))
    reader = {"axolotl": "openai", "parquet": "openai", "llama-factory": "sharegpt"}
    with TemporaryDirectory() as folder:
        file = Path(folder) / f"train{outward.suffix}"
        with file.open("wb") as opened:
            outward.write([record], opened)
        found = only(read(importer(reader.get(name, name)), file))
    return list(found.messages), found.tools


Said = tuple[Any, ...]


def as_chat(message: Message, *, train: bool | None) -> Said:
    """Everything that chat messages hold."""
    return (message.role, message.content, message.reasoning, message.tool_calls,
            message.tool_call_id, message.name, train)  # fmt: skip


def as_turn(message: dict[str, Any] | Message) -> Said:
    """What turns without ids hold: roles, text, calls with decoded arguments."""
    entry = message if isinstance(message, dict) else vars_of(message)
    role = "system" if entry["role"] == "developer" else entry["role"]
    calls = [(each["name"], json.loads(each["arguments"])) for each in entry["tool_calls"] or ()]
    return role, entry["content"], calls


def vars_of(message: Message) -> dict[str, Any]:
    calls = [{"name": each.name, "arguments": each.arguments} for each in message.tool_calls]
    return {"role": message.role, "content": message.content, "tool_calls": calls}


def record_of(name: str, messages: list[Message], tools: str | None) -> tuple[Any, Any]:
    """The fitting row and its record; (None, None) where it is refused."""
    outward = FORMATS[name](FormatOptions("mill", ALL_FIELDS, objects=False))
    try:
        fitting, lost = fit(row(*messages, tools=tools), outward.cannot, ())
        record = outward.record(fitting).value
    except Misfit:
        return None, None
    assert lost == ()
    return fitting["messages"], record


@settings(deadline=None)  # the first example loads libraries
@given(CONVERSATIONS, TOOLS)
def test_parquet_keeps_messages_tools_and_flags(messages, tools):
    said, record = record_of("parquet", messages, tools)
    if not said:
        return  # blank system messages do not reach a version
    found, found_tools = read_back("parquet", record)
    assert [as_chat(each, train=each.train) for each in found] == [as_dict(each) for each in said]
    assert found_tools == tools


@given(CONVERSATIONS, TOOLS)
def test_axolotl_keeps_messages_tools_and_flags(messages, tools):
    said, record = record_of("axolotl", messages, tools)
    if record is None:
        return
    found, found_tools = read_back("axolotl", record)
    flags = [each.extra.get("train") for each in found]
    assert [as_chat(m, train=f) for m, f in zip(found, flags, strict=True)] == [
        as_dict(each) for each in said
    ]
    assert found_tools == tools


@given(CONVERSATIONS, TOOLS)
def test_openai_keeps_messages_tools_and_the_assistants_weights(messages, tools):
    said, record = record_of("openai", messages, tools)
    if record is None:
        return
    found, found_tools = read_back("openai", record)
    wanted = [as_dict(each) for each in said]
    got = [as_chat(each, train=each.train) for each in found]
    for before, after in zip(wanted, got, strict=True):
        assert after[:5] == before[:5]
        assert after[5] in (before[5], None)
        assert after[6] == (before[6] if before[0] == "assistant" else None)
    assert json.loads(found_tools or "null") == json.loads(tools or "null")


def as_dict(message: dict[str, Any]) -> Said:
    """A message of a row as :func:`as_chat` has it."""
    calls = tuple(ToolCall(**each) for each in message["tool_calls"] or ())
    return (message["role"], message["content"], message["reasoning"], calls,
            message["tool_call_id"], message["name"], message["train"])  # fmt: skip


@given(CONVERSATIONS, TOOLS)
def test_sharegpt_keeps_turns_calls_and_which_result_is_whose(messages, tools):
    said, record = record_of("sharegpt", messages, tools)
    if record is None:
        return
    found, found_tools = read_back("sharegpt", record)
    assert [as_turn(each) for each in found] == [as_turn(each) for each in said]
    assert answered(found) == answered(messages)
    assert found_tools == tools


@given(CONVERSATIONS, TOOLS)
def test_llama_factory_keeps_turns_and_writes_reasoning_before_the_answer(messages, tools):
    said, record = record_of("llama-factory", messages, tools)
    if record is None:
        return
    thought = [
        {**each, "content": f"<think>\n{each['reasoning']}\n</think>\n\n{each['content']}"}
        if each["reasoning"]
        else each
        for each in said
    ]
    if any(each["tool_calls"] and each["reasoning"] for each in said):
        return  # the importer knows calls only by themselves
    found, found_tools = read_back("llama-factory", record)
    assert [as_turn(each) for each in found] == [as_turn(each) for each in thought]
    assert answered(found) == answered(messages)
    assert found_tools == tools


@given(CONVERSATIONS, TOOLS)
def test_alpaca_keeps_question_and_answer(messages, tools):
    said, record = record_of("alpaca", messages, tools)
    if record is None:
        return
    found, _ = read_back("alpaca", record)
    assert [as_turn(each) for each in found] == [as_turn(each) for each in said]


def answered(messages: list[Message]) -> list[str | None]:
    """Of each result, the name of the call that it answers."""
    calls: dict[str, str] = {}
    names: list[str | None] = []
    for message in messages:
        calls.update((call.id, call.name) for call in message.tool_calls)
        if message.role == "tool":
            names.append(calls.get(message.tool_call_id or ""))
    return names


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_orderly_conversations_are_written_not_all_refused(name):
    """The laws above are empty if everything is refused."""
    talk = [Message("system", "Mill."), Message("user", "Hi"), Message("assistant", "Ho")]
    _, record = record_of(name, talk, None)
    assert record is not None
