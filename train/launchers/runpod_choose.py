"""Which cards to ask RunPod for, in which order. Pure: catalogue in, candidates out.

The order is by what the run would cost, since a try that finds no machine costs one request; stock
breaks ties. Without a forecast of time it is by price.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from train.gpus import known_card
from train.launchers.runpod_errors import RunPodError
from train.launchers.runpod_models import Cloud, GpuType

_STOCK = {"HIGH": 0, "MEDIUM": 1, "LOW": 2}
# of its nominal memory a card has at least so much for us: a T4 has 14.5 GiB of 16 GB
_USABLE = 0.9


class NoCardError(RunPodError):
    """No card in the catalogue is what is wanted."""


class Wish(NamedTuple):
    """What a machine must be and may cost.

    Attributes:
        memory_gib: of each card, expected error of the forecast included.
        max_usd_per_hour: for the whole pod.
        cards: in one machine.
        cloud: whose machines.
        gpus: only these, by catalogue id or name; empty: any of NVIDIA's.
        data_centers: only these; empty: any.
        max_hours: of the run.
        max_usd: of the run, over all its attempts.
        hours_besides: for starting, downloads and uploads; billed too.
    """

    memory_gib: float
    max_usd_per_hour: float
    cards: int = 1
    cloud: Cloud = "SECURE"
    gpus: tuple[str, ...] = ()
    data_centers: tuple[str, ...] = ()
    max_hours: float | None = None
    max_usd: float | None = None
    hours_besides: float = 0.25


class Candidate(NamedTuple):
    """A card to ask for.

    Attributes:
        gpu_id: as the catalogue names the type.
        name: for people.
        cards: in one machine.
        cloud: whose machines.
        data_centers: where it is free now and allowed; empty: left to RunPod.
        usd_per_hour: for the whole pod, by the list.
        memory_gib: of each card, as torch sees it.
        stock: LOW, MEDIUM or HIGH.
        hours: forecast, starting and uploads included; None where there is none.
        usd: forecast.
    """

    gpu_id: str
    name: str
    cards: int
    cloud: Cloud
    data_centers: tuple[str, ...]
    usd_per_hour: float
    memory_gib: float
    stock: str
    hours: float | None = None
    usd: float | None = None


class Choice(NamedTuple):
    """What came of a catalogue.

    Attributes:
        candidates: best first.
        unfit: why each other card is none, by name.
    """

    candidates: list[Candidate]
    unfit: dict[str, str]

    def required(self) -> list[Candidate]:
        """The candidates.

        Raises:
            NoCardError: there is none.
        """
        if not self.candidates:
            near = [f"{name}: {why}" for name, why in self.unfit.items()][:4]
            raise NoCardError(
                f"RunPod has no card for this run ({'; '.join(near) or 'the catalogue is empty'})",
                "raise max_usd_per_hour, allow other cards or clouds, or wait for stock",
            )
        return self.candidates


Seconds = Callable[[GpuType], float | None]


def choose(catalogue: Sequence[GpuType], wish: Wish, seconds: Seconds = lambda _: None) -> Choice:
    """Rank the cards that a run may use.

    Args:
        catalogue: with availability, asked for with the wish's cloud and cards.
        wish: what a machine must be and may cost.
        seconds: forecast of the training on a card, in seconds; None where there is none.
    """
    found: list[Candidate] = []
    unfit: dict[str, str] = {}
    for gpu in catalogue:
        judged = _candidate(gpu, wish, seconds)
        if isinstance(judged, str):
            unfit[gpu.name] = judged
        else:
            found.append(judged)
    return Choice(sorted(found, key=_order), unfit)


def usable_gib(gpu: GpuType) -> float:
    """GiB of a card that torch sees: by our table, else nine tenths of its nominal size."""
    card = known_card(gpu.id) or known_card(gpu.name)
    # RunPod sells one name in several sizes
    if card is not None and abs(card.nominal - gpu.memory) <= 2:
        return card.memory_gib
    return _USABLE * gpu.memory


def _candidate(gpu: GpuType, wish: Wish, seconds: Seconds) -> Candidate | str:
    price = gpu.price.of(wish.cloud) * wish.cards
    places = _places(gpu, wish)
    refusal = _refusal(gpu, wish, price, places)
    if refusal:
        return refusal
    took = seconds(gpu)
    hours = None if took is None else took / 3600 + wish.hours_besides
    if hours is not None and wish.max_hours is not None and hours > wish.max_hours:
        return f"would take {hours:.1f} h of {wish.max_hours:g} h allowed"
    usd = None if hours is None else hours * price
    if usd is not None and wish.max_usd is not None and usd > wish.max_usd:
        return f"would cost ${usd:.2f} of ${wish.max_usd:.2f} allowed"
    stock = gpu.availability or "LOW"
    if wish.data_centers:
        levels = [place.availability for place in gpu.data_centers if place.id in places]
        stock = min(levels, key=lambda level: _STOCK.get(level, 3))
    return Candidate(
        gpu.id, gpu.name, wish.cards, wish.cloud, places, round(price, 4), usable_gib(gpu), stock,
        hours, usd,
    )  # fmt: skip


def _refusal(gpu: GpuType, wish: Wish, price: float, places: tuple[str, ...]) -> str | None:
    offered = gpu.secure if wish.cloud == "SECURE" else gpu.community
    wanted = {name.casefold() for name in wish.gpus}
    named = bool(wanted & {gpu.id.casefold(), gpu.name.casefold()})
    memory = usable_gib(gpu)
    reasons = {
        "not among the cards asked for": bool(wanted) and not named,
        f"made by {gpu.manufacturer}, which is not tried unless asked for": not wanted
        and gpu.manufacturer != "NVIDIA",
        f"not offered in the {wish.cloud} cloud": not offered or price <= 0,
        f"no machine has {wish.cards} of them": gpu.max_count.of(wish.cloud) < wish.cards,
        f"{memory:.1f} GiB of {wish.memory_gib:.1f} GiB needed": memory < wish.memory_gib,
        f"${price:.2f} an hour of ${wish.max_usd_per_hour:.2f} allowed": price
        > wish.max_usd_per_hour,
        f"none free in {', '.join(wish.data_centers)}": bool(wish.data_centers) and not places,
        "none free now": (gpu.availability or "NONE") == "NONE",
    }
    return next((reason for reason, applies in reasons.items() if applies), None)


def _places(gpu: GpuType, wish: Wish) -> tuple[str, ...]:
    """Where the card is free, fullest stock first, of the places wished for."""
    free = [place for place in gpu.data_centers if place.availability in _STOCK]
    free.sort(key=lambda place: (_STOCK[place.availability], place.id))
    allowed = [place.id for place in free if place.id in wish.data_centers]
    # with no place asked for RunPod may know of machines that came free since
    return tuple(allowed) if wish.data_centers else ()


def _order(one: Candidate) -> tuple[float, float, int, str]:
    # cards with a forecast come first: a price by the hour says nothing about the run's
    known = one.usd is not None
    return (
        0.0 if known else 1.0,
        round(one.usd if one.usd is not None else one.usd_per_hour, 4),
        _STOCK.get(one.stock, 3),
        one.gpu_id,
    )
