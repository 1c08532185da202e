import asyncio
import collections
import contextlib

import pytest

pytestmark = pytest.mark.torch

torch = pytest.importorskip("torch")

from tiny_models import certificate, tiny_model, tiny_tokenizer  # noqa: E402 - after the check for torch

from serve.engine.base import (  # noqa: E402
    EngineClosedError,
    PromptError,
    QueueFullError,
    SamplingParams,
)
from serve.engine.embedded import EmbeddedEngine, read_provenance  # noqa: E402

MESSAGES = [{"role": "user", "content": "My parcel has not arrived, where is it? 😀"}]


@pytest.fixture(scope="module")
def tokenizer():
    return tiny_tokenizer()


@pytest.fixture(scope="module")
def model(tokenizer):
    return tiny_model(tokenizer)


@pytest.fixture
def engine(model, tokenizer):
    made = EmbeddedEngine(model, tokenizer)
    yield made
    made.close()


def greedy(max_tokens=24, **fields):
    return SamplingParams(max_tokens=max_tokens, temperature=0, **fields)


def run(engine, *requests):
    """Tokens of requests that run at the same time."""

    async def one(generation):
        return [token async for token in generation]

    async def together():
        generations = [engine.generate(ids, params) for ids, params in requests]
        return await asyncio.gather(*map(one, generations))

    return asyncio.run(together())


def ids_of(tokens):
    return [token.id for token in tokens]


def reference(model, prompt, max_tokens):
    with torch.inference_mode():
        out = model.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            do_sample=False,
            max_new_tokens=max_tokens,
        )
    return out[0, len(prompt) :].tolist()


def test_greedy_equals_transformers_generate(engine, model):
    prompt = engine.prompt(MESSAGES, None)
    (tokens,) = run(engine, (prompt, greedy()))
    assert ids_of(tokens) == reference(model, prompt, 24)
    assert len(set(ids_of(tokens))) > 3


def test_a_prompt_longer_than_a_chunk_equals_transformers_generate(tokenizer):
    model = tiny_model(tokenizer, context=1024)
    engine = EmbeddedEngine(model, tokenizer)
    prompt = engine.prompt([{"role": "user", "content": "Where is my order? " * 60}], None)
    assert len(prompt) > 512
    (tokens,) = run(engine, (prompt, greedy(8)))
    engine.close()
    assert ids_of(tokens) == reference(model, prompt, 8)


def test_requests_at_the_same_time_do_not_disturb_each_other(engine):
    prompts = [engine.prompt([{"role": "user", "content": "Hello " * n}], None) for n in (1, 5, 9)]
    params = [SamplingParams(max_tokens=20, temperature=1.0, seed=seed) for seed in (1, 2, 3)]
    requests = list(zip(prompts, params, strict=True))
    alone = [run(engine, request)[0] for request in requests]
    assert run(engine, *requests) == alone


def test_the_seed_repeats_an_answer(engine):
    prompt = engine.prompt(MESSAGES, None)

    def answer(seed):
        (tokens,) = run(engine, (prompt, SamplingParams(max_tokens=16, seed=seed)))
        return ids_of(tokens)

    assert answer(5) == answer(5)
    assert answer(5) != answer(6)
    assert answer(None) != answer(None)


def test_requests_take_turns(model, tokenizer):
    engine = EmbeddedEngine(model, tokenizer)
    prompt = engine.prompt(MESSAGES, None)
    order = []

    async def one(name, generation):
        async for _ in generation:
            order.append(name)  # noqa: PERF401 - the order of arrival is the point

    async def both():
        await asyncio.gather(
            *(one(name, engine.generate(prompt, greedy(60))) for name in ("long", "other"))
        )

    asyncio.run(both())
    engine.close()
    # the second one is not kept waiting for the first one's end
    assert order.index("other") < 30


def test_every_end_token_of_the_generation_config_stops(model, tokenizer, engine):
    assert engine.stop_ids == {tokenizer.eos_token_id, tokenizer.pad_token_id}
    prompt = engine.prompt(MESSAGES, None)
    expected = reference(model, prompt, 24)
    stop = expected[5]
    # a copy of the config, in which a token that greedy decoding meets is an end token
    before = model.generation_config.eos_token_id
    model.generation_config.eos_token_id = [*before, stop]
    try:
        stopping = EmbeddedEngine(model, tokenizer)
    finally:
        model.generation_config.eos_token_id = before
    (tokens,) = run(stopping, (prompt, greedy()))
    stopping.close()
    assert ids_of(tokens) == expected[: expected.index(stop) + 1]
    assert tokens[-1].finish_reason == "stop"


def test_length_ends_an_answer(engine):
    (tokens,) = run(engine, (engine.prompt(MESSAGES, None), greedy(3)))
    assert [token.finish_reason for token in tokens] == [None, None, "length"]


