import asyncio
import gc
import random

import pytest

pytestmark = pytest.mark.torch

torch = pytest.importorskip("torch")

from engine_ground import ids_of, run, small_model  # noqa: E402 - after the check for torch
from tiny_models import tiny_model, tiny_tokenizer  # noqa: E402

from serve.engine.base import EngineClosedError, SamplingParams  # noqa: E402
from serve.engine.embedded import EmbeddedEngine  # noqa: E402


@pytest.fixture(scope="module")
def tokenizer():
    return tiny_tokenizer()


@pytest.fixture(scope="module")
def model(tokenizer):
    return tiny_model(tokenizer)


@pytest.fixture(scope="module")
def engine(model, tokenizer):
    made = EmbeddedEngine(model, tokenizer)
    yield made
    made.close()


def prompts(count, size=250, seed=0):
    chooser = random.Random(seed)
    lengths = [chooser.choice([1, 3, 9, 20, 41, 70]) for _ in range(count)]
    return [[chooser.randrange(size) for _ in range(length)] for length in lengths]


def greedy(max_tokens, **fields):
    return SamplingParams(max_tokens=max_tokens, temperature=0, ignore_eos=True, **fields)


def alone(engine, requests):
    return [run(engine, request)[0] for request in requests]


def test_24_staggered_greedy_answers_equal_each_alone(engine):
    requests = [(ids, greedy(4 + place % 17)) for place, ids in enumerate(prompts(24))]
    assert engine.batched
    expected = alone(engine, requests)
    found = run(engine, *requests, every_s=0.003)
    assert list(map(ids_of, found)) == list(map(ids_of, expected))
    assert len({one for tokens in found for one in ids_of(tokens)}) > 20


def test_seeded_answers_together_equal_each_alone(engine):
    requests = [
        (
            ids,
            SamplingParams(
                max_tokens=12,
                temperature=0.7 + place / 10,
                top_p=0.9,
                min_p=0.01,
                top_k=50 * (place % 2),
                frequency_penalty=0.5 * (place % 3),
                logit_bias={5: 2.0},
                seed=place,
            ),
        )
        for place, ids in enumerate(prompts(10, seed=1))
    ]
    expected = list(map(ids_of, alone(engine, requests)))
    assert list(map(ids_of, run(engine, *requests, every_s=0.002))) == expected


@pytest.mark.parametrize(
    ("family", "batched"),
    [
        ("llama tied", True),
        ("qwen", True),
        ("mistral", True),
        # what a window has left behind is gone from their caches
        ("mistral window", False),
        ("gemma", False),
    ],
)
def test_families_answer_together_as_transformers_does_alone(tokenizer, family, batched):
    model = small_model(family, tokenizer)
    engine = EmbeddedEngine(model, tokenizer)
    try:
        requests = [(ids, greedy(8)) for ids in prompts(5, seed=2)]
        found = list(map(ids_of, run(engine, *requests, every_s=0.002)))
    finally:
        engine.close()
    assert engine.batched is batched
    with torch.inference_mode():
        for (ids, _), answer in zip(requests, found, strict=True):
            out = model.generate(
                torch.tensor([ids]),
                attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                do_sample=False,
                max_new_tokens=8,
                eos_token_id=None,
            )
            assert answer == out[0, len(ids) :].tolist()


def test_a_model_whose_rows_differ_together_is_not_batched(tokenizer):
    model = tiny_model(tokenizer)
    plain = model.forward

    def only_alone(input_ids, position_ids=None, logits_to_keep=0, **rest):
        # as of a model that ignores the mask of a batch
        if len(input_ids) > 1:
            rest["attention_mask"] = torch.zeros_like(rest["attention_mask"])
        return plain(
            input_ids=input_ids, position_ids=position_ids, logits_to_keep=logits_to_keep, **rest
        )

    model.forward = only_alone
    engine = EmbeddedEngine(model, tokenizer)
    engine.close()
    assert not engine.batched


def test_a_long_prompt_holds_the_others_up_by_a_chunk_only(tokenizer):
    engine = EmbeddedEngine(tiny_model(tokenizer, context=4096), tokenizer)
    order = []

    async def one(name, ids, params):
        async for _ in engine.generate(ids, params):
            order.append(name)  # noqa: PERF401 - the order of arrival is the point

    async def both():
        first = asyncio.create_task(one("writes", [1, 2, 3], greedy(400)))
        while not order:
            await asyncio.sleep(0)
        await asyncio.gather(first, one("reads", [7] * 3000, greedy(2)))

    asyncio.run(both())
    engine.close()
    # twelve chunks, a token of the other after each
    assert 10 <= order.index("reads") < 390


def test_answers_that_outgrow_the_memory_are_finished_later_and_the_same(model, tokenizer):
    requests = [([place + 1] * 5, greedy(40)) for place in range(6)]
    small = EmbeddedEngine(model, tokenizer, cache_tokens=100)
    try:
        expected = list(map(ids_of, alone(small, requests)))
        found = run(small, *requests)
    finally:
        small.close()
    assert list(map(ids_of, found)) == expected


