"""The entrance to the detectors: laws that hold for every text."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset.redact.detect import detectors, find, resolve
from dataset.redact.scan import Scan
from dataset.redact.span import DEFAULT_KINDS, KINDS, Span
from ingest.errors import SpecError

EVERYWHERE = ("de", "en", "fr", "es", "it", "nl", "pt", "pl", "sv", "fi", "da", "no", "cs", "ro")
EVERYWHERE += ("hu", "el", "tr", "ru", "uk", "bg", "hr", "ja", "zh", "ko", "IL", "ZA", "TH", "SG")

# pieces of which the detectors are made, so that random texts come near to them
WORDS = """
    @ . : / - _ + ( ) # = , ; ' " 0 00 49 030 1234567 4111 1111 2024-05-01 12:30 sk- ghp_ eyJ xoxb-
    AKIA -----BEGIN PRIVATE KEY----- password passwort is token= :// user:pw@ example.org Straße
    Main Street rue de la via Via Calle ul. ул. 東京都 市 路 号 DE89 GB29 :: ::1 fe80: 10.0.0.1 İ ß
    (at) dot 😀 ٣ ４ login ﬁ
"""
PIECES = st.sampled_from([*WORDS.split(), " ", "\n", "\t", "\u200e", "\u00a0", "\\n"])
TEXTS = st.one_of(
    st.text(max_size=200),
    st.lists(PIECES, max_size=40).map("".join),
    st.lists(PIECES, max_size=40).map(" ".join),
)


@settings(deadline=None)  # the first call compiles the patterns
@given(TEXTS, st.sampled_from([(), ("de_DE", "en_US"), EVERYWHERE]))
def test_spans_are_in_order_disjoint_and_within_the_text(text: str, locales: tuple[str, ...]):
    at = 0
    for span in find(text, frozenset(KINDS), locales):
        assert at <= span.start < span.end <= len(text)
        assert span.kind in KINDS
        at = span.end


@settings(deadline=None)
@given(TEXTS)
def test_a_text_without_its_finds_holds_nothing_more_where_they_stood(text: str):
    for span in find(text):
        assert text[span.start : span.end].strip()


@settings(deadline=None)
@given(TEXTS, st.sampled_from(sorted(KINDS)))
def test_only_the_kinds_that_are_asked_for_are_found(text: str, kind: str):
    assert {span.kind for span in find(text, frozenset({kind}))} <= {kind}


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 12), st.sampled_from(sorted(KINDS)))))
def test_resolved_spans_cover_exactly_what_the_given_ones_cover(given_spans):
    spans = [Span(start, start + n, kind) for start, n, kind in given_spans]
    resolved = resolve(spans)
    covered = [place for span in resolved for place in range(span.start, span.end)]
    assert len(covered) == len(set(covered))
    assert set(covered) == {place for span in spans for place in range(span.start, span.end)}
    assert resolved == sorted(resolved)


def test_of_overlapping_spans_the_longer_stays_whole():
    assert resolve([Span(0, 5, "phone"), Span(3, 20, "iban")]) == [
        Span(0, 3, "phone"),
        Span(3, 20, "iban"),
    ]


def test_of_equally_long_spans_the_more_specific_kind_wins():
    assert resolve([Span(0, 9, "phone"), Span(0, 9, "national_id")]) == [Span(0, 9, "national_id")]


def test_an_address_yields_to_what_stands_in_it():
    assert resolve([Span(0, 30, "address"), Span(10, 20, "phone")]) == [
        Span(0, 10, "address"),
        Span(10, 20, "phone"),
        Span(20, 30, "address"),
    ]


def test_private_internet_addresses_are_left_unless_asked_for():
    assert find("127.0.0.1 and 10.1.2.3") == []
    assert len(find("127.0.0.1 and 10.1.2.3", DEFAULT_KINDS | {"private_ip"})) == 2


def test_an_unknown_kind_is_named():
    with pytest.raises(SpecError, match="unknown kind: fon"):
        find("text", frozenset({"fon"}))


def test_every_unknown_locale_is_named():
    with pytest.raises(SpecError, match="'xx_YY', 'German'"):
        find("text", None, ("de_DE", "xx_YY", "German"))


@pytest.mark.parametrize("locale", ["de_DE", "de-DE", "de", "DE", "de_DE.UTF-8", "zh-Hans-CN"])
def test_locales_may_be_written_in_the_usual_ways(locale: str):
    assert find("text", None, (locale,)) == []


@pytest.mark.parametrize("text", ["", " ", "\n" * 10, "\x00", "\ud800", "a\u0301" * 20])
def test_odd_texts_hold_nothing(text: str):
    assert find(text, frozenset(KINDS), EVERYWHERE) == []


def test_ordinary_talk_bears_no_sign_of_anything():
    assert Scan("hello there, how are you today? we could meet for lunch tomorrow").signs == 0


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Fails when the body takes longer."""

    def expired(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, expired)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


UNITS = {
    "digits": "1",
    "digits and spaces": "1 ",
    "digits and dots": "1.",
    "digits and dashes": "12-",
    "a": "a",
    "capitals": "A",
    "words": "Ab ",
    "dots": "a.",
    "at signs": "@",
    "a@": "a@",
    "a@a.": "a@a.",
    "colons": ":",
    "hex and colons": "ab:",
    "double colons": "::",
    "slashes": "://",
    "url heads": "http://a:b",
    "question marks": "?key=",
    "equals": "token=",
    "password is": "password is ",
    "password: ": "password: a ",
    "login": "login ",
    "quotes": '"',
    "backslashes": "\\",
    "brackets": "(at) ",
    "dot words": "a dot ",
    "begin": "-----BEGIN PRIVATE KEY-----\n",
    "putty": "PuTTY-User-Key-File-2:\n",
    "dashes": "-",
    "jwt heads": "eyJ",
    "jwt parts": "eyJhbGciOiJub25lIn0.",
    "sk": "sk-",
    "base64": "A1b2",
    "plus": "+1",
    "zero": "00 ",
    "street": "Straße ",
    "german street": "Am Alten ",
    "rue": "12 rue de la ",
    "calle": "calle de la ",
    "via": "via A",
    "ul": "ул. а ",
    "kanji": "市",
    "kanji and digits": "東京都市1",
    "road": "北京市路",
    "hangul": "시 군 로 ",
    "iban": "DE89 ",
    "iban letters": "DE89A",
    "mah": "Mah. ",
    "english": "1 Ab ",
    "flat": "Flat 1 Ab ",
    "cookie": "cookie: a=",
    "bearer": "bearer ",
    "options": "--password ",
    "tabs": "\t",
    "newlines": "1\n",
}


@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS.keys())
def test_time_grows_with_the_length_of_the_text(unit: str):
    # twice the square root would do for linear time; a square would take minutes
    with within(10):
        find(unit * (120_000 // len(unit)), frozenset(KINDS), EVERYWHERE)


def test_detectors_of_a_choice_are_made_once():
    assert detectors(DEFAULT_KINDS, ("de_DE",)) is detectors(DEFAULT_KINDS, ("de_DE",))


@settings(max_examples=25, deadline=None)
@given(st.text(alphabet="0123456789 -./+()", max_size=400))
def test_any_run_of_digits_is_read(text: str):
    find(text, frozenset(KINDS), EVERYWHERE)
