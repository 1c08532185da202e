"""Origins through everything that Jinja does with a string."""

import functools
import json
import random
from importlib.resources import files

import jinja2
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from provenance_ground import faults, texts, whole, words

from train.control import RenderError
from train.provenance import TOOLS, Traced, concat, spans_of, traced
from train.provenance_jinja import prepare, rewrite

transformers = pytest.importorskip("transformers")

# ruff: noqa: E501 - a line is a template
# `a`, `b`: texts; `m`, `n`: dicts of message 0 and 1; `all`: both. No letter in what they print.
EXACT = r"""
1{{ a }}2{{ b }}3
{{ a ~ '|' ~ b ~ 1 ~ a }}
{{ '<' + a + '>' + b }}
{{ '%s:%s' % (a, b) }}{{ '%s' % b }}{{ '%%%d|%s' % (1, a) }}{{ '%(k)s' % {'k': a} }}
{{ '%s|%s'|format(a, b) }}{{ '%(k)s.'|format(k=b) }}
{{ '{}.{}'.format(a, b) }}{{ '{1}{0}'.format(a, b) }}{{ '{x}|{y[0]}'.format(x=a, y=[b]) }}
{{ '{x}'.format_map({'x': a}) }}{{ '{{}}'.format(a) }}{{ '{!s}'.format(b) }}
{{ ', '.join([a, b, '1']) }}{{ a.join(['1', b]) }}{{ [a, b]|join('|') }}{{ [1, a]|join(b) }}
{{ all|map(attribute='content')|join('.') }}{{ all|join(':', attribute='content') }}
{{ all|map(attribute='content')|map('upper')|join }}{{ [a, b]|map('trim')|list|join('1') }}
{{ a|trim }}{{ b|trim('nx') }}{{ (a + ' ')|trim }}{{ (' ' ~ b)|trim }}
{{ a|upper }}{{ a|lower }}{{ b|title }}{{ b|capitalize }}{{ (a ~ '.' ~ b)|title }}
{{ a|first }}{{ a|last }}{{ a|list|join('.') }}{{ (a ~ b)|reverse }}{{ a|string }}
{{ a|default('1') }}{{ x|default(b) }}{{ ''|default(a, true) }}{{ (a or '1') }}{{ b|d('2') }}
{{ a|replace('a', '1') }}{{ '1.2'|replace('.', b) }}{{ a|replace(a, b) }}{{ '1.'.replace('.', a) }}
{{ (a ~ '\n' ~ b)|indent }}{{ (a ~ '\n\n1')|indent(2, true, true) }}{{ a|indent(width='12') }}
{{ a|truncate(3, true, '.') }}{{ (a ~ ' ' ~ b)|truncate(5, false, '..', 0) }}
{{ a|center(11) }}{{ '1'.center(5, '2') }}{{ a.ljust(9, '1') }}{{ '1'.rjust(3, b[0] or '2') }}
{{ a[1:] }}{{ b[:-1] }}{{ (a ~ b)[::-1] }}{{ a[0] }}{{ (b ~ '1')[-2:] }}{{ a[::2] }}
{{ a.split('b')[-1] }}{{ (a ~ '|' ~ b).split('|')|join('.') }}{{ (a ~ '|' ~ b).split('|')[-1] }}
{{ (a ~ '</1>' ~ b).split('</1>')[-1].lstrip('\n') }}{{ (a ~ '|' ~ b).rpartition('|')[2] }}
{{ a.strip() }}{{ a.lstrip('a') }}{{ a.rstrip() }}{{ b.removeprefix('n') }}{{ a.splitlines()|join('1') }}
{% macro f(x, y='1') %}<{{ x }}|{{ y }}>{% endmacro %}{{ f(a) }}{{ f(b, y=a) }}{{ f(f(a), f(b)) }}
{% macro g() %}1{{ caller() }}2{{ caller() }}{% endmacro %}{% call g() %}{{ a }}{% endcall %}
{% macro h(x) %}{{ caller(x) }}{% endmacro %}{% call(y) h(b) %}[{{ y }}]{% endcall %}
{% set x %}1{{ a }}2{{ b }}{% endset %}{{ x }}{{ x[1:] }}{% set y | trim %} {{ b }} {% endset %}{{ y }}
{% filter upper %}1{{ a }}{{ b }}{% endfilter %}{% filter trim %}{% filter lower %}{{ b }}{% endfilter %}{% endfilter %}
{% set ns = namespace(t='') %}{% for x in all %}{% set ns.t = ns.t + '<' + x.content + '>' %}{% endfor %}{{ ns.t }}
{% set ns = namespace(l=[]) %}{% for x in all %}{% set ns.l = ns.l + [x.content] %}{% endfor %}{{ ns.l|join('\n') }}
{% for x in all %}{{ loop.index }}{{ x['content'] }}{% if loop.previtem is defined %}{{ loop.previtem.content }}{% endif %}{% endfor %}
{% for x in all if x.content|length > 1 %}{{ x.content }}{{ loop.cycle('1', b) }}{% else %}{{ a }}{% endfor %}
{% for x in all recursive %}{{ x.content }}{% if x.more %}({{ loop(x.more) }}){% endif %}{% endfor %}
{% for c in a %}{{ c }}.{% endfor %}{% for i in range(b|length) %}{{ b[i] }}{% endfor %}
{{ a if a == b else b }}{{ b if 'a' in a else '1' }}{{ (a, b)[0] }}{{ {'1': a}['1'] }}
{% set c = cycler('1', a) %}{{ c.next() }}{{ c.next() }}{% set j = joiner(b) %}{{ j() }}{{ j() }}
{% for k, v in {'1': a, '2': b}|dictsort %}{{ k }}{{ v }}{% endfor %}{% for k, v in {'1': a}.items() %}{{ v }}{% endfor %}
{% for x in [a, b, '1']|sort %}{{ x }}.{% endfor %}{% for x in [a, b]|unique %}{{ x }}{% endfor %}{{ [a, b]|max }}
{% for x in [a, b, a]|batch(2, '1') %}{{ x|join('.') }}{% endfor %}{% for x in [a, b]|slice(2) %}{{ x|join }}{% endfor %}
{% for x in all|groupby('content') %}{{ x.grouper }}{{ x.list|length }}{% endfor %}{{ all|sum('many') }}
{{ a|safe ~ b|e }}{{ ('<' ~ a)|escape }}{{ (a|safe) + '1' + b }}{{ '1' + (a|e) }}{{ a ~ ('|'|safe) }}
{% block q %}{{ a }}{% endblock %}{{ self.q() }}{% set f = ' '.join %}{{ f([a, b]) }}
{% generation %}{{ a }}{% endgeneration %}{% if true %}{{ b }}{% endif %}{{ all[0].content ~ all[-1]['content'] }}
{{ dict(x=a).x }}{{ namespace(x=b).x }}{{ a * 2 }}{{ '1' * 2 ~ 2 * b }}{{ [a] * 2 + [b] | join }}
{{ a.spans }}{{ a['spans'] }}{{ a.nothing }}{{ m.nothing }}{{ m.of }}{{ m.get('content') }}{{ '1' if a.nothing is defined else '2' }}{{ 7 % 4 }}{{ 6.5 % 2 }}
""".replace("{{ [a] * 2 + [b] | join }}", "{{ ([a] * 2 + [b])|join }}")
# prints whole values, or passes through code that makes plain strings
OPAQUE = """
{{ [a, b] }}{{ {'1': a} }}{{ (b,) }}{{ '%s' % [a] }}{{ [b] ~ 1 }}{{ [[a], [b]]|join('.') }}{{ [a]|string }}
{{ m }}{{ all }}{{ m.items()|list }}{{ {'1': a}.values()|list }}{{ [a]|upper }}{{ '{}'.format([a, b]) }}
{{ a|tojson }}{{ m|tojson }}{{ all|tojson }}{{ [a, b, 1]|tojson(indent=2) }}{{ {'2': b, '1': [a, {}]}|tojson(sort_keys=true) }}
{{ {1: a, 2.5: b, '3': [1.5, [], {}, all]}|tojson(ensure_ascii=true, separators=('.', ':')) }}
{{ '%9s|%-9s|%.1s' % (a, b, a) }}{{ '%*s' % (9, b) }}{{ '{:>9}|{:<9}'.format(a, b) }}{{ '{:{}}'.format(a, 9) }}{{ '%r' % a }}
{{ a % () if '%' not in a }}{{ (a ~ '{}').format(b) }}{{ '{!r}|{!a}'.format(b, a) }}
{{ a|wordwrap(2) }}{{ a|urlencode|length }}{{ [a]|pprint }}{{ a|e|upper }}{{ (a|safe)[1:] }}{{ (a|safe).join([b]) }}
{{ a|striptags }}{{ a|forceescape }}{{ ('{}'|safe).format(b) }}{{ ('%s'|safe) % a }}{{ a|urlize }}
{{ a.encode().decode() }}{{ (a|safe ~ b).strip() }}{{ a|shout }}{{ [a, b]|map('shout')|join }}{{ [a, b]|map('upper')|shout }}
{{ echo(a) }}{{ echo(x=[a, b]) }}{{ pair(b)|join('.') }}{{ a|center(9)|shout }}
"""


