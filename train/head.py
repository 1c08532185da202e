"""TRL's output head on the trained positions only, on a CPU too.

TRL projects every position where it has no Triton kernels, so that shapes stay the same from batch
to batch for devices that compile. A CPU compiles nothing, and with answers alone trained most of
that work is thrown away.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from trl.trainer import utils


def _leaves_out(device: torch.device) -> bool:
    """Whether untrained positions are left out on this device."""
    return device.type == "cpu" or _of_trl(device)


_of_trl = utils._use_triton


@contextmanager
def trained_positions() -> Iterator[None]:
    """Leave untrained positions out of the projection inside the block.

    Only what is projected changes: the kernels are chosen by another name in another module.
    """
    before = utils._use_triton
    utils._use_triton = _leaves_out
    try:
        yield
    finally:
        utils._use_triton = before
