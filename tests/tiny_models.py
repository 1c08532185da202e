"""A random Llama of a few thousand parameters with a real tokenizer and template."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

TEXTS = [
    "Hello, how can I help you today?",
    "My parcel has not arrived yet, the order number is 12345.",
    "I am sorry to hear that. Let me look into it for you, please wait a moment.",
    "Grüße aus Köln 😀 and thanks for the quick answer!",
] * 3


def tiny_tokenizer(vocab_size: int = 400) -> Any:
    from train.base_model import make_tokenizer

    return make_tokenizer(TEXTS, vocab_size=vocab_size)


def tiny_model(tokenizer: Any, *, seed: int = 0, context: int = 256) -> Any:
    """Weights spread wide, so that its greedy answers are not one token again and again."""
    import torch
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=context,
        tie_word_embeddings=False,
        initializer_range=0.4,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config).eval()
    model.generation_config = GenerationConfig(
        eos_token_id=[tokenizer.eos_token_id, tokenizer.pad_token_id],
        pad_token_id=tokenizer.pad_token_id,
    )
    return model


def save_tiny(folder: Path, *, seed: int = 0, vocab_size: int = 400, nudge: float = 0.0) -> Path:
    """Save one; ``nudge`` scales the output layer down, which makes it less sure of its errors."""
    import torch

    tokenizer = tiny_tokenizer(vocab_size)
    model = tiny_model(tokenizer, seed=seed)
    with torch.no_grad():
        model.lm_head.weight.div_(1 + nudge)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def certificate(folder: Path, *, base: str, run: str = "run-7") -> None:
    """Write a merge certificate into a model's folder."""
    from ingest.files import write_json
    from train.merge import CERTIFICATE, Comparison, MergeCertificate

    made = MergeCertificate(
        run_id=run,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        verdict="pass",
        reason="the merge is off by 1e-06, at most a hundredth of the adapter's effect of 1.9",
        compared_on="validation",
        comparison=Comparison(
            rows=16,
            positions=2048,
            max_abs=1e-6,
            relative_l2=1e-7,
            kl=1e-12,
            argmax_agree=1.0,
            adapter_effect=1.9,
            effect_to_error=1.9e6,
        ),
        base=base,
        base_revision=None,
        base_weights={"model.safetensors": "b" * 64},
        adapter={"adapter/adapter_model.safetensors": "a" * 64},
        files={"model.safetensors": "c" * 64},
        dataset_fingerprint="f" * 64,
        template_sha256="d" * 64,
        eos_token_ids=[2, 0],
        packages={"torch": "2"},
    )
    write_json(folder / CERTIFICATE, made.model_dump(mode="json"))
