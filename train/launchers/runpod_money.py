"""What pods cost, and how long one may still run. Pure arithmetic, in seconds and US dollars."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from train.launchers.runpod_models import PodBill

# RunPod's price list, autumn 2026
STOPPED_USD_PER_GB_MONTH = 0.20
VOLUME_USD_PER_GB_MONTH = 0.07
_MONTH_S = 30 * 24 * 3600
# below it two sums are taken for the same: a minute of the dearest pod
_SAME_USD = 0.01


class Caps(NamedTuple):
    """What a run may cost.

    Attributes:
        max_usd_per_hour: price of a pod.
        max_usd: all attempts of a run together; None: no limit.
        max_hours: of one pod; None: no limit.
    """

    max_usd_per_hour: float
    max_usd: float | None = None
    max_hours: float | None = None


def cost_usd(usd_per_hour: float, seconds: float) -> float:
    """What a pod costs in a time."""
    return usd_per_hour * max(0.0, seconds) / 3600


def disk_usd(gigabytes: float, seconds: float, usd_per_gb_month: float) -> float:
    """What a stopped pod's disk or a network volume costs in a time."""
    return gigabytes * usd_per_gb_month * max(0.0, seconds) / _MONTH_S


def allowed_s(
    caps: Caps, *, usd_per_hour: float, spent_usd: float, ran_s: float = 0.0, reserve_s: float = 0.0
) -> float:
    """How long a pod may still run, in seconds; infinite without a limit, 0 where it must end.

    Args:
        caps: the limits.
        usd_per_hour: what the pod costs.
        spent_usd: by all attempts so far, this pod included.
        ran_s: how long this pod has been billed.
        reserve_s: kept back for the last upload and the end.
    """
    if usd_per_hour > caps.max_usd_per_hour * 1.001:
        return 0.0
    left = float("inf")
    if caps.max_hours is not None:
        left = caps.max_hours * 3600 - ran_s
    if caps.max_usd is not None and usd_per_hour > 0:
        left = min(left, (caps.max_usd - spent_usd) / usd_per_hour * 3600)
    return max(0.0, left - reserve_s)


class Difference(NamedTuple):
    """What we counted for a pod, and what RunPod billed.

    Attributes:
        pod_id: the pod.
        ours_usd: by the ledger; 0 for a pod it does not know.
        billed_usd: by RunPod, which knows it by the hour and late; None where it has no record.
    """

    pod_id: str
    ours_usd: float
    billed_usd: float | None

    @property
    def agrees(self) -> bool:
        """Within a cent, or 2 % of the larger."""
        if self.billed_usd is None:
            return self.ours_usd < _SAME_USD
        larger = max(self.ours_usd, self.billed_usd)
        return abs(self.ours_usd - self.billed_usd) <= max(_SAME_USD, 0.02 * larger)


def reconciled(ours_usd: Mapping[str, float], bills: Iterable[PodBill]) -> list[Difference]:
    """The ledger beside the bills, by pod.

    Args:
        ours_usd: what each pod of ours cost, by id.
        bills: RunPod's; pods that are not ours are left out.
    """
    billed: dict[str, float] = {}
    for bill in bills:
        billed[bill.pod_id] = billed.get(bill.pod_id, 0.0) + bill.total_amount
    return [Difference(pod, usd, billed.get(pod)) for pod, usd in sorted(ours_usd.items())]
