"""Whether a spelling that stands in a text is the name: what touches it, its case, what is near."""

import re
from bisect import bisect_left
from collections.abc import Callable
from itertools import takewhile
from typing import NamedTuple
from unicodedata import normalize

from dataset.redact.cjk import AFTER_FAMILY, BEFORE_FAMILY
from dataset.redact.endings import DRAVIDIAN_LONGEST, KOREAN, PREFIXES
from dataset.redact.fold import Folded
from dataset.redact.forms import ANY_LANGUAGE, Form
from dataset.redact.names import PARTICLES, Part
from dataset.redact.scripts import LETTER, UNSPACED, Script, is_letter
from dataset.redact.word_names import is_name_here

Languages = Callable[[], frozenset[str]]
"""Gives the languages of a conversation."""


class Entry(NamedTuple):
    """A spelling and whose it is.

    Attributes:
        form: the spelling.
        people: numbers of those whose name it is.
        part: which part of their name.
        token: the word of the name that it spells, in small letters.
    """

    form: Form
    people: frozenset[int]
    part: Part
    token: str


class Hit(NamedTuple):
    """A spelling in a folded text.

    Attributes:
        start: its first letter.
        end: after its last, its ending included.
        entry: what was looked for.
        people: whose name it may be.
        bent: whether it has an ending of a language.
    """

    start: int
    end: int
    entry: Entry
    people: frozenset[int]
    bent: bool


_REST = re.compile(f"{LETTER}*")
_WORD_BEFORE = re.compile(f"{LETTER}*$")
_MENTION = re.compile(r"[@#][\w.\-]*$")
_GAP = re.compile(r"[\s.,\-_'·・=]*$")
_GAP_WORD = re.compile(r"[^\W\d_]+")
_LONGEST_GAP = 14
_FAR = 60
_IN_HANDLES = frozenset(".-_")
_ALSO_AND = frozenset({"and", "und", "y", "e", "i", "of"})


def may_stand_inside(form: Form) -> bool:
    """Whether a letter may stand right before a form."""
    unspaced = form.script in UNSPACED and not form.literal
    return unspaced or form.script in PREFIXES


def hit_at(folded: str, start: int, entry: Entry, spoken: Languages) -> Hit | None:
    """The hit if what touches it allows it."""
    form = entry.form
    end = start + len(form.text)
    if form.script in UNSPACED and not form.literal:
        return _unspaced(folded, start, end, entry)
    if not _may_begin(folded, start, form):
        return None
    rest = _REST.match(folded, end)
    assert rest is not None
    tail = rest[0]
    hit = Hit(start, end, entry, entry.people, bent=False)
    if not tail:
        return hit if _may_end(folded, end, form) else None
    if tail.isdigit() and _MENTION.search(folded, max(0, start - _FAR), start):
        return hit._replace(end=rest.end())  # "@anna_muller99"
    if form.literal:
        return None
    if form.script == Script.HANGUL:  # what follows stays, it is no part of the name
        return hit if (AFTER_FAMILY.match(tail) if form.short else KOREAN.fullmatch(tail)) else None
    return hit._replace(end=rest.end(), bent=True) if _bends(form, tail, spoken) else None


def _may_begin(folded: str, start: int, form: Form) -> bool:
    """Whether no letter stands before, or only a prefix."""
    if not start or not is_letter(folded[start - 1]):
        return True
    prefixes = PREFIXES.get(form.script)
    before = _WORD_BEFORE.search(folded, max(0, start - 8), start)
    if prefixes is None or form.literal or before is None or len(form.text) < 3:
        return False
    return prefixes.fullmatch(before[0]) is not None


def _may_end(folded: str, end: int, form: Form) -> bool:
    """Whether a form may stand without an ending; "Don't" has none."""
    if not form.bare or folded[end : end + 2] == "'t":
        return False
    title = end + (folded[end : end + 1] == " ")
    return not form.short or AFTER_FAMILY.match(folded, title) is not None


def _bends(form: Form, tail: str, spoken: Languages) -> bool:
    if form.script == Script.DRAVIDIAN:
        return len(tail) <= DRAVIDIAN_LONGEST
    return any(
        tail in allowed and (language == ANY_LANGUAGE or language in spoken())
        for language, allowed in form.endings
    )


