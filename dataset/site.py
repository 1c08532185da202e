"""The hidden folder in which a version is built, and what becomes of those of dead builds."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PREFIX = ".building-"
_LOCK = "lock"
_ORPHAN_S = 3600
"""Age in seconds from which a folder without a lock file is nobody's."""


@contextlib.contextmanager
def building_site(parent: Path) -> Iterator[Path]:
    """A fresh hidden folder in ``parent`` that is gone when the block ends, however it ends.

    It is locked while this process lives, so that a later build can tell it from the folder of one
    that died; those are removed here.
    """
    parent.mkdir(parents=True, exist_ok=True)
    sweep(parent)
    folder = Path(tempfile.mkdtemp(dir=parent, prefix=PREFIX))
    try:
        with (folder / _LOCK).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(parent: Path) -> list[Path]:
    """Remove the folders of builds that died.

    Returns:
        What was removed.
    """
    gone = []
    for folder in sorted(parent.glob(f"{PREFIX}*")):
        if _is_dead(folder):
            shutil.rmtree(folder, ignore_errors=True)
            gone.append(folder)
    return gone


def _is_dead(folder: Path) -> bool:
    # the system lets go of a lock when its process ends, whatever ended it
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR)
    except FileNotFoundError:
        return folder.is_dir() and time.time() - folder.stat().st_mtime > _ORPHAN_S
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True
