"""The account, machines and money behind the RunPod emulator; knows nothing of HTTP."""

import secrets
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from runpod_clocks import EPOCH, HandClock
from runpod_faults import Fate
from runpod_machines import Idle, Machine, Process, Simulated, placed

OVER = ("EXITED", "ERROR", "TERMINATED")
ACTIONS = {
    "PROVISIONING": ["stop", "terminate"],
    "STARTING": ["stop", "terminate"],
    "RUNNING": ["stop", "restart", "terminate"],
    "EXITED": ["start", "terminate"],
    "ERROR": ["start", "terminate"],
    "TERMINATED": [],
}


@dataclass
class Card:
    """A type of card on offer, and how many are free in each data centre."""

    id: str
    name: str
    memory: int
    secure: float
    community: float
    free: dict[str, int]
    max_count: int = 8
    sold_out_at_create: bool = False

    def level(self, count: int, places: list[str] | None = None) -> str:
        free = max((n for dc, n in self.free.items() if not places or dc in places), default=0)
        sets = free // count
        return "NONE" if sets < 1 else "LOW" if sets < 3 else "MEDIUM" if sets < 7 else "HIGH"


def offer() -> list[Card]:
    """A small invented catalogue; names as RunPod writes them."""
    return [
        Card("NVIDIA GeForce RTX 4090", "RTX 4090", 24, 0.69, 0.34, {"US-KS-2": 8, "EU-RO-1": 4}),
        Card("NVIDIA RTX A5000", "RTX A5000", 24, 0.27, 0.16, {"EU-RO-1": 2}),
        Card("NVIDIA A40", "A40", 48, 0.4, 0.35, {"CA-MTL-1": 6}),
        Card("NVIDIA L40S", "L40S", 48, 0.86, 0.79, {"US-KS-2": 4}),
        Card("NVIDIA A100 80GB PCIe", "A100 PCIe", 80, 1.39, 1.19, {"US-KS-2": 3, "EU-RO-1": 1}),
        Card("NVIDIA H100 80GB HBM3", "H100 SXM", 80, 2.69, 2.69, {"US-KS-2": 8}),
    ]


@dataclass
class Charge:
    """A stretch of time for which a pod costs money."""

    start_s: float
    rate: float
    end_s: float | None = None

    def usd(self, now_s: float, low_s: float = 0.0, high_s: float = float("inf")) -> float:
        start, end = max(self.start_s, low_s), min(self.end_s or now_s, now_s, high_s)
        return max(0.0, end - start) / 3600 * self.rate


@dataclass
class PodState:
    """A pod, as the platform knows it."""

    id: str
    body: dict[str, Any]
    fate: Fate
    rate: float
    data_center: str | None
    created_s: float
    folder: Path
    name: str = ""
    status: str = "PROVISIONING"
    changed_s: float = 0.0
    started_s: float | None = None
    machine: Machine | None = None
    charges: list[Charge] = field(default_factory=list)
    log: list[tuple[float, str, str]] = field(default_factory=list)
    looks: int = 0
    lists: int = 0
    key: str = ""

    @property
    def volume(self) -> str | None:
        network = self.body.get("mounts", {}).get("network") or [{}]
        return network[0].get("volumeId")

    @property
    def count(self) -> int:
        return self.body["gpu"].get("count", 1) if "gpu" in self.body else 0


