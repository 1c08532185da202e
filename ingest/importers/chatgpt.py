"""ChatGPT data export: ``conversations.json``, an array of conversations as mapping trees.

Every node with a message is kept; ``on_path`` marks the chain that ends at ``current_node``.
"""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from ingest.archive import Export
from ingest.importers.base import (
    Array,
    ImporterKind,
    ImportOptions,
    Item,
    Reject,
    Skip,
    read_arrays,
)
from ingest.importers.chatgpt_citations import is_cited, resolve
from ingest.importers.chatgpt_files import with_files
from ingest.loose import loads_loose
from ingest.message import ROLES, Attachment, Conversation, Message, ToolCall, conversation_id
from ingest.shape import Peek, holds, like
from ingest.stream import Broken, Element
from ingest.times import from_epoch
from ingest.tree import nearest, newest_leaf, path_to, reading_order


class _Author(msgspec.Struct, gc=False):
    role: str
    name: str | None = None


class _Content(msgspec.Struct, gc=False):
    content_type: str = "text"
    parts: list[Any] | None = None
    text: str | None = None
    result: str | None = None
    content: str | None = None
    thoughts: list[Any] | None = None
    user_profile: str | None = None
    user_instructions: str | None = None
    name: str | None = None
    url: str | None = None
    title: str | None = None


class _Metadata(msgspec.Struct, gc=False):
    is_visually_hidden_from_conversation: bool | None = None
    model_slug: str | None = None
    aggregate_result: Any = None
    attachments: Any = None
    content_references: Any = None
    citations: Any = None


class _Message(msgspec.Struct, gc=False):
    author: _Author
    content: _Content | None = None
    create_time: float | None = None
    status: str | None = None
    weight: float | None = None
    recipient: str | None = None
    channel: str | None = None
    metadata: _Metadata | None = None


class _Node(msgspec.Struct, gc=False):
    message: _Message | None = None
    parent: str | None = None
    children: list[str] | None = None


class _Conversation(msgspec.Struct, gc=False):
    mapping: dict[str, _Node] | None = None
    title: str | None = None
    create_time: float | None = None
    update_time: float | None = None
    current_node: str | None = None
    conversation_id: str | None = None
    id: str | None = None
    default_model_slug: str | None = None
    gizmo_id: str | None = None


_NO_CONTENT = _Content()
_NO_METADATA = _Metadata()
_decode = msgspec.json.Decoder(_Conversation).decode

_SYSTEM_TYPES = {"user_editable_context", "model_editable_context", "app_pairing_content"}


class ChatGPT:
    """The importer of ChatGPT's data export."""

    name = "chatgpt"
    title = "ChatGPT data export (conversations.json, shards, zip)"
    kind: ImporterKind = "assistant"
    needs = "Settings > Data controls > Export; the zip as it comes"
    version = 1
    decode: Callable[[bytes], Any] = staticmethod(_decode)

    def sniff(self, export: Export) -> float:
        """Sure when the first conversation has ``mapping`` (and no ``inserted_at``)."""
        return 0.95 if holds(export, _is_ours) else 0.0

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:  # noqa: ARG002
        """Every conversation of every shard."""
        return read_arrays(self, export)

    def arrays(self, export: Export) -> list[Array]:
        """The list of every shard."""
        members = export.members if len(export.members) == 1 else like(export, _is_ours)
        return [Array(member, ("conversations",)) for member in members]

    def item(self, file: str, element: Element | Broken) -> Item:
        """The conversation that an element is."""
        return _item(file, element)


def _is_ours(look: Peek) -> bool:
    first = look.first_of("conversations")
    return "mapping" in first and "inserted_at" not in first


def _item(file: str, item: Element | Broken) -> Item:
    if isinstance(item, Broken):
        where = f"{file}: bytes {item.offset}-{item.end}"
        return Reject(where, item.reason, "download the export again; the rest was imported")
    where = f"{file}: byte {item.offset}"
    try:
        source = item.value or msgspec.convert(loads_loose(item.raw), _Conversation, strict=False)
    except ValueError as error:
        return Reject(where, f"not a ChatGPT conversation: {error}", "report this shape to us")
    if source.mapping is None:
        return Reject(where, "the conversation has no mapping", "is this a ChatGPT export?")
    conversation = _conversation(source, where)
    return conversation if conversation.messages else Skip(where, "no messages")


def _conversation(source: _Conversation, where: str) -> Conversation:
    mapping = source.mapping or {}
    parents = {key: node.parent for key, node in mapping.items()}
    order, damaged = reading_order(parents, {key: mapping[key].children for key in mapping})
    leaf = source.current_node if source.current_node in mapping else _newest_leaf(mapping, parents)
    path = path_to(parents, leaf)
    native = source.conversation_id or source.id or where
    metadata: dict[str, Any] = {}
    if source.default_model_slug:
        metadata["model"] = source.default_model_slug
    if source.gizmo_id:
        metadata["gizmo_id"] = source.gizmo_id
    if damaged:
        metadata["damaged_tree"] = True
    return Conversation(
        id=conversation_id("chatgpt", native),
        importer="chatgpt",
        source_id=native,
        title=source.title,
        created_at=from_epoch(source.create_time),
        messages=tuple(_messages(mapping, parents, order, path)),
        metadata=metadata,
    )


