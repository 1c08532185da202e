"""LM Studio: ``*.conversation.json``, one conversation a file, each message in its versions."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from ingest.archive import Export, Member
from ingest.importers.base import ImporterKind, ImportOptions, Item, Reject, Skip
from ingest.importers.fields import object_of, objects, text_of
from ingest.importers.records import Record, certainty, ours, whole
from ingest.importers.steps import Steps
from ingest.message import ROLES, Attachment, Conversation, Message, conversation_id
from ingest.shape import peek
from ingest.times import from_any

_SYSTEM = "systemPrompt"
_SYSTEM_FIELD = "llm.prediction.systemPrompt"
_IDLE_STEPS = ("status", "toolStatus")
"""Steps that say how far the application was, nothing that was said."""


class _Version(msgspec.Struct, gc=False):
    role: str | None = None
    content: Any = None
    steps: list[Any] | None = None
    senderInfo: dict[str, Any] | None = None  # noqa: N815


class _Message(msgspec.Struct, gc=False):
    versions: list[_Version]
    currentlySelected: int | None = None  # noqa: N815


class _Conversation(msgspec.Struct, gc=False):
    messages: list[_Message]
    name: str | None = None
    createdAt: Any = None  # noqa: N815
    systemPrompt: str | None = None  # noqa: N815
    perChatPredictionConfig: dict[str, Any] | None = None  # noqa: N815
    lastUsedModel: dict[str, Any] | None = None  # noqa: N815
    preset: str | None = None


class LMStudio:
    """The importer of LM Studio's conversations."""

    name = "lmstudio"
    title = "LM Studio conversations (*.conversation.json)"
    kind: ImporterKind = "assistant"
    needs = "the folder .lmstudio/conversations, or files of it"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when the messages of an object are objects with ``versions``."""
        return certainty(export, ".json", _is_ours)

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:  # noqa: ARG002
        """One conversation per file."""
        for member in ours(export, ".json", _is_ours, "LM Studio"):
            if isinstance(member, Skip):
                yield member
            else:
                found = whole(member, _Conversation)
                yield found if isinstance(found, Reject) else _conversation(found)


def _is_ours(member: Member) -> bool:
    look = peek(member)
    messages = look.first.get("messages")
    if look.kind != "object" or not isinstance(messages, list):
        return False
    if not messages:
        return "usePerChatPredictionConfig" in look.first
    return isinstance(messages[0], dict) and isinstance(messages[0].get("versions"), list)


def _conversation(found: Record[_Conversation]) -> Item:
    source = found.value
    messages: list[Message] = []
    system = source.systemPrompt or _configured(source.perChatPredictionConfig)
    parent: str | None = None
    if system:
        messages.append(Message("system", system, train=False, source_id=_SYSTEM))
        parent = _SYSTEM
    for number, message in enumerate(source.messages):
        made, parent = _versions(message, str(number), parent)
        messages += made
    if not any(message.role != "system" for message in messages):
        return Skip(found.where, "no messages")
    at = from_any(source.createdAt)
    facts = {
        "model": (source.lastUsedModel or {}).get("identifier"),
        "preset": source.preset,
        "unreadable": list(found.odd),
    }
    native = _native(source.createdAt, at) or found.where
    return Conversation(
        id=conversation_id("lmstudio", native),
        importer="lmstudio",
        source_id=native,
        title=source.name or None,
        created_at=at,
        messages=tuple(messages),
        metadata={key: value for key, value in facts.items() if value},
    )


def _native(written: Any, at: datetime | None) -> str | None:
    """The millisecond in which it was begun: the name can be changed, the file be renamed."""
    return str(written) if at is not None and isinstance(written, int | float | str) else None


def _configured(config: dict[str, Any] | None) -> str | None:
    for field in objects(object_of(config).get("fields")):
        if field.get("key") == _SYSTEM_FIELD:
            return text_of(field.get("value"))
    return None


def _versions(message: _Message, key: str, parent: str | None) -> tuple[list[Message], str | None]:
    """The messages of every version, and the id that the next message hangs on."""
    selected = message.currentlySelected or 0
    if not 0 <= selected < len(message.versions):
        selected = len(message.versions) - 1
    made: list[Message] = []
    after = parent
    for number, version in enumerate(message.versions):
        own = key if len(message.versions) == 1 else f"{key}-{number}"
        pieces = _pieces(version, own, parent, number == selected)
        if number == selected:
            after = pieces[-1].source_id
        made += pieces
    return made, after


def _pieces(version: _Version, key: str, parent: str | None, on_path: bool) -> list[Message]:
    steps = Steps(key)
    unknown: list[Any] = []
    _content(version.content, steps, unknown, thinking=False)
    for step in version.steps or ():
        kind = step.get("type") if isinstance(step, dict) else None
        if kind == "contentBlock":
            thinking = object_of(step.get("style")).get("type") == "thinking"
            _content(step.get("content"), steps, unknown, thinking=thinking)
        elif kind not in _IDLE_STEPS:
            unknown.append(step)
    extra: dict[str, Any] = {"steps": unknown} if unknown else {}
    if sender := (version.senderInfo or {}).get("senderName"):
        extra["senderName"] = sender
    role, train = version.role, None
    if role not in ROLES:
        extra["role"], role, train = role, "system", False
    return steps.messages(
        Message(
            role=role,  # type: ignore[arg-type]
            train=train,
            parent_id=parent,
            on_path=on_path,
            extra=extra,
        )
    )


def _content(content: Any, steps: Steps, unknown: list[Any], *, thinking: bool) -> None:
    take = steps.think if thinking else steps.text
    if isinstance(content, str):
        take(content)
        return
    texts: list[str] = []  # a block's text comes in stretches that follow each other
    for part in content if isinstance(content, list) else []:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "text" and isinstance(part.get("text"), str):
            texts.append(part["text"])
            continue
        take("".join(texts))
        texts.clear()
        if kind == "file":
            steps.attach(_file(part))
        elif kind == "toolCallRequest" and isinstance(part.get("name"), str):
            native = text_of(part.get("toolCallRequestId")) or text_of(part.get("callId"))
            steps.call(native, part["name"], part.get("parameters", part.get("arguments")))
        elif kind == "toolCallResult":
            steps.result(text_of(part.get("toolCallId")), part.get("content"))
        else:
            unknown.append(part)
    take("".join(texts))


def _file(part: dict[str, Any]) -> Attachment:
    size = part.get("sizeBytes")
    return Attachment(
        kind="image" if part.get("fileType") == "image" else "file",
        name=text_of(part.get("name")),
        uri=text_of(part.get("fileIdentifier")) or text_of(part.get("identifier")),
        size_bytes=size if type(size) is int else None,
    )
