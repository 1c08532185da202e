"""Names that are words too: which they are, and when in a text they are the name.

"Will", "Rose" and "Mark" are people and words; so are all names of up to three letters, which are
words of some language. Such a name counts only with a capital, and not

- where a sentence begins, if sentences often begin with the word (``STARTERS``), unless somebody
  is spoken to, named as the speaker, or does something;
- after an article or a number ("the rose", "ein Koch", "5 May");
- in small or in all-capital text.

Months, countries and towns moreover not after "in", "of", "since" and the like, and not beside a
number. After "@", a title or a greeting the name counts in any case, and so it does next to another
name of the same person.
"""

import re

from dataset.redact.fold import fold_text
from dataset.redact.word_lists import (
    ARTICLES,
    AT_PLACES,
    DOES,
    GREETINGS,
    STARTERS,
    TITLES,
)

_BEFORE = re.compile(r"([^\W_]+(?:-[^\W_]+)?)?([^\w\n]*)$")
_AFTER = re.compile(r"([^\w\n]*)([^\W_]+)?")
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
    before = _BEFORE.search(text, max(0, start - 40), start)
    after = _AFTER.match(text, end, end + 40)
    assert before is not None
    assert after is not None
    left, gap = fold_text(before[1] or ""), before[2]
    right_gap, right = after[1], fold_text(after[2] or "")
    if gap.endswith("@"):
        return True
    near = not gap.strip(" .\u00a0")
    if near and left in TITLES and left not in ARTICLES and word[:1].isupper():
        return True
    if gap.strip(" .,\u00a0") == "" and left in GREETINGS and "." not in gap:
        return word[:1].isupper() or not right or right_gap[:1] in (",", "!", ".")
    if not word[:1].isupper() or (len(word) > 1 and word.isupper()):
        return False
    if place and (left in AT_PLACES or left.isdigit() or right.isdigit()):
        return False
    if near and "." not in gap and (left in ARTICLES or left.isdigit()):
        return False
    if (not left or not near or "." in gap) and fold_text(word) in STARTERS:
        return _begins_as_name(gap, right_gap, right, starts=not left or _starts(gap))
    return True


def _starts(gap: str) -> bool:
    return any(sign in _STARTS for sign in gap) or "\n" in gap


def _begins_as_name(gap: str, right_gap: str, right: str, *, starts: bool) -> bool:
    """Whether a word after a stop or a comma is a name: spoken to, speaking, or doing something."""
    if not starts:
        # ", Mark" at the end of a phrase; "red, white" has no capital and did not come here
        return True
    if right_gap[:1] in (",", ":", ">", "'", "’", "!", "?"):
        return "'" not in right_gap[:1] or right == "s"
    return right_gap.isspace() and right in DOES and "(" not in gap
