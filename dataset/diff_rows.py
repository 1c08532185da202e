"""What changed in one conversation between two versions: fields, messages, placeholders."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, Literal, NamedTuple

import orjson

from dataset.redact.written import PLACEHOLDER

Row = Mapping[str, Any]

MESSAGES = ("messages", "prompt", "chosen", "rejected")
"""Columns that hold messages: of a conversation, or of a preference pair."""

TEXTS = ("content", "reasoning", "reasoning_content")

HASH = "content_hash"
"""The field that differs whenever the stored conversation does."""


class MessageChange(NamedTuple):
    """One message that differs.

    Attributes:
        op: ``added``, ``removed`` or ``changed``.
        column: which of the row's lists it stands in.
        before_at: its place in the list before; None if added.
        after_at: its place in the list now; None if removed.
        before: the message before.
        after: the message now.
        fields: names of the fields that differ, if it changed.
        redaction_only: whether a text changed, and only in its placeholders.
    """

    op: Literal["added", "removed", "changed"]
    column: str
    before_at: int | None
    after_at: int | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    fields: tuple[str, ...] = ()
    redaction_only: bool = False


class RowChange(NamedTuple):
    """One conversation that differs.

    Attributes:
        id: of the conversation.
        split: its split before and now.
        fields: (before, now) of every field outside its messages that differs.
        messages: those that differ, in reading order.
        redaction: placeholders by kind, how many more (or fewer) than before.
    """

    id: str
    split: tuple[str, str]
    fields: dict[str, tuple[Any, Any]]
    messages: list[MessageChange]
    redaction: dict[str, int]


def diff_rows(before: Row, after: Row, split: tuple[str, str]) -> RowChange:
    """Compare two rows of one id."""
    fields = {
        name: (before.get(name), after.get(name))
        for name in dict.fromkeys((*before, *after))
        if name not in MESSAGES and before.get(name) != after.get(name)
    }
    messages = [
        change
        for column in MESSAGES
        if column in before or column in after
        for change in diff_messages(column, before.get(column) or [], after.get(column) or [])
    ]
    kinds = _placeholders(after)
    kinds.subtract(_placeholders(before))
    redaction = {kind: count for kind, count in sorted(kinds.items()) if count}
    return RowChange(after["id"], split, fields, messages, redaction)


def diff_messages(
    column: str, before: Sequence[dict[str, Any]], after: Sequence[dict[str, Any]]
) -> Iterator[MessageChange]:
    """The messages that differ, in reading order.

    Equal messages are matched first; between them, messages of one role are taken for each other in
    their order.
    """
    one, other = [_key(each) for each in before], [_key(each) for each in after]
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    for tag, a0, a1, b0, b1 in matcher.get_opcodes():
        if tag == "equal":
            continue
        pairs = _paired(before[a0:a1], after[b0:b1])
        for a, b in pairs:
            yield _change(
                column,
                None if a is None else a0 + a,
                None if b is None else b0 + b,
                None if a is None else before[a0 + a],
                None if b is None else after[b0 + b],
            )


def _key(message: dict[str, Any]) -> bytes:
    return orjson.dumps(message, option=orjson.OPT_SORT_KEYS)


def _paired(
    before: Sequence[dict[str, Any]], after: Sequence[dict[str, Any]]
) -> Iterator[tuple[int | None, int | None]]:
    """Places of messages that are one another, by the roles of both lists; None where alone."""
    roles = [each["role"] for each in before], [each["role"] for each in after]
    for tag, a0, a1, b0, b1 in SequenceMatcher(None, *roles, autojunk=False).get_opcodes():
        if tag == "equal":
            yield from zip(range(a0, a1), range(b0, b1), strict=True)
        else:
            yield from ((at, None) for at in range(a0, a1))
            yield from ((None, at) for at in range(b0, b1))


def _change(
    column: str,
    before_at: int | None,
    after_at: int | None,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
) -> MessageChange:
    if before is None:
        return MessageChange("added", column, None, after_at, None, after)
    if after is None:
        return MessageChange("removed", column, before_at, None, before, None)
    names = dict.fromkeys((*before, *after))
    fields = tuple(name for name in names if before.get(name) != after.get(name))
    return MessageChange(
        "changed", column, before_at, after_at, before, after, fields,
        redaction_only=set(fields) <= set(TEXTS)
        and all(_only_redacted(before.get(name), after.get(name)) for name in fields),
    )  # fmt: skip


def _only_redacted(before: str | None, after: str | None) -> bool:
    """Whether all that changed are placeholders: one side is the other with some of them filled.

    What stands between the placeholders of one text must stand in the other in that order, from
    its beginning to its end.
    """
    if before is None or after is None:
        return False
    return _fills(before, after) or _fills(after, before)


def _fills(whole: str, redacted: str) -> bool:
    # not re.split: the pattern's groups would come out too
    walls = [found.span() for found in PLACEHOLDER.finditer(redacted)]
    if not walls:
        return False
    starts = [0, *(end for _, end in walls)]
    ends = [*(start for start, _ in walls), len(redacted)]
    pieces = [redacted[start:end] for start, end in zip(starts, ends, strict=True)]
    first, last = pieces[0], pieces[-1]
    if not whole.startswith(first) or not whole.endswith(last):
        return False
    at = len(first)
    for piece in pieces[1:-1]:
        at = whole.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    return at <= len(whole) - len(last)


def _placeholders(row: Row) -> Counter[str]:
    found: Counter[str] = Counter()
    for column in MESSAGES:
        for message in row.get(column) or ():
            texts = [message.get(name) for name in TEXTS]
            texts += [
                call.get("function", call)["arguments"] for call in message.get("tool_calls") or ()
            ]
            for text in texts:
                found.update(match[1] or "PERSON" for match in PLACEHOLDER.finditer(text or ""))
    return found
