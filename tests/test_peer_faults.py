"""Faults that other tools are known for, each asked of ours: nothing here may happen to a user.

The numbers name the public reports. Faults of a single format stand with its other tests.
"""

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from made import gpt_export, gpt_message, gpt_talk, jsonl, node, only, read

from ingest.importers.base import Item
from ingest.load import import_export
from ingest.message import Conversation, Message
from ingest.registry import importer
from ingest.store import Store

START = datetime(2026, 1, 2, 10, tzinfo=UTC)


@pytest.fixture
def items(tmp_path: Path) -> Callable[..., list[Item]]:
    def items_of(name: str, value: Any, **options: Any) -> list[Item]:
        path = tmp_path / "export.json"
        path.write_bytes(value if isinstance(value, bytes) else json.dumps(value).encode())
        return read(importer(name), path, **options)

    return items_of


def path_of(talk: Conversation) -> list[str]:
    return [message.content for message in talk.messages if message.on_path]


# -- assistants ----------------------------------------------------------------------------------


def test_a_sharded_export_with_a_conversation_it_cannot_read_says_so_and_stores_the_rest(
    tmp_path: Path, store: Store
) -> None:
    """LibreChat#15229, #13630: nothing was stored and the report was of success."""
    bare = gpt_talk(2)
    for each in bare["mapping"].values():
        if each["message"]:
            del each["message"]["metadata"]
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        archive.writestr("conversations-000.json", gpt_export(gpt_talk(1), bare))
        archive.writestr("conversations-001.json", gpt_export({"mapping": 5}, gpt_talk(3)))
    report = import_export(tmp_path / "export.zip", store)
    assert (report.read, report.stored, report.rejected) == (4, 3, 1)


def test_a_system_message_inside_a_talk_breaks_no_link(items):
    """LibreChat#9491, PR #2355: messages after a system node lost their parent."""
    talk = gpt_talk(
        mapping={
            **node("root", None, None, "u"),
            **node("u", "root", gpt_message("user", "question"), "s"),
            **node("s", "u", gpt_message("system", "", weight=0), "t"),
            **node(
                "t", "s", gpt_message("tool", "grey", author={"role": "tool", "name": "sky"}), "a"
            ),
            **node("a", "t", gpt_message("assistant", "answer")),
        }
    )
    found = only(items("chatgpt", [talk]))
    assert [(m.role, m.parent_id, m.on_path) for m in found.messages] == [
        ("user", None, True),
        ("system", "u", True),
        ("tool", "s", True),
        ("assistant", "t", True),
    ]


@pytest.mark.parametrize("later", [[""], [{"content_type": "image_asset_pointer"}], [None], []])
def test_a_part_without_text_erases_no_text(items, later):
    """LibreChat's importer assigned where it had to append."""
    parts = {"content_type": "multimodal_text", "parts": ["kept", *later]}
    talk = gpt_talk(mapping=node("u", None, gpt_message("user", content=parts)), current_node="u")
    assert only(items("chatgpt", [talk])).messages[0].content.strip() == "kept"


def test_the_deepest_branch_is_not_the_path(items):
    """BetterChatGPT-PLUS PR #53: an old, long branch won over the newest answer."""
    old = [
        node(
            f"o{n}", f"o{n - 1}" if n else "u", gpt_message("user", f"old {n}", create_time=5.0 + n)
        )
        for n in range(9)
    ]
    mapping = node("u", None, gpt_message("user", "q", create_time=1.0), "o0", "new")
    mapping |= {key: value for each in old for key, value in each.items()}
    mapping |= node("new", "u", gpt_message("assistant", "new", create_time=99.0))
    found = only(items("chatgpt", [gpt_talk(mapping=mapping, current_node=None)]))
    assert path_of(found) == ["q", "new"]
    assert len(found.messages) == 11


@pytest.mark.parametrize("current", ["", None])
def test_a_current_message_that_is_empty_loses_no_talk(items, current):
    """llama.cpp#25911, #19372: with an empty current node the talk was empty."""
    messages = {
        "a": {"id": "a", "parentId": None, "role": "user", "content": "q", "timestamp": 1},
        "b": {"id": "b", "parentId": "a", "role": "assistant", "content": "a", "timestamp": 2},
    }
    history = {"messages": messages, "currentId": current}
    found = only(items("openwebui", [{"id": "1", "chat": {"history": history}}]))
    assert path_of(found) == ["q", "a"]


