"""An export read by several processes; what comes out is what one process makes of it.

Arrays of conversations are cut into blocks, each decoded by whichever process is free; a cut is a
guess that its block proves (see :func:`ingest.blocks.iter_blocks`). Any other export is read by one
process while this one writes. DuckDB stays here: one process may write a store.
"""

import contextlib
import pickle
from collections.abc import Iterable, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from ingest.archive import Export, open_export, plain_path
from ingest.batch import Batch, batches, collect_seldom
from ingest.blocks import Block, CutError, iter_blocks, read_block
from ingest.errors import UserError
from ingest.importers.base import Array, ArrayImporter, Importer, ImportOptions, Item
from ingest.processes import WorkerError, follow_parent, in_order, start
from ingest.stream import BLOCK, Broken, iter_array


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
    arrays = importer.arrays(export)
    given_up: set[int] = set()  # arrays that are read on from a bad cut without guesses
    results = in_order(_BlockReader(importer, source), _blocks(arrays, given_up), workers)
    try:
        with contextlib.closing(results):
            for number, offset, found in results:
                if number in given_up:
                    continue
                made: Iterable[Batch] | None = found
                if made is None:
                    given_up.add(number)
                    made = batches(_from(arrays[number], importer, offset), source)
                for batch in made:
                    batch.position = export.position
                    yield batch
    except WorkerError:
        raise UserError(
            f"{export.path}: a process that read it was ended from outside",
            "it may have run out of memory; nothing was stored, try --workers 1",
        ) from None


class _Sent(NamedTuple):
    """A block on its way to a process.

    Attributes:
        array: number of its array.
        name: of the file, as shown.
        block: without data if they are to be read from a file.
        path: that file.
        length: bytes of the data.
    """

    array: int
    name: str
    block: Block | Broken
    path: Path | None = None
    length: int = 0


def _blocks(arrays: Sequence[Array], given_up: set[int]) -> Iterator[_Sent]:
    """The blocks of all arrays but of those given up meanwhile."""
    for number, array in enumerate(arrays):
        name = array.member.name
        with array.member.open() as file:
            path = plain_path(file)
            for block in iter_blocks(file, array.path, block=BLOCK):
                if number in given_up:
                    break
                if path is None or isinstance(block, Broken):
                    yield _Sent(number, name, block)
                else:
                    yield _Sent(number, name, block._replace(data=b""), path, len(block.data))


class _BlockReader:
    """Makes batches of a block, in any process.

    Args:
        importer: of the export.
        source: sha256 of the export.
    """

    def __init__(self, importer: ArrayImporter, source: str) -> None:
        self._importer = importer
        self._source = source

    def __call__(self, sent: _Sent) -> tuple[int, int, list[Batch] | None]:
        """Number of the array, offset of the block, and its batches; None if it is badly cut."""
        collect_seldom()
        block = sent.block
        place = sent.array, block.offset
        if isinstance(block, Broken):
            return *place, list(batches([self._importer.item(sent.name, block)], self._source))
        if sent.path is not None:
            with sent.path.open("rb", buffering=0) as file:
                file.seek(block.offset)
                block = block._replace(data=file.read(sent.length))
        elements = read_block(block, self._importer.decode)
        items = (self._importer.item(sent.name, each) for each in elements)
        try:
            return *place, list(batches(items, self._source))
        except CutError:
            return *place, None


def _from(array: Array, importer: ArrayImporter, offset: int) -> Iterator[Item]:
    """The elements from a place on, told apart here as in one pass over the whole array."""
    with array.member.open() as file:
        for element in iter_array(file, importer.decode, path=array.path):
            if element.offset >= offset:
                yield importer.item(array.member.name, element)


def _beside(path: Path, importer: Importer, options: ImportOptions, source: str) -> Iterator[Batch]:
    """Read an export in another process while the batches before are written."""
    worker = start(_send, path, importer, options, source)
    try:
        while not isinstance(batch := pickle.loads(worker.recv_bytes()), _End):  # noqa: S301
            yield batch
        if batch.error is not None:
            raise batch.error
    except EOFError:
        worker.process.join()
        raise UserError(
            f"{path}: the process that read it ended with code {worker.process.exitcode}",
            "nothing was stored; try --workers 1, which shows what went wrong",
        ) from None
    finally:
        worker.close()


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
    follow_parent()
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
