"""Writes runpod-faults.md: what goes wrong with runs on RunPod, and what comes of it, as it ran."""

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "runpod-faults.md"
HEAD = """\
# Faults of runs on RunPod, and what came of each

Written by `docs/make_runpod_faults.py`, which runs each case: the launcher, journal, watch and
reaper of turnmill, and the decisions and deliveries of its supervisor, over the test server of
RunPod's API, in simulated time. The run takes 20 steps of 30 s and a checkpoint every 5; its caps
are $3.00, 1.5 hours and 4 pods unless the case says otherwise. A service reaps every 5 minutes
after the launcher has done what it does. In each case `tests/test_runpod_faults.py` holds the
outcome; `design/runpod.md` says why.

- **pods**: made in all; **at once**: most of one attempt that cost money at the same moment, and
  for how long two did.
- **cost**: by the simulated clock and the pods' own prices, **time**: until all was settled.
- **lost**: artefacts that were made and are whole nowhere. **zombies**: pods that still cost money
  after their cap and a reaper's period.
- **record**: what `run.json` says then. `planned`: nothing was rented, the same command goes on.
  `running`: nobody was there to fetch what the pod did; `turnmill attach` goes on.
"""


def page() -> str:
    """The whole page."""
    sys.path.insert(0, str(ROOT / "tests"))
    from runpod_fault_table import GROUPS, broken_promises, outcome

    parts, sums = [], {"cases": 0, "lost": 0, "zombies": 0, "early": 0, "broken": 0}
    for group, cases in GROUPS.items():
        rows = []
        for case in cases:
            came = outcome(case)
            sums["cases"] += 1
            sums["lost"] += len(came.lost)
            sums["zombies"] += len(came.zombies)
            sums["early"] += len(came.too_early)
            sums["broken"] += len(broken_promises(case, came))
            rows.append(_row(case.title, came))
        head = (
            "| what goes wrong | pods | at once | time | cost | lost | zombies | record | told |\n"
            "|---|---|---|---|---|---|---|---|---|\n"
        )
        parts.append(f"\n## {group}\n\n{head}{''.join(rows)}")
    total = (
        f"\n**{sums['cases']} faults: {sums['lost']} artefacts lost, {sums['zombies']} zombies,"
        f" {sums['early']} pods ended before their files were whole,"
        f" {sums['broken']} outcomes other than promised.**\n"
    )
    return HEAD + total + "".join(parts)


def _row(title: str, came: Any) -> str:
    two = f" ({came.two_s:.0f} s)" if came.two_s else ""
    told = came.told[-1] if came.told else ""
    told = (came.bugs[0] if came.bugs else told).replace("|", "/")
    told = told if len(told) <= 150 else told[:149] + "…"
    return (
        f"| {title} | {came.pods} | {came.most}{two} | {came.minutes:.0f} min | ${came.usd:.3f} |"
        f" {len(came.lost)} | {len(came.zombies)} | {came.state} | {told} |\n"
    )


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
