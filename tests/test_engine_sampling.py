import math
from collections import Counter

import pytest

from serve.engine.base import SamplingParams

pytestmark = pytest.mark.torch

torch = pytest.importorskip("torch")

from serve.engine.sampling import Sampler  # noqa: E402 - after the check for torch

LOGITS = torch.tensor([1.0, 3.0, 0.0, 2.5, -1.0])


def draws(count=2000, **params):
    sampler = Sampler(SamplingParams(max_tokens=1, seed=7, **params))
    return Counter(sampler.draw(LOGITS) for _ in range(count))


def test_temperature_zero_takes_the_likeliest():
    assert draws(50, temperature=0) == {1: 50}


def test_a_tiny_temperature_stays_finite():
    assert draws(50, temperature=1e-40) == {1: 50}


@pytest.mark.parametrize("temperature", [0.7, 1.0, 1.8])
def test_draws_follow_the_softmax(temperature):
    found = draws(20_000, temperature=temperature)
    expected = torch.softmax(LOGITS / temperature, dim=-1)
    for token, share in enumerate(expected.tolist()):
        # five standard deviations of a count
        spread = 5 * math.sqrt(20_000 * share * (1 - share)) + 1
        assert abs(found[token] - 20_000 * share) < spread


def test_top_k_keeps_the_k_likeliest():
    assert set(draws(top_k=2)) == {1, 3}
    assert set(draws(top_k=1)) == {1}


def test_top_p_keeps_the_smallest_set_that_reaches_it():
    # shares 0.55, 0.33, 0.07, 0.03, 0.01
    assert set(draws(top_p=0.5)) == {1}
    assert set(draws(top_p=0.6)) == {1, 3}
    assert set(draws(top_p=0.0)) == {1}


def test_top_k_and_top_p_together():
    # of {1, 3} token 1 has 0.62
    assert set(draws(top_k=2, top_p=0.6)) == {1}
    assert set(draws(top_k=2, top_p=0.63)) == {1, 3}


def test_a_top_k_beyond_the_vocabulary_keeps_all():
    assert set(draws(top_k=1000)) == {0, 1, 2, 3, 4}


def test_the_seed_decides_the_draws():
    def twenty(seed):
        sampler = Sampler(SamplingParams(max_tokens=1, seed=seed))
        return [sampler.draw(LOGITS) for _ in range(20)]

    assert twenty(1) == twenty(1)
    assert twenty(1) != twenty(2)
    assert twenty(-1) == twenty(-1)


def test_logprobs_are_those_of_the_raw_distribution():
    sampler = Sampler(SamplingParams(max_tokens=1, temperature=0.3, top_k=1, top_logprobs=2))
    logprob, top = sampler.report(LOGITS, 3)
    raw = torch.log_softmax(LOGITS, dim=-1)
    assert logprob == float(raw[3])
    assert top == ((1, float(raw[1])), (3, float(raw[3])))


def test_no_logprobs_unasked():
    assert Sampler(SamplingParams(max_tokens=1)).report(LOGITS, 3) == (None, ())


def test_min_p_keeps_what_is_likely_beside_the_likeliest():
    # shares against the best: 0.14, 1, 0.05, 0.61, 0.02
    assert set(draws(min_p=0.5)) == {1, 3}
    assert set(draws(min_p=0.1)) == {0, 1, 3}
    assert set(draws(min_p=1.0)) == {1}


def test_logit_bias_moves_the_choice():
    assert draws(20, temperature=0, logit_bias={1: -100, 4: 10}) == {4: 20}


@pytest.mark.parametrize(
    ("penalties", "expected"),
    [
        # 3.0 once used is 1.9, below 2.5, which once used is 1.4, below 1.9 again
        ({"presence_penalty": 1.1}, [1, 3, 1, 1]),
        # 3.0, 2.5 | 1.9, 2.5 | 1.9, 1.4 | 0.8, 1.4
        ({"frequency_penalty": 1.1}, [1, 3, 1, 3]),
        ({"frequency_penalty": -1.0}, [1, 1, 1, 1]),
    ],
)
def test_penalties_are_taken_off_what_the_answer_has(penalties, expected):
    sampler = Sampler(SamplingParams(max_tokens=9, temperature=0, **penalties))
    before = LOGITS.clone()
    assert [sampler.draw(LOGITS) for _ in range(4)] == expected
    assert torch.equal(LOGITS, before)
