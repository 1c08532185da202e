"""What ``/metrics`` counts, and that nothing a client writes gets into it."""

import http.client
import json
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from serve.api.limits import Limits
from serve.api.run import RunningServer
from serve.engine.echo import EchoEngine

SECRET = "Zoë's secret"


@pytest.fixture
def server():
    limits = Limits(at_once=2, request_s=0.5, prompt_tokens=300)
    models = {"echo": EchoEngine(), "slow": EchoEngine(delay_s=0.05)}
    with RunningServer(models, limits=limits) as running:
        yield running


def ask(server, method, route, body=None, **headers):
    """Status, headers and text."""
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
    data = None if body is None else json.dumps(body)
    connection.request(method, route, data, {"Content-Type": "application/json", **headers})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, answer.headers, text


def chat(server, content=SECRET, model="echo", **fields):
    body = {"model": model, "messages": [{"role": "user", "content": content}], **fields}
    return ask(server, "POST", "/v1/chat/completions", body)


def samples(server):
    """Value by name and labels."""
    text = ask(server, "GET", "/metrics")[2]
    return {
        (one.name, *sorted(one.labels.values())): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def test_requests_tokens_and_times_are_counted(server):
    chat(server, "abc")
    chat(server, "abc", stream=True)
    chat(server, "abc", temperature="hot")
    found = samples(server)
    route = "/v1/chat/completions"
    by_status = {
        key[1:]: value for key, value in found.items() if key[0] == "turnmill_requests_total"
    }
    assert by_status[tuple(sorted((route, "200")))] == 2
    assert by_status[tuple(sorted((route, "400")))] == 1
    assert found["turnmill_prompt_tokens_total", "echo"] == 12
    assert found["turnmill_generated_tokens_total", "echo"] == 8
    assert found["turnmill_time_to_first_token_seconds_count", "echo"] == 2
    assert found["turnmill_request_seconds_count", route] == 3
    assert found["turnmill_active", "echo"] == found["turnmill_waiting", "slow"] == 0


def test_nothing_that_a_client_writes_gets_in(server):
    chat(server)
    chat(server, model=SECRET)
    ask(server, "GET", "/v1/models/private-name")
    ask(server, "GET", "/private-path?private-query=1")
    ask(server, "POST", "/v1/completions", {"model": "echo", "prompt": SECRET})
    text = ask(server, "GET", "/metrics")[2]
    assert "secret" not in text
    assert "private" not in text
    assert 'route="other"' in text
    assert 'route="/v1/models/{name}"' in text


def test_two_servers_count_apart(server):
    chat(server, "abc")
    with RunningServer({"echo": EchoEngine()}) as other:
        assert ("turnmill_prompt_tokens_total", "echo") not in samples(other)


def test_an_answer_that_takes_too_long_ends(server):
    status, headers, text = chat(server, "x" * 100, model="slow")
    assert status == 504
    assert json.loads(text)["error"]["code"] == "timeout"
    assert headers["x-should-retry"] == "false"
    status, _, text = chat(server, "x" * 100, model="slow", stream=True)
    assert status == 200
    assert json.loads(text.split("data: ")[-1])["error"]["code"] == "timeout"
    deadline = time.monotonic() + 5
    while samples(server)["turnmill_active", "slow"]:
        assert time.monotonic() < deadline, "the engine goes on with it"


def test_so_many_requests_are_at_work_at_once(server):
    open_ones = []
    for _ in range(2):
        connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
        body = {"model": "slow", "messages": [{"role": "user", "content": "x" * 9}],
                "stream": True}  # fmt: skip
        connection.request("POST", "/v1/chat/completions", json.dumps(body),
                           {"Content-Type": "application/json"})  # fmt: skip
        open_ones.append((connection, connection.getresponse()))
    status, headers, text = chat(server, "a")
    assert (status, json.loads(text)["error"]["code"]) == (429, "rate_limit_exceeded")
    assert headers["Retry-After"] == "1"
    assert ask(server, "GET", "/health")[0] == 200
    for connection, answer in open_ones:
        answer.read()
        connection.close()
    assert chat(server, "a")[0] == 200


def test_all_prompts_together_have_a_bound(server):
    body = {"model": "echo", "prompt": ["x" * 100] * 4}
    status, _, text = ask(server, "POST", "/v1/completions", body)
    assert (status, json.loads(text)["error"]["param"]) == (400, "prompt")
