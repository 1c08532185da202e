"""The re-stated methods of others do what their descriptions say."""

import sys
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT / "benchmarks"))

import mask_peers  # noqa: E402 - a folder of programs, not a package

pytestmark = pytest.mark.torch

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# says less of earlier answers once the conversation goes on
FORGETS = CHATML.replace("{{ m.content }}", "{{ m.content if loop.last else m.content[:2] }}")
CHAT = [
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "two"},
    {"role": "user", "content": "three"},
    {"role": "assistant", "content": "four"},
]


def tokenizer(template: str) -> Any:
    """A token a byte, and the control tokens."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE(vocab={one: n for n, one in enumerate(letters)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    made = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|im_end|>")
    made.chat_template = template
    return made


def of_trl(name: str) -> str:
    import trl

    return (Path(trl.__file__).parent / "chat_templates" / f"{name}.jinja").read_text("utf-8")


def trained(method: mask_peers.Method, template: str) -> list[str]:
    """The runs of trained text."""
    made = tokenizer(template)
    ids, mask = method(CHAT, None, made)
    runs: list[list[int]] = [[]]
    for token, counted in zip(ids, mask, strict=True):
        if counted:
            runs[-1].append(token)
        elif runs[-1]:
            runs.append([])
    return [made.decode(run) for run in runs if run]


def test_the_librarys_mask_is_empty_without_markers() -> None:
    assert trained(mask_peers.stock, CHATML) == []


def test_trl_knows_a_template_by_its_bytes() -> None:
    template = of_trl("qwen2_5")
    assert [one.strip() for one in trained(mask_peers.trl, template)] == [
        "two<|im_end|>",
        "four<|im_end|>",
    ]
    with pytest.raises(mask_peers.Refused, match="patched copy"):
        trained(mask_peers.trl, template + "{# #}")


def test_trls_copy_may_write_another_text() -> None:
    made = tokenizer(of_trl("qwen3"))
    assert mask_peers.trl_renders_other_text(CHAT, None, made)
    assert not mask_peers.trl_renders_other_text(CHAT, None, tokenizer(of_trl("qwen2_5")))


@pytest.mark.parametrize(
    "method", [mask_peers.dummy_diff, mask_peers.prefix_diff, mask_peers.checked_prefix_diff]
)
def test_diffing_finds_the_turns_of_a_plain_template(method: mask_peers.Method) -> None:
    assert trained(method, CHATML) == ["two<|im_end|>", "four<|im_end|>"]


def test_diffing_that_checks_refuses_where_history_is_rewritten() -> None:
    with pytest.raises(mask_peers.Refused, match="message 1"):
        trained(mask_peers.checked_prefix_diff, FORGETS)


def test_diffing_that_does_not_check_trains_the_wrong_text_there() -> None:
    assert trained(mask_peers.prefix_diff, FORGETS) != ["tw<|im_end|>", "four<|im_end|>"]
    assert trained(mask_peers.dummy_diff, FORGETS) != ["tw<|im_end|>", "four<|im_end|>"]


def test_what_a_template_raises_is_a_refusal() -> None:
    template = "{{ raise_exception('no') }}"
    for method in mask_peers.METHODS.values():
        with pytest.raises(mask_peers.Refused):
            method(CHAT, None, tokenizer(template))