def _unspaced(folded: str, start: int, end: int, entry: Entry) -> Hit | None:
    """Chinese, Japanese, Thai: no spaces tell where a word begins."""
    form = entry.form
    before, after = folded[start - 1 : start], folded[end : end + 1]
    if form.short and not (AFTER_FAMILY.match(folded, end) or BEFORE_FAMILY.match(before)):
        return None
    if form.script == Script.KANA:
        katakana = _is_katakana(form.text[0])
        if (before and katakana and _is_katakana(before)) or (
            after and katakana and _is_katakana(after)
        ):
            return None
        if not katakana and len(form.text) < 3:
            return None
    return Hit(start, end, entry, entry.people, bent=False)


def _is_katakana(letter: str) -> bool:
    return "\u30a1" <= letter <= "\u30fa" or letter == "ー"


def is_written(text: str, folded: Folded, hit: Hit) -> bool:
    """Whether umlauts stand as the form needs them."""
    form = hit.entry.form
    if not form.written and not form.marked:
        return True
    start, end = folded.span(hit.start, hit.end)
    word = text[start:end]
    if form.marked and not word.isascii():
        return normalize("NFC", word).lower().startswith(form.marked)
    return normalize("NFC", word).lower().startswith(form.written)


def sure(text: str, folded: Folded, hits: list[Hit]) -> list[Hit]:
    """Without the names that are words and stand as words, and short ones in small letters."""
    if not any(hit.entry.form.word or hit.entry.form.capital for hit in hits):
        return hits
    hits.sort(key=lambda hit: hit.start)
    return [
        hit
        for at, hit in enumerate(hits)
        if _stands_as_name(text, folded, hit) or _beside(text, folded, at, hits)
    ]


def _stands_as_name(text: str, folded: Folded, hit: Hit) -> bool:
    form = hit.entry.form
    if not form.word and not form.capital:
        return True
    start, end = folded.span(hit.start, hit.end)
    if form.word:
        return is_name_here(text, start, end, place=form.place)
    return text[start : start + 1].isupper() or text[start - 1 : start] == "@"


def _beside(text: str, folded: Folded, at: int, hits: list[Hit]) -> bool:
    """Whether another name of the same person stands next to a hit.

    Both with capitals; or joined as in handles; or the other is a name only, no word.
    """
    hit = hits[at]
    start, end = folded.span(hit.start, hit.end)
    after = takewhile(lambda other: other.start <= hit.end + _LONGEST_GAP, hits[at + 1 :])
    before = takewhile(lambda other: other.start >= hit.start - _FAR, reversed(hits[:at]))
    for other in (*after, *before):
        if other.entry.token == hit.entry.token or not other.people & hit.people or other.bent:
            continue
        low, high = folded.span(other.start, other.end)
        between = text[end:low] if end <= low else text[high:start] if high <= start else "\n"
        capitals = text[start].isupper() and text[low].isupper()
        plain = not other.entry.form.word and (between == " " or between in _IN_HANDLES)
        mention = between in _IN_HANDLES and text[min(start, low) - 1 : min(start, low)] == "@"
        if plain or mention or (capitals and joins(between)):
            return True
    return False


def joins(gap: str) -> bool:
    """Whether what stands between two names makes them one: "Anna von Müller", "Müller, Anna"."""
    if gap == " ":
        return True
    if len(gap) > _LONGEST_GAP or "\n" in gap:
        return False
    words = _GAP_WORD.findall(gap)
    if not words:
        return _GAP.match(gap) is not None and not gap.startswith((". ", "- ", "_ "))
    if len(words) == 1 and len(words[0]) == 1 and f"{words[0]}." in gap:
        return gap.startswith(" ")  # "Anna M. Petrova"
    particles = all(word.lower() in PARTICLES - _ALSO_AND for word in words)
    return particles and _GAP.match(_GAP_WORD.sub("", gap)) is not None


def disjoint(hits: list[Hit]) -> list[Hit]:
    """The longest of those that overlap; of equally long ones what is not bent."""
    chosen: list[Hit] = []
    if len(hits) == 1:
        return hits
    merged: dict[tuple[int, int], Hit] = {}
    for hit in hits:
        key = (hit.start, hit.end)
        seen = merged.get(key)
        if seen is None or (seen.bent and not hit.bent):
            merged[key] = hit
        elif seen.bent == hit.bent:
            merged[key] = seen._replace(people=seen.people | hit.people)
    for hit in sorted(merged.values(), key=lambda hit: (hit.start - hit.end, hit.bent, hit.start)):
        at = bisect_left(chosen, hit.start, key=_start)
        clear = at == 0 or chosen[at - 1].end <= hit.start
        if clear and (at == len(chosen) or hit.end <= chosen[at].start):
            chosen.insert(at, hit)
    return chosen


def _start(hit: Hit) -> int:
    return hit.start
