"""From the lines of a Claude Code session to its messages.

Lines form a tree by ``parentUuid``. Several lines make one answer, one line may hold several
results, and lines that are no turns stand in between; all of them pass their children on to the
message that they belong to or follow.
"""

from collections import Counter
from typing import Any

import msgspec

from ingest.importers.claude_code_blocks import Block, add_blocks, blocks_of, parts_of
from ingest.importers.claude_code_nodes import (
    Node,
    begins_with,
    gather_results,
    mark_interrupted,
    message_of,
)
from ingest.importers.fields import object_of, text_of
from ingest.message import Message
from ingest.times import from_iso, sort_key
from ingest.tree import read_tree

_INJECTED = (
    "<command-name>", "<command-message>", "<command-args>", "<local-command-stdout>",
    "<local-command-stderr>", "<local-command-caveat>", "<bash-stdout>", "<bash-stderr>",
    "<environment_context>", "<system-reminder>", "<task-notification>", "Caveat: ",
    "[Request interrupted by user", "This session is being continued from a previous conversation",
)  # fmt: skip
"""How text begins that stands under the user's name and that nobody typed."""
_TITLES = ("summary", "custom-title", "ai-title")
_NOISE = ("queue-operation", "progress", "file-history-snapshot")
_SYNTHETIC = "<synthetic>"


class Line(msgspec.Struct, gc=False):
    """One line of a session file; names as in the file where not renamed."""

    type: str = ""
    uuid: str | None = None
    parent: str | None = msgspec.field(name="parentUuid", default=None)
    logical_parent: str | None = msgspec.field(name="logicalParentUuid", default=None)
    session: str | None = msgspec.field(name="sessionId", default=None)
    agent: str | None = msgspec.field(name="agentId", default=None)
    timestamp: str | None = None
    sidechain: bool | None = msgspec.field(name="isSidechain", default=None)
    is_meta: bool | None = msgspec.field(name="isMeta", default=None)
    is_summary: bool | None = msgspec.field(name="isCompactSummary", default=None)
    is_error: bool | None = msgspec.field(name="isApiErrorMessage", default=None)
    message: Any = None
    content: Any = None
    attachment: Any = None
    result: Any = msgspec.field(name="toolUseResult", default=None)
    subtype: str | None = None
    summary: Any = None
    leaf: str | None = msgspec.field(name="leafUuid", default=None)
    custom_title: Any = msgspec.field(name="customTitle", default=None)
    ai_title: Any = msgspec.field(name="aiTitle", default=None)
    cwd: str | None = None
    branch: str | None = msgspec.field(name="gitBranch", default=None)
    version: str | None = None


