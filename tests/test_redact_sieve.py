"""What is not looked at one by one holds nothing: the looks at many texts at once are exact."""

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dataset.redact.fold import fold, fold_text
from dataset.redact.names import tokens_of
from dataset.redact.people import Known, PeopleFinder, nameless
from dataset.redact.scan import SAID, Scan
from dataset.redact.secret_words import GATES, OTHER_GATES, PASSWORD_GATES, PASSWORD_WORDS
from dataset.redact.sieve import quiet

_WORDS = st.sampled_from(
    [
        *sorted(SAID)[::40],
        *GATES,
        *OTHER_GATES,
        *PASSWORD_GATES,
        *PASSWORD_WORDS,
        "(at)",
        "ABCDEFGH",
    ]
)
_BITS = st.one_of(
    _WORDS, _WORDS.map(str.upper), st.text(max_size=4), st.sampled_from(" \n\x1c\x85")
)
TEXTS = st.lists(_BITS, max_size=8).map("".join)
FINDER = PeopleFinder(
    [Known(n, tokens_of(name)) for n, name in enumerate(("Anna Müller", "王小明", "Петров"), 1)]
)


def quiet_ones(texts: list[str | None]) -> list[bool]:
    return quiet(pl.Series(texts, dtype=pl.String)).to_list()


@settings(max_examples=300)
@given(TEXTS)
@example("\u212aey \u0130pin pin")
@example("the\x1cpin\x1cis")
def test_a_quiet_text_bears_no_sign(text: str) -> None:
    if quiet_ones([text])[0]:
        assert not Scan(text).signs


@pytest.mark.parametrize("word", ["passwort", "PIN", "密码", "clave", "bearer", "dot", "login,"])
def test_words_for_secrets_are_not_quiet(word: str) -> None:
    assert Scan(f"the {word.rstrip(',')} of it").signs
    assert not quiet_ones([f"the {word.rstrip(',')} of it"])[0]


def test_most_sentences_are_quiet() -> None:
    sentences = [
        "Shall we meet at the mill tomorrow?",
        "Größer ist besser, sagt man.",
        "日本語です",
    ]
    assert quiet_ones([*sentences, None, ""]) == [True, True, True, False, True]


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
