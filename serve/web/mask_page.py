"""The page of ``turnmill mask --html``: one file, nothing fetched, foreign text escaped.

Neighbouring tokens that look alike are one element with their ids beside it, so that hundreds of
conversations open at once; the page's only script, named by its hash, parts the tokens of a run
when somebody points at it.
"""

from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
from itertools import groupby
from pathlib import Path

from ingest.files import write_whole
from serve.masks.pieces import NEWLINE, visible
from serve.masks.view import TEMPLATE, MaskView, Run, Turn
from serve.web.frame import page_head

_CLASSES = {"trained": "t", "context": "x", "control": "k", "cut": "z"}
_KEYS = (
    "Point at a token, or go into a text with Tab: the arrow keys go from token to token (left, "
    "right) and from run to run (up, down), Home and End to its ends."
)
_TIP = """<div id="tip" role="status" hidden><span>position <b id="position"></b></span>
<span>id <b id="id"></b></span><code id="text"></code><span id="kind"></span>
<span id="turn" class="soft"></span></div>
"""


def write_mask_page(out: Path, views: Sequence[MaskView], *, title: str, tokenizer: str) -> None:
    """Write the page.

    Args:
        out: the file to write.
        views: in order; refused ones stand at their place.
        title: what the conversations are from.
        tokenizer: by what they were rendered.
    """
    with write_whole(out) as file:
        for piece in pieces(views, title=title, tokenizer=tokenizer):
            file.write(piece.encode("utf-8", "replace"))


def pieces(views: Sequence[MaskView], *, title: str, tokenizer: str) -> Iterator[str]:
    """The page, in parts; see :func:`write_mask_page`."""
    style, script = (
        files("serve.web").joinpath("templates", name).read_text("utf-8")
        for name in ("mask.css", "mask.js")
    )
    yield page_head(f"{escape(visible(title))}: what is trained", style, script)
    yield '<main id="top">\n'
    yield _summary(views, title, tokenizer)
    for number, view in enumerate(views, start=1):
        yield from _section(view, number, len(views))
    yield f"</main>\n{_TIP}<script>{script}</script>\n</body>\n</html>\n"


def _summary(views: Sequence[MaskView], title: str, tokenizer: str) -> str:
    shown = [view for view in views if view.refused is None]
    tokens = sum(len(view.ids) for view in shown)
    trained = sum(view.trained for view in shown)
    cut = sum(view.cut for view in shown)
    cards = [
        (f"{len(shown):,}", "conversations"),
        (f"{tokens:,}", "tokens"),
        (f"{trained:,}", f"trained, {_share(trained, tokens)}"),
    ]
    if cut:
        cards.append((f"{cut:,}", f"cut off, {sum(view.lost for view in shown):,} of trained text"))
    if len(shown) < len(views):
        cards.append((f"{len(views) - len(shown):,}", "refused"))
    legend = [
        '<li><span class="t">trained</span></li>',
        '<li><span class="k t">control token</span> trained</li>',
        '<li><span class="x">context</span></li>',
        '<li><span class="k">control token</span> not trained</li>',
        *(['<li><span class="z">cut off</span></li>'] * (cut > 0)),
        f'<li><span class="soft">{NEWLINE} line break</span></li>',
    ]
    chips = "".join(_chip(view, number) for number, view in enumerate(views, start=1))
    return (
        f"<h1>What is trained: {escape(visible(title))}</h1>\n"
        f'<p class="soft">Tokens by <code>{escape(visible(tokenizer))}</code></p>\n'
        f'<ul class="counts">{"".join(f"<li><b>{n}</b>{what}</li>" for n, what in cards)}</ul>\n'
        f'<ul class="legend" aria-label="Legend">{"".join(legend)}</ul>\n'
        f'<p class="soft" id="keys">{_KEYS}</p>\n'
        f'<nav aria-label="Conversations"><ol class="chips">{chips}</ol></nav>\n'
    )


def _chip(view: MaskView, number: int) -> str:
    if view.refused:
        return f'<li><a class="refused" href="#c{number}" title="refused">{number} \u2715</a></li>'
    share = _share(view.trained, len(view.ids))
    return f'<li><a href="#c{number}" title="{share} trained">{number}</a></li>'


