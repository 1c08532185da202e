"""The documentation says what the code does."""

import re
import runpy
from pathlib import Path

from typer.main import get_command

from serve.cli import app

ROOT = Path(__file__).parent.parent


def test_the_command_reference_is_current() -> None:
    reference = runpy.run_path(str(ROOT / "docs" / "make_cli_reference.py"))["reference"]
    assert (ROOT / "docs" / "cli.md").read_text("utf-8") == reference(), "run: make docs"


def test_the_tree_of_the_readme_is_current() -> None:
    with_tree = runpy.run_path(str(ROOT / "docs" / "make_tree.py"))["with_tree"]
    readme = (ROOT / "README.md").read_text("utf-8")
    assert readme == with_tree(readme), "run: make docs"


def test_every_command_is_in_the_reference() -> None:
    text = (ROOT / "docs" / "cli.md").read_text("utf-8")
    for name in get_command(app).commands:  # type: ignore[attr-defined]
        assert f"## turnmill {name}\n" in text


def test_every_command_says_what_it_does() -> None:
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        assert command.help, name


def test_links_in_the_documents_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "sample_data" / "README.md"]
    for page in pages:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name} -> {target}"
