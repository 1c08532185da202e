"""One conversation as the trainer sees it, token by token and turn by turn."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, Literal, NamedTuple

from ingest.errors import UserError
from serve.masks.pieces import Decoder, Piece
from serve.masks.turns import Owner, owners
from train.policy import DEFAULT, Policy
from train.render import (
    Conversation,
    RenderError,
    mask_spans,
    page_of,
    render_batch,
)
from train.rows import Row, render_rows
from train.windows import fit

Kind = Literal["trained", "context", "control", "cut"]
"""What a token is: the template's control token (trained or not), else trained or context; ``cut``
is all beyond the length."""

TEMPLATE = "template"
"""Stands in the place of a role for what the template says outside of messages."""


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
        note: how training departs from what is shown here; empty where it does not.
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
    note: str = ""
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
            "note": self.note,
            "refused": {"reason": refused.message, "hint": refused.hint} if refused else None,
        }


class Viewer:
    """Makes views of conversations for one tokenizer and policy.

    Args:
        tokenizer: with a chat template.
        policy: what counts in the loss.
        max_length: what lies beyond so many tokens is cut; None: nothing is.
    """

    def __init__(
        self, tokenizer: Any, policy: Policy = DEFAULT, max_length: int | None = None
    ) -> None:
        self._tokenizer = tokenizer
        self._policy = policy
        self._max_length = max_length
        self._decoder = Decoder(tokenizer)
        self._control = frozenset(
            token_id
            for token_id, token in tokenizer.added_tokens_decoder.items()
            if token.content.strip()  # runs of blanks are ordinary text
        )

    def view(self, chat: Mapping[str, Any], name: str) -> MaskView:
        """The whole conversation, or why it is refused.

        Args:
            chat: ``{"messages", "tools"}``.
            name: what to call it.
        """
        one = Conversation(chat["messages"], chat["tools"])
        roles = [str(message["role"]) for message in one.messages]
        rows = render_rows([one], self._tokenizer, self._policy)[0]
        whole = render_batch([one], self._tokenizer, self._policy)[0]
        if isinstance(whole, RenderError):
            if isinstance(rows, RenderError) or len(rows) > 1 or rows[0].messages < len(roles):
                return MaskView(name, roles=roles, refused=whole)
            whole = rows[0].rendered  # a stop token that the template leaves out is added there
        note = "" if isinstance(rows, RenderError) else _note(rows)
        return self._view(one, whole.ids, whole.loss_mask, name, note)

    def rows(self, chat: Mapping[str, Any], name: str) -> list[MaskView]:
        """The rows by which the conversation is trained, or why it is refused.

        Args:
            chat: ``{"messages", "tools"}``.
            name: what to call it.
        """
        one = Conversation(chat["messages"], chat["tools"])
        rows = render_rows([one], self._tokenizer, self._policy)[0]
        if isinstance(rows, RenderError):
            return [MaskView(name, refused=rows)]
        views: list[MaskView] = []
        for row in rows:
            shown = one._replace(messages=one.messages[: row.messages])
            long = self._max_length is not None and len(row.rendered.ids) > self._max_length
            if long and self._policy.train_on != "all":
                views += self._windows(one, row)
            else:
                views.append(self._view(shown, *row.rendered, name, ""))
        named = (f"{name}, row {at} of {len(views)}" for at in range(1, len(views) + 1))
        return [replace(view, name=new) for view, new in zip(views, named, strict=True)]

    def _windows(self, one: Conversation, row: Row) -> list[MaskView]:
        """The rows of one that is too long; which of its messages each shows is not told."""
        assert self._max_length is not None
        try:
            fitted = fit(one, [row], self._tokenizer, self._max_length, self._policy)
        except RenderError as error:
            return [MaskView("", refused=error)]
        return [
            self._view(
                None, window.ids, window.loss_mask, "",
                f"{window.repeated} messages are repeated as context, "
                f"{window.tokens_lost} tokens lost ({window.trained_lost} of them trained)",
            )
            for window in fitted
        ]  # fmt: skip

    def _view(
        self,
        one: Conversation | None,
        ids: list[int],
        mask: list[int],
        name: str,
        note: str,
    ) -> MaskView:
        pieces = self._decoder.pieces(ids)
        length = len(ids) if self._max_length is None else self._max_length
        kept = mask[:length] + [0] * len(mask[length:])
        found = None
        if one is not None:
            page = page_of(one, self._tokenizer, {})
            found = owners(page, ids, pieces, self._tokenizer)
        return MaskView(
            name,
            ids=ids,
            loss_mask=kept,
            kinds=self._kinds(ids, kept, length),
            pieces=pieces,
            owners=found,
            roles=[str(message["role"]) for message in one.messages] if one else [],
            lost=sum(mask[length:]),
            note=note,
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


def _note(rows: Sequence[Row]) -> str:
    """How the rows that are trained differ from the conversation rendered at once."""
    notes = []
    apart = [str(i) for row in rows if row.apart for i in row.trained]
    if apart:
        notes.append(
            f"trained as {len(rows)} rows (see --rows): message {_listed(apart)}, or what is "
            "before it, is shown otherwise once the conversation goes on"
        )
    unserved = [str(i) for row in rows for i in row.unserved]
    if unserved:
        notes.append(
            f"no server would ask for message {_listed(unserved)} in just this context; "
            "the template allows none nearer"
        )
    hidden = sum(row.not_shown for row in rows)
    if hidden:
        notes.append(f"the template shows nothing of {hidden} assistant messages")
    return "; ".join(notes)


def _listed(numbers: Sequence[str]) -> str:
    return " and ".join([*([", ".join(numbers[:-1])] if numbers[1:] else []), numbers[-1]])
