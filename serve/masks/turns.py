"""Which message each token of a rendered conversation was written for."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from serve.masks.pieces import Piece
from train.page import Page
from train.render import RenderError
from train.turns import turn_of

Owner = int | None
"""The number of a message, or ``None``: the template's own text outside every message."""


def owners(
    page: Page, ids: Sequence[int], pieces: Sequence[Piece], tokenizer: Any
) -> list[Owner] | None:
    """The message that each token belongs to.

    Header, content and stop token of a message are its own; what the template says before, after
    and between messages (tools, a system prompt nobody wrote, the generation prompt) is nobody's.

    Args:
        page: the conversation.
        ids: of the whole of it; a stop token that the template leaves out may follow.
        pieces: the same as text.
        tokenizer: with a chat template.

    Returns:
        An owner a token, or None where the tokens cannot be told apart by the characters they
        stand for (a tokenizer that changes the text).
    """
    starts = _starts(page.text, ids, pieces, tokenizer)
    if starts is None:
        return None
    owner_at = _Owners(page)
    return [owner_at(start) for start in starts]


def _starts(
    text: str, ids: Sequence[int], pieces: Sequence[Piece], tokenizer: Any
) -> list[int] | None:
    """The character each token starts at."""
    if "".join(piece.text for piece in pieces).startswith(text):
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


class _Owners:
    """The owner of a character: whoever said it, else whose turn or place it stands in."""

    def __init__(self, page: Page) -> None:
        messages = range(len(page.messages))
        self._said = _Ranges([(one.start, one.end, i) for i in messages for one in page.said[i]])
        self._turns = _Ranges([part for i in messages for part in _parts(page, i)])
        # where segments do not hold, the template writes messages elsewhere than it reads them
        segments = page.trace.segments if page.segments_hold else []
        self._segments = _Ranges(
            [(one.start, one.end, one.message) for one in segments if one.message is not None]
        )
        self._length = len(page.text)
        self._last = len(page.messages) - 1

    def __call__(self, position: int) -> Owner:
        if position >= self._length:
            return self._last
        for ranges in (self._said, self._turns, self._segments):
            owner = ranges.at(position)
            if owner is not None:
                return owner
        return None


class _Ranges:
    """Stretches of text that do not overlap, each with its owner."""

    def __init__(self, ranges: Sequence[tuple[int, int, int]]) -> None:
        self._ranges = sorted(one for one in ranges if one[0] < one[1])
        self._starts = [start for start, _, _ in self._ranges]

    def at(self, position: int) -> Owner:
        at = bisect_right(self._starts, position) - 1
        return self._ranges[at][2] if at >= 0 and position < self._ranges[at][1] else None


def _parts(page: Page, i: int) -> list[tuple[int, int, int]]:
    if page.messages[i]["role"] != "assistant":
        return []
    try:
        return [(start, end, i) for start, end in turn_of(page, i).parts]
    except RenderError:  # a turn that is not trained need not be found
        return []
