import pytest
from pydantic import ValidationError

from serve.protocol import ChatRequest

USER = {"role": "user", "content": "hi"}


def request(**fields):
    return ChatRequest.model_validate({"model": "m", "messages": [USER], **fields})


def fault(**fields):
    with pytest.raises(ValidationError) as caught:
        request(**fields)
    return caught.value.errors()[0]


def test_smallest_request():
    assert request().messages[0].content == "hi"


@pytest.mark.parametrize(
    "field",
    [
        {"temperature": "hot"},
        {"temperature": "0.5"},
        {"temperature": -1},
        {"temperature": float("nan")},
        {"top_p": 1.5},
        {"max_tokens": 0},
        {"max_tokens": -5},
        {"max_tokens": True},
        {"n": 9},
        {"n": 0},
        {"stop": ""},
        {"stop": [""]},
        {"stop": ["x"] * 17},
        {"seed": 1.5},
        {"logprobs": 5},
        {"stream": "yes"},
        {"response_format": {"type": "xml"}},
        {"response_format": {"type": "json_schema"}},
        {"frequency_penalty": 2.5},
        {"presence_penalty": "none"},
        {"min_p": 1.5},
        {"logit_bias": {"1": 101}},
        {"logit_bias": {"one": 1}},
        {"tools": [{"type": "web_search"}]},
        {"tool_choice": "sometimes"},
        {"messages": []},
        {"messages": "hi"},
        {"messages": [{"role": "wizard", "content": "hi"}]},
        {"messages": [{"role": "user"}]},
        {"messages": [{"role": "user", "content": 7}]},
    ],
)
def test_a_wrong_value_is_refused_at_its_field(field):
    assert fault(**field)["loc"][0] == next(iter(field))


@pytest.mark.parametrize("name", ["best_of", "temprature", "chat_template"])
def test_an_unknown_field_is_refused(name):
    found = fault(**{name: None})
    assert (found["type"], found["loc"]) == ("extra_forbidden", (name,))


def test_text_parts_are_joined():
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert request(messages=[{"role": "user", "content": parts}]).messages[0].content == "ab"


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "http://example.org/x.png"}},
        {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}},
        {"type": "file", "file": {"file_id": "f"}},
        {"type": "text", "text": "a", "image_url": "x"},
        {"type": "text"},
        "text",
    ],
)
def test_other_parts_are_refused(part):
    found = fault(messages=[{"role": "user", "content": [part]}])
    assert found["type"] == "text_only"
    assert "example.org" not in found["msg"]


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"max_tokens": 3, "max_completion_tokens": 3}, "max_tokens"),
    ],
)
def test_fields_that_contradict_each_other(fields, name):
    assert fault(**fields)["type"] == name


def test_one_stop_string_may_come_bare():
    assert request(stop="END").stop == ["END"]


def test_neutral_penalties_are_accepted():
    assert request(presence_penalty=0, frequency_penalty=0.0).presence_penalty == 0


def test_half_a_surrogate_pair_is_refused():
    assert fault(messages=[{"role": "user", "content": "half \ud83d"}])["type"] == "surrogate"


def test_a_deeply_nested_tool_is_refused():
    schema = {}
    for _ in range(100):
        schema = {"items": schema}
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    assert fault(tools=[tool])["type"] == "depth"


@pytest.mark.parametrize("name", [name for name in ChatRequest.model_fields if name != "model"])
def test_null_is_as_good_as_absent(name):
    if name == "messages":
        assert fault(messages=None)["loc"] == ("messages",)
    else:
        assert request(**{name: None}) == request()
