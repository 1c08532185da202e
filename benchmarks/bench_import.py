"""Import of a ChatGPT export against ``json.load`` of the same file, in one run.

    python benchmarks/bench_import.py [--megabytes 400] [--large 2000] [--folder DIR]

Each way runs in a process of its own; CPU seconds count user and system time of it and of those it
starts, memory is the peak resident set of the first. The references are ``json.load`` and
``orjson.loads`` of the whole file, which only parse. ``--large`` imports a larger file too, to show
that memory does not grow with it.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

from made_exports import write_chatgpt, write_openai, write_whatsapp

REFERENCE = "json.load"


def parse_json(file: Path) -> int:
    """The reference: parse, nothing else."""
    with file.open("rb") as opened:
        return len(json.load(opened))


def parse_orjson(file: Path) -> int:
    """Parse with orjson, whole."""
    import orjson

    return len(orjson.loads(file.read_bytes()))


def split(file: Path) -> int:
    """Split and typed decode, no conversation made."""
    from ingest.importers.chatgpt import _decode
    from ingest.stream import iter_array

    with file.open("rb") as opened:
        return sum(1 for _ in iter_array(opened, _decode))


def land(file: Path, workers: int = 1) -> int:
    """The whole import, landed in DuckDB."""
    from ingest.load import import_export
    from ingest.store import open_store

    with tempfile.TemporaryDirectory() as home, open_store(Path(home) / "store.duckdb") as store:
        return import_export(file, store, workers=workers).messages


def land_by_two(file: Path) -> int:
    """The same with two reading processes."""
    return land(file, workers=2)


def again(file: Path) -> int:
    """An import of a file that is stored already, after the first."""
    from ingest.load import import_export
    from ingest.store import open_store

    with tempfile.TemporaryDirectory() as home, open_store(Path(home) / "store.duckdb") as store:
        import_export(file, store)
        started = perf_counter()
        messages = import_export(file, store).messages
        print(f"imported again in {perf_counter() - started:.2f} s", file=sys.stderr)
        return messages


WAYS: dict[str, Callable[[Path], int]] = {
    REFERENCE: parse_json,
    "orjson.loads": parse_orjson,
    "split + decode": split,
    "import": land,
    "import, 2 workers": land_by_two,
    "import, twice": again,
}


class Measured(NamedTuple):
    """What one way cost in a fresh process."""

    cpu_s: float
    wall_s: float
    peak_mb: float
    items: int


def measure(way: str, file: Path) -> Measured:
    """Run one way in a fresh process."""
    # compiled modules are kept, as they are for a user
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    answer = subprocess.run(
        [sys.executable, __file__, "--way", way, "--file", str(file)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    cpu, wall, peak, items = answer.stdout.split()
    return Measured(float(cpu), float(wall), float(peak), int(items))


def run_one(way: str, file: Path) -> None:
    """What the fresh process does."""
    started = perf_counter()
    items = WAYS[way](file)
    wall = perf_counter() - started
    own, others = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    peak = own.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
    print(own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime, wall, peak, items)


def main() -> None:
    """Measure every way and print a table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=400)
    parser.add_argument("--large", type=int, default=0, help="megabytes of a larger file")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--way", choices=WAYS)
    parser.add_argument("--file", type=Path)
    asked = parser.parse_args()
    if asked.way:
        run_one(asked.way, asked.file)
        return
    file = write_chatgpt(asked.folder / f"chatgpt-{asked.megabytes}.json", asked.megabytes)
    size = file.stat().st_size / 1e6
    measure("import", write_chatgpt(asked.folder / "chatgpt-1.json", 1))  # warms the modules
    results = {way: measure(way, file) for way in WAYS}
    reference = results[REFERENCE].cpu_s
    print(f"ChatGPT export, {size:.0f} MB; CPU seconds against {REFERENCE}")
    for way, found in results.items():
        print(
            f"  {way:<18} {found.cpu_s:6.2f} s  {found.cpu_s / reference:5.2f} x  "
            f"{size / found.cpu_s:5.0f} MB/s  {found.wall_s:6.2f} s wall  "
            f"{found.peak_mb:5.0f} MB peak  {found.items:,} items"
        )
    one, two = results["import"].wall_s, results["import, 2 workers"].wall_s
    print(f"  two workers: {one / two:.2f} times the throughput of one, by the clock")
    if asked.large:
        large = write_chatgpt(asked.folder / f"chatgpt-{asked.large}.json", asked.large)
        found = measure("import", large)
        print(f"  {asked.large} MB: {found.cpu_s:.1f} s, {found.peak_mb:.0f} MB peak")
    lines = write_openai(asked.folder / "openai-60000.jsonl", 60_000)
    chats = asked.folder / "WhatsApp Chat with Bench.txt"
    write_whatsapp(chats, 300_000)
    for name, path in (("JSON lines", lines), ("WhatsApp, 300,000 lines", chats)):
        found = measure("import", path)
        rate = (300_000 if path == chats else found.items) / found.cpu_s
        print(
            f"{name}: {found.cpu_s:.2f} s, {rate:,.0f} lines or messages a CPU second, "
            f"{found.peak_mb:.0f} MB peak"
        )


if __name__ == "__main__":
    main()
