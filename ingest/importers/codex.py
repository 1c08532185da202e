"""Codex CLI sessions: ``~/.codex/sessions/YYYY/MM/DD/rollout-*.jsonl``, all generations.

The newest wraps each line in ``{timestamp, type, payload}``; before, a line was the bare item of
the Responses API after one line of facts; the first wrote one document ``{session, items}``.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from ingest.archive import Export, Member
from ingest.importers.base import ImporterKind, ImportOptions, Item, Reject, Skip
from ingest.importers.codex_turns import Rollout
from ingest.importers.fields import object_of, stated, text_of
from ingest.importers.records import Record, record, records
from ingest.lines import iter_lines
from ingest.message import Conversation, Message, conversation_id
from ingest.shape import Peek, like, peek
from ingest.times import from_iso

_WRAPPED = ("session_meta", "turn_context", "response_item", "event_msg", "compacted")
_BARE = ("message", "reasoning", "function_call", "function_call_output", "local_shell_call",
         "custom_tool_call", "custom_tool_call_output")  # fmt: skip
_FACTS = ("cwd", "cli_version", "originator", "source", "model_provider", "git", "forked_from_id")


class Codex:
    """The importer of Codex CLI's session files."""

    name = "codex"
    title = "Codex CLI sessions (rollout-*.jsonl; a file or a folder of them)"
    kind: ImporterKind = "assistant"
    needs = "~/.codex/sessions, or one rollout file of it"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when lines have Codex's ``type`` and ``payload``, or are items after its head."""
        return 0.95 if next(like(export, _is_ours), None) else 0.0

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:  # noqa: ARG002
        """One conversation per session file."""
        seen: Counter[str] = Counter()
        for member in list(like(export, _is_ours)) or export.members:
            yield from _file(member, seen)


def _is_ours(look: Peek) -> bool:
    if look.kind == "object" and isinstance(look.value.get("items"), list):
        return "id" in object_of(look.value.get("session"))
    lines = look.value if look.kind == "lines" else [look.first]
    lines = [line for line in lines if isinstance(line, dict)]
    if any(line.get("type") in _WRAPPED and "payload" in line for line in lines):
        return True
    bare = any(line.get("type") in _BARE for line in lines)
    headed = any("record_type" in line or _is_head(line) for line in lines)
    return bare and headed


def _is_head(line: dict[str, Any]) -> bool:
    """The first line of the generation before: facts without a type."""
    return "type" not in line and {"id", "timestamp"} <= line.keys() and "instructions" in line


def _file(member: Member, seen: Counter[str]) -> Iterator[Item]:
    rollout = Rollout()
    damaged = 0
    for item in _items(member):
        if isinstance(item, Reject):
            damaged += 1
            yield item
            continue
        value, time = item.value
        if reason := rollout.add(value, time):
            damaged += 1
            yield Reject(item.where, reason, "report this shape to us; the session was imported")
    messages = rollout.messages()
    if messages:
        yield _conversation(rollout, messages, seen)
    elif not damaged:
        yield Skip(member.name, "no messages")


def _items(member: Member) -> Iterator[Record[tuple[dict[str, Any], str | None]] | Reject]:
    """Lines of every generation as (what the newest one would write, time)."""
    look = peek(member)
    if look.kind == "object" and isinstance(look.value.get("items"), list):
        session = object_of(look.value.get("session"))
        yield Record(member.name, ({"type": "session_meta", "payload": session}, None))
        for item in records(member, dict[str, Any], path=("items",)):
            if isinstance(item, Reject):
                yield item
            else:
                yield Record(item.where, ({"type": "response_item", "payload": item.value}, None))
        return
    with member.open() as file:
        for number, (_, raw) in enumerate(iter_lines(file), 1):
            line = record(raw, dict[str, Any], f"{member.name}: line {number}")
            if isinstance(line, Reject):
                yield line
                continue
            wrapped = _wrapped(line.value)
            if wrapped is None:
                yield Reject(line.where, "no line of a Codex session", "the rest was imported")
                continue
            yield Record(line.where, (wrapped, text_of(wrapped.get("timestamp"))))


def _wrapped(line: dict[str, Any]) -> dict[str, Any] | None:
    """A line as the newest generation writes it; None if it is none of any."""
    if "payload" in line:
        return line
    if "record_type" in line:
        return {"type": "state"}
    if "type" in line or "role" in line:
        return {"type": "response_item", "payload": line}
    return {"type": "session_meta", "payload": line} if "id" in line else None


def _conversation(
    rollout: Rollout, messages: tuple[Message, ...], seen: Counter[str]
) -> Conversation:
    meta = rollout.meta
    created = text_of(meta.get("timestamp")) or rollout.first_time
    native = text_of(meta.get("id")) or f"{created}|{messages[0].role}|{len(messages[0].content)}"
    seen[native] += 1
    if seen[native] > 1:
        native = f"{native}#{seen[native]}"
    metadata = stated({key: meta.get(key) for key in _FACTS}) | rollout.facts()
    return Conversation(
        id=conversation_id("codex", native),
        importer="codex",
        source_id=native,
        created_at=from_iso(created),
        messages=messages,
        metadata=metadata,
    )
