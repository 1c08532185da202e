"""Cuts rendered rows shorter, in place: no row goes or comes, so their order stays the plan's."""

from typing import Any, NamedTuple

import numpy as np

IGNORED = -100


class Shortened(NamedTuple):
    """Rows that fit, and what that cost.

    Attributes:
        rows: as before, none longer than asked.
        rows_cut: how many were longer.
        trained_tokens: that are left, over all rows.
        trained_tokens_lost: that were cut off.
    """

    rows: Any
    rows_cut: int
    trained_tokens: int
    trained_tokens_lost: int


def cut_at(labels: np.ndarray[Any, Any], max_length: int) -> int:
    """How many tokens of a row to keep: up to the end of the last trained turn that fits whole.

    A row whose first trained turn does not fit is cut inside it, as ``train.windows`` cuts a turn
    that does not fit on its own. One without any trained token before the cut trains nothing.
    """
    if len(labels) <= max_length:
        return len(labels)
    trained = labels != IGNORED
    ends = np.flatnonzero(trained & ~np.append(trained[1:], False)) + 1
    whole = ends[ends <= max_length]
    return int(whole[-1]) if len(whole) else max_length


def shorten(rows: Any, max_length: int) -> Shortened:
    """Cut ``input_ids`` and ``labels`` of rendered rows.

    Args:
        rows: as :func:`train.trainer.load_rows` gives them.
        max_length: tokens.
    """
    import datasets as hf_datasets

    ids, labels = [], []
    cut = left = lost = 0
    for row in rows:
        marked = np.asarray(row["labels"], dtype=np.int32)
        keep = cut_at(marked, max_length)
        cut += keep < len(marked)
        trained = int((marked[:keep] != IGNORED).sum())
        left += trained
        lost += int((marked != IGNORED).sum()) - trained
        ids.append(row["input_ids"][:keep])
        labels.append(marked[:keep])
    made = hf_datasets.Dataset.from_dict(
        {"input_ids": ids, "labels": labels}, features=rows.features
    )
    return Shortened(made, cut, left, lost)
