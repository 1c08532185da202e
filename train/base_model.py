"""The embedded tiny base model: a few million parameters, made here, for demos and tests.

It has read the plain text of the messages and never the chat format, so that a fine-tune has
something to teach. What is saved is an ordinary Hugging Face folder.
"""

import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ingest.errors import UserError
from train.load import quiet

END = "<|endoftext|>"
TURN_START = "<|im_start|>"
TURN_END = "<|im_end|>"

CHAT_TEMPLATE = """\
{%- macro text(content) -%}
{%- if content is string -%}{{- content -}}
{%- else -%}{%- for part in content -%}{{- part.text -}}{%- endfor -%}{%- endif -%}
{%- endmacro -%}
{%- if tools %}
{{- '<|im_start|>system\\n' }}
{%- if messages and messages[0].role == 'system' %}
{{- text(messages[0].content) + '\\n\\n' }}
{%- endif %}
{{- 'Tools:' }}
{%- for tool in tools %}{{- '\\n' + (tool | tojson) }}{%- endfor %}
{{- '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
{%- if not (tools and loop.first and message.role == 'system') %}
{{- '<|im_start|>' + message.role + '\\n' }}
{%- if message.reasoning_content %}
{{- '<think>\\n' + message.reasoning_content + '\\n</think>\\n\\n' }}
{%- endif %}
{%- if message.content %}{{- text(message.content) }}{%- endif %}
{%- for call in message.tool_calls or [] %}
{{- ('' if loop.first and not message.content else '\\n') + '<tool_call>{"name": ' }}
{{- (call.function.name | tojson) + ', "arguments": ' }}
{%- if call.function.arguments is string %}{{- call.function.arguments }}
{%- else %}{{- call.function.arguments | tojson }}{%- endif %}
{{- '}</tool_call>' }}
{%- endfor %}
{{- '<|im_end|>\\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"""

_ROW_TOKENS = 128
# small batches: with so little text, many updates teach more than smooth gradients
_BATCH_TOKENS = 256
_LEARNING_RATE = 2e-3


class BaseModelError(UserError):
    """The embedded base model cannot be made from what was given."""


def make_tokenizer(texts: Sequence[str], *, vocab_size: int = 2048) -> Any:
    """A byte-level BPE tokenizer trained on ``texts``, with a ChatML template; needs no torch.

    Args:
        texts: plain text.
        vocab_size: at most this many tokens, 256 bytes and three special tokens included.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END, TURN_START, TURN_END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token=TURN_END, pad_token=END, model_max_length=4096
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def make_base_model(
    texts: Sequence[str],
    out: Path,
    *,
    seed: int = 0,
    vocab_size: int = 2048,
    steps: int = 240,
    on_progress: Callable[[int, int, float], None] | None = None,
) -> Path:
    """Make a Llama of about 5 million parameters that has read ``texts``, and save it.

    Args:
        texts: plain text, no chat format; a conversation each, a message a line, teaches most.
        out: the folder to write; must not exist. It appears whole or not at all.
        seed: the same seed, texts and machine give the same weights.
        vocab_size: of the tokenizer.
        steps: of pre-training, about 260 tokens each.
        on_progress: called with step, steps and loss.

    Returns:
        ``out``.

    Raises:
        BaseModelError: no text, or ``out`` exists.
    """
    if not any(text.strip() for text in texts):
        raise BaseModelError("no text to make a base model from", "import conversations first")
    if out.exists():
        raise BaseModelError(f"{out}: exists", "name another folder, or remove it first")
    tokenizer = make_tokenizer(texts, vocab_size=vocab_size)
    model = _pretrained(_rows(texts, tokenizer), tokenizer, seed, steps, on_progress)
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    quiet()
    try:
        model.save_pretrained(part)
        tokenizer.save_pretrained(part)
        part.rename(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return out


def _rows(texts: Sequence[str], tokenizer: Any) -> list[list[int]]:
    """Token ids of the texts, cut to rows of bounded length, shortest first."""
    rows = []
    for text in texts:
        ids = [*tokenizer.backend_tokenizer.encode(text).ids, tokenizer.pad_token_id]
        rows += [ids[start : start + _ROW_TOKENS] for start in range(0, len(ids), _ROW_TOKENS)]
    return sorted((row for row in rows if len(row) > 1), key=len)


def _batches(rows: list[list[int]], steps: int, seed: int) -> list[list[list[int]]]:
    """``steps`` batches of rows of like length, each of about ``_BATCH_TOKENS`` tokens."""
    groups: list[list[list[int]]] = [[]]
    for row in rows:
        if len(groups[-1]) * len(row) >= _BATCH_TOKENS:
            groups.append([])
        groups[-1].append(row)
    shuffler = random.Random(seed)  # noqa: S311 - an order, not a secret
    order: list[list[list[int]]] = []
    while len(order) < steps:
        order += shuffler.sample(groups, len(groups))
    return order[:steps]


def _pretrained(
    rows: list[list[int]],
    tokenizer: Any,
    seed: int,
    steps: int,
    on_progress: Callable[[int, int, float], None] | None,
) -> Any:
    import torch
    from torch.nn.utils.rnn import pad_sequence

    threads = torch.get_num_threads()
    # sums are split by thread, so a fixed number keeps the weights the same; and one thread of
    # a model this small is faster than two on a machine that does other work
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = _new_model(tokenizer)
            optimizer = torch.optim.AdamW(
                model.parameters(), lr=_LEARNING_RATE, betas=(0.9, 0.95), weight_decay=0.1
            )
            schedule = torch.optim.lr_scheduler.OneCycleLR(
                optimizer, _LEARNING_RATE, total_steps=steps + 1, pct_start=0.1
            )
            model.train()
            for step, batch in enumerate(_batches(rows, steps, seed), start=1):
                tensors = [torch.tensor(row) for row in batch]
                ids = pad_sequence(tensors, batch_first=True, padding_value=tokenizer.pad_token_id)
                labels = pad_sequence(tensors, batch_first=True, padding_value=-100)
                # rows are padded on the right, so causal attention never sees the padding
                loss = model(input_ids=ids, labels=labels).loss
                loss.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
                if on_progress:
                    on_progress(step, steps, loss.item())
    finally:
        torch.set_num_threads(threads)
    return model.eval()


def _new_model(tokenizer: Any) -> Any:
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

    turn_end, end = tokenizer.eos_token_id, tokenizer.pad_token_id
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=768,
        num_hidden_layers=6,
        num_attention_heads=8,
        num_key_value_heads=4,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=turn_end,
        pad_token_id=end,
    )
    model = LlamaForCausalLM(config)
    model.generation_config = GenerationConfig(
        eos_token_id=[turn_end, end], pad_token_id=end, max_new_tokens=256
    )
    return model
