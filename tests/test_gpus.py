import pytest

from train.gpus import CARDS, GpuError, find_card, known_card

NAMES = [
    ("h100", "H100", 80), ("NVIDIA H100 80GB HBM3", "H100", 80),
    ("NVIDIA H100 PCIe", "H100 PCIe", 80),
    ("H100 NVL", "H100 NVL", 94), ("NVIDIA H200", "H200", 141), ("b200", "B200", 180),
    ("A100", "A100", 40), ("a100 80", "A100", 80), ("A100-80G", "A100", 80),
    ("NVIDIA A100-SXM4-80GB", "A100", 80), ("NVIDIA A100-PCIE-40GB", "A100", 40),
    ("Tesla T4", "T4", 16), ("Tesla V100-SXM2-32GB", "V100", 32), ("V100-PCIE-16GB", "V100", 16),
    ("RTX 4090", "RTX 4090", 24), ("rtx4090", "RTX 4090", 24), ("4090", "RTX 4090", 24),
    ("NVIDIA GeForce RTX 3090", "RTX 3090", 24), ("NVIDIA RTX A6000", "RTX A6000", 48),
    ("a6000", "RTX A6000", 48), ("NVIDIA RTX 6000 Ada Generation", "RTX 6000 Ada", 48),
    ("NVIDIA L40S", "L40S", 48), ("NVIDIA L40", "L40", 48), ("L4", "L4", 24),
    ("NVIDIA A10", "A10", 24), ("NVIDIA A10G", "A10G", 24), ("nvidia a40", "A40", 48),
    ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "RTX PRO 6000", 96),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "name", "nominal"), NAMES)
def test_a_card_is_found_by_any_of_its_names(asked, name, nominal):
    card = find_card(asked)
    assert (card.name, card.nominal) == (name, nominal)


@pytest.mark.parametrize(
    "asked", ["", "80", "a1000", "a100 60gb", "RTX 4090 Laptop GPU", "RTX 4070 Ti", "gpu"]
)
def test_another_card_is_not_taken_for_one_we_know(asked):
    assert known_card(asked) is None


def test_an_unknown_card_is_told_with_those_near_it():
    with pytest.raises(GpuError, match="rtx 4080: no card") as caught:
        find_card("rtx 4080")
    assert "RTX 4090" in caught.value.hint
    assert "--memory" in caught.value.hint


@pytest.mark.parametrize("card", CARDS)
def test_every_card_is_found_by_its_own_device_name(card):
    assert find_card(card.device().name) == card


@pytest.mark.parametrize("card", CARDS)
def test_no_card_has_more_memory_than_its_maker_says(card):
    assert 0.85 * card.nominal < card.memory_gib < card.nominal
