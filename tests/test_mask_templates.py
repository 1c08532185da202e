"""The ground of the mask's proof: templates, conversations and vocabularies are what they claim."""

import pytest
from mask_conversations import WORDS, conversations, word
from mask_reference import stock
from mask_source import Source
from mask_survey import fit
from mask_templates import all_templates, collected, handwritten
from mask_vocabularies import KINDS, with_template

CLASSES = conversations()


def test_installed_packages_give_templates():
    pytest.importorskip("trl")
    assert len(collected()) > 50


def test_each_own_template_renders_a_plain_conversation():
    for name, source in handwritten().items():
        tokenizer = with_template(KINDS[0], source)
        assert fit(CLASSES["no system"], tokenizer, source), name


def test_templates_are_distinct():
    texts = [source.text for source in all_templates().values()]
    assert len(texts) == len(set(texts))


def test_most_pairs_can_be_rendered():
    # a class that no template takes would prove nothing
    taken = dict.fromkeys(CLASSES, 0)
    templates = handwritten()
    for source in templates.values():
        tokenizer = with_template(KINDS[0], source)
        for klass, chat in CLASSES.items():
            taken[klass] += fit(chat, tokenizer, source) is not None
    few = {klass: n for klass, n in taken.items() if n < 0.5 * len(templates)}
    assert set(few) <= {"content in parts", "content in several parts"}


def test_words_are_distinct():
    assert len({word(n) for n in range(WORDS)}) == WORDS


def test_control_tokens_are_read_off_the_source():
    source = Source("{{ '<|a|>' + x + '<|b>' }}[INST]<｜c｜></s><think><tools>", eos="<|b>")
    assert source.controls() == ["</s>", "<think>", "<|a|>", "<｜c｜>", "[INST]"]


def test_control_tokens_become_ids_and_tags_are_not_special():
    source = handwritten()["calls as JSON"]
    tokenizer = with_template(KINDS[0], source)
    special = {one.content: one.special for one in tokenizer.added_tokens_decoder.values()}
    assert special["<|im_start|>"]
    assert special["<tool_call>"] is False
    text = stock(tokenizer, [{"role": "user", "content": "a"}])
    assert tokenizer.convert_tokens_to_ids("<|im_start|>") in tokenizer(text)["input_ids"]
