"""Long conversations are cut at turn borders; nothing is trained twice, losses are counted."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from train_ground import tiny_tokenizer

from train.render import Conversation, mask_spans
from train.rows import render_rows
from train.windows import fit


@pytest.fixture(scope="module")
def tokenizer():
    return tiny_tokenizer()


def talk(*sizes, system=None):
    messages = [{"role": "system", "content": system}] if system else []
    for n, (asked, answered) in enumerate(sizes):
        messages.append({"role": "user", "content": f"q{n} " * asked})
        messages.append({"role": "assistant", "content": f"a{n} " * answered})
    return messages


def fitted(messages, tokenizer, max_length):
    one = Conversation(messages)
    (rows,) = render_rows([one], tokenizer)
    return fit(one, rows, tokenizer, max_length)


def answers(rows, tokenizer):
    return [
        tokenizer.decode(row.ids[start:end])
        for row in rows
        for start, end in mask_spans(row.loss_mask)
    ]


def test_what_fits_is_one_row(tokenizer):
    (row,) = fitted(talk((2, 3)), tokenizer, 100)
    assert (row.tokens_lost, row.repeated, row.trained) == (0, 0, 1)


def test_every_answer_is_trained_once_and_whole(tokenizer):
    messages = talk(*[(4, 6)] * 8)
    rows = fitted(messages, tokenizer, 120)
    assert len(rows) > 1
    said = [one["content"] + "<|im_end|>" for one in messages if one["role"] == "assistant"]
    assert answers(rows, tokenizer) == said
    assert sum(row.trained for row in rows) == 8


def test_each_row_begins_with_the_system_message(tokenizer):
    rows = fitted(talk(*[(4, 6)] * 8, system="Be kind."), tokenizer, 120)
    assert len(rows) > 1
    assert all("Be kind." in tokenizer.decode(row.ids) for row in rows)


def test_recent_turns_are_repeated_as_context(tokenizer):
    rows = fitted(talk(*[(2, 3)] * 16), tokenizer, 320)
    assert len(rows) > 1
    assert all(row.repeated > 0 for row in rows[1:])


def test_a_turn_that_is_too_long_alone_loses_its_end(tokenizer):
    (row,) = fitted(talk((2, 200)), tokenizer, 100)
    assert len(row.ids) == 100
    # the newline after the stop token is lost too, and was not trained
    assert row.tokens_lost == row.trained_lost + 1 > 1
    assert row.stops_lost == 1


def test_a_question_that_is_too_long_loses_its_answer(tokenizer):
    (row,) = fitted(talk((200, 2)), tokenizer, 100)
    assert not any(row.loss_mask)
    assert row.trained_lost > 0


SIZES = st.lists(st.tuples(st.integers(1, 20), st.integers(1, 20)), min_size=1, max_size=12)


@settings(max_examples=40, deadline=None)
@given(SIZES, st.integers(60, 300), st.booleans())
def test_law_no_row_is_too_long_and_no_trained_token_goes_unnoticed(sizes, max_length, system):
    tokenizer = tiny_tokenizer()
    messages = talk(*sizes, system="Be kind." if system else None)
    (rows,) = render_rows([Conversation(messages)], tokenizer)
    whole = sum(sum(row.rendered.loss_mask) for row in rows)
    cut = fit(Conversation(messages), rows, tokenizer, max_length)
    assert all(len(row.ids) <= max_length for row in cut)
    assert sum(sum(row.loss_mask) + row.trained_lost for row in cut) == whole
