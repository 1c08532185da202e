"""What the RunPod tests share: an emulator, a client in its time, and what a secret looks like."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from runpod_clocks import FastClock, HandClock
from runpod_contract import contract
from runpod_doors import InProcess, running
from runpod_emulator import KEY, Emulator

from train.launchers.runpod_api import RunPod
from train.launchers.runpod_choose import Candidate
from train.launchers.runpod_http import Timing
from train.launchers.runpod_ledger import Ledger
from train.launchers.runpod_models import GpuRequest, PodRequest

CARD = "NVIDIA GeForce RTX 4090"
TOKEN = "hf_ThisIsAHubTokenOfSomebody0123"
QUICK = Timing(timeout_s=1.0, tries=3, backoff_s=0.01, patience_s=5.0)
# where no silence is scripted: a busy machine must not look like one
PATIENT = QUICK._replace(timeout_s=20.0)


def request(**changes: Any) -> PodRequest:
    values = {"name": "turnmill-r-a1", "image": "image:1", "gpu": GpuRequest(id=CARD), **changes}
    return PodRequest(**values)


def candidate(card: str = CARD, price: float = 0.69, **changes: Any) -> Candidate:
    values = {
        "gpu_id": card, "name": card, "cards": 1, "cloud": "SECURE", "data_centers": (),
        "usd_per_hour": price, "memory_gib": 23.5, "stock": "HIGH", **changes,
    }  # fmt: skip
    return Candidate(**values)


def request_for(one: Candidate, marks: Any) -> PodRequest:
    return request(gpu=GpuRequest(id=one.gpu_id, count=one.cards), env={**marks, "HF_TOKEN": TOKEN})


class Ground:
    """An emulator without network or real time, and all that works on it."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.clock = HandClock()
        self.emulator = Emulator(folder / "runpod-world", self.clock, **options)
        self.world, self.faults = self.emulator.world, self.emulator.faults
        self.api = self.client()
        self.ledger = Ledger(folder / "runpod", self.clock)

    def client(self, key: str = KEY, timing: Timing = Timing()) -> RunPod:  # noqa: B008
        transport = InProcess(self.emulator)
        return RunPod(SecretStr(key), clock=self.clock, transport=transport, timing=timing)

    def asked(self, route: str) -> int:
        return sum(exchange.route == route for exchange in self.emulator.exchanges)

    def close(self) -> None:
        self.world.close()
        held(self.emulator)


@contextmanager
def connected(folder: Path, *, speed: float = 20.0, timing: Timing = PATIENT) -> Iterator[Any]:
    """An emulator behind real connections, and a client of it."""
    emulator = Emulator(folder / "world", FastClock(speed))
    with running(emulator) as url, RunPod(SecretStr(KEY), base_url=url, timing=timing) as api:
        yield emulator, api
    held(emulator)


def held(emulator: Emulator) -> None:
    """Every exchange is what RunPod's own document says, where that is given."""
    document = contract()
    if document is not None:
        broken = [error for x in emulator.exchanges for error in document.violations(x)]
        assert broken == []


def everything(error: BaseException) -> str:
    """All that an error can show, with its chain; of our frames also their variables."""
    shown, left = [], [error]
    while left:
        one = left.pop()
        captured = traceback.TracebackException.from_exception(one, capture_locals=True)
        shown += [repr(one), str(one), repr(vars(one)), *captured.format_exception_only()]
        # a test's own frame holds the secrets that it looks for
        ours = [frame for frame in captured.stack if "/tests/" not in frame.filename]
        shown += [f"{frame.line} {frame.locals}" for frame in ours]
        left += [other for other in (one.__cause__, one.__context__) if other is not None]
    return "\n".join(shown)
