"""Counts the bytes of live tensors, operation by operation, on any device and on none.

The one rule: a storage is counted once, from the operation that made it until nothing refers to it.
"""

import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

# the CUDA caching allocator rounds every block up to this (c10/cuda/CUDACachingAllocator.cpp)
BLOCK = 512

# op -> bytes that its kernel takes while it runs, beyond its outputs
Workspace = Callable[[Any, tuple[Any, ...]], int]


def rounded(size: int) -> int:
    """Bytes the allocator takes for a tensor of ``size`` bytes."""
    return -(-size // BLOCK) * BLOCK


@dataclass
class Peak:
    """The fullest moment of a phase."""

    total: int = 0
    parts: dict[str, int] = field(default_factory=dict)


def _no_workspace(_op: Any, _arguments: tuple[Any, ...]) -> int:
    return 0


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows live bytes by category, and their peak in each phase.

    Works on real and on fake tensors. Views and in-place operations cost nothing: they share a
    storage. What a kernel allocates inside itself is invisible; ``workspace`` adds it.
    """

    def __init__(self, workspace: Workspace = _no_workspace) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.workspace = workspace
        self.category = "activations"
        self.phase = "before"
        self.live: Counter[str] = Counter()
        self.total = 0
        self.peaks: dict[str, Peak] = {}
        # by the address of the storage: its category, size and the reference that tells of its end
        self._known: dict[int, tuple[str, int, Any]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run the operation, then count what it made."""
        made = func(*args, **(kwargs or {}))
        for leaf in tree_iter(made):
            if isinstance(leaf, torch.Tensor):
                self.add(leaf, self.category)
        self._note(self.workspace(func, args))
        return made

    def add(self, tensor: torch.Tensor, category: str) -> None:
        """Count the storage of ``tensor`` unless it is counted already."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._known:
            return
        size = rounded(storage.nbytes())

        def ended(_: Any) -> None:
            where, freed, _ref = self._known.pop(key)
            self.live[where] -= freed
            self.total -= freed

        self._known[key] = (category, size, weakref.ref(storage, ended))
        self.live[category] += size
        self.total += size

    def move(self, tensor: torch.Tensor, category: str) -> None:
        """Count the storage of ``tensor`` under another category from now on."""
        key = tensor.untyped_storage()._cdata
        before, size, reference = self._known[key]
        self._known[key] = (category, size, reference)
        self.live[before] -= size
        self.live[category] += size

    def enter(self, phase: str) -> None:
        """What follows belongs to ``phase``; what is alive counts from its start."""
        self.phase = phase
        self._note(0)

    @contextmanager
    def within(self, category: str) -> Iterator[None]:
        """What is made inside counts as ``category``."""
        before, self.category = self.category, category
        try:
            yield
        finally:
            self.category = before

    def _note(self, extra: int) -> None:
        peak = self.peaks.setdefault(self.phase, Peak())
        if self.total + extra > peak.total:
            peak.total = self.total + extra
            peak.parts = dict(self.live)
            peak.parts["buffers"] = peak.parts.get("buffers", 0) + extra
