"""What a sealed version is looked through for: broad and simple, written apart from the detectors.

It shares no pattern with them, so a hole in one need not be a hole in the other. It rather cries
too often than too seldom, and knows no street addresses and few national numbers.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

_Test = Callable[[str], bool]


def _digits(text: str) -> str:
    return "".join(sign for sign in text if sign in "0123456789")


def _passes_luhn(text: str) -> bool:
    digits = _digits(text)
    total = sum(
        int(digit) if at % 2 == 0 else sum(divmod(2 * int(digit), 10))
        for at, digit in enumerate(reversed(digits))
    )
    return 13 <= len(digits) <= 19 and digits[0] in "23456" and total % 10 == 0


def _passes_mod_97(text: str) -> bool:
    plain = text.replace(" ", "")
    turned = plain[4:] + plain[:4]
    return 15 <= len(plain) <= 34 and int("".join(str(int(sign, 36)) for sign in turned)) % 97 == 1


def _is_outside(text: str) -> bool:
    """Whether four numbers are an address that others can reach."""
    parts = [int(part) for part in text.split(".")]
    first, second = parts[:2]
    inside = (
        first in (0, 10, 127)
        or first >= 224
        or (first, second) in ((192, 168), (169, 254))
        or (first == 172 and 16 <= second <= 31)
    )
    return all(part <= 255 for part in parts) and not inside and parts[3] != 0


def _looks_dialled(text: str) -> bool:
    return 9 <= len(_digits(text)) <= 15


def _mixed(text: str) -> bool:
    """Whether a value has letters and digits or signs, as keys do and words do not."""
    value = re.split(r"[:=]\s*", text, maxsplit=1)[-1].strip("\"' ")
    known = {"none", "null", "true", "false", "required", "optional", "string"}
    return bool(re.search(r"\d", value) and re.search(r"[A-Za-z]", value)) and value not in known


def _any(_: str) -> bool:
    return True


class _Row(NamedTuple):
    """What a kind looks like.

    Attributes:
        kind: of what it looks like.
        sign: must stand in the text at all; of an empty one a digit must.
        pattern: of Python.
        near: of polars (Rust's syntax, no look around), finds something in every text in which
            ``pattern`` does. Python takes four more characters for white space, and takes the
            two Turkish letters for an "i".
        test: a further one, of what the pattern fits.
    """

    kind: str
    sign: str
    pattern: str
    near: str
    test: _Test


_SPACES = r"[\s\x1c-\x1f]{0,2}"
_TABLE = (
    _Row(
        "email",
        "@",
        r"[^\s@<>\"'(),;:\[\]]{1,64}@[^\s@<>\"'(),;:\[\]/]+\.[A-Za-z]{2,}",
        r"[^\s@]@[^\s@]+\.[A-Za-z]{2}",
        _any,
    ),
    _Row(
        "url_credentials",
        "://",
        r"://[^\s/:@\[\]]+:[^\s/@\[\]]{3,}@[^\s/]",
        r"://[^\s/:@\[\]]+:[^\s/@\[\]]{3,}@",
        _any,
    ),
    _Row(
        "private_key",
        "PRIVATE KEY",
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----",
        "PRIVATE KEY-----",
        _any,
    ),
    _Row(
        "secret",
        "_",
        r"(?:ghp|gho|ghs|ghu|github_pat|hf|glpat|sk_live|rk_live|npm)[_-][A-Za-z0-9_-]{16,}",
        r"(?:gh[posu]|github_pat|hf|glpat|[sr]k_live|npm)[_-][A-Za-z0-9_-]{16}",
        _any,
    ),
    _Row(
        "secret",
        "-",
        r"(?:sk|xox[abprs]|pk|glpat)-[A-Za-z0-9_-]{20,}",
        r"(?:sk|xox[abprs]|pk|glpat)-[A-Za-z0-9_-]{20}",
        _any,
    ),
    _Row(
        "secret",
        "A",
        r"(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{30,}",
        r"A[KS]IA[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{30}",
        _any,
    ),
    _Row(
        "secret",
        "eyJ",
        r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.",
        r"eyJ[A-Za-z0-9_-]{8,}\.eyJ",
        _any,
    ),
    _Row(
        "password",
        "",
        r"(?i:pass(?:word|wort|wd)|secret|api[_-]?key|token)[\"']?\s{0,2}[:=]\s{0,2}[\"']?"
        r"[^\s\"',;\[\]{}()<>]{8,}",
        r"(?i:pass(?:word|wort|wd)|secret|ap[i\u0130\u0131][_-]?key|token)[\"']?"
        rf"{_SPACES}[:=]{_SPACES}[\"']?[^\s\"',;\[\]{{}}()<>]{{8}}",
        _mixed,
    ),
    _Row(
        "ip",
        ".",
        r"(?<![\w.])(?<!v )\d{1,3}(?:\.\d{1,3}){3}(?![\w.]|\.\d)",
        r"\d\.\d{1,3}\.\d{1,3}\.\d",
        _is_outside,
    ),
    _Row(
        "iban",
        "",
        r"(?<![A-Za-z0-9])[A-Z]{2}\d\d(?: ?[A-Z0-9]{2,4}){3,8}(?![A-Za-z0-9])",
        r"[A-Z]{2}\d\d(?: ?[A-Z0-9]{2,4}){3}",
        _passes_mod_97,
    ),
    _Row(
        "card",
        "",
        r"(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d.])",
        r"\d(?:[ -]?\d){12}",
        _passes_luhn,
    ),
    _Row(
        "phone",
        "+",
        r"(?<![\w+])\+\d(?:[ ().\u00a0-]{0,3}\d){7,14}(?!\d)",
        r"\+\d(?:[ ().\u00a0-]{0,3}\d){7}",
        _looks_dialled,
    ),
    _Row(
        "national_id",
        "-",
        r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])",
        r"\d{3}-\d{2}-\d{4}",
        _any,
    ),
)
_COMPILED = [(row.kind, row.sign, re.compile(row.pattern), row.test) for row in _TABLE]
_NOWHERE = "$a"
_DIGIT = re.compile(r"\d")

KINDS = frozenset(row.kind for row in _TABLE)
"""Every kind looked for, besides people."""


def near(kinds: frozenset[str]) -> str:
    """A pattern for polars that finds something in each text in which one of these kinds is."""
    return "|".join(row.near for row in _TABLE if row.kind in kinds) or _NOWHERE


def left_in(text: str) -> Iterator[tuple[str, int, int]]:
    """(kind, start, end) of what a text still holds; places may overlap."""
    has_digits = _DIGIT.search(text) is not None
    for kind, sign, pattern, test in _COMPILED:
        if sign not in text or (not sign and kind != "password" and not has_digits):
            continue
        for found in pattern.finditer(text):
            if test(found[0]):
                yield kind, found.start(), found.end()
