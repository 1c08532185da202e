"""The conversation: what every importer makes and everything after it reads.

The ground of the project: this module imports nothing of ours but the rule for links. Roles are
words here and stay words until ``train.render`` turns them into tokens.
"""

import hashlib
from datetime import datetime
from typing import Any, Literal, get_args

import msgspec

from ingest.links import without_secrets

Role = Literal["system", "developer", "user", "assistant", "tool"]
ROLES: frozenset[str] = frozenset(get_args(Role))


class ToolCall(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False
):
    """One call of a tool, as the assistant wrote it.

    Attributes:
        id: pairs the call with the ``tool`` message that answers it; made up when the export
            has none.
        name: the tool's name.
        arguments: the arguments exactly as written, normally JSON text. Text, not an object:
            Arrow cannot type objects of differing shapes, and re-encoding would change them.
    """

    id: str
    name: str
    arguments: str = "{}"


class Attachment(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False
):
    """A file that came with a message: a reference, never the bytes.

    Attributes:
        kind: ``image``, ``audio``, ``video``, ``file``, ``location``, ``contact``, ...
        name: file name or label, when the export has one.
        uri: pointer as the export writes it (relative path, URL, asset id), but for tokens and
            signatures in it: whoever makes an attachment, they are not kept.
        mime_type: as stated by the export.
        size_bytes: as stated by the export.
        text: text extracted from the file, when the export holds it.
    """

    kind: str = "file"
    name: str | None = None
    uri: str | None = None
    mime_type: str | None = None
    size_bytes: int | None = None
    text: str | None = None

    def __post_init__(self) -> None:
        if self.uri is not None and (bare := without_secrets(self.uri)) != self.uri:
            msgspec.structs.force_setattr(self, "uri", bare)


class Message(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False
):
    """One message of a conversation.

    Attributes:
        role: who speaks, as a word.
        content: the visible text, newlines kept; ``""`` for a pure tool call or attachment.
        name: the speaker's name (people's chats) or the tool's name (``tool`` messages).
        reasoning: thinking that came apart from the answer.
        tool_calls: calls the assistant made in this message.
        tool_call_id: for ``tool`` messages, the call that this answers.
        attachments: references to files.
        created_at: aware when the export states a zone, naive when it does not. A naive time
            is local to nobody we know of and is never silently taken for UTC.
        train: ``None`` = by role, ``False`` = never trained, ``True`` = trained.
        source_id: the message's id in the export.
        parent_id: ``source_id`` of the message before it, in exports that are trees.
        on_path: whether it lies on the active path; other branches are kept with ``False``.
        extra: whatever the export says that has no field here, under the export's own names.
    """

    role: Role
    content: str = ""
    name: str | None = None
    reasoning: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    attachments: tuple[Attachment, ...] = ()
    created_at: datetime | None = None
    train: bool | None = None
    source_id: str | None = None
    parent_id: str | None = None
    on_path: bool = True
    extra: dict[str, Any] = {}


class Participant(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False
):
    """Somebody who speaks in a conversation.

    Attributes:
        name: as displayed in the export.
        id: the export's own id for the person, when it has one.
        is_assistant: chosen (``--as-assistant``) or stated by the export, never guessed.
    """

    name: str
    id: str | None = None
    is_assistant: bool = False


class Conversation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A conversation with every message the export has, side branches included.

    Attributes:
        id: ours, stable across exports: see :func:`conversation_id`.
        importer: name of the importer that made it.
        source_id: the conversation's id in the export, when it has one.
        title: as in the export.
        created_at: same rule as :attr:`Message.created_at`.
        messages: in reading order; in trees, parents before children.
        participants: who speaks, in order of first appearance.
        tools: tool definitions offered to the assistant, as JSON text.
        metadata: further facts under the export's own names.
    """

    id: str
    importer: str
    source_id: str | None = None
    title: str | None = None
    created_at: datetime | None = None
    messages: tuple[Message, ...] = ()
    participants: tuple[Participant, ...] = ()
    tools: str | None = None
    metadata: dict[str, Any] = {}

    @property
    def content_hash(self) -> str:
        """sha256 (hex) over :meth:`canonical`."""
        return hashlib.sha256(self.canonical()).hexdigest()

    def canonical(self) -> bytes:
        """All that the export says, as JSON with sorted keys; not ``id`` and ``importer``.

        Fields at their default are left out, so a field added later does not change the hash of
        conversations that do not use it.
        """
        body = (self.source_id, self.title, self.created_at, self.messages, self.participants,
                self.tools, self.metadata)  # fmt: skip
        return _canonical.encode(body)


# sorted keys: the order of dict entries in `extra` and `metadata` must not change a hash
_canonical = msgspec.json.Encoder(order="deterministic")


def conversation_id(importer: str, native: str) -> str:
    """The id of a conversation: readable prefix, 64 bits of sha256 over the export's own id.

    The same conversation in a later export of the same account gets the same id, whatever the
    file is called.
    """
    return f"{importer}-{hashlib.sha256(native.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
