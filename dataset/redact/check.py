"""Looks once more through a sealed version for what redaction should have taken out.

Apart from redaction: other patterns, and the participants' names as plain words. It says where and
of which kind, never what.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import polars as pl
import pyarrow.parquet as pq

from dataset.manifest import SPLITS, DatasetVersion, StepReport, StepSpec
from dataset.preference import as_conversations
from dataset.redact.check_patterns import KINDS, left_in
from dataset.redact.conversation import Talk
from dataset.redact.finding import PERSON
from dataset.redact.fold import fold_text
from dataset.redact.names import GENERIC, is_name
from dataset.redact.table import Talks
from dataset.redact.word_lists import WORD_NAMES
from dataset.redact.written import PLACEHOLDER
from ingest.errors import UserError
from ingest.store import Store, open_store
from ingest.workspace import Workspace

_BATCH = 1024
_WORD = re.compile(r"[^\W\d_]{4,}")
_SPACED = re.compile("[A-Za-z\u00c0-\u058f]")

NamesOf = Callable[[Sequence[str]], dict[str, list[str]]]
"""Gives the participants' names by conversation id, of those ids that the store knows."""


class RedactCheckError(UserError):
    """A version that still holds what its redaction step should have taken out."""


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


@dataclass(frozen=True)
class CheckReport:
    """What a look through a version found.

    Attributes:
        conversations: looked through.
        unknown: of these, conversations that the store does not hold: their names are not known.
        left: what was found.
    """

    conversations: int
    unknown: int
    left: Sequence[Left]

    @property
    def clean(self) -> bool:
        """Whether nothing was found, and everything could be looked for."""
        return not self.left and not self.unknown

    @property
    def by_kind(self) -> dict[str, int]:
        """How often each kind was found, most often first."""
        return dict(Counter(each.kind for each in self.left).most_common())


def check_version(version: DatasetVersion, workspace: Workspace) -> CheckReport:
    """Look through a version for everything that the check knows, whatever its spec asked for.

    Values that its redaction step was told to keep are no finds.

    Raises:
        StoreError: the store is open elsewhere.
    """
    files = [version.file(split) for split in SPLITS if split in version.splits]
    keep = [value for step in redact_steps(version.spec.steps) for value in step.get("keep", [])]
    asked = Asked(KINDS, people=True, keep=frozenset(value.casefold() for value in keep))
    with open_store(workspace.create().store) as store:
        return check_files(files, asked, store.participants_of)


def checked_reports(
    reports: Sequence[StepReport], files: Iterable[Path], steps: Sequence[StepSpec], store: Store
) -> list[StepReport]:
    """The reports of a build's steps, with what is left noted among the redaction's facts.

    Looked for is what the redaction steps were asked to take out.

    Args:
        reports: of the steps.
        files: as written, before they are sealed.
        steps: with every option spelled out.
        store: open.

    Raises:
        RedactCheckError: something is left, and a step's ``check`` is "fail".
    """
    options = [each for each in redact_steps(steps) if each["check"] != "off"]
    if not options:
        return list(reports)
    asked = Asked(
        frozenset(kind for each in options for kind in each["kinds"]) & KINDS,
        people=any(each["people"] for each in options),
        keep=frozenset(value.casefold() for each in options for value in each["keep"]),
    )
    found = check_files(files, asked, store.participants_of)
    if found.left and any(each["check"] == "fail" for each in options):
        raise RedactCheckError(
            f"redaction left something in {len({each.conversation for each in found.left})} "
            f"conversations: {told(found.by_kind)}",
            "no version was made; see them with check = 'warn' and 'turnmill redact-check', "
            "then add patterns, or values to keep",
        )
    left = {f"left: {kind}": count for kind, count in found.by_kind.items()}
    return [
        each.model_copy(update={"facts": {**each.facts, **left}}) if each.name == "redact" else each
        for each in reports
    ]


def told(by_kind: Mapping[str, int]) -> str:
    """Counts by kind in words."""
    return ", ".join(f"{count} {kind}" for kind, count in by_kind.items())


def redact_steps(steps: Sequence[StepSpec]) -> list[dict[str, Any]]:
    """The options of the redaction steps among a spec's."""
    return [dict(step.options) for step in steps if step.name == "redact"]


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


def check_files(files: Iterable[Path], asked: Asked, names_of: NamesOf) -> CheckReport:
    """Look through parquet files of rows.

    Args:
        files: of conversations, or of preference pairs.
        asked: what is looked for.
        names_of: see the type.
    """
    conversations = unknown = 0
    left: list[Left] = []
    for file in files:
        with pq.ParquetFile(file, pre_buffer=False) as opened:
            for batch in opened.iter_batches(batch_size=_BATCH):
                talks = Talks(as_conversations(cast(pl.DataFrame, pl.from_arrow(batch))))
                names = names_of(talks.ids) if asked.people else {}
                conversations += len(talks.ids)
                for id_, talk in zip(talks.ids, talks, strict=True):
                    unknown += asked.people and id_ not in names
                    look = _Look(asked, names.get(id_, ()))
                    left += [Left(kind, id_, at, field) for kind, at, field in look.through(talk)]
    return CheckReport(conversations, unknown, left)


class _Look:
    """A look through one conversation."""

    def __init__(self, asked: Asked, names: Iterable[str]) -> None:
        self._asked = asked
        plain = [fold_text(name) for name in names if is_name(name)]
        kept = [name for name in plain if name not in asked.keep]
        self._words = frozenset(word for name in kept for word in _WORD.findall(name))
        self._words -= WORD_NAMES | GENERIC | asked.keep
        # of scripts without spaces, and of names of short words, only the whole can be told
        self._wholes = [
            name
            for name in kept
            if len(name) > 1 and (not _SPACED.search(name) or (" " in name and len(name) > 4))
        ]

    def through(self, talk: Talk) -> Iterator[tuple[str, int | None, str]]:
        places = {
            (at, field, kind): None
            for at, field, text in _fields(talk)
            for kind in sorted(self._kinds(text))
        }
        for at, field, kind in places:
            yield kind, at, field

    def _kinds(self, text: str) -> set[str]:
        bare = PLACEHOLDER.sub(" ", text)
        found = {
            kind
            for kind, start, end in left_in(bare)
            if kind in self._asked.kinds and bare[start:end].casefold() not in self._asked.keep
        }
        if self._words or self._wholes:
            plain = fold_text(bare)
            if not self._words.isdisjoint(_WORD.findall(plain)) or any(
                whole in plain for whole in self._wholes
            ):
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
