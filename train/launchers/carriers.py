"""How a run's files travel to a rented machine and back: a place that outlives the machine.

A carrier holds files by name under one run's prefix. Names are relative POSIX paths. A file is
there whole or not at all; several files are not there together: a manifest that is put last says
which belong together (:mod:`train.launchers.pod_files`).
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from ingest.errors import UserError

_NAME = re.compile(r"[0-9A-Za-z_.][0-9A-Za-z_.@+=-]*")


class CarrierError(UserError):
    """A file could not be put, or is not where it was put."""


class Carrier(Protocol):
    """Holds a run's files where they outlive the machine."""

    def put(self, local: Path, name: str) -> None:
        """Put a file; one of that name is replaced.

        Raises:
            UserError: it did not arrive.
        """
        ...

    def put_all(self, files: Mapping[str, Path]) -> None:
        """Put several files by name, with as few calls as the carrier can.

        Raises:
            UserError: not all arrived.
        """
        ...

    def get(self, name: str, local: Path) -> None:
        """Read a file anew from where it lies; ``local`` appears whole or not at all.

        Raises:
            CarrierError: there is none of that name.
            UserError: it could not be read.
        """
        ...

    def names(self) -> dict[str, int]:
        """Bytes of every file by name; empty where nothing was ever put."""
        ...

    def delete(self, name: str) -> None:
        """Delete a file; none of that name is no error."""
        ...


def checked_name(name: str) -> str:
    """The name, if it stays under the prefix.

    Raises:
        CarrierError: it does not, or is none.
    """
    parts = name.split("/")
    if any(part in {".", ".."} or not _NAME.fullmatch(part) for part in parts):
        raise CarrierError(f"{name!r}: is no name of a file on a carrier", "")
    return name
