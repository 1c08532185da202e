"""Where a step does not fit: which single change makes it fit, the cheapest first."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from train.memory import Forecast, forecast
from train.memory_setup import StepSetup

_SHORTEST = 256  # tokens: below it rows of a chat are cut more than trained
_ROUND = 64

# one kind of change: its cost in words, and the setups it leads to, the mildest first
_Kind = tuple[str, list[StepSetup]]
Forecaster = Callable[[StepSetup], Forecast]


class Fix(BaseModel):
    """A change of the step, with its forecast."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    change: str = Field(description="what is changed, as it would be written in a train spec")
    costs: str = Field(description="what the change costs")
    setup: StepSetup = Field(description="the step after the change")
    grad_accumulation: int = Field(description="forward passes per step that keep the batch's size")
    forecast: Forecast = Field(description="of the step after the change")
    fits: bool = Field(description="whether it fits, its expected error included")


def single_changes(
    config: Mapping[str, Any],
    setup: StepSetup,
    memory_gib: float,
    *,
    grad_accumulation: int,
    forecast_of: Forecaster | None = None,
) -> Iterator[Fix]:
    """Each kind of change by itself, the cheapest first: the mildest that fits, else the strongest.

    Lazy: each costs a few forecasts of one to four CPU seconds.

    Args:
        config: the content of the model's ``config.json``.
        setup: the step that does not fit.
        memory_gib: of the device.
        grad_accumulation: forward passes per step now.
        forecast_of: the forecast of a step; left out: ``train.memory``'s.

    Raises:
        ForecastError: as for :func:`train.memory.forecast`.
    """
    rows = setup.micro_batch * grad_accumulation
    asked = forecast_of or partial(forecast, config)
    for costs, ways in _kinds(setup):
        made = _mildest(ways, asked, memory_gib)
        yield _fix(setup, made, costs, rows, memory_gib)


def cheapest_fix(
    config: Mapping[str, Any],
    setup: StepSetup,
    memory_gib: float,
    *,
    grad_accumulation: int,
    forecast_of: Forecaster | None = None,
) -> Fix | None:
    """The cheapest single change that fits; where none does, the fewest of them together.

    Together they are taken in their order, each as strong as it goes.

    Args:
        config: the content of the model's ``config.json``.
        setup: the step that does not fit.
        memory_gib: of the device.
        grad_accumulation: forward passes per step now.
        forecast_of: the forecast of a step; left out: ``train.memory``'s.

    Returns:
        None where not even all changes together fit.
    """
    asked = forecast_of or partial(forecast, config)
    alone = single_changes(
        config, setup, memory_gib, grad_accumulation=grad_accumulation, forecast_of=asked
    )
    fitting = next((fix for fix in alone if fix.fits), None)
    if fitting is not None:
        return fitting
    rows = setup.micro_batch * grad_accumulation
    kinds = list(_kinds(setup))
    strongest = [ways[-1] for _, ways in kinds]
    together = list(accumulate(strongest, _also(setup), initial=setup))[1:]
    # each step may undo what the one before it did (nf4 after int8): look at all, in order
    for count, way in enumerate(together, start=1):
        made = asked(way)
        if made.fits(memory_gib):
            costs = "; ".join(dict.fromkeys(cost for cost, _ in kinds[:count]))
            return _fix(setup, made, costs, rows, memory_gib)
    return None


def _kinds(setup: StepSetup) -> Iterator[_Kind]:
    def changed(**values: Any) -> StepSetup:
        return StepSetup.model_validate({**setup.model_dump(), **values})

    parts = [n for n in range(setup.micro_batch - 1, 0, -1) if setup.micro_batch % n == 0]
    if parts:
        yield (
            "nothing but a little speed: the same rows per step",
            [changed(micro_batch=n, accumulates=True) for n in parts],
        )
    if not setup.checkpointing:
        yield (
            "about a third more time: the same results",
            [changed(checkpointing=True)],
        )
    if setup.device == "cuda":
        if setup.optimiser == "adamw":
            yield "optimiser states are rounded to 8 bit", [changed(optimiser="paged_adamw_8bit")]
        if setup.lora is not None and setup.quantization is None:
            yield "time, and base weights rounded to 8 bit", [changed(quantization="int8")]
        if setup.lora is not None and setup.quantization != "nf4":
            yield "time, and base weights rounded to 4 bit", [changed(quantization="nf4")]
    lengths = _shorter(setup.max_length)
    if lengths:
        yield (
            "data: longer conversations are cut or left out",
            [changed(max_length=n) for n in lengths],
        )


def _shorter(length: int) -> list[int]:
    shares = (length * eighths // 8 // _ROUND * _ROUND for eighths in (6, 4, 3, 2, 1))
    return [n for n in shares if _SHORTEST <= n < length]


def _mildest(ways: Sequence[StepSetup], forecast_of: Forecaster, memory_gib: float) -> Forecast:
    """The first that fits, found by halving: each needs less than the one before it."""
    known: dict[int, Forecast] = {}

    def fits(at: int) -> bool:
        known[at] = forecast_of(ways[at])
        return known[at].fits(memory_gib)

    at = min(bisect_left(range(len(ways)), True, key=fits), len(ways) - 1)
    return known[at] if at in known else forecast_of(ways[at])


def _also(before: StepSetup) -> Callable[[StepSetup, StepSetup], StepSetup]:
    """Takes over into the first what the second changes."""

    def joined(done: StepSetup, further: StepSetup) -> StepSetup:
        changes = {
            name: value
            for name, value in further.model_dump().items()
            if value != before.model_dump()[name]
        }
        return StepSetup.model_validate({**done.model_dump(), **changes})

    return joined


def _fix(before: StepSetup, made: Forecast, costs: str, rows: int, memory_gib: float) -> Fix:
    after = made.setup
    accumulation = rows // after.micro_batch
    named = {
        "micro_batch": after.micro_batch,
        "checkpointing": after.checkpointing,
        "optimiser": after.optimiser,
        "quantization": after.quantization,
        "max_length": after.max_length,
    }
    old = before.model_dump()
    told = [f"{name} = {_toml(value)}" for name, value in named.items() if value != old[name]]
    if after.micro_batch != before.micro_batch:
        told.insert(1, f"grad_accumulation = {accumulation}")
    return Fix(
        change=", ".join(told),
        costs=costs,
        setup=after,
        grad_accumulation=accumulation,
        forecast=made,
        fits=made.fits(memory_gib),
    )


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
