"""Writes docs/cli.md from the commands' own --help; ``tests/test_docs.py`` holds it current."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command
from typer.testing import CliRunner

from serve.cli import app

HEAD = """# The command line

Written by `make docs` from `turnmill COMMAND --help`; do not edit.

Every command takes `--help`. `--json` prints exactly one JSON document on stdout; progress and
errors go to stderr. Exit codes: 0 done, 1 a bug of ours, 2 the user can fix it, 3 done but
something was quarantined or a gate did not pass, 130 interrupted.
"""


def names(group: Any, before: str = "") -> Iterator[str]:
    """Every command, and after a group its own: ``hooks``, ``hooks replay``."""
    for name, command in group.commands.items():
        yield before + name
        if hasattr(command, "commands"):
            yield from names(command, f"{before}{name} ")


def reference() -> str:
    """The whole page."""
    runner = CliRunner()
    parts = [HEAD]
    for name in names(get_command(app)):
        asked = [*name.split(), "--help"]
        text = runner.invoke(
            app, asked, prog_name="turnmill", env={"COLUMNS": "100", "TERM": "dumb"}
        ).output
        body = "\n".join(line.rstrip() for line in text.strip().splitlines())
        parts.append(f"\n## turnmill {name}\n\n```text\n{body}\n```\n")
    return "".join(parts)


if __name__ == "__main__":
    (Path(__file__).parent / "cli.md").write_text(reference(), "utf-8")
