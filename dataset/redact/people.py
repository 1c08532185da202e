"""Finds the names of known people in a text: full, in part, bent, abbreviated, as a handle.

One pass over the folded text by an Aho-Corasick automaton gives every place where a known spelling
stands; what stands around it decides whether it is the name. Docs: docs/redaction.md.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from ahocorasick_rs import AhoCorasick, Implementation

from dataset.redact.endings import languages_of
from dataset.redact.fold import Folded, fold
from dataset.redact.forms import Form, forms_of
from dataset.redact.hits import (
    Entry,
    Hit,
    Languages,
    disjoint,
    hit_at,
    is_written,
    joins,
    may_stand_inside,
    sure,
)
from dataset.redact.names import Part, Token
from dataset.redact.scripts import Script
from dataset.redact.written import PLACEHOLDER


class Known(NamedTuple):
    """Somebody to look for.

    Attributes:
        number: the person's number in the workspace.
        tokens: the words of all their names.
    """

    number: int
    tokens: tuple[Token, ...]


class PersonSpan(NamedTuple):
    """A name in a text.

    Attributes:
        start: index of its first character.
        end: index after its last.
        person: the person's number.
        part: what of the name stands there.
    """

    start: int
    end: int
    person: int
    part: Part


class _Run(NamedTuple):
    """Names that stand together, e.g. given and family name; places in the original text."""

    start: int
    end: int
    people: frozenset[int]
    parts: tuple[Part, ...]
    tokens: frozenset[str]


_INITIALS_BEFORE = re.compile(r"(?<![^\W_])((?:[^\W\d_]\.[ \u00a0-]?){1,3}|[^\W\d_] )$")
_INITIAL_AFTER = re.compile(r"(,?) ([^\W\d_])(\.|(?![\w'’]))")


class PeopleFinder:
    """Finds the names of some people.

    Args:
        people: who is looked for.
        languages: languages whose endings count whatever language a text is in.
    """

    def __init__(self, people: Sequence[Known], languages: frozenset[str] = frozenset()) -> None:
        self._languages = languages
        self._initials = {each.number: _initials(each.tokens) for each in people}
        entries = _entries(people)
        self._entries = list(entries.values())
        self._inside = [
            any(may_stand_inside(entry.form) for entry in each) for each in self._entries
        ]
        # small automata for few people: quick to make, which counts where each conversation has
        # its own people; the default is quicker to search and four times as slow to make
        kind = Implementation.NoncontiguousNFA if len(people) < 1000 else None
        self._automaton = AhoCorasick(entries, implementation=kind) if entries else None

    def find(self, text: str, languages: Languages | None = None) -> list[PersonSpan]:
        """The names in a text, in order, not overlapping.

        Args:
            text: any text.
            languages: gives the languages of the conversation; asked only if an ending is in
                doubt. Without it the text itself is looked at.
        """
        if self._automaton is None:
            return []
        folded = fold(text)
        places = self.places(folded)
        if not places:
            return []
        known: list[frozenset[str]] = []

        def spoken() -> frozenset[str]:
            if not known:
                seen = languages() if languages else languages_of(folded.text)
                known.append(self._languages | seen)
            return known[0]

        hits: list[Hit] = []
        for index, start in places:
            for entry in self._entries[index]:
                hit = hit_at(folded.text, start, entry, spoken)
                if hit is not None and is_written(text, folded, hit):
                    hits.append(hit)
        if not hits:
            return []
        return self._spans(text, folded, disjoint(sure(text, folded, hits)))

    def places(self, folded: Folded) -> list[tuple[int, int]]:
        """Where a name may stand: which spelling, and its first letter in the folded text."""
        if self._automaton is None:
            return []
        text, inside = folded.text, self._inside
        # most lie within other words
        return [
            (index, start)
            for index, start, _ in self._automaton.find_matches_as_indexes(text, overlapping=True)
            if not start or inside[index] or not text[start - 1].isalnum()
        ]

    def _spans(self, text: str, folded: Folded, hits: list[Hit]) -> list[PersonSpan]:
        # what redaction itself writes is never a name, whatever somebody is called
        taken = (
            [each.span() for each in PLACEHOLDER.finditer(text)]
            if "Person_" in text or "[" in text
            else []
        )
        runs: list[_Run] = []
        for hit in hits:
            start, end = folded.span(hit.start, hit.end)
            if any(low < end and start < high for low, high in taken):
                continue
            run = _Run(start, end, hit.people, (hit.entry.part,), frozenset({hit.entry.token}))
            if runs and _belong(text, runs[-1], run):
                run = _together(runs.pop(), run)
            runs.append(run)
        found: list[PersonSpan] = []
        for run in runs:
            floor = found[-1].end if found else 0
            if run.start < floor:  # an initial before took it
                continue
            start, end = self._with_initials(text, run, floor)
            grown = (start, end) != (run.start, run.end)
            part: Part = run.parts[0] if len(run.parts) == 1 and not grown else "full"
            found.append(PersonSpan(start, end, min(run.people), part))
        return found

    def _with_initials(self, text: str, run: _Run, floor: int) -> tuple[int, int]:
        """The place of a run with "A. " before and " M." after it, if those are the person's."""
        start, end = run.start, run.end
        if "full" in run.parts or {"given", "family"} <= set(run.parts):
            return start, end
        mine = frozenset[str]().union(*(self._initials[each] for each in run.people))
        before = _INITIALS_BEFORE.search(text, max(floor, start - 9), start)
        if before and before[1][0].isupper() and _letters(before[1]) <= mine:
            start = before.start(1)
        after = _INITIAL_AFTER.match(text, end)
        if after and after[2].isupper() and after[2].lower() in mine:
            comma_fits = not after[1] or "family" in run.parts
            # "Anna I think": a letter that is a word needs its dot
            if comma_fits and (after[2] not in "AI" or after[3]):
                end = after.end()
        return start, end


