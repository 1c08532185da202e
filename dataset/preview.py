"""What a build would do: counts of every step, and examples with their text.

Nothing is sealed. The texts of examples are for a terminal; they go into no file and no log.
"""

from typing import Any, NamedTuple

import polars as pl

from dataset.assembly import Assembly
from dataset.flow import DIGEST, Progress, with_digests
from dataset.manifest import DatasetSpec, SplitReport, StepReport
from dataset.site import building_site
from dataset.steps.base import EXAMPLES, StepResult
from ingest.store import Store
from ingest.workspace import Workspace

_WIDTH = 80
"""Characters of an example's text."""


class Drop(NamedTuple):
    """A conversation that a step would drop: its id, why, and how it begins."""

    id: str
    reason: str
    text: str


class Change(NamedTuple):
    """What a step would change in a conversation.

    Attributes:
        id: of the conversation.
        message: number of the message, from 0; None for what stands above the messages.
        field: the first field that would differ.
        before: around the first difference.
        after: the same place afterwards.
    """

    id: str
    message: int | None
    field: str
    before: str
    after: str


class StepPreview(NamedTuple):
    """What one step would do."""

    report: StepReport
    title: str
    drops: list[Drop]
    changes: list[Change]


class Preview(NamedTuple):
    """What a build would do.

    Attributes:
        spec: with every option of every step spelled out.
        by_hand: what decisions by hand would leave out, if there are any.
        steps: in order.
        splits: conversations by split.
        split_report: what splitting would do.
    """

    spec: DatasetSpec
    by_hand: StepReport | None
    steps: list[StepPreview]
    splits: dict[str, int]
    split_report: SplitReport


def preview(
    store: Store,
    spec: DatasetSpec,
    workspace: Workspace,
    *,
    on_progress: Progress | None = None,
) -> Preview:
    """Do all that a build does but for writing it.

    Raises:
        BuildError: nothing would be left.
        SpecError: the spec names unknown steps, or options they do not take.
    """
    examples = _Examples(len(spec.steps))
    assembly = Assembly(store, spec, workspace, watch=examples.see, on_progress=on_progress)
    splits: dict[str, int] = {}
    with building_site(workspace.datasets) as scratch:
        for _, names in assembly.placed(scratch):
            for name, count in names.value_counts(name="n").iter_rows():
                splits[name] = splits.get(name, 0) + count
    if not splits:
        raise assembly.nothing_left()
    steps = [
        StepPreview(tally.report, step.title, examples.drops[at], examples.changes[at])
        for at, (step, tally) in enumerate(
            zip(assembly.flow.steps, assembly.flow.tallies, strict=True)
        )
    ]
    by_hand = assembly.source.curated.report
    return Preview(assembly.spec, by_hand, steps, splits, assembly.placement.report())


_ABOVE = ("title", "participants", "tools")


class _Examples:
    """The first few of what each step drops, by reason, and changes."""

    def __init__(self, steps: int) -> None:
        self.drops: list[list[Drop]] = [[] for _ in range(steps)]
        self.changes: list[list[Change]] = [[] for _ in range(steps)]

    def see(self, step: int, before: pl.DataFrame, result: StepResult) -> None:
        drops = self.drops[step]
        for example in result.examples:
            if sum(each.reason == example.reason for each in drops) < EXAMPLES:
                (row,) = before.filter(pl.col("id") == example.id).head(1).to_dicts()
                drops.append(Drop(example.id, example.reason, _beginning(row)))
        wanted = EXAMPLES - len(self.changes[step])
        if wanted > 0 and result.report.changed:
            self.changes[step] += _changes(before, result.frame, wanted)


def _beginning(row: dict[str, Any]) -> str:
    texts = [message["content"] for message in row["messages"] if message["role"] != "system"]
    return _short(" / ".join(filter(None, texts[:2])) or row["title"] or "")


def _changes(before: pl.DataFrame, after: pl.DataFrame, wanted: int) -> list[Change]:
    old, new = with_digests(before), with_digests(after)
    pairs = old.join(new, on="id", how="inner", suffix="_new", maintain_order="left")
    changed = pairs.filter(pl.col(DIGEST) != pl.col(f"{DIGEST}_new")).head(wanted)
    return [_change(row) for row in changed.iter_rows(named=True)]


def _change(row: dict[str, Any]) -> Change:
    """The first difference in a conversation: of the messages, else of what stands above them."""
    id_, old, new = row["id"], row["messages"], row["messages_new"]
    for number, (before, after) in enumerate(zip(old, new, strict=False)):
        for field in before:
            if before[field] != after[field]:
                return Change(id_, number, field, *_around(before[field], after[field]))
    number = min(len(old), len(new))
    if len(old) != len(new):
        rest = (old if len(old) > len(new) else new)[number]["content"] or ""
        texts = (_short(rest), "") if len(old) > len(new) else ("", _short(rest))
        return Change(id_, number, "messages", *texts)
    field = next(name for name in _ABOVE if row[name] != row[f"{name}_new"])
    before, after = (
        ", ".join(value) if isinstance(value, list) else value or ""
        for value in (row[field], row[f"{field}_new"])
    )
    return Change(id_, None, field, *_around(before, after))


def _around(before: Any, after: Any) -> tuple[str, str]:
    if not isinstance(before, str) or not isinstance(after, str):
        return _short(str(before)), _short(str(after))
    same = next(
        (at for at, (a, b) in enumerate(zip(before, after, strict=False)) if a != b),
        min(len(before), len(after)),
    )
    start = max(0, same - _WIDTH // 3)
    lead = "…" if start else ""
    return lead + _short(before[start:]), lead + _short(after[start:])


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "…"
