"""Finds what must not be in a published dataset. The one entrance to the detectors.

    find("write to jo@example.org") == [Span(9, 23, "email")]

The detectors are a table; each gives the spans of one family, and ``resolve`` makes them disjoint
without giving up a character that one of them found.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache

from dataset.redact.address import address_detector
from dataset.redact.assignments import find_assignments
from dataset.redact.card import find_cards
from dataset.redact.email import find_emails
from dataset.redact.iban import find_ibans
from dataset.redact.ip import find_ips
from dataset.redact.locales import countries
from dataset.redact.national_ids import national_id_detector
from dataset.redact.phone import phone_detector
from dataset.redact.scan import Detector, Scan, Sign
from dataset.redact.secrets import find_private_keys, find_tokens
from dataset.redact.span import DEFAULT_KINDS, KINDS, RANK, Span
from dataset.redact.urls import find_url_credentials
from ingest.errors import SpecError


def find(
    text: str, kinds: frozenset[str] | None = None, locales: tuple[str, ...] = ()
) -> list[Span]:
    """What stands in a text and should not.

    Args:
        text: any text.
        kinds: which of ``span.KINDS`` to look for; None means ``span.DEFAULT_KINDS``.
        locales: such as ``("de_DE", "en_US")``: whose telephone, identity and street formats are
            looked for besides the international ones and those that no other number resembles.
            None given: street addresses of every country we know, no national telephone numbers
            except where a word says so.

    Returns:
        Spans in order, disjoint, within the text.

    Raises:
        SpecError: a kind or a locale that is not known.
    """
    chosen = DEFAULT_KINDS if kinds is None else kinds
    scan = Scan(text)
    if not scan.signs:
        # a wrong kind or locale is an error all the same
        detectors(chosen, locales)
        return []
    found = [
        span
        for detector in _needed(chosen, locales, scan.signs)
        for span in detector(scan)
        if span.kind in chosen
    ]
    return resolve(found) if len(found) > 1 else found


@lru_cache(maxsize=1024)
def _needed(kinds: frozenset[str], locales: tuple[str, ...], signs: int) -> tuple[Detector, ...]:
    """The detectors that a text with these signs needs."""
    return tuple(detector for sign, detector in detectors(kinds, locales) if sign & signs)


@lru_cache(maxsize=64)
def detectors(kinds: frozenset[str], locales: tuple[str, ...]) -> tuple[tuple[int, Detector], ...]:
    """The detectors of these kinds, each with the signs of which a text must bear one.

    Raises:
        SpecError: a kind or a locale that is not known.
    """
    if unknown := kinds - KINDS.keys():
        raise SpecError(
            f"unknown kind: {', '.join(sorted(unknown))}", hint=f"kinds are {', '.join(KINDS)}"
        )
    known = countries(locales)
    # a tax number of India has but four digits
    id_signs = Sign.DIGIT if "IN" in known else Sign.NUMBER | Sign.LONG_WORD
    table: tuple[tuple[frozenset[str], int, Detector], ...] = (
        (frozenset({"private_key"}), Sign.PUNCTUATION, find_private_keys),
        (frozenset({"secret"}), Sign.LONG_WORD, find_tokens),
        (frozenset({"secret", "password"}), Sign.NAMED_SECRET, find_assignments),
        (frozenset({"url_credentials"}), Sign.PUNCTUATION, find_url_credentials),
        (frozenset({"email"}), Sign.AT, find_emails),
        (frozenset({"ip", "private_ip"}), Sign.PUNCTUATION | Sign.DIGIT, find_ips),
        (frozenset({"iban"}), Sign.NUMBER | Sign.LONG_WORD, find_ibans),
        (frozenset({"card"}), Sign.NUMBER, find_cards),
        (frozenset({"national_id"}), id_signs, national_id_detector(known)),
        (frozenset({"phone"}), Sign.NUMBER, phone_detector(known)),
        (frozenset({"address"}), Sign.DIGIT, address_detector(known)),
    )
    return tuple((sign, detector) for gives, sign, detector in table if gives & kinds)


def resolve(spans: Iterable[Span]) -> list[Span]:
    """Spans in order and disjoint; together they cover what the given ones cover.

    Where two overlap, the longer one stays whole, of equally long ones the more specific kind; an
    address, whose end is a guess, yields to all others, and all others to what is a credential by
    its place in an address of the web. What sticks out of the other stays, too.
    """
    resolved: list[Span] = []
    group: list[Span] = []
    end = -1
    for span in sorted(spans):
        if span.start >= end:
            resolved += _resolve_group(group)
            group = []
        group.append(span)
        end = max(end, span.end)
    return resolved + _resolve_group(group)


def _resolve_group(group: list[Span]) -> list[Span]:
    """The same for spans that overlap one after the other."""
    if len(group) < 2:
        return group
    kept: list[Span] = []
    for span in sorted(group, key=_worth):
        pieces = [span]
        for other in kept:
            pieces = [piece for each in pieces for piece in _without(each, other)]
        kept += pieces
    return sorted(kept)


def _without(span: Span, other: Span) -> Iterator[Span]:
    """The parts of a span that another does not cover."""
    if other.end <= span.start or span.end <= other.start:
        yield span
        return
    if span.start < other.start:
        yield Span(span.start, other.start, span.kind)
    if other.end < span.end:
        yield Span(other.end, span.end, span.kind)


def _worth(span: Span) -> tuple[int, int, int]:
    # the ends of the one are certain, of the other a guess
    tier = {"url_credentials": 0, "address": 2}.get(span.kind, 1)
    return tier, span.start - span.end, RANK[span.kind]
