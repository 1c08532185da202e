"""Secrets that are named as such: ``password = "..."``, ``Authorization: Bearer ...``, ``-u a:b``.

A value counts when it is quoted or looks like nothing a sentence would hold; "Password: please
reset it" is no password.
"""

import re
from collections.abc import Iterator

from dataset.redact.either import either
from dataset.redact.placeholder import is_placeholder
from dataset.redact.scan import Scan, holds
from dataset.redact.secret_words import (
    CODE_WORDS,
    GATES,
    LOGIN_WORDS,
    OTHER_GATES,
    PASSWORD_WORDS,
    SECRET_WORDS,
    SHORT_PASSWORD_WORDS,
)
from dataset.redact.span import Span

_AROUND = 32
_SET = r"[\"'\]*_`]{0,3}\s{0,3}(?::=|=>|=|:|：|＝)\s{0,3}[*`]{0,2}"
_QUOTED = r"\\?[\"'`„“«](?P<quoted>[^\"'`\n”»\\]{3,256})\\?[\"'`”“»]"
_BARE = r"(?P<bare>[^\s\"'`<>(){}\[\],;|=„“«「【][^\s\"'`<>{}\[\];|」】]{3,256})"

# found in small letters; without re.IGNORECASE it takes a tenth of the time
_NAME = re.compile(
    rf"(?P<password>{either(PASSWORD_WORDS)})"
    rf"|(?P<short>(?<!\w)(?:{either(SHORT_PASSWORD_WORDS)})(?!\w))"
    rf"|{either(SECRET_WORDS)}"
)
_SET_TO = re.compile(rf"[\w-]{{0,24}}{_SET}(?:{_QUOTED}|{_BARE})")
_IS = (
    r"is|as|als|comme|como|come|jako"
    r"|was|are|will be|ist|lautet|war|est|c'est|es|era|é|è|és|jest|to|är|er|on|je|este|is nu"
    r"|heter|olarak|это|такой|είναι|là|adalah|是|为|為|は|が|은|는|이|הוא|היא|هي|هو|है|คือ"
)
# "the password for the wifi is ...", "пароль от вайфая: ..."
_SAID = re.compile(
    rf"\w{{0,6}}(?:[^\S\n][^\s:=]{{1,20}}){{0,4}}?(?:[^\S\n]?(?:{_IS})\b|[^\S\n]?[:：]|(?:は|が|是|为|為|은|는))"
    r"[^\S\n]{0,2}[:：]?[^\S\n]{0,2}[\"'„“«`*「]?"
    r"(?P<bare>[^\s\"'<>{}\[\]」]{4,128})",
    re.IGNORECASE,
)
# "contraseña abc123": no mark and no verb, hence only what is plainly a password
_NEXT = re.compile(r"[^\S\n](?P<bare>[^\s\"'<>{}\[\]()/]{6,64})")
# "login: jo@example.org / abc123"
_LOGIN = re.compile(either(LOGIN_WORDS))
_PAIR = re.compile(
    r"(?!\w)[^\n]{0,12}?[:=\s][^\S\n]{0,2}"
    r"[\w.+@-]{1,80}(?:[^\S\n]?[(\[]\w{2,4}[)\]][^\S\n]?[\w.\[\]-]{1,80})?(?:[^\S\n]?(?:/|:|\||,)[^\S\n]?|[^\S\n])(?P<bare>[^\s\"'<>{}\[\]@]{6,64})(?!\S)"
)

# "pass" and "key" are words of everyday speech: what is said of them must follow at once
_SAID_SHORT = re.compile(
    rf"[^\S\n](?:{_IS})[^\S\n][\"'„“«`*]?(?P<bare>[^\s\"'<>{{}}\[\]]{{4,128}})", re.IGNORECASE
)

_HEADER = re.compile(
    r"\b(?:proxy-)?authorization[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?:basic|bearer|token|apikey|digest|negotiate)\s+"
    r"(?P<bare>[\w+/=.~:-]{8,4096})|\bbearer\s+(?P<bearer>[\w+/=.~:-]{16,4096})"
    r"|\bx-[\w-]{0,20}(?:api-?key|token|secret)[\"']?\s{0,3}:\s{0,3}[\"']?(?P<header>[\w+/=.~:-]{8,512})",
    re.IGNORECASE,
)
_COOKIE = re.compile(
    r"\b(?:set-)?cookie[\"']?\s{0,3}:\s{0,3}[\"']?(?P<value>[\w.-]{1,64}=[^\n\"']{8,4096})",
    re.IGNORECASE,
)
_OPTION = re.compile(
    r"(?<![\w-])(?:--(?:[\w-]{0,20}-)?(?:password|passwd|pass|token|secret|api-?key|access-?key)(?:=|[^\S\n]+)[\"']?"
    r"(?P<value>[^\s\"'-][^\s\"']{3,256})|sshpass\s+-p\s?[\"']?(?P<ssh>[^\s\"']{3,128})"
    r"|(?:-u|--user)(?:=|[^\S\n]+)[\"']?[\w.@+-]{1,64}:(?P<user>[^\s\"']{3,128}))"
)
_PIN = re.compile(
    r"[PpTO2Cc](?<!\w\w)(?:(?<=[Pp])(?:IN|in)|(?<=T)AN|(?<=O)TP|(?<=2)FA|(?<=C)V[VC]2?|(?<=c)v[vc])"
    r"(?:[- ]?(?:code|Code|number|Nummer))?"
    r"(?:\s?[:=]\s?|\s(?:is|ist|est|es|è|é|lautet)\s)"
    r"(?P<value>\d{3,8})(?![\w.,:/-]?\d|\w)"
)
_VERSION = re.compile(
    r"v?\d+(?:\.\d+)*[a-z]{0,5}\d*|\d+[a-z]{1,8}|[\d.,:/-]+[a-z€$%]{0,3}|[0-9a-f-]{7,64}",
    re.IGNORECASE,
)
# the name of a variable or of a class
_IDENTIFIER = re.compile(
    r"[a-z]+(?:_[a-z]+)+|(?:[A-Z][a-z]+){2,}|[a-z]+(?:[A-Z][a-z]+)+|[\w.]+\.[a-z_]+"
)
_NEXT_FIELD = re.compile(r"&[\w.-]{1,40}=")


