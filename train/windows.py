"""Conversations that are longer than a row may be, cut at turn borders.

A row that does not fit becomes several: each repeats the system message and the most recent turns
before what it trains, as context that is not trained again. Only a single turn that does not fit on
its own is cut inside, at its end; what that loses is counted.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from train.policy import DEFAULT, Policy
from train.render import Conversation, RenderError
from train.rows import Row, render_rows

# of a row, for turns that are repeated as context
_CONTEXT_SHARE = 4


class Fitted(NamedTuple):
    """A row that fits, and what it lost.

    Attributes:
        ids: at most ``max_length`` token ids.
        loss_mask: as long.
        trained: messages it trains.
        repeated: messages it shows that another row shows too.
        tokens_lost: tokens cut off at its end.
        trained_lost: trained tokens among them.
        stops_lost: turns that lost the token that stops them.
        unserved: see :class:`~train.rows.Row`.
    """

    ids: list[int]
    loss_mask: list[int]
    trained: int
    repeated: int
    tokens_lost: int
    trained_lost: int
    stops_lost: int
    unserved: int


def fit(
    conversation: Conversation,
    rows: Sequence[Row],
    tokenizer: Any,
    max_length: int,
    policy: Policy = DEFAULT,
    **template_kwargs: Any,
) -> list[Fitted]:
    """The rows of a conversation, none longer than ``max_length`` tokens.

    Args:
        conversation: what ``rows`` were made of.
        rows: see :func:`~train.rows.render_rows`.
        tokenizer: theirs.
        max_length: tokens.
        policy: what is trained.
        **template_kwargs: passed on to the chat template.
    """
    fitted: list[Fitted] = []
    for row in rows:
        if len(row.rendered.ids) <= max_length or policy.train_on == "all":
            fitted.append(_cut(row, max_length))
        else:
            cutter = _Cutter(conversation, tokenizer, max_length, policy, template_kwargs)
            fitted += cutter.windows(row)
    return fitted


def _cut(row: Row, max_length: int, repeated: int = 0) -> Fitted:
    ids, mask = row.rendered
    kept = mask[:max_length]
    lost = mask[max_length:]
    runs = sum(
        1 for at, one in enumerate(lost) if one and (at + 1 == len(lost) or not lost[at + 1])
    )
    return Fitted(
        ids[:max_length],
        kept,
        len(row.trained),
        repeated,
        len(lost),
        sum(lost),
        runs,
        len(row.unserved),
    )


class _Cutter:
    """Cuts the rows of one conversation."""

    def __init__(
        self,
        conversation: Conversation,
        tokenizer: Any,
        max_length: int,
        policy: Policy,
        kwargs: dict[str, Any],
    ) -> None:
        self._messages = conversation.messages
        self._tools = conversation.tools
        self._tokenizer = tokenizer
        self._max_length = max_length
        # the turns are chosen here
        self._policy = policy._replace(train_on="assistant")
        self._kwargs = kwargs
        self._lead = next(
            (i for i, one in enumerate(self._messages) if one["role"] not in _LEADING),
            len(self._messages),
        )
        self._starts = [
            i
            for i in range(self._lead, len(self._messages))
            if self._messages[i]["role"] == "user"
            and (i == self._lead or self._messages[i - 1]["role"] != "user")
        ] or [self._lead]

    def windows(self, row: Row) -> Iterator[Fitted]:
        """``row`` as rows that fit."""
        sizes = self._sizes(row)
        todo = list(row.trained)
        shown = 0
        while todo:
            start, end, rows = self._next(todo, sizes)
            repeated = max(0, shown - start)
            for one in rows:
                yield _cut(one, self._max_length, repeated)
            shown = max(shown, end)
            todo = [i for i in todo if i >= end]

    def _sizes(self, row: Row) -> list[float]:
        """About how many tokens each message takes, from the whole row."""
        lengths = [_characters(one) for one in self._messages[: row.messages]]
        scale = len(row.rendered.ids) / max(1, sum(lengths))
        return [length * scale for length in lengths]

    def _next(self, todo: list[int], sizes: list[float]) -> tuple[int, int, list[Row]]:
        """The window that trains the next turns, as many as fit: start, end and its rows."""
        first = todo[0]
        own = max((at for at in self._starts if at <= first), default=self._lead)
        ends = [i + 1 for i in todo]
        starts = self._contexts(own, sizes)
        lead = sum(sizes[: self._lead])
        for start in starts:
            for end in reversed(ends):
                about = lead + sum(sizes[start:end])
                # an estimate; the rows themselves decide
                if about > 1.2 * self._max_length:
                    continue
                rows = self._rows(start, end, [i for i in todo if i < end])
                if rows is not None and all(
                    len(one.rendered.ids) <= self._max_length for one in rows
                ):
                    return start, end, rows
        rows = self._rows(own, ends[0], [first])
        if rows is None:
            raise RenderError(
                f"longer than max_length, and the template refuses its turns from message {own} on",
                "raise max_length, or choose another base model",
            )
        return own, ends[0], rows

    def _contexts(self, own: int, sizes: list[float]) -> list[int]:
        """Where a window may start: with context as far as it may go, then without."""
        budget = self._max_length / _CONTEXT_SHARE
        starts = [at for at in self._starts if at <= own and sum(sizes[at:own]) <= budget]
        return list(dict.fromkeys([*starts[:1], own]))

    def _rows(self, start: int, end: int, wanted: list[int]) -> list[Row] | None:
        places = [*range(self._lead), *range(start, end)]
        messages = [
            {**self._messages[i], "train": i in wanted}
            if self._messages[i]["role"] == "assistant"
            else self._messages[i]
            for i in places
        ]
        done = render_rows(
            [Conversation(messages, self._tools)], self._tokenizer, self._policy, **self._kwargs
        )[0]
        return None if isinstance(done, RenderError) else done


_LEADING = frozenset({"system", "developer"})


def _characters(message: Any) -> int:
    calls = message.get("tool_calls")
    texts = (message.get("content"), message.get("reasoning_content"))
    return 16 + sum(len(str(text)) for text in texts if text) + (len(str(calls)) if calls else 0)
