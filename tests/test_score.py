"""The score route: the very number of the evaluation, message by message."""

import json
import urllib.error
import urllib.request

import pytest
from tiny_models import tiny_model, tiny_tokenizer

from serve.api.run import RunningServer

pytestmark = pytest.mark.torch

CHAT = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "My parcel has not arrived yet."},
    {"role": "assistant", "content": "I am sorry to hear that 😀"},
    {"role": "user", "content": "Please hurry."},
    {"role": "assistant", "content": "Please wait a moment."},
]


@pytest.fixture(scope="module")
def tokenizer():
    return tiny_tokenizer()


@pytest.fixture(scope="module")
def url(tokenizer):
    from serve.engine.embedded import EmbeddedEngine

    with RunningServer({"tiny": EmbeddedEngine(tiny_model(tokenizer), tokenizer)}) as running:
        yield running.url


def score(url, messages, **fields):
    """Status and parsed body."""
    body = {"model": "tiny", "messages": messages, **fields}
    request = urllib.request.Request(
        f"{url}/v1/score", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_the_score_is_the_evaluation_s(url, tokenizer):
    from serve.evaluation.nll import Encoded
    from serve.evaluation.nll import score as evaluated
    from train.render import render

    rendered = render(CHAT, tokenizer)
    want = evaluated(tiny_model(tokenizer), [Encoded("one", *rendered)])[0]
    _, found = score(url, CHAT)
    assert found["tokens"] == want.tokens
    assert -found["logprob"] / found["tokens"] == pytest.approx(want.nats / want.tokens, abs=1e-6)
    assert found["mean_nll"] == pytest.approx(want.nats / want.tokens, abs=1e-6)
    assert found["usage"]["prompt_tokens"] == len(rendered.ids)


def test_messages_add_up_and_stand_at_their_index(url):
    _, found = score(url, CHAT)
    assert [one["index"] for one in found["messages"]] == [2, 4]
    assert sum(one["tokens"] for one in found["messages"]) == found["tokens"]
    assert sum(one["logprob"] for one in found["messages"]) == pytest.approx(found["logprob"])


def test_what_comes_later_does_not_change_an_earlier_message(url):
    _, whole = score(url, CHAT)
    _, first = score(url, CHAT[:3])
    assert first["messages"][0]["tokens"] == whole["messages"][0]["tokens"]
    assert first["logprob"] == pytest.approx(whole["messages"][0]["logprob"], abs=1e-4)


@pytest.mark.parametrize(
    ("messages", "fields", "param"),
    [
        (CHAT[:2], {}, "messages"),
        ([], {}, "messages"),
        ([*CHAT, {"role": "user", "content": "x " * 300}], {}, "messages"),
        (CHAT * 200, {}, "messages"),
        ([{"role": "wizard", "content": "x"}], {}, "messages[0].role"),
        (CHAT, {"temperature": 0}, "temperature"),
    ],
)
def test_a_bad_request_names_the_field(url, messages, fields, param):
    status, answer = score(url, messages, **fields)
    assert (status, answer["error"]["param"]) == (400, param)
