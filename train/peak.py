"""Peak memory and what fits, for a plan: the decisions of ``train.choose`` on the real forecast."""

import importlib.util
from collections.abc import Mapping
from typing import Any

from train.choose import Choice, Forecaster, Rows, choose
from train.device import Device
from train.lengths import positions
from train.memory import Forecast, forecast
from train.memory_fix import Fix, cheapest_fix
from train.memory_setup import ForecastError, ImpossibleError, StepSetup
from train.rendered import SEQUENCES, RenderedSplit
from train.spec import TrainSpec

# share: the loss of preferences and the pass of the reference are not traced themselves. Live
# tensors of that trainer on the CPU are within 1 % where every token but the first counts
_PAIRS_ERROR = 0.05


def choose_step(
    spec: TrainSpec,
    device: Device,
    config: Mapping[str, Any],
    uncut: Mapping[str, RenderedSplit],
    *,
    elsewhere: bool = False,
) -> Choice:
    """Decide what a spec leaves open, with the forecast of the model's real step.

    Must not run beside a live trainer: the trace exchanges functions of torch while it counts.

    Args:
        spec: what is asked.
        device: where it will run.
        config: the content of the base model's ``config.json``.
        uncut: the splits, rendered without a cut.
        elsewhere: whether the run is planned for another machine, whose packages are not known.

    Raises:
        ImpossibleError: the step cannot run.
    """
    longest = {split: max(one.sizes, default=0) for split, one in uncut.items()}
    counts, pairs = uncut["train"].counts, uncut["train"].sides is not None
    mean = counts.tokens / max(1, counts.rows)
    rows = Rows(longest["train"], max(longest.values()), mean, positions(config), pairs)
    forecast_of = pair_forecaster(config) if pairs else forecaster(config)
    bitsandbytes = elsewhere or importlib.util.find_spec("bitsandbytes") is not None
    flash = not elsewhere and importlib.util.find_spec("flash_attn") is not None

    def fix_of(setup: StepSetup, accumulation: int) -> Fix | None:
        assert device.memory_gib is not None
        return cheapest_fix(
            config,
            setup,
            device.memory_gib,
            grad_accumulation=accumulation,
            forecast_of=forecast_of,
        )

    try:
        return choose(
            spec,
            device,
            rows,
            forecast_of=forecast_of,
            fix_of=fix_of,
            bitsandbytes=bitsandbytes,
            flash_attention=flash,
        )
    except ImpossibleError:
        raise
    except ForecastError as error:
        # the run may do well all the same
        made = choose(spec, device, rows, bitsandbytes=bitsandbytes, flash_attention=flash)
        return made._replace(
            decisions=[*made.decisions, f"Memory is not forecast: {error.message}."]
        )


def forecaster(config: Mapping[str, Any]) -> Forecaster:
    """The forecast of a model, as ``train.choose`` asks for it.

    Args:
        config: the content of its ``config.json``.
    """
    from train.load import quiet

    def forecast_of(setup: StepSetup) -> Forecast:
        quiet()
        try:
            return forecast(config, setup)
        except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError,
                ValueError) as error:  # fmt: skip
            # the model's own code under a trace: it may do what a tensor without memory cannot
            raise ForecastError(
                f"a step of {config.get('model_type')} cannot be traced ({type(error).__name__})",
                "the run may do well all the same",
            ) from error

    return forecast_of


def pair_forecaster(config: Mapping[str, Any]) -> Forecaster:
    """The forecast of a step on preference pairs: twice as many sequences as pairs.

    Args:
        config: the content of the model's ``config.json``.
    """
    forecast_rows = forecaster(config)

    def forecast_of(setup: StepSetup) -> Forecast:
        doubled = {
            "micro_batch": SEQUENCES * setup.micro_batch,
            "padded": True if setup.padded is None else setup.padded,
        }
        made = forecast_rows(setup.model_copy(update=doubled))
        return made.model_copy(
            update={
                "setup": setup,
                "expected_error": made.expected_error + _PAIRS_ERROR,
                "basis": f"{made.basis}; both answers of a pair as rows whose every token counts",
            }
        )

    return forecast_of