@functools.cache
def compiled(source):
    from transformers.utils.chat_template_utils import _compile_jinja_template

    def shout(value):
        return "".join("".join(map(str, value)))

    def echo(value="", x=()):
        return "".join(value) + "".join(x)

    def pair(value):
        return ["".join(value), "1"]

    stock = _compile_jinja_template.__wrapped__(source.replace("shout", "trim"))
    environment = stock.environment
    environment.filters |= {"shout": shout}
    environment.globals |= {"echo": echo, "pair": pair}
    stock = environment.from_string(source)
    ours = environment.overlay()
    prepare(ours)
    tree = rewrite(ours.parse(source))
    tree.set_environment(ours)
    return stock, ours.from_string(tree)


def both(source, **values):
    """A template's text in the stock environment, and in ours."""
    stock, ours = compiled(source)
    return stock.render(whole(values)), concat(ours.root_render_func(ours.new_context(values)))


def conversation(a, b):
    def message(text, owner):
        keep = {one: Traced(str(owner + 1), owner, f"f{owner}") for one in ("more", "many")}
        return {"content": text, **keep, "more": [], "many": owner}

    one, two = message(a, 0), message(b, 1)
    one["more"] = [two]
    return {"a": a, "b": b, "m": one, "n": two, "all": [one, two]}


