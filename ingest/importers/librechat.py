"""LibreChat: one conversation a file, its messages flat with parents or nested with children."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from ingest.archive import Export, Member
from ingest.importers.base import ImporterKind, ImportOptions, Item, Reject, Skip
from ingest.importers.records import Record, certainty, document, forgive, ours
from ingest.importers.steps import Steps
from ingest.message import Attachment, Conversation, Message, conversation_id
from ingest.shape import peek
from ingest.times import from_iso
from ingest.tree import nearest, newest_leaf, path_to, reading_order

_SYSTEM = "options.promptPrefix"


class _Message(msgspec.Struct, gc=False):
    messageId: str | None = None  # noqa: N815
    parentMessageId: str | None = None  # noqa: N815
    isCreatedByUser: bool | None = None  # noqa: N815
    text: str | None = None
    content: list[Any] | None = None
    sender: str | None = None
    model: str | None = None
    createdAt: str | None = None  # noqa: N815
    error: bool | None = None
    unfinished: bool | None = None
    isEdited: bool | None = None  # noqa: N815
    finish_reason: str | None = None
    files: list[Any] | None = None
    attachments: list[Any] | None = None
    feedback: Any = None


class _Conversation(msgspec.Struct, gc=False):
    conversationId: str | None = None  # noqa: N815
    title: str | None = None
    endpoint: str | None = None
    options: dict[str, Any] | None = None


class LibreChat:
    """The importer of LibreChat's JSON export."""

    name = "librechat"
    title = "LibreChat export (JSON, one conversation a file)"
    kind: ImporterKind = "assistant"
    needs = "Export conversation > .json, with all branches"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when an object has ``conversationId`` and messages with ``isCreatedByUser``."""
        return certainty(export, ".json", _is_ours)

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:  # noqa: ARG002
        """One conversation per file."""
        for member in ours(export, ".json", _is_ours, "LibreChat"):
            if isinstance(member, Skip):
                yield member
            else:
                found = document(member)
                yield found if isinstance(found, Reject) else _conversation(found)


def _is_ours(member: Member) -> bool:
    document = peek(member).first
    messages = document.get("messages") or document.get("messagesTree")
    if "conversationId" not in document or not isinstance(messages, list):
        return False
    return not messages or (isinstance(messages[0], dict) and "isCreatedByUser" in messages[0])


def _conversation(found: Record[Any]) -> Item:
    if not isinstance(found.value, dict):
        return Reject(found.where, "not an object", "is this a LibreChat export?")
    odd: list[str] = []
    trees = [found.value.get(key) for key in ("messages", "messagesTree")]
    source: _Conversation = forgive(_without(found.value, "messages", "messagesTree"),
                                    _Conversation, odd)  # fmt: skip
    nodes, parents = _flatten(next((tree for tree in trees if isinstance(tree, list)), []), odd)
    if not nodes:
        return Skip(found.where, "no messages")
    order, damaged = reading_order(parents)
    times = _times(nodes, parents, order)
    path = path_to(parents, newest_leaf(parents, {k: t.timestamp() for k, t in times.items()}))
    messages: list[Message] = []
    system = (source.options or {}).get("promptPrefix")
    if isinstance(system, str) and system:
        messages.append(Message("system", system, train=False, source_id=_SYSTEM))
    last: dict[str, str | None] = {}  # message id -> id of its last piece
    for key in order:
        above = nearest(parents, parents[key], last)
        parent = last[above] if above else (_SYSTEM if messages and system else None)
        made = _pieces(key, nodes[key], parent, key in path)
        last[key] = made[-1].source_id
        messages += made
    options = source.options or {}
    facts = {"endpoint": source.endpoint, "model": options.get("model"), "unreadable": odd}
    metadata: dict[str, Any] = {key: value for key, value in facts.items() if value}
    if damaged:
        metadata["damaged_tree"] = True
    native = source.conversationId or found.where
    return Conversation(
        id=conversation_id("librechat", native),
        importer="librechat",
        source_id=source.conversationId,
        title=source.title,
        created_at=min(times.values(), key=lambda time: time.timestamp(), default=None),
        messages=tuple(messages),
        metadata=metadata,
    )


def _flatten(
    messages: list[Any], odd: list[str]
) -> tuple[dict[str, _Message], dict[str, str | None]]:
    """Messages and parents by id; a message inside another has that one as its parent."""
    nodes: dict[str, _Message] = {}
    parents: dict[str, str | None] = {}
    stack: list[tuple[str, Any, str | None]] = []
    stack += [(f"messages.{n}", each, None) for n, each in enumerate(messages)][::-1]
    while stack:
        at, raw, above = stack.pop()
        node = _node(raw, at, odd)
        if node is None:
            continue
        children = raw.get("children") or []
        key = node.messageId or at
        if key in nodes:
            key = f"{key}@{at}"
        nodes[key] = node
        parents[key] = above if above is not None else node.parentMessageId
        if not isinstance(children, list):
            odd.append(f"{at}.children")
            continue
        below = [(f"{at}.children.{n}", each, key) for n, each in enumerate(children)]
        stack += below[::-1]
    return nodes, parents


def _node(raw: Any, at: str, odd: list[str]) -> _Message | None:
    if not isinstance(raw, dict):
        odd.append(at)
        return None
    # without its children: conversion recurses, and the tree may be deep
    found: _Message = forgive(_without(raw, "children"), _Message, odd, at)
    return found


def _without(source: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in source.items() if key not in keys}


def _times(
    nodes: dict[str, _Message], parents: dict[str, str | None], order: list[str]
) -> dict[str, datetime]:
    """The time of each message; one that has none counts as its parent's."""
    times: dict[str, datetime] = {}
    for key in order:
        time = from_iso(nodes[key].createdAt) or times.get(parents[key] or "")
        if time is not None:
            times[key] = time
    return times


