"""Tool calls and thoughts: the format is the template's own, read back and, if asked, forced."""

import json

import openai
import pytest
from tiny_models import tiny_model, tiny_tokenizer

from serve.api.answer_parts import AnswerParts, Called, Said, Thought
from serve.api.run import RunningServer
from serve.api.tool_format import ThoughtFormat, ToolFormat, find_format
from serve.engine.echo import EchoEngine

HERMES = ToolFormat("<tool_call>", "</tool_call>", "name", "arguments", listed=False)
LLAMA = ToolFormat("", "", "name", "parameters", listed=False)
MISTRAL = ToolFormat("[TOOL_CALLS]", "", "name", "arguments", listed=True)
THINK = ThoughtFormat("<think>", "</think>")
ORDER = {
    "type": "function",
    "function": {
        "name": "find_order",
        "description": "Look up an order",
        "parameters": {
            "type": "object",
            "properties": {"number": {"type": "integer", "minimum": 1, "maximum": 99}},
            "required": ["number"],
            "additionalProperties": False,
        },
    },
}
STOCK = {"type": "function", "function": {"name": "in_stock", "parameters": {
    "type": "object", "properties": {"item": {"enum": ["mug", "tea"]}}, "required": ["item"],
    "additionalProperties": False}}}  # fmt: skip