def spoken(more_0="", more_1=""):
    return st.tuples(
        st.text("abcfimABC" + more_0, max_size=7).map(lambda s: Traced(s, 0, "f0")),
        st.text("nsxzNSX" + more_1, max_size=7).map(lambda s: Traced(s, 1, "f1")),
    )


@settings(max_examples=40, deadline=None)
@given(spoken("\u2003\x1c\ufb01", "\t\x0b\u00df"))
def test_each_character_keeps_its_origin(said):
    for source in filter(None, EXACT.splitlines()):
        note(source)
        text, made = both(source, **conversation(*said))
        assert whole(made) == text
        assert not faults(made, exact=True), (made, spans_of(made))


@settings(max_examples=40, deadline=None)
@given(spoken())
def test_nothing_is_lost_where_origins_are_not_exact(said):
    for source in filter(None, OPAQUE.splitlines()):
        note(source)
        a, b = said
        text, made = both(source, a=a, b=b, m={"1": a, "2": [a, 3]}, all=[{"1": a}, {"2": b}, 4])
        assert whole(made) == text
        assert not faults(made, exact=False), (made, spans_of(made))


@settings(max_examples=60, deadline=None)
@given(texts(), texts())
def test_texts_of_several_messages_go_through_too(s, t):
    source = (
        "{{ s|trim }}{{ (s ~ t).split('1')|join('2') }}{{ [s, t]|join(t) }}{{ s|replace('1', t) }}"
        "{{ s|upper }}{% set x %}{{ s }}{{ t|title }}{% endset %}{{ x|reverse }}{{ x[1:-1] }}"
    )
    text, made = both(source, s=s, t=t)
    assert whole(made) == text
    assert not faults(made, exact=True), (made, spans_of(made))


