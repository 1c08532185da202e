"""Answers that are decoded together: they join and leave between any two tokens."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from serve.engine.jobs import AnswerJob

if TYPE_CHECKING:
    import torch

    from serve.engine.forward import Forward
    from serve.engine.slot_cache import SlotCache

_log = logging.getLogger("turnmill.engine")


class DecodeBatch:
    """Rows of one adapter; row i is in slot i of the cache.

    Args:
        forward: the model.
        layers: of the model's cache.
        adapter: that is at work in this batch.
        max_cells: rows times the longest row's length that the cache may come to.
        give_way: called with a job that had to leave for want of memory.
    """

    def __init__(
        self,
        forward: "Forward",
        *,
        layers: int,
        adapter: str | None,
        max_cells: int,
        give_way: Callable[[AnswerJob], None],
    ) -> None:
        from serve.engine.slot_cache import SlotCache

        self._forward = forward
        self._cache = SlotCache(layers)
        self._adapter = adapter
        self._max_cells = max_cells
        self._give_way = give_way
        self._jobs: list[AnswerJob] = []

    def __len__(self) -> int:
        return len(self._jobs)

    @property
    def jobs(self) -> tuple[AnswerJob, ...]:
        """The rows."""
        return tuple(self._jobs)

    def join(self, job: AnswerJob) -> None:
        """Take a job whose prompt has been read."""
        self._cache.join(len(self._jobs), job.cache, job.cached)
        job.cache = None
        self._jobs.append(job)

    def fail(self, error: BaseException) -> None:
        """End all rows with ``error``."""
        for job in self._jobs:
            job.fail(error)
        self._jobs.clear()
        self._cache.release()

    def step(self) -> None:
        """One token for each row."""
        self._drop([row for row, job in enumerate(self._jobs) if job.cancelled])
        self._make_room()
        if not self._jobs:
            return
        with self._forward.adapted(self._adapter):
            logits = self._forward.rows(
                [job.tokens[-1] for job in self._jobs],
                [job.cached for job in self._jobs],
                self._cache,
            )
        best = logits.argmax(-1).tolist()
        goes_on = list(map(_take, self._jobs, logits, best))
        self._drop([row for row, goes in enumerate(goes_on) if not goes])

    def _make_room(self) -> None:
        while len(self._jobs) > 1:
            width = 1 + max(job.cached for job in self._jobs)
            if len(self._jobs) * width <= self._max_cells:
                return
            row, job = max(enumerate(self._jobs), key=lambda one: one[1].order)
            self._drop([row])
            job.begin_again()
            self._give_way(job)

    def _drop(self, rows: list[int]) -> None:
        """The last row takes the place of one that leaves."""
        for row in reversed(rows):
            last = self._jobs.pop()
            if row < len(self._jobs):
                self._cache.move(len(self._jobs), row, last.cached)
                self._jobs[row] = last
        if not self._jobs:
            self._cache.release()


def _take(job: AnswerJob, logits: "torch.Tensor", best: int) -> bool:
    try:
        return job.take(logits, best)
    except Exception as error:
        # raised again where the answer is awaited; the other rows go on
        job.fail(error)
        return False


def batchable(forward: "Forward") -> int:
    """Layers of the model's cache if its rows can be decoded together, else 0.

    Tried out: rows of different lengths, decoded together for a few tokens, must give the logits
    that they give alone. Caches that drop what is behind a window, recurrent states and models
    that take no positions are never batched.
    """
    import torch

    from serve.engine.slot_cache import SlotCache

    if not forward.takes_positions:
        return 0
    size = int(forward.config.get_text_config().vocab_size)
    prompts = [[(7 * place + 3) % size for place in range(length)] for length in (5, 11)]
    with torch.inference_mode():
        caches: list[Any] = [forward.one(prompt, None)[1] for prompt in prompts]
        if not all(map(_grows_only, caches)):
            return 0
        layers = len(caches[0].layers)
        cache = SlotCache(layers)
        for slot, prompt in enumerate(prompts):
            cache.join(slot, caches[slot], len(prompt))
        return layers if _agree(forward, prompts, caches, cache) else 0


def _agree(
    forward: "Forward", prompts: list[list[int]], caches: list[Any], cache: "SlotCache"
) -> bool:
    import torch

    tolerance = 1e-3 if forward.dtype == torch.float32 else 5e-2
    for step in range(3):
        token = step + 1
        alone = []
        for row, own in enumerate(caches):
            logits, caches[row] = forward.one([token], own)
            alone.append(logits)
        expected = torch.stack(alone)
        lengths = [len(prompt) + step for prompt in prompts]
        try:
            found = forward.rows([token] * len(prompts), lengths, cache)
        except (RuntimeError, TypeError, ValueError) as error:
            _log.info("answers are not batched: %s", type(error).__name__)
            return False
        if (found - expected).abs().max() > tolerance * expected.abs().max():
            _log.info("answers are not batched: together they differ from alone")
            return False
    return True


def _grows_only(cache: Any) -> bool:
    from transformers.cache_utils import DynamicCache, DynamicLayer

    return isinstance(cache, DynamicCache) and all(
        type(layer) is DynamicLayer and layer.is_initialized for layer in cache.layers
    )
