"""The spellings of one word of a name that are looked for, and what may stand around each."""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from anyascii import anyascii

from dataset.redact import endings
from dataset.redact.endings import ALWAYS, BENDINGS, Bending
from dataset.redact.fold import fold_text
from dataset.redact.names import PARTICLES, Token
from dataset.redact.scripts import CASELESS, Script
from dataset.redact.word_lists import MONTHS, PLACES, WORD_NAMES

ANY_LANGUAGE = "*"

Endings = tuple[tuple[str, frozenset[str]], ...]


class Form(NamedTuple):
    """One spelling.

    Attributes:
        text: folded; what is looked for.
        script: of its letters.
        bare: it may stand without an ending.
        endings: (language or "*", endings it may have in that language).
        word: it is a word too; the context decides.
        place: it is also a month, a country or a town.
        capital: it counts only with a capital.
        literal: nothing may touch it, and it has no endings.
        written: how the text must write it, in small letters; "" if any spelling will do.
        marked: how the text must write it unless it leaves out all marks: Vietnamese tells words
            apart by nothing else.
        short: one sign of Chinese, Japanese or Korean; it needs a title beside it.
    """

    text: str
    script: str
    bare: bool = True
    endings: Endings = ()
    word: bool = False
    place: bool = False
    capital: bool = False
    literal: bool = False
    written: str = ""
    marked: str = ""
    short: bool = False


_TWO_LETTERS = {
    "ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "æ": "ae", "œ": "oe", "ß": "ss",
    "þ": "th", "đ": "dj",
}  # fmt: skip
_ONE_LETTER = re.compile("ae|oe|ue")
_ROMANISED = frozenset({
    Script.CYRILLIC, Script.GREEK, Script.GEORGIAN, Script.ARMENIAN, Script.HANGUL, Script.HAN,
    Script.KANA, Script.DEVANAGARI, Script.BENGALI, Script.DRAVIDIAN,
})  # fmt: skip
_BENDING_OF = {
    Script.CYRILLIC: endings.CYRILLIC,
    Script.GREEK: endings.GREEK,
    Script.GEORGIAN: endings.GEORGIAN,
    Script.ARMENIAN: endings.ARMENIAN,
    Script.DEVANAGARI: endings.DEVANAGARI,
    Script.BENGALI: endings.BENGALI,
}
# endings are written in this file's letters; compare them as texts are compared
_FOLDED = {
    script: Bending(
        frozenset(map(fold_text, each.added)),
        tuple(dict.fromkeys(map(fold_text, each.dropped))),
        frozenset(map(fold_text, each.swapped)),
        each.changed,
    )
    for script, each in _BENDING_OF.items()
}
_VOWELS = "aeiouy"
_VIETNAMESE = re.compile("[\u1ea0-\u1ef9ăĂơƠưƯ]")


@lru_cache(maxsize=65536)
def forms_of(token: Token) -> tuple[Form, ...]:
    """Every form of a token; the first is its own spelling."""
    folded = fold_text(token.text)
    if token.literal:
        return (Form(folded, token.script, literal=True),)
    if token.script in (Script.HAN, Script.KANA, Script.HANGUL, Script.THAI):
        forms = [Form(folded, token.script, short=len(folded) == 1)]
    elif token.script == Script.LATIN:
        forms = _latin(token.text, folded)
    else:
        forms = _bent(folded, token.script)
    if token.script in _ROMANISED and len(folded) > 1:
        roman = anyascii(token.text)
        for text in {roman, roman.replace("iya", "ia"), roman.replace("'", "")}:
            if len(text) > 2:
                # without endings: what a stem of a guessed spelling bends to is anybody's name
                forms += [
                    form._replace(endings=((ANY_LANGUAGE, ALWAYS),))
                    for form in _latin(text.lower(), text.lower())
                    if form.bare
                ]
    if _VIETNAMESE.search(token.text):
        marked = unicodedata.normalize("NFC", token.text).lower()
        # and it bends no names: "This" is not Thị's
        forms = [form._replace(marked=marked, endings=()) for form in forms if form.text == folded]
    if token.unsure:
        forms = [form._replace(word=True) for form in forms]
    return tuple(dict.fromkeys(forms))


def _latin(text: str, folded: str) -> list[Form]:
    spellings = {folded: ""}
    lower = unicodedata.normalize("NFC", text).lower()
    long = fold_text("".join(_TWO_LETTERS.get(letter, letter) for letter in lower))
    spellings.setdefault(long, "")
    spellings.setdefault(folded.replace("ss", "ß"), "")
    spellings.setdefault(folded.replace("'", ""), "")
    spellings.setdefault(folded.replace("-", " "), "")
    if _ONE_LETTER.search(folded):
        umlaut = folded.replace("ae", "ä").replace("oe", "ö").replace("ue", "ü")
        # "Mueller" is "Müller" where it is written so, but Samuel is not Samul
        spellings.setdefault(fold_text(umlaut), umlaut)
    return [form for each, written in spellings.items() for form in _bent_latin(each, written)]


def _bent_latin(text: str, written: str) -> list[Form]:
    word = text in WORD_NAMES or text in PARTICLES
    place, capital = text in PLACES or text in MONTHS, len(text) <= 3
    bare: list[tuple[str, frozenset[str]]] = [(ANY_LANGUAGE, ALWAYS)]
    stems: dict[str, list[tuple[str, frozenset[str]]]] = {}
    for language, bending in BENDINGS.items():
        if bending.added:
            bare.append((language, bending.added))
        for stem, allowed in _stems(text, bending):
            stems.setdefault(stem, []).append((language, allowed))
    if text[-1:] not in _VOWELS:  # Hungarian doubles it: Jánossal, Istvánnal
        bare.append(("hu", frozenset({f"{text[-1:]}al", f"{text[-1:]}el"})))
    first = Form(text, Script.LATIN, True, tuple(bare), word or place, place, capital,
                 written=written)  # fmt: skip
    return [
        first,
        *(
            Form(stem, Script.LATIN, False, tuple(allowed), word, place, capital or len(stem) <= 3)
            for stem, allowed in stems.items()
            if len(stem) >= 2 and not written
        ),
    ]


def _bent(text: str, script: str) -> list[Form]:
    bending = _FOLDED.get(script, Bending())
    word = text in WORD_NAMES
    capital = script not in CASELESS and len(text) <= 3
    always = (ANY_LANGUAGE, bending.added)
    forms = [Form(text, script, True, (always,), word, False, capital)]
    for stem, allowed in _stems(text, bending):
        if len(stem) >= 2:
            each = ((ANY_LANGUAGE, allowed),)
            short = capital or (script not in CASELESS and len(stem) <= 3)
            forms.append(Form(stem, script, False, each, word, False, short))
    if script == Script.DRAVIDIAN and text[-1] in "்్್്":
        forms.append(Form(text[:-1], script))
    return forms


def _stems(text: str, bending: Bending) -> list[tuple[str, frozenset[str]]]:
    """(stem, endings that it needs) where an ending of the name gives way or a consonant turns."""
    found: list[tuple[str, frozenset[str]]] = []
    dropped = [end for end in bending.dropped if text.endswith(end) and len(text) - len(end) >= 2]
    for end in dropped[:2]:
        stem = text.removesuffix(end)
        found.append((stem, bending.swapped))
        for old, new in bending.changed:
            if stem.endswith(old):
                found.append((stem.removesuffix(old) + new, bending.swapped))
    for old, new in bending.changed:
        if text.endswith(old) and len(text) - len(old) >= 2:
            allowed = bending.added | bending.swapped
            found.append((text.removesuffix(old) + new, allowed))
    return found
