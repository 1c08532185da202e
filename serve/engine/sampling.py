"""Drawing the next token from a model's logits."""

import secrets
from collections import Counter
from typing import TYPE_CHECKING

from serve.engine.base import GrammarError, SamplingParams

if TYPE_CHECKING:
    import torch


class Sampler:
    """Draws the tokens of one request.

    The random numbers come from a generator of the request's own, so what other requests draw
    does not matter: same prompt, parameters and seed give the same tokens.

    Args:
        params: all but what ends an answer.
    """

    def __init__(self, params: SamplingParams) -> None:
        import torch

        seed = secrets.randbits(63) if params.seed is None else params.seed % 2**63
        self._generator = torch.Generator().manual_seed(seed)
        self._params = params
        self._state = params.constraint.start() if params.constraint else None
        self._counts: Counter[int] = Counter()
        self._penalised = bool(params.presence_penalty or params.frequency_penalty)
        self.plain = params.temperature == 0 and not (
            self._state or self._penalised or params.logit_bias
        )

    def draw(self, logits: "torch.Tensor") -> int:
        """The next token id.

        Args:
            logits: of the last position, shape (V,), float32 on the CPU; left as they are.

        Raises:
            GrammarError: the constraint leaves no token.
        """
        token_id = self._drawn(self._adjusted(logits))
        if self._penalised:
            self._counts[token_id] += 1
        if self._state:
            self._state.accept(token_id)
        return token_id

    def _adjusted(self, logits: "torch.Tensor") -> "torch.Tensor":
        """Logits with penalties and bias, -inf where the constraint forbids."""
        import torch

        params = self._params
        if self.plain or not (self._state or self._counts or params.logit_bias):
            return logits
        logits = logits.clone()
        if self._counts:
            counts = torch.tensor(list(self._counts.values()), dtype=logits.dtype)
            penalty = params.presence_penalty + params.frequency_penalty * counts
            logits[list(self._counts)] -= penalty
        if params.logit_bias:
            bias = torch.tensor(list(params.logit_bias.values()), dtype=logits.dtype)
            logits[list(params.logit_bias)] += bias
        if self._state:
            allowed = torch.from_numpy(self._state.allowed())
            if not allowed.any():
                raise GrammarError("the grammar leaves no token to go on with")
            logits.masked_fill_(~allowed, -torch.inf)
        return logits

    def _drawn(self, logits: "torch.Tensor") -> int:
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
        """Those within top_k, top_p and min_p, best first with their ids; all if none is set."""
        top_k, top_p, min_p = self._params.top_k, self._params.top_p, self._params.min_p
        if not top_k and top_p >= 1 and not min_p:
            return probabilities, None
        size = len(probabilities)
        best, ids = probabilities.topk(min(top_k, size) if top_k else size)
        if top_p < 1:
            # of what top_k left, as the usual order of these two filters has it
            share = best / best.sum()
            before = share.cumsum(-1) - share
            count = max(1, int((before < top_p).sum()))
            best, ids = best[:count], ids[:count]
        if min_p:
            count = max(1, int((best >= min_p * best[0]).sum()))
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
        return float(logprobs[token_id]), likeliest(logprobs, self._params.top_logprobs)


def likeliest(logprobs: "torch.Tensor", count: int) -> tuple[tuple[int, float], ...]:
    """The best (id, logprob) pairs, best first.

    Args:
        logprobs: shape (V,).
        count: of pairs, if there are so many.
    """
    if not count:
        return ()
    values, ids = logprobs.topk(min(count, len(logprobs)))
    return tuple(zip(ids.tolist(), values.tolist(), strict=True))
