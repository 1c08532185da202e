"""From people's lines to conversations: who is the assistant, where a session ends, what is a turn.

Roles are chosen, never guessed: without ``as_assistant`` nobody is the assistant and every line is
a ``user`` message that carries its speaker's name.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import compress
from operator import not_
from typing import Any, NamedTuple

import msgspec

from ingest.links import without_secrets_in
from ingest.message import Attachment, Conversation, Message, Participant, Role, conversation_id

SESSION_GAP = timedelta(hours=6)
"""Silence after which a chat between people counts as a new conversation."""

CHANNEL_GAP = timedelta(hours=1)
"""The same for busy channels, where talks follow each other closely."""

_SESSION = re.compile(r"(?P<chat>.+?)\|(\d{4}-\d\d-\d\dT[\d:.+-]+)?\|", re.DOTALL)


class Line(msgspec.Struct, frozen=True, gc=False):
    """One line of a people's chat, before it has a role.

    A struct that the garbage collector does not follow: chats have millions of lines, and making
    one costs a quarter of what a named tuple does.

    Attributes:
        speaker: the displayed name.
        text: what was said, newlines kept.
        at: when, naive if the export states no zone.
        attachments: files that came with it.
        alone: never merged with its neighbours (deleted, private, ...).
        train: as in :attr:`ingest.message.Message.train`.
        extra: as in :attr:`ingest.message.Message.extra`.
        speaker_id: the export's id of the speaker.
        source_id: the export's id of the line.
        parent_id: ``source_id`` of the line that it replies to.
        on_path: False for lines that were deleted or unsent.
    """

    speaker: str
    text: str
    at: datetime | None
    attachments: tuple[Attachment, ...] = ()
    alone: bool = False
    train: bool | None = None
    extra: dict[str, Any] | None = None
    speaker_id: str | None = None
    source_id: str | None = None
    parent_id: str | None = None
    on_path: bool = True


class Event(NamedTuple):
    """Something that happened and was not said: somebody joined, the group was renamed."""

    at: datetime | None
    text: str


class Session(NamedTuple):
    """Lines and events between two long silences."""

    lines: list[Line]
    events: list[Event]


def sessions(
    items: Iterable[Line | Event], gap: timedelta = SESSION_GAP, *, longest: int = 10_000
) -> Iterator[Session]:
    """Cut a chat at every silence longer than ``gap``.

    The order is the file's: clocks go back when a phone changes its zone, and a cut is made only
    where time moves forward. A session of ``longest`` lines is cut too, so that memory stays
    bounded. Events belong to the session they fall into; those before the first line to the
    first session.
    """
    lines: list[Line] = []
    events: list[Event] = []
    last: datetime | None = None
    for item in items:
        if isinstance(item, Event):
            events.append(item)
            continue
        at = item.at
        try:
            silent = at is not None and last is not None and at - last > gap
        except TypeError:  # one states a zone, the other does not: how far apart nobody knows
            silent = False
        if lines and (silent or len(lines) >= longest):
            later = [_belongs_later(event, item, lines[-1]) for event in events]
            yield Session(lines, list(compress(events, map(not_, later))))
            lines, events = [], list(compress(events, later))
        lines.append(item)
        last = at or last
    if lines or events:
        yield Session(lines, events)


def _belongs_later(event: Event, line: Line, before: Line) -> bool:
    """Whether an event in a silence is nearer to the line after it than to the line before."""
    if event.at is None or line.at is None or before.at is None:
        return False
    try:
        return abs(line.at - event.at) < abs(event.at - before.at)
    except TypeError:  # with and without a zone
        return False


def turns(lines: Iterable[Line], as_assistant: Sequence[str]) -> Iterator[Message]:
    """Messages of a session: consecutive lines of one speaker become one turn.

    Texts are joined by a newline. A merged message has the first line's time and, in ``extra``,
    what would be lost: ``parts`` holds the time and length in characters of each line,
    ``part_ids`` their ids if they have any, ``part_extra`` their facts if those contradict each
    other. A reply begins a turn of its own.
    """
    group: list[Line] = []
    first: Line | None = None
    for line in lines:
        if first is not None and _goes_on(first, line):
            group.append(line)
            continue
        if first is not None:
            yield _turn(first, group, as_assistant)
        first, group = line, [line]
    if first is not None:
        yield _turn(first, group, as_assistant)


def _goes_on(first: Line, line: Line) -> bool:
    """Whether a line belongs to the turn that ``first`` began."""
    if line.speaker_id or first.speaker_id:
        same = line.speaker_id == first.speaker_id
    else:
        same = line.speaker == first.speaker
    if not same or line.alone or first.alone:
        return False
    return line.parent_id is None or line.parent_id == first.parent_id


def _turn(first: Line, group: list[Line], as_assistant: Sequence[str]) -> Message:
    chosen = is_assistant(first.speaker, first.speaker_id, as_assistant)
    role: Role = "assistant" if chosen else "user"
    if len(group) > 1:
        text, attachments, extra = _merged(group)
    else:
        text, attachments, extra = first.text, first.attachments, _beside(first)
    return Message(
        role=role,
        content=text,
        name=first.speaker,
        attachments=attachments,
        created_at=first.at,
        train=first.train,
        source_id=first.source_id,
        parent_id=first.parent_id,
        on_path=first.on_path,
        extra=extra,
    )


def _merged(group: list[Line]) -> tuple[str, tuple[Attachment, ...], dict[str, Any]]:
    """Text, attachments and facts of several lines."""
    texts: list[str] = []
    parts: list[list[Any]] = []
    plain = True
    for line in group:
        text = line.text
        if text:
            texts.append(text)
        parts.append([_iso(line.at), len(text)])
        if line.extra or line.source_id or line.attachments:
            plain = False
    if plain:
        return "\n".join(texts), (), {"parts": parts}
    extra = _facts(group)
    extra["parts"] = parts
    ids = [line.source_id for line in group]
    if any(ids):
        extra["part_ids"] = ids
    attachments = tuple([file for line in group for file in line.attachments])
    return "\n".join(texts), attachments, extra


def _facts(group: list[Line]) -> dict[str, Any]:
    """What the lines of a turn say besides their texts."""
    extra: dict[str, Any] = {}
    contradict = False
    for line in group:
        for key, value in _beside(line).items():
            contradict = contradict or extra.get(key, value) != value
            extra[key] = value
    if contradict:
        extra["part_extra"] = [_beside(line) for line in group]
    return extra


def _beside(line: Line) -> dict[str, Any]:
    """What a line says besides its text; previews and cards in it hold links to files too."""
    return without_secrets_in(line.extra) if line.extra else {}


def _iso(at: datetime | None) -> str | None:
    if at is None:
        return None
    # without a zone the same text, five times as fast
    return msgspec.to_builtins(at) if at.tzinfo is None else at.isoformat()


def _who(line: Line) -> tuple[str | None, str]:
    return (line.speaker_id, "") if line.speaker_id else (None, line.speaker)


def is_assistant(speaker: str, speaker_id: str | None, as_assistant: Sequence[str]) -> bool:
    """Whether the user chose this speaker, by displayed name or by the export's id."""
    return speaker in as_assistant or (speaker_id is not None and speaker_id in as_assistant)


