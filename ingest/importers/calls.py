"""From logged calls of a model to conversations: each call repeats the whole talk before it.

Calls whose messages extend another's become one conversation, every message once; where a call
differs from what is known, it branches off there. The newest call is the active path.

Calls belong together by the log's session and the first message that is not the system's, or,
where the log has no session, by the first messages up to there: two talks that begin alike are
then branches of one conversation.

What is held: all calls wait on disk in a spool; in memory are one entry a conversation and the
distinct messages of one conversation at a time, at most ``LONGEST`` of them.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any

import msgspec
import orjson

from ingest.archive import Member
from ingest.importers.base import ImportOptions, Item, Reject, Skip
from ingest.importers.fields import stated
from ingest.importers.pages import Listed, listed
from ingest.importers.records import zoned
from ingest.importers.training import RecordError
from ingest.message import Conversation, Message, conversation_id
from ingest.spool import Spool
from ingest.times import sort_key
from ingest.tree import path_to, reading_order

LONGEST = 20_000
"""Messages after which a conversation is closed and the next call opens another one."""


class Call(msgspec.Struct):
    """One call of a model.

    Attributes:
        key: the log's id of it.
        at: when it was asked.
        given: the messages it was given.
        answers: the candidates, each of one message or more.
        end: when it was answered.
        tools: tool definitions as JSON text.
        extra: facts about the answer, such as the model.
        facts: facts about the conversation.
    """

    key: str
    at: datetime | None
    given: list[Message]
    answers: list[list[Message]]
    end: datetime | None = None
    tools: str | None = None
    extra: dict[str, Any] = {}
    facts: dict[str, Any] = {}


_decode = msgspec.json.Decoder(Call).decode


Converted = tuple[Call, str | None] | Skip


def read_calls(
    importer: str,
    members: Iterable[Member],
    keys: tuple[str, ...],
    convert: Callable[[Listed], Converted],
    options: ImportOptions,
) -> Iterator[Item]:
    """The conversations of a log whose records are calls.

    Args:
        importer: name of the importer.
        members: the log's files.
        keys: the lists that a page of the log may have.
        convert: makes (call, session) of a record, or says why it is left out; raises RecordError.
        options: of the import.
    """
    with Calls(importer) as calls:
        for member in members:
            for found in listed(member, keys):
                if isinstance(found, Reject):
                    yield found
                    continue
                item = put(calls, found, convert)
                if item is not None:
                    yield item
        for conversation in calls.conversations():
            yield zoned(conversation, options.tz)


def put(calls: "Calls", found: Listed, convert: Callable[[Listed], Converted]) -> Item | None:
    """Put the call of a record in; what is left out or refused comes back."""
    try:
        made = convert(found)
    except RecordError as fault:
        return Reject(found.where, str(fault), "the log may have cut or changed it")
    except RecursionError:
        return Reject(found.where, "nested too deeply", "the log may have cut or changed it")
    if isinstance(made, Skip):
        return made
    return None if calls.add(*made) else Skip(found.where, "the call comes twice")


class Calls:
    """Takes calls in any order and gives conversations; use it as a context manager.

    Args:
        importer: name of the importer.
    """

    def __init__(self, importer: str) -> None:
        self._importer = importer
        self._spool = Spool()

    def __enter__(self) -> "Calls":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._spool.__exit__(kind, error, trace)

    def add(self, call: Call, session: str | None = None) -> bool:
        """Put a call in; returns False if it is there already."""
        rank = f"{sort_key(call.at):020.6f}"
        raw = msgspec.json.encode(call)
        return self._spool.add(_group(call, session), call.key, raw, rank=rank)

    def conversations(self) -> Iterator[Conversation]:
        """The conversations, by their first call in the log."""
        for group in self._spool.chats():
            tree = _Tree()
            closed = 0
            for raw in self._spool.in_order(group):
                if len(tree.nodes) >= LONGEST:
                    yield self._conversation(group, closed, tree)
                    closed, tree = closed + 1, _Tree()
                tree.add(_decode(raw))
            yield self._conversation(group, closed, tree)

    def _conversation(self, group: str, closed: int, tree: "_Tree") -> Conversation:
        native = f"{group}#{closed + 1}" if closed else group
        return Conversation(
            id=conversation_id(self._importer, native),
            importer=self._importer,
            source_id=native,
            created_at=tree.at,
            messages=tuple(tree.messages()),
            tools=tree.tools,
            metadata={**stated(tree.facts), "calls": tree.calls},
        )


def _group(call: Call, session: str | None) -> str:
    opening: list[Message] = []
    for message in call.given:
        system = message.role in ("system", "developer")
        if not (system and session):  # a system prompt that holds the time is no new talk
            opening.append(message)
        if not system:
            break
    digest = ""
    for message in opening:
        digest = _node(digest, message)
    return f"{session}|{digest}" if session else digest


def _node(parent: str, message: Message) -> str:
    """The id of a message: a digest of it and all before it.

    Ids of calls, reasoning and blanks around are no part of it: clients drop or rewrite them when
    they send an answer back.
    """
    said = [
        parent,
        message.role,
        message.content.strip(),
        [[call.name, _canonical(call.arguments)] for call in message.tool_calls],
        [[each.kind, each.uri, each.name] for each in message.attachments],
    ]
    return hashlib.sha256(msgspec.json.encode(said)).hexdigest()[:16]


def _canonical(arguments: str) -> str:
    try:
        return orjson.dumps(orjson.loads(arguments), option=orjson.OPT_SORT_KEYS).decode()
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return arguments.strip()


class _Tree:
    """The messages of one conversation."""

    def __init__(self) -> None:
        self.nodes: dict[str, Message] = {}
        self.at: datetime | None = None
        self.tools: str | None = None
        self.facts: dict[str, Any] = {}
        self.calls = 0
        self._parents: dict[str, str | None] = {}
        self._answered: set[str] = set()
        self._leaf: str | None = None

    def add(self, call: Call) -> None:
        """Add a call; they come in the order of time."""
        self.calls += 1
        self.at = self.at or call.at
        self.tools = call.tools or self.tools
        self.facts |= call.facts
        renamed: dict[str, str] = {}
        end: str | None = None
        for number, message in enumerate(call.given, 1):
            at = call.at if number == len(call.given) else None
            end = self._put(message, end, at, renamed)
        self._leaf = end
        for number, answer in enumerate(call.answers):
            leaf = self._answer(answer, end, call, number)
            if number == 0:
                self._leaf = leaf

    def messages(self) -> Iterator[Message]:
        """The messages, parents before children, with the path of the newest call."""
        order, _ = reading_order(self._parents)
        path = path_to(self._parents, self._leaf)
        for key in order:
            yield msgspec.structs.replace(self.nodes[key], on_path=key in path)

    def _put(
        self, message: Message, parent: str | None, at: datetime | None, renamed: dict[str, str]
    ) -> str:
        key = _node(parent or "", message)
        known = self.nodes.get(key)
        if known is None:
            call_id = message.tool_call_id
            self._parents[key] = parent
            self.nodes[key] = msgspec.structs.replace(
                message,
                source_id=key,
                parent_id=parent,
                created_at=message.created_at or at,
                tool_call_id=renamed.get(call_id, call_id) if call_id else None,
            )
        else:
            pairs = zip(message.tool_calls, known.tool_calls, strict=True)
            renamed.update((mine.id, theirs.id) for mine, theirs in pairs)
        return key

    def _answer(
        self, answer: Sequence[Message], parent: str | None, call: Call, number: int
    ) -> str | None:
        end = parent
        for message in answer:
            facts = {"call": call.key, **({"candidate": number} if number else {}), **call.extra}
            full = msgspec.structs.replace(
                message,
                created_at=message.created_at or call.end or call.at,
                extra={**message.extra, **stated(facts)},
            )
            key = self._put(full, end, None, {})
            if key not in self._answered:
                # as it was answered it says more than as it was sent back
                known = self.nodes[key]
                self.nodes[key] = msgspec.structs.replace(
                    full,
                    source_id=key,
                    parent_id=end,
                    tool_calls=known.tool_calls,
                    tool_call_id=known.tool_call_id,
                )
                self._answered.add(key)
            end = key
        return end
