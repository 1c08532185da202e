"""What ``turnmill mask`` does: which tokens are trained, in colour."""

from dataclasses import dataclass
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.text import Text

from ingest.workspace import Workspace
from serve import terminal
from serve.commands.datasets import load_chats
from train.load import load_tokenizer
from train.render import mask_spans, render

TRAINED = "bold green"
CONTEXT = "dim"


@dataclass(frozen=True)
class MaskView:
    """One conversation as the trainer sees it.

    Attributes:
        tokens: text of each token; a token that is part of a character shows as U+FFFD.
        loss_mask: 1 = trained.
        pieces: (text, trained) for each run of tokens, decoded together so that characters that
            take several tokens show whole.
    """

    tokens: list[str]
    loss_mask: list[int]
    pieces: list[tuple[str, bool]]

    def as_json(self) -> dict[str, Any]:
        """The view in the shape of ``turnmill mask --json``."""
        spans = [list(span) for span in mask_spans(self.loss_mask)]
        return {"tokens": self.tokens, "loss_mask": self.loss_mask, "spans": spans}


def view(chat: dict[str, Any], tokenizer: Any) -> MaskView:
    """The mask of one conversation.

    Args:
        chat: ``{"messages", "tools"}``.
        tokenizer: with a chat template.
    """
    ids, mask = render(chat["messages"], tokenizer, tools=chat["tools"])
    pieces = []
    for trained, run in groupby(zip(ids, mask, strict=True), key=lambda pair: pair[1]):
        pieces.append((tokenizer.decode([id_ for id_, _ in run]), bool(trained)))
    return MaskView([tokenizer.decode([id_]) for id_ in ids], mask, pieces)


def views(source: str, tokenizer_ref: str, workspace: Workspace, limit: int) -> list[MaskView]:
    """The masks of a version's or file's first conversations."""
    chats = load_chats(source, workspace, limit)
    tokenizer = load_tokenizer(tokenizer_ref)
    return [view(chat, tokenizer) for chat in chats]


def show(found: MaskView, console: Console = terminal.out) -> None:
    """Print one view: trained tokens in colour, context dim; without colour, in brackets."""
    trained = sum(found.loss_mask)
    console.print(
        f"[{TRAINED}]trained[/] {trained} of {len(found.loss_mask)} tokens, "
        f"[{CONTEXT}]context[/] {len(found.loss_mask) - trained}"
    )
    text = Text()
    for piece, is_trained in found.pieces:
        shown = f"[[{piece}]]" if is_trained and not console.is_terminal else piece
        text.append(shown, style=TRAINED if is_trained else CONTEXT)
    console.print(text, soft_wrap=True)
