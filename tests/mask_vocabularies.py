"""Small tokenizers of every common kind, trained here; each kind can write any text.

BERT's WordPiece is none of them: it loses white space, so a text cannot be told from its ids.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from mask_source import Source
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)

_SIZE = 1500
_LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CONTINUED = "\ue000"
"""Marks a WordPiece that goes on a word; a private character, so that no text is taken for it."""
_BYTES = [f"<0x{n:02X}>" for n in range(256)]
_SAMPLES = Path(__file__).parents[1] / "sample_data"


def texts() -> Iterator[str]:
    """What the samples' conversations say."""
    for file in sorted(_SAMPLES.glob("*/expected.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            yield from (one.get("content") or "" for one in json.loads(line).get("messages", []))
    yield from ("system user assistant tool model function arguments name",) * 20


def _byte_level(regex: str | None, *, prefix: bool = False, composed: bool = False) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    if composed:
        tokenizer.normalizer = normalizers.NFC()
    if regex is None:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(regex), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts(),
        trainers.BpeTrainer(
            vocab_size=_SIZE,
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        ),
    )
    return tokenizer


def _sentence_piece_decoder(*, strip: bool) -> Any:
    parts = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    return decoders.Sequence([*parts, decoders.Strip(" ", 1, 0)] if strip else parts)


def _metaspace_bpe(scheme: str) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=True)
    _train_sentence_piece_bpe(tokenizer)
    tokenizer.decoder = _sentence_piece_decoder(strip=scheme != "never")
    return tokenizer


def _legacy_bpe() -> Tokenizer:
    # Llama 2's: the space before a text is put there by a normalizer, for each stretch of text
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never", split=True)
    _train_sentence_piece_bpe(tokenizer)
    tokenizer.pre_tokenizer = None
    steps = [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.decoder = _sentence_piece_decoder(strip=True)
    return tokenizer


def _train_sentence_piece_bpe(tokenizer: Tokenizer) -> None:
    tokenizer.train_from_iterator(
        texts(),
        trainers.BpeTrainer(
            vocab_size=_SIZE, special_tokens=["<unk>", *_BYTES], show_progress=False
        ),
    )


def _unigram() -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=True)
    tokenizer.train_from_iterator(
        texts(),
        trainers.UnigramTrainer(
            vocab_size=_SIZE, unk_token="<unk>", special_tokens=["<unk>"], show_progress=False
        ),
    )
    made = json.loads(tokenizer.to_str())["model"]["vocab"]
    known = {piece for piece, _ in made}
    lowest = min(score for _, score in made)
    vocab = [(piece, score) for piece, score in made]
    vocab += [(byte, lowest - 10) for byte in _BYTES if byte not in known]
    tokenizer.model = models.Unigram(vocab, unk_id=0, byte_fallback=True)
    tokenizer.decoder = _sentence_piece_decoder(strip=True)
    return tokenizer


def _word_piece() -> Tokenizer:
    # over bytes, so that it can write any text; BERT's own loses white space
    tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>", max_input_chars_per_word=100_000))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(
        texts(),
        trainers.WordPieceTrainer(
            vocab_size=_SIZE,
            initial_alphabet=alphabet,
            continuing_subword_prefix=CONTINUED,
            special_tokens=["<unk>"],
            show_progress=False,
        ),
    )
    vocab = json.loads(tokenizer.to_str())["model"]["vocab"]
    for piece in [*alphabet, *(CONTINUED + char for char in alphabet)]:
        vocab.setdefault(piece, len(vocab))
    tokenizer.model = models.WordPiece(
        vocab,
        unk_token="<unk>",
        max_input_chars_per_word=100_000,
        continuing_subword_prefix=CONTINUED,
    )
    tokenizer.decoder = decoders.Sequence([decoders.Replace(CONTINUED, ""), decoders.ByteLevel()])
    return tokenizer


_MAKERS: dict[str, Callable[[], Tokenizer]] = {
    "byte-level (GPT-2)": lambda: _byte_level(None),
    "byte-level (Llama 3)": lambda: _byte_level(_LLAMA_3),
    "byte-level, composed (Qwen 2)": lambda: _byte_level(_LLAMA_3, composed=True),
    "byte-level, prefix space": lambda: _byte_level(None, prefix=True),
    "SentencePiece BPE, never": lambda: _metaspace_bpe("never"),
    "SentencePiece BPE, first": lambda: _metaspace_bpe("first"),
    "SentencePiece BPE, always": lambda: _metaspace_bpe("always"),
    "SentencePiece BPE, legacy": _legacy_bpe,
    "Unigram": _unigram,
    "WordPiece over bytes": _word_piece,
}
KINDS = tuple(_MAKERS)


@cache
def trained(kind: str) -> str:
    """A tokenizer's JSON; trained once, also across pytest's workers."""
    made_from = [Path(__file__).read_text(encoding="utf-8"), *texts()]
    key = hashlib.sha256("\0".join(made_from).encode()).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"turnmill-mask-{os.getuid()}-{key}"
    folder.mkdir(mode=0o700, exist_ok=True)
    file = folder / f"{KINDS.index(kind)}.json"
    if not file.exists():
        part = file.with_suffix(f".{os.getpid()}")
        value = json.loads(_MAKERS[kind]().to_str())
        # bytes and <unk> are of the vocabulary; only the template's tokens are added to it
        value["added_tokens"] = []
        part.write_text(json.dumps(value), encoding="utf-8")
        part.replace(file)
    return file.read_text(encoding="utf-8")


def with_template(kind: str, source: Source) -> Any:
    """A tokenizer of ``kind`` with the template's control tokens, as a model's folder gives it.

    Tags such as ``<think>`` and ``<tool_call>`` are added tokens that are not ``special``, as in
    real vocabularies; all others are special.
    """
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(trained(kind)),
        bos_token=source.bos,
        eos_token=source.eos,
        pad_token="<|pad|>",
        clean_up_tokenization_spaces=False,
        chat_template=source.text,
    )
    tokenizer.add_tokens([_added(token) for token in source.controls()])
    return tokenizer


def _added(token: str) -> AddedToken:
    tag = token.startswith("<") and token[1] not in "|｜" and token not in {"<s>", "</s>"}
    turn = token.strip("</>").endswith(("_of_turn", "_of_utterance"))
    return AddedToken(token, special=not tag or turn, normalized=False)
