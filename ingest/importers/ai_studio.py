"""Google AI Studio: one prompt a file, as it lies in Drive, often without a suffix."""

from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import msgspec

from ingest.archive import Export
from ingest.importers.ai_studio_chunks import turns
from ingest.importers.base import ImporterKind, ImportOptions, Item, Reject, Skip
from ingest.importers.fields import joined, objects, stated
from ingest.importers.records import Record, whole
from ingest.message import Conversation, Message, conversation_id
from ingest.shape import Peek, holds, like


class _Prompt(msgspec.Struct, gc=False):
    chunkedPrompt: Any = None  # noqa: N815 -- the export's names
    contents: Any = None
    history: Any = None
    systemInstruction: Any = None  # noqa: N815
    runSettings: dict[str, Any] | None = None  # noqa: N815


class AIStudio:
    """The importer of Google AI Studio's prompts."""

    name = "ai-studio"
    title = "Google AI Studio prompts (files of the Drive folder)"
    kind: ImporterKind = "assistant"
    needs = "the files of the folder 'Google AI Studio' in Drive, or a zip of it"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure of an object with ``chunkedPrompt``, or with a model in ``runSettings``."""
        return 0.95 if holds(export, _is_ours) else 0.0

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:  # noqa: ARG002
        """One conversation a file."""
        members = export.members if len(export.members) == 1 else like(export, _is_ours)
        seen: Counter[str] = Counter()
        for member in members:
            record = whole(member, _Prompt)
            yield record if isinstance(record, Reject) else _item(record, member.base, seen)


def _is_ours(look: Peek) -> bool:
    if look.kind != "object":
        return False
    if isinstance(look.value.get("chunkedPrompt"), dict | list):
        return True
    # a long system instruction stands before the chunks and may fill the head
    settings = look.value.get("runSettings")
    return isinstance(settings, dict) and isinstance(settings.get("model"), str)


def _item(record: Record[_Prompt], file: str, seen: Counter[str]) -> Item:
    source = record.value
    chunks = _chunks(source)
    if chunks is None:
        return Reject(record.where, "no chunks", "is this a prompt of Google AI Studio?")
    messages = list(turns(chunks))
    if not messages:
        return Skip(record.where, "no messages")
    if system := _system(source.systemInstruction):
        messages.insert(0, Message(role="system", content=system))
    first = next((each.created_at for each in messages if each.created_at), None)
    # branches of a prompt share the time of their first chunk, Drive's names may repeat
    native = f"{file}|{first.isoformat() if first else ''}"
    seen[native] += 1
    if seen[native] > 1:
        native = f"{native}#{seen[native]}"
    settings = source.runSettings or {}
    return Conversation(
        id=conversation_id("ai-studio", native),
        importer="ai-studio",
        source_id=native,
        title=PurePosixPath(file).stem if file.endswith((".json", ".txt")) else file,
        created_at=first,
        messages=tuple(messages),
        metadata=stated(
            {
                "model": settings.get("model"),
                "runSettings": settings,
                "unreadable": list(record.odd),
            }
        ),
    )


def _chunks(source: _Prompt) -> list[Any] | None:
    """The chunks, wherever this version has them; drafts in ``pendingInputs`` were never sent."""
    prompt = source.chunkedPrompt
    found = prompt.get("chunks", []) if isinstance(prompt, dict) else prompt
    for older in (source.contents, source.history):
        found = older if found is None else found
    return found if isinstance(found, list) else None


def _system(instruction: Any) -> str:
    if isinstance(instruction, str):
        return instruction
    if not isinstance(instruction, dict):
        return ""
    parts = joined(each.get("text") for each in objects(instruction.get("parts")))
    return joined([instruction.get("text")]) or parts
