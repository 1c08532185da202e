"""One stored answer that holds several steps: thinking, calls of tools, their results, text.

Applications store such an answer as one message; here it becomes what the model saw and wrote, one
assistant message up to its calls, one tool message a result, and the next assistant message.
"""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from ingest.importers.records import as_text
from ingest.message import Attachment, Message, ToolCall


@dataclass
class _Piece:
    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    answers: str | None = None
    name: str | None = None


class Steps:
    """Takes the steps of one stored message in their order and gives them as messages.

    Args:
        key: the message's id in the export; made-up call ids start with it.
        joint: what stands between two stretches of text.
    """

    def __init__(self, key: str, joint: str = "\n") -> None:
        self._key = key
        self._joint = joint
        self._pieces = [_Piece()]
        self._calls = 0
        self._open: dict[str, str] = {}  # call id -> tool name, not answered yet

    def text(self, text: str) -> None:
        """A stretch of visible text."""
        if text:
            self._piece(after_calls=True).texts.append(text)

    def think(self, text: str) -> None:
        """Thinking that is no part of the answer."""
        if text:
            piece = self._piece(after_calls=True)
            if piece.texts:
                piece = self._new()
            piece.thoughts.append(text)

    def attach(self, attachment: Attachment) -> None:
        """A file."""
        self._piece(after_calls=False).attachments.append(attachment)

    def call(self, call_id: str | None, name: str, arguments: Any) -> str:
        """A call of a tool; returns its id, made up where the export has none."""
        self._calls += 1
        call_id = call_id or f"call_{self._key}_{self._calls}"
        written = "{}" if arguments is None or arguments == "" else as_text(arguments)
        self._piece(after_calls=False).calls.append(ToolCall(call_id, name, written))
        self._open[call_id] = name
        return call_id

    def result(self, call_id: str | None, result: Any, name: str | None = None) -> None:
        """What a tool gave back; without an id it answers the first call that waits."""
        if call_id is None:
            call_id = next(iter(self._open), None)
        known = self._open.pop(call_id, None) if call_id else None
        text = "" if result is None else as_text(result)
        self._pieces.append(_Piece([text], answers=call_id or "", name=name or known))

    def messages(self, stored: Message) -> list[Message]:
        """The messages; the first has the id, parent and ``extra`` of the stored one.

        Args:
            stored: gives role, times, ``train``, ``on_path`` and what else holds for all.
        """
        made: list[Message] = []
        parent = stored.parent_id
        pieces = [p for p in self._pieces if p != _Piece()] or [_Piece()]
        for number, piece in enumerate(pieces):
            tool = piece.answers is not None
            message = msgspec.structs.replace(
                stored,
                role="tool" if tool else stored.role,
                content=self._joint.join(piece.texts),
                name=piece.name if tool else stored.name,
                reasoning="\n\n".join(piece.thoughts) or None,
                tool_calls=tuple(piece.calls),
                tool_call_id=piece.answers or None,
                attachments=tuple(piece.attachments) + (stored.attachments if not number else ()),
                source_id=f"{self._key}.{number}" if number else self._key,
                parent_id=parent,
                extra={} if number else stored.extra,
            )
            parent = message.source_id
            made.append(message)
        return made

    def _piece(self, *, after_calls: bool) -> _Piece:
        """The assistant's piece to add to; a new one after results, and for text after calls."""
        last = self._pieces[-1]
        if last.answers is not None or (after_calls and last.calls):
            return self._new()
        return last

    def _new(self) -> _Piece:
        self._pieces.append(_Piece())
        return self._pieces[-1]
