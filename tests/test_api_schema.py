"""Whatever ``/openapi.json`` allows or forbids, the answer is one that it describes."""

import http.client
import json
import os

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from schemathesis.checks import CHECKS, load_all_checks

from serve.api.app import create_app
from serve.api.run import RunningServer
from serve.engine.echo import EchoEngine

# the checks of what is sent are made by other tests: the schema cannot say which fields agree
_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
)
EXAMPLES = 250 if os.environ.get("TURNMILL_SOAK") else 25

load_all_checks()


@pytest.fixture(scope="module")
def server():
    with RunningServer({"echo": EchoEngine(context_length=512)}) as running:
        yield running


schema = schemathesis.openapi.from_dict(create_app({"echo": EchoEngine()}).openapi())


@schema.parametrize()
@hypothesis.settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=not os.environ.get("TURNMILL_SOAK"),
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_answers_conform(case, server):
    case.call_and_validate(base_url=server.url, checks=CHECKS.get_by_names(list(_CHECKS)))


def test_errors_are_described_as_they_are(server):
    for path in ask(server, "GET", "/openapi.json")[2]["paths"].values():
        for operation in path.values():
            assert "422" not in operation["responses"]
            for status in ("400", "404", "405", "413", "415", "429", "500"):
                content = operation["responses"][status]["content"]
                assert content["application/json"]["schema"]["$ref"].endswith("ErrorResponse")


def test_every_request_has_an_example_that_is_taken(server):
    shapes = ask(server, "GET", "/openapi.json")[2]["components"]["schemas"]
    routes = {
        "ChatRequest": "/v1/chat/completions",
        "CompletionRequest": "/v1/completions",
        "ScoreRequest": "/v1/score",
    }
    for shape, route in routes.items():
        for example in shapes[shape]["examples"]:
            assert ask(server, "POST", route, example)[0] == 200


@pytest.mark.parametrize("route", ["/v1/completions", "/v1/score", "/tokenize", "/health"])
def test_a_wrong_method_is_an_error_object(server, route):
    status, headers, answer = ask(server, "DELETE", route)
    assert status == 405
    assert answer["error"]["type"] == "invalid_request_error"
    assert headers["allow"]


def ask(server, method, route, body=None):
    """Status, headers and parsed body."""
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
    data = None if body is None else json.dumps(body)
    connection.request(method, route, data, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    parsed = json.loads(answer.read())
    connection.close()
    return answer.status, answer.headers, parsed
