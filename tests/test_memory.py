"""The memory forecast against real steps, against its formula, and against what users met."""

import json
import os
import subprocess
import sys

import pytest
from memory_ground import (
    GEMMA3_4B,
    LLAMA_8B,
    QWEN3_8B,
    SMALL,
    TINYLLAMA,
    allocator_bytes,
    trainer_bytes,
)

from train.memory import GIB, PARTS, ForecastError, StepSetup, forecast, read_config
from train.memory_fix import cheapest_fix, single_changes
from train.memory_formula import MARGIN
from train.memory_quant_size import int8_bytes, nf4_bytes, states_8bit_bytes
from train.spec import LoraSpec

pytestmark = [
    pytest.mark.torch,
    # trl 1.16 reads names that transformers 5.23 has renamed
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning"),
]

MODELS = {"llama-8b": LLAMA_8B, "qwen3-8b": QWEN3_8B, "gemma3-4b": GEMMA3_4B, "tiny": TINYLLAMA}


def small(**more):
    asked = {"lora": LoraSpec(r=8), "max_length": 256, "device": "cpu"}
    return StepSetup.model_validate({**asked, **more})


REAL = [
    ("llama", "fp32", True, True),
    ("llama", "bf16", False, True),
    ("llama", "bf16", True, False),
    ("qwen3", "fp32", False, False),
    ("qwen3", "bf16", True, True),
    ("gemma3", "bf16", False, True),
    ("gemma3", "fp32", True, False),
]


@pytest.mark.parametrize(("family", "precision", "checkpointing", "padded"), REAL)
def test_the_trace_is_the_trainers_own_step(tmp_path, family, precision, checkpointing, padded):
    setup = small(precision=precision, checkpointing=checkpointing, padded=padded)
    real = trainer_bytes(SMALL[family], setup, tmp_path)
    assert forecast(SMALL[family], setup).tensor_bytes == pytest.approx(real, rel=0.003)


@pytest.mark.parametrize(("family", "precision", "checkpointing", "padded"), REAL)
def test_the_allocator_gives_out_what_was_counted(family, precision, checkpointing, padded):
    setup = small(precision=precision, checkpointing=checkpointing, padded=padded)
    real = allocator_bytes(SMALL[family], setup)
    assert forecast(SMALL[family], setup).tensor_bytes == pytest.approx(real, rel=0.003)


@pytest.mark.parametrize("checkpointing", [True, False])
@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_two_depths_tell_the_third(family, checkpointing):
    from train.memory_model import depth_of, model_config
    from train.memory_trace import trace

    layers = 18
    config = {**SMALL[family], "num_hidden_layers": layers}
    if "layer_types" in config:
        config["layer_types"] = config["layer_types"] * 3
    setup = small(device="cuda", checkpointing=checkpointing)
    assert depth_of(model_config(config)).more < layers
    whole = trace(model_config(config), setup, layers)
    drawn_out = forecast(config, setup).tensor_bytes
    assert drawn_out == pytest.approx(max(peak.total for peak in whole.values()), rel=1e-4)


def test_16_rows_of_4096_without_checkpointing_do_not_fit_140_gb():
    """The settings of the template that ran out of memory on the largest card."""
    for quantization in (None, "int8", "nf4"):
        setup = StepSetup(
            micro_batch=16, max_length=4096, checkpointing=False, quantization=quantization
        )
        made = forecast(LLAMA_8B, setup)
        assert not made.fits(140)
        assert made.tensor_bytes > 3 * 140 * GIB
    tiny = StepSetup(micro_batch=16, max_length=4096, checkpointing=False, quantization="int8")
    assert not forecast(TINYLLAMA, tiny).fits(140)


@pytest.mark.parametrize("config", [LLAMA_8B, QWEN3_8B], ids=["llama", "qwen3"])
def test_the_stable_baseline_fits_24_gib(config):
    baseline = StepSetup(quantization="int8", optimiser="paged_adamw_8bit")
    made = forecast(config, baseline)
    assert (baseline.micro_batch, baseline.max_length, baseline.checkpointing) == (2, 2048, True)
    assert baseline.lora == LoraSpec(r=16, alpha=32, dropout=0.05)
    assert made.fits(24)
    assert not made.fits(12)


SIZES = [(1, 512), (2, 2048), (16, 4096)]
BASES = (None, "int8", "nf4")
# every third: any two values of any two settings meet in one of them; the soak has all
GRID = [
    (name, *size, checkpointing, quantization)
    for at, name in enumerate(MODELS)
    for size in SIZES
    for checkpointing in (True, False)
    for quantization in BASES
    if os.environ.get("TURNMILL_SOAK")
    or (at + SIZES.index(size) + checkpointing + BASES.index(quantization)) % 3 == 0
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "micro_batch", "length", "checkpointing", "quantization"), GRID)
def test_formula_and_trace_agree(name, micro_batch, length, checkpointing, quantization):
    made = forecast(
        MODELS[name],
        StepSetup(
            micro_batch=micro_batch,
            max_length=length,
            checkpointing=checkpointing,
            quantization=quantization,
        ),
    )
    assert made.formula_bytes == pytest.approx(made.tensor_bytes, rel=MARGIN)


