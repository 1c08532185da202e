"""A displayed name taken apart: given name, family name, nickname, handle - what to look for.

Nothing here looks at a text; ``dataset.redact.people`` does.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal, NamedTuple

from dataset.redact.cjk import cjk_parts
from dataset.redact.fold import fold_text, without_marks
from dataset.redact.scripts import UNSPACED, Script, script_of
from dataset.redact.written import PLACEHOLDER

Part = Literal["full", "given", "family", "handle"]

GENERIC = frozenset(
    fold_text(name)
    for name in (
        "user", "assistant", "system", "developer", "tool", "function", "bot", "human", "ai",
        "you", "me", "myself", "i", "unknown", "unknown user", "deleted", "deleted user",
        "deleted account", "anonymous", "anon", "guest", "admin", "administrator", "moderator",
        "support", "customer", "client", "agent", "operator", "visitor", "someone", "nobody",
        "chatgpt", "gpt", "copilot", "deepseek", "perplexity",
        "model", "chatbot", "slackbot", "facebook user", "mom", "mum", "mama", "dad", "papa",
        "grandma", "grandpa", "oma", "opa", "du", "ich", "ihr", "moi", "toi", "yo", "io", "tu",
        "я", "ты", "вы", "мама", "папа", "我", "你", "自分", "나", "엄마", "아빠",
        "unbekannt", "inconnu", "desconocido", "sconosciuto", "none", "null", "test", "team",
    )
)  # fmt: skip
"""Names that say nothing of who somebody is; they are left as they are everywhere."""

_ROLES = frozenset(
    ["user", "assistant", "system", "bot", "team", "support", "admin", "guest", "customer", "agent",
     "operator", "client", "visitor", "unknown", "deleted", "account", "test", "human"]
)  # fmt: skip

PARTICLES = frozenset(
    fold_text("""
von van vom zu zum zur de del dela della di da do dos das du d la le lo el al les den der ter
ten tot und y e i af av bin ibn ben bint abu abd san st saint mac mc o of the
""").split()
)
_TITLES = frozenset(
    fold_text("""
mr mrs ms miss mx dr prof professor sir dame lord lady herr frau fräulein mag ing dipl univ med
phil rer nat mme mlle monsieur madame m señor señora sr sra srta dña don doña sig sra dott
dottssa avv ing arch prof pan pani mgr bc ir drs g-n r ra sri shri smt km haji hj hjh cik encik
puan tuan bay bayan 先生 さん 様 씨 님 หม่อม นาย นาง นางสาว น.ส. ด.ช. ด.ญ. κ κος κα
д-р г-н г-жа г-ца пан
पंडित श्री श्रीमती डॉ जनाब الدكتور دكتور السيد السيدة المهندس الأستاذ الآنسة أستاذ
""").split()
)
_ALSO_NAMES = frozenset(
    ["don", "pan", "bay", "mag", "sri", "sir", "dame", "lord", "lady", "km", "bc", "ra", "tuan"]
)
_AFTER_NAME = frozenset(
    fold_text("""
jr sr i ii iii iv v phd md dds dvm esq mba msc bsc cpa csc jd edd pe rn m.a b.sc b.a b.eng m.sc
ba ma llm llb mla iia pmp
""").split()
)

_QUOTED = re.compile(r"[\"“”„«»'‘’]([^\"“”„«»‘’']{2,40})[\"“”„«»'‘’]")
_BRACKETS = re.compile(r"[(\[{（【]([^()\[\]{}（）【】]*)[)\]}）】]?")
_SIDES = re.compile(r"\s*[|•·–—/]\s*|\s+[-~]\s+|\s*[:;]\s")
_MAIL = re.compile(r"^<?([^@\s<>]+)@[^@\s]+\.[^@\s]+>?$")
_HANDLE = re.compile(r"^@?(?=[^\s]*[^\W\d])[\w.\-#]*[\d_.#][\w.\-#]*$")
_LEADING_NAME = re.compile(r"[A-Z][a-z]{3,}(?=[\d_.\-])")
_OPAQUE = re.compile(r"^[\w.:\-]{6,64}$")
_NOT_NAME = re.compile(r"[^\w\s.,'’\-\u0900-\u0dff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff・·]")


class Token(NamedTuple):
    """One word to look for.

    Attributes:
        text: as in the displayed name.
        part: which part of the name it is.
        script: of its letters.
        literal: it stands for itself: no bending, no other spellings (handles, ids).
        unsure: it may be no name ("Bakery" of "Tobin (Bakery)"); the context decides.
    """

    text: str
    part: Part
    script: str
    literal: bool = False
    unsure: bool = False


def is_name(name: str) -> bool:
    """Whether a name says who somebody is: not empty, not a placeholder, not "user"."""
    plain = name.strip()
    return bool(plain) and not PLACEHOLDER.fullmatch(plain) and fold_text(plain) not in GENERIC


def id_token(text: str) -> tuple[Token, ...]:
    """The export's id of a person, to be looked for as it stands."""
    plain = text.strip().removeprefix("@")
    if mail := _MAIL.match(plain):
        return _mail_tokens(mail[1])
    if not _OPAQUE.match(plain):
        return ()
    return (Token(plain, "handle", Script.LATIN, literal=True),)


