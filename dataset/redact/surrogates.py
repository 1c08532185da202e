"""Realistic names in place of people's: always the same for one person of one workspace."""

import hashlib
import hmac
from functools import lru_cache

from dataset.redact.names import Part
from ingest.errors import SpecError, UserError

_CONTEXT = b"turnmill surrogate\x00"
_TRIES = 20


class Surrogates:
    """Invented names by person number. Pickles.

    Args:
        secret: the workspace's; another workspace invents other names.
        locale: whose names, as Faker knows it.
        real: names that somebody really has; they are not invented.

    Raises:
        UserError: the extra is not installed.
        SpecError: Faker does not know the locale.
    """

    def __init__(self, secret: bytes, locale: str, real: frozenset[str]) -> None:
        self._secret = secret
        self._locale = locale
        self._real = real
        self._names: dict[int, tuple[str, str]] = {}
        _lists(locale)

    def write(self, number: int, part: Part) -> str:
        """What to write for a part of a person's name."""
        if number not in self._names:
            self._names[number] = self._invent(number)
        given, family = self._names[number]
        if part == "handle":
            return f"{given}{family}".replace(" ", "").lower()
        return {"given": given, "family": family}.get(part, f"{given} {family}")

    def _invent(self, number: int) -> tuple[str, str]:
        given, family = _lists(self._locale)
        name = "", ""
        for attempt in range(_TRIES):
            message = _CONTEXT + f"{self._locale} {number} {attempt}".encode()
            digest = hmac.digest(self._secret, message, hashlib.sha256)
            one, other = int.from_bytes(digest[:8]), int.from_bytes(digest[8:16])
            name = given[one % len(given)], family[other % len(family)]
            if " ".join(name) not in self._real:
                break
        return name


@lru_cache(maxsize=8)
def _lists(locale: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Given and family names of a locale, in an order of their own."""
    try:
        from faker import Faker
    except ImportError:
        raise UserError(
            "style = 'surrogate' needs Faker", "install it: pip install 'turnmill[surrogates]'"
        ) from None
    try:
        faker = Faker(locale)
    except AttributeError:
        raise SpecError(
            f"surrogate_locale {locale!r}: Faker has no such locale", "use one such as en_US, de_DE"
        ) from None
    faker.seed_instance(0)
    # drawn, for the tables of providers differ in shape; a thousand draws meet nearly all
    given = {faker.first_name() for _ in range(1000)}
    family = {faker.last_name() for _ in range(1000)}
    return tuple(sorted(given)), tuple(sorted(family))
