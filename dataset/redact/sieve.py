"""Which texts of a batch no detector can find anything in, told for all of them at once.

Most messages of a chat hold nothing that a detector could take. A few regular expressions that
polars runs over the whole column tell them apart in a fraction of the time that a ``Scan`` of each
takes. They follow what each detector needs at least, and call too few texts quiet, never too many.
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

import polars as pl

from dataset.redact.address import formats_of
from dataset.redact.address_format import AddressFormat
from dataset.redact.either import either
from dataset.redact.email import AT_PLACE
from dataset.redact.locales import countries
from dataset.redact.scan import AT, CLUSTER, DATE, DOT_WORDS, GLUED, LONG_WORD, SAID
from dataset.redact.secret_words import (
    GATES,
    OTHER_GATES,
    PASSWORD_GATES,
    PASSWORD_WORDS,
    SHORT_PASSWORD_WORDS,
)

_SPACE = r"\s\x1c-\x1f"  # Python takes these four for white space, Unicode does not
_MARKS = "".join(map(re.escape, GLUED))
_LONG_WORD = rf"\S{{{LONG_WORD}}}"


def _has_stop(word: str) -> bool:
    return word.endswith(".")


def _any(words: Iterable[str]) -> str:
    return f"(?:{'|'.join(map(re.escape, sorted(words)))})"


def _between(before: str, words: str, after: str) -> str:
    return f"(?:^|{before}){words}(?:$|{after})"


def _said(words: Iterable[str]) -> str:
    return "(?i)" + _between(f"[{_SPACE}]", f"(?:{either(words)})", f"[{_SPACE}]")


# any of these, in any case of letters
_LOUD = "|".join(
    (
        _LONG_WORD,  # tokens of providers, some identity numbers, IBANs in small letters
        r"\d\.\d{1,3}\.\d{1,3}\.\d|::|(?::[^:]*){6}",  # addresses of the internet
        "://",  # credentials in addresses of the web
        "-----BEGIN |PuTTY-User-Key-File-",  # private keys
        f"@|%40|{AT}",  # e-mail
        _any(PASSWORD_GATES + OTHER_GATES),
    )
)
# both of these
_LOUD_TOGETHER = (
    ("[:=：]| --", f"(?i){_any(GATES)}"),  # passwords and keys that are named
    ("=", "[?&#]"),  # credentials in queries
)
# e-mail that is spelled out
_DOT = _said(DOT_WORDS)
_AT = AT_PLACE.replace(r"\s", f"[{_SPACE}]")
# logins and codes have digits or a mark, and what is said of a password follows a word for it
_SAID = _said(SAID - DOT_WORDS)
_SAYS = rf"(?i)[\p{{N}}:=：]|{either(PASSWORD_WORDS)}|(?:{either(SHORT_PASSWORD_WORDS)})[{_SPACE}]"
_DOUBTFUL = f"{CLUSTER}|{_said(SAID)}"


def sieve(locales: tuple[str, ...]) -> Callable[[pl.Series], pl.Series]:
    """What tells of texts (n,) whether detectors, asked for these locales, find nothing in them.

    It says false where a detector must look, and for null.

    Raises:
        SpecError: a locale that is not known.
    """
    known = countries(locales)
    # a tax number of India has but four digits
    loud = f"(?i){_LOUD}" + (r"|\d" if "IN" in known else "")
    together = ((r"\d", f"(?i){_addresses(known)}"), *_LOUD_TOGETHER)

    def quiet(texts: pl.Series) -> pl.Series:
        found = texts.str.contains(loud).fill_null(value=True)
        for both in together:
            left = (~found).arg_true()
            for sign in both:  # each is looked for where the one before it stands
                left = left.filter(texts.gather(left).str.contains(sign))
            found = found.scatter(left, values=True)
        left = (~found).arg_true()
        left = left.filter(texts.gather(left).str.contains(_DOUBTFUL))
        left = left.filter(_says_something(texts.gather(left)))
        return ~found.scatter(left, values=True)

    return quiet


def _says_something(texts: pl.Series) -> pl.Series:
    """Whether each text has six digits that are no date, or says an address or a password."""
    runs = texts.str.extract_all(CLUSTER)  # telephones, cards, IBANs, identity numbers
    numbers = runs.list.eval(~pl.element().str.contains(f"^(?:{DATE})$")).list.any()
    has = texts.str.contains
    return numbers | (has(_DOT) & has(_AT)) | (has(_SAID) & has(_SAYS))


@lru_cache(maxsize=16)
def _addresses(known: tuple[str, ...]) -> str:
    """What stands in each text, that holds a digit too, in which an address may be found."""
    return "|".join(_opens(each) for each in formats_of(known))


def _opens(written: AddressFormat) -> str:
    """What a text must hold for a format: its beginning, or what opens the gate of its detector."""
    if written.begins or not written.words:
        return written.begins or r"\d"
    words = _any(written.words)
    if written.gate == "endings":
        return rf"{words},?(?: nr)?(?: nr\.)? \d"
    if written.gate == "words":
        return _between(f"[{_SPACE}]", words, f"[{_SPACE}]")
    if written.gate == "tokens":
        left = f"(?:^|[{_SPACE}{_MARKS}.])"
        return (
            rf"{left}(?:{words}(?:$|[{_SPACE}{_MARKS}])|{_any(filter(_has_stop, written.words))})"
        )
    return words
