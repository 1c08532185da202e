"""Telephone numbers: cheap checks first, then the numbering plans of ``phonenumbers``.

International numbers (``+49 ...``, ``0049 ...``) are always looked for. National ones need a
locale: a number is taken when the plan of one of its countries holds it and it is written as a
telephone number (trunk prefix or that country's groups) or a word before it says so.
"""

import re
from collections.abc import Iterator

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat

from dataset.redact.context import naming
from dataset.redact.scan import LETTER, Scan
from dataset.redact.span import Span

_DIGITS = range(7, 18)
_GAP = r"[ \u00a0\u2007-\u2015\u202f\u200e\t()./\-–−・]"
_CLUSTER = re.compile(
    rf"(?:(?<!{LETTER})[+＋]|(?<!{LETTER})(?<![$€£¥%\\]))(?:\(\+?|（)?\d(?:{_GAP}{{0,3}}\d)*+"
)
_EXTENSION = re.compile(
    r"[^\S\n]?,?[^\S\n]?(?:ext(?:ension|\.)?|x|durchwahl|dw|poste|int(?:erno)?\.?|#|доб\.?)[^\S\n]?\.?:?[^\S\n]?\d{1,6}(?!\w)",
    re.IGNORECASE,
)
_BREAK = re.compile(r"\s{2,}|\s[/–-]\s|\t|(?<=\d) (?=\(\d{3}\) \d{3}-)")
_LONGEST = 400
_GROUPS_TRIED = 7
_GROUPS = re.compile(r"\d+")

_DAY, _MONTH, _YEAR = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])", r"(?:19|20)\d\d"
_DATE = re.compile(
    rf"{_YEAR}[-/. ]{_MONTH}[-/. ]{_DAY}(?:\D.*)?"  # 2024-05-01 and what follows it
    rf"|{_DAY}[-/. ]{{1,2}}{_DAY}[-/. ]{{1,2}}{_YEAR}(?:\D.*)?"
    rf"|{_YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:\d{{4,6}})?"  # 20240501
    rf"|{_YEAR}\s?[-–/]\s?{_YEAR}"  # 1998-2004
    r"|97[89][ -]?\d[\d -]{8,12}"  # ISBN
    r"|(?!0\d)\d{1,3}\.\d{4,}"  # a coordinate
)
# numbers that only a word before them makes telephones
_OTHER = re.compile(
    r"\(?(?!0\d)\d+\.\d+"  # a decimal number
    r"|(?!0\d)\d{1,3}(?:\.\d{1,3}){3}"  # an address of the internet or a version
    r"|(?:\d+\.)+\d(?:\.\d+)*|\d(?:\.\d+){2,}"  # a version: a group of one digit
    r"|\d{1,2}(?:\.\d{1,2}){2}(?:\s+\d{1,2}(?:\.\d{1,2}){2})+"  # several versions
    r"|[1-9]\d{0,2}(?:\.\d{3})+"  # 1.234.567
    r"|[1-9]\d{0,4}/\d{1,5}"  # a fraction
    r"|[1-5]\d\d \d{1,6}"  # a status and a size, of a server's log
)
_AFTER = re.compile(
    rf"{LETTER}|[%€£$¥°]|[^\S\n]?(?:€|EUR|USD|zł|PLN|kr\b|Kč|руб|₽|¥|円|元|원|km|kg|m²|°|px|ms|MB|GB|bytes?)"
    r"|[,:]\d|-[A-Za-z]|[@_]"
)
_LEFT = re.compile(rf"(?:{LETTER}[-_/.]|[#№_=&?/\\@.]|\d[,:]\s?)\Z")


_IN_PATH = re.compile(rf"{LETTER}[/_]\Z|[@\\\\]\Z")


def phone_detector(countries: tuple[str, ...]) -> "PhoneDetector":
    """A detector for international numbers and the national ones of these countries."""
    return PhoneDetector(countries)


