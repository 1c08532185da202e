import math

import numpy as np
import pytest

from serve.evaluation.statistics import paired, wilson


def simulated(seed, conversations=40, true_delta=-0.2):
    """Conversations with an effect of their own, of very different lengths."""
    draw = np.random.default_rng(seed)
    tokens = draw.integers(10, 200, conversations)
    base = draw.normal(2.0, 0.3, conversations)
    tuned = base + draw.normal(true_delta, 0.4, conversations)
    return base * tokens, tuned * tokens, tokens


def test_the_mean_weighs_tokens_equally():
    found = paired([10.0, 30.0], [5.0, 45.0], [10, 10])
    assert found.base.mean == 2.0
    assert found.tuned.mean == 2.5
    assert found.delta.mean == 0.5
    assert found.perplexity_ratio.mean == pytest.approx(math.exp(0.5))
    assert found.share_improved.mean == 0.5
    assert found.delta.n == 2


def test_a_constant_difference_has_a_narrow_interval():
    base, _, tokens = simulated(1)
    found = paired(base, base - 0.25 * tokens, tokens)
    assert found.delta.low == pytest.approx(-0.25)
    assert found.delta.high == pytest.approx(-0.25)
    # unpaired, each model alone is far less certain
    assert found.base.high - found.base.low > 0.05


@pytest.mark.slow
def test_the_interval_covers_the_truth_as_often_as_it_says():
    covered = 0
    for seed in range(400):
        found = paired(*simulated(seed), seed=seed, resamples=1000).delta
        covered += found.low <= -0.2 <= found.high
    # the percentile bootstrap is a little narrow at n = 40; 3 standard errors below 0.93
    assert 0.89 <= covered / 400 <= 0.98


@pytest.mark.slow
def test_without_an_effect_it_is_rarely_found():
    found = [
        paired(*simulated(s, true_delta=0.0), seed=s, resamples=1000).delta for s in range(400)
    ]
    wrong = sum(not one.low <= 0 <= one.high for one in found)
    assert wrong / 400 < 0.11


def test_the_seed_repeats_the_interval():
    data = simulated(3)
    assert paired(*data, seed=5) == paired(*data, seed=5)
    assert paired(*data, seed=5).delta.low != paired(*data, seed=6).delta.low


def test_clusters_widen_the_interval():
    draw = np.random.default_rng(0)
    tokens = np.full(200, 50)
    base = np.full(200, 100.0)
    # ten people whose conversations all move together
    moves = np.repeat(draw.normal(-0.2, 0.4, 10), 20)
    tuned = base + moves * tokens
    people = np.repeat([f"person {n}" for n in range(10)], 20)
    alone = paired(base, tuned, tokens).delta
    by_person = paired(base, tuned, tokens, clusters=people).delta
    assert by_person.mean == pytest.approx(alone.mean)
    assert by_person.high - by_person.low > 3 * (alone.high - alone.low)


def test_a_cluster_of_one_conversation_each_changes_nothing():
    base, tuned, tokens = simulated(4)
    names = [f"{n:02}" for n in range(len(tokens))]
    assert paired(base, tuned, tokens, clusters=names).delta == pytest.approx(
        paired(base, tuned, tokens).delta
    )


def test_one_conversation_has_no_interval():
    found = paired([10.0], [5.0], [10])
    assert (found.delta.mean, found.delta.low, found.delta.high) == (-0.5, None, None)
    assert found.perplexity_ratio.low is None


def test_nothing_to_compare():
    with pytest.raises(ValueError, match="no conversations"):
        paired([], [], [])


@pytest.mark.slow
def test_many_conversations_fit_into_memory():
    base, tuned, tokens = simulated(0, conversations=50_000)
    found = paired(base, tuned, tokens, resamples=200).delta
    assert found.high - found.low < 0.02


def test_wilson_interval():
    # Newcombe 1998, table I: 81 of 263
    found = wilson(81, 263)
    assert (round(found.low, 4), round(found.high, 4)) == (0.2553, 0.3662)
    assert wilson(10, 10).low == pytest.approx(0.7225, abs=1e-4)
    assert wilson(10, 10).high == pytest.approx(1.0)