def spans_text(text):
    return [(whole(text)[start:end], message) for start, end, message, _ in spans_of(text)]


def test_the_json_of_one_message_is_its_own_from_end_to_end():
    call = {"name": "look", "arguments": {"n": 5, "deep": [True, None]}}
    text, made = both("<{{ call|tojson }}>", call=traced(call, 2, "tool_calls"))
    assert text == f"<{json.dumps(call)}>"
    assert spans_of(made) == ((1, len(text) - 1, 2, "tool_calls"),)


def test_the_json_of_tools_is_the_tools_own():
    tools = [{"type": "function", "function": {"name": "look", "parameters": {}}}]
    text, made = both("{{ tools|tojson(indent=4) }}", tools=traced(tools, TOOLS, "tools"))
    assert spans_of(made) == ((0, len(text), TOOLS, "tools"),)


def test_the_json_of_several_messages_is_told_apart():
    one = traced({"x": '<a>\n"\\', "y": 5}, 0, "content")
    two = traced({"x": "\u00e9"}, 1, "content")
    for options in ("", "indent=1", "ensure_ascii=true", "sort_keys=true"):
        text, made = both(
            f"{{{{ [one, {{'k': two, 'j': 1}}, 7]|tojson({options}) }}}}", one=one, two=two
        )
        assert whole(made) == text
        assert [message for _, message in spans_text(made)] == [0, 1]
        assert [json.loads(part) for part, _ in spans_text(made)] == [one, {"k": two, "j": 1}]


def test_a_dict_that_a_template_prints_keeps_origins():
    text, made = both("{{ x }}", x=[traced({"q": "a'b"}, 0, "f"), traced(["n"], 1, "f"), 5])
    assert whole(made) == text
    assert spans_text(made) == [("{'q': \"a'b\"}", 0), ("['n']", 1)]


@pytest.mark.parametrize(
    "printed", ["{'1': a}.values()", "{'1': a}.items()", "{a: '1'}.keys()", "namespace(x=a)"]
)
def test_whatever_shows_its_content_keeps_origins(printed):
    text, made = both(f"{{{{ {printed} }}}}", a=Traced("ab", 0, "f"))
    assert whole(made) == text
    assert spans_of(made) == ((0, len(text), 0, "f"),)


def test_a_lookup_in_the_templates_own_table_is_the_templates():
    names = "{% set names = {'user': 'U'} %}{{ names[role] }}{{ names.get(role, 'x') }}"
    macro = "{% macro head(x) %}{% if x %}<{% endif %}{% endmacro %}{{ head(role) }}"
    text, made = both(names + macro, role=Traced("user", 0, "role"))
    assert text == made == "UU<"
    assert spans_of(made) == ()


def test_escaping_by_the_template_is_refused():
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment()
    prepare(environment)
    with pytest.raises(RenderError, match="escaping"):
        rewrite(environment.parse("{% autoescape true %}{{ a }}{% endautoescape %}"))


def test_another_kind_of_environment_is_refused():
    with pytest.raises(RenderError, match="environment"):
        prepare(jinja2.Environment(autoescape=True))


