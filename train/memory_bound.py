"""A bound on a run's memory, kept by the device's allocator or, on the CPU, by our own count."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from train.memory_count import LiveBytes

GIB = 2**30


class _Bound(LiveBytes):  # type: ignore[no-untyped-call]
    """Counts live tensors and refuses the one that goes over."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    def add(self, tensor: torch.Tensor, category: str) -> None:
        """Count a tensor.

        Raises:
            OutOfMemoryError: of torch, as a device's allocator would.
        """
        super().add(tensor, category)
        if self.total > self.limit:
            held, allowed = self.total / GIB, self.limit / GIB
            raise torch.OutOfMemoryError(f"{held:.4f} GiB of tensors, {allowed:.4f} are allowed")


@contextmanager
def bounded(limit_gib: float | None, kind: str, model: Any) -> Iterator[None]:
    """Keep memory under a bound inside the block.

    On CUDA and MPS the allocator holds it, fragmentation counted. On the CPU the bytes of live
    tensors are counted operation by operation: what Python and its libraries take is not in it,
    and each operation costs some microseconds more.

    Args:
        limit_gib: of tensors; None for no bound.
        kind: torch's name of the device.
        model: alive before the block.
    """
    if limit_gib is None:
        yield
    elif kind == "cpu":
        counter = _Bound(int(limit_gib * GIB))
        for tensor in itertools.chain(model.parameters(), model.buffers()):
            counter.add(tensor, "weights")
        with counter:
            yield
    else:
        _set_share(kind, limit_gib)
        try:
            yield
        finally:
            _set_share(kind, None)


def _set_share(kind: str, limit_gib: float | None) -> None:
    if kind == "cuda":
        total = torch.cuda.get_device_properties(0).total_memory
        share = 1.0 if limit_gib is None else min(1.0, limit_gib * GIB / total)
        torch.cuda.set_per_process_memory_fraction(share)
    else:
        most = torch.mps.recommended_max_memory()
        # 1.7 is what torch itself starts with
        share = 1.7 if limit_gib is None else min(1.7, limit_gib * GIB / most)
        torch.mps.set_per_process_memory_fraction(share)
