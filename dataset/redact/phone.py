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
from dataset.redact.scan import Scan
from dataset.redact.span import Span

_DIGITS = range(7, 18)
_GAP = r"[ \u00a0\u2007-\u2015\u202f\u200e\t()./\-–−・]"
_CLUSTER = re.compile(rf"(?:(?<!\w)[+＋]\s?|(?<![\w$€£¥%\\]))(?:\(\+?|（)?\d(?:{_GAP}{{0,3}}\d)*+")
_EXTENSION = re.compile(
    r"[^\S\n]?,?[^\S\n]?(?:ext(?:ension|\.)?|x|durchwahl|dw|poste|int(?:erno)?\.?|#|доб\.?)[^\S\n]?\.?:?[^\S\n]?\d{1,6}(?!\w)",
    re.IGNORECASE,
)
_BREAK = re.compile(r"\s{2,}|\s[/–-]\s|\t|(?<=\d) (?=\(\d{3}\) \d{3}-)")
_LONGEST = 400
_GROUPS_TRIED = 7
_GROUPS = re.compile(r"\d+")

_DATE = r"(?:(?:19|20)\d\d[-/. ](?:0?[1-9]|1[0-2])[-/. ](?:0?[1-9]|[12]\d|3[01])"
_NOT_PHONE = re.compile(
    _DATE + r"(?:\D.*)?"  # 2024-05-01 and what follows it
    r"|(?:0?[1-9]|[12]\d|3[01])[-/. ]{1,2}(?:0?[1-9]|[12]\d|3[01])[-/. ]{1,2}(?:19|20)\d\d(?:\D.*)?"
    r"|(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:\d{4,6})?"  # 20240501
    r"|(?:19|20)\d\d\s?[-–/]\s?(?:19|20)\d\d"  # 1998-2004
    r"|\d+\.\d+|\(\d+\.\d+"  # a decimal number
    r"|\d{1,3}(?:\.\d{1,3}){3}"  # an address of the internet or a version
    r"|\d{1,2}(?:\.\d{1,2}){3}\.?\d*(?<!\d\d\.\d\d\.\d\d\.\d\d\.\d\d)"
    r"|[1-9]\d{0,2}(?:\.\d{3})+"  # 1.234.567
    r"|97[89][ -]?\d[\d -]{8,12}"  # ISBN
    r")"
)
_AFTER = re.compile(
    r"[\w%€£$¥°]|[^\S\n]?(?:€|EUR|USD|zł|PLN|kr\b|Kč|руб|₽|¥|円|元|원|km|kg|m²|°|px|ms|MB|GB|bytes?)|[,:]\d|-[A-Za-z]|[@_]"
)
_LEFT = re.compile(r"(?:\w[-_/.]|[#№_=&?/\\@.]|\d[,:]\s?)\Z")


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
        text = scan.text
        for found in scan.in_windows(_CLUSTER):
            for start, end in self._within(text, found.start(), found.end()):
                extension = _EXTENSION.match(text, end)
                yield Span(start, extension.end() if extension else end, "phone")

    def _within(self, text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The numbers in a cluster of digits: the whole, else what its gaps divide."""
        if end - start > _LONGEST:
            return
        if self._is_phone(text, start, text[start:end]):
            yield start, end
            return
        gap = _BREAK.search(text, start + 1, end - 1)
        if gap:
            yield from self._within(text, start, gap.start())
            yield from self._within(text, gap.end(), end)
            return
        for left, right in _cuts(text, start, end):
            if self._is_phone(text, left, text[left:right]):
                yield left, right
                yield from self._within(text, _next_digit(text, right, end), end)
                return

    def _is_phone(self, text: str, start: int, piece: str) -> bool:
        digits = sum(each.isdecimal() for each in piece)
        if digits not in _DIGITS or _NOT_PHONE.fullmatch(piece):
            return False
        end = start + len(piece)
        if _AFTER.match(text, end) and not _EXTENSION.match(text, end):
            return False
        plus = piece[0] in "+＋" or piece.startswith(("(+", "（+"))
        left = text[max(0, start - 3) : start]
        if not plus and _LEFT.search(left) and not _says_phone(text, start):
            return False
        name = naming(text, start)
        if plus or piece.startswith("00"):
            return _international(piece, name)
        if name in ("reference", "card", "person"):
            return False
        return any(_national(piece, country, name) for country in self.countries) or (
            name == "phone" and digits >= 8 and _looks_dialled(piece)
        )


def _cuts(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Parts of the cluster that begin as a telephone number does, without its outer groups."""
    spaces = [place for place in range(start, end) if text[place].isspace()][:_GROUPS_TRIED]
    lefts = [start, *(space + 1 for space in spaces)]
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


def _says_phone(text: str, start: int) -> bool:
    return naming(text, start) == "phone"


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


def _national(piece: str, country: str, name: str | None) -> bool:
    number = _parse(piece, country)
    if number is None:
        return False
    trunk = piece.lstrip("(（").startswith("0")
    if not phonenumbers.is_valid_number(number):
        return name == "phone" and phonenumbers.is_possible_number(number) and _looks_dialled(piece)
    return name == "phone" or trunk or _grouped(piece, number)


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
