"""A preference pair as token ids: one prompt, two answers, and what of each the model emits.

The answers are rendered like any conversation (:mod:`train.rows`). A pair whose answers do not
stand behind the same tokens, or where nothing trained tells them apart, is left out and counted.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from train.policy import Policy
from train.render import Conversation, RenderError
from train.rows import Row, render_rows
from train.tally import NOT_SHOWN

APART = "the turns of an answer do not stand in one row, as the template shows earlier ones"
PROMPT = "the template shows the prompt otherwise before the other answer"
SAME = "nothing that is trained tells the answers apart"
UNTRAINED = "an answer without a trained token"

_WHOLE = Policy()


class Answer(NamedTuple):
    """An answer behind its prompt.

    Attributes:
        prompt: token ids up to where the model takes over.
        ids: token ids of the answer, up to the last one that is trained.
        loss_mask: as long; 1 = counts in the answer's log-probability.
        turns: messages of the assistant in it that are trained.
        unserved: those of them whose context no server would show just so.
        apart: whether what the template shows later would show its context otherwise.
        not_shown: messages of the assistant that the template shows nothing of.
    """

    prompt: list[int]
    ids: list[int]
    loss_mask: list[int]
    turns: int
    unserved: int
    apart: bool
    not_shown: int

    def said(self) -> list[int]:
        """The token ids that count."""
        return [token for token, one in zip(self.ids, self.loss_mask, strict=True) if one]


class PairRow(NamedTuple):
    """A pair that can be trained on; both answers have the same prompt."""

    chosen: Answer
    rejected: Answer

    @property
    def longest(self) -> int:
        """Tokens of the longer of the two sequences."""
        return len(self.chosen.prompt) + max(len(one.ids) for one in self)

    @property
    def tokens(self) -> int:
        """Tokens of both sequences, the prompt twice."""
        return sum(len(one.prompt) + len(one.ids) for one in self)

    @property
    def trained(self) -> int:
        """Tokens that count, in both."""
        return sum(sum(one.loss_mask) for one in self)


def pair_rows(
    pairs: Sequence[dict[str, Any]],
    tokenizer: Any,
    policy: Policy,
    **template_kwargs: Any,
) -> list[PairRow | RenderError]:
    """The row of each pair, or why it is left out.

    Args:
        pairs: as ``dataset.preference.to_chat_pair`` gives them.
        tokenizer: a fast Hugging Face tokenizer with a chat template.
        policy: what of the answers is trained; never ``all``: the prompt is no answer.
        **template_kwargs: passed on to the chat template.
    """
    asked = [_asked(pair, side) for pair in pairs for side in ("chosen", "rejected")]
    # with all that the model emits in the mask, its first token is where the model takes over
    whole = render_rows(asked, tokenizer, _WHOLE, **template_kwargs)
    masked = whole
    if policy != _WHOLE:
        masked = render_rows(asked, tokenizer, policy, **template_kwargs)
    made: list[PairRow | RenderError] = []
    for at in range(0, len(asked), 2):
        try:
            made.append(_pair(*map(_answer, whole[at : at + 2], masked[at : at + 2])))
        except RenderError as error:
            made.append(error)
    return made


def _asked(pair: dict[str, Any], side: str) -> Conversation:
    prompt = [
        {**message, "train": False} if message["role"] == "assistant" else message
        for message in pair["prompt"]
    ]
    return Conversation([*prompt, *pair[side]], pair["tools"])


def _answer(whole: list[Row] | RenderError, masked: list[Row] | RenderError) -> Answer:
    shown, row = _only(whole), _only(masked)
    if 1 not in shown.rendered.loss_mask:
        raise RenderError(NOT_SHOWN if shown.not_shown else UNTRAINED, _CHOOSE)
    if 1 not in row.rendered.loss_mask:
        raise RenderError(UNTRAINED, _CHOOSE)
    ids, mask = row.rendered
    start = shown.rendered.loss_mask.index(1)
    if shown.rendered.ids[:start] != ids[:start]:
        raise RenderError(PROMPT, _CHOOSE)
    # what follows the last trained token changes nothing of those before it
    end = len(mask) - mask[::-1].index(1)
    return Answer(
        ids[:start],
        ids[start:end],
        mask[start:end],
        len(row.trained),
        len(row.unserved),
        row.apart,
        row.not_shown,
    )


def _only(rows: list[Row] | RenderError) -> Row:
    if isinstance(rows, RenderError):
        raise rows
    if len(rows) != 1:
        raise RenderError(APART, _CHOOSE)
    return rows[0]


def _pair(chosen: Answer, rejected: Answer) -> PairRow:
    if chosen.prompt != rejected.prompt:
        raise RenderError(PROMPT, _CHOOSE)
    if chosen.said() == rejected.said():
        raise RenderError(SAME, _CHOOSE)
    return PairRow(chosen, rejected)


_CHOOSE = "look at the pair, or choose a base model with another chat template"
