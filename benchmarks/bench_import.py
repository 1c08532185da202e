"""Import of a ChatGPT export against ``json.load`` of the same file, in one run.

    python benchmarks/bench_import.py [--megabytes 400] [--folder DIR]

Each way runs in a process of its own; CPU seconds count user and system time, memory is the peak
resident set. The references are ``json.load`` and ``orjson.loads`` of the whole file, which only
parse.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

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


def land(file: Path) -> int:
    """The whole import, landed in DuckDB."""
    from ingest.load import import_export
    from ingest.store import open_store

    with tempfile.TemporaryDirectory() as home, open_store(Path(home) / "store.duckdb") as store:
        return import_export(file, store).messages


WAYS: dict[str, Callable[[Path], int]] = {
    REFERENCE: parse_json,
    "orjson.loads": parse_orjson,
    "split + decode": split,
    "import": land,
}


def measure(way: str, file: Path) -> tuple[float, float, int]:
    """(CPU seconds, peak MB, items) of one way in a fresh process."""
    answer = subprocess.run(
        [sys.executable, __file__, "--way", way, "--file", str(file)],
        check=True,
        capture_output=True,
        text=True,
    )
    cpu, peak, items = answer.stdout.split()
    return float(cpu), float(peak), int(items)


def run_one(way: str, file: Path) -> None:
    """What the fresh process does."""
    items = WAYS[way](file)
    used = resource.getrusage(resource.RUSAGE_SELF)
    peak = used.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
    print(used.ru_utime + used.ru_stime, peak, items)


def main() -> None:
    """Measure every way and print a table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=400)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--way", choices=WAYS)
    parser.add_argument("--file", type=Path)
    asked = parser.parse_args()
    if asked.way:
        run_one(asked.way, asked.file)
        return
    file = write_chatgpt(asked.folder / f"chatgpt-{asked.megabytes}.json", asked.megabytes)
    size = file.stat().st_size / 1e6
    results = {way: measure(way, file) for way in WAYS}
    reference = results[REFERENCE][0]
    print(f"ChatGPT export, {size:.0f} MB; CPU seconds against {REFERENCE}")
    for way, (cpu, peak, items) in results.items():
        print(
            f"  {way:<16} {cpu:6.2f} s  {cpu / reference:5.2f} x  "
            f"{size / cpu:5.0f} MB/s  {peak:6.0f} MB peak  {items:,} items"
        )
    lines = write_openai(asked.folder / "openai-60000.jsonl", 60_000)
    chats = asked.folder / "WhatsApp Chat with Bench.txt"
    write_whatsapp(chats, 300_000)
    for name, path in (("JSON lines", lines), ("WhatsApp, 300,000 lines", chats)):
        cpu, peak, items = measure("import", path)
        rate = (300_000 if path == chats else items) / cpu
        print(
            f"{name}: {cpu:.2f} s, {rate:,.0f} lines or messages a CPU second, {peak:.0f} MB peak"
        )


if __name__ == "__main__":
    main()
