"""One WhatsApp chat: the lines of its text export and the sessions they should become.

A turn is written by one call that knows who speaks and in how many bubbles, so lines and
expectations come from the same arguments.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple

from ingest.message import Attachment, Conversation, Message, Participant, conversation_id

MARK = "\u200e"  # left-to-right mark: WhatsApp scatters it, nobody sees it
EDITED = "<This message was edited>"

Style = Literal["android", "ios"]


class Bubble(NamedTuple):
    """One message as WhatsApp writes it.

    Attributes:
        when: local time, zone unknown.
        text: what was typed, without marks; ``""`` for media and deleted messages.
        written: what stands in the file after ``Name: ``.
        attachment: the file that the bubble stands for.
        edited: whether the edited tag ends the text.
        deleted: whether the bubble says that the message was deleted.
    """

    when: datetime
    text: str
    written: str
    attachment: Attachment | None = None
    edited: bool = False
    deleted: bool = False


def typed(when: datetime, text: str, *, written: str | None = None) -> Bubble:
    """Words; ``written`` where the file has marks that the text has not."""
    return Bubble(when, text, text if written is None else written)


def edited(when: datetime, text: str, *, mark: str = "") -> Bubble:
    """Words that were changed after sending."""
    return Bubble(when, text, f"{text} {mark}{EDITED}", edited=True)


def deleted(when: datetime, written: str = "This message was deleted") -> Bubble:
    """The trace of a message taken back."""
    return Bubble(when, "", written, deleted=True)


def media(when: datetime) -> Bubble:
    """A file left out of the export, kind unknown (Android)."""
    return Bubble(when, "", "<Media omitted>", Attachment(kind="media"))


@dataclass
class _Session:
    messages: list[Message] = field(default_factory=list)
    speakers: list[str] = field(default_factory=list)
    events: list[list[str]] = field(default_factory=list)


class Chat:
    """A chat file being written.

    Args:
        name: title of every session: from the file name, or the folder's name for iOS.
        assistant: the speaker who becomes the assistant.
        style: which telephone wrote the file.
    """

    def __init__(self, name: str, assistant: str, style: Style) -> None:
        self._name = name
        self._assistant = assistant
        self._style = style
        self._lines: list[str] = []
        self._sessions: list[_Session] = []
        self._early: list[list[str]] = []

    def begin(self) -> None:
        """A new session: the caller leaves more than six hours before the next turn."""
        self._sessions.append(_Session(events=self._early))
        self._early = []

    def turn(self, speaker: str, *bubbles: Bubble) -> None:
        """Bubbles of one speaker in a row: one message."""
        for bubble in bubbles:
            marked = self._style == "ios" and bubble.written.startswith(MARK)
            head = self._head(bubble.when, marked=marked)
            self._lines.append(f"{head}{speaker}: {bubble.written}")
        session = self._sessions[-1]
        if speaker not in session.speakers:
            session.speakers.append(speaker)
        extra: dict[str, Any] = {}
        if len(bubbles) > 1:
            extra["parts"] = [[bubble.when.isoformat(), len(bubble.text)] for bubble in bubbles]
        if any(bubble.edited for bubble in bubbles):
            extra["edited"] = True
        if any(bubble.deleted for bubble in bubbles):
            extra["deleted"] = True
        message = Message(
            role="assistant" if speaker == self._assistant else "user",
            content="\n".join(bubble.text for bubble in bubbles if bubble.text),
            name=speaker,
            attachments=tuple(b.attachment for b in bubbles if b.attachment is not None),
            created_at=bubbles[0].when,
            train=False if "deleted" in extra else None,
            extra=extra,
        )
        session.messages.append(message)

    def event(self, when: datetime, text: str, *, written: str | None = None) -> None:
        """A line that nobody said; ``written`` where the file has marks."""
        self._lines.append(self._head(when) + (text if written is None else written))
        events = self._sessions[-1].events if self._sessions else self._early
        events.append([when.isoformat(), text])

    def _head(self, when: datetime, *, marked: bool = False) -> str:
        if self._style == "android":
            return f"{when:%d/%m/%Y, %H:%M} - "
        hour = when.hour % 12 or 12
        half = "AM" if when.hour < 12 else "PM"
        mark = MARK if marked else ""
        return f"{mark}[{when:%d/%m/%Y}, {hour}:{when:%M:%S}\u202f{half}] "

    def text(self) -> str:
        """The file, without a newline at its end."""
        return "\n".join(self._lines)

    def expected(self) -> list[Conversation]:
        """What every session should become."""
        return [self._conversation(session) for session in self._sessions]

    def _conversation(self, session: _Session) -> Conversation:
        first = session.messages[0]
        assert first.created_at is not None
        native = f"{self._name}|{first.created_at.isoformat()}|{first.name}"
        participants = tuple(
            Participant(name=name, is_assistant=name == self._assistant)
            for name in session.speakers
        )
        return Conversation(
            id=conversation_id("whatsapp", native),
            importer="whatsapp",
            source_id=native,
            title=self._name,
            created_at=first.created_at,
            messages=tuple(session.messages),
            participants=participants,
            metadata={"events": session.events} if session.events else {},
        )
