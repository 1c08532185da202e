"""Which message each token of a rendered conversation was written for."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from serve.masks.pieces import Piece

Owner = int | None
"""The number of a message, or ``None``: the template's own text outside every message."""


def owners(
    chat: Mapping[str, Any], ids: Sequence[int], pieces: Sequence[Piece], tokenizer: Any
) -> list[Owner] | None:
    """The message that each token belongs to.

    Header, content and stop token of a message are its own; what the template says before, after
    and between messages (tools, a system prompt nobody wrote, the generation prompt) is nobody's.

    Args:
        chat: ``{"messages", "tools"}``.
        ids: of the whole conversation.
        pieces: the same as text.
        tokenizer: with a chat template.

    Returns:
        An owner a token, or None where the tokens cannot be told apart by the characters they
        stand for (a tokenizer that changes the text).
    """
    messages = [{key: value for key, value in one.items() if key != "train"}
                for one in chat["messages"]]  # fmt: skip
    texts = [
        _text(messages[:count], chat["tools"], tokenizer) for count in range(len(messages) + 1)
    ]
    starts = _starts(texts[-1], ids, pieces, tokenizer)
    if starts is None:
        return None
    borders = [_shared(texts[-1], text) for text in texts]
    # a beginning that the template renders otherwise by itself ends where the next begins
    borders = [min(borders[at:]) for at in range(len(borders))]
    found = [bisect_right(borders, start) - 1 for start in starts]
    return [at if 0 <= at < len(messages) else None for at in found]


def _shared(one: str, other: str) -> int:
    """Length of the beginning that two texts share."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _text(messages: list[dict[str, Any]], tools: Any, tokenizer: Any) -> str:
    from jinja2 import TemplateError

    try:
        texts: list[str] = tokenizer.apply_chat_template([messages], tools=tools, tokenize=False)
    except (TemplateError, TypeError, ValueError, LookupError):
        return ""  # a beginning that is no conversation by itself
    return texts[0]


def _starts(
    text: str, ids: Sequence[int], pieces: Sequence[Piece], tokenizer: Any
) -> list[int] | None:
    """The character each token starts at."""
    if "".join(piece.text for piece in pieces) == text:
        starts: list[int] = []
        position = 0
        for piece in pieces:
            starts += [position] * (piece.end - piece.start)
            position += len(piece.text)
        return starts
    # decoding does not give the text back (blanks lost, letters made one); offsets may know
    encoding = tokenizer.backend_tokenizer.encode(text, add_special_tokens=False)
    if encoding.ids == list(ids):
        return [start for start, _ in encoding.offsets]
    return None
