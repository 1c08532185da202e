"""Which bytes a vocabulary entry stands for.

Two families of tokenizers are known: byte-level BPE, which writes each byte as one printable
character (the table of GPT-2's encoder), and byte-fallback (SentencePiece), which writes spaces
as U+2581 and bytes outside the vocabulary as ``<0xNN>``.
"""

import json
import re
from typing import Any

_FALLBACK = re.compile(r"<0x([0-9A-F]{2})>")
_SPACE = "\u2581"


class TokenBytes:
    """Bytes of single tokens.

    Args:
        tokenizer: a fast Hugging Face tokenizer.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        decoder = json.loads(tokenizer.backend_tokenizer.to_str())["decoder"]
        self._table = _byte_table() if '"ByteLevel"' in json.dumps(decoder) else None
        self._added = {
            token_id: token.content for token_id, token in tokenizer.added_tokens_decoder.items()
        }

    def __call__(self, token_id: int) -> bytes:
        """Bytes of the token; of an added token its name; of an id without a token nothing."""
        if token_id in self._added:
            return str(self._added[token_id]).encode()
        piece: str | None = self._tokenizer.convert_ids_to_tokens(token_id)
        if piece is None:
            # embeddings are often padded beyond the vocabulary
            return b""
        if self._table is not None:
            return bytes(self._table[char] for char in piece)
        if match := _FALLBACK.fullmatch(piece):
            return bytes([int(match[1], 16)])
        return piece.replace(_SPACE, " ").encode()


def _byte_table() -> dict[str, int]:
    """Byte by character: printable Latin-1 as itself, the other bytes from U+0100 on, in order."""
    itself = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = (byte for byte in range(256) if byte not in itself)
    table = {chr(byte): byte for byte in itself}
    return table | {chr(0x100 + place): byte for place, byte in enumerate(others)}
