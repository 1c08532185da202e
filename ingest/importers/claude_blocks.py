"""Content blocks and files of Claude.ai's export."""

from collections.abc import Iterator
from typing import Any

import msgspec

from ingest.importers.fields import joined, objects, text_of, thoughts_first
from ingest.importers.steps import Steps
from ingest.message import Attachment, Message


def messages_of(key: str, content: Any, stored: Message) -> list[Message]:
    """The messages that a stored message's blocks are: one, or several where tools were used.

    Args:
        key: the message's id; made-up call ids start with it.
        content: a list of blocks, or plain text.
        stored: what holds for all of them.
    """
    if isinstance(content, str):
        return [msgspec.structs.replace(stored, content=content)]
    if isinstance(content, list) and len(content) == 1 and _is_plain(content[0]):
        return [msgspec.structs.replace(stored, content=content[0]["text"])]  # the usual one
    steps = Steps(key)
    extra: dict[str, Any] = {}
    results: list[dict[str, Any]] = []
    blocks = content if isinstance(content, list) else [content]
    for block in thoughts_first(blocks, _is_thought, _is_tool):
        if isinstance(block, dict):
            _take(block, steps, extra, results)
        else:
            extra.setdefault("content", []).append(block)
    found = steps.messages(msgspec.structs.replace(stored, extra={**stored.extra, **extra}))
    facts = iter(results)
    return [_completed(each, facts) for each in found]


def _completed(message: Message, results: Iterator[dict[str, Any]]) -> Message:
    if message.role == "tool":
        return msgspec.structs.replace(message, extra={**message.extra, **next(results)})
    if message.reasoning and not message.content and not message.tool_calls:
        return msgspec.structs.replace(message, train=False)  # broken off before the answer
    return message


def _is_plain(block: Any) -> bool:
    return (
        isinstance(block, dict)
        and block.get("type") == "text"
        and isinstance(block.get("text"), str)
        and not block.get("citations")
    )


def _is_thought(block: Any) -> bool:
    return isinstance(block, dict) and block.get("type") == "thinking"


def _is_tool(block: Any) -> bool:
    return isinstance(block, dict) and block.get("type") in ("tool_use", "tool_result")


def _take(
    block: dict[str, Any], steps: Steps, extra: dict[str, Any], results: list[dict[str, Any]]
) -> None:
    kind = block.get("type")
    if kind == "text" and isinstance(block.get("text"), str):
        steps.text(block["text"])
        if block.get("citations"):
            extra.setdefault("citations", []).append(block["citations"])
    elif kind == "thinking" and isinstance(block.get("thinking"), str):
        steps.think(block["thinking"])
        if block.get("cut_off"):
            extra["cut_off"] = True
        if block.get("summaries"):
            extra.setdefault("summaries", []).append(block["summaries"])
    elif kind == "tool_use" and isinstance(block.get("name"), str):
        steps.call(text_of(block.get("id")), block["name"], block.get("input"))
    elif kind == "tool_result":
        text, other = _result(block.get("content"))
        facts: dict[str, Any] = {"is_error": True} if block.get("is_error") else {}
        if other:
            facts["content"] = other
        results.append(facts)
        steps.result(text_of(block.get("tool_use_id")), text, text_of(block.get("name")))
    else:
        extra.setdefault("content", []).append(block)


def _result(content: Any) -> tuple[str, list[Any]]:
    """Text of a tool's result, and its items that are no text."""
    if isinstance(content, str):
        return content, []
    items = content if isinstance(content, list) else [content]
    texts, other = [], []
    for item in items:
        if isinstance(item, dict) and item.get("type") == "text":
            texts.append(item.get("text"))
        elif item is not None:
            other.append(item)
    return joined(texts), other


def attachments(pasted: Any, files: Any, files_v2: Any) -> tuple[Attachment, ...]:
    """Documents with their extracted text, then files; ``files_v2`` says more than ``files``."""
    found = [_pasted(each) for each in objects(pasted)]
    seen: set[str] = set()
    named: list[str] = []
    for source in objects(files_v2):
        if _uuid(source) not in seen:
            found.append(_file(source))
            named.append(str(source.get("file_name")))
        seen.add(_uuid(source))
    seen.discard("")
    for source in objects(files):
        name, uuid = str(source.get("file_name")), _uuid(source)
        if uuid in seen:
            continue
        if not uuid and name in named:
            named.remove(name)  # the same file; a second of that name is another one
            continue
        seen.add(uuid)
        seen.discard("")
        found.append(_file(source))
    return tuple(found)


def _uuid(source: dict[str, Any]) -> str:
    return text_of(source.get("file_uuid")) or text_of(source.get("uuid")) or ""


def _pasted(source: dict[str, Any]) -> Attachment:
    size = source.get("file_size")
    return Attachment(
        name=text_of(source.get("file_name")),
        uri=text_of(source.get("id")),
        mime_type=text_of(source.get("file_type")),
        size_bytes=size if type(size) is int else None,
        text=text_of(source.get("extracted_content")),
    )


def _file(source: dict[str, Any]) -> Attachment:
    size = source.get("size_bytes", source.get("file_size"))
    return Attachment(
        kind="image" if source.get("file_kind") == "image" else "file",
        name=text_of(source.get("file_name")),
        uri=_uuid(source) or None,
        size_bytes=size if type(size) is int else None,
    )
