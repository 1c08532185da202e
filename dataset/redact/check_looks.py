"""Looks through batches of sealed rows, in any process: what ``dataset.redact.check`` sends them.

Nearly all conversations hold nothing. A look at all texts of one at once tells which these are; the
others are looked at text by text. The first look calls too many suspect, never too few.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import polars as pl

from dataset.flow import Stopwatch
from dataset.preference import as_conversations
from dataset.redact.check_patterns import left_in, near
from dataset.redact.conversation import Talk
from dataset.redact.finding import PERSON
from dataset.redact.fold import fold_text
from dataset.redact.names import GENERIC, is_name
from dataset.redact.table import Talks
from dataset.redact.word_lists import WORD_NAMES
from dataset.redact.written import PLACEHOLDER

_WORD = re.compile(r"[^\W\d_]{4,}")
_SPACED = re.compile("[A-Za-z\u00c0-\u058f]")
_NO_NAMES = WORD_NAMES | GENERIC
_LOOKS = 4096


class Asked(NamedTuple):
    """What is looked for.

    Attributes:
        kinds: of ``check_patterns.KINDS``.
        people: the participants' names.
        keep: values that may stay, in small letters.
    """

    kinds: frozenset[str]
    people: bool
    keep: frozenset[str] = frozenset()


class Left(NamedTuple):
    """Something that should be gone, by place, never by value.

    Attributes:
        kind: of what it looks like.
        conversation: its id.
        position: the message's place in the row; None for the conversation's own fields.
        field: as in ``dataset.redact.ledger.LEDGER_SCHEMA``.
    """

    kind: str
    conversation: str
    position: int | None
    field: str


class Batch(NamedTuple):
    """What is looked through at once.

    Attributes:
        rows: of a version, conversations or preference pairs.
        names: of the participants, by conversation, of those that the store knows; None if not
            asked for.
    """

    rows: pl.DataFrame
    names: dict[str, list[str]] | None


class Seen(NamedTuple):
    """What a look through a batch found.

    Attributes:
        conversations: looked through.
        unknown: of these, those whose names should be known and are not.
        left: what was found, in the order of the rows.
        seconds: CPU seconds that it took.
    """

    conversations: int
    unknown: int
    left: list[Left]
    seconds: float


def ids_of(rows: pl.DataFrame) -> list[str]:
    """The ids of the conversations that rows of a version come from."""
    ids: list[str] = rows["conversation" if "conversation" in rows.columns else "id"].to_list()
    return ids


class Looks:
    """Looks through batches. Pickles.

    Args:
        asked: what is looked for.
    """

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._near = near(asked.kinds)
        self._look = lru_cache(maxsize=_LOOKS)(self._make_look)

    def __reduce__(self) -> tuple[Any, ...]:
        return Looks, (self._asked,)

    def __call__(self, batch: Batch) -> Seen:
        """See the class."""
        clock = Stopwatch()
        with clock.running():
            names = batch.names or {}
            rows = as_conversations(batch.rows)
            ids = ids_of(rows)
            looks = [self._look(tuple(names.get(id_, ()))) for id_ in ids]
            suspect = self._suspects(rows, looks)
            left = [
                Left(kind, ids[at], position, field)
                for at, talk in zip(suspect, Talks(rows[suspect]), strict=True)
                for kind, position, field in looks[at].through(talk)
            ]
        unknown = 0 if batch.names is None else sum(id_ not in names for id_ in ids)
        return Seen(len(ids), unknown, left, clock.seconds)

    def _make_look(self, names: tuple[str, ...]) -> "_Look":
        return _Look(self._asked, names)

    def _suspects(self, rows: pl.DataFrame, looks: list["_Look"]) -> list[int]:
        """The rows that may hold something."""
        bare = [PLACEHOLDER.sub(" ", text) for text in _joined(rows)]
        loud = pl.Series(bare, dtype=pl.String).str.contains(self._near).to_list()
        return [
            at
            for at, (is_loud, text, look) in enumerate(zip(loud, bare, looks, strict=True))
            if is_loud or look.names_in(text)
        ]


class _Look:
    """A look through conversations of the same people."""

    def __init__(self, asked: Asked, names: Iterable[str]) -> None:
        self._asked = asked
        plain = [fold_text(name) for name in names if is_name(name)]
        kept = [name for name in plain if name not in asked.keep]
        words = {word for name in kept for word in _WORD.findall(name)}
        self._words = words - _NO_NAMES - asked.keep
        # of scripts without spaces, and of names of short words, only the whole can be told
        self._wholes = [
            name
            for name in kept
            if len(name) > 1 and (not _SPACED.search(name) or (" " in name and len(name) > 4))
        ]

    def through(self, talk: Talk) -> Iterator[tuple[str, int | None, str]]:
        """(kind, position, field) of what is found; see :class:`Left`."""
        places = {
            (at, field, kind): None
            for at, field, text in _fields(talk)
            for kind in sorted(self._kinds(text))
        }
        for at, field, kind in places:
            yield kind, at, field

    def names_in(self, bare: str) -> bool:
        """Whether somebody is named in a text without placeholders."""
        if not self._words and not self._wholes:
            return False
        plain = fold_text(bare)
        if any(whole in plain for whole in self._wholes):
            return True
        within = any(word in plain for word in self._words)  # perhaps of a longer word
        return within and not self._words.isdisjoint(_WORD.findall(plain))

    def _kinds(self, text: str) -> set[str]:
        bare = PLACEHOLDER.sub(" ", text)
        found = {
            kind
            for kind, start, end in left_in(bare)
            if kind in self._asked.kinds and bare[start:end].casefold() not in self._asked.keep
        }
        if self.names_in(bare):
            found.add(PERSON)
        return found


def _fields(talk: Talk) -> Iterator[tuple[int | None, str, str]]:
    """(position, field, text) of every text of a conversation."""
    if talk.title:
        yield None, "title", talk.title
    if talk.tools:
        yield None, "tools", talk.tools
    for name in talk.participants:
        yield None, "participants", name
    for at, said in enumerate(talk.messages):
        if said.name and said.role != "tool":
            yield at, "name", said.name
        if said.content:
            yield at, "content", said.content
        if said.reasoning:
            yield at, "reasoning", said.reasoning
        for index, arguments in enumerate(said.arguments):
            yield at, f"tool_calls.{index}.arguments", arguments


def _joined(rows: pl.DataFrame) -> list[str]:
    """All texts of each conversation, each text on lines of its own; schema ``ROW_SCHEMA``."""

    def one(texts: pl.Expr) -> pl.Expr:
        return texts.list.join("\n", ignore_nulls=True)

    each = pl.element().struct
    arguments = pl.element().struct.field("arguments")
    messages = pl.col("messages").list
    said = [
        messages.eval(each.field("name")),
        messages.eval(each.field("content")),
        messages.eval(each.field("reasoning")),
        messages.eval(one(each.field("tool_calls").list.eval(arguments))),
    ]
    lists = [pl.col("participants"), *said]
    columns = [pl.col("title"), pl.col("tools"), *map(one, lists)]
    joined = pl.concat_str(columns, separator="\n", ignore_nulls=True)
    texts: list[str] = rows.select(joined).to_series().to_list()
    return texts
