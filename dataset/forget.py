"""Erases a person, a conversation or a text from the workspace, and says what still holds it.

What is erased goes from the store, the kept copies of exports, the map of people, the journal of
decisions, the ledgers and the recorded clusters, and cannot be imported again. Sealed versions,
repositories, runs and models are not touched: they are named and written down (``dataset.taint``).

Everything outside the store goes first, the store last: after a crash the same command finds the
rest and goes on.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from dataset.holding import versions_holding
from dataset.hub.record import read_pushes
from dataset.manifest import DatasetVersion
from dataset.site import BUILDING, PULLING, sweep
from dataset.taint import Taint, TaintedVersion, add_taint
from dataset.traces import erase_people, erase_traces
from ingest.erasure import Stored, holds, names_word
from ingest.errors import UserError
from ingest.forgotten import forms, plain
from ingest.people_map import PeopleMap, load_people
from ingest.raw_erase import Erased, Holding, Known, Wanted, copies_holding, erase_copy, head_of
from ingest.store import Store, open_store, rewrite_store
from ingest.workspace import Workspace

_SHORTEST = 2
"""Characters of the shortest text that can be erased."""


class ForgetError(UserError):
    """Something that cannot be erased as it is named."""


@dataclass(frozen=True)
class Ask:
    """Whom or what to erase; at least one is given.

    Attributes:
        participant: a name, or an export's id, of somebody: every conversation they take part in.
        conversation: a conversation's id or, if it is stored, the beginning of it.
        matching: a text: every conversation that holds it; case does not matter.
    """

    participant: str | None = None
    conversation: str | None = None
    matching: str | None = None


class Offspring(NamedTuple):
    """What was made of a version: ids of runs and evaluations, names of models."""

    runs: Sequence[str] = ()
    models: Sequence[str] = ()
    evaluations: Sequence[str] = ()


MadeOf = Callable[[Sequence[DatasetVersion]], Mapping[str, Offspring]]
"""Tells by fingerprint what was made of versions. Runs and models are known further up."""


@dataclass(frozen=True)
class ForgetReport:
    """What was erased, or would be.

    Attributes:
        ids: of the conversations that the store held.
        messages: how many messages they had.
        copies: what became of kept copies of exports.
        versions: sealed versions that hold some of it, and what came of those.
        people: entries of the map of people.
        decisions: entries of the journal.
        ledger_rows: rows of ledgers and clusters.
        dry_run: nothing was erased.
    """

    ids: list[str]
    messages: int
    copies: list[Erased]
    versions: list[TaintedVersion]
    people: int = 0
    decisions: int = 0
    ledger_rows: int = 0
    dry_run: bool = False

    @property
    def runs(self) -> list[str]:
        """Runs that trained on those versions."""
        return sorted({run for version in self.versions for run in version.runs})

    @property
    def models(self) -> list[str]:
        """Models merged from those runs."""
        return sorted({model for version in self.versions for model in version.models})

    @property
    def evaluations(self) -> list[str]:
        """Evaluations on those versions or of those models."""
        return sorted({each for version in self.versions for each in version.evaluations})

    @property
    def repositories(self) -> list[str]:
        """Repositories to which those versions were pushed."""
        return sorted({repo for version in self.versions for repo in version.repositories})


@dataclass
class _Found:
    """What an erasure is about to take.

    Attributes:
        wanted: what to look for outside the store.
        stored: conversations in the store.
        names: names and ids of the person.
        texts: that were named.
        copies: kept copies of exports.
        versions: ids held by each version.
        known: what the store knows of exports.
    """

    wanted: Wanted
    stored: list[Stored]
    names: list[str]
    texts: list[str]
    copies: list[Holding] = field(default_factory=list)
    versions: list[tuple[DatasetVersion, frozenset[str]]] = field(default_factory=list)
    known: dict[str, Known] = field(default_factory=dict)

    def tells(self, text: str) -> bool:
        """Whether a short text tells of it: it holds a text, or a name as words of their own."""
        name_forms = tuple(form for name in self.names for form in forms(name))
        return holds(text, self.wanted.text_forms) or names_word(text, name_forms)

    @property
    def ids(self) -> set[str]:
        """Of every conversation, stored or only in a version."""
        return {each.id for each in self.stored}.union(*(ids for _, ids in self.versions))


def forget(
    ask: Ask, workspace: Workspace, *, made_of: MadeOf, now: datetime, dry_run: bool = False
) -> ForgetReport:
    """Erase.

    Args:
        ask: whom or what.
        workspace: where; its store must not be open.
        made_of: see :data:`MadeOf`.
        now: when.
        dry_run: only find out what would go.

    Raises:
        ForgetError: nothing is named, the text is too short, or the conversation is unknown.
        StoreError: the store is in use, or the disk cannot hold a copy of it for a moment.
    """
    people = load_people(workspace.people)
    with open_store(workspace.create().store) as store:
        found = _find(store, ask, people, workspace)
        versions = _versions(found, workspace, made_of)
        report = ForgetReport(
            ids=[each.id for each in found.stored],
            messages=sum(each.messages for each in found.stored),
            copies=[_foreseen(copy) for copy in found.copies],
            versions=versions,
            dry_run=dry_run,
        )
        if dry_run:
            return report
        if versions:
            add_taint(
                workspace,
                Taint(
                    time=now,
                    conversations=len(report.ids),
                    messages=report.messages,
                    versions=versions,
                ),
            )
        store.forgotten.add(conversations=found.ids, people=found.names, texts=found.texts, now=now)
        _sweep(workspace)
        copies = [_erase_copy(copy, found) for copy in found.copies]
        removed_people = erase_people(people, found.names, found.wanted.text_forms, workspace)
        ledger_rows = erase_traces(found.ids, found.names, found.texts, workspace)
        counts = _erase_stored(store, found, copies, workspace)
    rewrite_store(workspace.store)
    return ForgetReport(
        report.ids,
        report.messages,
        copies,
        versions,
        people=removed_people,
        decisions=counts["decisions"],
        ledger_rows=ledger_rows,
    )


# -- finding --------------------------------------------------------------------------------------


def _find(store: Store, ask: Ask, people: PeopleMap, workspace: Workspace) -> _Found:
    if ask == Ask():
        raise ForgetError("nothing is named", "give --participant, --conversation or --matching")
    ords: set[int] = set()
    ids: set[str] = set()
    names: list[str] = []
    texts: list[str] = []
    if ask.participant is not None:
        names = _names(store, ask.participant, people)
        ords.update(store.erasure.ords_of_people(names)[0])
    if ask.conversation is not None:
        id_ = ask.conversation
        if store.fitting(id_):
            ord_, id_ = store.find(id_)
            ords.add(ord_)
        ids.add(id_)
    if ask.matching is not None:
        if len(plain(ask.matching.strip())) < _SHORTEST:
            raise ForgetError("--matching: the text is too short", "give at least two characters")
        texts = [ask.matching.strip()]
        ords.update(store.erasure.ords_with_text(forms(texts[0])))
    stored = store.erasure.stored(ords)
    text_forms = tuple(form for text in texts for form in forms(text))
    heads = {head_of(each) for each, _, _ in store.stream_ords([each.ord for each in stored])}
    wanted = Wanted(
        ids=frozenset(ids | {each.id for each in stored}),
        hashes=frozenset(each.content_hash for each in stored),
        heads=frozenset(head for head in heads if head is not None),
        people=frozenset(map(plain, names)),
        text_forms=text_forms,
    )
    found = _Found(wanted, stored, names, texts)
    found.known = {sha256: Known(*facts) for sha256, facts in store.erasure.sources().items()}
    certain = frozenset(source for each in stored for source in each.sources)
    found.copies = list(copies_holding(workspace.raw, found.known, wanted, certain))
    found.versions = list(versions_holding(workspace, wanted))
    if ids and not (found.stored or found.copies or found.versions):
        raise ForgetError(
            f"{ask.conversation}: no such conversation", "list them with 'turnmill conversations'"
        )
    return found


def _names(store: Store, name: str, people: PeopleMap) -> list[str]:
    """Every name and id of a person: the map's, and those that exports put beside them."""
    if not name.strip():
        raise ForgetError("--participant: the name is empty", "see 'turnmill people'")
    names = {name}
    for person in people.people:
        if plain(name) in map(plain, person.names):
            names.update(person.names)
    return sorted(names | store.erasure.ords_of_people(names)[1])


