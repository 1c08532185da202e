"""Writes the tree of README.md from each module's first line; ``tests/test_docs.py`` holds it."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
START, END = "<!-- tree -->\n", "<!-- /tree -->\n"
FLOORS = {
    "ingest": "an export becomes conversations in the store",
    "dataset": "the store becomes a sealed version",
    "train": "a version becomes a merged model",
    "serve": "a model answers, and is judged; the command line",
}


def tree() -> str:
    """The four packages, a line a file."""
    lines = ["```text"]
    for package, purpose in FLOORS.items():
        lines.append(f"{package + '/':<36} {purpose}")
        for file in sorted((ROOT / package).rglob("*.py")):
            if file.parent.name == "importers" and file.name != "base.py":
                continue  # too many to list; the next line stands for them
            if file.name != "__init__.py":
                name = "  " + file.relative_to(ROOT / package).as_posix()
                lines.append(f"{name:<36} {_first_line(file)}")
            if file.parent.name == "importers":
                lines.append(f"{'  importers/<format>.py':<36} One export format each")
    return "\n".join([*lines, "```\n"])


def _first_line(file: Path) -> str:
    text = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
    sentence = re.split(r"(?<=[.:;]) |\n\n", text.replace("\n", " "), maxsplit=1)[0]
    return sentence.replace("``", "").rstrip(".:;")


def with_tree(readme: str) -> str:
    """README with the tree between its two marks."""
    before, rest = readme.split(START)
    after = rest.split(END)[1]
    return before + START + tree() + END + after


if __name__ == "__main__":
    page = ROOT / "README.md"
    page.write_text(with_tree(page.read_text("utf-8")), "utf-8")
