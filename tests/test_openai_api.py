"""The API over real sockets, with the official client, on an engine without a model."""

import http.client
import json
import logging
import threading
import time

import openai
import pytest
from pydantic import SecretStr

from serve.api.run import RunningServer, ServeError, serve
from serve.engine.base import Provenance
from serve.engine.echo import EchoEngine

MODEL = "echo"
TEXT = "Zoë 👩‍👩‍👧 said: stop HERE and not there"


@pytest.fixture(scope="module")
def server():
    provenance = Provenance("base", "run-1", "f" * 64, "exact")
    engines = {
        MODEL: EchoEngine(context_length=400, provenance=provenance),
        "slow": EchoEngine(delay_s=0.02, capacity=2),
    }
    with RunningServer(engines) as running:
        running.engines = engines
        yield running


@pytest.fixture(scope="module")
def client(server):
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as made:
        yield made


def ask(client, content=TEXT, **fields):
    fields = {"model": MODEL, **fields}
    return client.chat.completions.create(messages=[{"role": "user", "content": content}], **fields)


def streamed(client, content=TEXT, **fields):
    with ask(client, content, stream=True, **fields) as stream:
        return list(stream)


def post(server, body, path="/v1/chat/completions", **headers):
    """A raw request: (status, headers, parsed body)."""
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("POST", path, data, {"Content-Type": "application/json", **headers})
    answer = connection.getresponse()
    parsed = json.loads(answer.read())
    connection.close()
    return answer.status, answer.headers, parsed


def body(**fields):
    return {"model": MODEL, "messages": [{"role": "user", "content": "hi"}], **fields}


def eventually(condition):
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline, "did not come true within 5 s"
        time.sleep(0.01)


def test_an_answer(client):
    answer = ask(client)
    assert answer.object == "chat.completion"
    assert answer.choices[0].message.content == TEXT
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason == "stop"


def test_usage_counts_the_prompt_and_the_end_token(client):
    usage = ask(client, "abc").usage
    # role, three bytes, end, role; three bytes and an end
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (6, 4, 10)


def test_a_stream_says_the_same_as_an_answer(client):
    chunks = streamed(client)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks][-2:] == [None, "stop"]
    assert len({chunk.id for chunk in chunks}) == 1


def test_a_stream_comes_in_pieces_and_ends_with_done(server):
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
    connection.request(
        "POST",
        "/v1/chat/completions",
        json.dumps(body(stream=True)),
        {"Content-Type": "application/json"},
    )
    answer = connection.getresponse()
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    events = answer.read().decode().split("\n\n")
    connection.close()
    assert events[-2:] == ["data: [DONE]", ""]
    chunk = json.loads(events[1].removeprefix("data: "))
    assert chunk["choices"] == [
        {"index": 0, "delta": {"content": "h"}, "logprobs": None, "finish_reason": None}
    ]
    assert "usage" not in chunk


def test_usage_in_a_stream_comes_last_and_only_when_asked(client):
    assert all(chunk.usage is None for chunk in streamed(client))
    chunks = streamed(client, stream_options={"include_usage": True})
    assert chunks[-1].choices == []
    assert chunks[-1].usage == ask(client).usage
    assert all(chunk.usage is None for chunk in chunks[:-1])


def test_a_stop_string_is_cut_from_the_text(client):
    for stop in ("HERE", [" and", "HERE"]):
        answer = ask(client, stop=stop)
        assert answer.choices[0].message.content == TEXT[: TEXT.index("HERE")]
        assert answer.choices[0].finish_reason == "stop"
        pieces = [chunk.choices[0].delta.content or "" for chunk in streamed(client, stop=stop)]
        assert "".join(pieces) == answer.choices[0].message.content


def test_max_tokens_ends_the_answer(client):
    for field in ("max_tokens", "max_completion_tokens"):
        answer = ask(client, "abcdef", **{field: 2})
        assert answer.choices[0].message.content == "ab"
        assert answer.choices[0].finish_reason == "length"
        assert answer.usage.completion_tokens == 2


def test_several_answers(client):
    answer = ask(client, "abc", n=3)
    assert [(choice.index, choice.message.content) for choice in answer.choices] == [
        (0, "abc"),
        (1, "abc"),
        (2, "abc"),
    ]
    assert answer.usage.prompt_tokens == 6
    assert answer.usage.completion_tokens == 12


