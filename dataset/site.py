"""Hidden folders in which versions are built or fetched, and what becomes of those of the dead.

Each holds a lock file that is locked while its process lives: the system lets go of a lock when a
process ends, whatever ended it.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ingest.errors import UserError
from ingest.workspace import make_folder

BUILDING = ".building-"
PULLING = ".pulling-"
_LOCK = "lock"
_ORPHAN_S = 3600
"""Age in seconds from which a folder without a lock file is nobody's."""


class SiteError(UserError):
    """A folder that another process works in."""


@contextlib.contextmanager
def building_site(parent: Path) -> Iterator[Path]:
    """A fresh hidden folder in ``parent`` that is gone when the block ends, however it ends.

    Those of builds that died are removed here.
    """
    parent.mkdir(parents=True, exist_ok=True)
    sweep(parent, BUILDING)
    folder = Path(tempfile.mkdtemp(dir=parent, prefix=BUILDING))
    try:
        with (folder / _LOCK).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def pulling_site(parent: Path, commit: str) -> Iterator[Path]:
    """The hidden folder for a commit, with what an earlier pull of it left there.

    It is gone when the block ends well, and stays for the next try when it does not. What dead
    pulls of other commits left is removed here: it may hold what nobody wants to have here.

    Raises:
        SiteError: another process pulls this commit.
    """
    folder = parent / f"{PULLING}{commit}"
    lock = _lock(folder)
    try:
        sweep(parent, PULLING)  # this one is locked
        yield folder
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)


def _lock(folder: Path) -> int:
    """Make a folder if there is none, and lock it.

    Returns:
        A descriptor; closing it, or the process, unlocks.
    """
    while True:
        make_folder(folder)
        try:
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:
            continue  # another process swept it away
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise SiteError(
                f"{folder}: another process works in it", "wait until that one has ended"
            ) from None
        if os.fstat(lock).st_nlink:
            return lock
        os.close(lock)  # swept away after it was opened


def sweep(parent: Path, *prefixes: str) -> list[Path]:
    """Remove the folders of processes that died.

    Args:
        parent: where they lie.
        prefixes: :data:`BUILDING`, :data:`PULLING`.

    Returns:
        What was removed.
    """
    folders = sorted(folder for prefix in prefixes for folder in parent.glob(f"{prefix}*"))
    return [folder for folder in folders if _remove_dead(folder)]


def _remove_dead(folder: Path) -> bool:
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR)
    except FileNotFoundError:
        dead = folder.is_dir() and time.time() - folder.stat().st_mtime > _ORPHAN_S
        if dead:
            shutil.rmtree(folder, ignore_errors=True)
        return dead
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)  # locked: nobody begins to use it meanwhile
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True
