"""Which tokens of a conversation each assistant message is, by the mask of training."""

from collections.abc import Sequence
from typing import Any

from serve.engine.base import AssistantTurn, PromptError, RenderedChat


def render_turns(
    messages: Sequence[dict[str, Any]], tokenizer: Any, tools: list[dict[str, Any]] | None
) -> RenderedChat:
    """Render a conversation with the mask of training, taken apart by message.

    Raises:
        PromptError: the template refuses it, or its mask cannot be shown to be right.
    """
    from train.render import Conversation, RenderError, render_batch

    said = [index for index, one in enumerate(messages) if one["role"] == "assistant"]
    asked = [Conversation(messages, tools)]
    if len(said) > 1:
        asked += [Conversation(_only(messages, index), tools) for index in said]
    done = []
    for one in render_batch(asked, tokenizer):
        if isinstance(one, RenderError):
            raise PromptError(one.message, one.hint) from one
        done.append(one)
    masks = done[1:] or done[:1]
    turns = [
        AssistantTurn(index, [place for place, value in enumerate(one.loss_mask) if value])
        for index, one in zip(said, masks, strict=False)
    ]
    return RenderedChat(done[0].ids, turns)


def _only(messages: Sequence[dict[str, Any]], index: int) -> list[dict[str, Any]]:
    """The conversation with one message trained."""
    return [{**one, "train": place == index} for place, one in enumerate(messages)]
