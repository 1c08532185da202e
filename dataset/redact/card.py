"""Payment cards: Luhn's checksum, the issuers' ranges and lengths, the usual groups."""

import re
from collections.abc import Iterator

from dataset.redact.context import naming
from dataset.redact.scan import LETTER, Scan
from dataset.redact.span import Span

# every token's start is tried: a number may stand before the card's
_GAP = r"[ \u00a0.–-]"
_CARD = re.compile(
    rf"(?<!{LETTER})(?<![.,])(?<!{LETTER}-)(?=(\d{{12,19}}"
    rf"|\d{{4}}(?:{_GAP}\d{{4}}){{2}}(?:{_GAP}\d{{1,4}})?(?:{_GAP}\d{{1,3}})?"
    rf"|\d{{4}}{_GAP}\d{{6}}{_GAP}\d{{4,5}})(?!{LETTER})(?!-\w)(?![.,]\d))"
)
# issuer prefixes and lengths (ISO/IEC 7812 and the schemes' own lists)
_ISSUERS: tuple[tuple[str, re.Pattern[str], frozenset[int]], ...] = (
    ("Visa", re.compile("4"), frozenset({13, 16, 19})),
    ("Mastercard", re.compile("5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"), frozenset({16})),
    ("American Express", re.compile("3[47]"), frozenset({15})),
    ("Diners", re.compile("30[0-5]|3095|36|3[89]"), frozenset({14, 16, 19})),
    ("Discover", re.compile("6011|64[4-9]|65"), frozenset({16, 19})),
    ("JCB", re.compile("35"), frozenset({16, 19})),
    ("JCB, older", re.compile("2131|1800"), frozenset({15})),
    ("UnionPay", re.compile("62|81"), frozenset({16, 19})),
    ("Mir", re.compile("220[0-4]"), frozenset({16, 19})),
    (
        "Maestro",
        re.compile("5018|5020|5038|5893|6304|6390|67|0604|5[678]"),
        frozenset(range(12, 20)),
    ),
    ("RuPay and Elo", re.compile("508|60|606282|636368"), frozenset({16})),
    ("Troy", re.compile("9792"), frozenset({16})),
)


def find_cards(scan: Scan) -> Iterator[Span]:
    """Cards in the windows of digits."""
    lower, done = scan.lower, 0
    for found in scan.in_windows(_CARD):
        start, end = found.span(1)
        if start < done:
            continue
        digits = "".join(str(int(each)) for each in found[1] if each.isdecimal())
        if not luhn(digits) or len(set(digits)) < 2:
            continue
        name = naming(lower, start)
        # of the many national schemes only those that are called a card
        if not issuer(digits) and (name != "card" or len(digits) != 16):
            continue
        if name == "person" and len(digits) not in (15, 16):
            continue
        if name == "reference" or (name != "card" and _barcode(found[1])):
            continue
        done = end
        yield Span(start, end, "card")


def luhn(digits: str) -> bool:
    """Whether Luhn's checksum holds (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def issuer(digits: str) -> str | None:
    """The scheme whose range and length fit."""
    for name, prefix, lengths in _ISSUERS:
        if len(digits) in lengths and prefix.match(digits):
            return name
    return None


def _barcode(written: str) -> bool:
    """Whether it is as well the number of a product (EAN-13)."""
    if len(written) != 13 or not written.isdigit():
        return False
    return sum(int(each) * (1 + 2 * (place % 2)) for place, each in enumerate(written)) % 10 == 0
