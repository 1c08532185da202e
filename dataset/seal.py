"""Rows into the files of a version: the same rows give the same bytes, however they arrive."""

from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from dataset.fingerprint import Fingerprint
from dataset.flow import DIGEST
from dataset.manifest import SPLITS, FileInfo, SplitCounts
from dataset.rows import ROW_SCHEMA, message_columns

ROW_GROUP = 2048
"""Rows of a row group, unless they are long."""

_GROUP_BYTES = 32 << 20
"""Bytes of message text from which a row group is full."""


class VersionWriter:
    """Writes ``data/<split>-00000.parquet`` into a folder, row group by row group.

    Rows keep the order in which they come, so that rows added later only add row groups after the
    last full one.

    Args:
        folder: of the version.
        schema: of the rows.
    """

    def __init__(self, folder: Path, schema: pa.Schema = ROW_SCHEMA) -> None:
        self._schema = schema
        self._data = folder / "data"
        self._data.mkdir(parents=True)
        self._splits: dict[str, _SplitWriter] = {}
        self._fingerprint = Fingerprint()

    def write(self, frame: pl.DataFrame, splits: pl.Series) -> None:
        """Add rows.

        Args:
            frame: with :data:`dataset.flow.DIGEST`.
            splits: (rows,) the name of each row's split.
        """
        for name in SPLITS:
            part = frame.filter(splits == name)
            if len(part):
                self._fingerprint.add(name, b"".join(part[DIGEST]))
                self._split(name).write(part.drop(DIGEST))

    def close(self) -> tuple[dict[str, SplitCounts], dict[str, FileInfo], str]:
        """Finish the files.

        Returns:
            Counts by split, files by path relative to the folder, and the fingerprint.
        """
        self._split("train")  # a version always has one
        counts, files = {}, {}
        for name in SPLITS:
            if (split := self._splits.get(name)) is not None:
                split.close()
                files[f"data/{split.file.name}"] = FileInfo.of(split.file)
                counts[name] = split.counts
        return counts, files, self._fingerprint.hexdigest()

    def abandon(self) -> None:
        """Let go of the files, which are of no use then."""
        for split in self._splits.values():
            split.abandon()

    def _split(self, name: str) -> "_SplitWriter":
        if name not in self._splits:
            file = self._data / f"{name}-00000.parquet"
            self._splits[name] = _SplitWriter(file, self._schema)
        return self._splits[name]


class _SplitWriter:
    def __init__(self, file: Path, schema: pa.Schema) -> None:
        self.file = file
        self._schema = schema
        self._columns = message_columns(schema)
        self._conversations = self._messages = self._assistant = 0
        self._waiting: list[pl.DataFrame] = []
        self._rows = self._bytes = 0
        # content-defined chunks: after a change, most pages are cut where they were cut before, and
        # a store that knows chunks takes only the new ones
        self._writer = pq.ParquetWriter(
            file, schema, compression="zstd", version="2.6", use_content_defined_chunking=True
        )

    @property
    def counts(self) -> SplitCounts:
        return SplitCounts(
            conversations=self._conversations,
            messages=self._messages,
            assistant_messages=self._assistant,
        )

    def write(self, frame: pl.DataFrame) -> None:
        self._count(frame)
        sizes = np.cumsum(sum(_text_bytes(frame[name]) for name in self._columns))
        start, before = 0, 0
        while start < len(frame):
            # where a group ends depends on the rows in it alone
            full = int(np.searchsorted(sizes, before + _GROUP_BYTES - self._bytes)) + 1
            end = min(full, start + ROW_GROUP - self._rows, len(frame))
            self._waiting.append(frame[start:end])
            self._rows += end - start
            self._bytes += int(sizes[end - 1]) - before
            start, before = end, int(sizes[end - 1])
            if self._rows >= ROW_GROUP or self._bytes >= _GROUP_BYTES:
                self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def abandon(self) -> None:
        self._writer.close()

    def _flush(self) -> None:
        if self._rows:
            # one chunk: the bytes must not depend on how the rows arrived
            table = pl.concat(self._waiting).to_arrow().cast(self._schema).combine_chunks()
            self._writer.write_table(table, row_group_size=ROW_GROUP)
        self._waiting, self._rows, self._bytes = [], 0, 0

    def _count(self, frame: pl.DataFrame) -> None:
        self._conversations += len(frame)
        for name in self._columns:
            # a conversation without messages explodes into one null
            roles = frame[name].explode().struct.field("role").drop_nulls()
            self._messages += len(roles)
            self._assistant += int((roles == "assistant").sum())


def _text_bytes(messages: pl.Series) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """(rows,) bytes of message text."""
    content = pl.element().struct.field("content").str.len_bytes()
    return messages.list.eval(content).list.sum().cast(pl.Int64).fill_null(0).to_numpy()
