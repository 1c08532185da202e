"""Locales as users write them (``de_DE``, ``de-at``, ``de``, ``DE``) and their countries."""

import re

from phonenumbers import SUPPORTED_REGIONS

from ingest.errors import SpecError

# a language alone means the countries where most of its speakers who write so live
_COUNTRIES = {
    "ar": ("SA", "AE", "EG"),
    "bg": ("BG",),
    "cs": ("CZ",),
    "da": ("DK",),
    "de": ("DE", "AT", "CH"),
    "el": ("GR",),
    "en": ("US", "GB", "CA", "AU", "IE"),
    "es": ("ES", "MX", "AR", "CL", "CO"),
    "et": ("EE",),
    "fi": ("FI",),
    "fr": ("FR", "BE", "CH", "CA"),
    "he": ("IL",),
    "hi": ("IN",),
    "hr": ("HR",),
    "hu": ("HU",),
    "id": ("ID",),
    "is": ("IS",),
    "it": ("IT", "CH"),
    "ja": ("JP",),
    "ko": ("KR",),
    "lt": ("LT",),
    "lv": ("LV",),
    "ms": ("MY",),
    "nb": ("NO",),
    "nl": ("NL", "BE"),
    "nn": ("NO",),
    "no": ("NO",),
    "pl": ("PL",),
    "pt": ("PT", "BR"),
    "ro": ("RO",),
    "ru": ("RU",),
    "sk": ("SK",),
    "sl": ("SI",),
    "sv": ("SE", "FI"),
    "th": ("TH",),
    "tr": ("TR",),
    "uk": ("UA",),
    "vi": ("VN",),
    "zh": ("CN", "TW", "HK"),
}

_LOCALE = re.compile(r"([A-Za-z]{2,3})(?:[_-][A-Za-z]{4})?(?:[_-]([A-Za-z]{2}))?(?:[.@].*)?")


def countries(locales: tuple[str, ...]) -> tuple[str, ...]:
    """The countries that locales mean, each once, in the order given.

    Args:
        locales: such as ``de_DE``, ``zh-Hans-CN``, ``pt`` (every country of that language we know)
            or ``DE`` (two capital letters: the country).

    Returns:
        Two-letter country codes in capitals.

    Raises:
        SpecError: a locale that is none; all such are named.
    """
    found: dict[str, None] = {}
    unknown: list[str] = []
    for locale in locales:
        meant = _meant(locale)
        if not meant:
            unknown.append(repr(locale))
        found.update(dict.fromkeys(meant))
    if unknown:
        raise SpecError(
            f"unknown locale: {', '.join(unknown)}", hint="write them as de_DE, de or DE"
        )
    return tuple(found)


def _meant(locale: str) -> tuple[str, ...]:
    if locale.isupper() and locale in SUPPORTED_REGIONS:
        return (locale,)
    parts = _LOCALE.fullmatch(locale)
    if not parts:
        return ()
    language, country = parts[1].lower(), parts[2]
    if country:
        return (country.upper(),) if country.upper() in SUPPORTED_REGIONS else ()
    return _COUNTRIES.get(language, ())
