"""Preference pairs: two continuations of one prompt become two branches of one conversation."""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from ingest.message import Message

CHOSEN, REJECTED = "chosen-", "rejected-"
"""How the ids of both branches begin."""


def branched(
    prompt: Sequence[Message], chosen: Sequence[Message], rejected: Sequence[Message]
) -> tuple[Message, ...]:
    """Prompt, then the chosen messages on the path and the rejected ones beside it.

    The first message of both branches has the last one of the prompt as its parent. Ids are
    ``prompt-<n>``, ``chosen-<n>`` and ``rejected-<n>``.
    """
    made = list(_chain(prompt, "prompt-", None, on_path=True))
    parent = made[-1].source_id if made else None
    made += _chain(chosen, CHOSEN, parent, on_path=True)
    made += _chain(rejected, REJECTED, parent, on_path=False)
    return tuple(made)


def _chain(
    messages: Sequence[Message], name: str, parent: str | None, *, on_path: bool
) -> Iterator[Message]:
    for at, message in enumerate(messages):
        key = f"{name}{at}"
        yield replace(message, source_id=key, parent_id=parent, on_path=on_path)
        parent = key


def common_prefix(chosen: Sequence[Message], rejected: Sequence[Message]) -> int:
    """How many messages both begin with; each keeps at least its last for itself."""
    at = 0
    longest = min(len(chosen), len(rejected)) - 1
    while at < longest and chosen[at] == rejected[at]:
        at += 1
    return at
