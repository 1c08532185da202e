"""What is noted of pods while time passes, and the two places where it is noted."""

from collections import defaultdict
from collections.abc import Callable

from runpod_emulator import Emulator, Exchange, Reply
from runpod_world import PodState

from train.launchers.runpod_api import RunPod
from train.launchers.runpod_lines import PolledLines
from train.launchers.runpod_models import LogLine


class Watched:
    """What was seen of pods while time passed.

    Attributes:
        most: pods that cost money at once, by attempt.
        two_s: seconds with more than one for an attempt.
        overdue_s: seconds past its time that somebody could have ended it in, by pod.
        overdue_usd: what pods cost past their time, whether or not somebody could have.
        spoiled_s: what calls that were made to fail meanwhile may have cost of it.
        too_early: pods that were ended before their files were known to be whole, and why.
    """

    def __init__(self) -> None:
        self.most: dict[str, int] = defaultdict(int)
        self.two_s = 0.0
        self.overdue_s: dict[str, float] = defaultdict(float)
        self.overdue_usd = self.spoiled_s = 0.0
        self.too_early: list[str] = []


class LiveLines(PolledLines):
    """A log that is heard as it is told: also what a pod says just before it ends."""

    def __init__(self, api: RunPod, pod_id: str) -> None:
        super().__init__(api, pod_id)
        self._kept: list[LogLine] = []
        self._closed = False

    def close(self) -> None:
        self._closed = True

    def hear(self) -> None:
        """Take what there is while the pod is still there."""
        if not self._closed:
            self._kept += super().take()

    def take(self) -> list[LogLine]:
        kept, self._kept = self._kept, []
        return kept + super().take()


class WatchedEmulator(Emulator):
    """Tells when a pod is about to be ended, and by whom."""

    before_end: Callable[[PodState, bool], None]

    def _change(self, exchange: Exchange, pod: PodState) -> Reply:
        ends = exchange.route == "terminate" or b'"start"' not in exchange.body
        if ends and not pod.fate.in_cluster:
            own = exchange.headers.get("authorization") == f"Bearer {pod.key}"
            self.before_end(pod, own)
        return super()._change(exchange, pod)
