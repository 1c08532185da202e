"""Runs of elements of an array, cut without decoding, that other processes can read."""

import io
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple

from ingest.stream import BLOCK, MAX_ELEMENT, Broken, Element, Splitter


class Block(NamedTuple):
    """A run of elements of an array, as bytes that another process can read.

    Attributes:
        offset: of its first byte in the file.
        data: the elements and the commas between them; the last block holds what follows them, too.
        last: whether the file ends with it.
        nested: whether the array lies inside a document.
    """

    offset: int
    data: bytes
    last: bool
    nested: bool


class CutError(Exception):
    """A block that is not one run of whole elements."""


def iter_blocks(
    file: BinaryIO, path: tuple[str, ...], *, block: int = BLOCK
) -> Iterator[Block | Broken]:
    """Cut the array at ``path`` into blocks of about ``block`` bytes, without decoding.

    A cut is only a guess, made where an object like the first one begins. :func:`read_block` proves
    it: if a block that begins with an element is nothing but elements to its last byte, the next
    block begins with an element as well.
    """
    yield from _Cutter(file, _undecoded, block, MAX_ELEMENT).blocks(path)


def _undecoded(raw: bytes) -> bytes:
    return raw


def read_block(block: Block, decode: Callable[[bytes], Any]) -> Iterator[Element | Broken]:
    """The elements of a block, one after the other.

    Args:
        block: one that begins with an element.
        decode: as for :func:`iter_array`.

    Raises:
        CutError: the block is not the last and does not end where an element does, or is damaged.
    """
    data = b"[" + block.data + (b"" if block.last else b"]")
    splitter = _Cutter(io.BytesIO(data), decode, len(data), MAX_ELEMENT)
    for item in splitter.array_of(block):
        if isinstance(item, Broken) and not block.last:
            raise CutError
        yield item


class _Cutter(Splitter):
    """One pass over an array that is to be cut, or over a piece of one."""

    def blocks(self, path: tuple[str, ...]) -> Iterator[Block | Broken]:
        """See :func:`iter_blocks`."""
        start = self.open_array(path)
        if start is None or isinstance(start, Broken):
            if start is not None:
                yield start
            return
        self._learn_head(start)
        self._refine(start)
        while True:
            start = self._drop_before(start)
            cut = self._cut(start)
            if cut is None:
                yield Block(self._base + start, self._buf[start:], last=True, nested=self._nested)
                return
            yield Block(self._base + start, self._buf[start:cut], last=False, nested=self._nested)
            start = self._after(cut)

    def array_of(self, block: Block) -> Iterator[Element | Broken]:
        """The elements of a block that has been made an array, with their places in the file."""
        self._fill()
        self._base = block.offset - 1
        self._nested = block.nested and block.last  # elsewhere nothing may follow the bracket
        yield from self._elements_from(self._skip_space(1))
