"""Street addresses, by locale; see ``address_format`` and its neighbours."""

import re
from collections.abc import Callable, Iterator

from dataset.redact.address_english import ENGLISH_FORMATS
from dataset.redact.address_format import AddressFormat
from dataset.redact.address_scripts import SCRIPT_FORMATS
from dataset.redact.address_stems import STEM_FORMATS
from dataset.redact.address_words import WORD_FORMATS
from dataset.redact.scan import Scan, holds
from dataset.redact.span import Span

_FORMATS: tuple[AddressFormat, ...] = (
    *STEM_FORMATS,
    *ENGLISH_FORMATS,
    *WORD_FORMATS,
    *SCRIPT_FORMATS,
)
_LEAD = 64
_ARTICLES = frozenset(
    {"Der", "Die", "Das", "Den", "Dem", "Ein", "Mein", "De", "Het", "Een", "En", "Ett"}
)
_HINT = re.compile(
    r"(?:\b(?:live[sd]?|living|moved|parcel|ship(?:ped)?|send|sent|deliver(?:ed)?|address|visit|located|home|house"
    r"|office)\b[^.\n]{0,30}|\baddress\W{1,6}|\n)\Z",
    re.IGNORECASE,
)


def formats_of(known: tuple[str, ...]) -> list[AddressFormat]:
    """The formats of these countries, or of all when none is given."""
    return [
        each
        for each in _FORMATS
        if (not known and not each.asked) or not each.countries.isdisjoint(known)
    ]


def address_detector(known: tuple[str, ...]) -> Callable[[Scan], Iterator[Span]]:
    """A detector of the addresses of these countries, or of all when none is given."""
    formats = formats_of(known)
    free = [each for each in formats if not each.words]
    ended = [each for each in formats if each.words and each.gate == "endings"]
    worded = [each for each in formats if each.words and each.gate == "tokens"]
    spaced = [each for each in formats if each.words and each.gate == "words"]
    lettered = [(each, tuple(each.words)) for each in formats if each.gate == "letters"]

    def find_addresses(scan: Scan) -> Iterator[Span]:
        may = free
        if ended:
            endings = scan.endings
            may = may + [each for each in ended if not each.words.isdisjoint(endings)]
        if worded:
            tokens = scan.tokens
            may = may + [each for each in worded if not each.words.isdisjoint(tokens)]
        may = may + [each for each in spaced if not each.words.isdisjoint(scan.split)]
        if lettered and not scan.text.isascii():
            may = may + [each for each, words in lettered if holds(scan.lower, words)]
        for each in may:
            yield from _find(each, scan.text)

    return find_addresses


def _find(written: AddressFormat, text: str) -> Iterator[Span]:
    for found in written.form.finditer(text):
        start = found.start()
        if written.lead:
            start = _with_name(written.lead, text, found)
            if start < 0:
                continue
        elif text[start].isdecimal() and _continues(text[start - 1 : start]):
            continue
        doubtful = "doubtful" in found.re.groupindex and found["doubtful"] and not found["more"]
        if doubtful and not _HINT.search(text, max(0, start - _LEAD), start):
            continue
        yield Span(start, found.end(), "address")


def _with_name(lead: re.Pattern[str], text: str, found: re.Match[str]) -> int:
    """Where the name of a street begins whose last word is found; -1 when it is none."""
    start = found.start()
    before = lead.search(text, max(0, start - _LEAD), start)
    if before:
        start = before.start()
    if not text[start].isupper() or text[start - 1 : start].isalnum():
        return -1
    # "Weg 5" alone is a street only with a town; "Der Weg 5" is none
    alone = start == found.start() or text[start : found.start()].strip() in _ARTICLES
    if alone and "more" in found.re.groupindex and not found["more"]:
        return -1
    return start


def _continues(left: str) -> bool:
    """Whether a number after this character is only the rest of one."""
    return left.isalnum() or (left != "" and left in "._-/$€£#:")
