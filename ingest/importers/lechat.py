"""Mistral Le Chat: a zip of ``chat-<uuid>.json``, each an array of messages of one chat.

The file's order is not the order of the talk, and there is no title.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from ingest.archive import Export, Member
from ingest.importers.base import ImporterKind, ImportOptions, Item, Reject, Skip
from ingest.importers.records import Record, certainty, ours, records
from ingest.importers.steps import Steps
from ingest.message import ROLES, Attachment, Conversation, Message, conversation_id
from ingest.shape import peek
from ingest.times import from_iso

_LAST = datetime.max.replace(tzinfo=UTC)
_KEPT = ("reactionDetail", "reactionComment", "preference", "preferenceOver", "context", "canvas",
         "quotes", "version")  # fmt: skip


class _Message(msgspec.Struct, gc=False):
    id: str
    role: str
    chatId: str | None = None  # noqa: N815
    content: str | None = None
    contentChunks: list[Any] | None = None  # noqa: N815
    createdAt: str | None = None  # noqa: N815
    files: list[Any] | None = None
    reaction: str | None = None
    reactionDetail: Any = None  # noqa: N815
    reactionComment: Any = None  # noqa: N815
    preference: Any = None
    preferenceOver: Any = None  # noqa: N815
    context: Any = None
    canvas: Any = None
    quotes: Any = None
    version: Any = None


class LeChat:
    """The importer of Le Chat's data export."""

    name = "lechat"
    title = "Mistral Le Chat data export (chat-*.json, zip)"
    kind: ImporterKind = "assistant"
    needs = "Le Chat > Settings > Data > Export; the zip as it comes"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when an array's first element has ``chatId``, ``role`` and ``contentChunks``."""
        return certainty(export, ".json", _is_ours)

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:  # noqa: ARG002
        """One conversation per chat, messages in order of their times."""
        names = {member.name for member in export.members}
        for member in ours(export, ".json", _is_ours, "Le Chat"):
            if isinstance(member, Skip):
                yield member
            else:
                yield from _file(member, names)


def _is_ours(member: Member) -> bool:
    look = peek(member)
    return look.kind == "array" and {"chatId", "role", "contentChunks"} <= look.first.keys()


def _file(member: Member, names: set[str]) -> Iterator[Item]:
    chats: dict[str, list[Record[_Message]]] = {}
    damaged = 0
    for item in records(member, _Message):
        if isinstance(item, Reject):
            damaged += 1
            yield item
        else:
            chats.setdefault(item.value.chatId or member.base, []).append(item)
    if not chats and not damaged:
        yield Skip(member.name, "no messages")
    folder = member.name.removesuffix(".json") + "-files/"
    for chat, messages in chats.items():
        yield _conversation(chat, messages, damaged, lambda name: folder + name in names, folder)


def _conversation(
    chat: str, found: list[Record[_Message]], damaged: int, has: Any, folder: str
) -> Conversation:
    found.sort(key=lambda each: _order(from_iso(each.value.createdAt)))
    metadata: dict[str, Any] = {"damaged_messages": damaged} if damaged else {}
    if odd := [path for each in found for path in each.odd]:
        metadata["unreadable"] = odd
    losers = _losers([each.value for each in found])
    messages: list[Message] = []
    parent: str | None = None
    for each in found:
        source = each.value
        off = source.id in losers
        files = tuple(_file_of(file, has, folder) for file in source.files or ())
        made = _messages(source, parent, not off, files)
        messages += made
        # the preferred answer is a sibling of the other: both have the question as their parent
        parent = parent if off else made[-1].source_id
    return Conversation(
        id=conversation_id("lechat", chat),
        importer="lechat",
        source_id=chat,
        created_at=messages[0].created_at,
        messages=tuple(messages),
        metadata=metadata,
    )


def _order(time: datetime | None) -> datetime:
    if time is None:
        return _LAST
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _losers(messages: list[_Message]) -> set[str]:
    """Answers that another answer was preferred over."""
    answers = {message.id for message in messages if message.role == "assistant"}
    over = {m.preferenceOver for m in messages if m.role == "assistant" and m.preference is not None
            and isinstance(m.preferenceOver, str) and m.preferenceOver != m.id}  # fmt: skip
    return answers & over


def _file_of(file: Any, has: Any, folder: str) -> Attachment:
    if not isinstance(file, dict):
        return Attachment(name=str(file))
    name = file.get("name")
    name = name if isinstance(name, str) else None
    kind = "image" if file.get("type") == "image" else "file"
    return Attachment(kind, name=name, uri=folder + name if name and has(name) else None)


def _messages(
    source: _Message, parent: str | None, on_path: bool, files: tuple[Attachment, ...]
) -> list[Message]:
    steps = Steps(source.id, joint="")  # chunks cut sentences, so nothing may come between them
    unknown: list[Any] = []
    interrupted = False
    for chunk in source.contentChunks or ():
        _chunk(chunk, steps, unknown)
        interrupted = interrupted or (
            isinstance(chunk, dict) and chunk.get("isInterrupted") is True
        )
    if not any(_has_text(chunk) for chunk in source.contentChunks or ()):
        steps.text(source.content or "")
    extra: dict[str, Any] = {}
    if unknown:
        extra["contentChunks"] = unknown
    if source.reaction and source.reaction != "neutral":
        extra["reaction"] = source.reaction
    extra |= {key: getattr(source, key) for key in _KEPT if getattr(source, key)}
    role, train = source.role, False if interrupted else None
    if role not in ROLES:
        extra["role"], role, train = role, "system", False
    return steps.messages(
        Message(
            role=role,  # type: ignore[arg-type]
            attachments=files,
            created_at=from_iso(source.createdAt),
            train=train,
            parent_id=parent,
            on_path=on_path,
            extra=extra,
        )
    )


def _has_text(chunk: Any) -> bool:
    return isinstance(chunk, dict) and chunk.get("type") == "text" and bool(chunk.get("text"))


def _chunk(chunk: Any, steps: Steps, unknown: list[Any]) -> None:
    kind = chunk.get("type") if isinstance(chunk, dict) else None
    if kind == "text" and isinstance(chunk.get("text"), str):
        steps.text(chunk["text"])
    elif kind == "tool_call" and isinstance(chunk.get("name"), str):
        native = chunk.get("id")
        call = steps.call(native if isinstance(native, str) else None, chunk["name"],
                          chunk.get("publicArguments"))  # fmt: skip
        if chunk.get("publicResult") is not None:
            steps.result(call, chunk["publicResult"])
        known = {"type", "id", "name", "publicArguments", "publicResult"}
        if rest := {key: value for key, value in chunk.items() if key not in known}:
            unknown.append({"type": "tool_call", "id": call, **rest})
    elif kind == "image_url" and isinstance(uri := _image(chunk), str):
        steps.attach(Attachment("image", uri=uri))
    else:
        unknown.append(chunk)


def _image(chunk: dict[str, Any]) -> Any:
    uri = chunk.get("imageUrl")
    return uri.get("url") if isinstance(uri, dict) else uri
