"""What a sealed version is looked through for: broad and simple, written apart from the detectors.

It shares no pattern with them, so a hole in one need not be a hole in the other. It rather cries
too often than too seldom, and knows no street addresses and few national numbers.
"""

import re
from collections.abc import Callable, Iterator

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


_TABLE: tuple[tuple[str, str, str, _Test], ...] = (
    # kind, what must stand in the text at all, pattern, further test
    ("email", "@", r"[^\s@<>\"'(),;:\[\]]{1,64}@[^\s@<>\"'(),;:\[\]/]+\.[A-Za-z]{2,}", _any),
    ("url_credentials", "://", r"://[^\s/:@\[\]]+:[^\s/@\[\]]{3,}@[^\s/]", _any),
    ("private_key", "PRIVATE KEY", r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----", _any),
    (
        "secret",
        "_",
        r"(?:ghp|gho|ghs|ghu|github_pat|hf|glpat|sk_live|rk_live|npm)[_-][A-Za-z0-9_-]{16,}",
        _any,
    ),
    ("secret", "-", r"(?:sk|xox[abprs]|pk|glpat)-[A-Za-z0-9_-]{20,}", _any),
    ("secret", "A", r"(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{30,}", _any),
    ("secret", "eyJ", r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.", _any),
    (
        "password",
        "",
        r"(?i:pass(?:word|wort|wd)|secret|api[_-]?key|token)[\"']?\s{0,2}[:=]\s{0,2}[\"']?"
        r"[^\s\"',;\[\]{}()<>]{8,}",
        _mixed,
    ),
    ("ip", ".", r"(?<![\w.])(?<!v )\d{1,3}(?:\.\d{1,3}){3}(?![\w.]|\.\d)", _is_outside),
    (
        "iban",
        "",
        r"(?<![A-Za-z0-9])[A-Z]{2}\d\d(?: ?[A-Z0-9]{2,4}){3,8}(?![A-Za-z0-9])",
        _passes_mod_97,
    ),
    ("card", "", r"(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d.])", _passes_luhn),
    ("phone", "+", r"(?<![\w+])\+\d(?:[ ().\u00a0-]{0,3}\d){7,14}(?!\d)", _looks_dialled),
    ("national_id", "-", r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])", _any),
)
_COMPILED = [(kind, sign, re.compile(text), test) for kind, sign, text, test in _TABLE]

KINDS = frozenset(kind for kind, *_ in _TABLE)
"""Every kind looked for, besides people."""


def left_in(text: str) -> Iterator[tuple[str, int, int]]:
    """(kind, start, end) of what a text still holds; places may overlap."""
    has_digits = any(map(str.isdigit, text))
    for kind, sign, pattern, test in _COMPILED:
        if sign not in text or (not sign and kind != "password" and not has_digits):
            continue
        for found in pattern.finditer(text):
            if test(found[0]):
                yield kind, found.start(), found.end()
