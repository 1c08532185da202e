"""The bytes of a zip while its members are read: no handle stays open behind anybody's back."""

import threading
import weakref
from pathlib import Path
from typing import IO


class ZipBytes:
    """The bytes of a zip as one file that is open only while a member is being read.

    A zip in a zip is copied to a temporary file instead, once: it has to be read from its end.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._users = 0
        self._lock = threading.Lock()

    def __enter__(self) -> "ZipBytes":
        with self._lock:
            if self._file is None:
                self._file = self._path.open("rb")
            self._users += 1
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0 and self._file is not None:
                self._file.close()
                self._file = None

    def keep(self, copy: IO[bytes]) -> None:
        """Read from a temporary copy, which is closed when nobody needs it any more."""
        self._file = copy
        self._users = 1
        weakref.finalize(self, copy.close)

    def _now(self) -> IO[bytes]:
        if self._file is None:
            raise ValueError("the archive is closed")
        return self._file

    # -- what zipfile asks of a file ------------------------------------------------------------

    def read(self, size: int = -1) -> bytes:
        """Bytes from the current position."""
        return self._now().read(size)

    def seek(self, position: int, whence: int = 0) -> int:
        """Move to a position."""
        return self._now().seek(position, whence)

    def tell(self) -> int:
        """The current position."""
        return self._now().tell()

    def seekable(self) -> bool:
        """It always is."""
        return True
