"""Which conversations nearly repeat another: MinHash signatures propose, true Jaccard decides.

A signature is cut into bands; rows that agree in a whole band share a bucket and are compared,
shingle set by shingle set. So no pair is ever called alike that is not; a pair at the threshold is
missed with a probability below one in a thousand, and where very many unlike rows share a bucket.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from rensa import RMinHash

from dataset.near.forest import Forest
from dataset.said import shingles
from dataset.steps.base import Rows

PERMUTATIONS = 128
"""Length of a signature."""

_SEED = 1
_RECALL = 0.999
_PER_GROUP = 16
"""Members of one group in one bucket that later rows are compared with."""
_PER_BUCKET = 256
"""Members of one bucket that later rows are compared with."""


class Banding(NamedTuple):
    """How signatures are cut: ``bands`` runs of ``rows`` numbers."""

    bands: int
    rows: int


def banding(threshold: float) -> Banding:
    """The most selective banding that finds pairs at the threshold with probability 0.999.

    A pair of Jaccard similarity s shares a band of r numbers with probability s**r, and one of b
    bands with 1 - (1 - s**r)**b (Leskovec, Rajaraman, Ullman: Mining of Massive Datasets, 3.4).
    """
    for rows in range(PERMUTATIONS, 1, -1):
        bands = PERMUTATIONS // rows
        if 1 - (1 - threshold**rows) ** bands >= _RECALL:
            return Banding(bands, rows)
    return Banding(PERMUTATIONS, 1)


class NearIndex:
    """Rows are shown to it in order (``observe``), then asked about in any order (``match``).

    Memory: 4 bytes a band and row until ``settle``, then a few for each row in a shared bucket.
    Shingle sets of those lie on disk.

    Args:
        threshold: Jaccard similarity of shingle sets from which two rows are alike, 0 to 1.
    """

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self.compared = 0
        """Pairs whose true similarity was computed."""
        self._banding = banding(threshold)
        self._keys: list[npt.NDArray[np.uint32]] = []
        self._filled: list[npt.NDArray[np.bool_]] = []
        self._buckets_of: dict[int, npt.NDArray[np.int32]] = {}
        # most buckets ever hold one row that another is compared with: a list each would be dear
        self._seen: dict[int, int | list[int]] = {}
        self._left = np.empty(0, np.int64)
        self._sets: _Sets | None = None

    def observe(self, frame: pl.DataFrame) -> None:
        """Look at the next rows."""
        hashes, starts = shingles(frame)
        matrix = RMinHash.digest_matrix_from_flat_token_hashes(
            hashes, starts.astype(np.uint64), PERMUTATIONS, _SEED
        )
        signatures = np.array(matrix.to_rows(), np.uint64).reshape(len(frame), PERMUTATIONS)
        self._keys.append(_band_keys(signatures, self._banding))
        self._filled.append(np.diff(starts) > 0)

    def settle(self, rows: Rows) -> None:
        """Find the shared buckets, and put the shingle sets of the rows in them on disk."""
        members, buckets = self._shared()
        self._keys, self._filled = [], []
        self._left = np.bincount(buckets)
        order = np.argsort(members, kind="stable")
        members, buckets = members[order], buckets[order]
        candidates, firsts = np.unique(members, return_index=True)
        for row, each in zip(candidates, np.split(buckets, firsts[1:]), strict=bool(len(firsts))):
            self._buckets_of[int(row)] = each
        self._sets = _Sets(rows, candidates)

    @property
    def candidates(self) -> list[int]:
        """Rows that share a bucket with another, in order."""
        return list(self._buckets_of)

    def match(self, row: int, groups: Forest) -> list[int]:
        """The groups with an added member that is like this row; their names, in order.

        Args:
            row: its number in the order of ``observe``.
            groups: of the rows added so far; within a group, not every member is compared.
        """
        found: set[int] = set()
        tested: set[int] = set()
        for bucket in self._buckets_of.get(row, ()):
            for other in self._members(int(bucket)):
                if other not in tested and groups.find(other) not in found:
                    tested.add(other)
                    if self._alike(row, other):
                        found.add(groups.find(other))
        return sorted(found)

    def add(self, row: int, groups: Forest) -> None:
        """Make the row one that later rows are compared with."""
        root = groups.find(row)
        for each in self._buckets_of.get(row, ()):
            bucket = int(each)
            self._left[bucket] -= 1
            if not self._left[bucket]:  # nobody will ask about it any more
                self._seen.pop(bucket, None)
                continue
            members = self._members(bucket)
            alike = sum(groups.find(other) == root for other in members)
            if not members:
                self._seen[bucket] = row
            elif len(members) < _PER_BUCKET and alike < _PER_GROUP:
                members.append(row)
                self._seen[bucket] = members

    def _members(self, bucket: int) -> list[int]:
        found = self._seen.get(bucket)
        if found is None:
            return []
        return found if isinstance(found, list) else [found]

    def close(self) -> None:
        """Let go of what lies on disk."""
        if self._sets is not None:
            self._sets.close()

    def _alike(self, one: int, other: int) -> bool:
        assert self._sets is not None
        a, b = self._sets.of(one), self._sets.of(other)
        if min(len(a), len(b)) < self.threshold * max(len(a), len(b)):
            return False
        self.compared += 1
        both = len(np.intersect1d(a, b, assume_unique=True))
        return both >= self.threshold * (len(a) + len(b) - both)

    def _shared(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """(entries,) rows and (entries,) buckets: who is in which bucket with another."""
        filled = np.flatnonzero(np.concatenate([*self._filled, np.empty(0, np.bool_)]))
        rows_found, buckets_found, made = [], [], 0
        for band in range(self._banding.bands):
            keys = np.concatenate([*(each[band] for each in self._keys), np.empty(0, np.uint32)])
            keys = keys[filled]
            order = np.argsort(keys, kind="stable")
            ordered = keys[order]
            begins = np.concatenate([[True], ordered[1:] != ordered[:-1]])[: len(ordered)]
            number = np.cumsum(begins) - 1
            shared = (np.bincount(number, minlength=1) > 1)[number]
            bucket = np.cumsum(begins[shared]) + (made - 1)
            rows_found.append(filled[order][shared].astype(np.int32))
            buckets_found.append(bucket.astype(np.int32))
            made += int(begins[shared].sum())
        return np.concatenate(rows_found), np.concatenate(buckets_found)


def _band_keys(signatures: npt.NDArray[np.uint64], cut: Banding) -> npt.NDArray[np.uint32]:
    """(bands, rows of the frame) one number for what a signature says in a band."""
    used = signatures[:, : cut.bands * cut.rows].reshape(len(signatures), cut.bands, cut.rows)
    keys = np.zeros(used.shape[:2], np.uint64)
    for at in range(cut.rows):
        keys = (keys ^ used[:, :, at]) * np.uint64(0x9E3779B97F4A7C15)
        keys ^= keys >> np.uint64(32)
    return np.ascontiguousarray(keys.T.astype(np.uint32))


class _Sets:
    """Shingle sets of some rows, sorted, in a file that is mapped into memory."""

    def __init__(self, rows: Rows, wanted: npt.NDArray[np.int32]) -> None:
        self._file = rows.file.with_suffix(".shingles")
        self._places: dict[int, tuple[int, int]] = {}
        size = 0
        with self._file.open("wb") as file:
            for row, shingle_set in _shingle_sets(rows, wanted):
                self._places[row] = (size, size + len(shingle_set))
                size += len(shingle_set)
                file.write(shingle_set.tobytes())
        self._all = _mapped(self._file) if size else np.empty(0, np.uint64)

    def of(self, row: int) -> npt.NDArray[np.uint64]:
        begin, end = self._places[row]
        return self._all[begin:end]

    def close(self) -> None:
        self._all = np.empty(0, np.uint64)
        self._file.unlink(missing_ok=True)


def _mapped(file: Path) -> npt.NDArray[np.uint64]:
    return np.memmap(file, np.uint64, mode="r")


def _shingle_sets(
    rows: Rows, wanted: npt.NDArray[np.int32]
) -> Iterator[tuple[int, npt.NDArray[np.uint64]]]:
    starts = np.array(rows.starts, np.int64)
    frame_of = np.searchsorted(starts, wanted, side="right") - 1
    for at in np.unique(frame_of):
        numbers = wanted[frame_of == at]
        frame = rows.frame(int(at))[numbers - starts[at]]
        hashes, begins = shingles(frame)
        for place, number in enumerate(numbers):
            yield int(number), np.unique(hashes[begins[place] : begins[place + 1]])
