"""Names that are words too: which they are, and when in a text they are the name.

"Will", "Rose" and "Mark" are people and words; so are all names of up to three letters, which are
words of some language. Such a name counts only with a capital, and not

- where a sentence begins, if sentences often begin with the word (``STARTERS``), unless somebody
  is spoken to, named as the speaker, or does something;
- after an article or a number ("the rose", "ein Koch", "5 May");
- in small or in all-capital text.

Months moreover not after "in", "of", "since" and the like, countries and towns not after "in", and
neither beside a number. After "@", a title or a greeting the name counts in any case, and so it
does next to another name of the same person.
"""

import re
from typing import NamedTuple

from dataset.redact.fold import fold_text
from dataset.redact.word_lists import (
    ARTICLES,
    AT_MONTHS,
    AT_PLACES,
    DOES,
    GREETINGS,
    MONTHS,
    STARTERS,
    TITLES,
)

# of the text before, read backwards
_BEFORE = re.compile(r"((?:[^\w\n]|_)*)([^\W_]+(?:-[^\W_]+)?)?")
_AFTER = re.compile(r"((?:[^\w\n]|_)*)([^\W_]+)?")
_STARTS = frozenset(".!?…:;•*>)–—|。！？")


def is_name_here(text: str, start: int, end: int, *, place: bool) -> bool:
    """Whether a name that is a word too stands at ``text[start:end]`` as a name.

    Args:
        text: the whole text, as written.
        start: of the name.
        end: of the name.
        place: whether the word is also a month, a country or a town.
    """
    word = text[start:end]
    # a line's end between them does not part the word before from the name
    before = _BEFORE.match(text[max(0, start - 40) : start].removesuffix("\n")[::-1])
    after = _AFTER.match(text, end, end + 40)
    assert before is not None
    assert after is not None
    left = (before[2] or "")[::-1]
    around = _Around(fold_text(left), before[1][::-1], after[1], fold_text(after[2] or ""))
    capital = word[:1].isupper()
    initial = around.near and around.gap[:1] == "." and left.isupper()
    if around.gap.endswith("@") or _is_addressed(around, capital=capital):
        return True
    if not capital or (len(word) > 1 and word.isupper()):
        return False
    if initial and len(around.left) == 1:
        return True  # "P. Lee"
    if _is_word_here(around, place=place, month=fold_text(word) in MONTHS):
        return False
    begins = not around.left or not around.near or "." in around.gap
    return not (begins and fold_text(word) in STARTERS) or _begins_as_name(around)


class _Around(NamedTuple):
    """What stands around a word: the word before and what is between, and the same after it."""

    left: str
    gap: str
    right_gap: str
    right: str

    @property
    def near(self) -> bool:
        """Whether only spaces or dots are between it and the word before."""
        return not self.gap.strip(" .\u00a0")


def _is_addressed(around: _Around, *, capital: bool) -> bool:
    """Whether a title or a greeting stands before."""
    left, gap = around.left, around.gap
    if capital and around.near and left in TITLES and left not in ARTICLES:
        return True
    greeted = left in GREETINGS and not gap.strip(" ,\u00a0")
    return greeted and (capital or not around.right or around.right_gap[:1] in (",", "!", "."))


def _is_word_here(around: _Around, *, place: bool, month: bool) -> bool:
    """Whether a date, a place or an article makes it a word."""
    left, right = around.left, around.right
    if place and (left in (AT_MONTHS if month else AT_PLACES) or left.isdigit() or right.isdigit()):
        return True
    return around.near and "." not in around.gap and (left in ARTICLES or left.isdigit())


def _begins_as_name(around: _Around) -> bool:
    """Whether a word at a beginning is a name: spoken to, speaking, or doing something."""
    gap, right_gap, right = around.gap, around.right_gap, around.right
    starts = not around.left or "\n" in gap or any(sign in _STARTS for sign in gap)
    if not starts:
        return True  # ", Mark" at the end of a phrase
    if right_gap[:1] in ("'", "’"):
        return right == "s"
    if right_gap[:1] in (",", ":", ">", "!", "?"):
        return True
    return right_gap.isspace() and right in DOES and "(" not in gap
