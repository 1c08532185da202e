"""E-mail addresses, plain and as people disguise them."""

import re
from collections.abc import Iterator

from dataset.redact.scan import CJK, LETTER, Scan
from dataset.redact.span import Span

# RFC 5322's dot-atom and its letters of other scripts (RFC 6531); 64 and 255 are the limits
_SIGNS = r"[.!#$%&'*+/=?^`{|}~-]"
# read from the sign to the left
_LOCAL = re.compile(rf"(?:{LETTER}|{_SIGNS}){{1,64}}")
_ANY_LOCAL = re.compile(rf"(?:\w|{_SIGNS}){{1,64}}")
_QUOTED = re.compile(r'"[^"\s]{1,60}"')
_DOMAIN = re.compile(r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}[^\W\d_][\w-]{0,22}[^\W_]")
_GLUED = re.compile(rf"\.[A-Za-z]{{2,24}}(?=[{CJK}])")
_IN_ADDRESS = re.compile(r"://[^\s\"'<>/?#:@]*(?::(?!\d{1,5}[/?])[^\s\"'<>]*)?\Z")
# what stands before the address but is no part of it
_LEADING = re.compile(r"(?:mailto:|.*[/=?&|{}`*]|[.!#$%'+^~-]+)", re.IGNORECASE)
_FILES = frozenset(
    re.findall(
        r"\w+",
        "png jpg jpeg gif webp svg ico css js ts jsx tsx json html htm xml yaml yml toml txt md csv"
        " log lock pdf exe dll jar class mp3 mp4 wav ttf woff woff2 service",
    )
)
_DISGUISED = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64}\s?(?:\s(?:at|AT|ät|arroba|chez)\s"
    r"|[\[({<]\s?(?:at|AT|At|ät|a|@|arroba|chez|klammeraffe)\s?[\])}>])\s?"
    r"[\w-]{1,63}(?:\s?(?:\s(?:dot|DOT|punkt|Punkt|point|punto|ponto)\s"
    r"|[\[({<]\s?(?:dot|DOT|Dot|punkt|Punkt|point|punto|ponto|\.)\s?[\])}>]|\.)\s?[\w-]{2,63}){1,4}"
)
AT_PLACE = (
    r"[\[({<]\s?(?:at|AT|At|ät|a|@|arroba|chez|klammeraffe)\s?[\])}>]|\s(?:at|AT|ät|arroba|chez)\s"
)
_AT_PLACE = re.compile(AT_PLACE)
_SPELLED = re.compile(
    r"[ (\[](?:dot|punkt|point|punto|ponto)[ )\]]|[(\[{<] ?(?:at|ät|a|@|arroba|chez|klamm)"
)
_BRACKETED = re.compile(r"[(\[{<] ?(?:at|ät|a|@|arroba|chez|klamm)")
# "at" and "dot" are words of sentences, too
_COMMON_END = re.compile(
    r"\b(?:com|org|net|edu|gov|info|io|dev|app|eu|co|uk|ca|au|nz|de|ch|fr|es|nl|pl|pt|br|mx|se|dk|fi|cz)\Z"
)


def find_emails(scan: Scan) -> Iterator[Span]:
    """Addresses such as ``jo@example.org``; not ``git@host:path``, ``icon@2x.png``, ``a@1.2``."""
    text = scan.text
    at = text.find("@")
    while at >= 0:
        span = _plain(text, at, at + 1)
        if span:
            yield span
        at = text.find("@", at + 1)
    if "%40" in text:
        for found in re.finditer("%40", text):
            span = _plain(text, found.start(), found.end())
            if span:
                yield span
    yield from _disguised(scan)


def _plain(text: str, at: int, after: int) -> Span | None:
    """The address whose sign stands at [at, after)."""
    domain = _DOMAIN.match(text, after, after + 255)
    if not domain:
        return None
    last = domain[0].rpartition(".")[2].lower()
    if last in _FILES:
        return None
    before = text[max(0, at - 64) : at][::-1]
    local = _QUOTED.match(before) or _LOCAL.match(before) or _ANY_LOCAL.match(before)
    if not local:
        return None
    start = at - len(local[0])
    if leading := _LEADING.match(local[0][::-1]):
        start += leading.end()
    if start >= at or text[at - 1] == ".":
        return None
    # the user of a remote copy: git@host.org:path
    if text[domain.end() : domain.end() + 1] == ":" and text[domain.end() + 1 :][:1] not in " \n\t":
        return None
    # user:password@host belongs to the address of the web
    if _IN_ADDRESS.search(text, max(0, start - 200), start):
        return None
    # the sentence goes on without a space: jo@example.org宛て
    end = domain.end()
    if glued := _GLUED.search(domain[0]):
        end = domain.start() + glued.end()
    return Span(start, end, "email")


def _disguised(scan: Scan) -> Iterator[Span]:
    """``jo (at) example.org`` and ``jo at example dot org``."""
    if not _SPELLED.search(scan.lower):
        return
    done = 0
    for place in _AT_PLACE.finditer(scan.text):
        # only there; from every word of a long text it would take long
        found = _DISGUISED.search(scan.text, max(done, place.start() - 65), place.end() + 320)
        if not found or found.end() <= done:
            continue
        whole = found[0].lower()
        if _BRACKETED.search(whole) or (_SPELLED.search(whole) and _COMMON_END.search(whole)):
            done = found.end()
            yield Span(*found.span(), "email")
