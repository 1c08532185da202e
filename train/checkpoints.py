"""Checkpoints that are whole or not there, and the last one that still is what it was.

A checkpoint is written under a hidden name, flushed, listed with its hashes in
``checkpoint.json``, and then renamed. What has no such list, or differs from it, is never resumed.
"""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ingest.errors import UserError
from ingest.files import read_json, sha256_file, write_json

SEAL = "checkpoint.json"
# the weights with the lowest loss on the validation split, in the run's folder
BEST = "best"
_PART = ".part"
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# libraries write files in C++ or Rust and raise errors of their own that only say it in words
_NO_ROOM_WORDS = ("No space left", "File too large", "quota exceeded", "PytorchStreamWriter",
                  "inline_container")  # fmt: skip


class DiskError(UserError):
    """A file of a run could not be written for want of room."""


class Progress(NamedTuple):
    """Our own counts at a checkpoint; the trainer's restart with each resume.

    Attributes:
        step: optimiser steps done.
        tokens: tokens seen, padding not counted.
        trained_tokens: tokens among them that counted in the loss.
        seconds: spent on these steps.
        loss_before: on the validation split, before the first step.
        best_loss: the lowest on it since.
        best_step: steps done when it was taken.
        losses_since_best: how many were taken since then.
    """

    step: int = 0
    tokens: int = 0
    trained_tokens: int = 0
    seconds: float = 0.0
    loss_before: float | None = None
    best_loss: float | None = None
    best_step: int = 0
    losses_since_best: int = 0

    def metrics(self) -> dict[str, float]:
        """What a record says of them; a loss that was not taken is left out."""
        counts = self._asdict()
        before, best = counts.pop("loss_before"), counts.pop("best_loss")
        step, _ = counts.pop("best_step"), counts.pop("losses_since_best")
        if before is not None:
            counts["eval_loss_before"] = before
        if best is not None:
            counts |= {"best_loss": best, "best_step": step}
        return counts


@contextmanager
def room_checked(where: Path) -> Iterator[None]:
    """Turn errors of a full disk into a :class:`DiskError`; all others pass."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        number = error.errno if isinstance(error, OSError) else None
        if number in _NO_ROOM or any(word in str(error) for word in _NO_ROOM_WORDS):
            raise DiskError(
                f"{where}: no room to write; the checkpoint before this one is kept",
                "free disk space and give the same command again to go on from there",
            ) from error
        raise


def part_folder(checkpoints: Path, *, empty: bool = True) -> Path:
    """The hidden folder to write the next checkpoint into.

    Args:
        checkpoints: holds the run's checkpoints.
        empty: whether to make it anew; of several processes one does.
    """
    part = checkpoints / _PART
    if empty:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
    return part


def seal(written: Path, checkpoints: Path, progress: Progress, keep: int) -> Path:
    """Flush and name a written checkpoint, then delete all but the newest ``keep``."""
    files = {}
    # sharded weights lie in folders
    for file in sorted(file for file in written.rglob("*") if file.is_file()):
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
        files[file.relative_to(written).as_posix()] = sha256_file(file)
    write_json(written / SEAL, {**progress._asdict(), "files": files})
    final = checkpoints / f"checkpoint-{progress.step}"
    shutil.rmtree(final, ignore_errors=True)
    written.rename(final)
    shutil.rmtree(checkpoints / _PART, ignore_errors=True)
    for old in _by_step(checkpoints)[:-keep]:
        shutil.rmtree(old)
    return final


def latest(
    checkpoints: Path, on_damaged: Callable[[str], None] = lambda _: None
) -> tuple[Path, Progress] | None:
    """The newest whole checkpoint and the counts at it.

    Args:
        checkpoints: holds the run's checkpoints.
        on_damaged: called with the name of each newer one that is not what was sealed.
    """
    for folder in reversed(_by_step(checkpoints)):
        progress = _whole(folder)
        if progress is not None:
            return folder, progress
        on_damaged(folder.name)
    return None


def kept(checkpoints: Path) -> list[Progress]:
    """The counts at each checkpoint that has a readable list, oldest first; files unread."""
    told = (_told(folder) for folder in _by_step(checkpoints))
    return [one[0] for one in told if one is not None]


def _by_step(checkpoints: Path) -> list[Path]:
    found = checkpoints.glob("checkpoint-*")
    return sorted(found, key=lambda folder: int(folder.name.partition("-")[2]))


def _whole(folder: Path) -> Progress | None:
    told = _told(folder)
    if told is None:
        return None
    progress, files = told
    try:
        whole = all(sha256_file(folder / name) == digest for name, digest in files.items())
    except OSError:
        return None
    return progress if whole else None


def _told(folder: Path) -> tuple[Progress, dict[str, str]] | None:
    try:
        told = read_json(folder / SEAL)
        files = told.pop("files")
        return Progress(**told), files
    except (OSError, ValueError, KeyError, TypeError):
        # without a readable seal it is not a checkpoint
        return None