OTHERS = [
    {"lora": None},
    {"lora": None, "checkpointing": False},
    {"lora": None, "optimiser": "adamw_8bit"},
    {"lora": LoraSpec(dropout=0), "checkpointing": False},
    {"lora": LoraSpec(dropout=0), "checkpointing": False, "quantization": "nf4"},
    {"lora": LoraSpec(targets=["q_proj", "v_proj"]), "checkpointing": False},
    {"padded": False, "checkpointing": False},
    {"device": "cpu", "precision": "fp32"},
    {"device": "mps", "precision": "fp32", "checkpointing": False},
    {"vocab_size": 130000},
]


@pytest.mark.parametrize("asked", OTHERS, ids=str)
def test_formula_and_trace_agree_off_the_beaten_track(asked):
    made = forecast(LLAMA_8B, StepSetup.model_validate(asked))
    assert made.formula_bytes == pytest.approx(made.tensor_bytes, rel=MARGIN)


def test_every_part_is_told_and_they_add_up():
    made = forecast(QWEN3_8B, StepSetup())
    assert tuple(made.parts) == PARTS
    assert made.peak_bytes == sum(made.parts.values())
    assert made.tensor_bytes == made.phases[made.moment] == max(made.phases.values())
    # 8.19 billion parameters in bf16; 43.6 million in fp32 adapters of rank 16
    assert made.parts["weights"] == pytest.approx(2 * 8.19e9, rel=0.01)
    assert made.parts["adapters"] == made.parts["gradients"] == pytest.approx(4 * 43.6e6, rel=0.01)
    assert made.parts["optimiser"] == pytest.approx(2 * made.parts["adapters"], rel=0.01)


def test_int8_keeps_inputs_that_checkpointing_cannot_drop():
    """bitsandbytes hangs each layer's input on the graph itself."""
    int8, nf4 = (forecast(LLAMA_8B, StepSetup(quantization=kind)) for kind in ("int8", "nf4"))
    inputs = 2 * (4096 + 4096 + 4096 + 14336) * 32 * 2 * 2048
    more = int8.parts["activations"] - nf4.parts["activations"]
    assert more == pytest.approx(inputs, rel=0.05)


def test_quantised_weights_leave_embeddings_and_head_as_they_are():
    weights = forecast(LLAMA_8B, StepSetup(quantization="nf4")).parts["weights"]
    ends = 2 * 2 * 128256 * 4096
    linear = 32 * 4096 * (2 * 4096 + 2 * 1024 + 3 * 14336)
    assert weights - ends == pytest.approx(linear * 4.127 / 8, rel=0.001)


def test_tied_embeddings_are_held_once():
    tied = forecast({**LLAMA_8B, "tie_word_embeddings": True}, StepSetup())
    apart = forecast(LLAMA_8B, StepSetup())
    assert apart.parts["weights"] - tied.parts["weights"] == 2 * 128256 * 4096


def test_added_tokens_widen_both_ends():
    plain, wider = (forecast(LLAMA_8B, StepSetup(vocab_size=size)) for size in (None, 130000))
    assert wider.parts["weights"] - plain.parts["weights"] == 2 * 2 * (130000 - 128256) * 4096


def test_trained_embeddings_cost_their_copies_gradients_and_states():
    plain, trained = (forecast(TINYLLAMA, StepSetup(train_embeddings=on)) for on in (False, True))
    ends = 2 * 32000 * 2048
    more = trained.parts["adapters"] - plain.parts["adapters"]
    assert more == pytest.approx(2 * ends)  # peft leaves them in the base's type
    assert trained.parts["gradients"] - plain.parts["gradients"] == more
    states = trained.parts["optimiser"] - plain.parts["optimiser"]
    assert states == pytest.approx(2 * more, rel=1e-4)


def test_8_bit_states_are_a_quarter():
    full, eight = (
        forecast(LLAMA_8B, StepSetup(lora=None, optimiser=kind)).parts["optimiser"]
        for kind in ("adamw", "paged_adamw_8bit")
    )
    # the states of bf16 weights are bf16: 4 bytes, against 2 and the scales
    assert eight / full == pytest.approx((2 + 8 / 256) / 4, rel=0.01)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (int8_bytes(10, 64), 640 + 40),
        (nf4_bytes(256, 64), 8192 + 256 + 4 + 1088),
        (states_8bit_bytes(4096), 8192 + 8 * 16),
        (states_8bit_bytes(4095), 8 * 4095),
    ],
)
def test_sizes_of_quantised_tensors(size, expected):
    assert size == expected


def test_padding_costs_a_mask_per_layer_without_checkpointing():
    full, padded = (
        forecast(LLAMA_8B, StepSetup(padded=on, checkpointing=False)) for on in (False, True)
    )
    masks = 2 * 2 * 2048**2
    # and a key and a value for every query head
    keys = 2 * 2 * (4096 - 1024) * 2 * 2048
    more = padded.tensor_bytes - full.tensor_bytes
    assert more == pytest.approx(32 * (masks + keys), rel=0.03)


