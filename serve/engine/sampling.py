"""Drawing the next token from a model's logits."""

import secrets
from typing import TYPE_CHECKING

from serve.engine.base import SamplingParams

if TYPE_CHECKING:
    import torch


class Sampler:
    """Draws the tokens of one request.

    The random numbers come from a generator of the request's own, so what other requests draw
    does not matter: same prompt, parameters and seed give the same tokens.

    Args:
        params: temperature, top_p, top_k, seed, top_logprobs.
    """

    def __init__(self, params: SamplingParams) -> None:
        import torch

        seed = secrets.randbits(63) if params.seed is None else params.seed % 2**63
        self._generator = torch.Generator().manual_seed(seed)
        self._params = params

    def draw(self, logits: "torch.Tensor") -> int:
        """The next token id.

        Args:
            logits: of the last position, shape (V,), float32 on the CPU.
        """
        import torch

        if self._params.temperature == 0:
            return int(logits.argmax())
        # subtracting the maximum first keeps tiny temperatures finite
        scaled = (logits - logits.max()) / self._params.temperature
        probabilities, ids = self._kept(torch.softmax(scaled.double(), dim=-1))
        cumulative = probabilities.cumsum(-1)
        point = torch.rand(1, generator=self._generator, dtype=torch.float64)
        place = torch.searchsorted(cumulative, point * cumulative[-1], right=True)
        last = len(cumulative) - 1
        drawn = min(int(place), last)
        return drawn if ids is None else int(ids[drawn])

    def _kept(self, probabilities: "torch.Tensor") -> tuple["torch.Tensor", "torch.Tensor | None"]:
        """Those within top_k and top_p, best first with their ids; all if neither is set."""
        top_k, top_p = self._params.top_k, self._params.top_p
        if not top_k and top_p >= 1:
            return probabilities, None
        size = len(probabilities)
        best, ids = probabilities.topk(min(top_k, size) if top_k else size)
        if top_p < 1:
            # of what top_k left, as the usual order of these two filters has it
            share = best / best.sum()
            before = share.cumsum(-1) - share
            count = max(1, int((before < top_p).sum()))
            best, ids = best[:count], ids[:count]
        return best, ids

    def report(
        self, logits: "torch.Tensor", token_id: int
    ) -> tuple[float | None, tuple[tuple[int, float], ...]]:
        """Raw log probability of the drawn token, and the best alternatives; see GeneratedToken."""
        import torch

        if self._params.top_logprobs is None:
            return None, ()
        logprobs = torch.log_softmax(logits, dim=-1)
        count = min(self._params.top_logprobs, len(logprobs))
        values, ids = logprobs.topk(count)
        top = tuple(zip(ids.tolist(), values.tolist(), strict=True))
        return float(logprobs[token_id]), top