# -- people's chats ------------------------------------------------------------------------------


def telegram(*said: tuple[str, Any], kind: str = "personal_chat", **more: Any) -> dict[str, Any]:
    messages = [
        {
            "id": at, "type": "message", "from": who, "from_id": f"user{who}", "text": text,
            "date": "", "date_unixtime": str(int(START.timestamp()) + 60 * at), **more,
        }
        for at, (who, text) in enumerate(said)
    ]  # fmt: skip
    return {"name": "Mill", "type": kind, "id": 1, "messages": messages}


def told(talk: Conversation) -> list[tuple[str, str | None, str]]:
    return [(message.role, message.name, message.content) for message in talk.messages]


def test_newlines_and_quotes_are_what_was_written(items):
    """WeClone turned newlines into spaces and deleted backslashes and quotes."""
    text = 'two\nlines, a "quote", a \\" and a\ttab'
    assert told(only(items("telegram", telegram(("Anna", text))))) == [("user", "Anna", text)]


def test_speakers_of_a_group_stay_who_they_are(items):
    """WeClone merged everybody but oneself into one."""
    said = [("Anna", "a"), ("Bo", "b"), ("Cleo", "c"), ("Me", "d"), ("Anna", "e")]
    found = only(items("telegram", telegram(*said, kind="private_group"), as_assistant=("Me",)))
    assert told(found) == [
        ("user", "Anna", "a"), ("user", "Bo", "b"), ("user", "Cleo", "c"),
        ("assistant", "Me", "d"), ("user", "Anna", "e"),
    ]  # fmt: skip


def test_nobody_is_given_words_to_begin_with(items):
    """WeClone invented a user's turn where the assistant speaks first."""
    found = only(items("telegram", telegram(("Me", "Hello"), ("Anna", "x")), as_assistant=("Me",)))
    assert told(found) == [("assistant", "Me", "Hello"), ("user", "Anna", "x")]


def test_a_long_turn_is_not_cut(items):
    """WeClone cut turns in the middle of the text, by their length."""
    text = "grain " * 100_000
    assert only(items("telegram", telegram(("Anna", text)))).messages[0].content == text


def test_who_is_the_assistant_is_chosen_and_both_ways_work(items):
    """hicccc77/WeFlow#906: roles came out reversed and were swapped by hand in the file."""
    chat = telegram(("Anna", "a"), ("Bo", "b"))
    by = {name: only(items("telegram", chat, as_assistant=(name,))) for name in ("Anna", "Bo")}
    assert [m.role for m in by["Anna"].messages] == ["assistant", "user"]
    assert [m.role for m in by["Bo"].messages] == ["user", "assistant"]
    neither = only(items("telegram", chat))
    assert [m.role for m in neither.messages] == ["user", "user"]
    assert neither.id == by["Anna"].id == by["Bo"].id


def whatsapp_lines(number: int) -> Iterable[bytes]:
    for at in range(number):
        time = START + timedelta(minutes=at)
        yield f"{time:%d/%m/%Y, %H:%M} - Speaker {at % 40}: {'flour ' * 20}\n".encode()


def telegram_bytes(number: int) -> Iterable[bytes]:
    yield b'{"name": "Mill", "type": "private_group", "id": 1, "messages": ['
    for at in range(number):
        time, who = int(START.timestamp()) + 60 * at, at % 40
        yield (b"," if at else b"") + json.dumps({
            "id": at, "type": "message", "date_unixtime": str(time), "from": f"Speaker {who}",
            "from_id": f"user{who}", "text": "flour " * 20,
        }).encode()  # fmt: skip
    yield b"]}"


def messenger_bytes(number: int) -> Iterable[bytes]:
    yield b'{"participants": [{"name": "Anna"}, {"name": "Bo"}], "messages": ['
    for at in range(number):
        time = int(START.timestamp()) * 1000 + 60_000 * (number - at)
        yield (b"," if at else b"") + json.dumps({
            "sender_name": ("Anna", "Bo")[at % 2], "timestamp_ms": time, "content": "flour " * 20,
        }).encode()  # fmt: skip
    yield b'], "title": "Anna", "thread_path": "inbox/anna_1"}'


