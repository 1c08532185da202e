"""What changed between two texts, by words, or by lines where there are too many words."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Literal, NamedTuple

_WORD = re.compile(r"(?:\[[A-Z][A-Z0-9_]*_\d+\]|\w+|[^\w\s])\s*|\s+")
"""A word or sign with the space after it; a placeholder counts as one word."""

_WORDS_AT_MOST = 3000
"""Words of both sides from which lines are compared: the matcher's time is quadratic."""

_LINES_AT_MOST = 4000

PartKind = Literal["same", "removed", "added"]


class Part(NamedTuple):
    """A piece of text that both have, or one of them."""

    kind: PartKind
    text: str


def diff_words(before: str, after: str) -> list[Part]:
    """The pieces of both texts in order.

    The pieces that are not ``added`` make up ``before``, those not ``removed`` make up ``after``.
    """
    one, other = _WORD.findall(before), _WORD.findall(after)
    head = _common(one, other)
    tail = _common(one[head:][::-1], other[head:][::-1])
    middle, now = one[head : len(one) - tail], other[head : len(other) - tail]
    if len(middle) + len(now) > _WORDS_AT_MOST:
        middle = "".join(middle).splitlines(keepends=True)
        now = "".join(now).splitlines(keepends=True)
        if len(middle) + len(now) > _LINES_AT_MOST:
            middle, now = ["".join(middle)], ["".join(now)]
    parts = [
        Part("same", "".join(one[:head])),
        *_parts(middle, now),
        Part("same", "".join(one[len(one) - tail :])),
    ]
    return _joined(parts)


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many words both begin with."""
    count = 0
    for word, now in zip(one, other, strict=False):
        if word != now:
            break
        count += 1
    return count


def _parts(one: Sequence[str], other: Sequence[str]) -> list[Part]:
    parts: list[Part] = []
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    for tag, a0, a1, b0, b1 in matcher.get_opcodes():
        if tag == "equal":
            parts.append(Part("same", "".join(one[a0:a1])))
            continue
        parts.append(Part("removed", "".join(one[a0:a1])))
        parts.append(Part("added", "".join(other[b0:b1])))
    return parts


def _joined(parts: Sequence[Part]) -> list[Part]:
    """Neighbours of one kind as one, without empty ones."""
    found: list[Part] = []
    for part in parts:
        if not part.text:
            continue
        if found and found[-1].kind == part.kind:
            found[-1] = Part(part.kind, found[-1].text + part.text)
        else:
            found.append(part)
    return found