def test_several_answers_in_a_stream(client):
    texts = ["", ""]
    for chunk in streamed(client, "abc", n=2):
        texts[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
    assert texts == ["abc", "abc"]


def test_logprobs_cover_the_text(client):
    logprobs = ask(client, "né", logprobs=True, top_logprobs=2).choices[0].logprobs
    assert b"".join(bytes(one.bytes) for one in logprobs.content) == "né".encode()
    assert logprobs.content[0].top_logprobs[0].token == "n"


def test_no_logprobs_unasked(client):
    assert ask(client).choices[0].logprobs is None


def test_logprobs_of_a_stream_equal_those_of_an_answer(client):
    chunks = streamed(client, stop="HERE", logprobs=True, top_logprobs=1)
    found = [one for c in chunks if c.choices[0].logprobs for one in c.choices[0].logprobs.content]
    whole = ask(client, stop="HERE", logprobs=True, top_logprobs=1)
    assert found == whole.choices[0].logprobs.content
    assert "".join(one.token for one in found if ord(one.token[0]) < 128) == "Zo  said: stop "


def test_models_say_where_they_come_from(client):
    cards = {card.id: card for card in client.models.list()}
    assert set(cards) == {MODEL, "slow"}
    assert cards[MODEL].run == "run-1"
    assert cards[MODEL].dataset_fingerprint == "f" * 64
    assert cards[MODEL].merge_verdict == "exact"
    assert cards["slow"].run is None
    assert client.models.retrieve(MODEL) == cards[MODEL]


def test_an_unknown_model(client):
    with pytest.raises(openai.NotFoundError) as caught:
        ask(client, model="gpt-4")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("../../etc/passwd")


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"service_tier": "flex"}, "service_tier", "unsupported_parameter"),
        ({"temprature": 1}, "temprature", "unknown_parameter"),
        ({"temperature": "hot"}, "temperature", "invalid_value"),
        ({"messages": []}, "messages", "invalid_value"),
        ({"messages": [{"role": "wizard", "content": ""}]}, "messages[0].role", "invalid_value"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "messages[0].content",
            "invalid_value",
        ),
        ({"messages": [{"role": "user", "content": "a", "x": 1}]}, "messages[0].x",
         "unknown_parameter"),
        ({"stop": [""]}, "stop[0]", "invalid_value"),
        ({"top_logprobs": 1}, "top_logprobs", "invalid_value"),
        ({"max_tokens": 1000}, "max_tokens", "context_length_exceeded"),
        ({"messages": [{"role": "user", "content": "x" * 400}]}, "messages",
         "context_length_exceeded"),
    ],
)  # fmt: skip
def test_a_bad_request_names_the_field(server, fields, param, code):
    status, _, answer = post(server, body(**fields))
    assert status == 400
    assert set(answer) == {"error"}
    assert set(answer["error"]) == {"message", "type", "param", "code"}
    assert (answer["error"]["param"], answer["error"]["code"]) == (param, code)
    assert (
        param.split("[")[0] in answer["error"]["message"] or "prompt" in answer["error"]["message"]
    )


def test_missing_messages(server):
    status, _, answer = post(server, {"model": MODEL})
    assert (status, answer["error"]["param"]) == (400, "messages")


@pytest.mark.parametrize("sent", [b"{", b"", b"[]", b'"x"', b"[" * 100_000, b"\xff"])
def test_a_body_that_is_no_object(server, sent):
    status, _, answer = post(server, sent)
    assert status == 400
    assert answer["error"]["type"] == "invalid_request_error"


def test_a_body_sent_as_a_form_is_refused(server):
    # browsers send forms and plain text across origins without asking first
    status, _, answer = post(server, body(), Content_Type="text/plain")
    assert (status, answer["error"]["code"]) == (415, "unsupported_media_type")


def test_an_unknown_route_is_an_error_object(server):
    status, _, answer = post(server, {}, path="/v1/reset")
    assert (status, answer["error"]["type"]) == (404, "invalid_request_error")


def test_a_large_body_is_refused_before_it_is_parsed(server):
    status, _, answer = post(server, body(user="x" * (2 << 20)))
    assert (status, answer["error"]["code"]) == (413, "request_too_large")


def test_a_large_body_in_chunks_is_refused(server):
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
    parts = (b" " * (1 << 20) for _ in range(3))
    connection.request(
        "POST",
        "/v1/chat/completions",
        parts,
        {"Content-Type": "application/json"},
        encode_chunked=True,
    )
    assert connection.getresponse().status == 413
    connection.close()