def _section(view: MaskView, number: int, of: int) -> Iterator[str]:
    jumps = ['<a href="#top">All</a>']
    if number > 1:
        jumps.insert(0, f'<a href="#c{number - 1}">Previous</a>')
    if number < of:
        jumps.append(f'<a href="#c{number + 1}">Next</a>')
    yield (
        f'<section id="c{number}" aria-labelledby="h{number}">\n<header>'
        f'<h2 id="h{number}">{number}. <code>{escape(visible(view.name))}</code></h2>'
        f'<div class="jump">{"".join(jumps)}</div></header>\n'
    )
    if view.refused:
        yield (
            f'<div class="refusal"><p><b>Refused:</b> {escape(visible(view.refused.message))}</p>'
            f"<p>{escape(visible(view.refused.hint))}</p></div>\n"
        )
    else:
        yield f'<p class="soft">{_counted(view)}</p>\n'
        if view.note:
            yield f'<p class="soft">{escape(view.note)}</p>\n'
        yield '<div class="pair">\n'
        yield (
            f'<div class="text" tabindex="0" role="group" aria-describedby="keys" '
            f'aria-label="Tokens of conversation {number}" data-tokens="{len(view.ids)}">\n'
        )
        for owner, runs in groupby(view.runs(), key=lambda run: run.owner):
            yield from _turn(view, owner, runs)
        yield f"</div>\n{_table(view) if view.owners else ''}</div>\n"
    yield "</section>\n"


def _counted(view: MaskView) -> str:
    total = len(view.ids)
    parts = [f"{total:,} tokens", f"{view.trained:,} trained ({_share(view.trained, total)})"]
    if view.cut:
        parts.append(f"{view.cut:,} cut off, {view.lost:,} of which would be trained")
    return ", ".join(parts)


def _turn(view: MaskView, owner: int | None, runs: Iterator[Run]) -> Iterator[str]:
    known = view.owners is not None
    role = view.roles[owner] if owner is not None else TEMPLATE if known else ""
    who = f"{'' if owner is None else owner} {role}".strip()
    yield (
        f'<div class="turn" data-w="{escape(who)}"><span class="who">{escape(who)}</span>'
        '<p class="said" dir="auto">'
    )
    for run in runs:
        yield _run(run)
    yield "</p></div>\n"


def _run(run: Run) -> str:
    shown = [visible(piece.text) for piece in run.pieces]
    kind = _CLASSES[run.kind]
    if run.trained and kind != "t":
        kind += " t"
    # lengths as scripts count them: in halves of surrogate pairs
    lengths = " ".join(str(len(text.encode("utf-16-le")) // 2) for text in shown)
    return (
        f'<span class="r {kind}" data-p="{run.pieces[0].start}" data-i="{_ids(run)}" '
        f'data-n="{lengths}">{escape("".join(shown))}</span>'
    )


def _ids(run: Run) -> str:
    """Ids of the run's tokens, those that share a character joined by ``+``."""
    return " ".join("+".join(map(str, ids)) for ids in run.ids)


def _table(view: MaskView) -> str:
    turns = view.turns()
    cut = view.cut > 0
    heads = ["#", "role", "tokens", "trained", *(["cut off"] * cut)]
    head = "".join(f'<th scope="col"{_right(n)}>{name}</th>' for n, name in enumerate(heads))
    rows = "".join(_row(turn, cut=cut) for turn in turns)
    total = Turn(None, "total", len(view.ids), view.trained, view.cut)
    return (
        f'<table><caption class="off">Tokens by message</caption><thead><tr>{head}</tr></thead>\n'
        f"<tbody>{rows}</tbody><tfoot>{_row(total, cut=cut)}</tfoot></table>\n"
    )


def _row(turn: Turn, *, cut: bool) -> str:
    number = "" if turn.message is None else str(turn.message)
    figures = [turn.tokens, turn.trained, *([turn.cut] * cut)]
    cells = "".join(f'<td class="n">{figure:,}</td>' for figure in figures)
    some = ' class="some"' if turn.trained else ""
    return (
        f'<tr{some}><td class="n">{number}</td><th scope="row">{escape(turn.role)}</th>{cells}</tr>'
    )


def _right(column: int) -> str:
    return "" if column == 1 else ' class="n"'


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "0 %"
