"""Addresses of the internet, read by ``ipaddress``; version numbers are none."""

import ipaddress
import re
from collections.abc import Iterator

from dataset.redact.context import naming
from dataset.redact.scan import Scan, Sign
from dataset.redact.span import Span

# a class that stands alone at the beginning is what the search of ``re`` is fast for
_FOUR = re.compile(r"[0-9][0-9]{0,2}(?:\.[0-9]{1,3}){3}(?![\w.]?\d|\w|\.\w)")
_SIX = re.compile(
    r"(?<![\w:.])(?:[0-9A-Fa-f]{1,4}:|:){2,7}(?:[0-9A-Fa-f]{1,4}|:)?"
    r"(?:\.\d{1,3}){0,3}(?:%\w{1,15})?(?![\w:]|\.\d)"
)
_VERSION_WORD = re.compile(
    r"(?:\bversions?|\bver\.?|\bv\.?|\brelease|\bbuild|\bfirmware|\bchapter|\bsection|\bsec\.?"
    r"|§|\bKapitel|\bAbschnitt|[A-Za-z]/|==|>=|<=|~=)\s?:?\s?[\"'(]?\Z",
    re.IGNORECASE,
)
_NETWORK_WORD = re.compile(
    r"\bip(?:v4)?\b|\bhost|\bserver|\baddr|\bping|\bssh\b|\bfrom\b|\bclient|\bpeer|\bdns\b|://\Z",
    re.IGNORECASE,
)
# RFC 5737 and 3849: Python counts them as private, but in a chat they stand for a real one
_EXAMPLES = tuple(
    ipaddress.ip_network(net)
    for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
)


def find_ips(scan: Scan) -> Iterator[Span]:
    """Kinds ``ip`` and ``private_ip``."""
    text = scan.text
    if scan.signs & Sign.DIGIT and text.count(".") >= 3 and _FOUR.search(text):
        yield from _version_4(text, scan.lower)
    if "::" in text or text.count(":") >= 6:
        yield from _version_6(text)


def _version_4(text: str, lower: str) -> Iterator[Span]:
    for found in _FOUR.finditer(text):
        start, end = found.span()
        left = text[start - 1 : start]
        if (
            left.isalnum()
            or left == "_"
            or (left in ".-" and text[max(0, start - 2) : start - 1].isdigit())
        ):
            continue
        before = text[max(0, start - 24) : start]
        if _VERSION_WORD.search(before):
            continue
        # numbers of telephones are written with dots, too
        kind = None if naming(lower, start) == "phone" else _kind(found[0])
        # 1.2.3.4 and 120.0.0.0 are sections and versions unless the talk is of hosts
        short = sum(len(octet) == 1 for octet in found[0].split("."))
        doubtful = kind == "ip" and (short >= 3 or found[0].endswith(".0.0"))
        if kind and not (doubtful and not _NETWORK_WORD.search(before)):
            yield Span(start, end, kind)


def _version_6(text: str) -> Iterator[Span]:
    for found in _SIX.finditer(text):
        address = found[0].partition("%")[0]
        colons = address.count(":")
        first = address.partition(":")[0].lower()
        if first == "ffff":  # a mask
            continue
        routed = len(first) == 4 and (first[0] in "23" or first[:2] in ("fc", "fd", "fe"))
        # std::cout and cafe::babe are names of code
        if not (routed or colons >= 4 or address == "::1" or address.startswith("::ffff:")):
            continue
        kind = _kind(address)
        if kind:
            yield Span(*found.span(), kind)


def _kind(address: str) -> str | None:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    if any(parsed in network for network in _EXAMPLES):
        return "ip"
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return "ip" if (mapped or parsed).is_global else "private_ip"
