"""Builds exports for tests: raw bytes of the formats, small and to the point."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ingest.archive import open_export
from ingest.importers.base import Importer, ImportOptions, Item
from ingest.message import Conversation


def read(importer: Importer, path: Path, **options: Any) -> list[Item]:
    """What an importer makes of a file."""
    return list(importer.read(open_export(path), ImportOptions(**options)))


def only(items: Iterable[Item]) -> Conversation:
    """The one item, which is a conversation."""
    (item,) = items
    assert isinstance(item, Conversation)
    return item


def node(
    key: str, parent: str | None, message: dict[str, Any] | None, *children: str
) -> dict[str, Any]:
    """A node of a ChatGPT mapping, keyed by its id."""
    return {key: {"id": key, "message": message, "parent": parent, "children": list(children)}}


def gpt_message(role: str, *parts: Any, **changes: Any) -> dict[str, Any]:
    """A ChatGPT message; ``changes`` replace its fields."""
    return {
        "author": {"role": role, "name": None, "metadata": {}},
        "create_time": 1700000000.5,
        "content": {"content_type": "text", "parts": list(parts)},
        "status": "finished_successfully",
        "weight": 1.0,
        "recipient": "all",
        "metadata": {},
    } | changes


def gpt_talk(number: int = 0, text: str = "How is the flour?", **changes: Any) -> dict[str, Any]:
    """A ChatGPT conversation of one question and one answer."""
    return {
        "title": f"Talk {number}",
        "create_time": 1700000000.0 + number,
        "update_time": None,
        "mapping": {
            **node("root", None, None, "u"),
            **node("u", "root", gpt_message("user", text), "a"),
            **node("a", "u", gpt_message("assistant", f"Answer {number}")),
        },
        "current_node": "a",
        "conversation_id": f"conv-{number}",
    } | changes


def gpt_export(*talks: dict[str, Any]) -> bytes:
    """``conversations.json`` as the service writes it."""
    return json.dumps(list(talks)).encode()


def record(number: int = 0, text: str = "How is the flour?", **more: Any) -> dict[str, Any]:
    """An OpenAI training record of one question and one answer."""
    messages = [
        {"role": "user", "content": f"{text} {number}"},
        {"role": "assistant", "content": f"Answer {number}"},
    ]
    return {"messages": messages, **more}


def jsonl(*records: Any) -> bytes:
    """JSON lines; bytes stand as they are."""
    lines = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in records]
    return b"".join(line + b"\n" for line in lines)