def wechat_bytes(number: int) -> Iterable[bytes]:
    yield b"id,MsgSvrID,type_name,is_sender,talker,room_name,msg,src,CreateTime\n"
    for at in range(number):
        time = f"{START + timedelta(minutes=at):%Y-%m-%d %H:%M:%S}"
        yield f"{at},{at},text,{at % 2},wx_{at % 40},mill,{'flour ' * 20},,{time}\n".encode()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="tells a process's peak")
@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("whatsapp", whatsapp_lines),
        ("telegram", telegram_bytes),
        ("messenger", messenger_bytes),
        ("wechat", wechat_bytes),
    ],
)
def test_a_group_of_many_megabytes_needs_little_memory(tmp_path, name, written):
    """WeChatMsg#554: 32 GB and 100 GB of swap for 9 MB; ChatLab PR #324, tdesktop#29463."""
    for label, number in (("small", 100), ("large", 60_000)):
        with (tmp_path / label).open("wb") as file:
            file.writelines(written(number))
    assert (tmp_path / "large").stat().st_size > 8 << 20
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, name, tmp_path / "small", tmp_path / "large"],
        check=True, capture_output=True, text=True, cwd=Path(__file__).parent.parent,
    )  # fmt: skip
    lines, grown_kib = map(int, done.stdout.split())
    assert lines == 60_000
    assert grown_kib < 96 << 10


MEASURE = """
import re, sys
from pathlib import Path
from ingest.archive import open_export
from ingest.importers.base import ImportOptions
from ingest.registry import importer

def lines(path):
    found = importer(sys.argv[1]).read(open_export(Path(path)), ImportOptions(date_order="dmy"))
    return sum(len(m.extra.get("parts", [0])) for talk in found for m in talk.messages)

def peak_kib():
    # not getrusage: a child begins with its parent's peak
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

lines(sys.argv[2])
before = peak_kib()
print(lines(sys.argv[3]), peak_kib() - before)
"""


# -- training files ------------------------------------------------------------------------------


def call(key: str) -> dict[str, Any]:
    return {"id": key, "type": "function", "function": {"name": "price", "arguments": '{"k": 1}'}}


TOOLS = [
    {"role": "user", "content": "Prices?"},
    {"role": "user", "content": "Of rye and oats."},
    {"role": "assistant", "content": None, "tool_calls": [call("c1"), call("c2")]},
    {"role": "tool", "tool_call_id": "c1", "content": "2"},
    {"role": "tool", "tool_call_id": "c2", "content": "3"},
]
ANSWER = {"role": "assistant", "content": "2 and 3."}


def flow(messages: Iterable[Message]) -> list[tuple[str, str | None, int]]:
    return [(m.role, m.tool_call_id, len(m.tool_calls)) for m in messages]


WANTED = [("user", None, 0), ("user", None, 0), ("assistant", None, 2), ("tool", "c1", 0),
          ("tool", "c2", 0), ("assistant", None, 0)]  # fmt: skip


def test_parallel_calls_and_two_questions_in_a_row_cost_no_example(items):
    """LLaMA-Factory#10178, #9585: the whole example was dropped, as roles have to alternate."""
    found = only(items("openai", jsonl({"messages": [*TOOLS, ANSWER]})))
    assert flow(found.messages) == WANTED


def test_results_of_tools_in_a_preference_pair_are_read(items):
    """axolotl#3217: KeyError 'tool'."""
    pair = {"prompt": TOOLS, "chosen": [ANSWER], "rejected": [ANSWER | {"content": "Dunno."}]}
    found = only(items("preference", jsonl(pair)))
    assert flow(m for m in found.messages if m.on_path) == WANTED
    assert [m.content for m in found.messages if not m.on_path] == ["Dunno."]


def test_an_answer_of_weight_0_stays_untrained(items):
    """axolotl PR #1702, never merged."""
    record = {"messages": [TOOLS[0], ANSWER | {"weight": 0}, TOOLS[1], ANSWER]}
    found = only(items("openai", jsonl(record)))
    assert [m.train for m in found.messages] == [None, False, None, None]
