"""What ``turnmill mask`` does: which tokens are trained, in colour, as JSON or as a page."""

from pathlib import Path
from typing import cast, get_args

from rich.console import Console

from ingest.errors import UserError
from ingest.workspace import Workspace
from serve import terminal
from serve.masks import screen
from serve.masks.screen import Color
from serve.masks.source import conversations
from serve.masks.view import MaskView, Viewer
from train.load import load_tokenizer
from train.policy import DEFAULT, Policy
from train.spec import TrainOn


def color_of(word: str) -> Color:
    """The word as a choice of colour.

    Raises:
        UserError: it is none.
    """
    if word not in get_args(Color):
        raise UserError(f"--color {word}: unknown", "use auto, always or never")
    return cast("Color", word)


def policy_of(train_on: str, *, reasoning: bool, tool_calls: bool) -> Policy:
    """What counts in the loss, as asked for.

    Raises:
        UserError: ``train_on`` is none of its words.
    """
    if train_on not in get_args(TrainOn):
        raise UserError(f"--train-on {train_on}: unknown", "use assistant, last or all")
    return Policy(cast("TrainOn", train_on), reasoning, tool_calls)


def views(
    source: str,
    tokenizer_ref: str,
    workspace: Workspace,
    limit: int,
    *,
    split: str | None = None,
    policy: Policy = DEFAULT,
    max_length: int | None = None,
    rows: bool = False,
) -> list[MaskView]:
    """The masks of a version's or file's first conversations; refused ones at their place.

    Args:
        source: a version, or a JSON lines file with ``messages``.
        tokenizer_ref: a folder or Hub id.
        workspace: holds the versions.
        limit: conversations at the most.
        split: of a version; left out: what is trained.
        policy: what counts in the loss.
        max_length: what lies beyond so many tokens is cut.
        rows: a view for each row that is trained, in the place of one a conversation.

    Raises:
        UserError: the source or the tokenizer cannot be read.
    """
    found = conversations(source, workspace, limit, split)
    viewer = Viewer(load_tokenizer(tokenizer_ref), policy, max_length)
    made: list[MaskView] = []
    for one in found:
        if one.chat is None:
            made.append(MaskView(one.name, refused=one.refused))
            continue
        whole = None if rows else viewer.view(one.chat, one.name)
        if whole is not None and whole.refused is None:
            made.append(whole)
        else:
            # what cannot be trained as a whole may be as rows
            made += viewer.rows(one.chat, one.name)
    return made


def show(found: list[MaskView], *, color: Color = "auto", console: Console | None = None) -> None:
    """Print the views; see :func:`serve.masks.screen.show`."""
    screen.show(found, color=color, console=console)


def write_page(out: Path, found: list[MaskView], *, title: str, tokenizer: str) -> None:
    """Write the views as one page and say so on stderr.

    Args:
        out: the file to write.
        found: the views.
        title: a version, or the file that was read.
        tokenizer: a folder or Hub id.
    """
    from serve.web.mask_page import write_mask_page

    write_mask_page(out, found, title=_last_part(title), tokenizer=_last_part(tokenizer))
    terminal.note(f"{len(found)} conversations in {terminal.safe(out)}")


def _last_part(ref: str) -> str:
    """The name of a file or folder: a page is passed on, and a path says whose machine it is."""
    path = Path(ref).expanduser()
    return path.resolve().name if path.exists() else ref
