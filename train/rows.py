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
from train.turns import Turn, is_served, turn_of


class Row(NamedTuple):
    """One row to train on.

    Attributes:
        rendered: ids and mask.
        messages: how many of the conversation's messages it shows, from the first.
        trained: the messages it trains.
        unserved: those of them that no server would ask for in this context, so that the row is
            the nearest the template allows.
        apart: whether this is the row of one turn that others do not show as the server would.
        not_shown: assistant messages that are not trained for the template shows nothing of them;
            told by the conversation's last row.
    """

    rendered: Rendered
    messages: int
    trained: list[int]
    unserved: list[int]
    apart: bool = False
    not_shown: int = 0


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
        text_of(one.page, one.conversation, one.found(), policy)
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
    """A conversation on its way to rows.

    Attributes:
        turns: where each trained turn stands; why that cannot be told, where it cannot.
        not_shown: assistant messages that would be trained, if the template showed them.
    """

    conversation: Conversation
    page: Page
    turns: dict[int, Turn | RenderError]
    not_shown: int

    def found(self) -> list[Turn]:
        return [turn for turn in self.turns.values() if isinstance(turn, Turn)]


def _draft(one: Conversation, tokenizer: Any, policy: Policy, kwargs: dict[str, Any]) -> _Draft:
    page = page_of(one, tokenizer, kwargs)
    if policy.train_on == "all":
        return _Draft(one, page, {}, 0)
    wanted = trained_messages(one.messages, policy)
    shown = [i for i in wanted if page.shows(i)]
    return _Draft(one, page, {i: _turn(page, i) for i in shown}, len(wanted) - len(shown))


def _turn(page: Page, i: int) -> Turn | RenderError:
    try:
        return turn_of(page, i)
    except RenderError as error:
        return error


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
        if isinstance(turn, Turn) and _as_served(page, i, turn, tokens):
            kept.append(i)
        elif (own := _own_row(page, i, encoder, policy)) is not None:
            rows.append(own)
        elif isinstance(turn, RenderError):
            raise turn
        else:
            kept.append(i)
            unserved.append(i)
    trained = [turn for i in kept if isinstance(turn := turns[i], Turn)]
    if len(trained) < len(draft.found()):
        tokens = encoder.encode_one(text_of_turns(page, trained, policy))
    if kept or not rows:
        tokens = _with_stop(tokens, trained[-1] if trained else None)
        rows.append(Row(rendered(tokens), len(page.messages), kept, unserved))
    rows[-1] = rows[-1]._replace(not_shown=draft.not_shown)
    return rows


def _as_served(page: Page, i: int, turn: Turn, tokens: Tokens) -> bool:
    """Whether the turn, and all before it, is what the server shows and the model then says."""
    if not is_served(page, turn) or turn.parts[0][0] in tokens.joined:
        return False
    if i + 1 >= len(page.messages) or i + 1 in page.trace.unforeseen:
        return True
    # the template looked ahead: does it tell the message otherwise once others follow?
    shown = page.through(i)
    last = _turn(shown, i)
    return isinstance(last, Turn) and _emitted(shown, last) == _emitted(page, turn)


def _emitted(page: Page, turn: Turn) -> list[str]:
    """The words of a turn and how it ends. Marks without words before them may differ."""
    said = page.said[turn.message]
    words = [page.text[one.start : one.end] for one in said if one.end > one.start]
    end = turn.parts[-1][1]
    last = max((one.end for one in said if one.end <= end), default=turn.parts[-1][0])
    return [*words, page.text[last:end]]


def _own_row(page: Page, i: int, encoder: Encoder, policy: Policy) -> Row | None:
    """The row that ends with message ``i`` and trains it alone; None where a server differs."""
    shown = page.through(i)
    turn = _turn(shown, i)
    if not isinstance(turn, Turn) or not is_served(shown, turn):
        return None
    tokens = encoder.encode_one(text_of_turns(shown, [turn], policy))
    if turn.parts[0][0] in tokens.joined:
        return None
    return Row(rendered(_with_stop(tokens, turn)), i + 1, [i], [], apart=True)
