"""Character.AI histories as browser tools save them: ``{info, histories: {histories: [...]}}``."""

from collections.abc import Iterator
from typing import Any

import msgspec

from ingest.archive import Export, Member
from ingest.importers.base import ImporterKind, ImportOptions, Item, Reject, Skip
from ingest.importers.records import Record, certainty, ours, records
from ingest.message import Attachment, Conversation, Message, Participant, Role, conversation_id
from ingest.shape import peek
from ingest.times import from_iso


class _Speaker(msgspec.Struct, gc=False):
    is_human: bool | None = None
    name: str | None = None


class _Message(msgspec.Struct, gc=False):
    text: str | None = None
    created: str | None = None
    src: _Speaker | None = None
    tgt: _Speaker | None = None
    uuid: str | None = None
    id: Any = None
    image_rel_path: str | None = None
    is_alternative: bool | None = None
    deleted: bool | None = None


class _History(msgspec.Struct, gc=False):
    msgs: list[_Message] | None = None
    external_id: str | None = None
    created: str | None = None
    last_interaction: str | None = None


class CharacterAI:
    """The importer of Character.AI histories."""

    name = "characterai"
    title = "Character.AI histories (JSON of a browser tool)"
    kind: ImporterKind = "assistant"
    needs = "a dump of one character's saved chats"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when ``histories.histories`` is a list of objects with ``msgs``."""
        return certainty(export, ".json", _is_ours)

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:  # noqa: ARG002
        """One conversation per history."""
        for member in ours(export, ".json", _is_ours, "Character.AI"):
            if isinstance(member, Skip):
                yield member
                continue
            character = _character(member)
            for item in records(member, _History, path=("histories", "histories")):
                yield item if isinstance(item, Reject) else _conversation(item, character)


def _is_ours(member: Member) -> bool:
    outer = peek(member).first.get("histories")
    inner = outer.get("histories") if isinstance(outer, dict) else None
    if not isinstance(inner, list):
        return False
    return not inner or (isinstance(inner[0], dict) and "msgs" in inner[0])


def _character(member: Member) -> str | None:
    """The character's name where the file says it before the histories."""
    info = peek(member).first.get("info")
    character = info.get("character") if isinstance(info, dict) else None
    name = character.get("name") if isinstance(character, dict) else None
    return name if isinstance(name, str) else None


def _conversation(found: Record[_History], character: str | None) -> Item:
    history = found.value
    if not history.msgs:
        return Skip(found.where, "no messages")
    messages: list[Message] = []
    parent: str | None = None
    before: str | None = None  # parent of the last message, which an alternative shares
    for number, source in enumerate(history.msgs):
        key = source.uuid or (str(source.id) if source.id is not None else str(number))
        side = bool(source.is_alternative or source.deleted)
        message = _message(source, key, before if source.is_alternative else parent, side)
        messages.append(message)
        if not side:
            before, parent = parent, key
    native = history.external_id or f"{character}|{history.created}"
    metadata: dict[str, Any] = {}
    if history.last_interaction:
        metadata["last_interaction"] = history.last_interaction
    if found.odd:
        metadata["unreadable"] = list(found.odd)
    return Conversation(
        id=conversation_id("characterai", native),
        importer="characterai",
        source_id=history.external_id,
        title=character,
        created_at=from_iso(history.created) or messages[0].created_at,
        messages=tuple(messages),
        participants=_participants(messages),
        metadata=metadata,
    )


def _message(source: _Message, key: str, parent: str | None, side: bool) -> Message:
    extra: dict[str, Any] = {}
    role, train = _role(source), None
    if role is None:
        role, train, extra["speaker"] = "system", False, "unknown"
    if source.is_alternative:
        extra["is_alternative"] = True
    if source.deleted:
        extra["deleted"], train = True, False
    image = source.image_rel_path
    return Message(
        role=role,
        content=source.text or "",
        name=source.src.name if source.src else None,
        attachments=(Attachment("image", uri=image),) if image else (),
        created_at=from_iso(source.created),
        train=train,
        source_id=key,
        parent_id=parent,
        on_path=not side,
        extra=extra,
    )


def _role(source: _Message) -> Role | None:
    """By who speaks, else by who is spoken to; never by taking turns."""
    if source.src and source.src.is_human is not None:
        return "user" if source.src.is_human else "assistant"
    if source.tgt and source.tgt.is_human is not None:
        return "assistant" if source.tgt.is_human else "user"
    return None


def _participants(messages: list[Message]) -> tuple[Participant, ...]:
    found = {
        message.name: Participant(message.name, is_assistant=message.role == "assistant")
        for message in reversed(messages)
        if message.name and message.role != "system"
    }
    return tuple(reversed(found.values()))
