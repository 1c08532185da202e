"""Texts whose characters tell by themselves who wrote them: the oracle of the provenance tests."""

import random
from typing import Any

from hypothesis import strategies as st

from train.provenance import Traced, concat, spans_of

# message 0, message 1 and the template have no character in common, also after a change of case
LETTERS = {0: "abcfim" + "ABCFIM" + "\ufb01\u0130\u0307", 1: "nsxz" + "NSXZ" + "\u00df\u1e9e"}
BLANKS = {0: "\x1c\u2003", 1: "\x0b\t\u2009"}
TEMPLATE = "123.:<|>"
OWNER = {c: m for m in (0, 1) for c in LETTERS[m] + BLANKS[m]}


def whole(text: Any) -> Any:
    """The value with plain strings only."""
    if isinstance(text, str):
        return str.__str__(text)
    if isinstance(text, list | tuple):
        return type(text)(whole(one) for one in text)
    if isinstance(text, dict):
        return {whole(key): whole(one) for key, one in text.items()}
    return text


def parts(blanks: bool = True, letters: int = 4) -> st.SearchStrategy[list[tuple[int | None, str]]]:
    def text(owner: int) -> st.SearchStrategy[tuple[int | None, str]]:
        alphabet = LETTERS[owner] + (BLANKS[owner] if blanks else "")
        return st.tuples(st.just(owner), st.text(alphabet, max_size=letters))

    template = TEMPLATE + (" \r\n" if blanks else "")
    literal = st.tuples(st.none(), st.text(template, max_size=3))
    return st.lists(text(0) | text(1) | literal, max_size=5)


def built(pieces: list[tuple[int | None, str]]) -> str:
    return concat(
        [text if owner is None else Traced(text, owner, f"f{owner}") for owner, text in pieces]
    )


def texts(blanks: bool = True) -> st.SearchStrategy[str]:
    return parts(blanks).map(built)


def faults(text: str, exact: bool) -> list[str]:
    """Characters whose spans name another than who wrote them.

    Args:
        text: what came out.
        exact: whether no span may reach over what its message did not write.
    """
    spans = spans_of(text)
    found = []
    if list(spans) != sorted(spans, key=lambda span: span.start):
        found.append(f"not sorted: {spans}")
    for span in spans:
        if not 0 <= span.start <= span.end <= len(text):
            found.append(f"outside: {span}")
        if span.field != f"f{span.message}":
            found.append(f"another field: {span}")
    for at, character in enumerate(str.__iter__(text)):
        owner = OWNER.get(character)
        claims = {span.message for span in spans if span.start <= at < span.end}
        if owner is not None and owner not in claims:
            found.append(f"{character!r} at {at} is lost: {claims}")
        if exact and claims - {owner}:
            found.append(f"{character!r} at {at} is claimed by {claims}")
    return found


def check(made: Any, expected: Any, exact: bool = True) -> None:
    """Same text, and the right origins, in every string of a value."""
    assert whole(made) == whole(expected)
    _check_inner(made, exact)


def _check_inner(made: Any, exact: bool) -> None:
    if isinstance(made, str):
        assert not faults(made, exact), (whole(made), spans_of(made))
    elif isinstance(made, list | tuple):
        for one in made:
            _check_inner(one, exact)


def words(rng: random.Random, count: int) -> str:
    return " ".join("".join(rng.choices("bcdfghjklmnpqrstvwz", k=7)) for _ in range(count))
