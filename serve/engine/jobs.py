"""Requests at work: an answer that is written, a text that is scored."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from serve.engine.base import GeneratedToken, Generation, SamplingParams, TokenScore
from serve.engine.sampling import Sampler, likeliest

if TYPE_CHECKING:
    import torch

    from serve.engine.forward import Forward

PREFILL_CHUNK = 256
# logits of a scored chunk, in numbers: 32 MiB of float32
_SCORED_NUMBERS = 8 << 20

Progress = Literal["more", "decode", "done"]


class AnswerJob:
    """An answer: first its prompt is read in chunks, then it is written token by token.

    Args:
        ids: of the prompt.
        params: how tokens are drawn.
        generation: where they go.
        adapter: that writes it; None = the bare model.
        stop_ids: the model's own end tokens.

    Attributes:
        tokens: prompt and answer so far; the cache holds all but the last of the answer.
        cache: of the prompt, while it is read, and of the answer where rows are not batched.
        order: admitted as the how manieth; the latest one gives way when memory is short.
    """

    def __init__(
        self,
        ids: Sequence[int],
        params: SamplingParams,
        generation: Generation,
        *,
        adapter: str | None,
        stop_ids: frozenset[int],
    ) -> None:
        self.tokens = list(ids)
        self.cache: Any = None
        self.adapter = adapter
        self.order = 0
        self.sampler = Sampler(params)
        self._read = 0
        self._made = 0
        self._params = params
        self._generation = generation
        own = frozenset() if params.ignore_eos and not params.constraint else stop_ids
        self._stop_ids = own | params.stop_token_ids

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for it."""
        return self._generation.cancelled

    @property
    def cached(self) -> int:
        """Tokens in the cache once the prompt is read."""
        return len(self.tokens) - 1

    def fail(self, error: BaseException) -> None:
        """End it with ``error``."""
        self._generation.fail(error)

    def next_size(self) -> int:
        """Tokens that :meth:`advance` will read."""
        return min(PREFILL_CHUNK, len(self.tokens) - self._read)

    def advance(self, forward: "Forward") -> Progress:
        """Read a chunk of the prompt, and with the last one write the first token."""
        chunk = self.tokens[self._read : self._read + PREFILL_CHUNK]
        logits, self.cache = forward.one(chunk, self.cache)
        self._read += len(chunk)
        if self._read < len(self.tokens):
            return "more"
        return "decode" if self.take(logits) else "done"

    def begin_again(self) -> None:
        """Give the memory back; prompt and answer so far are read again later."""
        self.cache, self._read = None, 0

    def decode(self, forward: "Forward") -> bool:
        """Write one token with the cache of its own; False = it was the last."""
        logits, self.cache = forward.one(self.tokens[-1:], self.cache)
        return self.take(logits)

    def take(self, logits: "torch.Tensor", best: int | None = None) -> bool:
        """Draw and hand over a token; False = it was the last.

        Args:
            logits: (V,), float32 on the CPU.
            best: their argmax, where somebody has it already.
        """
        sampler = self.sampler
        token_id = best if sampler.plain and best is not None else sampler.draw(logits)
        logprob, top = sampler.report(logits, token_id)
        self._made += 1
        self.tokens.append(token_id)
        ended = token_id in self._stop_ids
        last = ended or self._made == self._params.max_tokens
        finish: Any = ("stop" if ended else "length") if last else None
        self._generation.put(GeneratedToken(token_id, finish, logprob, top))
        return not last


class ScoreJob:
    """A text whose tokens are scored.

    Args:
        ids: of the text.
        from_position: the first token that is scored.
        top: alternatives reported with each.
        adapter: that scores; None = the bare model.
        size: V.
    """

    def __init__(
        self, ids: Sequence[int], *, from_position: int, top: int, adapter: str | None, size: int
    ) -> None:
        self.tokens = list(ids)
        self.adapter = adapter
        self.order = 0
        self.result: asyncio.Future[list[TokenScore]] = asyncio.get_running_loop().create_future()
        self.cancelled = False
        self._first = from_position
        self._top = top
        self._chunk = max(1, min(PREFILL_CHUNK, _SCORED_NUMBERS // size))
        self._read = 0
        self._cache: Any = None
        self._scores: list[TokenScore] = []

    def fail(self, error: BaseException) -> None:
        """End it with ``error``."""
        self._settle(lambda: self.result.set_exception(error))

    def next_size(self) -> int:
        """Tokens that :meth:`advance` will read."""
        return min(self._chunk, len(self.tokens) - self._read)

    def advance(self, forward: "Forward") -> Progress:
        """Read a chunk; with the last one hand the scores over."""
        # the last token has none after it that its logits could score
        start, stop = self._read, min(self._read + self._chunk, len(self.tokens) - 1)
        if start < stop:
            chunk = self.tokens[start:stop]
            if stop < self._first:
                _, self._cache = forward.one(chunk, self._cache)
            else:
                logits, self._cache = forward.every(chunk, self._cache)
                self._scores += self._scored(logits, start)
        self._read = stop
        if stop < len(self.tokens) - 1:
            return "more"
        scores = self._scores
        self._settle(lambda: self.result.set_result(scores))
        return "done"

    def _scored(self, logits: "torch.Tensor", start: int) -> Iterator[TokenScore]:
        """Scores of the tokens that come after the positions from ``start`` on."""
        import torch

        for row, logprobs in enumerate(torch.log_softmax(logits, dim=-1)):
            place = start + row + 1
            if place >= self._first:
                token = self.tokens[place]
                yield TokenScore(token, float(logprobs[token]), likeliest(logprobs, self._top))

    def _settle(self, settle: Any) -> None:
        def once() -> None:
            if not self.result.done():
                settle()

        try:
            self.result.get_loop().call_soon_threadsafe(once)
        except RuntimeError:
            # the loop is closed: the server went away under a running request
            self.cancelled = True


Job = AnswerJob | ScoreJob