class PhoneDetector:
    """Finds telephone numbers in the windows of digits.

    Args:
        countries: two-letter codes whose national formats are known.
    """

    def __init__(self, countries: tuple[str, ...]) -> None:
        self.countries = countries

    def __call__(self, scan: Scan) -> Iterator[Span]:
        """Spans of kind ``phone``, an extension included."""
        for found in scan.in_windows(_CLUSTER):
            for start, end in self._within(scan, found.start(), found.end()):
                extension = _EXTENSION.match(scan.text, end)
                yield Span(start, extension.end() if extension else end, "phone")

    def _within(self, scan: Scan, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The numbers in a cluster of digits: the whole, else what its gaps divide."""
        if start >= end or end - start > _LONGEST:
            return
        text = scan.text
        if self._is_phone(scan, start, text[start:end]):
            yield start, end
            return
        gap = _BREAK.search(text, start + 1, end - 1)
        if gap:
            yield from self._within(scan, start, gap.start())
            yield from self._within(scan, gap.end(), end)
            return
        for left, right in _cuts(text, start, end):
            if self._is_phone(scan, left, text[left:right]):
                yield left, right
                yield from self._within(scan, _next_digit(text, right, end), end)
                return

    def _is_phone(self, scan: Scan, start: int, piece: str) -> bool:
        text = scan.text
        digits = sum(each.isdecimal() for each in piece)
        if digits not in _DIGITS or _DATE.fullmatch(piece):
            return False
        end = start + len(piece)
        if _AFTER.match(text, end) and not _EXTENSION.match(text, end):
            return False
        name = naming(scan.lower, start)
        if piece[0] in "+＋" or piece.startswith(("(+", "（+")):
            return _international(piece, name)
        apart = _LEFT.search(text[max(0, start - 3) : start]) is None
        if piece.startswith("00") and apart and _international(piece, name):
            return True
        if name == "phone" and not _IN_PATH.search(text[max(0, start - 2) : start]):
            return any(_national(piece, country, called=True) for country in self.countries) or (
                digits >= 8 and _looks_dialled(piece)
            )
        bare = piece.isdecimal() and (piece[0] != "0" or digits < 9)
        if name or bare or not apart or _OTHER.fullmatch(piece):
            return False
        return any(_national(piece, country, called=False) for country in self.countries)


def _cuts(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Parts of the cluster that begin as a telephone number does, without its outer groups."""
    spaces = [place for place in range(start, end) if text[place].isspace()][:_GROUPS_TRIED]
    lefts = [start, *(space + 1 for space in spaces if space + 1 < end)]
    rights = [end, *reversed(spaces)]
    for left in lefts:
        if text[left] in "+＋(（0":
            for right in rights:
                if right - left >= min(_DIGITS) and (left, right) != (start, end):
                    yield left, right


def _next_digit(text: str, at: int, end: int) -> int:
    while at < end and text[at] not in "+(0123456789":
        at += 1
    return at


def _parse(piece: str, country: str | None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(piece, country)
    except NumberParseException:
        return None


def _international(piece: str, name: str | None) -> bool:
    if not piece.startswith("00"):
        number = _parse(piece, None)
    elif name == "reference":
        return False
    else:
        number = _parse("+" + piece.lstrip("0"), None)
    if number is None:
        return False
    if phonenumbers.is_valid_number(number):
        return True
    # the plans change faster than the tables; people also mistype
    written_so = name == "phone" or (piece[0] != "0" and len(_GROUPS.findall(piece)) >= 3)
    return written_so and phonenumbers.is_possible_number(number)


def _national(piece: str, country: str, *, called: bool) -> bool:
    """Whether it is a number of the country, and is called or written as one."""
    number = _parse(piece, country)
    if number is None:
        return False
    if called:
        return phonenumbers.is_possible_number(number)
    if not phonenumbers.is_valid_number(number):
        return False
    return piece.lstrip("(（").startswith("0") or _grouped(piece, number)


def _looks_dialled(piece: str) -> bool:
    """A trunk prefix, brackets or groups of more than one digit."""
    groups = _GROUPS.findall(piece)
    return piece[0] in "0(" or (len(groups) >= 2 and max(map(len, groups)) < 8)


def _grouped(piece: str, number: PhoneNumber) -> bool:
    """Whether the groups are those in which the country writes this number."""
    groups = _GROUPS.findall(piece)
    if len(groups) < 2:
        return False
    national = _GROUPS.findall(phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL))
    if groups == national:
        return True
    whole = _GROUPS.findall(phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL))
    return groups in (whole, whole[1:])