@lru_cache(maxsize=65536)
def tokens_of(name: str) -> tuple[Token, ...]:
    """The words to look for of a displayed name; none for names that say nothing."""
    plain = without_marks(unicodedata.normalize("NFC", name)).strip().lstrip("~").strip()
    if not is_name(plain):
        return ()
    if mail := _MAIL.match(plain):
        return _mail_tokens(mail[1])
    if _HANDLE.match(plain):
        return tuple(_handle_tokens(plain.removeprefix("@")))
    if not any(each.isalpha() for each in plain):
        digits = re.sub(r"\D", "", plain)
        # a number for a name: the detectors know telephone numbers, mentions are "@" and digits
        return (Token(digits, "handle", Script.LATIN, literal=True),) if len(digits) >= 7 else ()
    tokens: list[Token] = []
    for nick in (*_QUOTED.findall(plain), *_BRACKETS.findall(plain)):
        if " " not in nick.strip() and nick[:1].isalpha():
            tokens += [each._replace(unsure=not each.literal) for each in _parts(nick, alone=True)]
    plain = _BRACKETS.sub(" ", _QUOTED.sub(" ", plain))
    main, *sides = _SIDES.split(plain)
    tokens += _parts(main, alone=False)
    for side in sides:
        # "Anna | Acme" and "田中/Tanaka": another script is another spelling, the rest is not them
        if script_of(side) != script_of(main):
            tokens += _parts(side, alone=False)
    return tuple(dict.fromkeys(each for each in tokens if each.text.lower() not in _ROLES))


def _mail_tokens(local: str) -> tuple[Token, ...]:
    words = [word for word in re.split(r"[._\-+\d]+", local) if len(word) >= 3]
    if words == [local]:
        return (Token(local.title(), "given", script_of(local), unsure=True),)
    whole = Token(local, "handle", Script.LATIN, literal=True)
    if len(words) < 2:
        return (whole,)
    return (whole, *(Token(word.title(), _part(at, len(words)), script_of(word))
                     for at, word in enumerate(words)))  # fmt: skip


def _handle_tokens(handle: str) -> Iterator[Token]:
    script = script_of(handle)
    yield Token(handle, "handle", script, literal=True)
    # "Tobin-2" is written for Tobin
    if found := _LEADING_NAME.match(handle):
        yield Token(found[0], "given", script, unsure=True)


def _parts(text: str, *, alone: bool) -> list[Token]:
    text = _NOT_NAME.sub(" ", text).strip(" .,-_'’")
    if not any(each.isalpha() for each in text):
        return []
    script = script_of(text)
    if script in (Script.HAN, Script.KANA, Script.HANGUL):
        return [Token(part, kind, script_of(part)) for part, kind in cjk_parts(text)]
    words = _ordered(text)
    while len(words) > 1 and _is_title(words[0], among=len(words)):
        words = words[1:]
    while len(words) > 1 and _bare(words[-1]) in _AFTER_NAME:
        words = words[:-1]
    if script in UNSPACED:
        return [Token(word, _part(at, len(words)), script) for at, word in enumerate(words)
                if len(word) > 2]  # fmt: skip
    found: list[Token] = []
    for at, word in enumerate(each.strip(".,'’-_") for each in words):
        part: Part = "given" if alone else _part(at, len(words))
        # "Ben" is somebody's first name, "ben" among other words is none
        inner = 0 < at < len(words) - 1
        if len(words) > 1 and word.lower() in PARTICLES and (inner or word.islower()):
            continue
        found += _word_tokens(word, part)
    return found


def _is_title(word: str, among: int) -> bool:
    """Whether the first of some words is a title: of "Don Juan Case" it is, of "Don Case" not."""
    bare = _bare(word)
    return bare in _TITLES and (bare not in _ALSO_NAMES or among > 2 or word.endswith("."))


def _ordered(text: str) -> list[str]:
    """The words of a name, given name first: "Müller, Anna" is turned round."""
    family, comma, given = text.partition(",")
    if comma and given.strip() and _bare(given.split()[0]) not in _AFTER_NAME:
        return [*given.split(), *family.split()]
    return text.replace(",", " ").split()


def _bare(word: str) -> str:
    return fold_text(word).strip(".'")


def _part(at: int, count: int) -> Part:
    if count == 1:
        return "full"
    return "given" if at == 0 else "family"


def _word_tokens(word: str, part: Part) -> list[Token]:
    if len(word) < 2 or not any(each.isalpha() for each in word):
        return []
    script = script_of(word)
    if _HANDLE.match(word):
        return list(_handle_tokens(word))
    found = [Token(word, part, script)]
    if "-" in word:
        found += [
            Token(half, part, script_of(half))
            for half in word.split("-")
            if len(half) > 2 and half.lower() not in PARTICLES
        ]
    return found
