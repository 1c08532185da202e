"""In which order rows are trained: rows of like length together, a pure function of the seed.

Pure, so that a resumed run sees the same batches as one that was never interrupted.
"""

import random
from collections.abc import Iterator, Sequence

_POOL = 50  # micro batches that are sorted by length together


def epoch_order(lengths: Sequence[int], micro_batch: int, seed: int, epoch: int) -> list[int]:
    """Row numbers of one pass, to be cut into micro batches from the front.

    Args:
        lengths: tokens of each row.
        micro_batch: rows per forward pass.
        seed: of the run.
        epoch: from 0; the first pass starts with the longest rows, so that a run that does not
            fit into memory fails at once.
    """
    shuffler = random.Random(f"{seed}:{epoch}")  # noqa: S311 - an order, not a secret
    rows = list(range(len(lengths)))
    shuffler.shuffle(rows)
    pool = micro_batch * _POOL
    full: list[list[int]] = []
    rest: list[int] = []
    for start in range(0, len(rows), pool):
        like = sorted(rows[start : start + pool], key=lambda row: -lengths[row])
        cut = [like[at : at + micro_batch] for at in range(0, len(like), micro_batch)]
        if len(cut[-1]) < micro_batch:
            rest = cut.pop()
        full += cut
    shuffler.shuffle(full)
    if epoch == 0 and full:
        longest = max(range(len(full)), key=lambda at: lengths[full[at][0]])
        full.insert(0, full.pop(longest))
    return [row for batch in full for row in batch] + rest


def steps_per_epoch(rows: int, micro_batch: int, grad_accumulation: int) -> int:
    """Optimiser steps in one pass; the last may hold fewer rows."""
    return -(-rows // (micro_batch * grad_accumulation))


def step_rows(
    lengths: Sequence[int], micro_batch: int, grad_accumulation: int, seed: int, steps: int
) -> Iterator[list[int]]:
    """The rows of each optimiser step of a run, in order."""
    size = micro_batch * grad_accumulation
    per_epoch = steps_per_epoch(len(lengths), micro_batch, grad_accumulation)
    for step in range(steps):
        epoch, at = divmod(step, per_epoch)
        if at == 0:
            order = epoch_order(lengths, micro_batch, seed, epoch)
        yield order[at * size : (at + 1) * size]