def nameless(finders: Sequence[PeopleFinder], texts: list[str]) -> frozenset[str]:
    """Those of the texts in which none of the finders finds a name.

    One look at all of them together takes less time than one at each. What is left out may hold a
    name or not.
    """
    if not finders:
        return frozenset(texts)
    folded = fold("\n".join(texts))
    starts = [0, *accumulate(len(text) + 1 for text in texts)]
    named = {
        bisect_right(starts, folded.span(place, place)[0]) - 1
        for finder in finders
        for _, place in finder.places(folded)
    }
    return frozenset(text for at, text in enumerate(texts) if at not in named)


def _entries(people: Sequence[Known]) -> dict[str, list[Entry]]:
    """What to look for: the entries of each spelling."""
    entries: dict[str, list[Entry]] = {}
    for person in people:
        mine = frozenset({person.number})
        for form, part, name in _forms_of_all(person.tokens):
            same = entries.setdefault(form.text, [])
            # a form takes long to hash, and few share a spelling
            for at, each in enumerate(same):
                if (each.part, each.token, each.form) == (part, name, form):
                    same[at] = each._replace(people=each.people | mine)
                    break
            else:
                same.append(Entry(form, mine, part, name))
    return entries


@lru_cache(maxsize=16384)
def _forms_of_all(tokens: tuple[Token, ...]) -> list[tuple[Form, Part, str]]:
    """Forms of the words of one person's names, the part that each is, and its word."""
    forms: list[tuple[Form, Part, str]] = []
    for token in tokens:
        name = token.text.lower()
        forms += [(form, token.part, name) for form in filter(_has_text, forms_of(token))]
    return [*forms, *((form, "full", form.text) for form in _joined(tokens))]


def _has_text(form: Form) -> bool:
    return bool(form.text)  # a name of nothing but marks folds to nothing


def _joined(tokens: Sequence[Token]) -> Iterable[Form]:
    """Given and family name as one word, as handles and hashtags have them."""
    given = [token for token in tokens if token.part == "given" and token.script == Script.LATIN]
    family = [token for token in tokens if token.part == "family" and token.script == Script.LATIN]
    for one in given[:1]:
        for other in family[-1:]:
            for first in _spellings(one):
                for second in _spellings(other):
                    if len(first) + len(second) >= 6:
                        yield Form(first + second, Script.LATIN, literal=True)
                        yield Form(second + first, Script.LATIN, literal=True)


def _spellings(token: Token) -> Iterable[str]:
    return [form.text for form in forms_of(token) if form.bare and not form.written]


def _initials(tokens: Iterable[Token]) -> frozenset[str]:
    return frozenset(token.text[:1].lower() for token in tokens if not token.literal)


def _letters(text: str) -> frozenset[str]:
    return frozenset(letter.lower() for letter in text if letter.isalpha())


def _belong(text: str, run: _Run, after: _Run) -> bool:
    """Whether two neighbours are one name of one person and not the same word twice."""
    if not run.people & after.people or run.tokens & after.tokens:
        return False
    gap = text[run.end : after.start]
    if "," in gap and {run.parts[-1], after.parts[0]} != {"family", "given"}:
        return False
    return joins(gap)


def _together(run: _Run, after: _Run) -> _Run:
    return _Run(
        run.start,
        after.end,
        run.people & after.people,
        run.parts + after.parts,
        run.tokens | after.tokens,
    )
