"""Batches of rows through the steps of a build, in order and in bounded memory.

Neighbouring parallel steps are done together, by several processes if asked. Before a step that
must have seen every row, the rows go to disk and come back.
"""

import contextlib
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple, TypeVar, cast

import polars as pl

from dataset.manifest import StepReport
from dataset.rows import ROW_SCHEMA, row_digest
from dataset.spool import Spool
from dataset.steps.base import EXAMPLES, Example, SettlingStep, Step, StepResult, TwoPassStep
from ingest.processes import in_order

DIGEST = "row_digest"
"""The column that the flow adds: sha256 of the row, 32 bytes."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, conversations done and conversations in all."""

Item = TypeVar("Item")

Watch = Callable[[int, pl.DataFrame, StepResult], None]
"""Called with a step's number, a batch before it and what it made of it."""


class Stopwatch:
    """CPU seconds of this process, summed over blocks.

    Attributes:
        seconds: so far.
    """

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Count while the block runs."""
        started = time.process_time()
        try:
            yield
        finally:
            self.seconds += time.process_time() - started

    def over(self, items: Iterator[Item]) -> Iterator[Item]:
        """The items; what each takes to come is counted."""
        while True:
            with self.running():
                item = next(items, None)
            if item is None:
                return
            yield item


class Noted(NamedTuple):
    """What a step said of a batch, and the CPU seconds it took."""

    report: StepReport
    seconds: float
    examples: tuple[Example, ...] = ()
    removed: pl.DataFrame | None = None


class Tally:
    """What one step did to all batches so far."""

    def __init__(self, name: str) -> None:
        self.report = StepReport(name=name, rows_in=0, kept=0)
        self.time = Stopwatch()
        self.examples: dict[str, list[Example]] = {}

    def add(self, noted: Noted) -> None:
        """Add a batch."""
        self.report = self.report.plus(noted.report)
        self.time.seconds += noted.seconds
        for example in noted.examples:
            shown = self.examples.setdefault(example.reason, [])
            if len(shown) < EXAMPLES:
                shown.append(example)


class Fold:
    """Several steps over one batch. Pickles if they do."""

    def __init__(self, steps: Sequence[Step], *, digest: bool, watch: Watch | None = None) -> None:
        self.steps = steps
        self.digest = digest
        self.watch = watch

    def __call__(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, list[Noted]]:
        """The batch after the steps, and what each said; those with nothing to do say nothing."""
        noted = []
        for at, step in enumerate(self.steps):
            if not len(frame):
                break
            clock = Stopwatch()
            with clock.running():
                result = step.apply(frame)
            noted.append(Noted(result.report, clock.seconds, result.examples, result.removed))
            if self.watch is not None:
                self.watch(at, frame, result)
            frame = result.frame
        return (with_digests(frame) if self.digest else frame), noted


class Flow:
    """The steps of one build.

    Args:
        steps: made for it.
        workers: processes for parallel steps; fewer than 2 do all of it here.
        watch: sees every batch before and after every step, which takes ``workers=1``.
        on_progress: see :data:`Progress`.

    Attributes:
        tallies: what each step did so far.
        removed: rows for the redaction ledger, on disk as long as the scratch folder is there.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        *,
        workers: int = 1,
        watch: Watch | None = None,
        on_progress: Progress | None = None,
    ) -> None:
        self.steps = steps
        self.tallies = [Tally(step.name) for step in steps]
        self.removed: Spool | None = None
        self._workers = workers
        self._watch = watch
        self._on_progress = on_progress

    def run(
        self, frames: Iterator[pl.DataFrame], scratch: Path
    ) -> Generator[pl.DataFrame, None, None]:
        """What is left of the rows, with :data:`DIGEST`.

        Args:
            frames: of the store.
            scratch: an existing folder for what goes to disk meanwhile.
        """
        self.removed = Spool(scratch / "removed.arrow")
        numbers = range(len(self.steps))
        groups = [(kind, list(group)) for kind, group in groupby(numbers, self._kind)]
        if not groups or groups[-1][0] != "parallel":
            groups.append(("parallel", []))
        for kind, group in groups:
            last = (kind, group) == groups[-1]
            if kind == "parallel":
                frames = self._fused(frames, group, self._workers, digest=last)
            elif kind == "serial":
                frames = self._fused(frames, group, 1, digest=last)
            else:
                for number in group:
                    frames = self._two_pass(frames, number, scratch)
        yield from frames

    def _kind(self, number: int) -> str:
        step = self.steps[number]
        if isinstance(step, TwoPassStep):
            return "two passes"
        return "parallel" if step.parallel else "serial"

    def _fused(
        self, frames: Iterable[pl.DataFrame], numbers: Sequence[int], workers: int, *, digest: bool
    ) -> Iterator[pl.DataFrame]:
        watch = self._watching(numbers) if self._watch is not None else None
        fold = Fold([self.steps[number] for number in numbers], digest=digest, watch=watch)
        for frame, noted in in_order(fold, frames, workers):
            for number, each in zip(numbers, noted, strict=False):
                self.tallies[number].add(each)
                if each.removed is not None and self.removed is not None:
                    self.removed.write(each.removed)
            if len(frame):
                yield frame

    def _watching(self, numbers: Sequence[int]) -> Watch:
        watch = self._watch
        assert watch is not None
        return lambda at, frame, result: watch(numbers[at], frame, result)

    def _two_pass(
        self, frames: Iterator[pl.DataFrame], number: int, scratch: Path
    ) -> Iterator[pl.DataFrame]:
        step = cast(TwoPassStep, self.steps[number])
        clock = self.tallies[number].time
        with Spool(scratch / f"{number}.arrow") as spool:
            for frame in frames:
                with clock.running():
                    step.observe(frame)
                spool.write(frame)
            if isinstance(step, SettlingStep):
                with clock.running():
                    step.settle(spool)
            workers = self._workers if step.parallel else 1
            yield from self._fused(self._again(spool, step), [number], workers, digest=False)

    def _again(self, spool: Spool, step: Step) -> Iterator[pl.DataFrame]:
        done = 0
        for frame in spool:
            yield frame
            done += len(frame)
            if self._on_progress is not None:
                self._on_progress(step.name, done, spool.rows)


def with_digests(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with :data:`DIGEST`."""
    rows = frame.to_arrow().cast(ROW_SCHEMA).to_pylist()
    return frame.with_columns(pl.Series(DIGEST, [row_digest(row) for row in rows], pl.Binary))
