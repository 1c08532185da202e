"""Messages of a Claude Code session in the making, and what only the whole session shows."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ingest.importers.claude_code_blocks import parts_of
from ingest.message import Message, Role

_INTERRUPTED = "[Request interrupted by user"


@dataclass
class Node:
    """A message in the making."""

    role: Role
    at: datetime | None
    after: str  # its line, whose parent line leads to the message that it follows
    above: str | None = None  # the message that it follows, where that is known already
    blocks: list[Any] = field(default_factory=list)
    answers: str | None = None
    train: bool | None = None
    extra: dict[str, Any] = field(default_factory=dict)


def gather_results(nodes: dict[str, Node], parents: dict[str, str | None]) -> dict[str, str]:
    """Put the results of parallel calls in one row under the message that called.

    Each hangs on the line of its own call, so that in the file all but one are side branches.

    Returns:
        The tools' names by call id.
    """
    callers: dict[str, str] = {}
    names: dict[str, str] = {}
    for key, node in nodes.items():
        for call in parts_of(node.blocks).calls if node.role == "assistant" else ():
            callers.setdefault(call.id, key)
            names.setdefault(call.id, call.name)
    rows: dict[str, dict[str, str]] = {}
    for key, node in nodes.items():
        if node.answers in callers:
            rows.setdefault(callers[node.answers], {}).setdefault(node.answers, key)
    ends = {key: list(row.values())[-1] for row in rows.values() for key in row.values()}
    for key, parent in parents.items():
        if parent in ends:
            parents[key] = ends[parent]
    for caller, row in rows.items():
        answers = list(row.values())
        parents.update(zip(answers, [caller, *answers[:-1]], strict=True))
    return names


def mark_interrupted(nodes: dict[str, Node], parents: dict[str, str | None]) -> None:
    """Mark the answer before each line that says that the user stopped it."""
    for key, node in nodes.items():
        if node.role != "user" or not begins_with(node.blocks, _INTERRUPTED):
            continue
        seen = {key}
        above = parents[key]
        while above is not None and above not in seen:
            seen.add(above)
            if nodes[above].role == "assistant":
                nodes[above].train = False
                nodes[above].extra["interrupted"] = True
                break
            above = parents[above]


def begins_with(blocks: list[Any], *beginnings: str) -> bool:
    """Whether the first text of a message begins with one of these."""
    texts = (block.get("text") for block in blocks if isinstance(block, dict))
    first = next((text for text in texts if isinstance(text, str)), "")
    return first.lstrip().startswith(beginnings)


def message_of(
    key: str, node: Node, parent: str | None, on_path: bool, names: dict[str, str]
) -> Message:
    """The message of a node; ``names`` are the tools' names by call id."""
    parts = parts_of(node.blocks)
    extra = node.extra | ({"blocks": parts.unknown} if parts.unknown else {})
    return Message(
        role=node.role,
        content="\n".join(parts.texts),
        name=names.get(node.answers) if node.answers else None,
        reasoning="\n\n".join(thought for thought in parts.thoughts if thought) or None,
        tool_calls=tuple(parts.calls),
        tool_call_id=node.answers or None,
        attachments=tuple(parts.attachments),
        created_at=node.at,
        train=node.train,
        source_id=key,
        parent_id=parent,
        on_path=on_path,
        extra=extra,
    )