def _newest_leaf(mapping: dict[str, _Node], parents: dict[str, str | None]) -> str | None:
    """Old exports name no ``current_node``: the newest leaf is where the talk ended."""
    times = {
        key: node.message.create_time
        for key, node in mapping.items()
        if node.message is not None and node.message.create_time
    }
    return newest_leaf(parents, times)


def _messages(
    mapping: dict[str, _Node], parents: dict[str, str | None], order: list[str], path: set[str]
) -> Iterator[Message]:
    calls: dict[str, str] = {}  # node id of a tool call -> its call id
    spoken = {key for key, node in mapping.items() if node.message is not None}
    for key in order:
        message = mapping[key].message
        if message is not None:
            parent = parents[key]
            if parent not in spoken:
                parent = nearest(parents, parent, spoken)
            yield _message(key, message, parent, key in path, calls)


def _message(
    key: str, source: _Message, parent: str | None, on_path: bool, calls: dict[str, str]
) -> Message:
    content = source.content or _NO_CONTENT
    metadata = source.metadata
    kind = content.content_type
    role = source.author.role
    recipient = source.recipient
    created = source.create_time
    extra: dict[str, Any] = {}
    if metadata is not None and metadata.model_slug:
        extra["model_slug"] = metadata.model_slug
    text, attachments, unknown = _text(content)
    if not text.isascii() and is_cited(text):
        cited = metadata or _NO_METADATA
        text = resolve(text, cited.content_references, cited.citations)
    if unknown:
        extra["parts"] = unknown
    train: bool | None = None
    reasoning: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    if kind != "text":
        extra["content_type"] = kind
        if kind == "thoughts":
            reasoning, text, train = text, "", False
        elif kind == "reasoning_recap":
            train = False
        elif kind in _SYSTEM_TYPES:
            role, train = "system", False
    if role not in ROLES:
        extra["role"], role, train = role, "system", False
    if recipient and recipient != "all":
        extra["recipient"] = recipient
        if role == "assistant" and reasoning is None:
            calls[key] = f"call_{key}"
            tool_calls = (ToolCall(calls[key], recipient, text),)
            text = ""
    if source.weight == 0:
        extra["weight"] = 0
        train = False
    if source.status and source.status != "finished_successfully":
        extra["status"] = source.status
        train = False
    if metadata is not None:
        if metadata.is_visually_hidden_from_conversation:
            train = False
        if metadata.aggregate_result is not None:
            extra["aggregate_result"] = metadata.aggregate_result
            text = text or resolve(_aggregate_text(metadata.aggregate_result), None, None)
        attachments = with_files(attachments, metadata.attachments)
    return Message(
        role=role,  # type: ignore[arg-type]
        content=text,
        name=source.author.name,
        reasoning=reasoning,
        tool_calls=tool_calls,
        tool_call_id=calls.get(parent) if role == "tool" and parent else None,
        attachments=attachments,
        created_at=from_epoch(created) if created else None,
        train=train,
        source_id=key,
        parent_id=parent,
        on_path=on_path,
        extra=extra,
    )


def _text(content: _Content) -> tuple[str, tuple[Attachment, ...], list[Any]]:
    """Visible text, attachments, and the parts of a kind that we do not know."""
    kind = content.content_type
    parts = content.parts
    if kind == "text" and parts and len(parts) == 1 and isinstance(parts[0], str):
        return parts[0], (), []  # by far the most frequent case
    if kind in _SYSTEM_TYPES:
        both = (content.user_profile, content.user_instructions)
        return "\n\n".join(text for text in both if text), (), []
    if kind == "thoughts" and content.thoughts:
        return "\n\n".join(_thought(thought) for thought in content.thoughts), (), []
    if not parts:
        return content.text or content.result or content.content or "", (), []
    texts: list[str] = []
    attachments: list[Attachment] = []
    unknown: list[Any] = []
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, dict):
            _part(part, texts, attachments, unknown)
        elif part is not None:
            unknown.append(part)
    return "\n".join(texts), tuple(attachments), unknown


def _thought(thought: Any) -> str:
    if not isinstance(thought, dict):
        return str(thought)
    pieces = (thought.get("summary"), thought.get("content"))
    return "\n".join(piece for piece in pieces if isinstance(piece, str) and piece)


def _part(
    part: dict[str, Any], texts: list[str], attachments: list[Attachment], unknown: list[Any]
) -> None:
    kind = part.get("content_type")
    pointer = part.get("asset_pointer")
    size = part.get("size_bytes")
    size = size if isinstance(size, int) else None
    if pointer is not None and not isinstance(pointer, str):
        unknown.append(part)
    elif kind == "image_asset_pointer":
        attachments.append(Attachment("image", uri=pointer, size_bytes=size))
    elif kind == "audio_transcription" and isinstance(part.get("text"), str):
        texts.append(part["text"])
    elif kind in ("audio_asset_pointer", "real_time_user_audio_video_asset_pointer"):
        attachments.append(Attachment("audio", uri=pointer, size_bytes=size))
        if pointer is None:
            unknown.append(part)
    else:
        unknown.append(part)


def _aggregate_text(result: Any) -> str:
    if not isinstance(result, dict):
        return ""
    messages = result.get("messages")
    if not isinstance(messages, list):
        return ""
    texts = (message.get("text") for message in messages if isinstance(message, dict))
    return "\n".join(text for text in texts if isinstance(text, str))
