"""A real model behind the API: in this process, and in one of its own that gets a signal."""

import signal
import subprocess
import sys

import openai
import pytest

pytestmark = pytest.mark.torch

torch = pytest.importorskip("torch")

from tiny_models import certificate, save_tiny  # noqa: E402 - after the check for torch

from ingest.errors import UserError  # noqa: E402
from serve.api.run import RunningServer, serve  # noqa: E402
from serve.engine.embedded import open_engine  # noqa: E402

SERVE = """
import sys
from pathlib import Path
from serve.api.run import serve
serve({"tiny": Path(sys.argv[1])}, port=0, on_ready=lambda url: print(url, flush=True))
print("ended", flush=True)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = save_tiny(tmp_path_factory.mktemp("models") / "tiny")
    certificate(made, base="org/base")
    return made


@pytest.fixture(scope="module")
def client(folder):
    with (
        RunningServer({"tiny": open_engine(folder)}) as server,
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as made,
    ):
        yield made


def ask(client, **fields):
    messages = [{"role": "user", "content": "My parcel has not arrived 😀"}]
    return client.chat.completions.create(
        model="tiny", messages=messages, **{"max_tokens": 40, **fields}
    )


def text_of(answer):
    return answer.choices[0].message.content


def test_the_seed_repeats_an_answer(client):
    assert text_of(ask(client, seed=1)) == text_of(ask(client, seed=1))
    assert text_of(ask(client, seed=1)) != text_of(ask(client, seed=2))


def test_temperature_is_each_requests_own(client):
    greedy = text_of(ask(client, temperature=0))
    assert text_of(ask(client, temperature=0, seed=9)) == greedy
    assert len({text_of(ask(client, temperature=1.5, seed=seed)) for seed in range(3)}) == 3
    assert text_of(ask(client, temperature=0)) == greedy


def test_several_answers_differ_and_the_first_is_that_of_one(client):
    several = ask(client, seed=3, n=3)
    texts = [choice.message.content for choice in several.choices]
    assert len(set(texts)) == 3
    assert texts[0] == text_of(ask(client, seed=3))
    assert texts[1] == text_of(ask(client, seed=4))


@pytest.mark.parametrize("seed", range(4))
def test_a_stream_says_the_same_as_an_answer(client, seed):
    # a random model emits broken characters too: the hardest case for pieces
    whole = ask(client, seed=seed, logprobs=True)
    with ask(client, seed=seed, stream=True, stream_options={"include_usage": True}) as stream:
        chunks = list(stream)
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(pieces) == text_of(whole)
    assert chunks[-1].usage == whole.usage
    # an end token is counted, but is no part of the answer: no stop string could have ended it
    ended = whole.choices[0].finish_reason == "stop"
    assert len(whole.choices[0].logprobs.content) + ended == whole.usage.completion_tokens


def test_a_stop_string_across_tokens(client):
    whole = text_of(ask(client, seed=0))
    stop = whole[7:12]
    cut = ask(client, seed=0, stop=stop)
    assert text_of(cut) == whole[: whole.index(stop)]
    assert cut.choices[0].finish_reason == "stop"


def test_tools_reach_the_template(client):
    tool = {"type": "function", "function": {"name": "find_order", "parameters": {}}}
    plain = ask(client, max_tokens=1).usage.prompt_tokens
    assert ask(client, max_tokens=1, tools=[tool]).usage.prompt_tokens > plain + 10
    none = ask(client, max_tokens=1, tools=[tool], tool_choice="none").usage.prompt_tokens
    assert none == plain


def test_a_tool_call_in_the_history(client):
    messages = [
        {"role": "user", "content": "Where is it?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "find_order", "arguments": '{"id": 7}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "on its way"},
    ]
    answer = client.chat.completions.create(model="tiny", messages=messages, max_tokens=2)
    assert answer.usage.completion_tokens <= 2


def test_the_model_card_names_the_certificate(client):
    card = client.models.retrieve("tiny")
    assert (card.run, card.base_model, card.merge_verdict) == ("run-7", "org/base", "pass")
    assert card.context_length == 256


def test_a_folder_without_a_model(tmp_path):
    with pytest.raises(UserError, match=r"config\.json"):
        serve({"x": tmp_path}, port=0)


def test_sigterm_finishes_answers_under_way(folder):
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(folder)], stdout=subprocess.PIPE, text=True
    )
    try:
        url = process.stdout.readline().strip()
        with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
            # an engine of its own end tokens may stop early: a seed that goes on is looked for
            seed = next(
                seed
                for seed in range(20)
                if ask(client, seed=seed, max_tokens=180).choices[0].finish_reason == "length"
            )
            with ask(client, seed=seed, max_tokens=180, stream=True) as stream:
                chunks = iter(stream)
                next(chunks)
                process.send_signal(signal.SIGTERM)
                rest = list(chunks)
        assert rest[-1].choices[0].finish_reason == "length"
        assert process.wait(timeout=20) == 0
        assert process.stdout.read() == "ended\n"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
