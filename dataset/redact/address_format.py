# ruff: noqa: E501 - lists of words read by the line
"""What a way of writing an address is, and the pieces that all of them share."""

import re
from typing import Literal, NamedTuple


class AddressFormat(NamedTuple):
    """One way of writing: street and house number, postal code and town when they follow.

    Attributes:
        countries: two-letter codes.
        form: what to look for; it begins with what is rare in a text.
        gate: what the words are: ``tokens`` of the text, ``endings`` of words before a number,
            ``words`` between spaces, or ``letters``: parts of a text that is not ASCII.
        words: small letters; a text without any of these holds no such address.
        lead: what may stand before it and belongs to it, matched up to the form's beginning.
        asked: whether only those who ask for one of the countries mean it.
        begins: what stands wherever the form fits, for polars, any case of letters unless it says
            so; if empty, the words tell, and without words any digit does.
    """

    countries: frozenset[str]
    form: re.Pattern[str]
    gate: Literal["tokens", "endings", "letters", "words"]
    words: frozenset[str]
    lead: re.Pattern[str] | None = None
    asked: bool = False
    begins: str = ""


UPPER = "A-ZÀ-ÖØ-ÞĀĂĄĆČĎĐĒĖĘĚĞĢĪĮİĶŁĻŃŅŇŐŒŘŚŞŠŢŤŪŮŰŲŹŻŽȘȚ"
NAME = rf"[{UPPER}][\w'’.-]{{0,40}}"
TOWN = rf"(?:d[aeo]s? )?{NAME}(?:[ -](?:am|an der|im|in|bei|ob der|sur|sous|de|del|della|di|do|da|la|le|les|aan|den)?[ ]?{NAME}){{0,4}}"
HOUSE = r"\d{1,4}(?:[ ]?[a-zA-Z](?![\w.'’])|[ ]?[-–/][ ]?\d{1,4}[a-zA-Z]?(?!\w)|[a-zA-Z]?)(?![\w%€$£]|[.,:]\d)"


# between street and town: a comma, a line's end (in JSON written out), a dash, a space
_BREAK = r"(?:,|\\n|\n|[ ][–-]|[ ])"


def after(code: str, *, needed: bool = False) -> str:
    """Postal code and town, on this line or the next, a district before them.

    Args:
        code: regular expression of the code.
        needed: whether they must follow.
    """
    place = rf"(?:[ ]?{_BREAK}[ ]?(?:{TOWN}(?:,[ ]?|[ ]|\n|\\n))?{code}(?:,?[ ]|\n|\\n){TOWN}(?:,?[ ]?[(/]?[ ]?[A-Z]{{2}}\b\)?)?)"
    return place if needed else place + "?"


def split(words: str) -> tuple[str, ...]:
    """Words of a list, the longest first; ``_`` stands for a space within one."""
    return tuple(sorted((each.replace("_", " ") for each in words.split()), key=len, reverse=True))
