"""Drops conversations whose messages say exactly what an earlier conversation's do."""

import polars as pl
import pyarrow as pa
from pydantic import Field

from dataset.said import digests
from dataset.steps.base import CLUSTERS_SCHEMA, StepContext, StepOptions, StepResult, keep

REASON = "repeats an earlier one"


class DedupeExact:
    """Keeps the first of conversations with equal roles, contents and tool calls.

    Names, ids and times do not count: the same talk exported twice is one talk. Memory: about 150
    bytes a conversation.
    """

    name = "dedupe-exact"
    title = "drop exact repetitions of an earlier conversation"
    parallel = False

    class Options(StepOptions):
        """What counts as exact."""

        normalise: bool = Field(
            default=False,
            description="differences of case, white space and Unicode form (NFKC) do not count",
        )

    def __init__(self, options: Options, _context: StepContext) -> None:
        """See :class:`dataset.steps.base.Step`."""
        self._normalise = options.normalise
        self._first: dict[bytes, int] = {}
        self._ids: list[pa.StringArray] = []
        self._seen = 0
        self._repeats: list[tuple[int, str]] = []

    def apply(self, frame: pl.DataFrame) -> StepResult:
        """See the class."""
        ids = frame["id"].to_list()
        self._ids.append(pa.array(ids, pa.string()))
        reasons: list[str | None] = []
        for at, digest in enumerate(digests(frame, normalise=self._normalise), self._seen):
            first = self._first.setdefault(digest, at)
            reasons.append(None if first == at else REASON)
            if first != at:
                self._repeats.append((first, ids[at - self._seen]))
        self._seen += len(frame)
        return keep(frame, self.name, pl.Series("reason", reasons, pl.String))

    def clusters(self) -> pl.DataFrame:
        """See :class:`dataset.steps.base.ClusteringStep`."""
        ids = pa.chunked_array(self._ids, pa.string())
        firsts = ids.take(pa.array([first for first, _ in self._repeats], pa.int64()))
        dropped = [id_ for _, id_ in self._repeats]
        return pl.DataFrame(
            {"kept": firsts.to_pylist(), "dropped": dropped}, schema=CLUSTERS_SCHEMA
        )
