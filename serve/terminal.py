"""What the commands print: one JSON document or tables on stdout, progress and errors on stderr."""

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ingest.errors import UserError

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def print_json(value: Any) -> None:
    """Print exactly one JSON document on stdout."""
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n")


def print_error(error: UserError) -> None:
    """Print the two lines of an error: what is wrong, and what to do."""
    err.print(f"[bold red]error:[/] {escape(error.message)}", soft_wrap=True)
    if error.hint:
        err.print(f"[bold]hint:[/] {escape(error.hint)}", soft_wrap=True)


def note(text: str) -> None:
    """Print a line on stderr that is no result; ``text`` may hold rich markup."""
    err.print(text, soft_wrap=True)


def table(
    title: str, headings: Sequence[str], rows: Sequence[Sequence[Any]], *, right: Sequence[int] = ()
) -> None:
    """Print a table on stdout.

    Args:
        title: above it.
        headings: of the columns.
        rows: cells; anything is shown by ``str``, None as nothing.
        right: numbers of the columns that hold figures.
    """
    sheet = Table(title=title, title_justify="left", title_style="bold", header_style="dim")
    for number, heading in enumerate(headings):
        sheet.add_column(
            heading,
            justify="right" if number in right else "left",
            overflow="fold",
            no_wrap=number == 0,  # names and ids are copied from here
        )
    for row in rows:
        sheet.add_row(*("" if cell is None else escape(str(cell)) for cell in row))
    out.print(sheet)


def facts(title: str, pairs: Mapping[str, Any]) -> None:
    """Print names and values on stdout, one a line."""
    if title:
        out.print(f"[bold]{escape(title)}[/]")
    width = max((len(name) for name in pairs), default=0)
    for name, value in pairs.items():
        out.print(f"  [dim]{name:<{width}}[/]  {escape(str(value))}", soft_wrap=True)


@contextlib.contextmanager
def staged(what: str) -> Iterator[Callable[[str, int, int], None]]:
    """A line on stderr that names a stage and how far it is; quiet where stderr is no terminal."""
    if not err.is_terminal:
        yield lambda _stage, _done, _of: None
        return
    with err.status(what) as status:
        yield lambda stage, done, of: status.update(f"{what}: {stage} {done}/{of}")


@contextlib.contextmanager
def counting(what: str) -> Iterator[Callable[[int], None]]:
    """A line on stderr that counts while the block runs; quiet where stderr is no terminal."""
    if not err.is_terminal:
        yield lambda _: None
        return
    with err.status(what) as status:
        yield lambda count: status.update(f"{what}: {count:,}")
