"""One talk of Gemini's Conversation History: ``conversation_<n>.txt``, which holds JSON.

``turn_index`` counts the turns of both sides and repeats where a turn was edited.
"""

from collections import Counter
from typing import Any

import msgspec

from ingest.archive import Member
from ingest.importers.base import Item, Reject, Skip
from ingest.importers.fields import joined, objects, stated, text_of
from ingest.importers.records import whole
from ingest.message import Attachment, Conversation, Message, Role, conversation_id
from ingest.shape import Peek
from ingest.times import from_any
from ingest.tree import path_to

_KNOWN = {"prompt", "text", "model_thoughts", "images", "turn_index", "turn_last_modified"}


class _Turn(msgspec.Struct, gc=False):
    user_turn: dict[str, Any] | None = None
    system_turn: dict[str, Any] | None = None


class _Document(msgspec.Struct, gc=False):
    conversation_turns: list[_Turn]
    title: str | None = None
    creation_time: Any = None
    last_modification_time: Any = None


def is_history(look: Peek) -> bool:
    """Whether a file is one talk of the history."""
    return look.kind == "object" and isinstance(look.value.get("conversation_turns"), list)


def conversation(member: Member, seen: Counter[str]) -> Item:
    """The talk of a file.

    Args:
        member: the file.
        seen: ids met in this export; the files have none but their time of creation.
    """
    record = whole(member, _Document)
    if isinstance(record, Reject):
        return record
    source = record.value
    messages = _messages(source.conversation_turns)
    if not messages:
        return Skip(record.where, "no messages")
    created = from_any(source.creation_time)
    native = created.isoformat() if created else member.base
    seen[native] += 1
    if seen[native] > 1:
        native = f"{native}#{seen[native]}"
    return Conversation(
        id=conversation_id("gemini", native),
        importer="gemini",
        source_id=native,
        title=source.title or None,
        created_at=created,
        messages=tuple(messages),
        # the file has no times of writing
        metadata=stated({"times": "last modified", "unreadable": list(record.odd)}),
    )


def _messages(turns: list[_Turn]) -> list[Message]:
    sources: dict[str, tuple[Role, dict[str, Any]]] = {}
    indexes: dict[str, int] = {}
    occurrences: Counter[str] = Counter()
    index = -1
    for turn in turns:
        # what is called the system is the assistant
        sides: tuple[tuple[Role, dict[str, Any] | None], ...] = (
            ("user", turn.user_turn),
            ("assistant", turn.system_turn),
        )
        for role, side in sides:
            if side is None:
                continue
            written = side.get("turn_index")
            index = written if type(written) is int else index + 1
            base = f"{role}-{index}"
            occurrences[base] += 1
            key = base if occurrences[base] == 1 else f"{base}#{occurrences[base]}"
            sources[key], indexes[key] = (role, side), index
    deleted = {key for key, (_, side) in sources.items() if side.get("turn_deleted_time")}
    parents = _parents(indexes, deleted)
    kept = [key for key in indexes if key not in deleted]
    path = path_to(parents, kept[-1] if kept else None) - deleted
    return [
        _message(key, *source, parent=parents[key], on_path=key in path)
        for key, source in sources.items()
    ]


def _parents(indexes: dict[str, int], deleted: set[str]) -> dict[str, str | None]:
    """The parent of each turn: the last one before it that has a smaller index.

    A turn that was not deleted hangs on one that was not deleted either, where there is one.
    """
    parents: dict[str, str | None] = {}
    all_open: list[str] = []
    standing: list[str] = []
    for key, index in indexes.items():
        for chain in (all_open, standing):
            while chain and indexes[chain[-1]] >= index:
                chain.pop()
        above = all_open if key in deleted else standing or all_open
        parents[key] = above[-1] if above else None
        all_open.append(key)
        if key not in deleted:
            standing.append(key)
    return parents


def _message(
    key: str, role: Role, side: dict[str, Any], *, parent: str | None, on_path: bool
) -> Message:
    thoughts = (
        joined((thought.get("headline"), thought.get("description")))
        for thought in objects(side.get("model_thoughts"))
    )
    # a text that is neither `data` nor `cards` is kept as it is
    strange = [each for each in objects(side.get("text")) if not each.keys() & {"data", "cards"}]
    images = side.get("images") or []
    rest = {name: value for name, value in side.items() if name not in _KNOWN}
    return Message(
        role=role,
        content=_prompt(side.get("prompt")) if role == "user" else _answer(side.get("text")),
        reasoning=joined(thoughts, "\n\n") or None,
        attachments=tuple(_image(each) for each in (images if isinstance(images, list) else [])),
        created_at=from_any(side.get("turn_last_modified")),
        source_id=key,
        parent_id=parent,
        on_path=on_path,
        extra=stated({**rest, "text": strange}),
    )


def _prompt(prompt: Any) -> str:
    return prompt if isinstance(prompt, str) else _answer(prompt)


def _answer(text: Any) -> str:
    if isinstance(text, str):
        return text
    pieces = [text] if isinstance(text, dict) else objects(text)
    return joined(
        found
        for piece in pieces
        for found in (piece.get("data"), *(c.get("content") for c in objects(piece.get("cards"))))
    )


def _image(source: Any) -> Attachment:
    facts = source if isinstance(source, dict) else {"uri": source}
    uri = text_of(facts.get("uri")) or text_of(facts.get("url"))
    return Attachment("image", name=text_of(facts.get("name")), uri=uri)
