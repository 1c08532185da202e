"""Bank accounts: ISO 13616, checked by checksum, country length and structure."""

import re
from collections.abc import Iterator

from dataset.redact.scan import Scan
from dataset.redact.span import Span

# length of a whole number by country, from the registry of ISO 13616
_LENGTHS = {
    15: "NO", 16: "BE", 18: "DK FI FK FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK",
    21: "CH HR LI LV", 22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL",
    24: "AD CZ ES MD PK RO SA SE SK TN VG", 25: "LY PT ST", 26: "IS TR",
    27: "BI DJ FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HN HU LB NI PL SV", 29: "BR EG PS QA UA",
    30: "JO KW MU YE", 31: "MT SC", 32: "LC", 33: "RU",
}  # fmt: skip
_LENGTH = {country: n for n, countries in _LENGTHS.items() for country in countries.split()}

# what stands left of it is looked at afterwards: a pattern that begins with letters is fast
_NEXT = r"(?=[ \u00a0.-]?[A-Za-z0-9])"
_START = re.compile(rf"[A-Z][A-Z][ ]?[0-9]{{2}}{_NEXT}")
_SMALL_START = re.compile(rf"[a-z][a-z][0-9]{{2}}{_NEXT}")
_REST = re.compile(r"(?:[ \u00a0.-]?[A-Za-z0-9])*")


def find_ibans(scan: Scan) -> Iterator[Span]:
    """Numbers with or without spaces; what follows the number is not taken with it."""
    text = scan.text
    for found in _START.finditer(text):
        yield from _check(text, found)
    # in small letters only without spaces
    for start, word in scan.words:
        if _SMALL_START.search(word):
            for found in _SMALL_START.finditer(text, start, start + len(word)):
                yield from _check(text, found)


def _check(text: str, found: re.Match[str]) -> Iterator[Span]:
    """The number that begins at a match, if it is one."""
    from stdnum import iban

    left = text[found.start() - 1 : found.start()]
    if left.isascii() and left.isalnum():
        return
    head = found[0].replace(" ", "").upper()
    length = _LENGTH.get(head[:2])
    end = _end(text, found.end(), length - 4) if length else None
    if end:
        number = text[found.start() : end].replace("\u00a0", " ")
        if iban.is_valid(number, check_country=False):
            yield Span(found.start(), end, "iban")


def _end(text: str, at: int, needed: int) -> int | None:
    """Index after ``needed`` letters and digits from ``at``, at most one separator between two."""
    rest = _REST.match(text, at, at + 2 * needed)
    end = at
    for place in range(at, rest.end() if rest else at):
        if text[place].isalnum():
            needed -= 1
            end = place + 1
            if not needed:
                return None if text[end : end + 1].isalnum() else end
    return None
