"""One conversation as the trainer sees it, token by token and turn by turn."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Literal, NamedTuple

from ingest.errors import UserError
from serve.masks.pieces import Decoder, Piece
from serve.masks.turns import Owner, owners
from train.render import RenderError, mask_spans, render
from train.spec import TrainOn

Kind = Literal["trained", "context", "control", "cut"]
"""What a token is: the template's control token (trained or not), else trained or context; ``cut``
is all beyond the length."""

TEMPLATE = "template"
"""Stands in the place of a role for what the template says outside of messages."""


@dataclass(frozen=True)
class Policy:
    """What counts in the loss, and how long a row may be."""

    train_on: TrainOn = "assistant"
    max_length: int | None = None
    # further keywords of train.render.render
    options: Mapping[str, Any] = field(default_factory=dict)


class Turn(NamedTuple):
    """What one message came to; ``message`` is None for the template's own text."""

    message: int | None
    role: str
    tokens: int
    trained: int
    cut: int


class Run(NamedTuple):
    """Neighbouring tokens that are shown alike; ``ids`` are those of each piece."""

    kind: Kind
    trained: bool
    owner: Owner
    pieces: list[Piece]
    ids: list[list[int]]


@dataclass(frozen=True)
class MaskView:
    """One conversation as the trainer sees it, or why it is refused.

    Attributes:
        name: of the conversation: an id, or its place in a file.
        ids: T token ids, those beyond the length included.
        loss_mask: T numbers, 1 = trained; 0 for what is cut.
        kinds: T kinds.
        pieces: the same tokens as whole characters.
        owners: message of each token; None where there is no telling.
        roles: of the messages.
        lost: trained tokens among those cut.
        texts: the text of each token by itself; a part of a character is U+FFFD.
        refused: why there is no mask.
    """

    name: str
    ids: list[int] = field(default_factory=list)
    loss_mask: list[int] = field(default_factory=list)
    kinds: list[Kind] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)
    owners: list[Owner] | None = None
    roles: list[str] = field(default_factory=list)
    lost: int = 0
    texts: list[str] = field(default_factory=list)
    refused: UserError | None = None

    @property
    def trained(self) -> int:
        """Trained tokens."""
        return sum(self.loss_mask)

    @property
    def cut(self) -> int:
        """Tokens beyond the length."""
        return self.kinds.count("cut")

    def turns(self) -> list[Turn]:
        """Counts by message, in order, after those of the template's own text."""
        if self.owners is None:
            return []
        tokens = Counter(self.owners)
        trained = Counter(o for o, m in zip(self.owners, self.loss_mask, strict=True) if m)
        cut = Counter(o for o, kind in zip(self.owners, self.kinds, strict=True) if kind == "cut")
        named: list[tuple[Owner, str]] = [(None, TEMPLATE)] if tokens[None] else []
        named += enumerate(self.roles)
        return [Turn(o, role, tokens[o], trained[o], cut[o]) for o, role in named]

    def runs(self) -> list[Run]:
        """The pieces in order, joined where they are shown alike; control tokens stand alone."""
        found: list[Run] = []
        for place, group in groupby(self.pieces, key=self._alike):
            kind, trained, owner, _ = place
            joined = list(group)
            ids = [self.ids[piece.start : piece.end] for piece in joined]
            found.append(Run(kind, trained, owner, joined, ids))
        return found

    def _alike(self, piece: Piece) -> tuple[Kind, bool, Owner, int]:
        at = piece.start
        kind = self.kinds[at]
        owner = self.owners[at] if self.owners else None
        return kind, bool(self.loss_mask[at]), owner, at if kind == "control" else -1

    def as_json(self) -> dict[str, Any]:
        """The view in the shape of ``turnmill mask --json``."""
        refused = self.refused
        return {
            "conversation": self.name,
            "tokens": self.texts,
            "ids": self.ids,
            "loss_mask": self.loss_mask,
            "spans": [list(span) for span in mask_spans(self.loss_mask)],
            "kinds": self.kinds,
            "turns": [turn._asdict() for turn in self.turns()],
            "trained": self.trained,
            "cut": self.cut,
            "trained_cut": self.lost,
            "refused": {"reason": refused.message, "hint": refused.hint} if refused else None,
        }


class Viewer:
    """Makes views of conversations for one tokenizer and policy.

    Args:
        tokenizer: with a chat template.
        policy: what counts in the loss.
    """

    def __init__(self, tokenizer: Any, policy: Policy) -> None:
        self._tokenizer = tokenizer
        self._policy = policy
        self._decoder = Decoder(tokenizer)
        self._control = frozenset(
            token_id
            for token_id, token in tokenizer.added_tokens_decoder.items()
            if token.content.strip()  # runs of blanks are ordinary text
        )

    def view(self, chat: Mapping[str, Any], name: str) -> MaskView:
        """The mask of one conversation, or why it is refused.

        Args:
            chat: ``{"messages", "tools"}``.
            name: what to call it.
        """
        policy = self._policy
        roles = [str(message["role"]) for message in chat["messages"]]
        try:
            ids, mask = render(
                chat["messages"],
                self._tokenizer,
                tools=chat["tools"],
                train_on=policy.train_on,
                **policy.options,
            )
        except RenderError as error:
            return MaskView(name, roles=roles, refused=error)
        pieces = self._decoder.pieces(ids)
        length = len(ids) if policy.max_length is None else policy.max_length
        kept = mask[:length] + [0] * len(mask[length:])
        return MaskView(
            name,
            ids=ids,
            loss_mask=kept,
            kinds=self._kinds(ids, kept, length),
            pieces=pieces,
            owners=owners(chat, ids, pieces, self._tokenizer),
            roles=roles,
            lost=sum(mask[length:]),
            texts=self._texts(ids, pieces),
        )

    def _kinds(self, ids: Sequence[int], mask: Sequence[int], length: int) -> list[Kind]:
        kinds: list[Kind] = []
        for at, (token_id, trained) in enumerate(zip(ids, mask, strict=True)):
            if at >= length:
                kinds.append("cut")
            elif token_id in self._control:
                kinds.append("control")
            else:
                kinds.append("trained" if trained else "context")
        return kinds

    def _texts(self, ids: Sequence[int], pieces: Sequence[Piece]) -> list[str]:
        texts: list[str] = []
        for start, end, text in pieces:
            whole = end == start + 1
            texts += [text] if whole else [self._decoder.token(one) for one in ids[start:end]]
        return texts
