"""Sealed versions of a few conversations for tests of outward formats."""

import json
from pathlib import Path
from typing import Any

from made import jsonl

from dataset.build import build
from dataset.manifest import DatasetSpec, DatasetVersion
from dataset.rows import to_row
from ingest.load import import_export
from ingest.message import Conversation, Message
from ingest.store import open_store
from ingest.workspace import Workspace

TOOL = {
    "type": "function",
    "function": {
        "name": "price_of",
        "description": "Price of flour.",
        "parameters": {"type": "object", "properties": {"kilos": {"type": "integer"}}},
    },
}


def said(role: str, content: str = "", **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


def call(
    name: str = "price_of", arguments: str = '{"kilos": 3}', key: str = "c1"
) -> dict[str, Any]:
    return {"id": key, "type": "function", "function": {"name": name, "arguments": arguments}}


PLAIN = [said("user", "Is the rye in?"), said("assistant", "It is.")]
GUIDED = [said("system", "You run a mill."), *PLAIN]
LONGER = [*PLAIN, said("user", "How much?"), said("assistant", "Three sacks.")]
CALLED = [
    said("user", "What are 3 kilos?"),
    said("assistant", tool_calls=[call()]),
    said("tool", "9", tool_call_id="c1", name="price_of"),
    said("assistant", "Nine crowns."),
]
FLAGGED = [*PLAIN, said("user", "And now?"), said("assistant", "A secret.", weight=0)]
FLAGGED += [said("user", "Thanks."), said("assistant", "Gladly.")]
REASONED = [said("user", "2 + 2?"), said("assistant", "4", reasoning_content="Two and two.")]


def sealed(workspace: Workspace, folder: Path, *conversations: Any, **spec: Any) -> DatasetVersion:
    """A version of these conversations (lists of messages, or whole records), all for training."""
    records = [each if isinstance(each, dict) else {"messages": each} for each in conversations]
    file = folder / "messages.jsonl"
    file.write_bytes(jsonl(*records))
    split = {"validation": 0.0, "test": 0.0}
    asked = DatasetSpec(**{"name": "mill", "steps": [], "split": split, **spec})
    with open_store(workspace.store) as store:
        import_export(file, store, format_name="openai")
        return build(store, asked, workspace)


def row(*messages: Message, tools: str | None = None) -> dict[str, Any]:
    """The row of a conversation."""
    made = Conversation(id="openai-1", importer="openai", messages=messages, tools=tools)
    return to_row(made, made.content_hash)


def lines(file: Path) -> list[dict[str, Any]]:
    """What a JSON lines file holds."""
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]
