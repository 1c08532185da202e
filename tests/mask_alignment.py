"""Which bytes of a text each token stands for, worked out from the vocabulary alone."""

import json
import unicodedata
from functools import lru_cache
from itertools import accumulate
from typing import Any, NamedTuple

from mask_vocabularies import CONTINUED


class Misaligned(Exception):
    """The ids do not spell the text."""


class Alignment(NamedTuple):
    """Tokens and the bytes of the text they stand for.

    Attributes:
        spans: per token the half-open bytes of the text, as the vocabulary spells it.
        at: per character of the text, and its end, the byte it begins at.
        added: per token, whether it is an added token.
    """

    spans: list[tuple[int, int]]
    at: list[int]
    added: list[bool]


def _byte_alphabet() -> dict[str, int]:
    """GPT-2's printable stand-ins for the 256 bytes."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [n for n in range(256) if n not in kept]
    return {chr(n): n for n in kept} | {chr(256 + n): byte for n, byte in enumerate(others)}


_BYTE_OF = _byte_alphabet()


class _Spelling(NamedTuple):
    pieces: list[bytes]
    added: dict[int, str]
    sentence_piece: bool
    composed: bool


@lru_cache(maxsize=64)
def _spelling(state: str) -> _Spelling:
    """How a tokenizer, given as its JSON, spells each id."""
    value = json.loads(state)
    byte_level = "ByteLevel" in json.dumps(value["decoder"])
    vocab = value["model"]["vocab"]
    names = (
        dict(enumerate(piece for piece, _ in vocab))
        if isinstance(vocab, list)
        else {n: piece for piece, n in vocab.items()}
    )
    added = {one["id"]: one["content"] for one in value["added_tokens"]}
    spell = _spell_bytes if byte_level else _spell_sentence_piece
    pieces = [b""] * (max([*names, *added]) + 1)
    for n, piece in names.items():
        pieces[n] = spell(piece)
    composed = "NFC" in json.dumps(value["normalizer"])
    return _Spelling(pieces, added, not byte_level, composed)


def _spell_bytes(piece: str) -> bytes:
    if not all(char in _BYTE_OF or char == CONTINUED for char in piece):
        return piece.encode()  # a token such as <unk>
    return bytes(_BYTE_OF[char] for char in piece.removeprefix(CONTINUED))


def _spell_sentence_piece(piece: str) -> bytes:
    if len(piece) == 6 and piece.startswith("<0x") and piece.endswith(">"):
        return bytes([int(piece[3:5], 16)])
    return piece.replace("▁", " ").encode()


def align(ids: list[int], tokenizer: Any, text: str) -> Alignment:
    """The bytes of ``text`` that each id stands for.

    A space that the tokenizer puts before a stretch of text, and which is not in the text, stands
    for nothing. Two texts that the vocabulary cannot tell apart (``▁`` and a space) are one.

    Raises:
        Misaligned: the ids spell another text.
    """
    how = _spelling(tokenizer.backend_tokenizer.to_str())
    characters = [_encoded(char, how) for char in _composed(text, how)]
    data = b"".join(characters)
    at = [0, *accumulate(map(len, characters))]
    spans: list[tuple[int, int]] = []
    place = 0
    for run, token in _runs(ids, how):
        place = _align_run(run, token, data, place, spans, how)
    if place != len(data):
        raise Misaligned(f"the ids end at byte {place} of {len(data)}")
    return Alignment(spans, at, [one in how.added for one in ids])


def _composed(text: str, how: _Spelling) -> list[str]:
    """The text's characters; where the vocabulary composes them, those that go on are empty."""
    if not how.composed:
        return list(text)
    out: list[str] = []
    start = 0
    for end in range(1, len(text) + 1):
        if end == len(text) or unicodedata.combining(text[end]) == 0:
            cluster = unicodedata.normalize("NFC", text[start:end])
            out += [cluster, *[""] * (end - start - 1)]
            start = end
    if "".join(out) != unicodedata.normalize("NFC", text):
        raise Misaligned("characters compose across letters")
    return out


def _encoded(char: str, how: _Spelling) -> bytes:
    # "surrogatepass": a text from a test may hold anything
    return (char.replace("▁", " ") if how.sentence_piece else char).encode(errors="surrogatepass")


def _runs(ids: list[int], how: _Spelling) -> list[tuple[list[int], int | None]]:
    """Stretches of ordinary ids, each with the added token after it."""
    runs: list[tuple[list[int], int | None]] = []
    run: list[int] = []
    for one in ids:
        if one in how.added:
            runs.append((run, one))
            run = []
        else:
            run.append(one)
    return [*runs, (run, None)]


def _align_run(
    run: list[int],
    token: int | None,
    data: bytes,
    place: int,
    spans: list[tuple[int, int]],
    how: _Spelling,
) -> int:
    pieces = [how.pieces[one] for one in run]
    said = b"".join(pieces)
    after = b"" if token is None else _encoded(how.added[token], how)
    # the space that is put before a stretch is tried last: the text may begin with one of its own
    for phantom in (0, 1):
        if phantom and not said.startswith(b" "):
            continue
        end = place + len(said) - phantom
        whole = len(data) == end if token is None else data.startswith(after, end)
        if data.startswith(said[phantom:], place) and whole:
            for n, piece in enumerate(pieces):
                size = len(piece) - (phantom if n == 0 else 0)
                spans.append((place, place + size))
                place += size
            if token is not None:
                spans.append((place, place + len(after)))
            return place + len(after)
    raise Misaligned(f"after byte {place} the ids spell another text (token {len(spans)})")
