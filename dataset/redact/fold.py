"""Text in the form in which names are compared: lower case, without marks, one letter for one.

"Müller", "MÜLLER" and "Muller" are the same here. Positions can be carried back to the text.
"""

import re
import unicodedata
from typing import NamedTuple

# marks written apart from their letter, vowel points, and what is there but not seen; without the
# two joiners Indian scripts need, names would be found in none of them
_APART = re.compile(
    "[\u0300-\u036f\u00ad\u0591-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670\u093c\u09bc\u200b-\u200f\u2060\ufeff]+"
)

_NOT_ASCII = re.compile("[^\x00-\x7f]")
_RARE, _FEW = 6, 24
"""One in so many characters is not ASCII, and so few different ones are: then a pass over the text
for each of these takes half the time of one that looks up every character."""

_ALONE = {
    "ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ŧ": "t", "ı": "i", "ς": "σ", "ё": "е",
    "ى": "ي", "ی": "ي", "ک": "ك", "ة": "ه", "’": "'", "ʼ": "'", "‘": "'", "`": "'", "´": "'",
    "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u3000": " ",
}  # fmt: skip


class _Letters(dict[int, str]):
    """One folded letter by code point, worked out when first met."""

    def __missing__(self, code: int) -> str:
        letter = chr(code)
        lower = letter.lower()
        if lower in _ALONE:
            folded = _ALONE[lower]
        elif _has_nukta(code):
            folded = unicodedata.normalize("NFD", letter)[0]
        elif _keeps_marks(code):
            folded = lower if len(lower) == 1 else letter
        else:
            base = unicodedata.normalize("NFKD", letter)
            rest_is_marks = all(unicodedata.combining(each) for each in base[1:])
            one = (base[0] if rest_is_marks else letter).lower()
            folded = _ALONE.get(one, one) if len(one) == 1 else letter
        self[code] = folded
        return folded


def _has_nukta(code: int) -> bool:
    """Whether a dot below, which writers leave out, is part of it; Hindi and Bengali."""
    return 0x0958 <= code <= 0x095F or code in (0x0929, 0x0931, 0x0934, 0x09DC, 0x09DD, 0x09DF)


def _keeps_marks(code: int) -> bool:
    """Whether a mark makes another letter of it: in Indian, Thai, Korean and Japanese."""
    return 0x0900 <= code <= 0x11FF or 0x3000 <= code <= 0xD7FF


_LETTERS = _Letters()


class Folded(NamedTuple):
    """A folded text.

    Attributes:
        text: the folded text.
        places: (len(text) + 1,) where each folded letter stands in the original; None if at the
            same place.
    """

    text: str
    places: list[int] | None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where ``text[start:end]`` stands in the original."""
        if self.places is None:
            return start, end
        return self.places[start], self.places[end]


def fold(text: str) -> Folded:
    """Fold a text."""
    if text.isascii():
        return Folded(text.lower().replace("`", "'"), None)
    few = _few_letters(text)
    if few and _APART.search("".join(few)) is None:
        # a folded letter folds to itself: one after the other is the same as all at once
        for letter in few:
            text = text.replace(letter, _LETTERS[ord(letter)])
        return Folded(text.lower().replace("`", "'"), None)
    if _APART.search(text) is None:
        return Folded(text.translate(_LETTERS), None)
    kept: list[int] = []
    done = 0
    for mark in _APART.finditer(text):
        kept += range(done, mark.start())
        done = mark.end()
    kept += range(done, len(text) + 1)
    return Folded(_APART.sub("", text).translate(_LETTERS), kept)


def _few_letters(text: str) -> set[str]:
    """The letters that are not ASCII, if those are rare and few; else none."""
    others = len(text) - len(text.encode("ascii", "ignore"))
    letters = set(_NOT_ASCII.findall(text)) if others * _RARE < len(text) else set[str]()
    return letters if len(letters) <= _FEW else set()


def without_marks(text: str) -> str:
    """A text without vowel points, loose marks and what is not seen."""
    return _APART.sub("", text)


def fold_text(text: str) -> str:
    """The folded text alone."""
    return fold(text).text
