import json
import re

import pytest

pytestmark = pytest.mark.torch

torch = pytest.importorskip("torch")
pytest.importorskip("llguidance")

from engine_ground import ids_of, run  # noqa: E402 - after the check for torch
from tiny_models import tiny_model, tiny_tokenizer  # noqa: E402

from serve.engine.base import Grammar, GrammarError, SamplingParams  # noqa: E402
from serve.engine.embedded import EmbeddedEngine  # noqa: E402

SCHEMA = {
    "type": "object",
    "properties": {
        "mood": {"enum": ["good", "bad"]},
        "count": {"type": "integer", "minimum": 0, "maximum": 99},
    },
    "required": ["mood", "count"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def engine():
    tokenizer = tiny_tokenizer()
    made = EmbeddedEngine(tiny_model(tokenizer), tokenizer)
    yield made
    made.close()


def test_a_random_model_writes_what_the_schema_says(engine):
    constraint = engine.constraint(Grammar("json_schema", json.dumps(SCHEMA)))
    free = ([1, 2, 3], SamplingParams(max_tokens=10, temperature=0))
    expected = run(engine, free)
    bound = [
        ([seed + 1], SamplingParams(max_tokens=60, seed=seed, constraint=constraint))
        for seed in range(8)
    ]
    *answers, beside = run(engine, *bound, free)
    # who is bound does not bind others
    assert [beside] == expected
    found = [json.loads(engine.decode(ids_of(tokens[:-1]))) for tokens in answers]
    assert all(set(one) == {"mood", "count"} and 0 <= one["count"] <= 99 for one in found)
    assert {tokens[-1].finish_reason for tokens in answers} == {"stop"}
    assert len({str(one) for one in found}) > 1


def test_any_object_is_json_when_it_ends(engine):
    constraint = engine.constraint(Grammar("json_object"))
    closing = {engine.tokenize("}")[0]: 6.0, engine.tokenize('"')[0]: 6.0}
    params = SamplingParams(max_tokens=400, seed=3, constraint=constraint, logit_bias=closing)
    (tokens,) = run(engine, ([1, 2], params))
    assert tokens[-1].finish_reason == "stop"
    assert isinstance(json.loads(engine.decode(ids_of(tokens[:-1]))), dict)


def test_a_regular_expression(engine):
    constraint = engine.constraint(Grammar("regex", "(yes|no), [0-9]{3}"))
    params = SamplingParams(max_tokens=30, temperature=0, constraint=constraint, ignore_eos=True)
    (tokens,) = run(engine, ([9, 9], params))
    assert re.fullmatch("(yes|no), [0-9]{3}", engine.decode(ids_of(tokens[:-1])))


@pytest.mark.parametrize(
    "grammar",
    [
        Grammar("json_schema", "{"),
        Grammar("json_schema", "[]"),
        Grammar("json_schema", '{"type": "nonsense"}'),
        Grammar("lark", "start: undefined_rule"),
        Grammar("regex", "(unclosed"),
    ],
)
def test_what_cannot_be_compiled_is_refused(engine, grammar):
    with pytest.raises(GrammarError):
        engine.constraint(grammar)
