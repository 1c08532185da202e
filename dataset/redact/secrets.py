"""Keys, tokens and private keys that can be told by their own form."""

import base64
import binascii
import json
import re
from collections.abc import Iterator

from dataset.redact.provider_tokens import TOKEN
from dataset.redact.scan import Scan
from dataset.redact.span import Span

_BEGIN = "-----BEGIN "
_ARMOUR = re.compile(
    r"-----BEGIN (?P<what>(?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?|PGP MESSAGE)-----"
)
# what a block that was cut off may hold: base64, line breaks (also written out), header lines
_BODY = re.compile(r"(?:[A-Za-z0-9+/=]|\s|\\[nr]|[A-Za-z-]{1,20}: [^\n\\]{0,100}){0,16384}")
_PUTTY = re.compile(r"PuTTY-User-Key-File-\d:[^\n]{0,200}\n[\s\S]{0,8192}?Private-MAC: ?[0-9a-f]+")
_LONGEST_KEY = 65_536


def find_tokens(scan: Scan) -> Iterator[Span]:
    """Tokens of known providers; see ``provider_tokens``."""
    for start, word in scan.words:
        for found in TOKEN.finditer(word):
            token = found[0]
            if token.startswith("eyJ") and not _is_jwt(token):
                continue
            if token[0] in "MNO" and token.count(".") == 2 and not _is_discord(token):
                continue
            yield Span(start + found.start(), start + found.end(), "secret")


def find_private_keys(scan: Scan) -> Iterator[Span]:
    """Armoured private keys, whole or cut off; line breaks may be written out."""
    text = scan.text
    if _BEGIN in text:
        for found in _ARMOUR.finditer(text):
            if found["what"] == "PGP MESSAGE":
                continue
            last = f"-----END {found['what']}-----"
            end = text.find(last, found.end(), found.end() + _LONGEST_KEY)
            if end >= 0:
                yield Span(found.start(), end + len(last), "private_key")
            else:
                body = _BODY.match(text, found.end())
                stop = body.end() if body else found.end()
                cut = len(text[found.start() : stop].rstrip())
                yield Span(found.start(), found.start() + cut, "private_key")
    if "PuTTY-User-Key-File-" in text:
        for found in _PUTTY.finditer(text):
            yield Span(*found.span(), "private_key")


def _is_jwt(token: str) -> bool:
    """Whether the first part decodes to a header; parts are base64url of RFC 7515."""
    header = token.partition(".")[0]
    try:
        decoded = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    except (binascii.Error, ValueError):
        return False
    return isinstance(decoded, dict) and ("alg" in decoded or "typ" in decoded)


def _is_discord(token: str) -> bool:
    """Whether the first part is the base64 of a number, the bot's id."""
    head = token.partition(".")[0]
    try:
        return base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)).isdigit()
    except (binascii.Error, ValueError):
        return False
