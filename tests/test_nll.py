import math

import pytest

pytestmark = pytest.mark.torch

torch = pytest.importorskip("torch")

from tiny_models import tiny_model, tiny_tokenizer  # noqa: E402 - after the check for torch

from serve.evaluation.nll import Encoded, encode, score  # noqa: E402


def row(name, *turns, tools=None):
    messages = [
        {
            "role": role,
            "content": content,
            "name": None,
            "reasoning": None,
            "tool_calls": None,
            "tool_call_id": None,
            "train": None,
        }
        for role, content in turns
    ]
    return {"id": name, "tools": tools, "messages": messages}


ROWS = [
    row("short", ("user", "Hi"), ("assistant", "Hello!")),
    row(
        "long",
        ("system", "You are kind."),
        ("user", "Where is my parcel? " * 6),
        ("assistant", "I am sorry to hear that. " * 4),
        ("user", "And?"),
        ("assistant", "Please wait a moment."),
    ),
    row("emoji", ("user", "😀"), ("assistant", "😀😀 thanks")),
    row("middle", ("user", "My order number is 12345."), ("assistant", "Let me look into it.")),
]


@pytest.fixture(scope="module")
def tokenizer():
    return tiny_tokenizer()


@pytest.fixture(scope="module")
def model(tokenizer):
    return tiny_model(tokenizer)


@pytest.fixture(scope="module")
def encoded(tokenizer):
    kept, skipped = encode(ROWS, tokenizer, max_length=256)
    assert skipped == {}
    return kept


def test_the_sum_is_that_of_the_masked_tokens(model, encoded):
    """Against the definition, position by position."""
    for found, one in zip(score(model, encoded), encoded, strict=True):
        with torch.inference_mode():
            logits = model(torch.tensor([one.ids])).logits[0]
        logprobs = torch.log_softmax(logits.double(), dim=-1)
        expected = -sum(
            float(logprobs[place - 1, one.ids[place]])
            for place in range(1, len(one.ids))
            if one.loss_mask[place]
        )
        assert found.nats == pytest.approx(expected, abs=1e-3)
        assert found.tokens == sum(one.loss_mask) > 0


def test_a_batch_gives_what_single_rows_give(model, encoded):
    together = score(model, encoded, batch_tokens=10**6)
    alone = score(model, encoded, batch_tokens=1)
    assert [one.id for one in together] == [one.id for one in alone] == [one.id for one in encoded]
    for a, b in zip(together, alone, strict=True):
        assert a.nats / a.tokens == pytest.approx(b.nats / b.tokens, abs=1e-5)


def test_scored_tokens_are_the_assistants_words_and_their_stop_token(tokenizer, encoded):
    short = encoded[0]
    scored = [token for token, one in zip(short.ids, short.loss_mask, strict=True) if one]
    assert tokenizer.decode(scored) == "Hello!<|im_end|>"


def test_uniform_logits_cost_the_log_of_the_vocabulary(tokenizer, encoded):
    model = tiny_model(tokenizer)
    with torch.no_grad():
        model.lm_head.weight.zero_()
    for found in score(model, encoded):
        assert found.nats / found.tokens == pytest.approx(math.log(len(tokenizer)), abs=1e-5)


def test_a_long_conversation_is_cut_and_still_scored(tokenizer):
    kept, skipped = encode([ROWS[1]], tokenizer, max_length=150)
    assert len(kept[0].ids) == 150
    assert kept[0].scored > 0
    assert skipped == {}


def test_conversations_without_scored_tokens_are_counted(tokenizer):
    silent = row("silent", ("user", "anyone there?"))
    cut = row("cut", ("user", "words " * 100), ("assistant", "too late"))
    kept, skipped = encode([silent, cut], tokenizer, max_length=50)
    assert kept == []
    assert skipped == {"nothing the assistant said": 2}


def test_conversations_that_the_template_refuses_are_counted(tokenizer):
    refused = row("refused", ("stranger", "hi"), ("assistant", "hello"))
    kept, skipped = encode([refused, ROWS[0]], tokenizer, max_length=50)
    assert [one.id for one in kept] == ["short"]
    assert skipped == {"refused by the chat template": 1}


def test_progress_counts_conversations(model, encoded):
    calls = []
    score(model, encoded, batch_tokens=1, on_progress=lambda *call: calls.append(call))
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_nothing_to_score(model):
    assert score(model, []) == []
    assert Encoded("a", [1, 2], [0, 1]).scored == 1
