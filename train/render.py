"""Where roles become tokens. Nothing else in the project builds token ids from messages.

The rule: trained is exactly what the model itself emits after the generation prompt, up to and
including the token that stops it. Whatever cannot be shown to be so is refused, never guessed.

How: the conversation is rendered once by the tokenizer's own chat template, in a way that tells
which message made which character (:mod:`train.template`). From that follows where each assistant
turn starts and ends (:mod:`train.turns`) and which control tokens came with messages and stay text
(:mod:`train.control`); then the text is encoded (:mod:`train.encode`).
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from ingest.message import ROLES
from train.control import RenderError, vocabulary
from train.encode import Encoder, Text, Tokens
from train.page import Page
from train.policy import DEFAULT, Policy, all_but, trained_messages, trained_parts
from train.spec import TrainOn
from train.template import template_of
from train.turns import Turn, turn_of

__all__ = [
    "Conversation",
    "Policy",
    "RenderError",
    "Rendered",
    "mask_spans",
    "prompt",
    "render",
    "render_batch",
    "template_sha256",
]

# conversations made into text while the ones before are encoded
_BATCH = 256

Chat = Sequence[Mapping[str, Any]]
"""Messages as chat templates take them: dicts with ``role``, ``content`` and so on."""


class Rendered(NamedTuple):
    """A conversation as the model sees it.

    Attributes:
        ids: token ids, T of them.
        loss_mask: T ones and zeros; 1 = the token is predicted and counted in the loss. The first
            token is never counted: nothing comes before it.
    """

    ids: list[int]
    loss_mask: list[int]


class Conversation(NamedTuple):
    """What is rendered.

    Attributes:
        messages: role/content dicts. A ``train`` key of ``False`` keeps a message out of the loss,
            ``True`` puts an assistant message in.
        tools: tool definitions offered to the assistant.
    """

    messages: Chat
    tools: list[dict[str, Any]] | None = None


def render(
    messages: Chat,
    tokenizer: Any,
    *,
    tools: list[dict[str, Any]] | None = None,
    train_on: TrainOn = "assistant",
    train_reasoning: bool = True,
    train_tool_calls: bool = True,
    **template_kwargs: Any,
) -> Rendered:
    """Token ids of a conversation and which of them are trained.

    Args:
        messages: role/content dicts. A ``train`` key of ``False`` keeps a message out of the loss,
            ``True`` puts an assistant message in.
        tokenizer: a fast Hugging Face tokenizer with a chat template.
        tools: tool definitions offered to the assistant.
        train_on: every ``assistant`` message, only the ``last`` of them, or ``all`` text save tool
            results and messages flagged ``train = False``.
        train_reasoning: whether what the assistant thought is trained.
        train_tool_calls: whether its tool calls are.
        **template_kwargs: passed on to the chat template.

    Returns:
        The ids and the mask. Without an assistant message the mask is all zero.

    Raises:
        RenderError: the mask cannot be shown to be right; the message says why.
    """
    policy = Policy(train_on, train_reasoning, train_tool_calls)
    done = render_batch([Conversation(messages, tools)], tokenizer, policy, **template_kwargs)[0]
    if isinstance(done, RenderError):
        raise done
    return done


def render_batch(
    conversations: Sequence[Conversation],
    tokenizer: Any,
    policy: Policy = DEFAULT,
    **template_kwargs: Any,
) -> list[Rendered | RenderError]:
    """:func:`render` for many conversations, encoded side by side.

    Returns:
        For each conversation, in order, what ``render`` returns or raises.
    """
    encoder = encoder_of(tokenizer)
    refused: list[RenderError | None] = []

    def texts(batch: Iterable[Conversation]) -> list[Text]:
        made: list[Text] = []
        for one in batch:
            try:
                page = page_of(one, tokenizer, template_kwargs)
                made.append(text_of(page, one, _turns(page, one, policy), policy))
                refused.append(None)
            except RenderError as error:
                refused.append(error)
        return made

    if len(conversations) <= _BATCH:
        batches: Iterable[list[Tokens | RenderError]] = [encoder.encode(texts(conversations))]
    else:
        starts = range(0, len(conversations), _BATCH)
        batches = encoder.encode_each(texts(conversations[at : at + _BATCH]) for at in starts)
    encoded = [tokens for batch in batches for tokens in batch]
    given = iter(encoded)
    tokens = [error or next(given) for error in refused]
    return [one if isinstance(one, RenderError) else rendered(one) for one in tokens]


def _turns(page: Page, one: Conversation, policy: Policy) -> list[Turn]:
    if policy.train_on == "all":
        return []
    return [_written(turn_of(page, i)) for i in trained_messages(one.messages, policy)]


def _written(turn: Turn) -> Turn:
    if turn.unwritten is not None:
        raise RenderError(
            f"the template writes no stop token after message {turn.message}, the last one",
            "train with rows (train.rows), which add it, or choose another base model",
        )
    return turn


def prompt(
    messages: Chat, tokenizer: Any, *, tools: list[dict[str, Any]] | None = None, **kwargs: Any
) -> list[int]:
    """Token ids up to and including the generation prompt: what the server feeds the model.

    Raises:
        RenderError: no usable template, or the messages do not fit it.
    """
    page = page_of(Conversation(messages, tools), tokenizer, kwargs, generation=True)
    return encoder_of(tokenizer).encode_one(text_of_turns(page, [], DEFAULT)).ids


def template_sha256(tokenizer: Any) -> str:
    """sha256 (hex) of the chat template; of its canonical JSON when there are several by name.

    Raises:
        RenderError: the tokenizer has none.
    """
    template_of(tokenizer)
    template = tokenizer.chat_template
    text = template if isinstance(template, str) else json.dumps(template, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def mask_spans(loss_mask: Sequence[int]) -> list[tuple[int, int]]:
    """The runs of ones in a mask as half-open ``(start, end)`` token positions."""
    spans: list[tuple[int, int]] = []
    start: int | None = None
    for position, value in enumerate([*loss_mask, 0]):
        if value and start is None:
            start = position
        elif not value and start is not None:
            spans.append((start, position))
            start = None
    return spans


def encoder_of(tokenizer: Any) -> Encoder:
    """The encoder of a tokenizer, kept as long as it lives.

    Raises:
        RenderError: it is not a fast tokenizer.
    """
    words = vocabulary(tokenizer)
    kept = _encoders.get(tokenizer)
    if kept is None or kept.vocabulary is not words:
        kept = _encoders[tokenizer] = Encoder(words)
    return kept


_encoders: "WeakKeyDictionary[Any, Encoder]" = WeakKeyDictionary()


def page_of(
    one: Conversation, tokenizer: Any, kwargs: dict[str, Any], *, generation: bool = False
) -> Page:
    """The conversation's text and what made it.

    Raises:
        RenderError: a role that is not known, or messages that the template refuses.
    """
    for i, message in enumerate(one.messages):
        if message.get("role") not in ROLES:
            raise RenderError(
                f"message {i} has no role that turnmill knows",
                f"roles are: {', '.join(sorted(ROLES))}",
            )
    words = vocabulary(tokenizer)
    return Page(
        [{key: value for key, value in m.items() if key != "train"} for m in one.messages],
        template_of(tokenizer, one.tools),
        words.control.find,
        tools=one.tools,
        eos=words.stops,
        kwargs=kwargs,
        generation=generation,
    )


def text_of(page: Page, one: Conversation, turns: Sequence[Turn], policy: Policy) -> Text:
    """What of a page is encoded and trained."""
    if policy.train_on == "all":
        parts = all_but(page, one.messages)
        return Text(page.text, page.genuine, bool(page.foreign), [], parts, None)
    return text_of_turns(page, turns, policy)


def text_of_turns(page: Page, turns: Sequence[Turn], policy: Policy) -> Text:
    """A page of which some turns are trained."""
    parts = [part for turn in turns for part in turn.parts]
    trained = [part for turn in turns for part in trained_parts(page, turn, policy)]
    border = turns[-1].parts[0][0] if turns else None
    trained = _joined(trained)
    return Text(page.text, page.genuine, bool(page.foreign), parts, trained, border)


def _joined(parts: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Parts that touch as one: a token may reach over their border."""
    joined: list[tuple[int, int]] = []
    for start, end in parts:
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def rendered(tokens: Tokens) -> Rendered:
    """Ids and mask of an encoded text."""
    mask = [0] * len(tokens.ids)
    for start, end in tokens.trained:
        mask[start:end] = [1] * (end - start)
    if mask:
        mask[0] = 0
    return Rendered(tokens.ids, mask)
