"""How a pod is started: one command line and its variables, in which nothing is secret.

The command ends the pod whatever becomes of what it started: see :mod:`train.launchers.pod_boot`.
"""

import base64
import math
import re
import zlib
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple

from train.launchers import pod_boot
from train.launchers.carriers import CarrierError
from train.launchers.runpod_models import MARK
from train.plan import TrainPlan

_SECRET = re.compile(r"[A-Za-z0-9_]+")
_TOKEN = re.compile(r"(hf|rpa|api_org)_[A-Za-z0-9]{20,}")
# the last upload has at most this share of the time, and at most this long
RESERVE_SHARE, RESERVE_S = 0.1, 900.0


class Limits(NamedTuple):
    """When a pod ends itself, whoever still watches.

    Attributes:
        max_s: after its container has started.
        dead_by: by the time of day, counting what came before; None: not looked at.
        usd_per_hour: what it costs; with ``max_usd`` another limit of its time.
        max_usd: what it may cost; None: no limit.
        stall_s: without a sign of progress; None: as the plan says.
        reserve_s: kept back for the last upload; None: a tenth, a quarter of an hour at most.
    """

    max_s: float
    dead_by: datetime | None = None
    usd_per_hour: float = 0.0
    max_usd: float | None = None
    stall_s: float | None = None
    reserve_s: float | None = None


class CarrierSetting(NamedTuple):
    """Which carrier, as the pod must be told.

    Attributes:
        place: as for :func:`train.launchers.carrier_open.open_carrier`, with the pod's paths.
        bundle_sha256: of the archive that lies there as ``bundle.tar``.
        secret: name of RunPod's secret that holds the Hub's token; None where none is needed.
        endpoint: of the Hub, where it is not its own.
    """

    place: str
    bundle_sha256: str
    secret: str | None = None
    endpoint: str | None = None


def pod_environment(
    plan: TrainPlan,
    attempt: int,
    limits: Limits,
    carrier: CarrierSetting,
    *,
    gpus: int | None = None,
    end: Literal["terminate", "stop"] = "terminate",
    install: bool = True,
) -> dict[str, str]:
    """The variables of a pod.

    Args:
        plan: what it runs.
        attempt: of the run.
        limits: when it ends itself.
        carrier: by which files travel.
        gpus: how many cards it must see; left out: as many as the plan has processes on cards.
        end: what it does with itself.
        install: whether it may install what its image lacks.

    Raises:
        CarrierError: the secret's name is none.
        ValueError: a pod without a limit.
    """
    if not 0 < limits.max_s < math.inf:
        raise ValueError("a pod must have a limit")
    if gpus is None:
        gpus = plan.processes if plan.device.kind == "cuda" else 0
    told = {
        "RUN": plan.run_id,
        "ATTEMPT": str(attempt),
        "CARRIER": carrier.place,
        "BUNDLE": carrier.bundle_sha256,
        "GPUS": str(gpus),
        "MAX_S": f"{_allowed_s(limits):g}",
        "LIMIT": "max-usd" if _allowed_s(limits) < limits.max_s else "max-hours",
        "RESERVE_S": f"{_reserve_s(limits):g}",
        "STALL_S": f"{limits.stall_s or plan.stall_s:g}",
        "END": end,
        "INSTALL": "yes" if install else "no",
    }
    if limits.dead_by is not None:
        told["DEAD_BY"] = str(int(limits.dead_by.timestamp()))
    found = {f"{MARK}{name}": value for name, value in told.items()}
    if carrier.secret is not None:
        if not _SECRET.fullmatch(carrier.secret) or _TOKEN.match(carrier.secret):
            # it may be the token itself: it is not repeated
            raise CarrierError(
                "what was given as the name of RunPod's secret is no name",
                "save the token there under a name of letters, and give the name",
            )
        found["HF_TOKEN"] = f"{{{{ RUNPOD_SECRET_{carrier.secret} }}}}"
    if carrier.endpoint is not None:
        found["HF_ENDPOINT"] = carrier.endpoint
    return found


def _allowed_s(limits: Limits) -> float:
    if limits.max_usd is None or limits.usd_per_hour <= 0:
        return limits.max_s
    return max(1.0, min(limits.max_s, limits.max_usd / limits.usd_per_hour * 3600))


def _reserve_s(limits: Limits) -> float:
    if limits.reserve_s is not None:
        return limits.reserve_s
    return min(RESERVE_S, RESERVE_SHARE * _allowed_s(limits))


def pod_args(python: str = "python3") -> str:
    """The start command: the boot program three times, of which two only end the pod.

    The first stands by until the limit, in case that the others hang. The second does the run. The
    third ends the pod once the second is over, also where it was killed.

    Args:
        python: the image's, 3.11 or newer.
    """
    source = Path(pod_boot.__file__).read_bytes()
    packed = base64.b64encode(zlib.compress(source, 9)).decode("ascii")
    unpack = "import sys,base64,zlib;exec(zlib.decompress(base64.b64decode(sys.argv[1])))"
    boot = f'{python} -c "{unpack}" $B'
    until_ended = f"until {boot} end; do sleep 10; done"
    return f"sh -c 'B={packed}; ({boot} guard || {until_ended}) & {boot} run; {until_ended}'"
