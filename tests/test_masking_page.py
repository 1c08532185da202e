"""docs/masking.md holds its generated tables, and they say what the project claims."""

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "masking.md").read_text("utf-8")
PARTS = ("totals", "faults", "refusals", "classes", "templates", "speed")


def part(name: str) -> str:
    return PAGE.split(f"<!-- {name} -->\n")[1].split(f"<!-- /{name} -->\n")[0]


def rows(name: str) -> list[list[str]]:
    lines = [line for line in part(name).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def test_every_generated_part_is_there_once() -> None:
    for name in PARTS:
        assert PAGE.count(f"<!-- {name} -->\n") == PAGE.count(f"<!-- /{name} -->\n") == 1
        assert rows(name) or name == "refusals", "run: python docs/make_masking.py"


def test_turnmill_is_never_wrong_and_refuses_little() -> None:
    ours = [row for row in rows("totals") if row[1] == "turnmill"]
    assert len(ours) == 4
    for group, _, *cells in ours:
        pairs, exact, convention, refused, wrong = map(_count, cells)
        assert wrong == 0
        assert exact + convention + refused == pairs
        assert refused < 0.02 * pairs or group == "no stop token: to be refused"


def test_the_classes_and_the_templates_add_up_to_the_totals() -> None:
    groups = {"classes": ("all",), "templates": ("all", "no stop token: to be refused")}
    for name, inside in groups.items():
        for n, method in enumerate(dict.fromkeys(row[1] for row in rows("totals")), start=1):
            totals = [row[3:] for row in rows("totals") if row[0] in inside and row[1] == method]
            counted = [[int(one) for one in line[n].split()] for line in rows(name)]
            assert _sums(counted) == _sums([[_count(cell) for cell in row] for row in totals])


def _sums(lines: list[list[int]]) -> list[int]:
    return [sum(column) for column in zip(*lines, strict=True)]


def _count(cell: str) -> int:
    return int(cell.split(maxsplit=1)[0].replace(",", ""))


def test_only_text_of_the_template_makes_a_wrong_mask_a_convention() -> None:
    weighed = runpy.run_path(str(ROOT / "docs" / "make_masking.py"))["_weighed"]
    assert weighed("wrong", "header x2 (token 3); tail x1 (token 9)") == (
        "convention",
        "header, tail",
    )
    assert weighed("wrong", "header x2 (token 3); stop x1 (token 9)") == ("wrong", "header, stop")
    assert weighed("refused", "no stop x1") == ("refused", "no stop x1")
    assert weighed("exact", "") == ("exact", "")
