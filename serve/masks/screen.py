"""Views of the loss mask on a terminal: in colour, or with marks where there is none."""

from collections.abc import Sequence
from typing import Literal

from rich.console import Console
from rich.text import Text

from serve import terminal
from serve.masks.pieces import visible
from serve.masks.view import MaskView, Run, Turn

Color = Literal["auto", "always", "never"]

# no two differ by hue alone: bold, dim, reversed, struck
_STYLES = {
    ("trained", True): "bold green",
    ("context", False): "dim",
    ("control", True): "bold green reverse",
    ("control", False): "cyan",
    ("cut", False): "red strike",
}
_NAMES = {
    ("trained", True): "trained",
    ("control", True): "control token, trained",
    ("context", False): "context",
    ("control", False): "control token",
    ("cut", False): "cut off",
}
_TRAINED = ("[[", "]]")
_CONTROL = ("{", "}")
_CUT = ("[-", "-]")


def colored(console: Console, color: Color) -> bool:
    """Whether colours are to be used there.

    Args:
        console: where the views will be printed.
        color: ``auto`` colours a terminal unless NO_COLOR is set; ``always`` and ``never`` do as
            they say.
    """
    if color == "auto":
        return console.is_terminal and not console.no_color and not console.is_dumb_terminal
    return color == "always"


def console_for(color: Color) -> Console:
    """Standard output, with colour or with no escape sequence at all; see :func:`colored`."""
    if not colored(terminal.out, color):
        return Console(color_system=None, highlight=False)
    if color == "always":
        return Console(
            force_terminal=True, color_system="standard", no_color=False, highlight=False
        )
    return terminal.out


def show(
    views: Sequence[MaskView], *, color: Color = "auto", console: Console | None = None
) -> None:
    """Print views, with a legend before and, of several, totals after.

    Args:
        views: in order.
        color: see :func:`colored`.
        console: another place than standard output.
    """
    console = console or console_for(color)
    painted = colored(console, color)
    console.print(_legend(views, painted=painted))
    for view in views:
        console.print()
        _show_one(view, console, painted=painted)
    if len(views) > 1:
        console.print()
        console.print(Text(_totals(views), style="bold" if painted else ""))


def _show_one(view: MaskView, console: Console, *, painted: bool) -> None:
    console.print(Text(visible(view.name), style="bold" if painted else ""), soft_wrap=True)
    if view.refused:
        line = Text("refused: ", style="bold red" if painted else "")
        line.append(visible(view.refused.message), style="not bold" if painted else "")
        console.print(line)
        if view.refused.hint:
            console.print(Text(f"hint: {visible(view.refused.hint)}"))
        return
    console.print(_text(view, painted=painted), overflow="fold")
    _table(view, console)


def _text(view: MaskView, *, painted: bool) -> Text:
    text = Text(tab_size=1)
    runs = view.runs()
    for at, run in enumerate(runs):
        shown = visible("".join(piece.text for piece in run.pieces))
        if painted:
            text.append(shown, style=_STYLES[run.kind, run.trained])
        else:
            before = runs[at - 1] if at else None
            after = runs[at + 1] if at + 1 < len(runs) else None
            text.append(_marked(run, shown, before, after))
    return text


def _marked(run: Run, shown: str, before: Run | None, after: Run | None) -> str:
    """The run with the marks that open and close where what they say begins and ends."""
    if run.kind == "control":
        shown = f"{_CONTROL[0]}{shown}{_CONTROL[1]}"
    for marks, holds in ((_TRAINED, _is_trained), (_CUT, _is_cut)):
        if holds(run):
            opens = "" if before and holds(before) else marks[0]
            closes = "" if after and holds(after) else marks[1]
            shown = f"{opens}{shown}{closes}"
    return shown


def _is_trained(run: Run) -> bool:
    return run.trained


def _is_cut(run: Run) -> bool:
    return run.kind == "cut"


def _legend(views: Sequence[MaskView], *, painted: bool) -> Text:
    cut = any(view.cut for view in views)
    text = Text()
    if painted:
        for key, name in _NAMES.items():
            if cut or key[0] != "cut":
                text.append(name, style=_STYLES[key])
                text.append("  ")
    else:
        text.append("[[trained]]  {control token}  ")
        text.append("[-cut off-]  " if cut else "")
    text.append("\u21b5 line break")
    return text


def _table(view: MaskView, console: Console) -> None:
    turns = view.turns()
    cut = view.cut > 0
    totals = Turn(None, "total", len(view.ids), view.trained, view.cut)
    rows = [
        [*_cells(turn, "" if turn.message is None else str(turn.message)), *([turn.cut] * cut)]
        for turn in [*turns, totals]
    ]
    headings = ["message", "role", "tokens", "trained", *(["cut off"] * cut)]
    terminal.table("", headings, rows, right=(0, 2, 3, 4), console=console)
    if view.lost:
        console.print(
            Text(
                f"{view.lost} of the tokens cut off would be trained; a training run cuts at turn "
                "borders and loses fewer (see --rows)"
            )
        )
    if view.note:
        console.print(Text(view.note))


def _cells(turn: Turn, number: str) -> list[str | int]:
    return [number, turn.role, turn.tokens, turn.trained]


def _totals(views: Sequence[MaskView]) -> str:
    shown = [view for view in views if view.refused is None]
    tokens = sum(len(view.ids) for view in shown)
    trained = sum(view.trained for view in shown)
    parts = [f"{len(shown)} conversations", f"{tokens:,} tokens", f"{trained:,} trained"]
    cut = sum(view.cut for view in shown)
    if cut:
        parts.append(f"{cut:,} cut off ({sum(view.lost for view in shown):,} of them trained)")
    if len(shown) < len(views):
        parts.append(f"{len(views) - len(shown)} refused")
    return ", ".join(parts)
