"""One regular expression of many words, arranged as a tree: each letter is looked at once."""

import re
from collections.abc import Iterable
from itertools import groupby


def either(words: Iterable[str]) -> str:
    """A regular expression that matches the longest of the words that stands at a place.

    Args:
        words: literal words; a space in one also matches ``_``, ``-`` or nothing.
    """
    return _branches(sorted(set(words)))


def _branches(words: list[str]) -> str:
    """The same for words in order; an empty one means that the match may end here."""
    ends = "" in words
    parts = []
    for letter, same in groupby(filter(None, words), key=lambda word: word[0]):
        after = _branches([word[1:] for word in same])
        parts.append(("[ _-]?" if letter == " " else re.escape(letter)) + after)
    if not parts:
        return ""
    if len(parts) == 1 and not ends:
        return parts[0]
    return f"(?:{'|'.join(parts)}){'?' if ends else ''}"