class Session:
    """Lines of one session (or of one sub-agent), taken in file order."""

    def __init__(self) -> None:
        self.first: Line | None = None
        self.fingerprint = ""
        self.uuids: dict[str, str | None] = {}  # line -> its parent line
        self._before: dict[str, str] = {}  # line -> the line before it in the file
        self._last: dict[str, str] = {}  # line -> the message that its children follow
        self._nodes: dict[str, Node] = {}
        self._answers: dict[str, str] = {}  # id of a message of the model -> its node
        self._said: dict[str, bytes] = {}  # line -> its message, to tell repeats from conflicts
        self._repeats: dict[tuple[str, bytes], str] = {}
        self._open: dict[str, None] = {}  # calls that wait for a result
        self._events: list[list[str | None]] = []
        self._others: list[dict[str, Any]] = []
        self._counts: Counter[str] = Counter()
        self._conflicts = 0

    def add(self, line: Line) -> str | None:
        """Take a line; the reason if it is none that can be read."""
        if not line.type:
            return "a line has no type"
        key = line.uuid or f"#{len(self.uuids)}"
        if line.type not in ("user", "assistant", "system"):
            self._note(line)
            if line.uuid and line.uuid not in self.uuids:
                self._place(key, line)
            return None
        if line.uuid in self.uuids:
            self._again(line.uuid, line)
            return None
        self.first = self.first or line
        if line.type == "system":
            self._place(key, line)
            at = from_iso(line.timestamp)
            text = text_of(line.content) or line.subtype
            self._events.append([at.isoformat() if at else None, text])
            return None
        said = msgspec.json.encode(line.message)
        self.fingerprint = self.fingerprint or said.decode()
        repeated = self._repeats.get((line.timestamp, said)) if line.timestamp else None
        self._place(key, line)
        self._said[key] = said
        if repeated and line.type == "user":  # a resumed stream writes its history again
            self._last[key] = self._last[repeated]
            return None
        content = object_of(line.message).get("content")
        blocks = blocks_of(content)
        if content is None or blocks is None:
            return f"a line of type {line.type!r} has no message with content"
        if line.type == "assistant":
            self._assistant(key, line, blocks)
        else:
            self._user(key, line, blocks)
        if line.timestamp:
            self._repeats[line.timestamp, said] = key
        return None

    def _place(self, key: str, line: Line) -> None:
        before = next(reversed(self.uuids), "")
        self._before[key] = before
        # a line without an id is one of a plain list
        parent = (line.parent or line.logical_parent) if line.uuid else before or None
        self.uuids[key] = parent

    def _note(self, line: Line) -> None:
        """Count a line that is no turn, and keep what an unknown one says."""
        if line.type in _TITLES:
            return
        self._counts[line.type] += 1
        if line.type in _NOISE:
            return
        for key, value in (("message", line.message), ("content", line.content),
                           ("attachment", line.attachment)):  # fmt: skip
            if value is not None:
                self._others.append({"type": line.type, key: value})

    def _again(self, uuid: str, line: Line) -> None:
        """A line whose id was there already: a stream goes on, a repetition, or a conflict."""
        message = object_of(line.message)
        blocks = blocks_of(message.get("content"))
        known = self._answers.get(text_of(message.get("id")) or "")
        if known is not None and known == self._last.get(uuid) and blocks is not None:
            add_blocks(self._nodes[known].blocks, blocks, known)
        elif uuid in self._said and self._said[uuid] != msgspec.json.encode(line.message):
            self._conflicts += 1

    def _assistant(self, key: str, line: Line, blocks: list[Any]) -> None:
        message = line.message
        native = text_of(message.get("id"))
        known = self._answers.get(native) if native else None
        if known is None:
            known = key
            node = Node("assistant", from_iso(line.timestamp), key)
            if model := text_of(message.get("model")):
                node.extra["model"] = model
            if line.is_error or node.extra.get("model") == _SYNTHETIC:
                node.train = False  # the application wrote it in the model's name
                node.extra |= {"isApiErrorMessage": True} if line.is_error else {}
            self._nodes[key] = node
            if native:
                self._answers[native] = key
        node = self._nodes[known]
        add_blocks(node.blocks, blocks, known)
        self._last[key] = known
        for call in parts_of(node.blocks).calls:
            self._open.setdefault(call.id)

    def _user(self, key: str, line: Line, blocks: list[Any]) -> None:
        """A line under the user's name: results of tools, each a message, and what was typed."""
        results = [each for each in blocks if _is_result(each)]
        typed = [each for each in blocks if not _is_result(each)]
        above: str | None = None
        for number, block in enumerate(results):
            own = f"{key}#{number}" if number else key
            self._nodes[own] = self._result(key, line, block, above)
            above = own
        if typed or not results:
            own = f"{key}#{len(results)}" if results else key
            node = Node("user", from_iso(line.timestamp), key, above, typed)
            if line.is_meta or line.is_summary or begins_with(typed, *_INJECTED):
                node.train = False
            node.extra |= {"isMeta": True} if line.is_meta else {}
            node.extra |= {"isCompactSummary": True} if line.is_summary else {}
            self._nodes[own] = node
            above = own
        self._last[key] = above or key

    def _result(self, key: str, line: Line, block: Block, above: str | None) -> Node:
        call = text_of(block.get("tool_use_id")) or next(iter(self._open), None)
        if call is not None:
            self._open.pop(call, None)
        content = block.get("content")
        inner = blocks_of(line.result if content is None else content)
        node = Node("tool", from_iso(line.timestamp), key, above, inner or [], call or "")
        if inner is None:
            node.extra["content"] = content
        if block.get("is_error"):
            node.extra["is_error"] = True
        return node

    def messages(self) -> tuple[tuple[Message, ...], dict[str, Any]]:
        """The messages in reading order, and facts of the session for its ``metadata``."""
        dangling = [
            key for key, parent in self.uuids.items() if parent and parent not in self.uuids
        ]
        for key in dangling:
            self.uuids[key] = self._before[key] or None
        parents = {key: node.above or self._above(node) for key, node in self._nodes.items()}
        names = gather_results(self._nodes, parents)
        times = {key: sort_key(node.at) for key, node in self._nodes.items()}
        reading = read_tree(parents, None, times)
        mark_interrupted(self._nodes, parents)
        metadata: dict[str, Any] = {
            "events": self._events,
            "lines": dict(self._counts),
            "other": self._others,
            "conflicting_lines": self._conflicts,
            "damaged_tree": reading.damaged or any(self._before[key] for key in dangling),
        }
        made = tuple(
            message_of(key, self._nodes[key], parents[key], key in reading.path, names)
            for key in reading.order
        )
        return made, {key: value for key, value in metadata.items() if value}

    def _above(self, node: Node) -> str | None:
        """The message that a node follows: lines that made none are passed over."""
        seen = {node.after}
        line = self.uuids[node.after]
        own = self._last.get(node.after)
        while line is not None and line not in seen:
            if line in self._last and self._last[line] != own:
                return self._last[line]
            seen.add(line)
            line = self.uuids[line]
        return None


def _is_result(block: Any) -> bool:
    return isinstance(block, dict) and block.get("type") == "tool_result"
