"""What changed between two sealed versions: conversations, their messages, splits and rules.

First only hashes are compared: of every row of both versions, about 150 bytes are in memory at a
time. Rows themselves are read again for those conversations that changed, one by one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import polars as pl
import pyarrow.parquet as pq

from dataset.diff_rows import RowChange, diff_rows
from dataset.manifest import SPLITS, DatasetVersion, StepReport
from dataset.rows import row_digest
from ingest.errors import UserError

_BATCH = 1024
_INDEX = {"id": pl.String, "high": pl.UInt64, "low": pl.UInt64, "split": pl.UInt8, "at": pl.UInt32}


class DiffError(UserError):
    """Two versions that cannot be compared."""


class Held(NamedTuple):
    """A conversation and the split that holds it."""

    id: str
    split: str


class Moved(NamedTuple):
    """A conversation whose split changed; its content may have changed too."""

    id: str
    before: str
    after: str


class RuleChange(NamedTuple):
    """One thing that the two versions' specs say differently; None where one says nothing."""

    rule: str
    before: Any
    after: Any


class StepChange(NamedTuple):
    """A step whose report differs; None where a version has no such step."""

    name: str
    before: StepReport | None
    after: StepReport | None


@dataclass(frozen=True)
class VersionDiff:
    """Everything that differs.

    Attributes:
        before: the version to compare with.
        after: the version compared.
        added: conversations only in ``after``.
        removed: conversations only in ``before``.
        moved: conversations in another split than before.
        changed_count: conversations whose rows differ; :meth:`changed` reads them.
        unchanged: conversations whose rows are equal, moved or not.
        rules: what the specs say differently.
        steps: what the steps' reports say differently.
    """

    before: DatasetVersion
    after: DatasetVersion
    added: list[Held]
    removed: list[Held]
    moved: list[Moved]
    unchanged: int
    rules: list[RuleChange]
    steps: list[StepChange]
    _changed: pl.DataFrame

    @property
    def changed_count(self) -> int:
        """How many conversations :meth:`changed` gives."""
        return len(self._changed)

    def changed(self) -> Iterator[RowChange]:
        """The conversations that changed, in the order of ``after``; one is in memory at a time."""
        before, after = _Rows(self.before), _Rows(self.after)
        for split, at, split_before, at_before in self._changed.iter_rows():
            yield diff_rows(
                before.row(split_before, at_before),
                after.row(split, at),
                (SPLITS[split_before], SPLITS[split]),
            )


def diff_versions(before: DatasetVersion, after: DatasetVersion) -> VersionDiff:
    """Compare two versions, of one dataset or of two.

    Args:
        before: the version to compare with.
        after: the version that is looked at.

    Raises:
        DiffError: one holds conversations and the other preference pairs.
    """
    if before.spec.kind != after.spec.kind:
        raise DiffError(
            f"{before.ref} holds {before.spec.kind} rows, {after.ref} {after.spec.kind} rows",
            "compare versions of one kind",
        )
    both = _index(before).join(_index(after), on="id", how="full", suffix="_after", coalesce=True)
    order = ["split_after", "at_after", "split", "at"]
    common = both.filter(pl.col("at").is_not_null() & pl.col("at_after").is_not_null())
    equal = (pl.col("high") == pl.col("high_after")) & (pl.col("low") == pl.col("low_after"))
    changed = common.filter(~equal).sort(order[:2])
    moved = common.filter(pl.col("split") != pl.col("split_after")).sort(order[:2])
    added = both.filter(pl.col("at").is_null()).sort(order[:2])
    removed = both.filter(pl.col("at_after").is_null()).sort("split", "at")
    return VersionDiff(
        before=before,
        after=after,
        added=[Held(id_, SPLITS[at]) for id_, at in added.select("id", "split_after").iter_rows()],
        removed=[Held(id_, SPLITS[at]) for id_, at in removed.select("id", "split").iter_rows()],
        moved=[
            Moved(id_, SPLITS[one], SPLITS[other])
            for id_, one, other in moved.select("id", "split", "split_after").iter_rows()
        ],
        unchanged=len(common) - len(changed),
        rules=diff_rules(before, after),
        steps=diff_steps(before, after),
        _changed=changed.select(order),
    )