def test_an_error_of_one_row_is_its_own(engine):
    sound = ([1, 2, 3], greedy(10))
    broken = ([1, 2, 3], greedy(10, logit_bias={10**6: 1.0}))

    class Breaks:
        """A constraint that fails at the third token."""

        def start(self):
            self.left = 3
            return self

        def allowed(self):
            import numpy as np

            self.left -= 1
            if not self.left:
                raise ArithmeticError
            return np.ones(engine.vocabulary_size, dtype=bool)

        def accept(self, token_id):
            pass

    late = ([4, 5], greedy(10, constraint=Breaks()))
    expected = ids_of(run(engine, sound)[0])
    first, second, third, fourth = run(engine, sound, broken, late, sound)
    assert ids_of(first) == ids_of(fourth) == expected
    assert isinstance(second, IndexError)
    assert isinstance(third, ArithmeticError)
    assert engine.healthy


def test_cancelled_rows_leave_and_the_others_go_on(engine):
    requests = [(ids, greedy(30)) for ids in prompts(6, seed=3)]
    expected = list(map(ids_of, alone(engine, requests)))

    async def some_leave():
        generations = [engine.generate(*request) for request in requests]

        async def one(place):
            got = []
            async for token in generations[place]:
                got.append(token.id)
                if place % 2 and len(got) == 4:
                    generations[place].cancel()
                    return got
            return got

        found = await asyncio.gather(*map(one, range(6)))
        while engine.active:
            await asyncio.sleep(0.005)
        return found

    found = asyncio.run(asyncio.wait_for(some_leave(), 20))
    assert found[::2] == expected[::2]
    assert found[1::2] == [answer[:4] for answer in expected[1::2]]


def test_closing_fails_all_that_runs_and_waits(model, tokenizer):
    engine = EmbeddedEngine(model, tokenizer, max_active=2)

    async def close_in_the_middle():
        generations = [engine.generate([1, 2], greedy(10**9)) for _ in range(5)]
        score = asyncio.create_task(engine.score([1, 2, 3]))
        await asyncio.sleep(0.05)
        await asyncio.to_thread(engine.close)

        async def rest(generation):
            return [token async for token in generation]

        return await asyncio.gather(*map(rest, generations), score, return_exceptions=True)

    assert [type(one) for one in asyncio.run(close_in_the_middle())] == [EngineClosedError] * 6


def test_500_short_requests_leave_no_tensor_behind(engine):
    requests = [([1 + place % 200, 2], greedy(2)) for place in range(50)]

    def tensors():
        gc.collect()
        return sum(1 for one in gc.get_objects() if type(one) is torch.Tensor)

    run(engine, *requests)
    before = tensors()
    for _ in range(9):
        assert all(len(answer) == 2 for answer in run(engine, *requests))
    assert tensors() <= before + 5


def test_stop_tokens_of_the_request_and_none_of_the_model(engine):
    answer = ids_of(run(engine, ([1, 2, 3], greedy(12)))[0])
    stop = answer[6]
    params = greedy(12, stop_token_ids=frozenset({stop}))
    (tokens,) = run(engine, ([1, 2, 3], params))
    assert ids_of(tokens) == answer[: answer.index(stop) + 1]
    assert tokens[-1].finish_reason == "stop"


def test_scores_are_those_of_a_plain_forward_pass(engine, model):
    text = prompts(1, seed=9)[0] * 3
    scores = asyncio.run(engine.score(text, from_position=2, top=3))
    with torch.inference_mode():
        raw = torch.log_softmax(model(torch.tensor([text])).logits[0], dim=-1)
    assert [one.id for one in scores] == text[2:]
    for place, one in enumerate(scores, start=2):
        assert one.logprob == pytest.approx(float(raw[place - 1, one.id]), abs=1e-3)
        assert one.top[0][1] == max(value for _, value in one.top)
        # greedy or not is told by equality of floats
        assert dict(one.top).get(one.id, one.logprob) == one.logprob


def test_a_scored_text_in_chunks_equals_one_pass(model, tokenizer, engine, monkeypatch):
    from serve.engine import jobs

    text = prompts(1, seed=11)[0] * 4
    whole = asyncio.run(engine.score(text))
    monkeypatch.setattr(jobs, "_SCORED_NUMBERS", 7 * engine.vocabulary_size)
    pieces = asyncio.run(engine.score(text))
    assert [one.id for one in pieces] == [one.id for one in whole] == text[1:]
    assert [one.logprob for one in pieces] == pytest.approx(
        [one.logprob for one in whole], abs=1e-3
    )
    assert asyncio.run(engine.score([5])) == []


def test_text_to_ids_and_back(engine, tokenizer):
    text = "Grüße <|im_end|> 😀"
    ids = engine.tokenize(text)
    assert tokenizer.eos_token_id in ids
    assert engine.detokenize(ids) == text
    assert engine.tokenizer_info().eos_token == "<|im_end|>"
