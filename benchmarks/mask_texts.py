"""Words, conversations and a vocabulary for the benchmark of the loss mask, made on the machine.

The words are those of the descriptions and docstrings of installed packages and of ``sample_data``.
A vocabulary is a byte-level BPE: read from a file of ranks (``*.tiktoken``) or a tokenizer's folder
where there is one, else trained on these words once and kept in a temporary folder.
"""

import base64
import hashlib
import inspect
import random
import re
import site
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

SAMPLES = Path(__file__).parent.parent / "sample_data"
CORPUS_MB = 16
VOCABULARY = 40_000
# how the vocabularies of Qwen 2 and 3 cut text into words, and nearly so that of Llama 3
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
PLAIN_ADDED = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>")
THINK = ("<think>", "</think>")
# tokens of a message: median and sigma of a lognormal
LENGTHS = {"user": (60, 0.9), "assistant": (180, 0.8)}


def paragraphs() -> Iterator[str]:
    """Prose and code of installed packages and the samples, in a fixed order."""
    left = CORPUS_MB * 1_000_000
    for text in _documents():
        for each in re.split(r"\n\s*\n", text):
            part = each.strip()
            if len(part) >= 40:
                yield part
                left -= len(part)
        if left < 0:
            return


def _documents() -> Iterator[str]:
    for file in sorted(SAMPLES.rglob("*")):
        if file.suffix in (".json", ".jsonl", ".txt", ".md", ".csv"):
            yield file.read_text("utf-8", errors="replace")
    folders = [Path(each) for each in site.getsitepackages()]
    for folder in folders:
        for file in sorted(folder.glob("*.dist-info/METADATA")):
            yield file.read_text("utf-8", errors="replace").partition("\n\n")[2]
    # packages by turns, so that no single one fills the corpus
    for folder in folders:
        modules = sorted(folder.rglob("*.py"), key=_shuffled)
        for module in modules:
            yield from map(inspect.cleandoc, _docstrings(module))


def _shuffled(path: Path) -> bytes:
    return hashlib.sha256(path.name.encode() + path.parent.name.encode()).digest()


def _docstrings(module: Path) -> list[str]:
    return re.findall(r'"""(.{80,}?)"""', module.read_text("utf-8", errors="replace"), re.DOTALL)


def kept_paragraphs() -> list[str]:
    """The same, from the temporary folder if they lie there already."""
    file = _cache() / f"paragraphs-{CORPUS_MB}.txt"
    if not file.exists():
        _write(file, "\0".join(paragraphs()))
    return file.read_text("utf-8").split("\0")


def tokenizer_of(vocabulary: Path | None, template: str) -> Any:
    """A fast tokenizer with a chat template.

    Args:
        vocabulary: a ``.tiktoken`` file, a tokenizer's folder, or None for one trained here.
        template: Jinja.
    """
    from transformers import AddedToken, AutoTokenizer, PreTrainedTokenizerFast

    if vocabulary is not None and vocabulary.is_dir():
        tokenizer = AutoTokenizer.from_pretrained(vocabulary)
    else:
        file = _read(vocabulary) if vocabulary else _trained()
        tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(file))
    special = [AddedToken(each, special=True, normalized=False) for each in CONTROL]
    plain = [AddedToken(each, special=False, normalized=False) for each in PLAIN_ADDED + THINK]
    tokenizer.add_tokens(special + plain)
    tokenizer.eos_token = "<|im_end|>"
    tokenizer.chat_template = template
    return tokenizer


def chats(tokenizer: Any, count: int, messages: int, seed: int = 0) -> list[list[dict[str, str]]]:
    """Conversations of ``messages`` messages by turns, user first.

    A message is a run of neighbouring paragraphs, cut at a word where its length is reached; the
    length is drawn from :data:`LENGTHS`.
    """
    draw = random.Random(seed * 1_000 + messages)
    # what spells a control token is other work for each method, and rare in chats
    added = [token.content for token in tokenizer.added_tokens_decoder.values()]
    words = [one for one in kept_paragraphs() if not any(token in one for token in added)]
    sample = "\n\n".join(draw.sample(words, 500))
    per_token = len(sample) / len(tokenizer(sample, add_special_tokens=False)["input_ids"])
    made = []
    for _ in range(count):
        roles = (("user", "assistant")[i % 2] for i in range(messages))
        made.append([{"role": one, "content": _said(one, words, per_token, draw)} for one in roles])
    return made


def _said(role: str, words: list[str], per_token: float, draw: random.Random) -> str:
    median, sigma = LENGTHS[role]
    length = max(8, round(median * draw.lognormvariate(0, sigma) * per_token))
    at = draw.randrange(len(words))
    text = words[at]
    while len(text) < length:
        at = (at + 1) % len(words)
        text = f"{text}\n\n{words[at]}"
    cut = text[:length]
    return cut.rsplit(maxsplit=1)[0] if cut.count(" ") and len(text) > length else cut


def _trained() -> Path:
    """A byte-level BPE trained on the paragraphs, kept between runs."""
    from tokenizers import trainers

    file = _cache() / f"bpe-{VOCABULARY}-{CORPUS_MB}.json"
    if not file.exists():
        tokenizer, alphabet = _byte_level({}, [])
        trainer = trainers.BpeTrainer(
            vocab_size=VOCABULARY, initial_alphabet=alphabet, show_progress=False
        )
        tokenizer.train_from_iterator(kept_paragraphs(), trainer)
        _write(file, tokenizer.to_str())
    return file


def _read(ranks: Path) -> Path:
    """A ``.tiktoken`` file as a tokenizer's JSON, kept between runs."""
    raw = ranks.read_bytes()
    file = _cache() / f"ranks-{hashlib.sha256(raw).hexdigest()[:16]}.json"
    if not file.exists():
        lines = (line.split() for line in raw.splitlines() if line)
        by_bytes = {base64.b64decode(token): int(rank) for token, rank in lines}
        letters = _letters()
        name = {token: "".join(letters[byte] for byte in token) for token in by_bytes}
        merges = [
            (name[left], name[right])
            for token in sorted(by_bytes, key=by_bytes.__getitem__)
            if len(token) > 1
            for left, right in [_halves(token, by_bytes)]
        ]
        vocabulary = {name[token]: rank for token, rank in by_bytes.items()}
        _write(file, _byte_level(vocabulary, merges)[0].to_str())
    return file


def _byte_level(vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> tuple[Any, list[str]]:
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    split = pre_tokenizers.Split(Regex(WORDS), behavior="isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer, pre_tokenizers.ByteLevel.alphabet()


def _letters() -> list[str]:
    """The letter by which byte-level vocabularies write each byte."""
    shown = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte) if byte in shown else chr(next(others)) for byte in range(256)]


def _halves(token: bytes, ranks: dict[bytes, int]) -> tuple[bytes, bytes]:
    """The two tokens that merge into ``token``: what is left when only earlier merges are done."""
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 2:
        found = [ranks.get(left + right, len(ranks)) for left, right in pairwise(parts)]
        at = min(range(len(found)), key=found.__getitem__)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts[0], parts[1]


def _cache() -> Path:
    folder = Path(tempfile.gettempdir()) / "turnmill-bench-mask"
    folder.mkdir(exist_ok=True)
    return folder


def _write(file: Path, text: str) -> None:
    part = file.with_suffix(".part")
    part.write_text(text, "utf-8")
    part.replace(file)
