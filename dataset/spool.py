"""Rows on disk between two looks at them: what lets a build of any size fit into memory."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import cast

import polars as pl
import pyarrow as pa


class Spool:
    """Frames of one schema in an Arrow file, in order; the file goes when the block ends."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.rows = 0
        """Rows in all frames."""
        self.starts: list[int] = []
        """For each frame, the number of its first row."""
        self._schema: pa.Schema | None = None
        self._sink: pa.OSFile | None = None
        self._writer: pa.RecordBatchFileWriter | None = None

    def __enter__(self) -> "Spool":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()
        self.file.unlink(missing_ok=True)

    def write(self, frame: pl.DataFrame) -> None:
        """Add a frame; an empty one is left out."""
        if not len(frame):
            return
        table = frame.to_arrow().combine_chunks()
        if self._writer is None:
            self._schema = table.schema
            self._sink = pa.OSFile(str(self.file), "wb")
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            self._writer = pa.ipc.new_file(self._sink, self._schema, options=options)
        (batch,) = table.cast(self._schema).to_batches()
        self._writer.write_batch(batch)
        self.starts.append(self.rows)
        self.rows += len(frame)

    def __len__(self) -> int:
        """Frames."""
        return len(self.starts)

    def __iter__(self) -> Iterator[pl.DataFrame]:
        """Every frame; nothing can be added from now on."""
        for at in range(len(self)):
            yield self.frame(at)

    def frame(self, at: int) -> pl.DataFrame:
        """Frame number ``at``; nothing can be added from now on."""
        self._close()
        with pa.OSFile(str(self.file), "rb") as file, pa.ipc.open_file(file) as reader:
            return cast(pl.DataFrame, pl.from_arrow(reader.get_batch(at)))

    def _close(self) -> None:
        if self._writer is not None and self._sink is not None:
            self._writer.close()
            self._sink.close()
        self._writer = self._sink = None
