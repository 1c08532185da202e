"""Claude Code sessions: ``~/.claude/projects/<slug>/<session>.jsonl``.

A file is a log of blocks, not of messages: one answer of the model is spread over several lines,
streaming repeats lines, and lines of the application stand between those of the talk. What a line
becomes is in :mod:`ingest.importers.claude_code_turns`.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from ingest.archive import Export, Member
from ingest.importers.base import ImporterKind, ImportOptions, Item, Reject, Skip
from ingest.importers.claude_code_turns import Line, Session
from ingest.importers.fields import text_of
from ingest.importers.records import Record, record, records
from ingest.lines import iter_lines
from ingest.message import Conversation, conversation_id
from ingest.shape import Peek, like, peek
from ingest.times import from_iso


class ClaudeCode:
    """The importer of Claude Code's session files."""

    name = "claude-code"
    title = "Claude Code sessions (JSON lines; a file or a folder of them)"
    kind: ImporterKind = "assistant"
    needs = "~/.claude/projects, or one session file of it"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when lines have ``type``, ``sessionId`` and ``uuid``, or the web's ``loglines``."""
        return 0.95 if next(like(export, _is_ours), None) else 0.0

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:  # noqa: ARG002
        """One conversation per session; those of sub-agents are conversations of their own."""
        members = list(like(export, _is_ours)) or list(export.members)
        summaries = _summaries(members)
        seen: Counter[str] = Counter()
        for member in members:
            yield from _file(member, summaries, seen)


def _is_ours(look: Peek) -> bool:
    if look.kind == "object" and isinstance(look.value.get("loglines"), list):
        first = look.first_of("loglines")
        return "type" in first and "timestamp" in first
    lines = look.value if look.kind == "lines" else [look.first]
    return any(_is_line(line) for line in lines if isinstance(line, dict))


def _is_line(line: dict[str, Any]) -> bool:
    kind = line.get("type")
    if kind == "summary":
        return "leafUuid" in line
    if kind == "file-history-snapshot":
        return "messageId" in line and "snapshot" in line
    if kind == "queue-operation":
        return "operation" in line and "sessionId" in line
    return "parentUuid" in line and ("sessionId" in line or "isSidechain" in line)


def _lines(member: Member) -> Iterator[Record[Line] | Reject]:
    if peek(member).first_of("loglines"):
        yield from records(member, Line, path=("loglines",))
        return
    with member.open() as file:
        for number, (_, raw) in enumerate(iter_lines(file), 1):
            yield record(raw, Line, f"{member.name}: line {number}")


def _summaries(members: list[Member]) -> dict[str, str]:
    """Titles by the id of the message that they sum up: they stand in the next session's file."""
    found: dict[str, str] = {}
    for member in members:
        with member.open() as file:
            for _, raw in iter_lines(file):
                if b'"summary"' not in raw[:64]:
                    continue
                item = record(raw, Line, member.name)
                if isinstance(item, Record) and item.value.type == "summary" and item.value.leaf:
                    found[item.value.leaf] = text_of(item.value.summary) or ""
    return found


def _file(member: Member, summaries: dict[str, str], seen: Counter[str]) -> Iterator[Item]:
    """The sessions of one file: usually one, and one for every sub-agent."""
    sessions: dict[tuple[str, str], Session] = {}
    titles: dict[str, list[str]] = {}  # the user's name for a session, the application's
    sides: dict[str, str] = {}  # line of a sub-agent -> its first line
    damaged = 0
    lines: list[Record[Line]] = []
    for item in _lines(member):
        if isinstance(item, Reject):
            damaged += 1
            yield item
        else:
            lines.append(item)
    # lines of the application name no session, not even where they come first
    session_id = next((each.value.session for each in lines if each.value.session), "")
    for item in lines:
        line = item.value
        session_id = line.session or session_id
        for rank, value in enumerate((line.custom_title, line.ai_title)):
            if title := text_of(value):
                titles.setdefault(session_id, ["", ""])[rank] = title
        agent = _agent(line, sides)
        if reason := sessions.setdefault((session_id, agent), Session()).add(line):
            damaged += 1
            yield Reject(item.where, reason, "report this shape to us; the session was imported")
    found = 0
    for (session_id, agent), session in sessions.items():
        if conversation := _conversation(session_id, agent, session, seen):
            found += 1
            summary = next((summaries[key] for key in session.uuids if key in summaries), "")
            named = [*(titles.get(session_id, ()) if not agent else ()), summary]
            title = next((each for each in named if each), None)
            yield msgspec.structs.replace(conversation, title=title)
    if not found and not damaged:
        yield Skip(member.name, "no messages")


def _agent(line: Line, sides: dict[str, str]) -> str:
    """What parts a sub-agent's lines from others: its id, else the line that it began with."""
    if not line.sidechain:
        return ""
    first = sides.get(line.parent or "", line.uuid or "")
    if line.uuid:
        sides[line.uuid] = first
    return line.agent or first


def _conversation(
    session_id: str, agent: str, session: Session, seen: Counter[str]
) -> Conversation | None:
    messages, metadata = session.messages()
    if not messages:
        return None
    first = session.first or Line()
    native = session_id or f"{first.timestamp}|{session.fingerprint}"
    if agent:
        native = f"{native}/{agent}"
        metadata |= {"isSidechain": True, "sessionId": session_id}
    seen[native] += 1
    if seen[native] > 1:  # an older version copied a session into the file that resumed it
        native = f"{native}#{seen[native]}"
    facts = {"cwd": first.cwd, "gitBranch": first.branch, "version": first.version}
    return Conversation(
        id=conversation_id("claude-code", native),
        importer="claude-code",
        source_id=native,
        created_at=from_iso(first.timestamp),
        messages=messages,
        metadata={key: value for key, value in facts.items() if value} | metadata,
    )
