"""The fuzz campaign of the importers.

    python tests/fuzz_import.py --cases 20000 [--seed 0] [--keep FOLDER] [--json]

Damages the samples by structure, by bytes and in their packing, imports what comes out, and checks
the laws of ``fuzz_laws``. The same seed and number of cases give the same campaign.
"""

import argparse
import contextlib
import faulthandler
import json
import shutil
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from unittest.mock import patch

import fuzz_bytes
import fuzz_neighbours
from fuzz_documents import Document, open_document, write_document
from fuzz_laws import Bench, Outcome, peak_mib
from fuzz_neighbours import Unit
from fuzz_samples import Sample, samples
from fuzz_structure import ANYWHERE, INSIDE, Change, changed, changes
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from ingest import archive
from ingest.registry import importers

SHARES = {"structure": 0.45, "bytes": 0.25, "archives": 0.1, "neighbours": 0.2}
_KEPT = 3
_BLOCK = 500
_ZONES = (None, None, None, "Asia/Kolkata", "America/St_Johns")
_BACKSTOP_S = 60


@dataclass
class Counts:
    """What the campaign found."""

    cases: int = 0
    by_kind: Counter[str] = field(default_factory=Counter)
    by_format: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    conversations: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    nothing_read: int = 0
    records: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    slowest: str = ""
    base_mib: float = 0.0
    peak_mib: float = 0.0
    broken: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)


class Campaign:
    """Makes cases, runs them and counts."""

    def __init__(self, folder: Path, number: int, keep: Path | None) -> None:
        self._folder = folder
        self._seed = number
        self._keep = keep
        self._bench = Bench(folder)
        self.samples = samples(self._bench.store, folder / "samples")
        self._bench.base_mib = peak_mib()
        self.counts = Counts(base_mib=self._bench.base_mib)

    def close(self) -> None:
        self._bench.close()
        self.counts.peak_mib = peak_mib()

    def run(self, cases: int) -> None:
        wanted = {kind: round(cases * share) for kind, share in SHARES.items()}
        self._structure(wanted["structure"])
        for number in range(wanted["bytes"]):
            self._bytes(number, self._random("bytes", number))
        # bombs and crowds are small here, and so are the limits
        limits = {"_RATIO_FREE": 1 << 16, "MAX_MEMBERS": 120, "MAX_NESTED": 1 << 20}
        with patch.multiple(archive, **limits):
            for number in range(wanted["archives"]):
                self._archive(number, self._random("archives", number))
        self._neighbours(wanted["neighbours"])

    def _random(self, kind: str, number: int) -> Random:
        return Random(f"{self._seed} {kind} {number}")

    def _format(self, sample: Sample, draw: Random) -> str:
        """Found by looking, forced, and now and then forced to a wrong one."""
        if draw.random() < 0.06:
            return draw.choice(sorted(importers()))
        return draw.choice(("auto", sample.importer))

    def _structure(self, cases: int) -> None:
        def case(number: int, drawn: list[Change]) -> None:
            draw = self._random("structure", number)
            sample = self.samples[number % len(self.samples)]
            part = draw.choice(list(sample.parts))
            document = open_document(part, sample.parts[part])
            made = Document(document.kind, changed(document.value, drawn))
            style, ascii_only = fuzz_neighbours.style(draw), draw.random() < 0.7
            data = write_document(made, spaces=style, ascii_only=ascii_only)
            name = self._format(sample, draw)
            outcome = self._bench.run(
                sample, sample.parts | {part: data}, name, tz=draw.choice(_ZONES)
            )
            self._count("structure", [c.kind for c in drawn], sample, name, outcome)

        self._drawn(cases, changes(ANYWHERE), case)

    def _drawn(
        self,
        cases: int,
        strategy: st.SearchStrategy[list[Change]],
        case: Callable[[int, list[Change]], None],
    ) -> None:
        """Let Hypothesis draw the changes; every case is run, a broken law ends nothing."""
        numbers = iter(range(cases))
        for block in range(0, cases, _BLOCK):  # Hypothesis remembers every example of a run

            @seed(self._seed * 1_000_003 + block)
            @settings(
                max_examples=min(_BLOCK, cases - block), database=None, deadline=None,
                phases=[Phase.generate], suppress_health_check=list(HealthCheck),
            )  # fmt: skip
            @given(strategy)
            def each(drawn: list[Change]) -> None:
                case(next(numbers), drawn)

            each()

    def _bytes(self, number: int, draw: Random) -> None:
        sample = self.samples[number % len(self.samples)]
        other = draw.choice(self.samples)
        part = draw.choice(list(sample.parts))
        table = fuzz_bytes.ANYWHERE | (fuzz_bytes.PACKED if len(sample.parts) == 1 else {})
        spliced = draw.choice(list(other.parts.values()))
        data, kinds = fuzz_bytes.mutated(sample.parts[part], draw, spliced, table)
        name = self._format(sample, draw)
        outcome = self._bench.run(sample, sample.parts | {part: data}, name, tz=draw.choice(_ZONES))
        self._count("bytes", kinds, sample, name, outcome)

    def _archive(self, number: int, draw: Random) -> None:
        sample = self.samples[number % len(self.samples)]
        other = draw.choice(list(draw.choice(self.samples).parts.values()))
        data, kind = fuzz_bytes.attacked(sample.parts, draw, other)
        name = self._format(sample, draw)
        outcome = self._bench.run(sample, {}, name, whole=data)
        self._count("archives", [f"zip: {kind}"], sample, name, outcome)

    def _neighbours(self, cases: int) -> None:
        owned = self._owned(3 if cases < 1000 else 40)

        def case(number: int, drawn: list[Change]) -> None:
            draw = self._random("neighbours", number)
            unit, others = draw.choice(owned[number % len(owned)])
            style = fuzz_neighbours.style(draw)
            if unit.path and draw.random() < 0.5:
                record, kinds = unit.structure(drawn, style), [c.kind for c in drawn]
            else:
                record, kinds = unit.bytes(draw, style)
            name = unit.sample.importer
            outcome = self._bench.run(unit.sample, unit.replaced(record, style), name)
            if not outcome.broken and not others.items() <= outcome.hashes.items():
                what = "file" if not unit.path else "record"
                outcome.broken.append(f"{name}: a damaged {what} costs its neighbours")
            self._count("neighbours", kinds, unit.sample, name, outcome)

        self._drawn(cases, changes(INSIDE), case)

    def _owned(self, tries: int) -> list[list[tuple[Unit, dict[str, str]]]]:
        """For each sample that has some, records that are a conversation's own."""
        found = []
        for sample in self.samples:
            maybe = list(fuzz_neighbours.units(sample))
            self._random("units", len(found)).shuffle(maybe)
            pairs = [(unit, fuzz_neighbours.others(unit, self._bench)) for unit in maybe[:tries]]
            found.append([(unit, others) for unit, others in pairs if others is not None])
        self.counts.records.update({one[0][0].sample.importer: len(one) for one in found if one})
        return [each for each in found if each]

    def _count(
        self, kind: str, kinds: list[str], sample: Sample, name: str, outcome: Outcome
    ) -> None:
        counts = self.counts
        counts.cases += 1
        counts.by_kind[kind] += 1
        counts.by_format[name if name == "auto" else "forced"] += 1
        counts.changes.update(set(kinds))
        if outcome.report is None:
            counts.refused += not outcome.broken
        else:
            report = outcome.report
            if report.read == 0:
                counts.nothing_read += 1
            counts.conversations.update(
                read=report.read, stored=report.stored, unchanged=report.unchanged,
                updated=report.updated, rejected=report.rejected,
                skipped=sum(report.skipped.values()),
            )  # fmt: skip
        if outcome.seconds > counts.slowest_s:
            counts.slowest_s, counts.slowest = outcome.seconds, f"{kind}: {sample.name} as {name}"
        for law in outcome.broken:
            counts.broken[law] += 1
            examples = counts.examples.setdefault(law, [])
            if len(examples) < _KEPT:
                examples.append(
                    f"{kind} {self.counts.by_kind[kind] - 1}: {sample.name} as {name}: {kinds}"
                )
                self._keep_files(counts.cases, law, examples[-1])

    def _keep_files(self, number: int, law: str, example: str) -> None:
        if self._keep is not None:
            target = self._keep / str(number)
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(self._folder / "case", target)
            (target / "why.txt").write_text(f"{law}\n{example}\n")


