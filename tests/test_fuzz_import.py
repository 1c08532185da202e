"""The fuzz campaign of the importers: no traceback, no hang, memory bounded, neighbours intact.

``make soak`` runs the long one; ``python tests/fuzz_import.py --cases 20000`` prints its counts.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

CASES = 20_000 if os.environ.get("TURNMILL_SOAK") else 500


def test_the_laws_of_an_import_hold_whatever_is_in_the_file(tmp_path, record_property):
    # a process of its own: its peak of memory is the campaign's alone
    program = Path(__file__).with_name("fuzz_import.py")
    done = subprocess.run(
        [sys.executable, program, "--cases", str(CASES), "--keep", tmp_path / "kept", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    counts = json.loads(done.stdout)
    for name in ("cases", "by_kind", "conversations", "refused", "slowest_s", "peak_mib"):
        record_property(name, counts[name])
    assert not counts["broken"], counts["examples"]
    assert done.returncode == 0, done.stderr
    assert counts["cases"] == CASES
    assert min(counts["conversations"][kind] for kind in ("stored", "rejected", "skipped")) > 0
    assert len(counts["records"]) > 15  # formats in which a damaged record has neighbours
