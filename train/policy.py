"""What of an assistant's turns is trained."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from train.control import RenderError
from train.page import Page
from train.spec import TrainOn
from train.turns import Turn

Part = tuple[int, int]


class Policy(NamedTuple):
    """What is trained.

    Attributes:
        train_on: every ``assistant`` message, only the ``last`` of them, or ``all`` text save tool
            results and messages flagged ``train = False``.
        train_reasoning: whether what the assistant thought (``reasoning_content``) is.
        train_tool_calls: whether its tool calls are.
    """

    train_on: TrainOn = "assistant"
    train_reasoning: bool = True
    train_tool_calls: bool = True


DEFAULT = Policy()


def trained_messages(messages: Sequence[Mapping[str, Any]], policy: Policy) -> list[int]:
    """The assistant messages to train, in order.

    Raises:
        RenderError: another role's message is flagged to be trained.
    """
    turns = [i for i, message in enumerate(messages) if message["role"] == "assistant"]
    for i, message in enumerate(messages):
        if message.get("train") and message["role"] != "assistant":
            raise RenderError(
                f"message {i} has role {message['role']!r} and is flagged to be trained",
                "only what the assistant says can be trained; remove the flag",
            )
    by_role = turns[-1:] if policy.train_on == "last" else turns
    flags = [message.get("train") for message in messages]
    return [i for i in turns if flags[i] or (i in by_role and flags[i] is None)]


def trained_parts(page: Page, turn: Turn, policy: Policy) -> list[Part]:
    """What is trained of a turn, in characters."""
    parts = turn.parts
    said = page.said[turn.message]
    if not policy.train_reasoning:
        parts = _without_reasoning(parts, said)
    if not policy.train_tool_calls:
        parts = _without_calls(page, parts, said)
    return [part for part in parts if part[0] < part[1]]


def _without_reasoning(parts: list[Part], said: Sequence[Any]) -> list[Part]:
    thought = [one for one in said if one.field == "reasoning" and one.end > one.start]
    if not thought:
        return parts
    end = thought[-1].end
    # the closing mark of the thoughts goes with them
    answer = [one.start for one in said if one.field != "reasoning" and one.start >= end]
    start = min(answer, default=None)
    if start is None:
        return []
    return [(max(low, start), high) for low, high in parts if high > start]


def _without_calls(page: Page, parts: list[Part], said: Sequence[Any]) -> list[Part]:
    calls = [one for one in said if one.field == "tool_calls"]
    words = [one for one in said if one.field != "tool_calls" and one.end > one.start]
    if not calls:
        return parts
    if not words:
        return []
    kept: list[Part] = []
    for low, high in parts:
        inside = [one for one in words if low <= one.start and one.end <= high]
        if not inside:
            continue
        last = inside[-1].end
        first = low
        if calls[0].start < inside[0].start:
            first = max((g.end for g in page.genuine if g.end <= inside[0].start), default=low)
        stop = max((g.start for g in page.genuine if g.end <= high), default=high)
        after = any(last <= one.start < high for one in calls)
        kept += [(first, last), (stop, high)] if after else [(first, high)]
    return kept


def all_but(page: Page, messages: Sequence[Mapping[str, Any]]) -> list[Part]:
    """The whole text without tool results and messages that are flagged not to be trained.

    Raises:
        RenderError: the template does not write one of those in one place.
    """
    parts: list[Part] = []
    start = 0
    left_out = []
    for i, message in enumerate(messages):
        if message["role"] != "tool" and message.get("train") is not False:
            continue
        segment = page.segment(i)
        if segment is None:
            raise RenderError(
                f"the template does not write message {i} in one place",
                "train on assistant turns, or use a template that writes each message once",
            )
        left_out.append(segment)
    for segment in sorted(left_out):
        parts.append((start, max(start, segment.start)))
        start = max(start, segment.end)
    return [part for part in [*parts, (start, len(page.text))] if part[0] < part[1]]
