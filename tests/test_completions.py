"""Plain completions over real sockets: what lm-eval and the official client send and read."""

import json
import urllib.error
import urllib.request

import openai
import pytest
from tiny_models import tiny_model, tiny_tokenizer

from serve.api.run import RunningServer

pytestmark = pytest.mark.torch

TEXT = "My parcel has not arrived. Grüße 😀"


@pytest.fixture(scope="module")
def engine():
    from serve.engine.embedded import EmbeddedEngine

    tokenizer = tiny_tokenizer()
    return EmbeddedEngine(tiny_model(tokenizer), tokenizer)


@pytest.fixture(scope="module")
def url(engine):
    with RunningServer({"tiny": engine}) as running:
        yield running.url


@pytest.fixture(scope="module")
def client(url):
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as made:
        yield made


def post(url, path, **body):
    """Status and parsed body of a raw request."""
    request = urllib.request.Request(
        url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def complete(client, prompt, **fields):
    fields = {"max_tokens": 4, "temperature": 0, **fields}
    return client.completions.create(model="tiny", prompt=prompt, **fields)


def test_a_text_its_ids_and_lists_of_either_give_the_same(client, engine):
    ids = engine.tokenize(TEXT)
    alone = complete(client, TEXT)
    text = alone.choices[0].text
    assert complete(client, ids).choices[0].text == text
    for prompts in ([TEXT, "Hello"], [ids, engine.tokenize("Hello")]):
        answer = complete(client, prompts)
        assert [one.index for one in answer.choices] == [0, 1]
        assert answer.choices[0].text == text
    assert alone.usage.prompt_tokens == len(ids)
    assert alone.usage.completion_tokens <= 4


def test_n_answers_to_each_prompt_come_in_order(client):
    answer = complete(client, ["Hello", TEXT], n=2, temperature=1, seed=3)
    assert [one.index for one in answer.choices] == [0, 1, 2, 3]
    again = complete(client, [TEXT, "Hello"], n=2, temperature=1, seed=3)
    # what is answered to one prompt does not depend on the others
    assert [one.text for one in again.choices[2:]] == [one.text for one in answer.choices[:2]]


def test_echo_scores_the_prompt_as_a_forward_pass_does(client, engine):
    import torch

    ids = engine.tokenize(TEXT)
    answer = complete(client, [ids], max_tokens=1, echo=True, logprobs=1, seed=1234)
    found = answer.choices[0].logprobs
    assert len(found.token_logprobs) == len(found.top_logprobs) == len(ids) + 1
    assert (found.token_logprobs[0], found.top_logprobs[0]) == (None, None)
    with torch.inference_mode():
        logits = tiny_model(engine._tokenizer)(torch.tensor([ids])).logits[0]
    want = logits.double().log_softmax(-1)[range(len(ids) - 1), ids[1:]].tolist()
    assert found.token_logprobs[1:-1] == pytest.approx(want, abs=1e-5)


def test_a_greedy_continuation_is_told_by_equality_of_numbers(client, engine):
    import torch

    model = tiny_model(engine._tokenizer)
    ids = engine.tokenize("Hello")
    row = list(ids)
    with torch.inference_mode():
        for _ in range(3):
            row.append(int(model(torch.tensor([row])).logits[0, -1].argmax()))
    for tokens, greedy in ((row, True), ([*ids, 5, 6, 7], False)):
        found = complete(client, [tokens], max_tokens=1, echo=True, logprobs=1).choices[0].logprobs
        pairs = list(zip(found.token_logprobs, found.top_logprobs, strict=True))[len(ids) : -1]
        assert all(own == max(top.values()) for own, top in pairs) is greedy


def test_the_legacy_lists_are_of_one_length_and_point_into_the_text(client, engine):
    choice = complete(client, TEXT, echo=True, logprobs=3, max_tokens=6).choices[0]
    found = choice.logprobs
    lists = (found.tokens, found.token_logprobs, found.top_logprobs, found.text_offset)
    assert {len(one) for one in lists} == {len(found.tokens)}
    assert choice.text.startswith(TEXT)
    for name, place in zip(found.tokens, found.text_offset, strict=True):
        if not name.startswith("bytes:") and not name.startswith("<|"):
            assert choice.text[place:].startswith(name)
    for own, top in zip(found.token_logprobs[1:], found.top_logprobs[1:], strict=True):
        assert own in top.values()
        assert 1 <= len(top) <= 4


def test_echo_without_an_answer(client, engine):
    answer = complete(client, TEXT, echo=True, max_tokens=0, logprobs=0)
    assert answer.choices[0].text == TEXT
    assert answer.choices[0].finish_reason == "length"
    assert len(answer.choices[0].logprobs.tokens) == len(engine.tokenize(TEXT))
    assert answer.usage.completion_tokens == 0


def test_more_prompts_than_the_engine_takes_at_once_are_all_answered(client):
    answer = complete(client, [f"Hello {place}" for place in range(64)], max_tokens=1)
    assert [one.index for one in answer.choices] == list(range(64))


def test_a_stream_says_the_same(client):
    whole = complete(client, [TEXT, "Hello"], n=2, max_tokens=6)
    texts = [""] * 4
    usage = None
    stream = complete(client, [TEXT, "Hello"], n=2, max_tokens=6, stream=True,
                      stream_options={"include_usage": True})  # fmt: skip
    for chunk in stream:
        for choice in chunk.choices:
            texts[choice.index] += choice.text
        usage = chunk.usage or usage
    assert texts == [choice.text for choice in whole.choices]
    assert usage == whole.usage


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"prompt": ""}, "prompt", "invalid_value"),
        ({"prompt": []}, "prompt", "invalid_value"),
        ({"prompt": [[]]}, "prompt", "invalid_value"),
        ({"prompt": ["a", 1]}, "prompt", "invalid_value"),
        ({"prompt": [True]}, "prompt", "invalid_value"),
        ({"prompt": {"a": 1}}, "prompt", "invalid_value"),
        ({"prompt": [-1]}, "prompt", "invalid_value"),
        ({"prompt": [100_000]}, "prompt", "invalid_value"),
        ({"prompt": ["a"] * 65}, "prompt", "invalid_value"),
        ({"prompt": [7] * 256}, "prompt", "context_length_exceeded"),
        ({"max_tokens": 300}, "max_tokens", "context_length_exceeded"),
        ({"max_tokens": 0}, "max_tokens", "invalid_value"),
        ({"logprobs": 21}, "logprobs", "invalid_value"),
        ({"logprobs": True}, "logprobs", "invalid_value"),
        ({"best_of": 2}, "best_of", "unsupported_parameter"),
        ({"suffix": "end"}, "suffix", "unsupported_parameter"),
        ({"echo": True, "stream": True}, "echo", "invalid_value"),
        ({"logit_bias": {"99999": 1}}, "logit_bias", "invalid_value"),
        ({"model": "other"}, "model", "model_not_found"),
    ],
)
def test_a_bad_request_names_the_field(url, fields, param, code):
    status, answer = post(url, "/v1/completions", **{"model": "tiny", "prompt": "a", **fields})
    assert status == (404 if param == "model" else 400)
    assert answer["error"]["param"].split("[")[0].split(".")[0] == param
    assert answer["error"]["code"] == code


