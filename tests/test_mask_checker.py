"""The judge itself: it passes a mask made by hand and finds each way to be wrong."""

import pytest
from mask_checker import check
from mask_conversations import conversations
from mask_reference import stock
from mask_survey import Refused, fit, survey
from mask_templates import handwritten
from mask_vocabularies import KINDS, with_template

CHATML = handwritten()["chatml"]
CLASSES = conversations()


def by_hand(messages, tools, tokenizer):
    """ChatML's mask from the text: what stands between the header and the stop token."""
    text = stock(tokenizer, messages, tools)
    spans, at = [], 0
    for message in messages:
        start = at + len(f"<|im_start|>{message['role']}\n")
        at = start + len(message["content"]) + len("<|im_end|>\n")
        if message["role"] == "assistant":
            spans.append((start, at - 1))
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    mask = [
        int(any(lo <= a and b <= hi and a < hi for lo, hi in spans))
        for a, b in encoded["offset_mapping"]
    ]
    return encoded["input_ids"], mask


def cell(klass, kind=KINDS[0]):
    tokenizer = with_template(kind, CHATML)
    chat = fit(CLASSES[klass], tokenizer, CHATML)
    ids, mask = by_hand(chat.messages, chat.tools, tokenizer)
    return chat, tokenizer, list(ids), list(mask)


def kinds_of(chat, tokenizer, ids, mask):
    faults = check(chat.messages, chat.tools, tokenizer, ids, mask, stops=CHATML.ends())
    return {fault.kind for fault in faults}


@pytest.mark.parametrize("klass", ["multi-turn", "emoji", "unicode", "repeated", "empty answer"])
def test_a_mask_made_by_hand_has_no_fault(klass):
    assert kinds_of(*cell(klass)) == set()


@pytest.mark.parametrize(
    "klass", ["multi-turn", "emoji", "unicode", "template words", "one letter"]
)
def test_every_single_bit_that_is_flipped_is_found(klass):
    chat, tokenizer, ids, mask = cell(klass)
    unseen = []
    for n in range(1, len(mask)):
        flipped = [*mask[:n], 1 - mask[n], *mask[n + 1 :]]
        if not kinds_of(chat, tokenizer, ids, flipped):
            unseen.append(n)
    assert unseen == []


def test_a_mask_of_zeros_misses_words_and_stop_tokens():
    chat, tokenizer, ids, mask = cell("multi-turn")
    assert kinds_of(chat, tokenizer, ids, [0] * len(mask)) >= {"missed", "stop"}


def test_a_mask_of_ones_leaks_words_headers_and_tails():
    chat, tokenizer, ids, mask = cell("multi-turn")
    assert kinds_of(chat, tokenizer, ids, [1] * len(mask)) >= {"leak", "header", "tail"}


def test_a_stop_token_that_is_not_trained_is_found():
    chat, tokenizer, ids, mask = cell("multi-turn")
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    lost = [bit * (one != end) for one, bit in zip(ids, mask, strict=True)]
    assert kinds_of(chat, tokenizer, ids, lost) == {"stop"}


def test_control_ids_that_a_message_brought_are_found():
    assert "control" in kinds_of(*cell("injected by the user"))


def test_ids_of_another_text_are_found():
    chat, tokenizer, ids, mask = cell("multi-turn")
    assert kinds_of(chat, tokenizer, ids[:-3], mask[:-3]) == {"text"}
    assert kinds_of(chat, tokenizer, ids[:5] + ids, mask[:5] + mask) == {"text"}


@pytest.mark.parametrize("kind", KINDS)
def test_each_vocabulary_spells_any_text(kind):
    for klass in ("unicode", "emoji", "code", "newlines around"):
        chat, tokenizer, ids, mask = cell(klass, kind)
        assert "text" not in kinds_of(chat, tokenizer, ids, mask)


def test_the_survey_tells_right_refused_and_wrong_apart():
    def refusing(messages, tools, tokenizer):
        raise Refused("not today")

    def zeros(messages, tools, tokenizer):
        ids, mask = by_hand(messages, tools, tokenizer)
        return ids, [0] * len(mask)

    classes = {"multi-turn": CLASSES["multi-turn"]}
    methods = {"hand": by_hand, "refusing": refusing, "zeros": zeros}
    cells = survey(methods, {"chatml": CHATML}, classes)
    assert {one.method: one.verdict for one in cells} == {
        "hand": "exact",
        "refusing": "refused",
        "zeros": "wrong",
    }