def test_the_sandbox_still_holds():
    for source in ("{{ a.__class__.__mro__ }}", "{{ '{0.__class__.x}'.format(a) }}"):
        _, ours = compiled(source)
        with pytest.raises(jinja2.exceptions.SecurityError):
            ours.render(a=Traced("a", 0, "f"))


TEMPLATES = sorted(
    (
        one
        for one in files("trl").joinpath("chat_templates").iterdir()
        if one.name.endswith(".jinja")
    ),
    key=lambda one: one.name,
)
TOOL = {
    "type": "function",
    "function": {
        "name": "look_up",
        "description": "Looks things up.",
        "parameters": {
            "type": "object",
            "properties": {"what": {"type": "string", "description": "a thing"}},
            "required": ["what"],
        },
    },
}


def conversations():
    rng = random.Random(5)

    def said(role, **more):
        return {"role": role, "content": words(rng, 4), **more}

    call = {
        "type": "function",
        "id": "call00001",
        "function": {"name": "look_up", "arguments": {words(rng, 1): words(rng, 2), "n": 3}},
    }
    plain = [said("user"), said("assistant"), said("user"), said("assistant")]
    reasoned = [said("user"), said("assistant", reasoning_content=words(rng, 5))]
    inline = [said("user"), said("assistant")]
    inline[1]["content"] = f"<think>\n{words(rng, 3)}\n</think>\n\n{words(rng, 3)}"
    called = [
        said("user"),
        said("assistant", tool_calls=[call]),
        said("tool", name="look_up", tool_call_id="call00001"),
        said("assistant"),
    ]
    empty = [said("user"), {"role": "assistant", "content": ""}]
    return {
        "plain": (plain, None),
        "system": ([said("system"), *plain], None),
        "reasoned": (reasoned + plain, None),
        "inline": (inline + plain, None),
        "called": (called, [TOOL]),
        "called with system": ([said("system"), *called], [TOOL]),
        "empty": (empty, None),
        "parts": ([_in_parts(one) for one in plain], None),
        "blanks": ([{**one, "content": f" {one['content']}\n\n"} for one in plain], None),
    }


def _in_parts(message):
    first, rest = message["content"].split(" ", 1)
    parts = [{"type": "text", "text": first}, {"type": "text", "text": f" {rest}"}]
    return {**message, "content": parts}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_real_templates_print_the_same_and_every_word_has_its_origin(path):
    source = path.read_text()
    rendered = 0
    for name, (messages, tools) in conversations().items():
        stock, ours = compiled(source)
        values = {"bos_token": "<s>", "eos_token": "</s>", "add_generation_prompt": name == "plain"}
        known = [traced(one, i, "said") for i, one in enumerate(messages)]
        try:
            text = stock.render(messages=messages, tools=tools, **values)
        except (jinja2.TemplateError, TypeError) as error:
            with pytest.raises(type(error)):
                ours.render(messages=known, tools=traced(tools, TOOLS, "said"), **values)
            continue
        variables = {**values, "messages": known, "tools": traced(tools, TOOLS, "said")}
        made = concat(ours.root_render_func(ours.new_context(variables)))
        rendered += 1
        assert whole(made) == text
        _check_words(made, messages, name)
    assert rendered


def _check_words(made, messages, name):
    text = whole(made)
    spans = spans_of(made)
    for i, message in enumerate(messages):
        content = message["content"]
        if isinstance(content, list):
            content = "".join(part["text"] for part in content)
        calls = message.get("tool_calls") or []
        arguments = [one["function"]["arguments"] for one in calls]
        own = [*content.split(), *(key for one in arguments for key in one if key != "n")]
        for word in own:
            if word in ("<think>", "</think>"):
                continue
            at = text.find(word)
            while at >= 0:
                covering = {s.message for s in spans if s.start <= at and at + len(word) <= s.end}
                assert covering == {i}, (name, i, word, covering)
                at = text.find(word, at + 1)
