"""What a pod's machine must be before anything is started on it. Standard library only."""

import shutil
import subprocess
import time
from collections.abc import Callable, Mapping

from train.failures import CARD, NO_GPU
from train.launchers.pod_failures import PodFailure

# a driver's own share; with more, somebody computes
_HARMLESS_MIB = 512
_LOOKS, _PAUSE_S = 4, 15.0
Query = Callable[[str], list[str] | None]


def nvidia_smi(query: str) -> list[str] | None:
    """Lines of an answer; empty where the driver fails, None where there is no such program."""
    if shutil.which("nvidia-smi") is None:
        return None
    command = ["nvidia-smi", f"--query-{query}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


def cards_wrong(
    asked: int,
    environment: Mapping[str, str],
    query: Query = nvidia_smi,
    sleep: Callable[[float], None] = time.sleep,
) -> PodFailure | None:
    """Why nothing can be trained on the pod's cards; None where it can.

    Args:
        asked: how many there must be; 0: none are needed.
        environment: of the container, with RunPod's own count.
        query: asks the driver.
        sleep: waits between looks at what others still hold.
    """
    if asked == 0:
        return None
    listed = query("gpu=index")
    told = environment.get("RUNPOD_GPU_COUNT", "0")
    seen = len(listed) if listed is not None else int(told) if told.isdecimal() else 0
    if seen < asked:
        return PodFailure(
            NO_GPU,
            f"the pod sees {seen} of {asked} cards",
            "resume it on another machine; nothing is trained on the processor instead",
        )
    held = 0
    for look in range(_LOOKS):
        held = _held_mib(query)
        if held < _HARMLESS_MIB:
            return None
        if look + 1 < _LOOKS:
            # who was here before may not be gone yet
            sleep(_PAUSE_S)
    return PodFailure(
        CARD, f"other programs hold {held} MiB of the pod's cards", "resume it on another machine"
    )


def _held_mib(query: Query) -> int:
    lines = query("compute-apps=used_memory") or []
    return sum(int(line) for line in lines if line.isdecimal())
