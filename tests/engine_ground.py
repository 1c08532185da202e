"""Small models of several families, and requests that run at the same time."""

import asyncio
from typing import Any

from tiny_models import tiny_model


def small_model(family: str, tokenizer: Any) -> Any:
    """A random model of ``family``, weights spread wide so that its answers vary."""
    import torch
    import transformers

    if family == "llama":
        return tiny_model(tokenizer)
    sizes: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "max_position_embeddings": 256,
        "initializer_range": 0.4,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    kind = {
        "llama tied": ("LlamaConfig", {"tie_word_embeddings": True}),
        "qwen": ("Qwen3Config", {"tie_word_embeddings": True}),
        "mistral": ("MistralConfig", {"sliding_window": None}),
        "mistral window": ("MistralConfig", {"sliding_window": 8}),
        "gemma": ("Gemma3TextConfig", {"sliding_window": 8, "query_pre_attn_scalar": 8}),
    }[family]
    config = getattr(transformers, kind[0])(**sizes, **kind[1])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = transformers.AutoModelForCausalLM.from_config(config).eval()
    model.generation_config = transformers.GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    return model


def run(engine: Any, *requests: Any, every_s: float = 0.0) -> list[Any]:
    """Tokens of requests, (ids, params) each, that run at the same time.

    Args:
        engine: that answers.
        *requests: prompt and parameters of each.
        every_s: pause between two that join.

    Returns:
        Per request its tokens, or the exception that it ended in.
    """

    async def one(place: int, ids: list[int], params: Any) -> Any:
        await asyncio.sleep(every_s * place)
        return [token async for token in engine.generate(ids, params)]

    async def together() -> list[Any]:
        return await asyncio.gather(
            *(one(place, *request) for place, request in enumerate(requests)),
            return_exceptions=True,
        )

    return asyncio.run(together())


def ids_of(tokens: Any) -> list[int]:
    """Ids of the tokens of an answer."""
    return [token.id for token in tokens]
