"""The measuring of memory on a card, as far as it goes without one."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))

import memory_cases
import memory_gpu
from memory_gpu import ALLOCATED, GIB, RESERVED, Outcome, told, verdict

pytestmark = [
    pytest.mark.torch,
    # trl 1.16 reads names that transformers 5.23 has renamed
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning"),
]


def measured(off, slack=0.1, model=0):
    """An outcome whose measured size is off by ``off`` from the forecast's 10 GiB."""
    size = 10 * GIB
    held = {ALLOCATED: round(size / (1 + off)), RESERVED: round(size / (1 + off))}
    expected = {ALLOCATED: size, RESERVED: round(size * (1 + slack))}
    return Outcome(memory_cases.GPU[model], expected, held, context=GIB // 2)


def failed():
    expected = {ALLOCATED: 1, RESERVED: 1}
    return Outcome(memory_cases.GPU[1], expected, None, why="OutOfMemoryError: no room")


def test_within_all_bars_nothing_is_missed():
    numbers, missed = verdict([measured(0.05), measured(-0.03), measured(0.0)])
    assert missed == []
    assert numbers["median_error"] == pytest.approx(0.03)
    assert numbers["worst_under_allocated"] == pytest.approx(0.03)
    assert numbers["worst_under_reserved"] == 0


def test_over_predicting_often_misses_the_median():
    _, missed = verdict([measured(0.06), measured(0.07), measured(0.0)])
    assert missed == ["median error 6.0%, bar 5%"]


def test_one_under_prediction_is_enough():
    _, missed = verdict([measured(0.0), measured(0.0), measured(-0.04, model=2)])
    (line,) = missed
    assert line.startswith(
        "TinyLlama-1.1B LoRA, int8 on 2 x 2048: allocated under-predicted by 4.0%"
    )


def test_what_the_allocator_holds_has_a_bar_of_its_own():
    _, missed = verdict([measured(0.0, slack=-0.05)])
    assert [line.split(": ")[1] for line in missed] == ["reserved under-predicted by 5.0%, bar 3%"]


def test_a_failed_case_is_told_and_counts():
    outcomes = [measured(0.0), failed()]
    _, missed = verdict(outcomes)
    assert len(missed) == 1
    assert missed[0].endswith("failed: OutOfMemoryError: no room")
    assert told(outcomes).splitlines()[3].count("failed") == 2


def test_with_no_measured_case_there_is_no_verdict():
    with pytest.raises(ValueError, match="no case"):
        verdict([failed()])


def test_the_table_has_a_row_for_each_case():
    head, ruler, row = told([measured(0.25)]).splitlines()
    assert head.count("|") == ruler.count("|") == row.count("|")
    assert "| 10.00 | 8.00 | +25.0% | 11.00 | 8.00 | +37.5% | 0.50 |" in row


def test_the_cases_are_what_must_be_measured():
    setups = [one.setup for one in memory_cases.GPU]
    assert len(setups) >= 8
    assert len({one.config["model_type"] for one in memory_cases.GPU}) >= 3
    assert {one.quantization for one in setups} == {None, "int8", "nf4"}
    for asked in ("checkpointing", "lora", "max_length"):
        assert len({str(getattr(one, asked)) for one in setups}) >= 2
    for one in [*memory_cases.GPU, *memory_cases.FORECAST]:
        assert one.config["num_hidden_layers"] > 0
        one.setup.check()


def test_without_a_card_it_refuses(capsys):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a card")
    assert memory_gpu.main([]) == 2
    assert "no CUDA card here" in capsys.readouterr().err


@pytest.mark.parametrize("full", [False, True])
def test_the_measured_path_trains(tmp_path, monkeypatch, full):
    """The same trainer, base and batches as on a card, on the CPU and small."""
    import torch

    if torch.cuda.is_available():
        pytest.skip("runs as it would on a card")
    small = {
        "model_type": "llama", "hidden_size": 32, "intermediate_size": 48, "vocab_size": 300,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    }  # fmt: skip
    monkeypatch.setattr(memory_cases.Case, "config", small)
    case = memory_cases.case("small", 2, 16, full=full)
    case = case._replace(setup=case.setup.model_copy(update={"device": "cpu", "precision": "fp32"}))
    trainer = memory_gpu.trainer_of(case, tmp_path, "cpu")
    sizes = [tuple(one["input_ids"].shape) for one in trainer.get_train_dataloader()]
    assert sizes == [(2, 16)] * 4
    assert memory_gpu.measure(case, tmp_path, "cpu") == {}
    assert (tmp_path / "small" / "model.safetensors").is_file()
