"""What a build and its preview have in common: the way of rows from the store into splits."""

import contextlib
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from dataset.flow import Flow, Noted, Progress, Stopwatch, Tally, Watch
from dataset.manifest import DatasetSpec, StepReport
from dataset.placement import Placement
from dataset.preference import WHOLE, Pairing, whole_pairs
from dataset.read import Source, one_row
from dataset.spool import Spool
from dataset.steps.base import StepContext
from dataset.steps.registry import canonical, make, resolve
from ingest.errors import UserError
from ingest.store import Store
from ingest.workspace import Workspace


class BuildError(UserError):
    """A build that has nothing to seal."""


class Assembly:
    """One build on its way.

    Args:
        store: open.
        spec: what is asked.
        workspace: where versions lie.
        workers: processes for the steps that may run in several.
        watch: see :class:`dataset.flow.Flow`.
        on_progress: see :data:`dataset.flow.Progress`.

    Attributes:
        spec: with every option of every step spelled out.

    Raises:
        SpecError: the spec names unknown steps, or options they do not take.
    """

    def __init__(
        self,
        store: Store,
        spec: DatasetSpec,
        workspace: Workspace,
        *,
        workers: int = 1,
        watch: Watch | None = None,
        on_progress: Progress | None = None,
    ) -> None:
        resolved = resolve(spec.steps)
        self.spec = spec.model_copy(update={"steps": canonical(resolved)})
        context = StepContext(store, workspace, spec.seed)
        self.flow = Flow(
            make(resolved, context), workers=workers, watch=watch, on_progress=on_progress
        )
        self._pairing = Pairing() if spec.kind == "preference" else None
        rows_of = one_row if self._pairing is None else self._pairing.rows
        self._whole = Tally(WHOLE)
        self.source = Source(store, spec.where, on_progress, rows_of)
        self.placement = Placement(spec.split, spec.seed, context.stand_ins, self.source.selected())
        self._clocks: dict[str, Stopwatch] = defaultdict(Stopwatch)
        self._started = time.perf_counter()

    def placed(self, scratch: Path) -> Iterator[tuple[pl.DataFrame, pl.Series]]:
        """Batches of rows with their digests, and the name of each row's split.

        Args:
            scratch: an existing folder for what goes to disk meanwhile.
        """
        flowing = self.flow.run(self.clock("reading").over(self.source.frames()), scratch)
        frames = flowing if self._pairing is None else self._whole_pairs(flowing)
        with contextlib.closing(flowing), Spool(scratch / "placed.arrow") as spool:
            if not self.placement.grouped:
                yield from map(self._timed_place, frames)
                return
            for frame in frames:
                with self.clock("split").running():
                    self.placement.observe(frame)
                spool.write(frame)
            with self.clock("split").running():
                self.placement.settle(spool)
            yield from map(self._timed_place, spool)

    def reports(self) -> list[StepReport]:
        """What each step did; decisions by hand come first, then how pairs were made."""
        made = [tally.report for tally in self.flow.tallies]
        if self._pairing is not None:
            made = [self._pairing.report(), *made, self._whole.report]
        by_hand = self.source.curated.report
        return made if by_hand is None else [by_hand, *made]

    def clock(self, what: str) -> Stopwatch:
        """Counts CPU seconds of this process that are spent on something beside the steps."""
        return self._clocks[what]

    def seconds(self) -> dict[str, float]:
        """CPU seconds by step and by :meth:`clock`, and seconds in all."""
        total: dict[str, float] = {}
        for tally in self.flow.tallies:
            name = tally.report.name  # a step may stand in a spec twice
            total[name] = total.get(name, 0.0) + tally.time.seconds
        total |= {what: clock.seconds for what, clock in self._clocks.items()}
        total["build"] = time.perf_counter() - self._started
        return {name: round(seconds, 3) for name, seconds in total.items()}

    def nothing_left(self) -> BuildError:
        """The error for a build that has no rows: which step took the most, and what helps."""
        reports = self.reports()
        if self.source.store.is_empty():
            return BuildError("the store is empty", "import an export first: turnmill import FILE")
        if not len(self.source):
            if self.source.curated.report is not None:
                gone = self.source.curated.report.rows_in
                return BuildError(
                    f"all {gone} conversations are excluded by hand", "see 'turnmill decisions'"
                )
            return BuildError(
                "no conversation fits the spec's 'where'", "run 'turnmill conversations'"
            )
        split = self.placement.report()
        lost = [(each.name, each.rows_in - each.kept, each.dropped) for each in reports]
        lost.append(("split", split.rows_in - split.kept, split.dropped))
        name, _, dropped = max(lost, key=lambda each: each[1])
        reasons = ", ".join(f"{count} {reason}" for reason, count in dropped.items())
        hint = f"step {name} dropped: {reasons}"
        if "no assistant turn" in dropped:
            hint += "; for people's chats choose the assistant: turnmill import --as-assistant NAME"
        return BuildError("no conversation is left after the steps", hint)

    def _whole_pairs(self, frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        for frame in frames:
            result = whole_pairs(frame)
            self._whole.add(Noted(result.report, 0.0, result.examples))
            if len(result.frame):
                yield result.frame

    def _timed_place(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
        with self.clock("split").running():
            return self.placement.place(frame)