def test_logprobs_are_those_of_a_plain_forward_pass(engine, model):
    prompt = engine.prompt(MESSAGES, None)
    params = SamplingParams(max_tokens=8, temperature=0.5, top_k=5, seed=1, top_logprobs=3)
    (tokens,) = run(engine, (prompt, params))
    ids = ids_of(tokens)
    with torch.inference_mode():
        logits = model(torch.tensor([[*prompt, *ids]])).logits[0, len(prompt) - 1 : -1]
    raw = torch.log_softmax(logits, dim=-1)
    for place, token in enumerate(tokens):
        assert token.logprob == pytest.approx(float(raw[place, token.id]), abs=1e-4)
        assert len(token.top) == 3
        assert token.top[0][1] == pytest.approx(float(raw[place].max()), abs=1e-4)


def test_a_full_queue_refuses_and_recovers(model, tokenizer):
    engine = EmbeddedEngine(model, tokenizer, max_active=1, max_waiting=2)
    prompt = engine.prompt(MESSAGES, None)

    async def fill():
        made = []

        def ask():
            made.append(engine.generate(prompt, greedy(200)))

        with pytest.raises(QueueFullError):
            collections.deque((ask() for _ in range(10)), maxlen=0)
        assert 2 <= len(made) <= 4
        for generation in made:
            generation.cancel()
        while True:
            with contextlib.suppress(QueueFullError):
                again = engine.generate(prompt, greedy(2))
                break
            await asyncio.sleep(0.01)
        return [token async for token in again]

    assert len(asyncio.run(fill())) == 2
    engine.close()


def test_a_cancelled_request_stops_the_work(model, tokenizer):
    engine = EmbeddedEngine(model, tokenizer, max_active=1)
    prompt = engine.prompt(MESSAGES, None)

    async def cancel_then_ask():
        first = engine.generate(prompt, greedy(10**9))
        async with contextlib.aclosing(aiter(first)) as tokens:
            async for _ in tokens:
                break
        assert first.cancelled
        second = engine.generate(prompt, greedy(2))
        return [token async for token in second]

    assert len(asyncio.run(asyncio.wait_for(cancel_then_ask(), 20))) == 2
    engine.close()


def test_an_error_reaches_the_one_who_waits_and_the_engine_goes_on(engine, model):
    prompt = engine.prompt(MESSAGES, None)
    beyond_the_vocabulary = [10**6]
    with pytest.raises(IndexError):
        run(engine, (beyond_the_vocabulary, greedy()))
    assert engine.healthy
    assert len(run(engine, (prompt, greedy(2)))[0]) == 2


def test_a_closed_engine_fails_what_still_runs(model, tokenizer):
    engine = EmbeddedEngine(model, tokenizer)
    prompt = engine.prompt(MESSAGES, None)

    async def close_in_the_middle():
        generation = engine.generate(prompt, greedy(10**9))
        await asyncio.to_thread(engine.close)
        return [token async for token in generation]

    with pytest.raises(EngineClosedError):
        asyncio.run(close_in_the_middle())
    assert not engine.healthy
    with pytest.raises(EngineClosedError):
        run(engine, (prompt, greedy()))


def test_messages_that_the_template_refuses(engine, tokenizer):
    before = tokenizer.chat_template
    tokenizer.chat_template = "{{ raise_exception('roles must alternate') }}"
    try:
        with pytest.raises(PromptError, match="roles must alternate"):
            engine.prompt(MESSAGES, None)
    finally:
        tokenizer.chat_template = before


def test_a_control_token_in_a_message_stays_text(engine, tokenizer):
    ids = engine.prompt([{"role": "user", "content": "<|im_end|>"}], None)
    assert ids.count(tokenizer.eos_token_id) == 1


def test_bytes_of_tokens_join_to_the_text(engine, tokenizer):
    text = "Grüße 😀 an alle"
    ids = tokenizer(text).input_ids
    assert b"".join(engine.token_bytes(one) for one in ids) == text.encode()
    assert engine.token_bytes(tokenizer.eos_token_id) == b"<|im_end|>"
    assert engine.token_bytes(10**6) == b""


def test_bytes_of_tokens_with_byte_fallback():
    from tokenizers import Tokenizer, decoders, models
    from transformers import PreTrainedTokenizerFast

    from serve.engine.token_bytes import TokenBytes

    vocab = {"<unk>": 0, "\u2581the": 1, "<0xF0>": 2, "\u00e9": 3}
    backend = Tokenizer(models.BPE(vocab=vocab, merges=[], unk_token="<unk>", byte_fallback=True))
    backend.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback()])
    token_bytes = TokenBytes(PreTrainedTokenizerFast(tokenizer_object=backend))
    assert [token_bytes(one) for one in (1, 2, 3)] == [b" the", b"\xf0", "é".encode()]


def test_provenance_comes_from_the_certificate(tmp_path):
    assert read_provenance(tmp_path) is None
    certificate(tmp_path, base="org/base", run="r1")
    found = read_provenance(tmp_path)
    assert (found.run, found.base_model, found.verdict) == ("r1", "org/base", "pass")
    assert found.dataset_fingerprint == "f" * 64
