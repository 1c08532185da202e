"""What the commands print: one JSON document or tables on stdout, progress and errors on stderr."""

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from ingest.errors import UserError

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

# an export may hold escape sequences that rename windows, move the cursor or fill the clipboard
CONTROLS = {code: "\ufffd" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n"}


def print_json(value: Any) -> None:
    """Print exactly one JSON document on stdout."""
    # not orjson: exports hold integers beyond 64 bits
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")
    sys.stdout.flush()


def safe(text: object) -> str:
    """Foreign text to put into markup: it neither colours nor commands the terminal."""
    return escape(str(text).translate(CONTROLS))


def print_error(error: UserError) -> None:
    """Print the two lines of an error: what is wrong, and what to do."""
    for style, name, text in (("bold red", "error", error.message), ("bold", "hint", error.hint)):
        if text:
            err.print(f"[{style}]{name}:[/] {safe(text.replace(chr(10), ' '))}", soft_wrap=True)


def note(text: str) -> None:
    """Print a line on stderr that is no result; ``text`` may hold rich markup."""
    err.print(text, soft_wrap=True)


def table(
    title: str,
    headings: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    right: Sequence[int] = (),
    whole: Sequence[int] = (),
    console: Console = out,
) -> None:
    """Print a table.

    Args:
        title: above it.
        headings: of the columns.
        rows: cells; anything is shown by ``str``, None as nothing.
        right: numbers of the columns that hold figures.
        whole: numbers of the columns that are not broken, besides the first.
        console: stdout, or stderr where the table is no result.
    """
    sheet = Table(title=title, title_justify="left", title_style="bold", header_style="dim")
    for number, heading in enumerate(headings):
        sheet.add_column(
            heading,
            justify="right" if number in right else "left",
            overflow="fold",
            no_wrap=number == 0 or number in whole,  # names and ids are copied from here
        )
    for row in rows:
        sheet.add_row(*("" if cell is None else safe(cell) for cell in row))
    console.print(sheet)


def facts(title: str, pairs: Mapping[str, Any]) -> None:
    """Print names and values on stdout, one a line."""
    if title:
        out.print(f"[bold]{escape(title)}[/]")
    width = max((len(name) for name in pairs), default=0)
    for name, value in pairs.items():
        out.print(f"  [dim]{name:<{width}}[/]  {safe(value)}", soft_wrap=True)


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


@contextlib.contextmanager
def reading() -> Iterator[Callable[[str, int, int, int], None]]:
    """A bar on stderr: bytes, conversations, rate and time left; quiet without a terminal.

    The function given takes the name of what is read, bytes read, bytes in it, and conversations.
    """
    if not err.is_terminal:
        yield lambda _name, _done, _of, _count: None
        return
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[count]:,} conversations"),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True),
        console=err,
        transient=True,
    )
    tasks: dict[str, TaskID] = {}

    def tell(name: str, done: int, of: int, count: int) -> None:
        if name not in tasks:
            tasks[name] = bar.add_task(safe(name), total=of, count=0)
        bar.update(tasks[name], completed=done, count=count)

    with bar:
        yield tell
