"""What some formats cannot say, and a row without it - only where the user names it."""

from collections.abc import Callable, Collection
from typing import NamedTuple

from dataset.export.base import Misfit, Row


class Loss(NamedTuple):
    """Something that a format may be unable to say.

    Attributes:
        name: as in ``--lossy``.
        reason: why a conversation is refused.
        effect: what ``--lossy`` does, one line.
        without: a row without it; None if the row has nothing of it.
    """

    name: str
    reason: str
    effect: str
    without: Callable[[Row], Row | None]


def _without_tail(row: Row) -> Row | None:
    turns = [at for at, each in enumerate(row["messages"]) if each["role"] == "assistant"]
    if not turns or turns[-1] == len(row["messages"]) - 1:
        return None
    return {**row, "messages": row["messages"][: turns[-1] + 1]}


def _without_flags(row: Row) -> Row | None:
    # other roles are never trained, so only a flag that says otherwise says anything
    says = any(each["train"] is (each["role"] != "assistant") for each in row["messages"])
    return _changed(row, train=None) if says else None


def _without_reasoning(row: Row) -> Row | None:
    return _changed(row, reasoning=None) if any(m["reasoning"] for m in row["messages"]) else None


def _without_text(row: Row) -> Row | None:
    messages = row["messages"]
    if not any(each["tool_calls"] and each["content"] for each in messages):
        return None
    bare = [{**each, "content": ""} if each["tool_calls"] else each for each in messages]
    return {**row, "messages": bare}


def _without_tools(row: Row) -> Row | None:
    return {**row, "tools": None} if row["tools"] else None


def _changed(row: Row, **values: None) -> Row:
    return {**row, "messages": [{**each, **values} for each in row["messages"]]}


LOSSES = (
    Loss(
        "tail",
        "does not end with the assistant",
        "messages after the assistant's last are cut",
        _without_tail,
    ),
    Loss(
        "train",
        "cannot say train=false",
        "flags are dropped: messages flagged never to be trained WILL be trained",
        _without_flags,
    ),
    Loss("reasoning", "cannot say reasoning", "reasoning is dropped", _without_reasoning),
    Loss(
        "text",
        "cannot say text beside a tool call",
        "the text of messages that also call tools is dropped",
        _without_text,
    ),
    Loss("tools", "cannot say tool definitions", "tool definitions are dropped", _without_tools),
)
"""In the order in which they are looked for."""


def fit(row: Row, cannot: Collection[str], lossy: Collection[str]) -> tuple[Row, tuple[str, ...]]:
    """A row without what the format cannot say.

    Args:
        row: the conversation.
        cannot: names of losses.
        lossy: those of them that the user accepts.

    Returns:
        The row and the names of what it lost.

    Raises:
        Misfit: it would lose something that the user did not name.
    """
    lost: list[str] = []
    for loss in LOSSES:
        reduced = loss.without(row) if loss.name in cannot else None
        if reduced is None:
            continue
        if loss.name not in lossy:
            raise Misfit(loss.reason)
        row = reduced
        lost.append(loss.name)
    return row, tuple(lost)