LLAMA_TEMPLATE = """\
{%- if tools %}<|im_start|>system
{%- for tool in tools %}{{ '\\n' + (tool | tojson) }}{% endfor %}<|im_end|>
{%- endif %}
{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\\n\\n' }}
{%- if message.tool_calls %}
{%- if message.tool_calls | length != 1 %}{{ raise_exception('one call') }}{% endif %}
{{- '{"name": "' + message.tool_calls[0].function.name + '", "parameters": ' }}
{{- message.tool_calls[0].function.arguments | tojson }}{{ '}' }}
{%- else %}{{ message.content | trim }}{% endif %}
{{- '<|im_end|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n\\n' }}{% endif %}"""
MISTRAL_TEMPLATE = """\
{%- if tools %}[AVAILABLE_TOOLS]{{ tools | tojson }}[/AVAILABLE_TOOLS]{% endif %}
{%- for message in messages %}
{%- if message.role == 'user' %}[INST] {{ message.content }}[/INST]
{%- elif message.tool_calls %}[TOOL_CALLS] [
{%- for call in message.tool_calls %}
{{- '{"name": "' + call.function.name + '", "arguments": ' + (call.function.arguments | tojson) }}
{{- ', "id": "' + call.id + '"}' }}{% if not loop.last %}, {% endif %}
{%- endfor %}]<|im_end|>
{%- else %} {{ message.content }}<|im_end|>{% endif %}
{%- endfor %}"""
PLAIN_TEMPLATE = """\
{%- for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content }}
{{- '<|im_end|>\\n' }}{% endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""


def taken(text, size=None, **formats):
    """The parts of a text that comes in pieces of ``size`` characters, neighbours joined."""
    parts = AnswerParts(**formats)
    size = size or len(text) or 1
    found = []
    for start in range(0, len(text), size):
        found += parts.push(text[start : start + size])
    found += parts.finish()
    joined = []
    for part in found:
        if joined and isinstance(part, Said | Thought) and type(joined[-1]) is type(part):
            joined[-1] = type(part)(joined[-1].text + part.text)
        else:
            joined.append(part)
    return joined


CALL = '{"name": "find_order", "arguments": {"number": 7}}'
CASES = {
    "text": ("Just { text }.", HERMES, [Said("Just { text }.")]),
    "one call": (
        f"<tool_call>\n{CALL}\n</tool_call>", HERMES, [Called("find_order", '{"number": 7}')]
    ),
    "text, then calls": (
        f"Let me see.\n<tool_call>{CALL}</tool_call>\n<tool_call>{CALL}</tool_call>",
        HERMES,
        [Said("Let me see."), *[Called("find_order", '{"number": 7}')] * 2],
    ),
    "closer inside a string": (
        '<tool_call>{"name": "say", "arguments": {"t": "</tool_call>{"}}</tool_call> done',
        HERMES,
        [Called("say", '{"t": "</tool_call>{"}'), Said("done")],
    ),
    "not JSON": (
        "<tool_call>{name}</tool_call> hm",
        HERMES,
        [Said("<tool_call>{name}</tool_call> hm")],
    ),
    "cut off": ('<tool_call>{"name": "fi', HERMES, [Said('<tool_call>{"name": "fi')]),
    "almost a marker": ("a <tool_ b", HERMES, [Said("a <tool_ b")]),
    "bare": (
        '{"name": "find_order", "parameters": {"number": 7}}',
        LLAMA,
        [Called("find_order", '{"number": 7}')],
    ),
    "bare, of no tool": (
        '{"name": "Ann", "parameters": {}}',
        LLAMA,
        [Said('{"name": "Ann", "parameters": {}}')],
    ),
    "bare, later": ('See {"a": 1}', LLAMA, [Said('See {"a": 1}')]),
    "a list": (
        '[TOOL_CALLS] [{"name": "a", "arguments": {}, "id": "123456789"}, '
        '{"name": "b", "arguments": "{}"}]',
        MISTRAL,
        [Called("a", "{}"), Called("b", "{}")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_parts_are_the_same_however_the_text_is_cut(name):
    text, tools, want = CASES[name]
    for size in (None, 1, 2, 3, 7):
        assert taken(text, size, tools=tools, names=["find_order"]) == want


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("<think>\nWhy?\n</think>\n\nSo.", [Thought("Why?"), Said("So.")]),
        ("So.", [Said("So.")]),
        ("<think>\nWhy", [Thought("Why")]),
        ("<thin", [Said("<thin")]),
        (f"<think>a</think><tool_call>{CALL}</tool_call>",
         [Thought("a"), Called("find_order", '{"number": 7}')]),
    ],
)  # fmt: skip
def test_thoughts_stand_apart(text, want):
    for size in (None, 1, 2, 5):
        assert taken(text, size, thoughts=THINK, tools=HERMES) == want


def test_a_prompt_that_opens_the_thought():
    assert taken("Why?</think>So.", 1, thoughts=ThoughtFormat("", "</think>")) == [
        Thought("Why?"),
        Said("So."),
    ]


def engine_of(template, special=()):
    from serve.engine.embedded import EmbeddedEngine

    tokenizer = tiny_tokenizer()
    if template is not None:
        tokenizer.chat_template = template
    if special:
        tokenizer.add_special_tokens({"additional_special_tokens": list(special)})
    return EmbeddedEngine(tiny_model(tokenizer, context=1024), tokenizer)


@pytest.mark.torch
@pytest.mark.parametrize(
    ("template", "special", "tools", "thoughts"),
    [
        (None, (), HERMES, THINK),
        (LLAMA_TEMPLATE, (), LLAMA, None),
        (MISTRAL_TEMPLATE, ("[TOOL_CALLS]",), MISTRAL, None),
        (PLAIN_TEMPLATE, (), None, None),
    ],
)
def test_the_format_is_found_in_the_template(template, special, tools, thoughts):
    engine = engine_of(template, special)
    try:
        found = find_format(engine)
    finally:
        engine.close()
    assert (found.tools, found.thoughts) == (tools, thoughts)


@pytest.mark.torch
@pytest.mark.parametrize("name", ["ours", "llama", "mistral"])
def test_a_forced_call_is_a_call_with_fitting_arguments(name):
    template, special = {
        "ours": (None, ()),
        "llama": (LLAMA_TEMPLATE, ()),
        "mistral": (MISTRAL_TEMPLATE, ("[TOOL_CALLS]",)),
    }[name]
    with (
        RunningServer({"tiny": engine_of(template, special)}) as server,
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client,
    ):
        choice = {"type": "function", "function": {"name": "find_order"}}
        answer = ask(client, tools=[ORDER, STOCK], tool_choice=choice)
        assert answer.choices[0].finish_reason == "tool_calls"
        assert answer.choices[0].message.content is None
        call = answer.choices[0].message.tool_calls[0]
        assert call.function.name == "find_order"
        assert 1 <= json.loads(call.function.arguments)["number"] <= 99
        streamed = list(ask(client, tools=[ORDER, STOCK], tool_choice=choice, stream=True))
        deltas = [one for chunk in streamed for one in chunk.choices[0].delta.tool_calls or ()]
        assert deltas[0].function.name == "find_order"
        joined = "".join(one.function.arguments for one in deltas)
        assert json.loads(joined) == json.loads(call.function.arguments)
        assert streamed[-1].choices[0].finish_reason == "tool_calls"
        either = ask(client, tools=[ORDER, STOCK], tool_choice="required",
                     parallel_tool_calls=False)  # fmt: skip
        assert len(either.choices[0].message.tool_calls) == 1
        schema = ORDER["function"]["parameters"]
        form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
        said = ask(client, response_format=form).choices[0].message.content
        assert 1 <= json.loads(said)["number"] <= 99


def ask(client, **fields):
    fields = {"model": "tiny", "max_tokens": 120, "temperature": 0, **fields}
    messages = [{"role": "user", "content": "Where is order 7?"}]
    return client.chat.completions.create(messages=messages, **fields)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [ORDER]}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [ORDER], "tool_choice": {"type": "function", "function": {"name": "x"}}},
         "tool_choice"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_by_name(fields, param):
    with (
        RunningServer({"tiny": EchoEngine()}) as server,
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client,
        pytest.raises(openai.BadRequestError) as caught,
    ):
        ask(client, **fields)
    assert caught.value.param == param
