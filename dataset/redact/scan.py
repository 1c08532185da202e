"""What all detectors need to know of a text, found out once and as cheaply as Python can.

Most chat text holds neither long words nor runs of digits nor words such as "password"; the checks
here are single passes in C over the text, so that such text costs next to nothing. They are written
to let through too much, never too little.
"""

import re
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import NamedTuple

from dataset.redact.span import Span

LONG_WORD = 16
"""Characters of the shortest word that may hold a key or a token."""

# six digits with at most three characters of punctuation or space between neighbours
_CLUSTER = re.compile(r"\d(?:[^\w\n]{0,3}\d){5,}")
_DIGIT = re.compile(r"\d")
_AROUND = 64
_LONGEST_WORD = 96


class Window(NamedTuple):
    """A part of the text with a run of digits and what stands around it: [start, end)."""

    start: int
    end: int


class Word(NamedTuple):
    """A run of characters without white space, at least ``LONG_WORD`` long."""

    start: int
    text: str


class Scan:
    """A text and the cheap facts about it; each is worked out when first asked for.

    Args:
        text: any text.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def lower(self) -> str:
        """The text in small letters, to look for words; its indices are not those of ``text``."""
        return self.text.lower()

    @cached_property
    def has_digits(self) -> bool:
        """Whether any digit, of any script, stands in the text."""
        return _DIGIT.search(self.text) is not None

    @cached_property
    def windows(self) -> tuple[Window, ...]:
        """Parts of the text around runs of six and more digits, in order and disjoint."""
        text = self.text
        windows: list[Window] = []
        for found in _CLUSTER.finditer(text):
            start, end = max(0, found.start() - _AROUND), min(len(text), found.end() + _AROUND)
            limit = min(len(text), end + _LONGEST_WORD)
            while end < limit and text[end].isalnum():
                end += 1
            if windows and start <= windows[-1].end:
                start = windows.pop().start
            windows.append(Window(start, end))
        return tuple(windows)

    @cached_property
    def words(self) -> tuple[Word, ...]:
        """Words of at least ``LONG_WORD`` characters, in order."""
        text, words, at = self.text, [], 0
        for word in text.split():
            if len(word) >= LONG_WORD:
                at = text.index(word, at)
                words.append(Word(at, word))
                at += len(word)
        return tuple(words)

    def in_windows(self, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
        """Matches of a pattern within ``windows``."""
        for window in self.windows:
            yield from pattern.finditer(self.text, window.start, window.end)


Detector = Callable[[Scan], Iterator[Span]]
"""Finds one family in a text; its spans may overlap and come in any order."""
