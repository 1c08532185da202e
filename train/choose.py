"""What a spec leaves open, decided from the forecast of memory. Pure: the forecast is handed in.

From a baseline that is known to run, up as far as memory allows or down until it fits. What the
user wrote is never changed, and the rows of an optimiser step stay the same whatever is chosen.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from train.batch import split_batch
from train.decisions import PACKED, Decisions
from train.device import Device
from train.lengths import needed_length
from train.memory import Forecast
from train.memory_fix import Fix
from train.memory_setup import StepSetup
from train.spec import TrainSpec

# a configuration that ran on every card it was tried on; what is left open starts from it
BASELINE_LENGTH = 2048
# no fused attention with gradients there: memory grows with the square of the length
BASELINE_LENGTH_MPS = 1024
_MICRO_BATCHES = (2, 4, 8, 16)
# with so many tokens in a pass a card is busy, and more only take memory
_FULL_PASS = 16_384

Forecaster = Callable[[StepSetup], Forecast]
Fixer = Callable[[StepSetup, int], Fix | None]


class Rows(NamedTuple):
    """What is known of the rows before they are cut.

    Attributes:
        longest: tokens of the longest row of the train split.
        longest_any: of any split.
        mean: tokens of a row of the train split.
        limit: positions the model has, if known.
        pairs: whether a row is a preference pair, and lengths are those of its longer sequence.
    """

    longest: int
    longest_any: int
    mean: float
    limit: int | None = None
    pairs: bool = False


class Choice(NamedTuple):
    """What was decided.

    Attributes:
        setup: the worst batch; its length is that of the longest row.
        grad_accumulation: forward passes per step.
        max_length: tokens per row at most.
        decisions: each in a sentence.
        forecast: of ``setup``, where there is one.
        fits: whether it fits, where memory is known.
        fix: what would make it fit, where it does not.
        packing: whether the rows of a pass stand end to end, without padding.
    """

    setup: StepSetup
    grad_accumulation: int
    max_length: int
    decisions: list[str]
    forecast: Forecast | None = None
    fits: bool | None = None
    fix: str | None = None
    packing: bool = False


def choose(
    spec: TrainSpec,
    device: Device,
    rows: Rows,
    *,
    forecast_of: Forecaster | None = None,
    fix_of: Fixer = lambda _setup, _accumulation: None,
    bitsandbytes: bool = True,
    flash_attention: bool = False,
) -> Choice:
    """Decide what the spec leaves open.

    Args:
        spec: what is asked; ``train.refusals`` has passed it.
        device: where it will run, with the memory it has, if known.
        rows: how long the rows are.
        forecast_of: peak memory of a step; None where it cannot be forecast.
        fix_of: what would make a step fit that does not; asked with the step and its accumulation.
        bitsandbytes: whether quantised layers can be used there.
        flash_attention: whether its kernels, which keep rows end to end apart, are there.

    Raises:
        ForecastError: the step cannot run.
    """
    made = _Chooser(spec, device, rows, forecast_of, fix_of, bitsandbytes).choice()
    if spec.packing is not None:
        return made._replace(packing=spec.packing)
    able = flash_attention and made.setup.precision == "bf16" and not rows.pairs
    if not able:
        return made
    return made._replace(packing=True, decisions=[*made.decisions, PACKED])


class _Way(NamedTuple):
    """One kind of growth.

    Attributes:
        subject: what is decided.
        changes: of the step, each further than the one before it.
        why: the sentence about it; takes ``passes`` and ``size``.
    """

    subject: str
    changes: list[dict[str, Any]]
    why: str

    @property
    def most(self) -> dict[str, Any]:
        """The furthest change."""
        return self.changes[-1]


class _Chooser:
    """Holds the step as decided so far, and the sentences about it."""

    def __init__(
        self,
        spec: TrainSpec,
        device: Device,
        rows: Rows,
        forecast_of: Forecaster | None,
        fix_of: Fixer,
        bitsandbytes: bool,
    ) -> None:
        self.spec = spec
        self.device = device
        self.rows = rows
        self.forecast_of = forecast_of
        self.fix_of = fix_of
        self.fix: str | None = None
        micro_batch, accumulation = split_batch(spec)
        self.batch = micro_batch * accumulation
        self.told = Decisions(spec, device, self.batch, "pairs" if rows.pairs else "rows")
        self.open_batch = spec.micro_batch is None and spec.grad_accumulation is None
        self.needed = needed_length(rows.longest_any, rows.limit)
        baseline = BASELINE_LENGTH_MPS if device.kind == "mps" else BASELINE_LENGTH
        self.max_length = spec.max_length or min(self.needed, baseline)
        lora = spec.lora if spec.method == "lora" else None
        self.open_quantization = spec.quantization == "auto" and device.kind == "cuda"
        self.open_quantization &= bitsandbytes and lora is not None
        fixed = None if spec.quantization in {"none", "auto"} else spec.quantization
        self.setup = StepSetup(
            lora=lora,
            micro_batch=micro_batch,
            max_length=self._worst(self.max_length),
            # MPS: autocast of half precision does not hold there, so fp32 as on the CPU
            precision="bf16" if device.kind == "cuda" and device.bf16 else "fp32",
            quantization="int8" if self.open_quantization else fixed,
            # on the CPU memory is plenty and time is not
            checkpointing=device.kind != "cpu"
            if spec.checkpointing is None
            else spec.checkpointing,
            optimiser=spec.optimiser,
            device=device.kind,
            accumulates=accumulation > spec.processes,
        )

    def choice(self) -> Choice:
        self.told.start(
            self.setup, open_batch=self.open_batch, open_quantization=self.open_quantization
        )
        made = None if self.forecast_of is None else self.forecast_of(self.setup)
        if made is None or self.device.memory_gib is None:
            self.told.length(self.max_length, self.rows.longest_any, self.rows.limit, None)
            return self._done(made, None)
        if not self._fits(made):
            made = self._shrunk(made)
        if self._fits(made):
            made = self._grown(made)
        fits = self._fits(made)
        self.told.length(self.max_length, self.rows.longest_any, self.rows.limit, fits)
        fix = None if fits else self.fix_of(self.setup, self.batch // self.setup.micro_batch)
        self.fix = fix.change if fix else None
        self.told.fit(made, fits, fix)
        return self._done(made, fits)

    def _done(self, made: Forecast | None, fits: bool | None) -> Choice:
        accumulation = self.batch // self.setup.micro_batch
        return Choice(
            self.setup,
            accumulation,
            self.max_length,
            self.told.sentences,
            made,
            fits,
            self.fix,
        )

    def _worst(self, max_length: int) -> int:
        """Tokens of the longest row that is trained under a maximum length."""
        return max(8, min(max_length, self.rows.longest))

    def _with(self, **changes: Any) -> StepSetup:
        if "micro_batch" in changes:
            passes = self.batch // changes["micro_batch"]
            changes["accumulates"] = passes > self.spec.processes
        return StepSetup.model_validate({**self.setup.model_dump(), **changes})

    def _forecast(self, setup: StepSetup) -> Forecast:
        assert self.forecast_of is not None
        return self.forecast_of(setup)

    def _fits(self, made: Forecast) -> bool:
        assert self.device.memory_gib is not None
        return made.fits(self.device.memory_gib)

    def _take(self, setup: StepSetup) -> Forecast | None:
        """Go over to a step if it fits."""
        made = self._forecast(setup)
        if not self._fits(made):
            return None
        self.setup = setup
        return made

    def _shrunk(self, made: Forecast) -> Forecast:
        """Less and less, each on top of the one before, until it fits."""
        for subject, change, why in self._smaller():
            self.setup = self._with(**change)
            self.told.say(subject, f"{why}: else memory would not do.", self.setup)
            made = self._forecast(self.setup)
            if self._fits(made):
                break
        return made

    def _smaller(self) -> Iterator[tuple[str, dict[str, Any], str]]:
        if self.spec.checkpointing is None and not self.setup.checkpointing:
            yield "checkpointing", {"checkpointing": True}, "checkpointing on, a third more time"
        if self.open_batch and self.setup.micro_batch > 1:
            yield "batch", {"micro_batch": 1}, "{passes}, which costs speed and nothing else"
        if self.open_quantization:
            # int8 keeps every layer's input even with checkpointing: long rows take more than bf16
            why = "quantization none, which takes less than int8 with rows this long"
            yield "quantization", {"quantization": None}, why
            why = "quantization nf4, the base's layers rounded to 4 bit"
            yield "quantization", {"quantization": "nf4"}, why

    def _grown(self, made: Forecast) -> Forecast:
        """As far up as fits: first what costs data, then exactness, then speed."""
        made = self._longer(made)
        ways = [] if self.device.kind == "cpu" else list(self._larger())
        if not ways:
            return made
        # where everything at once fits, nothing between need be asked
        most = self._take(self._with(**{k: v for way in ways for k, v in way.most.items()}))
        if most is not None:
            for way in ways:
                self.told.say(way.subject, way.why, most.setup, most)
            return most
        for way in ways:
            for change in way.changes:
                taken = self._take(self._with(**change))
                if taken is None:
                    break
                made = taken
            if any(self.setup == self._with(**change) for change in way.changes):
                self.told.say(way.subject, way.why, made.setup, made)
        return made

    def _larger(self) -> Iterator["_Way"]:
        if self.open_quantization and self.setup.quantization == "int8":
            why = "quantization none: the base fits without rounding ({size})."
            yield _Way("quantization", [{"quantization": None}], why)
        batches = self._micro_batches()
        if batches:
            why = "{passes}: more rows in a pass fit ({size})."
            yield _Way("batch", [{"micro_batch": n} for n in batches], why)
        if self.spec.checkpointing is None and self.setup.checkpointing:
            why = "checkpointing off: everything kept fits ({size}), about a quarter less time."
            yield _Way("checkpointing", [{"checkpointing": False}], why)

    def _micro_batches(self) -> list[int]:
        if not self.open_batch:
            return []
        enough = math.ceil(_FULL_PASS / max(1.0, min(self.rows.mean, self.setup.max_length)))
        made = {split_batch(self.spec, n)[0] for n in _MICRO_BATCHES if n // 2 < enough}
        return sorted(n for n in made if n > self.setup.micro_batch)

    def _longer(self, made: Forecast) -> Forecast:
        """The length that cuts nothing, or the longest below it that fits."""
        if self.spec.max_length is not None or self.needed <= self.max_length:
            return made
        whole = self._take(self._with(max_length=self._worst(self.needed)))
        if whole is not None:
            self.max_length = self.needed
            return whole
        # fewer rows in a pass before shorter rows: that costs speed and no data
        lengths = list(self._between())
        one = 1 if self.open_batch else self.setup.micro_batch
        ways = [self._with(max_length=self._worst(n), micro_batch=one) for n in lengths]
        known = {}

        def fails(at: int) -> bool:
            known[at] = self._forecast(ways[at])
            return not self._fits(known[at])

        at = bisect_left(range(len(ways)), True, key=fails) - 1
        if at < 0:
            return made
        if ways[at].micro_batch < self.setup.micro_batch:
            self.setup = ways[at]
            self.told.say("batch", "{passes}: fewer in a pass, so that longer rows fit.", ways[at])
        self.setup, self.max_length = ways[at], lengths[at]
        return known[at]

    def _between(self) -> Iterator[int]:
        """Lengths from the baseline to what cuts nothing, each twice the one before."""
        length = self.max_length * 2
        while length < self.needed:
            yield length
            length *= 2
        yield self.needed
