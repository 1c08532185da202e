"""What an engine is: it turns prompt ids into tokens, one at a time, for several requests.

An engine knows its tokenizer and its chat template, and nothing of HTTP or of stop strings.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from ingest.errors import UserError

if TYPE_CHECKING:
    import numpy as np

FinishReason = Literal["stop", "length"]


class PromptError(UserError):
    """Messages that the model's chat template cannot turn into a prompt."""


class GrammarError(UserError):
    """A grammar or a JSON schema that answers cannot be held to."""


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
class Grammar:
    """What the text of an answer must look like.

    Attributes:
        kind: ``json_object`` = any JSON object; ``json_schema``, ``regex`` and ``lark`` = what
            ``text`` says, in the language of that name (Lark as llguidance reads it).
        text: the schema as JSON, the regular expression or the grammar; empty for
            ``json_object``.
    """

    kind: Literal["json_object", "json_schema", "regex", "lark"]
    text: str = ""


class ConstraintState(Protocol):
    """Where one answer stands in its grammar."""

    def allowed(self) -> "np.ndarray[Any, Any]":
        """Which token may come next: bool, shape (V,); end tokens where the answer may end."""
        ...

    def accept(self, token_id: int) -> None:
        """Go on by a token that was allowed."""
        ...


class Constraint(Protocol):
    """A compiled grammar; several answers may share it."""

    def start(self) -> ConstraintState:
        """The state before the first token of an answer."""
        ...


@dataclass(frozen=True)
class SamplingParams:
    """How tokens are drawn; checked at the API's border, trusted here.

    The raw logits first get the penalties and ``logit_bias``, then what ``constraint`` forbids is
    taken away, then they are divided by ``temperature``; of the resulting distribution top_k,
    top_p and min_p cut off the unlikely end, in this order.

    Attributes:
        max_tokens: at most so many new tokens, >= 1.
        temperature: 0 = greedy; else logits are divided by it.
        top_p: smallest set of tokens whose probability reaches it, in [0, 1].
        top_k: only the k likeliest tokens; 0 = all.
        min_p: only tokens at least so many times as likely as the likeliest, in [0, 1].
        presence_penalty: taken off the logit of each token that the answer already has.
        frequency_penalty: the same, times how often the answer has it.
        logit_bias: added to the logits, by token id < ``vocabulary_size``.
        constraint: from ``Engine.constraint``; the answer follows it unless max_tokens cut it.
        stop_token_ids: these end the answer like the model's own end tokens.
        ignore_eos: the model's own end tokens are tokens like any other; without effect beside a
            constraint.
        seed: of this request's own random generator; None = from the system.
        top_logprobs: alternatives reported with each token; None = no logprobs at all.
    """

    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    constraint: Constraint | None = None
    stop_token_ids: frozenset[int] = frozenset()
    ignore_eos: bool = False
    seed: int | None = None
    top_logprobs: int | None = None


@dataclass(frozen=True)
class TokenScore:
    """How likely the model finds one token of a given text.

    Attributes:
        id: token id.
        logprob: natural log probability under the raw distribution after the tokens before it.
        top: the likeliest (id, logprob) pairs at its place, best first. Where the token itself is
            among them its number is the very same.
    """

    id: int
    logprob: float
    top: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class TokenizerInfo:
    """What a client needs to know to use the tokenizer from afar.

    Attributes:
        eos_token: text of the end token, None if there is none; likewise the others.
        chat_template: Jinja source.
    """

    eos_token: str | None
    bos_token: str | None = None
    pad_token: str | None = None
    chat_template: str | None = None


@dataclass(frozen=True)
class AssistantTurn:
    """One assistant message of a rendered conversation.

    Attributes:
        message: its index.
        positions: of its trained tokens in the ids.
    """

    message: int
    positions: list[int]


@dataclass(frozen=True)
class RenderedChat:
    """A conversation as the model reads it in training.

    Attributes:
        ids: token ids.
        turns: of the assistant messages, in order.
    """

    ids: list[int]
    turns: list[AssistantTurn]


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
        vocabulary_size: token ids are below it.
        created: unix time of the weights, as ``/v1/models`` shows it.
        provenance: from the model folder's merge certificate, when it has one.
    """

    context_length: int
    vocabulary_size: int
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

    def render(
        self, messages: Sequence[dict[str, Any]], tools: list[dict[str, Any]] | None
    ) -> RenderedChat:
        """A whole conversation with the mask of training, taken apart by assistant message.

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

    def tokenize(self, text: str, *, add_special: bool = False) -> list[int]:
        """Ids of ``text``, in which the names of special tokens stand for them.

        Args:
            text: any text.
            add_special: with what the tokenizer puts around a text.
        """
        ...

    def detokenize(self, ids: Sequence[int]) -> str:
        """Text of ``ids``, special tokens by their name: the inverse of :meth:`tokenize`."""
        ...

    def tokenizer_info(self) -> TokenizerInfo:
        """See :class:`TokenizerInfo`."""
        ...

    def constraint(self, grammar: Grammar) -> Constraint:
        """Compile ``grammar`` for this vocabulary.

        Thread-safe. May take a while: call it off the event loop.

        Raises:
            GrammarError: it does not parse, or it asks for what is not supported.
        """
        ...

    def generate(self, prompt_ids: Sequence[int], params: SamplingParams) -> Generation:
        """Admit a request; called on the event loop, returns at once.

        Raises:
            QueueFullError: the request was not admitted.
            EngineClosedError: nothing works any more.
        """
        ...

    async def score(
        self, ids: Sequence[int], *, from_position: int = 1, top: int = 0
    ) -> list[TokenScore]:
        """How likely each of ``ids[from_position:]`` is after the tokens before it.

        It waits in the same queue as :meth:`generate`.

        Args:
            ids: at most ``context_length`` tokens.
            from_position: >= 1: nothing is known of the first token.
            top: alternatives reported with each.

        Raises:
            QueueFullError: the request was not admitted.
            EngineClosedError: nothing works any more.
        """
        ...

    @property
    def active(self) -> int:
        """Requests at work."""
        ...

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        ...

    @property
    def healthy(self) -> bool:
        """Whether a new request would be worked on."""
        ...

    def close(self) -> None:
        """Fail what still runs and end the worker."""
        ...
