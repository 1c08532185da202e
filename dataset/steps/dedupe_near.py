"""Drops all but one of conversations that nearly repeat each other."""

from datetime import UTC, datetime
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
from pydantic import Field

from dataset.near.forest import Forest
from dataset.near.index import NearIndex
from dataset.steps.base import CLUSTERS_SCHEMA, Rows, StepContext, StepOptions, StepResult, keep

REASON = "nearly repeats another one"


class DedupeNear:
    """Keeps one of each cluster of conversations whose turns share most of their words.

    Clusters grow in order of first import. Which conversation is kept may change when data is
    added, but none that is kept ever moves: what stands for a cluster takes the place of the
    cluster's first in the split, and where a newcomer unites two clusters, one of the first
    cluster's is kept.
    """

    name = "dedupe-near"
    title = "drop all but one of conversations that nearly repeat each other"
    parallel = False

    class Options(StepOptions):
        """How alike, and which stays."""

        threshold: float = Field(
            default=0.8, gt=0, le=1, description="Jaccard similarity of five-word shingles"
        )
        keep: Literal["longest", "newest", "first"] = Field(
            default="longest", description="which of a cluster stays; of equals the first"
        )

    def __init__(self, options: Options, context: StepContext) -> None:
        """See :class:`dataset.steps.base.Step`."""
        self._keep = options.keep
        self._stand_ins = context.stand_ins
        self._index = NearIndex(options.threshold)
        self._ids: list[pa.StringArray] = []
        self._ranks: list[npt.NDArray[np.float64]] = []
        self._dropped = np.empty(0, np.bool_)
        self._facts: dict[str, int] = {}
        self._pairs: list[tuple[str, str]] = []
        self._at = 0

    def observe(self, frame: pl.DataFrame) -> None:
        """See :class:`dataset.steps.base.TwoPassStep`."""
        self._index.observe(frame)
        self._ids.append(pa.array(frame["id"].to_list(), pa.string()))
        self._ranks.append(_rank(frame, self._keep))

    def settle(self, rows: Rows) -> None:
        """See :class:`dataset.steps.base.SettlingStep`."""
        self._index.settle(rows)
        groups, first_of = self._grown()
        ids = pa.chunked_array(self._ids, pa.string())
        ranks = np.concatenate([*self._ranks, np.empty(0)])
        self._dropped = np.zeros(len(ranks), np.bool_)
        clusters = groups.groups()
        for first, members in clusters.items():
            own = [each for each in members if first_of[each] == first]
            kept = max(own, key=lambda each: (ranks[each], -each))
            self._dropped[[each for each in members if each != kept]] = True
            kept_id = ids[kept].as_py()
            self._pairs += [(kept_id, ids[each].as_py()) for each in members if each != kept]
            if kept != first:
                self._stand_ins[kept_id] = ids[first].as_py()
        self._facts = {
            "clusters": len(clusters),
            "largest cluster": max(map(len, clusters.values()), default=0),
            "pairs compared": self._index.compared,
        }
        self._index.close()

    def _grown(self) -> tuple[Forest, dict[int, int]]:
        """The clusters, and for each row the first of the cluster that it found when it came."""
        groups = Forest()
        first_of = {}
        for row in self._index.candidates:
            found = self._index.match(row, groups)
            first_of[row] = found[0] if found else row
            for each in found:
                groups.unite(each, row)
            self._index.add(row, groups)
        return groups, first_of

    def apply(self, frame: pl.DataFrame) -> StepResult:
        """See the class."""
        gone = self._dropped[self._at : self._at + len(frame)]
        self._at += len(frame)
        reasons = pl.Series("reason", [REASON if each else None for each in gone], pl.String)
        result = keep(frame, self.name, reasons)
        facts, self._facts = self._facts, {}  # reports of batches add up
        return result._replace(report=result.report.model_copy(update={"facts": facts}))

    def clusters(self) -> pl.DataFrame:
        """See :class:`dataset.steps.base.ClusteringStep`."""
        return pl.DataFrame(self._pairs, schema=CLUSTERS_SCHEMA, orient="row")


def _rank(frame: pl.DataFrame, rule: str) -> npt.NDArray[np.float64]:
    """(rows,) the higher, the rather a conversation is kept."""
    if rule == "longest":
        characters = pl.element().struct.field("content").str.len_chars()
        sizes = frame.select(pl.col("messages").list.eval(characters).list.sum())
        return sizes.to_series().cast(pl.Float64).fill_null(0.0).to_numpy()
    if rule == "newest":
        return np.array([_seconds(at) for at in frame["created_at"].to_list()], np.float64)
    return np.zeros(len(frame))


def _seconds(at: str | None) -> float:
    if at is None:
        return -np.inf
    time = datetime.fromisoformat(at)
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