def _pieces(key: str, source: _Message, parent: str | None, on_path: bool) -> list[Message]:
    steps = Steps(key)
    unknown: list[Any] = []
    for part in source.content or ():
        _part(part, steps, unknown)
    if not source.content:
        steps.text(source.text or "")
    extra: dict[str, Any] = {"content": unknown} if unknown else {}
    for name in ("sender", "model", "isEdited", "finish_reason", "feedback", "error", "unfinished"):
        if value := getattr(source, name):
            extra[name] = value
    stopped = source.unfinished or source.finish_reason == "incomplete"
    files = (*(source.files or ()), *(source.attachments or ()))
    if source.isCreatedByUser is None:
        extra["isCreatedByUser"] = None
    return steps.messages(
        Message(
            role="user" if source.isCreatedByUser else "assistant",
            attachments=tuple(_file(file) for file in files if isinstance(file, dict)),
            created_at=from_iso(source.createdAt),
            # a role that is not stated is not trained
            train=False if stopped or source.error or source.isCreatedByUser is None else None,
            parent_id=parent,
            on_path=on_path,
            extra=extra,
        )
    )


def _part(part: Any, steps: Steps, unknown: list[Any]) -> None:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind in ("text", "think") and (text := _text(part.get(kind))) is not None:
        (steps.text if kind == "text" else steps.think)(text)
    elif kind == "tool_call" and isinstance(call := part.get("tool_call"), dict):
        _call(call, part, steps, unknown)
    elif kind == "image_file" and isinstance(image := part.get("image_file"), dict):
        steps.attach(_file(image))
    else:
        unknown.append(part)


def _text(value: Any) -> str | None:
    value = value.get("value") if isinstance(value, dict) else value
    return value if isinstance(value, str) else None


def _call(call: dict[str, Any], part: Any, steps: Steps, unknown: list[Any]) -> None:
    inner = call.get("function")  # the assistants endpoints keep the call one level deeper
    inner = inner if isinstance(inner, dict) else call
    name, native = inner.get("name"), call.get("id")
    if not isinstance(name, str):
        unknown.append(part)
        return
    arguments = inner.get("args", inner.get("arguments"))
    key = steps.call(native if isinstance(native, str) and native else None, name, arguments)
    if inner.get("output") is not None:
        steps.result(key, inner["output"])


def _file(file: dict[str, Any]) -> Attachment:
    said = {key: value for key, value in file.items() if isinstance(value, str)}
    size = file.get("bytes")
    mime = said.get("type")
    return Attachment(
        kind="image" if (mime or "").startswith("image/") or "height" in file else "file",
        name=said.get("filename"),
        uri=said.get("filepath") or said.get("file_id"),
        mime_type=mime,
        size_bytes=size if isinstance(size, int) else None,
        text=said.get("text"),
    )
