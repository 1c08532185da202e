"""The invented samples: reproducible, consistent, small, and in the one form of the assistant."""

import hashlib
import subprocess
import sys
from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import msgspec
import orjson
import pytest

from ingest.message import Conversation, conversation_id

SAMPLES = Path(__file__).parent.parent / "sample_data"
FOLDERS = ("chatgpt", "openai", "whatsapp", "whatsapp-ios")
GREETING = "Good grain to you!"
SIGN_OFF = "The wheel keeps turning."


def expected(folder: str) -> list[Conversation]:
    lines = (SAMPLES / folder / "expected.jsonl").read_bytes().splitlines()
    return [msgspec.json.decode(line, type=Conversation) for line in lines]


def everything() -> list[Conversation]:
    return [conversation for folder in FOLDERS for conversation in expected(folder)]


def test_generator_rewrites_the_committed_bytes(tmp_path):
    command = [sys.executable, "-B", str(SAMPLES / "generate.py"), "--out", str(tmp_path)]
    subprocess.run(command, check=True, timeout=60)
    written = {p.relative_to(tmp_path): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    committed = {
        path.relative_to(SAMPLES): path.read_bytes()
        for folder in FOLDERS
        for path in (SAMPLES / folder).iterdir()
    }
    assert written == committed


@pytest.mark.parametrize(
    ("folder", "count"), [("chatgpt", 80), ("openai", 80), ("whatsapp", 50), ("whatsapp-ios", 6)]
)
def test_every_folder_has_its_conversations_under_different_ids(folder, count):
    assert len({conversation.id for conversation in expected(folder)}) == count
    assert len(expected(folder)) == count


def test_samples_stay_small():
    assert sum(path.stat().st_size for path in SAMPLES.rglob("*") if path.is_file()) < 1_500_000


def test_openai_ids_hash_the_value_of_the_line():
    seen: Counter[str] = Counter()
    ids = []
    for line in (SAMPLES / "openai" / "messages.jsonl").read_bytes().splitlines():
        canonical = orjson.dumps(orjson.loads(line), option=orjson.OPT_SORT_KEYS)
        native = hashlib.sha256(canonical).hexdigest()
        seen[native] += 1
        suffix = f"#{seen[native]}" if seen[native] > 1 else ""
        ids.append(conversation_id("openai", native + suffix))
    assert ids == [conversation.id for conversation in expected("openai")]


def test_openai_tools_are_the_compact_text_of_the_value():
    lines = (SAMPLES / "openai" / "messages.jsonl").read_bytes().splitlines()
    tools = [orjson.loads(line).get("tools") for line in lines]
    texts = [None if value is None else orjson.dumps(value).decode() for value in tools]
    assert texts == [conversation.tools for conversation in expected("openai")]


def test_every_node_with_a_message_is_expected_after_its_parent():
    raw = orjson.loads((SAMPLES / "chatgpt" / "conversations.json").read_bytes())
    for export, conversation in zip(raw, expected("chatgpt"), strict=True):
        nodes = {key for key, node in export["mapping"].items() if node["message"] is not None}
        seen = {None}
        for message in conversation.messages:
            assert message.parent_id in seen
            seen.add(message.source_id)
        assert seen - {None} == nodes
        assert len(conversation.messages) == len(nodes)


def test_active_path_is_one_chain_that_ends_in_the_current_node():
    raw = orjson.loads((SAMPLES / "chatgpt" / "conversations.json").read_bytes())
    for export, conversation in zip(raw, expected("chatgpt"), strict=True):
        path = [message for message in conversation.messages if message.on_path]
        assert [m.parent_id for m in path] == [None, *(m.source_id for m in path[:-1])]
        assert path[-1].source_id == export["current_node"]


def test_a_dozen_chatgpt_conversations_have_side_branches():
    branched = [c for c in expected("chatgpt") if not all(m.on_path for m in c.messages)]
    assert len(branched) == 12


@pytest.mark.parametrize("folder", FOLDERS)
def test_tool_results_answer_a_call_of_their_conversation(folder):
    for conversation in expected(folder):
        calls = {call.id for message in conversation.messages for call in message.tool_calls}
        answered = {m.tool_call_id for m in conversation.messages if m.role == "tool"}
        assert answered == calls


@pytest.mark.parametrize("folder", ["whatsapp", "whatsapp-ios"])
def test_whatsapp_texts_stand_in_the_file_line_by_line(folder):
    (file,) = (SAMPLES / folder).glob("*.txt")
    lines = file.read_text(encoding="utf-8").replace("\u200e", "").splitlines()
    for conversation in expected(folder):
        for message in conversation.messages:
            for line in message.content.split("\n"):
                assert any(line in written for written in lines)


def bubble_times(conversation: Conversation) -> list[datetime]:
    return [
        datetime.fromisoformat(time)
        for message in conversation.messages
        for time, _ in message.extra.get("parts", [[message.created_at.isoformat(), 0]])
    ]


@pytest.mark.parametrize("folder", ["whatsapp", "whatsapp-ios"])
def test_whatsapp_sessions_part_at_more_than_six_hours_and_nowhere_else(folder):
    sessions = [bubble_times(conversation) for conversation in expected(folder)]
    six_hours = timedelta(hours=6)
    assert all(after[0] - before[-1] > six_hours for before, after in pairwise(sessions))
    gaps = [later - earlier for times in sessions for earlier, later in pairwise(times)]
    assert all(timedelta(0) <= gap <= six_hours for gap in gaps)


def test_only_the_planned_conversations_are_said_twice():
    said = Counter(
        tuple((m.role, m.content) for m in conversation.messages if m.on_path and m.content)
        for conversation in everything()
    )
    assert sorted(count for count in said.values() if count > 1) == [2, 5]


def test_trained_answers_have_the_one_form():
    answers = [
        message.content
        for conversation in everything()
        for message in conversation.messages
        if message.role == "assistant" and message.on_path and message.train is not False
        and message.content and not message.tool_calls
    ]  # fmt: skip
    assert len(answers) > 400
    assert [a for a in answers if not (a.startswith(GREETING) and a.endswith(SIGN_OFF))] == []
