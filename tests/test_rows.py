"""Every turn is trained once, in the context in which a server asks for it."""

import itertools
import json
from pathlib import Path

import pytest
import trl
from mask_conversations import conversations
from mask_source import Source
from mask_survey import fit
from mask_templates import all_templates
from mask_vocabularies import KINDS, with_template

from train.policy import Policy
from train.render import Conversation, RenderError, mask_spans, prompt, render
from train.rows import render_rows

TEMPLATES = all_templates()
CLASSES = conversations()
QWEN3 = (Path(trl.__file__).parent / "chat_templates" / "qwen3.jinja").read_text("utf-8")


def chat(*turns):
    return [{"role": role, "content": content} for role, content in turns]


def rows_of(messages, tokenizer, policy=None, tools=None):
    (rows,) = render_rows([Conversation(messages, tools)], tokenizer, policy or Policy())
    if isinstance(rows, RenderError):
        raise rows
    return rows


def trained(row, tokenizer):
    ids, mask = row.rendered
    return [tokenizer.decode(ids[start:end]) for start, end in mask_spans(mask)]


@pytest.fixture(scope="module")
def qwen3():
    return with_template(KINDS[0], Source(QWEN3, eos="<|im_end|>"))


THINKING = [
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "two", "reasoning_content": "why two"},
    {"role": "user", "content": "three"},
    {"role": "assistant", "content": "four", "reasoning_content": "why four"},
]


def test_plain_turns_are_one_row(qwen3):
    messages = chat(("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d"))
    (row,) = rows_of(messages, qwen3)
    assert row.trained == [1, 3]
    assert not row.apart
    assert row.rendered == render(messages, qwen3)


def test_thoughts_that_history_leaves_out_are_trained_in_a_row_of_their_own(qwen3):
    apart, whole = rows_of(THINKING, qwen3)
    assert (apart.messages, apart.trained, apart.apart) == (2, [1], True)
    assert trained(apart, qwen3) == ["<think>\nwhy two\n</think>\n\ntwo<|im_end|>"]
    assert (whole.messages, whole.trained, whole.apart) == (4, [3], False)
    assert trained(whole, qwen3) == ["<think>\nwhy four\n</think>\n\nfour<|im_end|>"]


def test_a_stop_token_that_only_a_last_turn_has_is_trained_in_rows_of_their_own():
    source = Source(
        "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% else %}{{ eos_token }}{% endif %}",
        eos="</s>",
    )
    tokenizer = with_template(KINDS[0], source)
    messages = chat(("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d"))
    with pytest.raises(RenderError, match="stop token"):
        render(messages, tokenizer)
    apart, whole = rows_of(messages, tokenizer)
    assert trained(apart, tokenizer) == ["b</s>"]
    assert trained(whole, tokenizer) == ["d</s>"]


def test_a_stop_token_that_opens_the_next_message_is_added_after_the_last(tmp_path):
    source = Source(
        "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}",
        eos="</s>",
    )
    tokenizer = with_template(KINDS[0], source)
    stops = tokenizer.convert_tokens_to_ids(["</s>", "<|user|>"])
    config = tmp_path / "generation_config.json"
    config.write_text(json.dumps({"eos_token_id": stops}), "utf-8")
    tokenizer.name_or_path = str(tmp_path)
    messages = chat(("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d"))
    (row,) = rows_of(messages, tokenizer)
    assert trained(row, tokenizer) == ["b<|user|>", "d<|user|>"]
    assert tokenizer.decode(row.rendered.ids).endswith("<|assistant|>d<|user|>")


def test_what_the_template_does_not_show_is_not_trained_and_told():
    source = Source(
        "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}</s>{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}",
        eos="</s>",
    )
    tokenizer = with_template(KINDS[0], source)
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": {}}}
    messages = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "b"},
        {"role": "assistant", "content": "c"},
    ]
    (row,) = rows_of(messages, tokenizer)
    assert row.trained == [3]
    assert row.not_shown == 1


def test_thoughts_are_left_out_on_request(qwen3):
    apart, whole = rows_of(THINKING, qwen3, Policy(train_reasoning=False))
    assert trained(apart, qwen3) == ["two<|im_end|>"]
    assert trained(whole, qwen3) == ["four<|im_end|>"]


def test_tool_calls_are_left_out_on_request(qwen3):
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": {"x": "y"}}}
    messages = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "wait", "tool_calls": [call]},
        {"role": "tool", "content": "b"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
    ]
    rendered = render(messages, qwen3, train_tool_calls=False)
    texts = [qwen3.decode(rendered.ids[a:b]) for a, b in mask_spans(rendered.loss_mask)]
    assert texts == ["wait", "<|im_end|>"]


@pytest.mark.parametrize(("at", "name"), list(enumerate(sorted(TEMPLATES))))
def test_law_each_turn_once_and_as_the_server_asks(at, name):
    source = TEMPLATES[name]
    # by turns: every class meets every eighth template
    for n, (klass, one) in list(enumerate(CLASSES.items()))[at % 8 :: 8]:
        tokenizer = with_template(KINDS[n % len(KINDS)], source)
        made = fit(one, tokenizer, source)
        if made is None:
            continue
        (rows,) = render_rows([Conversation(made.messages, made.tools)], tokenizer)
        if isinstance(rows, RenderError):
            continue
        turns = list(itertools.chain.from_iterable(row.trained for row in rows))
        assert len(turns) == len(set(turns)), klass
        for row in rows:
            _as_served(row, made, tokenizer, f"{name}: {klass}")


def _as_served(row, made, tokenizer, where):
    """Each trained run of a row starts where a prompt of the server ends, ids and all."""
    ids, mask = row.rendered
    starts = [start for start, _ in mask_spans(mask)]
    for i in row.trained:
        if i in row.unserved or i == 0:
            continue
        asked = prompt(made.messages[:i], tokenizer, tools=made.tools)
        if row.apart or i == row.trained[-1] or len(asked) in starts:
            assert ids[: len(asked)] == asked, where