def test_a_bias_forces_a_token(client, engine):
    token = engine.tokenize("x")[0]
    answer = complete(client, TEXT, logit_bias={str(token): 100}, max_tokens=3)
    assert answer.choices[0].text == "xxx"


def test_the_remote_tokenizer_of_lm_eval_has_its_three_routes(url, engine):
    with urllib.request.urlopen(f"{url}/tokenizer_info", timeout=10) as answer:
        info = json.load(answer)
    assert info["eos_token"] == "<|im_end|>"
    assert info["chat_template"] == engine._tokenizer.chat_template
    _, found = post(url, "/tokenize", prompt=TEXT, add_special_tokens=False)
    assert found["tokens"] == engine.tokenize(TEXT)
    _, back = post(url, "/detokenize", tokens=found["tokens"])
    assert back == {"prompt": TEXT}
    _, end = post(url, "/tokenize", prompt="<|im_end|>", add_special_tokens=False)
    assert end["tokens"] == [engine._tokenizer.eos_token_id]


def test_a_token_that_is_none_is_refused(url):
    status, answer = post(url, "/detokenize", tokens=[10_000_000])
    assert (status, answer["error"]["param"]) == (400, "tokens")


def test_routes_are_there_without_v1_too(url):
    status, answer = post(url, "/completions", model="tiny", prompt="Hello", max_tokens=1)
    assert (status, answer["object"]) == (200, "text_completion")
