"""Which cards are asked for, in which order, and why not the others."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runpod_rules import shown_card
from runpod_world import offer

from train.gpus import known_card
from train.launchers.runpod_choose import NoCardError, Wish, choose, usable_gib
from train.launchers.runpod_models import GpuType

QUERY = {"include": "AVAILABILITY", "product": "POD", "cloud": "SECURE"}


def catalogue(**query):
    return [GpuType.model_validate(shown_card(card, {**QUERY, **query})) for card in offer()]


def names(choice):
    return [one.name for one in choice.candidates]


def test_the_cheapest_that_fits_comes_first():
    choice = choose(catalogue(), Wish(memory_gib=40, max_usd_per_hour=3))
    assert names(choice) == ["A40", "L40S", "A100 PCIe", "H100 SXM"]
    assert choice.unfit["RTX 4090"] == "23.5 GiB of 40.0 GiB needed"


def test_a_faster_card_that_makes_the_run_cheaper_comes_first():
    speed = {"A40": 1.0, "L40S": 2.4, "A100 PCIe": 2.1, "H100 SXM": 6.6}
    wish = Wish(memory_gib=40, max_usd_per_hour=3, hours_besides=0)
    choice = choose(catalogue(), wish, lambda gpu: 36000 / speed.get(gpu.name, 1))
    assert names(choice)[:2] == ["L40S", "A40"]
    best = choice.candidates[0]
    assert best.hours == pytest.approx(10 / 2.4)
    assert best.usd == pytest.approx(0.86 * 10 / 2.4)


def test_starting_and_uploads_are_billed_too():
    wish = Wish(memory_gib=40, max_usd_per_hour=3, hours_besides=0.5)
    best = choose(catalogue(), wish, lambda _: 1800).candidates[0]
    assert best.hours == 1.0
    assert best.usd == pytest.approx(0.4)


def test_a_card_without_a_forecast_comes_after_those_with_one():
    wish = Wish(memory_gib=40, max_usd_per_hour=3)
    choice = choose(catalogue(), wish, lambda gpu: 36000 if gpu.name == "H100 SXM" else None)
    assert names(choice)[0] == "H100 SXM"


@pytest.mark.parametrize(
    ("wish", "card", "reason"),
    [
        (Wish(20, 0.5), "RTX 4090", "$0.69 an hour of $0.50 allowed"),
        (Wish(20, 9, gpus=("RTX A5000",)), "A40", "not among the cards asked for"),
        (Wish(20, 9, data_centers=("CA-MTL-1",)), "RTX 4090", "none free in CA-MTL-1"),
        (Wish(20, 9, cards=9), "RTX 4090", "no machine has 9 of them"),
    ],
)
def test_each_card_left_out_has_its_reason(wish, card, reason):
    assert choose(catalogue(), wish).unfit[card] == reason


def test_a_card_is_asked_for_by_id_or_name():
    for name in ("NVIDIA GeForce RTX 4090", "rtx 4090"):
        assert names(choose(catalogue(), Wish(20, 9, gpus=(name,)))) == ["RTX 4090"]


def test_too_long_or_too_dear_for_the_whole_run():
    long = choose(catalogue(), Wish(40, 3, max_hours=2), lambda _: 36000)
    assert long.candidates == []
    assert long.unfit["A40"] == "would take 10.2 h of 2 h allowed"
    dear = choose(catalogue(), Wish(40, 3, max_usd=5), lambda _: 36000)
    assert names(dear) == ["A40"]
    assert "of $5.00 allowed" in dear.unfit["L40S"]


def test_only_where_it_is_allowed_and_free():
    wish = Wish(20, 9, data_centers=("EU-RO-1", "CA-MTL-1"))
    choice = choose(catalogue(), wish)
    places = {one.name: one.data_centers for one in choice.candidates}
    assert places["RTX 4090"] == ("EU-RO-1",)
    assert places["A40"] == ("CA-MTL-1",)
    assert {one.name: one.stock for one in choice.candidates}["RTX A5000"] == "LOW"
    anywhere = choose(catalogue(), Wish(20, 9))
    assert {one.data_centers for one in anywhere.candidates} == {()}


def test_sold_out():
    cards = offer()
    for card in cards:
        card.free = dict.fromkeys(card.free, 0)
    found = [GpuType.model_validate(shown_card(card, QUERY)) for card in cards]
    choice = choose(found, Wish(20, 9))
    with pytest.raises(NoCardError, match="none free now"):
        choice.required()


def test_prices_are_for_all_cards_and_by_cloud():
    choice = choose(catalogue(count="2"), Wish(20, 9, cards=2))
    assert {one.name: one.usd_per_hour for one in choice.candidates}["RTX 4090"] == 1.38
    community = choose(catalogue(cloud="COMMUNITY"), Wish(20, 9, cloud="COMMUNITY"))
    assert {one.name: one.usd_per_hour for one in community.candidates}["RTX 4090"] == 0.34


def test_another_makers_card_only_when_asked_for():
    amd = catalogue()[0].model_copy(update={"name": "MI300X", "manufacturer": "AMD", "memory": 192})
    assert "AMD" in choose([amd], Wish(20, 9)).unfit["MI300X"]
    assert names(choose([amd], Wish(20, 9, gpus=("mi300x",)))) == ["MI300X"]


def test_memory_is_what_torch_sees():
    cards = {gpu.name: usable_gib(gpu) for gpu in catalogue()}
    assert cards["RTX 4090"] == known_card("RTX 4090").memory_gib
    unknown = catalogue()[0].model_copy(update={"id": "NVIDIA X9", "name": "X9", "memory": 100})
    assert usable_gib(unknown) == 90


@settings(deadline=None)  # the machine may be busy
@given(
    memory=st.floats(1, 100), price=st.floats(0.1, 4), cards=st.integers(1, 4),
    seconds=st.one_of(st.none(), st.floats(60, 1e6)), hours=st.one_of(st.none(), st.floats(1, 100)),
)  # fmt: skip
def test_no_candidate_breaks_the_wish_and_no_card_is_lost(memory, price, cards, seconds, hours):
    found = catalogue(count=str(cards))
    wish = Wish(memory, price, cards=cards, max_hours=hours)
    choice = choose(found, wish, lambda _: seconds)
    assert len(choice.candidates) + len(choice.unfit) == len(found)
    for one in choice.candidates:
        assert one.usd_per_hour <= price
        assert one.memory_gib >= memory
        assert hours is None or one.hours is None or one.hours <= hours
    keys = [one.usd if one.usd is not None else one.usd_per_hour for one in choice.candidates]
    assert [round(key, 4) for key in keys] == sorted(round(key, 4) for key in keys)
