"""Token ids as text that can be shown: whole characters, nothing that commands a terminal."""

import unicodedata
from collections.abc import Sequence
from typing import Any, NamedTuple

NEWLINE = "\u21b5"
"""Drawn where a token holds a line break."""

_UNFINISHED = "\ufffd"
# a character has at most 4 bytes, and a token at least one of them
_MAX_TOKENS = 4
# joiners shape the letters and emoji around them; hidden they do no harm
_JOINERS = "\u200c\u200d"
_NAMED = {"\t": "\\t", "\r": "\\r"}


class Piece(NamedTuple):
    """Tokens ``start`` to ``end`` (half open) stand for ``text``.

    One token, save where a character takes several.
    """

    start: int
    end: int
    text: str


class Decoder:
    """Text of tokens in their place; remembers pairs it has seen.

    Args:
        tokenizer: a fast Hugging Face tokenizer.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._backend = tokenizer.backend_tokenizer
        self._seen: dict[tuple[int, ...], str] = {}

    def pieces(self, ids: Sequence[int]) -> list[Piece]:
        """The ids cut into the smallest runs that are whole characters.

        Joined, the texts are what decoding all ids at once gives.
        """
        found = []
        start = 0
        while start < len(ids):
            end, text = self._piece(ids, start)
            found.append(Piece(start, end, text))
            start = end
        return found

    def token(self, token_id: int) -> str:
        """One token decoded by itself."""
        return self._decode((token_id,))

    def _piece(self, ids: Sequence[int], start: int) -> tuple[int, str]:
        # decoders treat the first token of a text differently, so the one before goes along
        before = tuple(ids[max(0, start - 1) : start])
        base = self._decode(before)
        last = min(start + _MAX_TOKENS, len(ids))
        one = ""
        for end in range(start + 1, last + 1):
            text = self._decode((*before, *ids[start:end]))
            new = text[len(base) :] if text.startswith(base) else text
            if not new.endswith(_UNFINISHED):
                return end, new
            one = one or new
        return start + 1, one

    def _decode(self, ids: tuple[int, ...]) -> str:
        if not ids:
            return ""
        text = self._seen.get(ids)
        if text is None:
            text = str(self._backend.decode(list(ids), skip_special_tokens=False))
            self._seen[ids] = text
        return text


def visible(text: str) -> str:
    r"""Text with line breaks drawn (and kept) and whatever is unseen or commands as an escape.

    Control characters, and characters that hide or turn text around, appear as ``\x1b`` or
    ``\u202e``; so do halves of surrogate pairs, which no terminal can take.
    """
    if text.isprintable():  # white space other than the blank is not
        return text
    return "".join(map(_shown, text))


def _shown(char: str) -> str:
    if char == "\n":
        return NEWLINE + "\n"
    if char.isprintable() or char in _JOINERS:
        return char
    if char in _NAMED:
        return _NAMED[char]
    category = unicodedata.category(char)
    # foreign spaces, and private or unassigned characters, are only strange
    if category in ("Zs", "Co", "Cn"):
        return char
    code = ord(char)
    return (
        f"\\x{code:02x}"
        if code < 0x100
        else f"\\u{code:04x}"
        if code < 0x10000
        else f"\\U{code:08x}"
    )
