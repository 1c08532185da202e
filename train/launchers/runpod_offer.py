"""What RunPod has for a run: the cards that fit it and its limits, with time and cost."""

from collections.abc import Callable, Collection
from typing import NamedTuple

from ingest.errors import SpecError, UserError
from train.device import Device
from train.gpus import Card, known_card
from train.launchers.runpod_api import RunPod
from train.launchers.runpod_choose import Candidate, Choice, NoCardError, Wish, choose
from train.launchers.runpod_models import GpuType
from train.plan import TrainPlan
from train.spec import RunpodSpec

# planning for a card takes seconds; dearer cards than the six cheapest rarely come out first
_PLANNED = 6
PlanFor = Callable[[Device, float], TrainPlan]
"""Plans the run on a device at a price in US dollars an hour."""


class Offer(NamedTuple):
    """A card, and the run as it would be on it.

    Attributes:
        candidate: what would be asked for, with time and cost.
        plan: the run there.
    """

    candidate: Candidate
    plan: TrainPlan


class Offers(NamedTuple):
    """What may be rented.

    Attributes:
        offers: best first.
        unfit: why each other card is none, by name.
    """

    offers: list[Offer]
    unfit: dict[str, str]


def find_offers(api: RunPod, settings: RunpodSpec, cards: int, plan_for: PlanFor) -> Offers:
    """Plan a run for the cheapest cards that its limits allow.

    Args:
        api: RunPod.
        settings: the limits.
        cards: in one machine.
        plan_for: plans the run.

    Raises:
        NoCardError: nothing fits.
        RunPodError: the catalogue cannot be had.
    """
    if settings.cpu is not None:
        one = cpu_candidate(api, settings)
        device = Device(kind="cpu", name=f"{one.name}, {settings.vcpus} vCPUs")
        return Offers([Offer(one, plan_for(device, one.usd_per_hour))], {})
    choice = _chosen(api, settings, cards, memory_gib=0.0)
    found: list[Offer] = []
    unfit = dict(choice.unfit)
    planned = 0
    for candidate in choice.required():
        card = known_card(candidate.gpu_id) or known_card(candidate.name)
        if card is None or planned == _PLANNED:
            unfit[candidate.name] = "its speed is not known" if card is None else "dearer"
            continue
        planned += 1
        made = _offer(candidate, card, plan_for, settings)
        if isinstance(made, str):
            unfit[candidate.name] = made
        else:
            found.append(made)
    if not found:
        Choice([], unfit).required()
    return Offers(sorted(found, key=_cost), unfit)


def _offer(
    candidate: Candidate, card: Card, plan_for: PlanFor, settings: RunpodSpec
) -> Offer | str:
    device = card.device().model_copy(update={"memory_gib": candidate.memory_gib})
    try:
        plan = plan_for(device, candidate.usd_per_hour)
    except UserError as error:
        return error.message
    if plan.peak is not None and not plan.peak.fits:
        return f"{plan.peak.peak_gib:.1f} GiB needed, {candidate.memory_gib:.1f} GiB there"
    seconds = plan.estimate.seconds if plan.estimate else None
    if seconds is None:
        return Offer(candidate, plan)
    hours = seconds / 3600 + Wish(0.0, 0.0).hours_besides
    usd = hours * candidate.usd_per_hour
    if hours > settings.max_hours:
        return f"would take {hours:.1f} h of {settings.max_hours:g} h allowed"
    if usd > settings.max_usd:
        return f"would cost ${usd:.2f} of ${settings.max_usd:.2f} allowed"
    return Offer(candidate._replace(hours=hours, usd=usd), plan)


def _cost(one: Offer) -> tuple[float, float]:
    usd = one.candidate.usd
    return (0.0 if usd is not None else 1.0, usd if usd is not None else one.candidate.usd_per_hour)


