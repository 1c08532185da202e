"""Gemini CLI sessions, ``~/.gemini/tmp/<project>/chats``: one document, or a log of changes.

The log is replayed: a message that comes again is a newer state of it, ``$set`` changes the header
or sets the messages anew, ``$rewindTo`` takes messages back. What was taken back stays as a side
branch.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from ingest.archive import Export, Member
from ingest.importers.base import ImporterKind, ImportOptions, Item, Reject, Skip
from ingest.importers.fields import name_of, object_of, objects, stated, text_of
from ingest.importers.gemini_cli_turns import turns_of
from ingest.importers.records import Record, record, records
from ingest.lines import iter_lines
from ingest.message import Conversation, Message, conversation_id
from ingest.shape import Peek, like, peek
from ingest.times import from_iso
from ingest.tree import reading_order

Source = dict[str, Any]

_NOTICES = ("info", "warning", "error")
_LEFT_OVER = (".tmp-", ".unreadable-")
_FACTS = ("projectHash", "kind", "lastUpdated", "directories", "parent")


class GeminiCLI:
    """The importer of Gemini CLI's session files."""

    name = "gemini-cli"
    title = "Gemini CLI sessions (session-*.json and .jsonl; a file or a folder of them)"
    kind: ImporterKind = "assistant"
    needs = "~/.gemini/tmp, or one session file of it"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when there are ``sessionId`` and ``projectHash``, in a document or a first line."""
        return 0.95 if next(like(export, _is_ours), None) else 0.0

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:  # noqa: ARG002
        """One conversation per session; those of sub-agents are conversations of their own."""
        seen: Counter[str] = Counter()
        for member in list(like(export, _is_ours)) or export.members:
            if any(mark in member.base for mark in _LEFT_OVER):
                yield Skip(member.name, "a file that was left over from writing")
            else:
                yield from _file(member, seen)


def _is_ours(look: Peek) -> bool:
    lines = look.value if look.kind == "lines" else [look.first] if look.kind == "object" else []
    return any(
        {"sessionId", "projectHash"} <= line.keys() for line in lines if isinstance(line, dict)
    )


@dataclass
class _Log:
    """The state of a session while its log is replayed."""

    header: Source = field(default_factory=dict)
    messages: dict[str, Source] = field(default_factory=dict)  # by id, in their first order
    parents: dict[str, str | None] = field(default_factory=dict)
    live: dict[str, None] = field(default_factory=dict)  # not taken back, in their order

    def put(self, message: Source) -> None:
        key = name_of(message.get("id")) or f"#{len(self.messages)}"
        if key not in self.live:
            self.parents[key] = next(reversed(self.live), None)
            self.live[key] = None
        self.messages[key] = message

    def rebuild(self, messages: list[Any]) -> None:
        self.live = {}
        for message in objects(messages):
            self.put(message)

    def rewind(self, key: str) -> None:
        if key in self.live:
            order = list(self.live)
            self.live = dict.fromkeys(order[: order.index(key)])

    def apply(self, line: Source) -> bool:
        """Take one line; False if it is none of the format."""
        if "$rewindTo" in line:
            self.rewind(name_of(line["$rewindTo"]) or "")
        elif "$set" in line:
            changes = dict(object_of(line["$set"]))
            messages = changes.pop("messages", None)
            self.header |= changes
            if isinstance(messages, list):
                self.rebuild(messages)
        elif "type" in line:
            self.put(line)
        elif "sessionId" in line:
            header = dict(line)
            for message in objects(header.pop("messages", None)):
                self.put(message)
            self.header |= header
        else:
            return False
        return True


def _file(member: Member, seen: Counter[str]) -> Iterator[Item]:
    log = _Log()
    damaged = 0
    for item in _lines(member):
        if isinstance(item, Reject):
            damaged += 1
            yield item
        elif not log.apply(item.value):
            damaged += 1
            yield Reject(item.where, "no line of a Gemini CLI session", "the rest was imported")
    conversation = _conversation(member, log, seen)
    if conversation.messages:
        yield conversation
    elif not damaged:
        yield Skip(member.name, "no messages")


def _lines(member: Member) -> Iterator[Record[Source] | Reject]:
    """The lines of a log; a document as one line, or what a cut one still shows."""
    look = peek(member)
    if look.kind == "object" and "messages" in look.first:
        with member.open() as file:
            whole = record(file.read().removeprefix(b"\xef\xbb\xbf"), Source, member.name)
        if not isinstance(whole, Reject):
            yield whole
            return
        header = {key: value for key, value in look.first.items() if key != "messages"}
        yield Record(member.name, header)
        yield from records(member, Source, path=("messages",))
        return
    with member.open() as file:
        for number, (_, raw) in enumerate(iter_lines(file), 1):
            yield record(raw, Source, f"{member.name}: line {number}")


def _conversation(member: Member, log: _Log, seen: Counter[str]) -> Conversation:
    header = log.header
    native = text_of(header.get("sessionId")) or member.base
    metadata = stated({key: header.get(key) for key in _FACTS})
    if header.get("kind") == "subagent":
        metadata["parentSession"] = PurePosixPath(member.name).parent.name
    seen[native] += 1
    if seen[native] > 1:
        native = f"{native}#{seen[native]}"
    messages, events = _messages(log)
    if events:
        metadata["events"] = events
    return Conversation(
        id=conversation_id("gemini-cli", native),
        importer="gemini-cli",
        source_id=native,
        title=text_of(header.get("summary")),
        created_at=from_iso(text_of(header.get("startTime"))),
        messages=messages,
        metadata=metadata,
    )


def _messages(log: _Log) -> tuple[tuple[Message, ...], list[list[Any]]]:
    made: list[Message] = []
    events: list[list[Any]] = []
    last: dict[str, str | None] = {}  # message of the log -> the message that its next follows
    order, _ = reading_order(log.parents)
    for key in order:
        source = log.messages[key]
        above = log.parents[key]
        parent = last.get(above) if above is not None else None
        if source.get("type") in _NOTICES:
            last[key] = parent
            time = from_iso(text_of(source.get("timestamp")))
            said = [time.isoformat() if time else None, source["type"], source.get("content")]
            events.append(said)
            continue
        is_first = not any(message.role == "user" for message in made)
        turns = turns_of(key, source, parent, key in log.live, is_first=is_first)
        made += turns
        last[key] = turns[-1].source_id
    return tuple(made), events
