"""Time that goes in steps, and a carrier as one side sees it, with what goes wrong there."""

from collections.abc import Callable, Mapping
from pathlib import Path

from runpod_clocks import HandClock
from runpod_pods import Died

from ingest.errors import UserError
from train.launchers.carrier_folder import FolderCarrier
from train.launchers.carriers import CarrierError

STEP_S = 5.0


class StepClock(HandClock):
    """Goes in small steps while somebody sleeps; everything else acts between them."""

    def __init__(self) -> None:
        super().__init__()
        self.step_s = STEP_S
        self.each_step: Callable[[], None] = lambda: None

    def sleep(self, seconds: float) -> None:
        until = self._now_s + seconds
        while self._now_s < until:
            self._now_s = min(until, self._now_s + self.step_s)
            self.each_step()


class Carried:
    """A carrier as one side sees it, with what goes wrong there.

    Attributes:
        broken_until: until when nothing is put or read, by the clock.
        full: whether nothing more can be put.
        rots: names that arrive with another content, and how often.
        cut_at: how many more files are put before the machine that puts them dies.
        refuses: names that are never put.
    """

    def __init__(self, root: Path, clock: StepClock) -> None:
        self._inner, self._clock = FolderCarrier(root), clock
        self.broken_until = 0.0
        self.full = False
        self.rots: dict[str, int] = {}
        self.cut_at: int | None = None
        self.refuses: set[str] = set()

    def _checked(self) -> None:
        if self._clock.monotonic() < self.broken_until:
            raise UserError("the Hub answered 503", "try again")

    def put(self, local: Path, name: str) -> None:
        self._checked()
        if self.full:
            raise CarrierError(f"{name}: could not be written to the volume: no space left", "")
        if any(name.endswith(end) for end in self.refuses):
            raise CarrierError(f"{name}: could not be written", "")
        if self.cut_at is not None and name.startswith("a"):
            if self.cut_at == 0:
                self.cut_at = None
                raise Died
            self.cut_at -= 1
        self._inner.put(local, name)
        for end, left in self.rots.items():
            if name.endswith(end) and left > 0:
                self.rots[end] -= 1
                file = self._inner.root / name
                data = file.read_bytes()
                file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))

    def put_all(self, files: Mapping[str, Path]) -> None:
        for name, local in files.items():
            self.put(local, name)

    def get(self, name: str, local: Path) -> None:
        self._checked()
        self._inner.get(name, local)

    def names(self) -> dict[str, int]:
        self._checked()
        return self._inner.names()

    def delete(self, name: str) -> None:
        self._checked()
        self._inner.delete(name)
