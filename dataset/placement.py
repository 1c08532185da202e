"""Which split each conversation goes to, with what belongs together in one.

The rule, in order of first import: a conversation goes where the groups that it belongs to are. If
it belongs to none yet, its own key or time decides. If it belongs to groups in two splits, it is
left out: nothing that was placed ever moves, and no group is ever in two splits. See
docs/design/splits.md.
"""

import functools
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from dataset.manifest import SPLITS, GroupBy, GroupCount, SplitReport, SplitSpec
from dataset.near.forest import Forest
from dataset.near.index import NearIndex
from dataset.pairs import conversation_of
from dataset.split import split_of
from dataset.steps.base import Rows

BRIDGES = "belongs to groups in two splits"
UNTIMED = "no time to split by"

_OUT = -1
_T = TypeVar("_T", bound=np.generic)


class Placement:
    """Places the rows of one build.

    Without groups, ``place`` takes batch after batch. With groups, every batch is shown to
    ``observe`` first, then ``settle`` decides.

    Args:
        spec: how to split.
        seed: salt of the hash.
        stand_ins: see :attr:`dataset.steps.base.StepContext.stand_ins`.
        selected: (id, thread) of every conversation that was read, in order.
    """

    def __init__(
        self,
        spec: SplitSpec,
        seed: int,
        stand_ins: Mapping[str, str],
        selected: Iterator[tuple[str, str]],
    ) -> None:
        self.grouped = bool(spec.group_by)
        """Whether every row must be observed before the first is placed."""
        self._spec = spec
        self._seed = seed
        self._stand_ins = stand_ins
        self._walk = _Walk(selected, stand_ins)
        self._own: list[npt.NDArray[np.int8]] = []
        self._ranks: list[npt.NDArray[np.int64]] = []
        self._tokens: dict[GroupBy, _Tokens] = {"participants": _Tokens(), "thread": _Tokens()}
        self._near = NearIndex(spec.near) if "near-duplicates" in spec.group_by else None
        self._near_groups = Forest()
        self._settled: npt.NDArray[np.int8] | None = None
        self._at = 0
        self._dropped: Counter[str] = Counter()

    def observe(self, frame: pl.DataFrame) -> None:
        """Look at a batch; every one, in order."""
        if self._near is not None:
            self._near.observe(frame)
        self._see(frame)

    def settle(self, rows: Rows) -> None:
        """Decide about all rows."""
        if self._near is not None:
            self._near.settle(rows)
        asked = [self._tokens[kind] for kind in self._spec.group_by if kind in self._tokens]
        own = _joined(self._own, np.int8)
        decided = _Decisions(self._spec, own, asked, self._near, self._near_groups)
        # what stands for an earlier conversation is placed when that would have been
        for row in np.argsort(_joined(self._ranks, np.int64), kind="stable").tolist():
            decided.decide(row)
        self._settled = decided.placed
        if self._near is not None:
            self._near.close()

    def place(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
        """The rows of a batch that go into the version, and the name of each one's split."""
        if self._settled is None:
            codes = own = self._see(frame)
        else:
            here = slice(self._at, self._at + len(frame))
            codes, own = self._settled[here], _joined(self._own, np.int8)[here]
        self._at += len(frame)
        untimed = int((own == _OUT).sum())
        self._dropped += Counter({UNTIMED: untimed, BRIDGES: int((codes == _OUT).sum()) - untimed})
        stays = pl.Series("stays", codes != _OUT)
        names = pl.Series("split", [SPLITS[code] for code in codes if code != _OUT], pl.String)
        return frame.filter(stays), names

    def report(self) -> SplitReport:
        """What became of the rows, and what is in two splits, counted over all rows placed."""
        placed = _joined(self._own, np.int8) if self._settled is None else self._settled
        groups = {
            kind: GroupCount(asked=kind in self._spec.group_by, **tokens.counted(placed))
            for kind, tokens in self._tokens.items()
        }
        if self._near is not None:
            clusters = self._near_groups.groups().values()
            parted = sum(len({int(placed[row]) for row in each}) > 1 for each in clusters)
            groups["near-duplicates"] = GroupCount(
                asked=True, groups=len(clusters), in_two_splits=parted
            )
        for kind, count in groups.items():
            if count.asked and count.in_two_splits:
                raise AssertionError(f"{count.in_two_splits} groups of {kind} are in two splits")
        return SplitReport(
            rows_in=self._at,
            kept=self._at - self._dropped.total(),
            dropped={reason: n for reason, n in self._dropped.items() if n},
            groups=groups,
        )

    def _see(self, frame: pl.DataFrame) -> npt.NDArray[np.int8]:
        """Note ranks and groups of the next rows; (rows,) the split that each alone would get."""
        first = sum(map(len, self._own))
        ids = frame["id"].to_list()
        found = [self._walk.to(id_) for id_ in ids]
        self._ranks.append(np.array([rank for rank, _ in found], np.int64))
        self._tokens["thread"].add(first, [(_token(thread),) for _, thread in found])
        people = [tuple(_token(name) for name in names) for names in _people(frame)]
        self._tokens["participants"].add(first, people)
        if self._spec.by == "time":
            codes = [_time_code(at, self._spec) for at in frame["created_at"].to_list()]
        else:
            # all pairs of a conversation go where it would go
            keys = [conversation_of(self._stand_ins.get(id_, id_)) for id_ in ids]
            codes = [SPLITS.index(split_of(key, self._spec, self._seed)) for key in keys]
        self._own.append(np.array(codes, np.int8))
        return self._own[-1]


class _Decisions:
    """Row after row: joins it to the groups that it belongs to, or leaves it out."""

    def __init__(
        self,
        spec: SplitSpec,
        own: npt.NDArray[np.int8],
        asked: list["_Tokens"],
        near: NearIndex | None,
        near_groups: Forest,
    ) -> None:
        self.placed = np.full(len(own), _OUT, np.int8)
        self._by_time = spec.by == "time"
        self._own = own
        self._asked = [tokens.by_row(len(own)) for tokens in asked]
        self._owners: list[dict[int, int]] = [{} for _ in asked]
        self._near = near
        self._near_groups = near_groups
        self._groups = Forest()

    def decide(self, row: int) -> None:
        if self._own[row] == _OUT:
            return
        near = self._near.match(row, self._near_groups) if self._near is not None else []
        tokens = [each.of(row) for each in self._asked]
        found = {self._groups.find(each) for each in near}
        for owners, values in zip(self._owners, tokens, strict=True):
            found |= {self._groups.find(owners[each]) for each in values if each in owners}
        splits = {int(self.placed[each]) for each in found}
        if self._by_time or not splits:
            splits.add(int(self._own[row]))
        if len(splits) > 1:
            return
        (self.placed[row],) = splits
        for each in found:
            self._groups.unite(each, row)
        for owners, values in zip(self._owners, tokens, strict=True):
            for each in values:
                owners.setdefault(each, row)
        if self._near is not None:
            for other in near:
                self._near_groups.unite(other, row)
            self._near.add(row, self._near_groups)


class _Tokens:
    """Hashes of what rows belong to, in order of the rows."""

    def __init__(self) -> None:
        self._rows: list[npt.NDArray[np.int32]] = []
        self._values: list[npt.NDArray[np.uint64]] = []

    def add(self, first: int, tokens: list[tuple[int, ...]]) -> None:
        """Add rows.

        Args:
            first: number of the first.
            tokens: of each.
        """
        sizes = [len(each) for each in tokens]
        numbers = np.arange(first, first + len(tokens), dtype=np.int32)
        self._rows.append(np.repeat(numbers, sizes))
        self._values.append(np.array([each for row in tokens for each in row], np.uint64))

    def by_row(self, rows: int) -> "_ByRow":
        """For looking them up."""
        starts = np.searchsorted(_joined(self._rows, np.int32), np.arange(rows + 1))
        return _ByRow(_joined(self._values, np.uint64), starts)

    def counted(self, placed: npt.NDArray[np.int8]) -> dict[str, int]:
        """How many groups have a placed row, and how many of them in more than one split."""
        codes = placed[_joined(self._rows, np.int32)]
        values = _joined(self._values, np.uint64)
        by_split = [np.unique(values[codes == code]) for code in range(len(SPLITS))]
        found, splits = np.unique(np.concatenate(by_split), return_counts=True)
        return {"groups": len(found), "in_two_splits": int((splits > 1).sum())}


class _ByRow:
    def __init__(self, values: npt.NDArray[np.uint64], starts: npt.NDArray[np.int64]) -> None:
        self._values = values
        self._starts = starts

    def of(self, row: int) -> list[int]:
        found: list[int] = self._values[self._starts[row] : self._starts[row + 1]].tolist()
        return found


class _Walk:
    """Finds kept conversations again among the selected, both being in the same order."""

    def __init__(self, selected: Iterator[tuple[str, str]], stand_ins: Mapping[str, str]) -> None:
        self._selected = enumerate(selected)
        self._stand_ins = stand_ins
        self._roots: frozenset[str] | None = None
        self._root_ranks: dict[str, int] = {}

    def to(self, id_: str) -> tuple[int, str]:
        """The rank and thread of the next kept conversation, which has this id.

        Raises:
            ValueError: a step changed the order or an id.
        """
        if self._roots is None:  # every step has decided when the first row comes out
            self._roots = frozenset(self._stand_ins.values())
        for rank, (selected, thread) in self._selected:
            if selected in self._roots:
                self._root_ranks[selected] = rank
            if selected == id_:
                root = self._stand_ins.get(id_)
                return self._root_ranks[root] if root is not None else rank, thread
        raise ValueError("the steps did not keep the rows' ids and order")


def _joined(parts: list[npt.NDArray[_T]], kind: type[_T]) -> npt.NDArray[_T]:
    return np.concatenate([*parts, np.empty(0, kind)])


def _people(frame: pl.DataFrame) -> Iterator[list[str]]:
    """Of each row, who takes part without being the assistant."""
    message = pl.element().struct
    assistant = message.field("name").filter(message.field("role") == "assistant")
    columns = frame.select(
        pl.col("participants").fill_null([]),
        pl.col("messages").list.eval(assistant.drop_nulls().unique()).fill_null([]).alias("spoken"),
    )
    for names, spoken in columns.iter_rows():
        yield [name for name in dict.fromkeys(names) if name not in spoken]


@functools.lru_cache(maxsize=1 << 16)
def _token(value: str) -> int:
    return int.from_bytes(hashlib.blake2b(value.encode(), digest_size=8).digest(), "big")


def _time_code(created_at: str | None, spec: SplitSpec) -> int:
    if created_at is None:
        return _OUT
    at = _aware(datetime.fromisoformat(created_at))
    if spec.test_from is not None and at >= _aware(spec.test_from):
        return SPLITS.index("test")
    if spec.validation_from is not None and at >= _aware(spec.validation_from):
        return SPLITS.index("validation")
    return SPLITS.index("train")


def _aware(at: datetime) -> datetime:
    # a time without a zone is nobody's; only for comparing is it taken for UTC
    return at if at.tzinfo else at.replace(tzinfo=UTC)
