"""What the tests of pods share: a planned run of a tiny model, and its pod in the emulator."""

import json
import sys
import time
from pathlib import Path
from typing import Any

from runpod_ground import connected, request
from train_ground import small_spec, small_version, tiny_base

from ingest.files import sha256_file
from ingest.workspace import Workspace
from train.launchers.carrier_folder import FolderCarrier
from train.launchers.pod_bundle import make_bundle
from train.launchers.pod_files import BUNDLE
from train.launchers.pod_start import CarrierSetting, Limits, pod_args, pod_environment
from train.launchers.runpod_models import Mounts, VolumeMount, VolumeRequest
from train.plan import TrainPlan
from train.run import prepare_run

MOUNT = "/workspace"


def planned(folder: Path, **spec: Any) -> TrainPlan:
    workspace = Workspace(folder / "home").create()
    small_version(workspace)
    base = tiny_base(folder / "base")
    return prepare_run(small_spec(base, **spec), workspace, run_id="r1")


class PodGround:
    """An emulator with a volume, on which runs travel."""

    def __init__(self, emulator: Any, api: Any, plan: TrainPlan, bundle: Path) -> None:
        self.emulator, self.api, self.plan = emulator, api, plan
        self.world = emulator.world
        volume = api.create_volume(VolumeRequest(name="v", size=10, data_center="US-KS-2"))
        self.variables: dict[str, str] = {}
        self.mounts = Mounts(network=[VolumeMount(volume_id=volume.id, path=MOUNT)])
        self.carrier = FolderCarrier(self.world.volume_folder(volume.id) / plan.run_id)
        self.carrier.put(bundle, BUNDLE)
        self.place = CarrierSetting(f"folder:{MOUNT}/{plan.run_id}", sha256_file(bundle))

    def launch(self, limits: Limits = Limits(120.0), *, attempt: int = 1, **more: Any) -> Any:  # noqa: B008
        env = pod_environment(self.plan, attempt, limits, self.place, **more)
        # one thread each: the tests share few cores
        env |= {"OMP_NUM_THREADS": "1", **self.variables}
        name = f"turnmill-r1-a{attempt}"
        return self.api.create_pod(
            request(name=name, mounts=self.mounts, env=env, args=pod_args(sys.executable))
        )

    def gone(self, pod: Any, seconds: float = 60.0) -> list[dict[str, Any]]:
        """Wait until the pod has ended itself; its events."""
        until = time.monotonic() + seconds
        while pod.id in self.world.pods:
            assert time.monotonic() < until, self.log(pod.id)
            time.sleep(0.02)
        return self.events(pod.id)

    def log(self, pod_id: str) -> list[str]:
        return [line for pod in self.world.all_pods() if pod.id == pod_id
                for _, _, line in pod.log]  # fmt: skip

    def events(self, pod_id: str) -> list[dict[str, Any]]:
        return [
            json.loads(line.removeprefix("turnmill "))
            for line in self.log(pod_id)
            if line.startswith("turnmill {")
        ]


def bundled(plan: TrainPlan, folder: Path, program: str | None = None) -> Path:
    """The run's archive; with a program instead of the training, if one is given."""
    if program is None:
        return make_bundle(plan, folder / "bundle.tar")
    folder.mkdir(exist_ok=True)
    (folder / "program.py").write_text(program)
    command = [sys.executable, "-S", "more/program.py"]
    out = folder.parent / f"{folder.name}.tar"
    return make_bundle(plan, out, command=command, outputs=["out"], more=folder)


def processes(home: str, words: str) -> list[int]:
    """Those of a pod, by its home and a part of their command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if f"HOME={home}".encode() in environment and words.encode() in command:
            found.append(int(folder.name))
    return found


__all__ = ["PodGround", "bundled", "connected", "planned", "processes"]
