"""The table of faults: whatever goes wrong, no pod is forgotten, no file lost, no cap passed.

``TURNMILL_SOAK=1`` runs all of it, otherwise every fourth case; ``docs/make_runpod_faults.py``
writes what comes of each to docs/runpod-faults.md.
"""

import os
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

from runpod_fault_table import GROUPS, Case, broken_promises, outcome  # noqa: E402

CASES = [case for cases in GROUPS.values() for case in cases]
RUN = CASES if os.environ.get("TURNMILL_SOAK") else CASES[::4]
PAGE = Path(__file__).parent.parent / "docs" / "runpod-faults.md"


@pytest.mark.parametrize("case", RUN, ids=lambda case: case.title)
def test_a_fault_ends_as_it_must(case: Case) -> None:
    assert broken_promises(case, outcome(case)) == []


def test_the_page_has_every_case() -> None:
    text = PAGE.read_text("utf-8")
    assert [case.title for case in CASES if f"| {case.title} |" not in text] == []


def test_no_two_cases_have_one_name() -> None:
    titles = [case.title for case in CASES]
    assert len(set(titles)) == len(titles) >= 40