def candidates_now(
    api: RunPod,
    settings: RunpodSpec,
    plan: TrainPlan,
    *,
    last: Collection[str] = (),
    above_gib: float = 0.0,
) -> list[Candidate]:
    """The cards free now on which a planned run can be done as it is planned, best first.

    Args:
        api: RunPod.
        settings: the limits.
        plan: the run.
        last: types that failed it: they are asked for after all others.
        above_gib: only cards with more memory than this.

    Raises:
        NoCardError: there is none.
        RunPodError: the catalogue cannot be had.
    """
    if settings.cpu is not None:
        return [cpu_candidate(api, settings)]
    peak = plan.peak
    need = peak.peak_gib * (1 + peak.expected_error) if peak else plan.device.memory_gib or 0.0
    # the plan was made for a card on which it fits
    need = min(need, plan.device.memory_gib or need)
    choice = _chosen(api, settings, plan.processes, memory_gib=need, seconds=_scaled(plan))
    found = [one for one in choice.candidates if one.memory_gib > above_gib]
    if not found:
        larger = {one.name: f"{one.memory_gib:.1f} GiB are too little" for one in choice.candidates}
        Choice([], choice.unfit | larger).required()
    return sorted(found, key=lambda one: one.gpu_id in last)


def cpu_candidate(api: RunPod, settings: RunpodSpec) -> Candidate:
    """The CPU flavour that the settings name.

    Raises:
        NoCardError: it is not offered, or dearer than allowed.
    """
    flavour = next((one for one in api.cpu_types() if one.id == settings.cpu), None)
    if flavour is None or not flavour.vcpu.min <= settings.vcpus <= flavour.vcpu.max:
        raise NoCardError(
            f"RunPod offers no {settings.cpu} with {settings.vcpus} vCPUs",
            "name another flavour or size in [runpod]",
        )
    price = round(flavour.price.secure_per_vcpu * settings.vcpus, 4)
    if price > settings.max_usd_per_hour:
        raise NoCardError(
            f"{flavour.id} costs ${price:.2f} an hour of ${settings.max_usd_per_hour:.2f} allowed",
            "raise max_usd_per_hour, or take fewer vcpus",
        )
    places = _places(api, settings)
    return Candidate(flavour.id, flavour.name, 0, settings.cloud, places, price, 0.0,
                     flavour.availability or "LOW")  # fmt: skip


def _chosen(
    api: RunPod,
    settings: RunpodSpec,
    cards: int,
    *,
    memory_gib: float,
    seconds: Callable[[GpuType], float | None] = lambda _: None,
) -> Choice:
    wish = Wish(
        memory_gib=memory_gib,
        max_usd_per_hour=settings.max_usd_per_hour,
        cards=cards,
        cloud=settings.cloud,
        gpus=tuple(settings.gpus),
        data_centers=_places(api, settings),
    )
    return choose(api.gpu_types(cloud=settings.cloud, count=cards), wish, seconds)


def _places(api: RunPod, settings: RunpodSpec) -> tuple[str, ...]:
    """Where pods may be; a volume's pods only where it is."""
    if settings.volume is None:
        return tuple(settings.data_centers)
    volume = next((one for one in api.volumes() if one.id == settings.volume), None)
    if volume is None:
        raise SpecError(
            f"{settings.volume}: this account has no such network volume",
            "look it up in RunPod's console, Storage",
        )
    if settings.data_centers and volume.data_center not in settings.data_centers:
        raise SpecError(
            f"{settings.volume} lies in {volume.data_center}, which data_centers does not name",
            f"add {volume.data_center}, or leave data_centers out",
        )
    return (volume.data_center,)


def _scaled(plan: TrainPlan) -> Callable[[GpuType], float | None]:
    """The plan's forecast of time on other cards, by their rates."""
    here = known_card(plan.device.name)

    def seconds(gpu: GpuType) -> float | None:
        there = known_card(gpu.id) or known_card(gpu.name)
        if plan.estimate is None or here is None or there is None:
            return None
        return plan.estimate.seconds * here.tflops / there.tflops

    return seconds