def campaign(cases: int, number: int = 0, keep: Path | None = None) -> Counts:
    """Run a campaign of about ``cases`` cases."""
    in_memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # the disk has no part in it
    with tempfile.TemporaryDirectory(dir=in_memory) as folder:
        running = Campaign(Path(folder), number, keep)
        with contextlib.closing(running):
            running.run(cases)
        return running.counts


def told(counts: Counts) -> str:
    """The counts as lines of Markdown."""
    talks = counts.conversations
    grown = counts.peak_mib - counts.base_mib
    lines = [
        f"- cases: {counts.cases:,} ({_listed(counts.by_kind)}; "
        f"format {_listed(counts.by_format)})",
        f"- conversations: {_listed(talks)}; whole exports refused: {counts.refused:,}, "
        f"nothing found in {counts.nothing_read:,}",
        f"- changes: {_listed(counts.changes)}",
        f"- slowest case: {counts.slowest_s:.2f} s ({counts.slowest})",
        f"- memory: {counts.base_mib:.0f} MiB after the samples, "
        f"peak {counts.peak_mib:.0f} MiB (+{grown:.0f})",
        f"- records with neighbours, by importer: {_listed(counts.records)}",
        f"- laws broken: {sum(counts.broken.values())}",
    ]
    for law, times in counts.broken.most_common():
        lines.append(f"  - {times} x {law}")
        lines += [f"    - {example}" for example in counts.examples[law]]
    return "\n".join(lines)


def _listed(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counter.most_common())


def main() -> int:
    """Run a campaign from the command line; 1 if a law was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for the files of broken cases")
    parser.add_argument("--json", action="store_true", help="print the counts as JSON")
    wanted = parser.parse_args()
    # where even the alarm is not heard, the process tells where it stands, and ends
    faulthandler.dump_traceback_later(_BACKSTOP_S + wanted.cases, exit=True)
    warnings.simplefilter("error")
    counts = campaign(wanted.cases, wanted.seed, wanted.keep)
    print(json.dumps(vars(counts)) if wanted.json else told(counts))
    return 1 if counts.broken else 0


if __name__ == "__main__":
    sys.exit(main())