def _index(version: DatasetVersion) -> pl.DataFrame:
    """(rows,) id, 128 bits of the row's hash, split and place in its file."""
    parts = [pl.DataFrame(schema=_INDEX)]
    for split in version.splits:
        number, at = SPLITS.index(split), 0
        # read ahead, the whole file would stay in memory to the end
        with pq.ParquetFile(version.file(split), pre_buffer=False) as file:
            for batch in file.iter_batches(batch_size=_BATCH):
                rows = batch.to_pylist()
                digests = [row_digest(row) for row in rows]
                columns = {
                    "id": [row["id"] for row in rows],
                    "high": [int.from_bytes(digest[:8], "big") for digest in digests],
                    "low": [int.from_bytes(digest[8:16], "big") for digest in digests],
                    "split": [number] * len(rows),
                    "at": range(at, at + len(rows)),
                }
                parts.append(pl.DataFrame(columns, schema=_INDEX))
                at += len(rows)
    return pl.concat(parts)


class _Rows:
    """Rows of a version by their place; of each split, one row group is in memory."""

    def __init__(self, version: DatasetVersion) -> None:
        self._version = version
        self._files: dict[int, pq.ParquetFile] = {}
        self._starts: dict[int, list[int]] = {}
        self._groups: dict[int, tuple[int, Any]] = {}

    def row(self, split: int, at: int) -> dict[str, Any]:
        """The row at a place of a split's file."""
        if split not in self._files:
            file = self._files[split] = pq.ParquetFile(
                self._version.file(SPLITS[split]), pre_buffer=False
            )
            starts = [0]
            for number in range(file.num_row_groups):
                starts.append(starts[-1] + file.metadata.row_group(number).num_rows)
            self._starts[split] = starts
        starts = self._starts[split]
        group = next(n for n in range(len(starts) - 1) if starts[n] <= at < starts[n + 1])
        if self._groups.get(split, (None, None))[0] != group:
            self._groups[split] = (group, self._files[split].read_row_group(group))
        row: dict[str, Any] = self._groups[split][1].slice(at - starts[group], 1).to_pylist()[0]
        return row


def diff_rules(before: DatasetVersion, after: DatasetVersion) -> list[RuleChange]:
    """What the two specs, and the decisions by hand that were applied, say differently."""
    one, other = _rules(before), _rules(after)
    found: list[RuleChange] = []
    for name in dict.fromkeys((*one, *other)):
        was, now = one.get(name), other.get(name)
        if isinstance(was, dict) and isinstance(now, dict):  # a step that both have
            found += [
                RuleChange(f"{name}.{option}", was.get(option), now.get(option))
                for option in dict.fromkeys((*was, *now))
                if was.get(option) != now.get(option)
            ]
        elif was != now:
            found.append(RuleChange(name, was, now))
    return found


def _rules(version: DatasetVersion) -> dict[str, Any]:
    spec = version.spec.model_dump(mode="json")
    steps = spec.pop("steps")
    flat = dict(_flat(spec))
    names: list[str] = []
    for step in steps:
        name = step if isinstance(step, str) else step["name"]
        options = {} if isinstance(step, str) else {k: v for k, v in step.items() if k != "name"}
        # a step that stands twice has two rules
        key = name if name not in names else f"{name} ({names.count(name) + 1})"
        names.append(name)
        flat[f"steps.{key}"] = options
    flat["order of steps"] = names
    if version.curation is not None:
        flat["decisions by hand"] = version.curation.decisions
    return flat


def _flat(value: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, each in value.items():
        if isinstance(each, dict):
            yield from _flat(each, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", each


def diff_steps(before: DatasetVersion, after: DatasetVersion) -> list[StepChange]:
    """What the steps did differently, in the order of ``after``."""
    one = {step.name: step for step in before.steps}
    other = {step.name: step for step in after.steps}
    return [
        StepChange(name, one.get(name), other.get(name))
        for name in dict.fromkeys((*other, *one))
        if one.get(name) != other.get(name)
    ]
