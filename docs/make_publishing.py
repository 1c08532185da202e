"""Writes the fault tables of docs/publishing.md; ``tests/test_hub_faults.py`` runs each row."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
HEAD = ["step", "fault", "what comes of it"]


def with_tables(page: str) -> str:
    """The page with its tables current."""
    sys.path.append(str(HERE.parent / "tests"))
    from hub_fault_table import PULLS, PUSHES

    for name, rows in (("push", PUSHES), ("pull", PULLS)):
        lines = [HEAD, ["---"] * len(HEAD), *(row.cells for row in rows)]
        table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
        start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->\n"
        before, rest = page.split(start)
        page = before + start + table + end + rest.split(end)[1]
    return page


if __name__ == "__main__":
    file = HERE / "publishing.md"
    file.write_text(with_tables(file.read_text("utf-8")), "utf-8")
