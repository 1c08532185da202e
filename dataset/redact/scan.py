"""What all detectors need to know of a text, found out once and as cheaply as Python can.

Most chat text holds neither long words nor runs of digits nor words such as "password"; the checks
here are single passes in C over the text, so that such text costs next to nothing. They are written
to let through too much, never too little.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from dataset.redact.secret_words import (
    CODE_WORDS,
    GATES,
    LOGIN_WORDS,
    OTHER_GATES,
    PASSWORD_ENDINGS,
    PASSWORD_GATES,
    PASSWORD_WORDS,
    SHORT_PASSWORD_WORDS,
)
from dataset.redact.span import Span

LONG_WORD = 16
"""Characters of the shortest word that may hold a key or a token."""

_DIGIT = re.compile(r"\d")
# six digits, at most three characters between neighbours, such as stand in numbers of people
GAP = r"[ \t\u00a0\u2000-\u2015\u200e\u202f()（）./−・·+-]"
CLUSTER = rf"\d(?:{GAP}{{0,3}}\d){{5,}}"
_CLUSTER = re.compile(CLUSTER)
# the same for ASCII, where it takes half the time
_ASCII_DIGIT = re.compile("[0-9]")
_ASCII_CLUSTER = re.compile(r"[0-9](?:[ \t()./+-]{0,3}[0-9]){5,}")
_DAY = "|".join(
    rf"(?:19|20)\d\d{mark}\d\d{mark}\d\d|\d\d?{mark}\d\d?{mark}(?:19|20)\d\d"
    for mark in ("-", r"\.", "/")
)
DATE = rf"(?:{_DAY})(?:[ -]{{1,3}}(?:\d\d?|\d{{1,2}}\.\d\d))?"
"""Six digits that are no number of anybody, if a cluster is nothing else."""
_DATE = re.compile(DATE)
_AROUND = 64
_LONGEST_WORD = 96
AT = r"[(\[{<] ?(?:at|ät|a|arroba|chez|klammeraffe) ?[)\]}>]"
_AT = re.compile(AT)
DOT_WORDS = frozenset(
    left + word + right
    for word in ("dot", "punkt", "point", "punto", "ponto")
    for left, right in (("", ""), ("(", ")"), ("[", "]"))
)
# passwords and codes may be said without a colon or an equals sign: "the PIN is ..."
SAID = (
    DOT_WORDS
    | frozenset(
        word + right
        for word in (*CODE_WORDS, *SHORT_PASSWORD_WORDS, *LOGIN_WORDS, "bearer", "--user", "-u")
        for right in ("", ":", "-code", "-code:")
    )
    | frozenset(
        phrase.partition(" ")[0] + ending + mark
        for phrase in PASSWORD_WORDS
        for ending in PASSWORD_ENDINGS
        for mark in ("", ",", "?", '"')
    )
)
_NOTHING: frozenset[str] = frozenset()
# a name may stand apart from its mark; an option has none
_APART = (" :", " =", "：", "＝")
_NUMBER_AFTER = re.compile(r" \d")
GLUED = ('"', "'", "(", "[", ":", "/", "=", ">", "`", "*", "_", "\\", "|", "„", "“", "«", "‘")
_PUNCTUATION = re.compile("[\"'(\\[:/=>`*_\\\\|„“«‘]")


CJK = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3"
"""Characters that need no space between them and a number, for a class of a regular expression."""
LETTER = rf"[^\W{CJK}]"
"""A letter or digit that, next to a number, makes it part of a word."""


class Window(NamedTuple):
    """A part of the text with a run of digits and what stands around it: [start, end)."""

    start: int
    end: int


class Word(NamedTuple):
    """A run of characters without white space, at least ``LONG_WORD`` long."""

    start: int
    text: str


class Sign:
    """What a text bears, as bits; a detector runs when the text bears one that it asks for."""

    DIGIT = 1
    """A digit of any script."""
    NUMBER = 2
    """A run of at least six digits."""
    LONG_WORD = 4
    """A word that may be a key."""
    PUNCTUATION = 8
    """A colon, an equals sign or a line of dashes: addresses of the web, armour."""
    AT = 16
    """``@``, also as ``%40``, ``(at)`` or beside a ``dot``."""
    NAMED_SECRET = 32
    """A word for passwords and keys."""


class Scan:
    """A text and the cheap facts about it.

    Args:
        text: any text.

    Attributes:
        text: the text.
        lower: the text in small letters, character by character: its indices are those of ``text``.
        signs: bits of ``Sign``.
        windows: parts of the text around runs of six and more digits, in order and disjoint.
        split: the words between spaces, in small letters.
        words: words of at least ``LONG_WORD`` characters, in order.
    """

    __slots__ = ("_endings", "_tokens", "lower", "signs", "split", "text", "windows", "words")

    def __init__(self, text: str) -> None:
        self.text = text
        self.lower = lower = _lower(text)
        words = lower.split()
        self.split = words
        self.words = _long_words(text, lower, words)
        self.windows: list[Window] = []
        signs = Sign.LONG_WORD if self.words else 0
        ascii_only = text.isascii()
        if (_ASCII_DIGIT if ascii_only else _DIGIT).search(text):
            signs |= Sign.DIGIT
            self.windows = _windows(text, _ASCII_CLUSTER if ascii_only else _CLUSTER)
            if self.windows:
                signs |= Sign.NUMBER
        marked = ":" in text or "=" in text
        if marked or "-----" in text:
            signs |= Sign.PUNCTUATION
        if _names_secret(lower, words, marked=marked, ascii_only=ascii_only):
            signs |= Sign.NAMED_SECRET
        said = _NOTHING if SAID.isdisjoint(words) else SAID.intersection(words)
        if said - DOT_WORDS:
            signs |= Sign.NAMED_SECRET
        if "@" in text or "%40" in text or said & DOT_WORDS or _has_bracketed_at(lower):
            signs |= Sign.AT
        self.signs = signs
        self._tokens: frozenset[str] | None = None
        self._endings: frozenset[str] | None = None

    @property
    def tokens(self) -> frozenset[str]:
        """The words in small letters, with the full stop that follows."""
        if self._tokens is None:
            self._tokens = frozenset(tokens(self.lower))
        return self._tokens

    @property
    def endings(self) -> frozenset[str]:
        """The last letters, three and a full stop, of words that stand before a number."""
        if self._endings is None:
            lower = self.lower
            self._endings = frozenset(
                ending(lower[max(0, found.start() - 10) : found.start()])
                for found in _NUMBER_AFTER.finditer(lower)
            )
        return self._endings

    def in_windows(self, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
        """Matches of a pattern within ``windows``."""
        for window in self.windows:
            yield from pattern.finditer(self.text, window.start, window.end)


def _lower(text: str) -> str:
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    # a capital I with a dot becomes two characters
    return "".join(small if len(small := each.lower()) == 1 else each for each in text)


def _names_secret(lower: str, words: list[str], *, marked: bool, ascii_only: bool) -> bool:
    """Whether a word for a secret stands before a colon or an equals sign, or may do so."""
    if holds(lower, PASSWORD_GATES) or (not ascii_only and holds(lower, OTHER_GATES)):
        return True
    if " --" in lower and holds(lower, GATES):
        return True
    if not marked:
        return not ascii_only and "：" in lower and holds(lower, GATES)
    if holds(lower, _APART):
        return holds(lower, GATES)
    names = " ".join([each for each in words if ":" in each or "=" in each])
    return holds(names, GATES)


def _has_bracketed_at(lower: str) -> bool:
    brackets = "(" in lower or "[" in lower or "{" in lower or "<" in lower
    return brackets and _AT.search(lower) is not None


def tokens(lower: str) -> list[str]:
    """Words between spaces and punctuation, a full stop kept: ``v.le`` is ``v.`` and ``le``."""
    apart = lower.replace(".", ". ")
    if holds(apart, GLUED):
        apart = _PUNCTUATION.sub(" ", apart)
    return apart.split()


def ending(before: str) -> str:
    """The last three letters, or four with a full stop, of the word before a house number."""
    word = before.removesuffix(" nr.").removesuffix(" nr").removesuffix(",").rpartition(" ")[2]
    return word[-4:] if word.endswith(".") else word[-3:]


def _windows(text: str, cluster: re.Pattern[str]) -> list[Window]:
    windows: list[Window] = []
    for found in cluster.finditer(text):
        if _DATE.fullmatch(found[0]):
            continue
        start, end = max(0, found.start() - _AROUND), min(len(text), found.end() + _AROUND)
        limit = min(len(text), end + _LONGEST_WORD)
        while end < limit and text[end].isalnum():
            end += 1
        if windows and start <= windows[-1].end:
            start = windows.pop().start
        windows.append(Window(start, end))
    return windows


def _long_words(text: str, lower: str, parts: list[str]) -> list[Word]:
    words: list[Word] = []
    at = 0
    for part in [each for each in parts if len(each) >= LONG_WORD]:
        at = lower.index(part, at)
        words.append(Word(at, text[at : at + len(part)]))
        at += len(part)
    return words


def holds(text: str, words: tuple[str, ...]) -> bool:
    """Whether any of the words stands in the text."""
    for word in words:  # noqa: SIM110 - half the time of any(...): this runs for every message
        if word in text:
            return True
    return False


Detector = Callable[[Scan], Iterator[Span]]
"""Finds one family in a text; its spans may overlap and come in any order."""
