"""Time that the tests make: by hand, or faster than it is."""

import threading
import time
from datetime import UTC, datetime, timedelta

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class HandClock:
    """Stands still until somebody sleeps or pushes it.

    Attributes:
        skew_s: how much the time of day is off, as after a jump of the machine's clock.
    """

    def __init__(self) -> None:
        self._now_s = 1000.0
        self._lock = threading.Lock()
        self.skew_s = 0.0

    def monotonic(self) -> float:
        return self._now_s

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self._now_s + self.skew_s)

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._now_s += seconds


class FastClock:
    """The real clock, ``speed`` times as fast."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self._start = time.monotonic()

    def monotonic(self) -> float:
        return 1000.0 + (time.monotonic() - self._start) * self.speed

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.monotonic())

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / self.speed)


class WallClock:
    """The time of day, for programs that look at it themselves."""

    def monotonic(self) -> float:
        return (self.now() - EPOCH).total_seconds()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
