"""Lines of a text export as ``str``, blank ones included, whatever its encoding and line ends."""

import codecs
import io
from collections.abc import Iterator

from ingest.archive import Member

MAX_LINE = 16 << 20
"""Characters after which a line without an end is cut; a damaged file must not fill the memory."""


def encoding_of(head: bytes, fallback: str = "cp1252") -> str:
    """The encoding that the first bytes of a file tell.

    Args:
        head: the first bytes; a character may be cut at their end.
        fallback: for bytes that are no UTF-8; old exports use the encoding of their country.
    """
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return fallback
    return "utf-8-sig"


def text_lines(member: Member, fallback: str = "cp1252") -> Iterator[str]:
    """The lines of a member without their ends (LF, CR LF or CR); bad bytes become U+FFFD."""
    encoding = encoding_of(member.head(), fallback)
    with (
        member.open() as file,
        io.TextIOWrapper(file, encoding=encoding, errors="replace") as text,
    ):
        while line := text.readline(MAX_LINE):
            yield line.removesuffix("\n")
