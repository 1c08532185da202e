"""Which words of a text are the names of known people."""

import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset.redact.endings import languages_of
from dataset.redact.fold import fold, fold_text
from dataset.redact.names import is_name, tokens_of
from dataset.redact.people import Known, PeopleFinder

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))

from bench_redact_people import measure


def found(text: str, *names: str) -> list[tuple[str, int]]:
    """The finds in a text: what stands there, and the place of the person among the names."""
    people = [Known(number, tokens_of(name)) for number, name in enumerate(names, 1)]
    return [(text[span.start : span.end], span.person) for span in PeopleFinder(people).find(text)]


def marked(text: str, *names: str) -> None:
    """Assert that exactly the words in [brackets] are found."""
    plain = text.replace("[", "").replace("]", "")
    assert [word for word, _ in found(plain, *names)] == re.findall(r"\[([^\]]*)\]", text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Anna Müller", "[Anna Müller] and [Anna], then [Müller] again"),
        ("Anna Müller", "hi [anna], [ANNA MÜLLER] speaking"),
        ("Anna Müller", "[Anna]'s dog and [Anna]’s cat, [Annas] bike"),
        ("Anna Müller", "[A. Müller], [Müller, Anna], [Müller, A.] and [Anna M.] say hi"),
        ("Anna Müller", "write to @[annamueller] or @[anna.müller] or @[anna_muller99]"),
        ("Anna Müller", "[Muller] and [Mueller] are one"),
        ("Jörg Weiß", "[Joerg Weiss] and [Jorg]"),
        ("Mueller", "[Müller] is [Mueller] here"),
        ("Björn Åström", "[Bjorn Astrom]; [Bjoern Aastroem]"),
        ("Sean O'Brien", "[O'Brien], [O’Brien] and [obrien]"),
        ("Anna-Lena Vogel", "[Anna-Lena], [Anna] or [Lena]"),
        ("Maria von der Heide", "[Maria von der Heide] met [Maria] von der Post"),
        ("Müller, Anna", "[Anna Müller] it is"),
        ("Dr. Anna Müller (Sales)", "[Anna] and [Müller]"),
        ('Robert "Bobby" Ford-Smythe', "[Bobby] is [Robert]"),
        ("anna.mueller@example.org", "[Anna] told [Mueller]"),
        ("~Anna 🌸", "[Anna]!"),
        ("dragon_92", "@[dragon_92] and [dragon_92], not dragon"),
        ("王小明", "[王小明]来了，[小明]说[王]先生也来"),
        ("欧阳小明", "[小明]和[欧阳小明]"),
        ("佐藤 太郎", "[佐藤]さん、[佐藤太郎]です。[太郎]くん"),
        ("김민수", "[민수]가 왔어요 [김민수] 씨 이민수는 아니에요"),
        ("أحمد علي", "قابلت [أحمد علي] و[أحمد] وكلمت ل[أحمد]"),
        ("דוד כהן", "ראיתי את [דוד] ו[דוד] אמר ל[כהן]"),
        ("राम शर्मा", "[राम] और [राम शर्मा] आए"),
        ("สมชาย ใจดี", "เมื่อวานเจอ[สมชาย]ที่ตลาด"),
        ("Анна Петрова", "[Анне Петровой] и [Анну], про [Петрову]; [Anna] too"),
        ("Γιώργος Νικολάου", "του [Γιώργου Νικολάου], τον [Γιώργο]"),
    ],
)
def test_a_name_is_found_as_people_write_it(name: str, text: str) -> None:
    marked(text, name)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Anna Kim", "Annabel's annals mention Annapolis"),
        ("Petr Novak", "petrol and a novakid"),
        ("Don Case", "I don't know; Don't ask."),
        ("Person_7", "Person_7 and Person_8"),
        ("user", "the user said so"),
        ("John Brown", "a brown fox"),
        ("Mark Rose", "Mark my words: prices rose. A rose is a rose."),
        ("Will May", "Will you? It will, in May, and on 5 May. May I?"),
        ("Max Long", "max_length = max(a, b)  # as long as it is"),
        ("Jordan Paris", "in Paris and in Jordan, Jordan 2024"),
    ],
)
def test_words_are_not_names(name: str, text: str) -> None:
    marked(text, name)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Mark Rose", "I told [Mark] that prices rose. Thanks [Mark]! [Mark Rose], hi [Rose]."),
        ("Will May", "[Will] said so. Ask [May] or [Will]. @[will] too"),
        ("Jan Koch", "Herr [Koch] kocht, der Koch auch"),
        ("Kim Lee", "[Kim]: are you there?\n[Lee]'s turn"),
    ],
)
def test_names_that_are_words_are_found_where_they_are_names(name: str, text: str) -> None:
    marked(text, name)


def test_endings_count_only_in_their_language() -> None:
    marked("Byl jsem u [Jana Nováka], ale už nebyl doma.", "Jan Novák")
    marked("Jana is my sister and she was at home.", "Jan Novák")


def test_the_language_of_a_conversation_can_be_given() -> None:
    finder = PeopleFinder([Known(1, tokens_of("Jan Novák"))])
    assert finder.find("u Jana") == []
    assert finder.find("u Jana", lambda: frozenset({"cs"})) != []


def test_languages_are_told_by_their_frequent_words() -> None:
    assert "cs" in languages_of(fold_text("Byl jsem doma, ale už jsem šel pryč."))
    assert "fi" in languages_of(fold_text("Minä en ole kotona, mutta hän on."))
    assert (
        languages_of(fold_text("Do we do it? They do, and that is what you have to do.")) == set()
    )


def test_each_find_is_the_right_persons() -> None:
    text = "Anna Smith and Anna Jones met Jones"
    assert found(text, "Anna Smith", "Anna Jones") == [
        ("Anna Smith", 1), ("Anna Jones", 2), ("Jones", 2),
    ]  # fmt: skip


def test_what_several_share_is_the_firsts() -> None:
    assert found("Ask Anna", "Anna Smith", "Anna Jones") == [("Anna", 1)]


def test_nothing_is_found_in_placeholders() -> None:
    assert found("[PERSON_1] Person_1 [EMAIL_2]", "Person Email") == []


def test_marks_written_apart_are_seen_through() -> None:
    text = "bei Mu\u0308ller zu Hause, Z\u00adoe\u0308 auch"
    assert [word for word, _ in found(text, "Zoë Müller")] == ["Mu\u0308ller", "Z\u00adoe\u0308"]


@given(st.text())
def test_folding_keeps_the_way_back(text: str) -> None:
    folded = fold(text)
    places = [folded.span(at, at)[0] for at in range(len(folded.text) + 1)]
    assert places == sorted(places)
    assert not places or places[-1] == len(text)


@given(st.text(), st.text(min_size=1, max_size=20))
def test_finds_are_in_order_and_within_the_text(text: str, name: str) -> None:
    whole = f"{text} {name} {text}"
    last = 0
    for span in PeopleFinder([Known(1, tokens_of(name))]).find(whole):
        assert last <= span.start < span.end <= len(whole)
        last = span.end


def test_what_says_nothing_is_no_name() -> None:
    assert not any(map(is_name, ("", "  ", "user", "Assistant", "Person_12", "[EMAIL_1]")))
    assert is_name("Anna")


def test_recall_and_precision_on_the_corpus() -> None:
    result = measure(per_locale=12, shown=0)
    assert result["locales"] >= 20  # type: ignore[operator]
    assert result["recall"] >= 0.98  # type: ignore[operator]
    assert result["precision"] >= 0.98  # type: ignore[operator]
