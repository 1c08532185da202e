"""Identity, tax, health and insurance numbers of people, by locale; see ``national_id_table``."""

import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module

from dataset.redact import checksums
from dataset.redact.context import naming
from dataset.redact.national_id_table import NATIONAL_IDS, NationalId, Trust
from dataset.redact.scan import LETTER, Scan
from dataset.redact.span import Span

_BEFORE = 40
_LEFT = rf"(?<!{LETTER})(?<![$€£#/])(?<!\d[.,/:-])(?<!{LETTER}-)"
_RIGHT = rf"(?!{LETTER})(?![-./,:]\d)(?!-\w)"
# forms of which no six digits stand together: a long word, and one that is told by its capitals
_LONG, _SHORT = "it.codicefiscale", "in_.pan"
_SHORT_HINT = re.compile(r"[A-Z]{3}P[A-Z][0-9]{4}[A-Z]")


class _Rule:
    """A line of the table with its patterns compiled."""

    def __init__(self, line: NationalId, trust: Trust) -> None:
        self.number = re.compile(f"(?:{line.form}){_RIGHT}")
        self.names = re.compile(line.names, re.IGNORECASE)
        self.check = _checker(line.check)
        self.trust = trust

    def at(self, text: str, start: int) -> int | None:
        """Where a number of this kind that begins at ``start`` ends."""
        found = self.number.match(text, start)
        if not found or not self.check(_plain(found[0])):
            return None
        if self.trust in ("always", "form"):
            return found.end()
        before = text[max(0, start - _BEFORE) : start].rpartition("\n")[2]
        if self.names.search(before):
            return found.end()
        taken = self.trust == "check" and naming(text, start) in (None, "person")
        return found.end() if taken else None


class _Rules:
    """Rules that are tried together: one pass finds where any of their forms begins."""

    def __init__(self, lines: list[tuple[NationalId, Trust]]) -> None:
        self.rules = tuple(_Rule(line, trust) for line, trust in lines)
        forms = "|".join(dict.fromkeys(line.form for line, _ in lines))
        # what matches nowhere when there is no rule
        self.begins = re.compile(f"{_LEFT}(?=(?:{forms}){_RIGHT})" if forms else r"(?!)")

    def find(self, text: str, start: int, end: int) -> Iterator[Span]:
        for begin in self.begins.finditer(text, start, end):
            for rule in self.rules:
                stop = rule.at(text, begin.start())
                if stop:
                    yield Span(begin.start(), stop, "national_id")


def national_id_detector(known: tuple[str, ...]) -> Callable[[Scan], Iterator[Span]]:
    """A detector of the numbers of these countries, and of those no other number resembles."""
    # of a country that is not asked for, only what is named or cannot be mistaken
    lines = [
        (line, line.trust if line.trust == "always" or line.country in known else "named")
        for line in NATIONAL_IDS
    ]
    dense = [each for each in lines if each[0].check not in (_LONG, _SHORT)]
    formed = _Rules([each for each in dense if each[1] != "named"])
    named = _Rules([each for each in dense if each[1] == "named"])
    names = re.compile("|".join(line.names for line, trust in dense if trust == "named"), re.I)
    long = _Rules([each for each in lines if each[0].check == _LONG])
    short = _Rules([each for each in lines if each[0].check == _SHORT and each[1] != "named"])

    def find_national_ids(scan: Scan) -> Iterator[Span]:
        text = scan.text
        for start, end in scan.windows:
            yield from formed.find(text, start, end)
            if names.search(text, start, end):
                yield from named.find(text, start, end)
        for start, word in scan.words:
            yield from long.find(text, start, start + len(word))
        if short.rules and _SHORT_HINT.search(text):
            yield from short.find(text, 0, len(text))

    return find_national_ids


def _plain(number: str) -> str:
    """Digits of other scripts as 0 to 9."""
    if number.isascii():
        return number
    return "".join(str(int(each)) if each.isdecimal() else each for each in number)


@cache
def _checker(name: str) -> Callable[[str], bool]:
    if not name:
        return lambda _: True
    if name.startswith("."):
        own: Callable[[str], bool] = getattr(checksums, name[1:])
        return own

    def valid(number: str) -> bool:
        # loaded when first needed: most texts hold no such number
        return bool(import_module(f"stdnum.{name}").is_valid(number))

    return valid
