"""Writes docs/formats.md from the registry and format_notes.py; a test holds it current."""

import runpy
from pathlib import Path
from typing import Any

from ingest.importers.base import Importer
from ingest.registry import importers

HERE = Path(__file__).parent
KINDS = {
    "assistant": (
        "Assistants",
        "The export says who is the assistant. Nothing has to be chosen.",
    ),
    "people": (
        "People and teams",
        "The export has names, not roles: `--as-assistant NAME` says whose messages are the "
        "assistant's, or `turnmill people --assistant NAME` once for all.",
    ),
    "training": (
        "Training files and tables",
        "Records that somebody made for training, and tables with a mapping.",
    ),
}
HEAD = """# Formats

Written by `make docs`; do not edit. {count} importers, told apart by the shape of a file and never
by its name. `turnmill import --explain FILE` says which one reads a file and why. Each takes a
file, a folder, a zip, a zip in a zip, gzip and zstd.

For every format: where the export comes from, what has to be said, one thing about it that other
readers get wrong, and the test that holds ours to it. Evidence in brackets names public reports.
"""


def page() -> str:
    """The whole page."""
    notes = runpy.run_path(str(HERE / "format_notes.py"))["NOTES"]
    built_in = importers()
    parts = [HEAD.format(count=len(built_in))]
    for kind, (title, said) in KINDS.items():
        parts.append(f"\n## {title}\n\n{said}\n")
        of_kind = [each for each in built_in.values() if each.kind == kind]
        parts += [_section(each, notes[each.name]) for each in sorted(of_kind, key=_name)]
    return "".join(parts)


def _name(importer: Importer) -> str:
    return importer.name


def _section(importer: Importer, note: Any) -> str:
    file, _, test = note.test.partition("::")
    return (
        f"\n### {importer.name}\n\n{importer.title}\n\n"
        f"- From: {note.source}\n"
        f"- Needs: {_escaped(importer.needs)}\n"
        f"- Often read wrong: {note.quirk}\n"
        f"- Held by [`{test}`](../{file})\n"
    )


def _escaped(text: str) -> str:
    """Plain words as Markdown: angle and square brackets are meant as they stand."""
    return "".join(f"\\{each}" if each in "<>[]{}*_" else each for each in text)


if __name__ == "__main__":
    (HERE / "formats.md").write_text(page(), "utf-8")