def participants(lines: Iterable[Line], as_assistant: Sequence[str]) -> tuple[Participant, ...]:
    """Who speaks, in order of first appearance."""
    found: dict[tuple[str | None, str], Participant] = {}
    for line in lines:
        key = _who(line)
        if key not in found:
            chosen = is_assistant(line.speaker, line.speaker_id, as_assistant)
            found[key] = Participant(line.speaker, line.speaker_id, chosen)
    return tuple(found.values())


def session_conversation(
    importer: str,
    chat: str,
    session: Session,
    as_assistant: Sequence[str],
    seen: Counter[str],
    *,
    title: str | None = None,
    metadata: dict[str, Any] | None = None,
) -> Conversation:
    """The conversation of a session.

    Args:
        importer: name of the importer.
        chat: what identifies the chat (or the thread) in every export of it.
        session: its lines and events; either may be missing.
        as_assistant: who was chosen to be the assistant.
        seen: counts the ids made so far; sessions without times would share one.
        title: the chat's displayed name.
        metadata: facts about the chat.
    """
    lines, events = session
    at = lines[0].at if lines else events[0].at if events else None
    # chat_of takes it apart
    native = f"{chat}|{at.isoformat() if at else ''}|{lines[0].speaker if lines else ''}"
    seen[native] += 1
    if seen[native] > 1:
        native = f"{native}#{seen[native]}"
    metadata = dict(metadata or {})
    if events:
        metadata["events"] = [[e.at.isoformat() if e.at else None, e.text] for e in events]
    return Conversation(
        id=conversation_id(importer, native),
        importer=importer,
        source_id=native,
        title=title,
        created_at=at,
        messages=tuple(turns(lines, as_assistant)),
        participants=participants(lines, as_assistant),
        metadata=metadata,
    )


def chat_of(native: str) -> str | None:
    """The chat of a session, from the id that :func:`session_conversation` gave it.

    Args:
        native: a conversation's ``source_id``.

    Returns:
        None if the id is not that of a session.
    """
    found = _SESSION.match(native)
    return found["chat"] if found else None
