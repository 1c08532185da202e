"""Credentials inside addresses of the web and of databases; the rest of the address stays."""

import re
from collections.abc import Iterator

from dataset.redact.placeholder import is_placeholder
from dataset.redact.scan import Scan
from dataset.redact.span import Span

_USER = re.compile(r"[^\s/@:\"'<>?#\[\]]{0,128}(?::[^\s/@\"'<>]{1,256})?(?=@[\w\[])")
# a password with a bare @ or / in it: everything up to the last @ before a host
_ODD = re.compile(
    r"[^\s/@:\"'<>?#\[\]]{0,128}:(?!\d{1,5}/)[^\s\"'<>]{1,128}(?=@[\w.-]{1,253}(?:[:/?\s\"']|\Z))"
)
_QUERY = re.compile(
    r"[?&#;](?:[\w.-]{0,24}[_.-])?"
    r"(?:token|api-?_?key|access_?key|key|sig|signature|credential|security-token|auth|password|passwd|pwd"
    r"|pass|secret|session(?:_?id)?|sid|jwt|ticket|sas|policy|key-pair-id|code|hm|t|otp|apikey|accesstoken"
    r"|sessiontoken|authtoken|idtoken|sv|ct0|hmac|hash|invite|magic)=([^\s&#\"'<>;)\]}]{4,2048})",
    re.IGNORECASE,
)
# short names mean anything; their values must look like a token
_STRONG = re.compile(
    r"(?:token|(?:api|access|secret|private|auth)[_-]?key|sig\w*|credential|auth|pass\w*|pwd|secret|jwt|otp)=",
    re.IGNORECASE,
)


def find_url_credentials(scan: Scan) -> Iterator[Span]:
    """``user:password`` before a host, a lone token there, and tokens and signatures in queries."""
    text = scan.text
    at = text.find("://")
    while at >= 0:
        start = at + 3
        user = _USER.match(text, start) or _ODD.match(text, start)
        if user and _is_credential(user[0]):
            yield Span(start, user.end(), "url_credentials")
        at = text.find("://", start)
    if "=" in text and ("?" in text or "&" in text or "#" in text):
        for found in _QUERY.finditer(text):
            value = found[1]
            strong = _STRONG.search(found[0], 0, found.start(1) - found.start()) is not None
            told = strong and (len(value) >= 8 or any(each.isdigit() for each in value))
            if is_placeholder(value) or not (told or _looks_random(value)):
                continue
            yield Span(found.start(1), found.end(1), "url_credentials")


def _is_credential(user: str) -> bool:
    name, colon, password = user.partition(":")
    if colon:
        return not is_placeholder(password)
    return len(name) >= 16 and _looks_random(name)


def _looks_random(value: str) -> bool:
    """Long, with letters and digits."""
    return (
        len(value) >= 16
        and any(each.isdigit() for each in value)
        and any(each.isalpha() for each in value)
    )
