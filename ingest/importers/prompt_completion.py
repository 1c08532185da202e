"""Prompt and completion (TRL, OpenAI's older fine-tuning): texts or messages.

Only the completion is trained, so the assistant's turns inside a prompt are marked untrained.
"""

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from ingest.archive import Export
from ingest.importers.base import ImporterKind, ImportOptions, Item
from ingest.importers.openai_messages import chat_messages
from ingest.importers.training import (
    RecordError,
    Source,
    listed,
    read_records,
    rest,
    sniff_records,
    tools_text,
)
from ingest.message import Conversation, Message, Role, conversation_id


class PromptCompletion:
    """The importer of prompt and completion."""

    name = "prompt-completion"
    title = "Prompt and completion, as texts or messages (JSON lines, JSON, parquet)"
    kind: ImporterKind = "training"
    needs = 'one {"prompt": ..., "completion": ...} a line or row, or an array of them'
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when a first record has ``prompt`` and ``completion``."""
        return sniff_records(export, _is_ours)

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:  # noqa: ARG002
        """Every record, by line, array element or row."""
        return read_records(export, _is_ours, _conversation)


def _is_ours(record: Source) -> bool:
    sides = (record.get("prompt"), record.get("completion"))
    return all(isinstance(side, str | list) for side in sides) and "chosen" not in record


def _conversation(record: Source, native: str) -> Conversation | None:
    prompt = [_untrained(message) for message in _side(record, "prompt", "user")]
    completion = list(_side(record, "completion", "assistant"))
    label = record.get("label")
    if label is False:  # TRL's unpaired preference: an answer not to learn
        completion = [replace(message, train=False) for message in completion]
    if not prompt and not completion:
        return None
    return Conversation(
        id=conversation_id("prompt-completion", native),
        importer="prompt-completion",
        messages=(*prompt, *completion),
        tools=tools_text(record.get("tools")),
        metadata=rest(record, "prompt", "completion", "tools"),
    )


def _side(record: Source, key: str, role: Role) -> tuple[Message, ...]:
    value: Any = record.get(key)
    messages = listed(value)
    if messages is not None:
        try:
            return chat_messages(messages)
        except RecordError as fault:
            raise RecordError(f"{key!r}: {fault}") from None
    if not isinstance(value, str):
        raise RecordError(f"{key!r} is neither text nor messages")
    return (Message(role, value),) if value else ()


def _untrained(message: Message) -> Message:
    return replace(message, train=False) if message.role == "assistant" else message
