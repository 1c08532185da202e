"""Identity, tax, health and insurance numbers of people, by locale; see ``national_id_table``."""

import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module

from dataset.redact import checksums
from dataset.redact.context import naming
from dataset.redact.national_id_table import NATIONAL_IDS, NationalId
from dataset.redact.scan import Scan
from dataset.redact.span import Span

_BEFORE = 40
_LEFT, _RIGHT = r"(?<![\w$€£#])(?<!\d[.,/:-])(?<!\w-)", r"(?!\w)(?![-./,:]\d)(?!-\w)"
# forms of which no six digits stand together are looked for in the whole text
_SCATTERED = frozenset({"it.codicefiscale", "in_.pan"})


class _Rule:
    """A line of the table with its patterns compiled."""

    def __init__(self, line: NationalId, known: tuple[str, ...]) -> None:
        self.number = re.compile(f"{_LEFT}(?:{line.form}){_RIGHT}")
        self.names = re.compile(line.names, re.IGNORECASE)
        self.check = _checker(line.check)
        self.scattered = line.check in _SCATTERED
        self.trust = line.trust
        # of a country that is not asked for, only what is named or cannot be mistaken
        if line.trust != "always" and line.country not in known:
            self.trust = "named"

    def holds(self, text: str, found: re.Match[str]) -> bool:
        """Whether a match is such a number, by its check digits and what stands before it."""
        if not self.check(_plain(found[0])):
            return False
        if self.trust in ("always", "form"):
            return True
        start = found.start()
        before = text[max(0, start - _BEFORE) : start].rpartition("\n")[2]
        if self.names.search(before):
            return True
        return self.trust == "check" and naming(text, start) in (None, "person")


def national_id_detector(known: tuple[str, ...]) -> Callable[[Scan], Iterator[Span]]:
    """A detector of the numbers of these countries, and of those no other number resembles."""
    rules = tuple(_Rule(line, known) for line in NATIONAL_IDS)
    scattered = tuple(rule for rule in rules if rule.scattered and rule.trust != "named")
    dense = tuple(rule for rule in rules if not rule.scattered)

    def find_national_ids(scan: Scan) -> Iterator[Span]:
        text = scan.text
        if scan.windows:
            for rule in dense:
                for found in scan.in_windows(rule.number):
                    if rule.holds(text, found):
                        yield Span(*found.span(), "national_id")
        if scan.has_digits:
            for rule in scattered:
                for found in rule.number.finditer(text):
                    if rule.holds(text, found):
                        yield Span(*found.span(), "national_id")

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
        module = import_module(f"stdnum.{name}")
        return bool(module.is_valid(number))

    return valid
