"""What importers of help desks share: who answers, what is private, what is trained.

Public replies of agents are the assistant. A private note is kept, flagged, off the path and never
trained: it is written for colleagues, and a model that has learnt one tells it to customers. A
bot's replies stand on the assistant's side, and are trained only if the user chose the bot.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

import msgspec

from ingest.message import Attachment, Message, Participant
from ingest.people import Line, is_assistant, turns

Side = Literal["customer", "agent", "bot"]


class Reply(NamedTuple):
    """One thing that was said in a ticket.

    Attributes:
        side: who speaks.
        public: whether the customer can read it.
        name: the author's displayed name.
        author_id: the export's id of the author.
        text: what was said.
        at: when.
        source_id: the export's id of it.
        attachments: files that came with it.
        extra: as in :attr:`ingest.message.Message.extra`.
        train: as in :attr:`ingest.message.Message.train`.
        bubble: a line of a live chat, which is one turn with its neighbours.
    """

    side: Side
    public: bool
    name: str
    author_id: str | None
    text: str
    at: datetime | None
    source_id: str | None = None
    attachments: tuple[Attachment, ...] = ()
    extra: dict[str, Any] = {}  # noqa: RUF012 - never written to
    train: bool | None = None
    bubble: bool = False


def messages(replies: Sequence[Reply], as_assistant: Sequence[str]) -> tuple[Message, ...]:
    """The messages of a ticket in the order of its replies."""
    made = turns([_line(reply) for reply in replies], ())
    return tuple(
        _sided(message, reply, as_assistant)
        for message, reply in zip(made, _firsts(replies), strict=True)
    )


def _sided(message: Message, reply: Reply, as_assistant: Sequence[str]) -> Message:
    if not reply.public:
        return msgspec.structs.replace(
            message,
            role="system",
            train=False,
            on_path=False,
            extra={"public": False, **message.extra},
        )
    if reply.side == "agent" or is_assistant(reply.name, reply.author_id, as_assistant):
        return msgspec.structs.replace(message, role="assistant")
    if reply.side == "bot":
        return msgspec.structs.replace(
            message, role="assistant", train=False, extra={"bot": True, **message.extra}
        )
    return message


def participants(replies: Iterable[Reply], as_assistant: Sequence[str]) -> tuple[Participant, ...]:
    """Who speaks, in order of first appearance."""
    found: dict[tuple[str | None, str], Participant] = {}
    for reply in replies:
        key = (reply.author_id, "" if reply.author_id else reply.name)
        chosen = reply.side == "agent" or is_assistant(reply.name, reply.author_id, as_assistant)
        found.setdefault(key, Participant(reply.name, reply.author_id, chosen))
    return tuple(found.values())


def _speaker(reply: Reply) -> str:
    # a customer may have an agent's name: the side is part of who speaks
    return f"{reply.side} {reply.author_id or reply.name}"


def _line(reply: Reply) -> Line:
    return Line(
        speaker=reply.name,
        text=reply.text,
        at=reply.at,
        attachments=reply.attachments,
        alone=not reply.bubble or not reply.public,
        train=reply.train,
        extra=dict(reply.extra) or None,
        speaker_id=_speaker(reply),
        source_id=reply.source_id,
    )


def _firsts(replies: Sequence[Reply]) -> list[Reply]:
    """The reply that each message begins with."""
    firsts: list[Reply] = []
    for reply in replies:
        last = firsts[-1] if firsts else None
        goes_on = (
            last is not None
            and last.bubble and last.public and reply.bubble and reply.public
            and _speaker(last) == _speaker(reply)
        )  # fmt: skip
        if not goes_on:
            firsts.append(reply)
    return firsts
