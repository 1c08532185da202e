"""What a plan decides, on a cheap forecast: laws over specs, devices and rows; then a real one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_ground import LLAMA_8B, SMALL, TINYLLAMA

from ingest.errors import SpecError
from train.batch import split_batch
from train.choose import Rows, choose
from train.device import Device
from train.memory import GIB, PARTS, Forecast
from train.memory_setup import ImpossibleError
from train.peak import choose_step, forecaster
from train.refusals import refuse_impossible
from train.rendered import RenderedSplit
from train.spec import TrainSpec
from train.tally import SplitCounts

H100 = Device(kind="cuda", name="H100", memory_gib=79.1, bf16=True)
T4 = Device(kind="cuda", name="T4", memory_gib=14.5)
CPU = Device(kind="cpu", name="x86_64", memory_gib=16.0)
MPS = Device(kind="mps", name="Apple GPU", memory_gib=16.0)


def spec(**asked):
    return TrainSpec.model_validate({"dataset": "support", "base_model": "base", **asked})


class Model:
    """A forecast by three plain sums, which counts how often it is asked."""

    def __init__(self, billions=8.0, mib_per_token=0.5):
        self.billions = billions
        self.mib_per_token = mib_per_token
        self.asked = []

    def __call__(self, setup):
        setup.check()
        self.asked.append(setup)
        each = {"int8": 1, "nf4": 0.6, None: 2 if setup.precision == "bf16" else 4}
        tokens = setup.micro_batch * setup.max_length
        kept = self.mib_per_token * 2**20 * (0.1 if setup.checkpointing else 1)
        parts = dict.fromkeys(PARTS, 0)
        parts["weights"] = int(each[setup.quantization] * self.billions * 1e9)
        parts["activations"] = int(tokens * kept)
        parts["optimiser"] = GIB // (1 if setup.optimiser == "adamw" else 4)
        return Forecast(
            setup=setup, parts=parts, moment="forward", phases={}, formula_bytes=None,
            expected_error=0.05, basis="made up",
        )  # fmt: skip


def chosen(device=H100, longest=1500, *, model=None, mean=400.0, limit=None, memory=None, **asked):
    if memory is not None:
        device = device.model_copy(update={"memory_gib": memory})
    rows = Rows(longest, longest, min(mean, longest), limit)
    return choose(spec(**asked), device, rows, forecast_of=model or Model())


def sentence(choice, word):
    return next(one for one in choice.decisions if word in one)


ASKED = st.fixed_dictionaries(
    {},
    optional={
        "micro_batch": st.sampled_from([1, 2, 3, 4, 32]),
        "grad_accumulation": st.sampled_from([1, 4, 6]),
        "max_length": st.sampled_from([64, 1024, 9000]),
        "checkpointing": st.booleans(),
        "quantization": st.sampled_from(["none", "auto", "int8", "nf4"]),
        "optimiser": st.sampled_from(["adamw", "paged_adamw_8bit"]),
        "method": st.sampled_from(["lora", "full"]),
    },
)
DEVICES = st.sampled_from([H100, T4, CPU, MPS])


@given(ASKED, DEVICES, st.floats(1, 200), st.integers(4, 40_000), st.floats(0.1, 30))
def test_law_what_is_asked_is_kept_and_what_is_open_fits_if_anything_does(
    asked, device, memory, longest, billions
):
    device = device.model_copy(update={"memory_gib": memory})
    wanted = spec(**asked)
    try:
        refuse_impossible(wanted, device)
    except SpecError:
        return
    model = Model(billions)
    made = choose(wanted, device, Rows(longest, longest, longest / 3, 32768), forecast_of=model)
    setup = made.setup
    kept = {"micro_batch": setup.micro_batch, "grad_accumulation": made.grad_accumulation,
            "max_length": made.max_length, "checkpointing": setup.checkpointing,
            "optimiser": setup.optimiser}  # fmt: skip
    for name, value in kept.items():
        assert value == asked.get(name, value)
    if asked.get("quantization", "auto") != "auto":
        assert (setup.quantization or "none") == asked["quantization"]
    first, accumulation = split_batch(wanted)
    assert setup.micro_batch * made.grad_accumulation == first * accumulation
    assert made.forecast.setup == setup
    assert made.fits == made.forecast.fits(memory)
    assert setup.max_length == max(8, min(made.max_length, longest))
    if not made.fits:
        # then nothing that is open could have been smaller
        assert setup.checkpointing or asked.get("checkpointing") is False
        assert setup.micro_batch == 1 or {"micro_batch", "grad_accumulation"} & set(asked)
        assert made.max_length <= 2048 or "max_length" in asked
    assert len(model.asked) <= 16


@given(ASKED, DEVICES, st.integers(4, 40_000))
def test_law_without_a_forecast_nothing_is_above_the_baseline(asked, device, longest):
    wanted = spec(**asked)
    made = choose(wanted, device, Rows(longest, longest, longest / 3))
    assert made.forecast is None
    assert made.setup.micro_batch == split_batch(wanted)[0]
    assert made.max_length <= 2048 or "max_length" in asked


def test_a_large_card_takes_everything_up():
    made = chosen(model=Model(billions=1.0))
    assert (made.setup.quantization, made.setup.micro_batch) == (None, 16)
    assert not made.setup.checkpointing
    assert made.grad_accumulation == 1


def test_where_everything_fits_at_once_little_is_asked():
    model = Model(billions=0.1, mib_per_token=0.01)
    chosen(model=model)
    assert len(model.asked) == 2


def test_exactness_comes_before_speed():
    made = chosen(memory=19.0, model=Model(mib_per_token=4.0))
    # 8 billion in bf16 and two rows, no more
    assert (made.setup.quantization, made.setup.micro_batch) == (None, 2)
    assert made.setup.checkpointing


def test_what_does_not_fit_goes_down_in_order():
    model = Model(mib_per_token=8.0)
    assert chosen(memory=11.0, model=model).setup.micro_batch == 1
    smaller = chosen(memory=8.0, model=model).setup
    assert (smaller.micro_batch, smaller.quantization) == (1, "nf4")


def test_the_optimiser_is_never_changed_for_memory():
    assert chosen(memory=2.0).setup.optimiser == "adamw"


def test_what_the_user_wrote_is_kept_and_told_not_to_fit():
    made = chosen(memory=15.0, micro_batch=16, grad_accumulation=1, checkpointing=False)
    assert made.fits is False
    assert made.setup.micro_batch == 16
    assert "does not" in sentence(made, "fit")


def test_on_a_cpu_the_baseline_stays():
    made = chosen(CPU, model=Model(billions=0.01, mib_per_token=0.001))
    assert (made.setup.micro_batch, made.grad_accumulation) == (2, 8)
    assert (made.setup.quantization, made.setup.precision) == (None, "fp32")
    assert not made.setup.checkpointing


def test_on_a_cpu_checkpointing_goes_on_where_memory_needs_it():
    made = chosen(CPU, model=Model(billions=1.0, mib_per_token=6.0))
    assert made.setup.checkpointing
    assert made.fits


def test_an_apple_gpu_has_its_limits():
    made = choose(spec(), MPS, Rows(9000, 9000, 300.0))
    assert (made.setup.precision, made.setup.quantization) == ("fp32", None)
    assert made.max_length == 1024
    assert "mps" in sentence(made, "quantization")


def test_a_card_without_bf16_takes_fp32():
    assert choose(spec(), T4, Rows(100, 100, 50.0)).setup.precision == "fp32"


def test_all_weights_are_never_quantised_unasked():
    made = chosen(method="full", model=Model(billions=0.5))
    assert made.setup.lora is None
    assert made.setup.quantization is None


def test_without_bitsandbytes_nothing_is_quantised():
    rows = Rows(100, 100, 50.0)
    made = choose(spec(), H100, rows, forecast_of=Model(), bitsandbytes=False)
    assert made.setup.quantization is None
    assert "not installed" in sentence(made, "quantization")


def test_the_length_is_the_smallest_multiple_that_cuts_nothing():
    assert chosen(longest=65).max_length == 128
    assert chosen(longest=64).max_length == 64
    assert chosen(longest=9, limit=32).max_length == 32


def test_the_length_goes_beyond_the_baseline_only_where_it_fits():
    assert chosen(longest=9000).max_length == 9024
    assert choose(spec(), H100, Rows(9000, 9000, 300.0)).max_length == 2048
    some = chosen(longest=30_000, memory=11.0, model=Model(mib_per_token=2.0))
    assert 2048 < some.max_length < 30_000
    assert some.fits
    assert some.setup.quantization == "int8"


def test_the_length_stops_where_the_model_does():
    made = chosen(longest=9000, limit=4096)
    assert made.max_length == 4096
    assert "no more positions" in sentence(made, "max_length")


def test_held_out_rows_count_for_the_length_and_not_for_the_memory():
    made = choose(spec(), H100, Rows(100, 1000, 80.0), forecast_of=Model())
    assert made.max_length == 1024
    assert made.setup.max_length == 100


@pytest.mark.parametrize(
    ("device", "asked", "words"),
    [
        (CPU, {"quantization": "nf4"}, "bitsandbytes runs on CUDA only, not on cpu"),
        (MPS, {"optimiser": "adamw_8bit"}, "bitsandbytes runs on CUDA only, not on mps"),
        (H100, {"method": "full", "quantization": "int8"}, "cannot be trained themselves"),
        (H100, {"effective_batch": 10, "micro_batch": 4}, "cannot be divided"),
        (H100, {"effective_batch": 8, "micro_batch": 4, "grad_accumulation": 4}, "is 16"),
    ],
)
def test_what_cannot_run_is_refused(device, asked, words):
    with pytest.raises(SpecError, match=words):
        refuse_impossible(spec(**asked), device)


@pytest.mark.parametrize(
    ("device", "asked", "packed"),
    [(H100, {}, True), (T4, {}, False), (CPU, {}, False), (H100, {"packing": False}, False),
     (CPU, {"packing": True}, True)],
)  # fmt: skip
def test_rows_stand_end_to_end_where_flash_attention_keeps_them_apart(device, asked, packed):
    rows = Rows(100, 100, 50.0)
    assert choose(spec(**asked), device, rows, flash_attention=True).packing is packed


def test_pairs_are_never_packed_unasked():
    rows = Rows(100, 100, 50.0, pairs=True)
    assert not choose(spec(), H100, rows, flash_attention=True).packing


def uncut(longest):
    counts = SplitCounts(
        file="", sha256="", rows=2, tokens=longest, trained_tokens=9, refused={}, rows_cut=0,
        tokens_lost=0, trained_tokens_lost=0,
    )  # fmt: skip
    return {"train": RenderedSplit(counts, [(longest, 9)])}


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning")
class TestReal:
    """On the forecast of real models."""

    def test_the_baseline_of_a_small_model_fits_a_small_card(self):
        asked = spec(micro_batch=2, checkpointing=True, quantization="none")
        made = choose_step(asked, T4, TINYLLAMA, uncut(2000), elsewhere=True)
        assert made.fits
        assert made.forecast.peak_gib < 14.5

    def test_an_8b_goes_down_to_4_bit_on_a_small_card(self):
        card = Device(kind="cuda", name="x", memory_gib=9.0, bf16=True)
        asked = spec(micro_batch=1, checkpointing=True)
        made = choose_step(asked, card, LLAMA_8B, uncut(512), elsewhere=True)
        assert made.setup.quantization == "nf4"
        assert made.fits

    def test_a_fix_is_named_for_what_the_user_fixed(self):
        asked = spec(
            micro_batch=16, grad_accumulation=1, max_length=2048, checkpointing=False,
            quantization="none",
        )  # fmt: skip
        made = choose_step(asked, T4, TINYLLAMA, uncut(2000), elsewhere=True)
        assert made.fits is False
        assert made.fix in sentence(made, "This would")

    def test_a_model_that_cannot_be_forecast_is_planned_all_the_same(self):
        made = choose_step(spec(), H100, {"model_type": "nobody's"}, uncut(500))
        assert made.forecast is None
        assert "not known here" in sentence(made, "Memory is not forecast")

    def test_layers_that_are_not_there_are_refused(self):
        asked = spec(lora={"targets": ["no_such"]})
        with pytest.raises(ImpossibleError, match="no such layer"):
            choose_step(asked, CPU, TINYLLAMA, uncut(100))

    def test_rank_stabilised_and_dora_adapters_are_forecast(self):
        plain = chosen(CPU, model=forecaster(SMALL["llama"]), memory=64.0)
        dora = chosen(CPU, model=forecaster(SMALL["llama"]), memory=64.0, lora={"dora": True})
        assert dora.forecast.parts["adapters"] > plain.forecast.parts["adapters"]


def test_where_int8_takes_more_than_bf16_the_base_is_not_rounded():
    class Kept(Model):
        """As the real one with long rows: int8 keeps what checkpointing would drop."""

        def __call__(self, setup):
            made = super().__call__(setup)
            more = 20 * GIB if setup.quantization == "int8" else 0
            return made.model_copy(update={"parts": {**made.parts, "buffers": more}})

    assert chosen(memory=20, model=Kept()).setup.quantization is None