def test_a_full_queue_says_when_to_come_again(server, client):
    streams = [ask(client, "x" * 500, model="slow", stream=True) for _ in range(2)]
    try:
        eventually(lambda: server.engines["slow"].active == 2)
        status, headers, answer = post(server, body(model="slow"))
        assert (status, answer["error"]["code"]) == (429, "rate_limit_exceeded")
        assert int(headers["Retry-After"]) >= 1
    finally:
        for stream in streams:
            stream.close()
    eventually(lambda: server.engines["slow"].active == 0)


def test_n_answers_are_admitted_together_or_not_at_all(server):
    status, _, _ = post(server, body(model="slow", n=3))
    assert status == 429
    eventually(lambda: server.engines["slow"].active == 0)


def test_a_client_that_leaves_a_stream_cancels_the_work(server, client):
    stream = ask(client, "x" * 2000, model="slow", stream=True)
    next(iter(stream))
    assert server.engines["slow"].active == 1
    stream.close()
    eventually(lambda: server.engines["slow"].active == 0)


def test_a_client_that_leaves_before_its_answer_cancels_the_work(server):
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
    long = [{"role": "user", "content": "x" * 2000}]
    connection.request(
        "POST",
        "/v1/chat/completions",
        json.dumps(body(model="slow", messages=long)),
        {"Content-Type": "application/json"},
    )
    eventually(lambda: server.engines["slow"].active == 1)
    connection.close()
    eventually(lambda: server.engines["slow"].active == 0)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example"])
def test_another_host_name_is_refused(server, host):
    status, _, answer = post(server, body(), Host=host)
    assert (status, answer["error"]["code"]) == (403, "invalid_host")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:9", "[::1]:8000"])
def test_loopback_names_are_served(server, host):
    assert post(server, body(), Host=host)[0] == 200


def test_no_origin_is_allowed(server):
    _, headers, _ = post(server, body(), Origin="https://evil.example")
    assert not [name for name in headers if name.lower().startswith("access-control")]


def test_a_key_is_asked_for():
    with RunningServer({MODEL: EchoEngine()}, api_key=SecretStr("s3cret")) as server:
        for sent in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "s3cret"}):
            status, headers, answer = post(server, body(), **sent)
            assert (status, answer["error"]["code"]) == (401, "invalid_api_key")
            assert headers["WWW-Authenticate"] == "Bearer"
        with openai.OpenAI(base_url=f"{server.url}/v1", api_key="s3cret") as client:
            assert ask(client, "hi").choices[0].message.content == "hi"
        connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
        connection.request("GET", "/health")
        assert connection.getresponse().status == 200
        connection.close()


def test_a_closed_engine_is_unhealthy():
    engine = EchoEngine()
    with RunningServer({MODEL: engine}) as server:
        engine.close()
        status, _, answer = post(server, body())
        assert (status, answer["error"]["type"]) == (503, "server_error")
        connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
        connection.request("GET", "/health")
        assert connection.getresponse().status == 503
        connection.close()


def test_logs_hold_no_message_text_and_no_query(server, client, caplog):
    with caplog.at_level(logging.DEBUG):
        ask(client, "my secret diary")
        post(server, body(x="secret field"), path="/v1/chat/completions?q=secret-query")
    ours = [record for record in caplog.records if not record.name.startswith(("openai", "http"))]
    text = "\n".join(record.getMessage() for record in ours)
    assert "POST '/v1/chat/completions' 200" in text
    assert "secret" not in text


def test_answers_under_way_are_finished_at_the_end():
    texts = []
    with RunningServer({MODEL: EchoEngine(delay_s=0.02)}) as server:
        client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)
        thread = threading.Thread(
            target=lambda: texts.append(ask(client, "slow and steady").choices[0].message.content)
        )
        thread.start()
        time.sleep(0.1)
    thread.join()
    client.close()
    assert texts == ["slow and steady"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_an_open_address_needs_a_key(host):
    with pytest.raises(ServeError, match="no API key"):
        serve({}, host=host)


def test_an_empty_key_is_no_key():
    with pytest.raises(ServeError, match="empty"):
        serve({}, host="0.0.0.0", api_key=SecretStr(" "))


def test_a_taken_port_is_told(server):
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(ServeError, match=f"port {port}"):
        serve({}, port=port)