def find_assignments(scan: Scan) -> Iterator[Span]:
    """Kinds ``password`` and ``secret``."""
    text, lower = scan.text, scan.lower
    for name in _names(scan):
        kind = "password" if name["password"] or name["short"] else "secret"
        found = _SET_TO.match(text, name.end())
        if not found and kind == "password":
            found = (_SAID if name["password"] else _SAID_SHORT).match(text, name.end())
        if found:
            if span := _value(found, kind):
                yield span
        elif name["password"]:
            yield from _plain(_NEXT.match(text, name.end()))
    if holds(lower, LOGIN_WORDS):
        for login in _LOGIN.finditer(lower):
            left = lower[login.start() - 1 : login.start()]
            if not left.isalnum() and left != "_":
                yield from _plain(_PAIR.match(text, login.end()))
    if holds(lower, ("authorization", "bearer", "x-")):
        yield from _groups(_HEADER, text, "secret")
    if "cookie" in lower:
        yield from _groups(_COOKIE, text, "secret")
    if holds(text, ("--", "-u", "-p")):
        yield from _groups(_OPTION, text, "password")
    if holds(lower, CODE_WORDS):
        yield from _groups(_PIN, text, "password")


def _names(scan: Scan) -> Iterator[re.Match[str]]:
    """Words for secrets; only what stands around a part of one is looked at."""
    lower = scan.lower
    gates = GATES if scan.text.isascii() else GATES + OTHER_GATES
    places: list[int] = []
    for gate in gates:
        at = lower.find(gate)
        while at >= 0:
            places.append(at)
            at = lower.find(gate, at + len(gate))
    end = 0
    for place in sorted(places):
        start, limit = max(end, place - _AROUND), place + _AROUND
        if limit <= end:
            continue
        for name in _NAME.finditer(lower, start, limit):
            yield name
            end = name.end()
        end = max(end, place + 1)


def _plain(found: re.Match[str] | None) -> Iterator[Span]:
    """The span of a value that is plainly a password: letters, digits and no common form."""
    if not found:
        return
    value = found["bare"].rstrip(".,:;")
    digits = sum(each.isdigit() for each in value)
    letters = sum(each.isalpha() for each in value)
    known = (
        any(sign in value for sign in ("@", "://", "=", "("))
        or is_placeholder(value)
        or _VERSION.fullmatch(value)
    )
    mixed = not value.isalnum() or (value.lower() != value and not value[1:].islower())
    if digits and letters >= 2 and (digits >= 2 or mixed) and not known:
        yield Span(found.start("bare"), found.start("bare") + len(value), "password")


def _groups(pattern: re.Pattern[str], text: str, kind: str) -> Iterator[Span]:
    for found in pattern.finditer(text):
        group = found.lastgroup
        assert group is not None
        value = found[group]
        if not is_placeholder(value) and any(each.isdigit() or each in "=:" for each in value):
            yield Span(*found.span(group), kind)


def _value(found: re.Match[str], kind: str) -> Span | None:
    """The span of the value, when it looks like one."""
    quoted = found.groupdict().get("quoted")
    group = "quoted" if quoted else "bare"
    value = found[group]
    start, end = found.span(group)
    if not quoted:
        trimmed = value.rstrip(".,:;)*`、。，！？")
        # another field of a query begins there
        trimmed = _NEXT_FIELD.split(trimmed, maxsplit=1)[0]
        end -= len(value) - len(trimmed)
        value = trimmed
    if is_placeholder(value) or "://" in value[:16]:
        return None
    looks = _password_like(value, bool(quoted)) if kind == "password" else _token_like(value)
    return Span(start, end, kind) if looks else None


def _password_like(value: str, quoted: bool) -> bool:
    if quoted:
        # a sentence in quotes is a message of a form
        return value.count(" ") < 4 or any(each.isdigit() for each in value)
    if len(value) < 4:
        return False
    digits = sum(each.isdigit() for each in value)
    letters = sum(each.isalpha() for each in value)
    marks = sum(not each.isalnum() for each in value.strip("*_"))
    if _IDENTIFIER.fullmatch(value):
        return False
    inner_capital = any(each.isupper() for each in value[1:]) and not value.isupper()
    return bool(digits and (letters or marks or len(value) >= 5)) or bool(
        letters and (marks >= 2 or (marks and value[-1] in "!$%&#@") or inner_capital)
    )


def _token_like(value: str) -> bool:
    if len(value) < 12 or " " in value:
        return False
    letters = sum(each.isalpha() for each in value)
    digits = sum(each.isdigit() for each in value)
    return bool(letters and digits >= 2) and not re.fullmatch(
        r"[a-z]+(?:[-_./][a-z0-9]{1,8})+", value
    )
