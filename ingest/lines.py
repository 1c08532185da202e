"""The lines of a file of any size, in bounded memory."""

from collections.abc import Iterator
from typing import BinaryIO

from ingest.stream import BLOCK, MAX_ELEMENT
from ingest.window import BOM


def iter_lines(
    file: BinaryIO, *, block: int = BLOCK, max_line: int = MAX_ELEMENT
) -> Iterator[tuple[int, bytes]]:
    """The non-empty lines of a file with their byte offsets; a BOM is dropped.

    Yields:
        (offset, line) without the line end, LF or CR LF. A line longer than ``max_line`` comes
        out cut there.
    """
    rest = b""
    base = 0
    first = True
    while data := file.read(max(block, len(BOM), len(rest))):
        if first and data.startswith(BOM):
            data, base = data[len(BOM) :], len(BOM)
        first = False
        buf = rest + data
        start = 0
        while (end := buf.find(b"\n", start)) >= 0:
            line = buf[start:end].rstrip(b"\r")
            if line.strip():
                yield base + start, line
            start = end + 1
        rest = buf[start:]
        base += start
        if len(rest) > max_line:
            yield base, rest
            base, rest = base + len(rest), b""
    if rest.strip():
        yield base, rest.rstrip(b"\r")
