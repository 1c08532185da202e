"""What an engine is: it turns prompt ids into tokens, one at a time, for several requests.

An engine knows its tokenizer and its chat template, and nothing of HTTP or of stop strings.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from ingest.errors import UserError

FinishReason = Literal["stop", "length"]


class PromptError(UserError):
    """Messages that the model's chat template cannot turn into a prompt."""


class QueueFullError(Exception):
    """The engine has as many waiting requests as it admits.

    Args:
        retry_after_s: when it is worth trying again.
    """

    def __init__(self, retry_after_s: int = 1) -> None:
        super().__init__("the queue is full")
        self.retry_after_s = retry_after_s


class EngineClosedError(Exception):
    """The engine was closed, or its worker died, before the request was done."""


@dataclass(frozen=True)
class SamplingParams:
    """How tokens are drawn; checked at the API's border, trusted here.

    Attributes:
        max_tokens: at most so many new tokens, >= 1.
        temperature: 0 = greedy; else logits are divided by it.
        top_p: smallest set of tokens whose probability reaches it, in [0, 1].
        top_k: only the k likeliest tokens; 0 = all.
        seed: of this request's own random generator; None = from the system.
        top_logprobs: alternatives reported with each token; None = no logprobs at all.
    """

    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int | None = None
    top_logprobs: int | None = None


@dataclass(frozen=True)
class GeneratedToken:
    """One new token.

    Attributes:
        id: token id.
        finish_reason: set on the last token: ``stop`` = this is an end token (its text is not
            part of the answer), ``length`` = max_tokens reached.
        logprob: natural log probability under the raw distribution (temperature 1, nothing
            cut off), when asked for.
        top: the likeliest (id, logprob) pairs of the raw distribution, best first.
    """

    id: int
    finish_reason: FinishReason | None = None
    logprob: float | None = None
    top: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Provenance:
    """Where the served weights come from: the summary of a merge certificate.

    Attributes:
        base_model: folder or Hub id of the base, as asked for in training.
        run: id of the training run.
        dataset_fingerprint: of the sealed version trained on.
        verdict: of the merge.
        base_revision: the base's commit on the Hub.
    """

    base_model: str
    run: str
    dataset_fingerprint: str
    verdict: str
    base_revision: str | None = None


class Generation:
    """The tokens of one request, handed from the engine's thread to the event loop's.

    Made on the event loop; :meth:`put`, :meth:`fail` and :meth:`cancelled` may be called from
    any thread.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._items: asyncio.Queue[GeneratedToken | BaseException] = asyncio.Queue()
        self._cancelled = False

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for more tokens."""
        return self._cancelled

    def cancel(self) -> None:
        """Tell the engine to stop working on this request; safe to call more than once."""
        self._cancelled = True

    def put(self, token: GeneratedToken) -> None:
        """Hand over a token."""
        self._send(token)

    def fail(self, error: BaseException) -> None:
        """End the request with ``error``, raised where the tokens are awaited."""
        self._send(error)

    def _send(self, item: GeneratedToken | BaseException) -> None:
        try:
            self._loop.call_soon_threadsafe(self._items.put_nowait, item)
        except RuntimeError:
            # the loop is closed: the server went away under a running request
            self._cancelled = True

    async def __aiter__(self) -> AsyncGenerator[GeneratedToken, None]:
        """The tokens up to and with the one that has a finish reason."""
        try:
            while True:
                item = await self._items.get()
                if isinstance(item, BaseException):
                    raise item
                yield item
                if item.finish_reason is not None:
                    return
        finally:
            self.cancel()


@runtime_checkable
class Engine(Protocol):
    """A loaded model that answers.

    Attributes:
        context_length: prompt and answer together hold at most so many tokens.
        created: unix time of the weights, as ``/v1/models`` shows it.
        provenance: from the model folder's merge certificate, when it has one.
    """

    context_length: int
    created: int
    provenance: Provenance | None

    def prompt(
        self, messages: Sequence[dict[str, Any]], tools: list[dict[str, Any]] | None
    ) -> list[int]:
        """Token ids of ``messages`` with the opening of the assistant's answer.

        Thread-safe. May take a while: call it off the event loop.

        Raises:
            PromptError: the chat template refuses these messages.
        """
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ``ids`` without special tokens; U+FFFD where bytes are no whole character."""
        ...

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes that one token stands for, special tokens by their name."""
        ...

    def generate(self, prompt_ids: Sequence[int], params: SamplingParams) -> Generation:
        """Admit a request; called on the event loop, returns at once.

        Raises:
            QueueFullError: the request was not admitted.
            EngineClosedError: nothing works any more.
        """
        ...

    @property
    def healthy(self) -> bool:
        """Whether a new request would be worked on."""
        ...

    def close(self) -> None:
        """Fail what still runs and end the worker."""
        ...
