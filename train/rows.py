"""A conversation as the rows that train it, each turn in the context in which it is asked for.

Most conversations are one row. Where the template shows history otherwise than it was when a turn
was asked for (thoughts left out of earlier turns, for instance), that turn gets a row of its own
that ends with it, and is context in the others. No token is trained twice.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from train.encode import Encoder, Tokens
from train.page import Page
from train.policy import DEFAULT, Policy, trained_messages
from train.render import (
    Conversation,
    Rendered,
    RenderError,
    encoder_of,
    page_of,
    rendered,
    text_of,
    text_of_turns,
)
from train.turns import Turn, turn_of


class Row(NamedTuple):
    """One row to train on.

    Attributes:
        rendered: ids and mask.
        messages: how many of the conversation's messages it shows, from the first.
        trained: the messages it trains.
        unserved: those of them that no server would ask for in this context, so that the row is
            the nearest the template allows.
    """

    rendered: Rendered
    messages: int
    trained: list[int]
    unserved: list[int]


def render_rows(
    conversations: Sequence[Conversation],
    tokenizer: Any,
    policy: Policy = DEFAULT,
    **template_kwargs: Any,
) -> list[list[Row] | RenderError]:
    """The rows of each conversation, or why it is refused.

    Args:
        conversations: see :class:`~train.render.Conversation`.
        tokenizer: a fast Hugging Face tokenizer with a chat template.
        policy: what is trained.
        **template_kwargs: passed on to the chat template.
    """
    encoder = encoder_of(tokenizer)
    drafts: list[_Draft | RenderError] = []
    for one in conversations:
        try:
            drafts.append(_draft(one, tokenizer, policy, template_kwargs))
        except RenderError as error:
            drafts.append(error)
    texts = [
        text_of(one.page, one.conversation, list(one.turns.values()), policy)
        for one in drafts
        if not isinstance(one, RenderError)
    ]
    encoded = iter(encoder.encode(texts))
    results: list[list[Row] | RenderError] = []
    for draft in drafts:
        if isinstance(draft, RenderError):
            results.append(draft)
            continue
        tokens = next(encoded)
        try:
            results.append(_rows(draft, tokens, encoder, policy))
        except RenderError as error:
            results.append(error)
    return results


def _with_stop(tokens: Tokens, turn: Turn | None) -> Tokens:
    """With the stop token that the template leaves to the next message."""
    if turn is None or turn.unwritten is None:
        return tokens
    end = len(tokens.ids)
    return tokens._replace(
        ids=[*tokens.ids, turn.unwritten], trained=[*tokens.trained, (end, end + 1)]
    )


class _Draft(NamedTuple):
    conversation: Conversation
    page: Page
    turns: dict[int, Turn]


def _draft(one: Conversation, tokenizer: Any, policy: Policy, kwargs: dict[str, Any]) -> _Draft:
    page = page_of(one, tokenizer, kwargs)
    wanted = trained_messages(one.messages, policy)
    turns = {} if policy.train_on == "all" else {i: turn_of(page, i) for i in wanted}
    return _Draft(one, page, turns)


def _rows(
    draft: _Draft, tokens: Tokens | RenderError, encoder: Encoder, policy: Policy
) -> list[Row]:
    if isinstance(tokens, RenderError):
        raise tokens
    page, turns = draft.page, draft.turns
    rows: list[Row] = []
    kept: list[int] = []
    unserved: list[int] = []
    for i, turn in turns.items():
        as_served = turn.served and turn.parts[0][0] not in tokens.joined
        if as_served and not _retold(page, i):
            kept.append(i)
        elif (own := _own_row(page, i, encoder, policy)) is not None:
            rows.append(own)
        else:
            kept.append(i)
            unserved.append(i)
    if len(kept) < len(turns):
        tokens = _encoded(encoder, page, [turns[i] for i in kept], policy)
    if kept or not rows:
        tokens = _with_stop(tokens, turns[kept[-1]] if kept else None)
        rows.append(Row(rendered(tokens), len(page.messages), kept, unserved))
    return rows


def _retold(page: Page, i: int) -> bool:
    """Whether the template tells message ``i`` otherwise once others follow."""
    if i + 1 >= len(page.messages) or i + 1 in page.trace.unforeseen:
        return False
    return _words(page.through(i), i) != _words(page, i)


def _words(page: Page, i: int) -> list[str]:
    return [page.text[one.start : one.end] for one in page.said[i] if one.end > one.start]


def _own_row(page: Page, i: int, encoder: Encoder, policy: Policy) -> Row | None:
    """The row that ends with message ``i`` and trains it alone; None where a server differs."""
    shown = page.through(i)
    turn = turn_of(shown, i)
    if not turn.served:
        return None
    tokens = _encoded(encoder, shown, [turn], policy)
    if turn.parts[0][0] in tokens.joined:
        return None
    return Row(rendered(_with_stop(tokens, turn)), i + 1, [i], [])


def _encoded(encoder: Encoder, page: Page, turns: Sequence[Turn], policy: Policy) -> Tokens:
    done = encoder.encode([text_of_turns(page, turns, policy)])[0]
    if isinstance(done, RenderError):
        raise done
    return done
