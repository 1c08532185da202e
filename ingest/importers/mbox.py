"""Where each mail of an mbox file begins and ends, without holding the file.

A mail begins after a ``From `` line with a time that a header follows; the same words in a text are
no border. (The separator is that of RFC 4155; many programs forget to escape it in texts.)
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from typing import IO, BinaryIO, NamedTuple

from ingest.archive import Member, plain_path

_BLOCK = 1 << 20
_KEPT = 4096
_BORDER = re.compile(
    rb"(?:\A|(?<=\n))From (?:[^\n]{0,300}\d{1,2}:\d{2}[^\n]{0,80}|- [^\n]{0,300})\r?\n"
    rb"(?=>?[!-9;-~]{1,80}:[ \t\r\n])"
)
_ESCAPED = re.compile(rb"^>(>*From )", re.MULTILINE)


class Span(NamedTuple):
    """Where a mail lies in its file, the ``From `` line left out."""

    start: int
    size: int


def is_mbox(head: bytes) -> bool:
    """Whether a file begins like an mbox."""
    return _BORDER.match(head.lstrip(b"\r\n")) is not None


def spans(file: BinaryIO) -> Iterator[Span]:
    """The mails of an mbox, found in one pass."""
    base = 0  # place of the window in the file
    window = b""
    begun: int | None = None
    while True:
        data = file.read(_BLOCK)
        window += data
        # a border near the end may lack the header that follows it
        limit = len(window) - _KEPT if data else len(window)
        for match in _BORDER.finditer(window):
            at = base + match.start()
            if match.start() >= limit:
                break
            if match.start() or at == 0:  # what a later window begins with has been seen
                if begun is not None:
                    yield Span(begun, at - begun)
                begun = base + match.end()
        if not data:
            break
        cut = max(limit - 1, 0)
        window, base = window[cut:], base + cut
    if begun is not None:
        yield Span(begun, base + len(window) - begun)


def unescaped(mail: bytes) -> bytes:
    """A mail's bytes with ``>From `` at the start of lines as it was written."""
    return _ESCAPED.sub(rb"\1", mail) if b">From " in mail else mail


class Source:
    """A member that is read at any place: a plain file as it is, others by way of a copy."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self._copy: IO[bytes] | None = None
        with member.open() as file:
            if plain_path(file) is None:
                self._copy = _copied(file)

    def read(self, span: Span) -> bytes:
        """The bytes of a span."""
        if self._copy is not None:
            return os.pread(self._copy.fileno(), span.size, span.start)
        with self.member.open() as file:
            file.seek(span.start)
            return file.read(span.size)

    def close(self) -> None:
        """Let go of the copy."""
        if self._copy is not None:
            self._copy.close()


def _copied(file: IO[bytes]) -> IO[bytes]:
    """A copy of a packed stream, which cannot go back; unlinked at once by the system."""
    copy = tempfile.TemporaryFile(prefix="turnmill-")  # noqa: SIM115
    try:
        shutil.copyfileobj(file, copy, _BLOCK)
        copy.flush()
    except BaseException:
        copy.close()
        raise
    return copy
