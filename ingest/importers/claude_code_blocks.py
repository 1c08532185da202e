"""Blocks of a Claude message: text, thinking, calls and results, pictures, and what is unknown."""

from dataclasses import dataclass, field
from typing import Any

from ingest.importers.fields import object_of, text_of
from ingest.importers.records import as_text
from ingest.message import Attachment, ToolCall

Block = dict[str, Any]


@dataclass
class Parts:
    """What the blocks of one message hold."""

    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    unknown: list[Any] = field(default_factory=list)


def blocks_of(content: Any) -> list[Any] | None:
    """Content as a list of blocks: a text is one block; None if it is neither."""
    if content is None:
        return []
    if isinstance(content, str):
        content = [content]
    if not isinstance(content, list):
        return None
    return [{"type": "text", "text": each} if isinstance(each, str) else each for each in content]


def add_blocks(known: list[Any], new: list[Any], key: str) -> None:
    """Add the blocks of one more line of a message.

    A streamed message repeats its blocks from line to line, and only the last form is whole: it
    takes the place of the earlier one.
    """
    for block in new:
        if not isinstance(block, dict):
            known.append(block)
            continue
        if block.get("type") == "tool_use" and not text_of(block.get("id")):
            block = {**block, "id": f"call_{key}_{len(known)}"}  # noqa: PLW2901
        at = next((at for at, each in enumerate(known) if _repeats(each, block)), None)
        if at is None:
            known.append(block)
        else:
            known[at] = block


def _repeats(old: Any, new: Block) -> bool:
    if not isinstance(old, dict) or old.get("type") != new.get("type"):
        return False
    if new.get("type") == "tool_use":
        return bool(old.get("id") == new["id"])
    for key in ("text", "thinking"):
        before, after = old.get(key), new.get(key)
        if isinstance(before, str) and isinstance(after, str):
            # an empty block says nothing, so it repeats nothing either
            return bool(before and after) and (after.startswith(before) or before.startswith(after))
    return old == new


def parts_of(blocks: list[Any]) -> Parts:
    """Sort blocks by what they hold; results of tools are not among them."""
    parts = Parts()
    for block in blocks:
        kind = block.get("type") if isinstance(block, dict) else None
        if kind == "text" and isinstance(block.get("text"), str):
            parts.texts.append(block["text"])
        elif kind == "thinking" and isinstance(block.get("thinking"), str):
            parts.thoughts.append(block["thinking"])
        elif kind == "tool_use" and text_of(block.get("name")):
            written = as_text(block.get("input") if block.get("input") is not None else {})
            parts.calls.append(ToolCall(block["id"], block["name"], written))
        elif kind in ("image", "document"):
            parts.attachments.append(_attachment(block))
        else:
            parts.unknown.append(block)
    return parts


def _attachment(block: Block) -> Attachment:
    source = object_of(block.get("source"))
    data = text_of(source.get("data"))
    return Attachment(
        "image" if block["type"] == "image" else "file",
        name=text_of(block.get("title")),
        uri=text_of(source.get("url")) or text_of(source.get("file_id")),
        mime_type=text_of(source.get("media_type")),
        text=data if source.get("type") == "text" else None,
    )
