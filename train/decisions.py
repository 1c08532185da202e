"""What was decided, in sentences: why a plan has the numbers it has."""

from train.device import Device
from train.lengths import MULTIPLE
from train.memory import Forecast
from train.memory_fix import Fix
from train.memory_setup import StepSetup
from train.spec import TrainSpec

PACKED = "packing: the rows of a pass stand end to end; flash attention keeps them apart."


class Decisions:
    """One sentence for each subject; a later one takes the place of an earlier one.

    Args:
        spec: what is asked: what it fixes needs no sentence.
        device: where it will run.
        batch: rows per optimiser step.
        rows: what they are called.
    """

    def __init__(self, spec: TrainSpec, device: Device, batch: int, rows: str = "rows") -> None:
        self._rows = rows
        self._spec = spec
        self._device = device
        self._batch = batch
        self._told: dict[str, str] = {}

    @property
    def sentences(self) -> list[str]:
        """All of them."""
        return list(self._told.values())

    def say(self, subject: str, why: str, setup: StepSetup, made: Forecast | None = None) -> None:
        """Take down a decision.

        Args:
            subject: ``batch``, ``quantization``, ...
            why: the sentence; may hold ``{passes}`` and, with a forecast, ``{size}``.
            setup: the step as decided so far.
            made: its forecast.
        """
        size = self._size(made) if made else ""
        self._told[subject] = why.format(passes=self._passes(setup), size=size)

    def start(self, setup: StepSetup, *, open_batch: bool, open_quantization: bool) -> None:
        """The baseline, where the spec leaves it open."""
        if open_batch:
            self.say("batch", "{passes}: the stable baseline.", setup)
        if open_quantization:
            self.say("quantization", "quantization int8, the stable baseline: 8 bit.", setup)
        elif self._spec.quantization == "auto":
            self.say("quantization", f"quantization none: {self._unquantised(setup)}.", setup)
        if self._spec.checkpointing is None:
            on = "on, the stable baseline: most activations need no memory"
            off = "off: on a CPU memory is plenty and time is not"
            why = on if setup.checkpointing else off
            self.say("checkpointing", f"checkpointing {why}.", setup)
        self.say("precision", f"precision {self._precision(setup)}.", setup)

    def length(self, max_length: int, longest: int, limit: int | None, fits: bool | None) -> None:
        """Why rows are as long as they are.

        Args:
            max_length: tokens per row at most.
            longest: tokens of the longest row.
            limit: positions the model has, if known.
            fits: whether the step fits, where memory is known.
        """
        if self._spec.max_length is not None:
            if limit is not None and max_length > limit:
                self._told["length"] = (
                    f"max_length {max_length:,} is beyond the {limit:,} positions of the model:"
                    " what it does there was never trained."
                )
            return
        if max_length >= longest:
            why = f"the smallest multiple of {MULTIPLE} that cuts nothing"
        elif max_length == limit:
            why = "the model has no more positions"
        elif fits is None:
            why = "the baseline, as it is not known what memory allows"
        else:
            why = "memory does not allow more"
        self._told["length"] = (
            f"max_length {max_length:,}: {why};"
            f" the longest {self._rows[:-1]} has {longest:,} tokens."
        )

    def fit(self, made: Forecast, fits: bool, fix: Fix | None) -> None:
        """Whether it fits, and what would make it fit."""
        takes = f"the fullest moment takes {self._size(made)}, give or take"
        takes = f"{takes} {made.expected_error:.0%}"
        unsure = "It does not surely fit" if self._below(made) else "It does not fit"
        if fits:
            self._told["fit"] = f"It fits: {takes}."
        elif fix is None:
            self._told["fit"] = (
                f"{unsure}: {takes}. No change of batch, checkpointing, quantization,"
                " optimiser or length makes it fit: take a smaller base model or a larger card."
            )
        else:
            self._told["fit"] = f"{unsure}: {takes}. This would: {fix.change} ({fix.costs})."

    def _passes(self, setup: StepSetup) -> str:
        passes = self._batch // setup.micro_batch
        as_ = f"{passes} passes of {setup.micro_batch}" if passes > 1 else "one pass"
        return f"{self._batch} {self._rows} a step, as {as_}"

    def _below(self, made: Forecast) -> bool:
        return made.peak_gib <= (self._device.memory_gib or 0)

    def _size(self, made: Forecast) -> str:
        return f"{made.peak_gib:.1f} of {self._device.memory_gib:.1f} GiB"

    def _unquantised(self, setup: StepSetup) -> str:
        if self._device.kind != "cuda":
            return f"bitsandbytes does not run on {self._device.kind}"
        return "all weights are trained" if setup.lora is None else "bitsandbytes is not installed"

    def _precision(self, setup: StepSetup) -> str:
        if setup.precision == "bf16":
            return "bf16: the card computes in it by itself"
        if self._device.kind == "cuda":
            return "fp32: the card has no bf16 of its own"
        return f"fp32: the safe one on {self._device.kind}"
