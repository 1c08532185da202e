"""Builds of invented stores of growing size: time and peak memory, whole and by step.

    python benchmarks/bench_build.py [--conversations 20000 100000] [--workers 1] [--json FILE]
                                     [--folder DIR] [--steps has-assistant dedupe-exact ...]

Every build runs in a process of its own on a store that another process made. Seconds of a step are
CPU seconds spent in it; reading, hashing and writing are the rest. Memory is the resident set as
seen while a pass over the rows runs, DuckDB's buffers (1 GiB at most) included. The reference is
the smallest size of the same run: a ratio of 1 means that CPU time grows with the rows, no faster.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

STEPS = ("has-assistant", "dedupe-exact", "dedupe-near", "redact")


def fill(home: Path, conversations: int) -> None:
    """Make the store."""
    from made_store import fill as fill_store

    from ingest.store import open_store
    from ingest.workspace import Workspace

    with open_store(Workspace(home).create().store) as store:
        messages, size = fill_store(store, conversations)
    print(json.dumps({"messages": messages, "text_mb": round(size / 1e6, 1)}))


def measure(home: Path, steps: list[str], workers: int, group_by: list[str]) -> None:
    """Build, and say what it took."""
    from dataset.build import build
    from dataset.manifest import DatasetSpec
    from ingest.store import open_store
    from ingest.workspace import Workspace

    peaks: dict[str, float] = {}
    workers_mb = [0.0]

    def look(stage: str, _done: int, _of: int) -> None:
        peaks[stage] = max(peaks.get(stage, 0.0), _resident_mb("self"))
        workers_mb[0] = max(workers_mb[0], sum(map(_resident_mb, _children())))

    workspace = Workspace(home)
    shutil.rmtree(workspace.datasets, ignore_errors=True)  # else the same version is returned
    spec = DatasetSpec(name="bench", steps=steps, split={"group_by": group_by})
    started, cpu = time.perf_counter(), time.process_time()
    with open_store(workspace.store) as store:
        version = build(store, spec, workspace, workers=workers, on_progress=look)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        json.dumps(
            {
                "seconds": round(time.perf_counter() - started, 1),
                "cpu_seconds": round(time.process_time() - cpu, 1),
                "worker_cpu_seconds": round(children.ru_utime + children.ru_stime, 1),
                "peak_mb": round(_peak_mb()),
                "all_workers_mb": round(workers_mb[0]),
                "step_seconds": version.seconds,
                "resident_mb_while": {stage: round(peak) for stage, peak in peaks.items()},
                "kept": {name: counts.conversations for name, counts in version.splits.items()},
                "dropped": {step.name: step.rows_in - step.kept for step in version.steps},
                "facts": {step.name: step.facts for step in version.steps if step.facts},
                "files_mb": round(sum(info.bytes for info in version.files.values()) / 1e6, 1),
                "fingerprint": version.fingerprint,
            }
        )
    )


def _resident_mb(process: str) -> float:
    """What is resident now on Linux; elsewhere the peak of this process so far."""
    statm = Path("/proc") / process / "statm"
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize() / 2**20
    return _peak_mb()


def _children() -> list[str]:
    # a child's own peak is no use: on Linux it begins with its parent's
    return [
        child
        for file in Path("/proc/self/task").glob("*/children")
        for child in file.read_text().split()
    ]


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 if sys.platform == "linux" else 1024**2)


def in_process(*arguments: str) -> dict[str, Any]:
    """What a fresh process of this file prints."""
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def run(sizes: list[int], arguments: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """One measurement for each size, smallest first."""
    found: list[dict[str, Any]] = []
    for size in sorted(sizes):
        home = folder / f"home-{size}"
        made: dict[str, Any] = {}
        if not (home / "store.duckdb").exists():
            made = in_process("--fill", str(home), "--conversations", str(size))
        options = ["--steps", *arguments.steps, "--group-by", *arguments.group_by]
        taken = in_process("--measure", str(home), "--workers", str(arguments.workers), *options)
        found.append({"conversations": size, **made, **taken})
        show(found)
    return found


def show(found: list[dict[str, Any]]) -> None:
    """Print the last measurement against the first."""
    last, first = found[-1], found[0]
    growth = last["conversations"] / first["conversations"]
    cpu, least = (each["cpu_seconds"] + each["worker_cpu_seconds"] for each in (last, first))
    print(
        f"{last['conversations']:>9,} conversations  {last['seconds']:>7.1f} s  "
        f"{cpu:>7.1f} CPU s ({cpu / least / growth:.2f} of the smallest)  "
        f"{last['peak_mb']:>6,} MB peak",
        file=sys.stderr,
    )
    for name, seconds in last["step_seconds"].items():
        print(f"    {name:<20} {seconds:>8.1f} s", file=sys.stderr)
    for stage, peak in last["resident_mb_while"].items():
        print(f"    resident while {stage:<14} {peak:>6,} MB", file=sys.stderr)


def main() -> None:
    """Measure, print a table on stderr and JSON on stdout or into a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", type=int, nargs="+", default=[20_000, 100_000])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--steps", nargs="*", default=list(STEPS))
    parser.add_argument("--group-by", nargs="*", default=[])
    parser.add_argument("--folder", type=Path, help="keep the stores here, and use them again")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--fill", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.fill:
        fill(arguments.fill, arguments.conversations[0])
    elif arguments.measure:
        measure(arguments.measure, arguments.steps, arguments.workers, arguments.group_by)
    else:
        with tempfile.TemporaryDirectory() as temporary:
            folder = arguments.folder or Path(temporary)
            found = run(arguments.conversations, arguments, folder)
        text = json.dumps(found, indent=1)
        if arguments.json:
            arguments.json.write_text(text + "\n")
        else:
            print(text)


if __name__ == "__main__":
    main()
