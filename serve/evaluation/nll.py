"""Negative log likelihood of what the assistant said: the very tokens that training counts."""

import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dataset.rows import to_chat
from train.spec import TrainOn

# tokens of one forward pass, padding included; bounds the logits in memory
BATCH_TOKENS = 2048


@dataclass(frozen=True)
class Encoded:
    """A conversation as the model sees it.

    Attributes:
        id: of the conversation.
        ids: token ids (T,).
        loss_mask: ones and zeros (T,); 1 = scored.
    """

    id: str
    ids: list[int]
    loss_mask: list[int]

    @property
    def scored(self) -> int:
        """How many tokens are scored."""
        return sum(self.loss_mask)


@dataclass(frozen=True)
class ConversationNll:
    """The score of one conversation.

    Attributes:
        id: of the conversation.
        nats: summed negative log likelihood of its scored tokens.
        tokens: how many there are.
    """

    id: str
    nats: float
    tokens: int


def encode(
    rows: Iterable[dict[str, Any]],
    tokenizer: Any,
    *,
    max_length: int,
    train_on: TrainOn = "assistant",
) -> tuple[list[Encoded], dict[str, int]]:
    """Render rows with the training mask.

    Args:
        rows: of a dataset version.
        tokenizer: with the chat template.
        max_length: longer conversations are cut off on the right, as in training.
        train_on: which text is scored; see ``train.render``.

    Returns:
        The conversations with at least one scored token, in order, and how many were left out by
        reason; a reason never holds message text.
    """
    from train.render import RenderError, render

    kept: list[Encoded] = []
    skipped: Counter[str] = Counter()
    for row in rows:
        chat = to_chat(row)
        try:
            rendered = render(chat["messages"], tokenizer, tools=chat["tools"], train_on=train_on)
        except RenderError:
            skipped["refused by the chat template"] += 1
            continue
        one = Encoded(row["id"], rendered.ids[:max_length], rendered.loss_mask[:max_length])
        if one.scored:
            kept.append(one)
        else:
            skipped["nothing the assistant said"] += 1
    return kept, dict(skipped)


def score(
    model: Any,
    conversations: Sequence[Encoded],
    *,
    batch_tokens: int = BATCH_TOKENS,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[ConversationNll]:
    """Score conversations; the order of the result is that of the input.

    Rows of like length share a forward pass, padded on the right where causal attention cannot
    see it. Log probabilities are computed in float32 and summed in float64.

    Args:
        model: a causal language model in eval mode.
        conversations: from :func:`encode`.
        batch_tokens: upper bound of rows x longest row; a longer conversation goes alone.
        on_progress: called with conversations done and all.
    """
    nats: dict[int, float] = {}
    for batch in _batches([len(one.ids) for one in conversations], batch_tokens):
        sums = _forward(model, [conversations[index] for index in batch])
        nats.update(zip(batch, sums, strict=True))
        if on_progress:
            on_progress(len(nats), len(conversations))
    return [
        ConversationNll(one.id, nats[index], one.scored) for index, one in enumerate(conversations)
    ]


def _batches(lengths: Sequence[int], batch_tokens: int) -> Iterator[list[int]]:
    """Indices grouped so that rows x longest row stays within bounds, short ones first."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[index] > batch_tokens:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def _forward(model: Any, batch: Sequence[Encoded]) -> list[float]:
    """Summed negative log likelihood of each conversation."""
    import torch
    from torch.nn.functional import cross_entropy
    from torch.nn.utils.rnn import pad_sequence

    device = model.device
    ids = pad_sequence([torch.tensor(one.ids) for one in batch], batch_first=True)
    mask = pad_sequence([torch.tensor(one.loss_mask) for one in batch], batch_first=True)
    lengths = torch.tensor([len(one.ids) for one in batch])
    attention = (torch.arange(ids.shape[1]) < lengths[:, None]).long()
    # the logits at position t predict token t + 1
    predicted = mask[:, 1:].bool()
    keep = predicted.any(dim=0).nonzero().squeeze(1)
    with torch.inference_mode():
        logits = _logits(model, ids.to(device), attention.to(device), keep.to(device))
        sums = []
        for row, targets, wanted in zip(logits, ids[:, 1:], predicted, strict=True):
            chosen = wanted[keep]
            losses = cross_entropy(
                row[chosen.to(device)].float(),
                targets[keep][chosen].to(device),
                reduction="none",
            )
            # summed on the CPU: not every device has float64
            sums.append(float(losses.cpu().double().sum()))
    return sums


def _logits(model: Any, ids: Any, attention: Any, keep: Any) -> Any:
    """Logits (B, K, V) at the K positions ``keep``; others are not computed where possible."""
    if "logits_to_keep" in inspect.signature(model.forward).parameters:
        kept = model(input_ids=ids, attention_mask=attention, use_cache=False, logits_to_keep=keep)
        return kept.logits
    out = model(input_ids=ids, attention_mask=attention, use_cache=False)
    return out.logits[:, keep]
