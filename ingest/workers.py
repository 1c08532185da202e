"""An export read by several processes; what comes out is what one process makes of it.

Arrays of conversations are cut into blocks, each decoded by whichever process is free; a cut is a
guess that its block proves (see :func:`ingest.stream.iter_blocks`). Any other export is read by one
process while this one writes. DuckDB stays here: one process may write a store.
"""

import io
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain
from multiprocessing.connection import Connection
from pathlib import Path
from typing import BinaryIO

from ingest.archive import Export, open_export
from ingest.batch import Batch, batches, collect_seldom
from ingest.errors import UserError
from ingest.importers.base import Array, ArrayImporter, Importer, ImportOptions, Item
from ingest.stream import BLOCK, Block, Broken, CutError, iter_array, iter_blocks, read_block

# a process that starts anew: DuckDB's and Arrow's threads do not survive a fork
_CONTEXT = multiprocessing.get_context("spawn")
_AHEAD = 2
"""Blocks in flight beyond one for each process."""


def read_batches(
    export: Export, importer: Importer, options: ImportOptions, source: str, workers: int
) -> Iterator[Batch]:
    """What an importer reads, in batches, in the export's order.

    Args:
        export: as opened.
        importer: that reads it.
        options: for the importer.
        source: sha256 of the export.
        workers: processes to use besides this one; fewer than 2 read it here.

    Raises:
        ExportError: the export cannot be read as one.
    """
    if workers < 2:
        for batch in batches(importer.read(export, options), source):
            batch.position = export.position
            yield batch
    elif isinstance(importer, ArrayImporter):
        yield from _in_blocks(export, importer, source, workers)
    else:
        yield from _beside(export.path, importer, options, source)


def _in_blocks(
    export: Export, importer: ArrayImporter, source: str, workers: int
) -> Iterator[Batch]:
    before = 0
    with ProcessPoolExecutor(workers, _CONTEXT, initializer=_begin, initargs=(importer,)) as pool:
        try:
            for array in importer.arrays(export):
                for batch in _array_in_blocks(pool, array, importer, source, workers):
                    batch.position = min(before + array.member.position, export.size)
                    yield batch
                before += array.member.size
        except BrokenProcessPool:
            raise UserError(
                f"{export.path}: a process that read it was ended from outside",
                "it may have run out of memory; nothing was stored, try --workers 1",
            ) from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _array_in_blocks(
    pool: ProcessPoolExecutor, array: Array, importer: ArrayImporter, source: str, workers: int
) -> Iterator[Batch]:
    name = array.member.name
    pending: deque[tuple[int, Future[list[Batch] | None]]] = deque()
    with array.member.open() as file:
        path = _plain(file)
        for block in chain(iter_blocks(file, array.path, block=BLOCK), [None]):
            if isinstance(block, Broken):
                yield from batches([importer.item(name, block)], source)
                return
            if block is not None:
                sent = block._replace(data=b"") if path else block
                place = (path, len(block.data)) if path else None
                pending.append((block.offset, pool.submit(_read_one, name, sent, place, source)))
            while pending and (block is None or len(pending) >= workers + _AHEAD):
                offset, future = pending.popleft()
                found = future.result()
                if found is None:
                    # not an end of an element, or damage: from here on without guesses
                    for _, waiting in pending:
                        waiting.cancel()
                    yield from batches(_from(array, importer, offset), source)
                    return
                yield from found


def _plain(file: BinaryIO) -> str | None:
    """The path of a stream that is a file as it is, which another process may open, too."""
    if isinstance(file, io.BufferedReader) and isinstance(file.raw, io.FileIO):
        return str(file.name)
    return None


def _from(array: Array, importer: ArrayImporter, offset: int) -> Iterator[Item]:
    """The elements from a place on, told apart here as in one pass over the whole array."""
    with array.member.open() as file:
        for element in iter_array(file, importer.decode, path=array.path):
            if element.offset >= offset:
                yield importer.item(array.member.name, element)


def _begin(importer: ArrayImporter) -> None:
    """Make a fresh process a reader of one importer's blocks."""
    global _reader  # noqa: PLW0603 - a pool's process has no other place for what it keeps
    _end_with_parent()
    collect_seldom()
    _reader = importer


_reader: ArrayImporter


def _read_one(
    name: str, block: Block, place: tuple[str, int] | None, source: str
) -> list[Batch] | None:
    """The batches of a block; None if it is not one whole run of elements.

    Args:
        name: of the file, as shown.
        block: without data if they are to be read from a file.
        place: that file's path and the length of the data.
        source: sha256 of the export.
    """
    if place is not None:
        path, length = place
        with Path(path).open("rb", buffering=0) as file:
            file.seek(block.offset)
            block = block._replace(data=file.read(length))
    elements = read_block(block, _reader.decode)
    try:
        return list(batches((_reader.item(name, each) for each in elements), source))
    except CutError:
        return None


def _beside(path: Path, importer: Importer, options: ImportOptions, source: str) -> Iterator[Batch]:
    """Read an export in another process while the batches before are written."""
    here, there = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(
        target=_send, args=(there, path, importer, options, source), daemon=True
    )
    process.start()
    there.close()
    try:
        while not isinstance(batch := here.recv(), _End):
            yield batch
        if batch.error is not None:
            raise batch.error
    except EOFError:
        process.join()
        raise UserError(
            f"{path}: the process that read it ended with code {process.exitcode}",
            "nothing was stored; try --workers 1, which shows what went wrong",
        ) from None
    finally:
        here.close()
        process.terminate()
        process.join()


class _End:
    """The last thing that a reading process says.

    Attributes:
        error: the user's to mend, if reading ended with one.
    """

    def __init__(self, error: UserError | None) -> None:
        self.error = error


def _send(
    to: Connection, path: Path, importer: Importer, options: ImportOptions, source: str
) -> None:
    _end_with_parent()
    collect_seldom()
    error: UserError | None = None
    try:
        export = open_export(path)
        for batch in batches(importer.read(export, options), source):
            batch.position = export.position
            to.send(batch)
    except UserError as caught:
        error = caught
    to.send(_End(error))


def _end_with_parent() -> None:
    """Leave Ctrl-C to the parent, and end when it does, however it does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
