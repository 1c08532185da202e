"""What is not looked at one by one holds nothing: the looks at many texts at once are exact."""

import sys
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))

from redact_corpus import documents

from dataset.redact.detect import find
from dataset.redact.fold import fold, fold_text
from dataset.redact.names import tokens_of
from dataset.redact.people import Known, PeopleFinder, nameless
from dataset.redact.scan import SAID
from dataset.redact.secret_words import GATES, OTHER_GATES, PASSWORD_GATES, PASSWORD_WORDS
from dataset.redact.sieve import sieve
from dataset.redact.span import KINDS
from ingest.errors import SpecError

_WORDS = st.sampled_from(
    [
        *sorted(SAID)[::40],
        *GATES,
        *OTHER_GATES,
        *PASSWORD_GATES,
        *PASSWORD_WORDS,
        *("(at)", " at ", " dot ", "ABCDEFGH", "2024-11-24", "24.11.2024", " 12", "1", "²"),
        *(" is ", "user", "Hunter-x!", "tr0ub4dor", "jo", ".org", "Mühl", "weg", " Straße"),
        *(" Street", " North ", " mill ", "road", "Flat 2, "),
    ]
)
_BITS = st.one_of(
    _WORDS, _WORDS.map(str.upper), st.text(max_size=4), st.sampled_from(" \n\x1c\x85")
)
TEXTS = st.lists(_BITS, max_size=8).map("".join)
EVERY_KIND = frozenset(KINDS)
FINDER = PeopleFinder(
    [Known(n, tokens_of(name)) for n, name in enumerate(("Anna Müller", "王小明", "Петров"), 1)]
)


LOCALES = (
    (),
    ("en_US", "de_DE"),
    ("fr_FR", "es_ES", "pl_PL"),
    ("hi_IN", "ja_JP", "tr_TR", "cs_CZ"),
)


def quiet_ones(texts: list[str | None], locales: tuple[str, ...] = ()) -> list[bool]:
    return sieve(locales)(pl.Series(texts, dtype=pl.String)).to_list()


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.sampled_from(LOCALES))
@example("\u212aey \u0130pin pin", ())
@example("the\x1cpin\x1cis\x1c12345", ())
@example("user, (pass is Hunter-x!", ())
@example("user: joe tr0ub4dor²", ())
@example("jo\x1cat\x1cmill\x1cdot\x1corg", ())
def test_nothing_is_found_in_a_quiet_text(text: str, locales: tuple[str, ...]) -> None:
    if quiet_ones([text], locales)[0]:
        assert find(text, EVERY_KIND, locales) == []


@pytest.mark.parametrize("locales", LOCALES)
def test_no_line_of_the_corpus_in_which_something_is_found_is_quiet(
    locales: tuple[str, ...],
) -> None:
    lines = [line for document in documents(400) for line in document.text.split("\n")]
    found = [line for line in lines if find(line, EVERY_KIND, locales)]
    assert len(found) > 100
    assert not any(quiet_ones(list(found), locales))


@pytest.mark.parametrize(
    "text", ["at 10:30, version 3.12", "1,200 x = y", "(see below)", "", "日本語"]
)
def test_numbers_and_colons_alone_are_quiet(text: str) -> None:
    assert quiet_ones([text]) == [True]


@pytest.mark.parametrize(
    "text",
    [
        "on 2024-11-24, 24.11.2024 10.30 and 24/11/2024",
        "at this point, the pin and her account",
        "mot pour mot",
        "In 5 minutes down the street",
        "an allen Tagen 5",
    ],
)
def test_dates_and_words_of_every_day_are_quiet(text: str) -> None:
    assert quiet_ones([text], ("en_US", "de_DE")) == [True]


@pytest.mark.parametrize(
    "text",
    [
        "the passwort of it",
        "the PIN is 1234",
        "密码",
        "clave es Hunter-x!",
        "bearer a1",
        "jo at mill dot org",
        "2024-11-24 1234",
        "24.11.2024 and 123456",
        "5 North Mill Lane",
        "5 long mill road",
        "Mühlweg 5",
    ],
)
def test_what_a_detector_may_take_is_not_quiet(text: str) -> None:
    assert not quiet_ones([text], ("en_US", "de_DE"))[0]


def test_no_text_is_not_quiet() -> None:
    assert quiet_ones([None]) == [False]


def test_an_unknown_locale_is_refused() -> None:
    with pytest.raises(SpecError, match="xx_XX"):
        sieve(("xx_XX",))


@given(
    st.lists(
        st.sampled_from(
            ["Anna", "annas", "joanna", "小明", "Петрову", "mill", "\u0301", ""]
        ).flatmap(lambda word: st.text(" ,a小\u0301", max_size=2).map(word.__add__)),
        max_size=6,
    )
)
def test_a_text_without_a_name_has_none(texts: list[str]) -> None:
    without = nameless([FINDER], texts)
    assert not any(FINDER.find(text) for text in without)


def test_texts_with_names_are_told_from_others() -> None:
    texts = ["hi Anna", "nothing", "Mu\u0308ller here\nand there", "also nothing", "小明"]
    assert nameless([FINDER], texts) == {"nothing", "also nothing"}
    assert nameless([], texts) == set(texts)


@given(st.text())
def test_a_text_is_folded_letter_by_letter(text: str) -> None:
    assert fold(text).text == "".join(map(fold_text, text))


def test_a_few_foreign_letters_are_folded_as_many_are() -> None:
    few = "Größer und schöner: die Mühle ” von Ångström"
    assert fold_text(few) == "großer und schoner: die muhle ” von angstrom"
    assert fold_text(few + "ЖЩ漢字" * 40).startswith(fold_text(few))
