"""When a pod must stop what it does: pure decisions, by clocks that are handed in."""

import math
from dataclasses import dataclass

from train.failures import MAX_HOURS, STALL


@dataclass
class Watch:
    """Knows when a run in a pod must be ended, and why.

    Attributes:
        started_s: when the container started, on a clock that only grows.
        max_s: how long it may run from then on.
        dead_by_s: until when by the time of day, in seconds since 1970.
        reserve_s: kept back of both for the last upload.
        stall_s: without a sign of progress.
        limit: the class of a failure at the limit: whether time or money made it.
        moved_s: when there was progress last; not looked at until :meth:`moved` was called.
    """

    started_s: float
    max_s: float
    dead_by_s: float = math.inf
    reserve_s: float = 0.0
    stall_s: float = 1800.0
    limit: str = MAX_HOURS
    moved_s: float | None = None

    def moved(self, now_s: float) -> None:
        """There was progress."""
        self.moved_s = now_s

    def left_s(self, now_s: float, wall_s: float) -> float:
        """Until the pod must be gone; below 0 it is late.

        Args:
            now_s: on the clock that only grows.
            wall_s: time of day, seconds since 1970.
        """
        return min(self.started_s + self.max_s - now_s, self.dead_by_s - wall_s)

    def verdict(self, now_s: float, wall_s: float) -> str | None:
        """The class of the failure for which work must stop now; None while it may go on."""
        if self.left_s(now_s, wall_s) <= self.reserve_s:
            return self.limit
        if self.moved_s is not None and now_s - self.moved_s >= self.stall_s:
            return STALL
        return None