class World:
    """Pods, volumes, stock and money of one account.

    Attributes:
        clock: moves everything.
        folder: pods' disks and volumes lie in it.
        fates: for the next pods, in order.
        program: makes what runs in a pod; by default its args as a process, else nothing.
        secrets: what ``{{ RUNPOD_SECRET_name }}`` stands for.
        on_exit: what a pod is when its program ends: EXITED, ERROR, or started again.
        api_url: what pods are told in ``RUNPOD_API_BASE_URL``.
    """

    def __init__(self, folder: Path, clock: Any = None, balance: float = 100.0) -> None:
        self.clock = clock or HandClock()
        self.folder = folder
        self.balance = balance
        self.cards = offer()
        self.fates: list[Fate] = []
        self.pods: dict[str, PodState] = {}
        self.gone: list[PodState] = []
        self.volumes: dict[str, dict[str, Any]] = {}
        self.secrets: dict[str, str] = {}
        self.program: Callable[[PodState], Machine] = self._process
        self.on_exit = "EXITED"
        self.provisioning_s, self.starting_s = 2.0, 3.0
        self.api_url = ""
        self.lock = threading.RLock()
        self._random = 0

    # -- time --------------------------------------------------------------------------------------

    def now_s(self) -> float:
        return self.clock.monotonic()

    def moment(self, at_s: float) -> datetime:
        return EPOCH + timedelta(seconds=at_s)

    def tick(self) -> None:
        """Let happen what is due."""
        with self.lock:
            for pod in list(self.pods.values()):
                self._move(pod)
            if self.spent() >= self.balance:
                for pod in list(self.pods.values()):
                    if pod.volume is None:
                        self.remove(pod)
                    elif pod.status not in OVER:
                        self._over(pod, "EXITED")

    def _move(self, pod: PodState) -> None:
        now, fate = self.now_s(), pod.fate
        if fate.renamed:
            pod.name = fate.renamed
        if fate.vanishes_s is not None and now >= pod.created_s + fate.vanishes_s:
            self.remove(pod)
            return
        due = pod.changed_s + {"PROVISIONING": self.provisioning_s}.get(pod.status, self.starting_s)
        if pod.status == "PROVISIONING" and fate.stuck != "PROVISIONING" and now >= due:
            self._enter(pod, "STARTING", due)
            due += self.starting_s
        if pod.status == "STARTING" and fate.image_error and now >= due:
            pod.log.append((now, "system", "error pulling image: manifest unknown"))
            pod.changed_s = now
            if fate.image_error == "ERROR":
                self._over(pod, "ERROR")
        elif pod.status == "STARTING" and fate.stuck != "STARTING" and now >= due:
            self._run(pod, due)
        if pod.status == "RUNNING":
            self._look(pod)

    def _look(self, pod: PodState) -> None:
        assert pod.machine is not None
        assert pod.started_s is not None
        ran = self.now_s() - pod.started_s
        for limit, state in ((pod.fate.exits_s, "EXITED"), (pod.fate.errors_s, "ERROR")):
            if limit is not None and ran >= limit:
                pod.fate.exits_s = pod.fate.errors_s = None
                self._over(pod, state)
                return
        status = pod.machine.status()
        if status is None:
            return
        pod.log.append((self.now_s(), "system", f"container exited with status {status}"))
        if self.on_exit == "restart":
            self._run(pod, self.now_s())
        else:
            self._over(pod, self.on_exit)

    def _enter(self, pod: PodState, status: str, at_s: float | None = None) -> None:
        pod.status, pod.changed_s = status, self.now_s() if at_s is None else at_s

    def _run(self, pod: PodState, at_s: float) -> None:
        disk = pod.folder / "disk"
        shutil.rmtree(disk, ignore_errors=True)
        disk.mkdir(parents=True)
        pod.started_s = at_s
        self._enter(pod, "RUNNING", at_s)
        pod.machine = self.program(pod)

    def _process(self, pod: PodState) -> Machine:
        args = pod.body.get("args", "")
        if not args:
            return Idle()
        mounts = {}
        for mount in pod.body.get("mounts", {}).get("network", []):
            mounts[mount["path"]] = self.volume_folder(mount["volumeId"])
        env = {name: placed(value, mounts) for name, value in self.environment(pod).items()}
        say = self.sayer(pod)
        try:
            return Process(placed(args, mounts), env, pod.folder / "disk", say)
        except FileNotFoundError:
            say("exec: no such program")
            return Simulated(lambda: 0.0, say, seconds=0.0, exit_status=127)

    def sayer(self, pod: PodState) -> Callable[[str], None]:
        return lambda line: pod.log.append((self.now_s(), "container", line))

    def environment(self, pod: PodState) -> dict[str, str]:
        """What a container of the pod is given."""
        env = dict(pod.body.get("env", {}))
        for name, secret in self.secrets.items():
            reference = f"{{{{ RUNPOD_SECRET_{name} }}}}"
            env = {key: value.replace(reference, secret) for key, value in env.items()}
        count = 0 if pod.fate.no_gpus else pod.count
        own = {
            "RUNPOD_POD_ID": pod.id,
            "RUNPOD_API_KEY": pod.key,
            "RUNPOD_API_BASE_URL": self.api_url,
            "RUNPOD_DC_ID": pod.data_center or "",
            "RUNPOD_GPU_COUNT": str(count),
        }
        return {**env, **own, **({"RUNPOD_VOLUME_ID": pod.volume} if pod.volume else {})}

    # -- pods --------------------------------------------------------------------------------------

    def make(self, body: dict[str, Any], rate: float, data_center: str | None) -> PodState:
        """A pod, from now on billed."""
        with self.lock:
            fate = self.fates.pop(0) if self.fates else Fate()
            self._random += 1
            id_ = f"pod{self._random:06d}"
            now = self.now_s()
            pod = PodState(
                id_, body, fate, rate * fate.dearer, data_center, now, self.folder / "pods" / id_,
                name=body["name"], changed_s=now, key=f"rpa_pod_{secrets.token_hex(12)}",
            )  # fmt: skip
            pod.charges.append(Charge(now, pod.rate))
            self._take(pod, -1)
            self.pods[id_] = pod
            return pod

    def _take(self, pod: PodState, sign: int) -> None:
        for card in self.cards:
            if "gpu" in pod.body and card.id == pod.body["gpu"]["id"] and pod.data_center:
                card.free[pod.data_center] += sign * pod.count

    def _over(self, pod: PodState, status: str) -> None:
        if pod.machine is not None:
            pod.machine.end()
            pod.machine = None
        self._enter(pod, status)
        # nobody says that a pod in ERROR is free
        if status != "ERROR" and pod.charges and pod.charges[-1].end_s is None:
            pod.charges[-1].end_s = self.now_s()

    def stop(self, pod: PodState) -> None:
        self._over(pod, "EXITED")

    def start(self, pod: PodState) -> None:
        """Onto the same machine, whose cards somebody else may have by now."""
        pod.started_s = None
        self._enter(pod, "PROVISIONING")
        if pod.charges[-1].end_s is not None:
            pod.charges.append(Charge(self.now_s(), pod.rate))

    def restart(self, pod: PodState) -> None:
        if pod.machine is not None:
            pod.machine.end()
        self._run(pod, self.now_s())

    def remove(self, pod: PodState) -> None:
        """Terminate it: its disk is gone, volumes stay."""
        self._over(pod, "TERMINATED")
        self._take(pod, +1)
        for charge in pod.charges:
            charge.end_s = charge.end_s or self.now_s()
        shutil.rmtree(pod.folder, ignore_errors=True)
        self.gone.append(self.pods.pop(pod.id))

    def volume_folder(self, volume_id: str) -> Path:
        folder = self.folder / "volumes" / volume_id
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def close(self) -> None:
        """End everything that runs."""
        with self.lock:
            for pod in list(self.pods.values()):
                self.remove(pod)

    # -- money -------------------------------------------------------------------------------------

    def all_pods(self) -> list[PodState]:
        return [*self.pods.values(), *self.gone]

    def spent(self) -> float:
        now = self.now_s()
        return sum(charge.usd(now) for pod in self.all_pods() for charge in pod.charges)

    def billing(self) -> list[PodState]:
        """Pods that cost money now."""
        return [pod for pod in self.pods.values() if pod.charges[-1].end_s is None]