def _versions(found: _Found, workspace: Workspace, made_of: MadeOf) -> list[TaintedVersion]:
    if not found.versions:
        return []
    offspring = made_of([version for version, _ in found.versions])
    pushes = read_pushes(workspace)
    return [
        TaintedVersion(
            name=version.name,
            fingerprint=version.fingerprint,
            conversations=len(ids),
            repositories=sorted(
                {push.repo for push in pushes if push.fingerprint == version.fingerprint}
            ),
            runs=sorted(made.runs),
            models=sorted(made.models),
            evaluations=sorted(made.evaluations),
        )
        for version, ids in found.versions
        for made in (offspring.get(version.fingerprint, Offspring()),)
    ]


def _foreseen(copy: Holding) -> Erased:
    outcome = "deleted" if copy.importer is None else "rewritten"
    return Erased(copy.sha256, outcome, copy.reason)  # type: ignore[arg-type]


# -- erasing --------------------------------------------------------------------------------------


def _sweep(workspace: Workspace) -> None:
    """Remove half copies and half versions of processes that died: the store is open here alone."""
    for part in workspace.raw.glob(".*.part"):
        part.unlink()
    # made again from the versions that are left
    shutil.rmtree(workspace.rendered, ignore_errors=True)
    for folder in (workspace.datasets, *workspace.datasets.glob("*/")):
        sweep(folder, BUILDING, PULLING)


def _erase_copy(copy: Holding, found: _Found) -> Erased:
    known = found.known.get(copy.sha256)
    name = Path(known.path).name if known else ""
    if not name.endswith(".json") or found.tells(name):  # it may name what is erased
        name = "conversations.json"
    return erase_copy(copy, found.wanted, name)


def _erase_stored(
    store: Store, found: _Found, copies: Sequence[Erased], workspace: Workspace
) -> dict[str, int]:
    touched = {copy.sha256 for copy in copies}
    touched |= {source for each in found.stored for source in each.sources}
    # nobody can look into exports of which no copy is kept: they are read anew when they come again
    kept = {file.name.partition(".")[0] for file in workspace.raw.glob("*.*")}
    with store.transaction():
        return store.erasure.erase(
            found.stored,
            sources=touched | (found.known.keys() - kept),
            renamed={copy.sha256: copy.renamed for copy in copies if copy.renamed is not None},
            tells=found.tells,
        )
