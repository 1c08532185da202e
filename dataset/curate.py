"""Decisions by hand as a rule of a build: who is excluded never takes part, tags select.

The store is never edited by it. A manifest says how many conversations were excluded and a hash of
the decisions that made a difference, so that two versions can be told apart by them.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from dataset.manifest import Curation, StepReport, Where
from ingest.decisions import Action
from ingest.errors import UserError
from ingest.store import Store
from ingest.store import Where as StoreWhere

STEP = "curation"
"""The name under which a manifest reports it, before the steps."""

EXCLUDED = "excluded by hand"


class CurationError(UserError):
    """A decision that cannot be made as it is given."""


@dataclass(frozen=True)
class Decided:
    """What became of a command.

    Attributes:
        action: what was asked.
        number: of the decision; None if nothing changes or nothing was written.
        conversations: ids of those that it changes.
        unchanged: how many were so already.
    """

    action: str
    number: int | None
    conversations: list[str]
    unchanged: int


def selected(store: Store, refs: Sequence[str], where: StoreWhere) -> list[str]:
    """The ids that a command names: by id, by the beginning of one, and by a selection.

    Raises:
        CurationError: nothing is named.
        StoreError: an id is unknown or fits several.
    """
    if not refs and where == StoreWhere():
        raise CurationError(
            "no conversation is named", "give ids, or --search, --participant or --importer"
        )
    ids = [store.find(ref)[1] for ref in refs]
    if where != StoreWhere():
        ids += store.ids(where)
    return list(dict.fromkeys(ids))


def decide(
    store: Store,
    action: Action,
    ids: Sequence[str],
    *,
    tags: Sequence[str] = (),
    reason: str | None = None,
    now: datetime,
    dry_run: bool = False,
) -> Decided:
    """Record a decision about conversations.

    Args:
        store: open.
        action: what to do.
        ids: of stored conversations.
        tags: for ``tag`` and ``untag``; at least one then.
        reason: why.
        now: when.
        dry_run: only say what would change.

    Raises:
        CurationError: a tag is missing or empty.
    """
    if action in ("tag", "untag") and not (tags and all(tag.strip() for tag in tags)):
        raise CurationError("no tag is named", "name one with --tag")
    changed = store.decisions.changed(action, ids, tags)
    number = None
    if not dry_run:
        number = store.decisions.add(action, ids, tags=tags, reason=reason, now=now)
    return Decided(action, number, changed, len(set(ids)) - len(changed))


@dataclass(frozen=True)
class Curated:
    """A selection after the decisions.

    Attributes:
        ords: order numbers of the conversations left, ascending.
        report: what was excluded; None if nothing was.
        record: for the manifest; None if no decision made a difference.
    """

    ords: list[int]
    report: StepReport | None = None
    record: Curation | None = None


def curated(store: Store, where: Where) -> Curated:
    """The conversations that a spec selects and nobody excluded.

    Args:
        store: open.
        where: of the spec.
    """
    ords = store.select_ords(where.importers, where.participants, where.since, where.until)
    applied: list[str] = []
    if where.tags or where.without_tags:
        ords = _by_tags(store, where, ords, applied)
    within = set(ords)
    excluded = [mark for mark in store.decisions.excluded() if mark.ord in within]
    report = None
    if excluded:
        gone = {mark.ord for mark in excluded}
        applied += [f"exclude {mark.id}" for mark in excluded]
        left = [ord_ for ord_ in ords if ord_ not in gone]
        report = StepReport(
            name=STEP, rows_in=len(ords), kept=len(left), dropped={EXCLUDED: len(excluded)}
        )
        ords = left
    if not applied:
        return Curated(ords)
    digest = hashlib.sha256("".join(f"{line}\n" for line in sorted(applied)).encode()).hexdigest()
    return Curated(ords, report, Curation(excluded=len(excluded), decisions=digest))


def _by_tags(store: Store, where: Where, ords: list[int], applied: list[str]) -> list[int]:
    """Those with a wanted and no unwanted tag; ``applied`` takes the decisions that told them."""
    wanted: set[int] = set()
    unwanted: set[int] = set()
    within = set(ords)
    for mark, tag in store.decisions.tagged([*where.tags, *where.without_tags]):
        if mark.ord not in within:
            continue
        applied.append(f"tag {mark.id} {tag}")
        if tag in where.tags:
            wanted.add(mark.ord)
        if tag in where.without_tags:
            unwanted.add(mark.ord)
    return [ord_ for ord_ in ords if (not where.tags or ord_ in wanted) and ord_ not in unwanted]
