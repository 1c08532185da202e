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
# what a match may lack: classes, optional letters and groups, escapes
_OPTIONAL = re.compile(r"\[[^\]]*\]\??|\([^)]*\)\??|\\?.\?|\\b|\\.")
_LETTERS = re.compile(r"[^\W\d_]+")
_LEFT = rf"(?<!{LETTER})(?<![$€£#/])(?<!\d[.,/:-])(?<!{LETTER}-)"
_RIGHT = rf"(?!{LETTER})(?![-./,:]\d)(?!-\w)"
# forms of which no six digits stand together: a long word, and one that is told by its capitals
_LONG, _SHORT = "it.codicefiscale", "in_.pan"
_SHORT_HINT = re.compile(r"[A-Z]{3}P[A-Z][0-9]{4}[A-Z]")


class _Rule:
    """A line of the table with its patterns compiled."""

    def __init__(self, line: NationalId, trust: Trust) -> None:
        self.number = re.compile(f"(?:{line.form}){_RIGHT}")
        self.begins = re.compile(f"{_LEFT}(?=(?:{line.form}){_RIGHT})")
        self.names = re.compile(line.names)
        self.check = _checker(line.check)
        self.trust = trust

    def at(self, scan: Scan, start: int) -> int | None:
        """Where a number of this kind that begins at ``start`` ends."""
        found = self.number.match(scan.text, start)
        if not found or not self.check(_plain(found[0])):
            return None
        if self.trust in ("always", "form"):
            return found.end()
        before = scan.lower[max(0, start - _BEFORE) : start].rpartition("\n")[2]
        if self.names.search(before):
            return found.end()
        taken = self.trust == "check" and naming(scan.lower, start) in (None, "person")
        return found.end() if taken else None

    def find(self, scan: Scan, start: int, end: int) -> Iterator[Span]:
        """Numbers of this kind in [start, end)."""
        for begin in self.begins.finditer(scan.text, start, end):
            stop = self.at(scan, begin.start())
            if stop:
                yield Span(begin.start(), stop, "national_id")


class _Rules:
    """Rules that are tried together: one pass finds where any of their forms begins."""

    def __init__(self, lines: list[tuple[NationalId, Trust]]) -> None:
        self.rules = tuple(_Rule(line, trust) for line, trust in lines)
        forms = "|".join(dict.fromkeys(line.form for line, _ in lines))
        # what matches nowhere when there is no rule
        self.begins = re.compile(f"{_LEFT}(?=(?:{forms}){_RIGHT})" if forms else r"(?!)")

    def find(self, scan: Scan, start: int, end: int) -> Iterator[Span]:
        for begin in self.begins.finditer(scan.text, start, end):
            for rule in self.rules:
                stop = rule.at(scan, begin.start())
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
    by_hint: dict[str, list[_Rule]] = {}
    for line, trust in dense:
        if trust == "named":
            rule = _Rule(line, trust)
            for hint in dict.fromkeys(_hints(line.names)):
                by_hint.setdefault(hint, []).append(rule)
    long = _Rules([each for each in lines if each[0].check == _LONG])
    short = _Rules([each for each in lines if each[0].check == _SHORT and each[1] != "named"])

    def find_national_ids(scan: Scan) -> Iterator[Span]:
        for start, end in scan.windows:
            yield from formed.find(scan, start, end)
            part = scan.lower[start:end]
            for hint, some in by_hint.items():
                if hint in part:
                    for rule in some:
                        yield from rule.find(scan, start, end)
        for start, word in scan.words:
            yield from long.find(scan, start, start + len(word))
        if short.rules and _SHORT_HINT.search(scan.text):
            yield from short.find(scan, 0, len(scan.text))

    return find_national_ids


def _hints(names: str) -> Iterator[str]:
    """For each alternative of a regular expression of names, letters that stand in every match."""
    for name in names.split("|"):
        literal = _OPTIONAL.sub(" ", name)
        yield max(_LETTERS.findall(literal), key=len)


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