def test_dropout_has_a_price():
    with_it, without = (
        forecast(LLAMA_8B, StepSetup(lora=LoraSpec(dropout=p), checkpointing=False)).tensor_bytes
        for p in (0.05, 0.0)
    )
    mask = (5 * 4096 + 4096 + 14336) * 32 * 2 * 2048
    assert with_it - without == pytest.approx(mask, rel=0.05)


def test_more_rows_longer_rows_and_waiting_gradients_need_more():
    plain = forecast(QWEN3_8B, StepSetup(micro_batch=2, accumulates=False)).tensor_bytes
    assert forecast(QWEN3_8B, StepSetup(micro_batch=2)).tensor_bytes >= plain
    assert forecast(QWEN3_8B, StepSetup(micro_batch=4, accumulates=False)).tensor_bytes > plain
    assert forecast(QWEN3_8B, StepSetup(max_length=3072, accumulates=False)).tensor_bytes > plain


def test_a_short_model_is_traced_as_it_is():
    config = {**SMALL["llama"], "num_hidden_layers": 2}
    assert forecast(config, small()).tensor_bytes > 0


@pytest.mark.parametrize(
    ("config", "asked", "told"),
    [
        (LLAMA_8B, {"device": "cpu", "quantization": "int8"}, "CUDA only"),
        (LLAMA_8B, {"device": "mps", "optimiser": "paged_adamw_8bit"}, "CUDA only"),
        (LLAMA_8B, {"lora": None, "quantization": "nf4"}, "cannot be trained"),
        ({"model_type": "no-such-model"}, {}, "not known"),
        ({"hidden_size": 8}, {}, "not known"),
        ({"model_type": "mixtral"}, {}, "mixture of experts"),
        (LLAMA_8B, {"lora": {"targets": ["no_such_layer"]}}, "no_such_layer"),
    ],
)
def test_what_cannot_be_forecast_is_refused(config, asked, told):
    with pytest.raises(ForecastError, match=told):
        forecast(config, StepSetup.model_validate(asked))


def test_a_config_is_read_from_a_folder(tmp_path):
    with pytest.raises(ForecastError, match="no such file"):
        read_config(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ForecastError, match="not JSON"):
        read_config(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(TINYLLAMA))
    assert read_config(tmp_path) == TINYLLAMA


TOO_MUCH = StepSetup(micro_batch=16, max_length=4096, checkpointing=False)


def test_the_cheapest_fix_keeps_the_batch():
    fix = cheapest_fix(TINYLLAMA, TOO_MUCH, 80, grad_accumulation=2)
    assert fix is not None
    assert fix.fits
    assert fix.setup.micro_batch * fix.grad_accumulation == 32
    assert fix.change == "micro_batch = 4, grad_accumulation = 8"
    # the mildest: twice as many rows would not fit
    twice = TOO_MUCH.model_copy(update={"micro_batch": 8})
    assert not forecast(TINYLLAMA, twice).fits(80)


@pytest.mark.slow
def test_each_change_is_told_by_itself_with_its_forecast():
    fixes = list(single_changes(TINYLLAMA, TOO_MUCH, 24, grad_accumulation=1))
    told = [fix.change for fix in fixes]
    assert told[0] == "micro_batch = 1, grad_accumulation = 16"
    assert "checkpointing = true" in told
    assert 'quantization = "nf4"' in told
    assert told[-1].startswith("max_length = ")
    for fix in fixes:
        assert fix.fits == forecast(TINYLLAMA, fix.setup).fits(24)


@pytest.mark.slow
def test_changes_join_where_none_is_enough():
    setup = StepSetup(micro_batch=4, max_length=4096, checkpointing=False)
    assert not any(f.fits for f in single_changes(LLAMA_8B, setup, 12, grad_accumulation=1))
    fix = cheapest_fix(LLAMA_8B, setup, 12, grad_accumulation=1)
    assert fix is not None
    assert fix.fits
    assert fix.setup.checkpointing
    assert fix.setup.quantization == "nf4"
    # the data is changed last
    assert fix.setup.max_length == 4096


@pytest.mark.slow
def test_where_nothing_fits_there_is_no_fix():
    assert cheapest_fix(LLAMA_8B, StepSetup(), 4, grad_accumulation=1) is None


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_forecast_of_8b_is_cheap():
    # not ru_maxrss: a started program inherits the peak of the process that started it
    code = (
        "import json, re, sys, time\n"
        "from pathlib import Path\n"
        "from train.memory import StepSetup, forecast\n"
        "forecast(json.loads(sys.argv[1]), StepSetup(checkpointing=False))\n"
        "peak = re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1]\n"
        "print(time.process_time(), peak)\n"
    )
    told = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, json.dumps(LLAMA_8B)],
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, kib = told.stdout.split()
    # imports of torch and transformers included
    assert float(seconds) < 20
    assert int(kib) < 2**20
