"""Completions of plain prompts, with the log probabilities of the prompt where asked for."""

import asyncio
import codecs
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from serve.api.metrics import Metrics
from serve.api.objects import Usage
from serve.api.responses import DONE, event
from serve.api.shapes import Completion, CompletionChoice, CompletionChunk, LegacyLogprobs
from serve.api.tool_format import is_special
from serve.engine.base import (
    Engine,
    FinishReason,
    GeneratedToken,
    Generation,
    QueueFullError,
    SamplingParams,
    TokenScore,
)
from serve.engine.completion import Piece, admit, answer, together

# prompts of one request that are at work at once: the others leave room for other requests
_AT_ONCE = 4
_RETRY_S = 0.05


@dataclass(frozen=True)
class Prompt:
    """One prompt.

    Attributes:
        ids: token ids.
        text: as it is echoed.
        shown: whether special tokens are part of ``text``.
    """

    ids: list[int]
    text: str
    shown: bool


@dataclass(frozen=True)
class CompletionWork:
    """A request whose fields are checked.

    Attributes:
        id: of the completion.
        created: unix time.
        model: as the request names it.
        engine: that works on it.
        metrics: where its tokens are counted.
        prompts: in the request's order.
        params: of the n answers to each prompt; empty = only the prompts are scored.
        stops: stop strings.
        echo: whether prompts are given back.
        logprobs: alternatives per token; None = no log probabilities.
        generations: of all prompts, as they are admitted.
    """

    id: str
    created: int
    model: str
    engine: Engine
    metrics: Metrics
    prompts: Sequence[Prompt]
    params: Sequence[Sequence[SamplingParams]]
    stops: Sequence[str]
    echo: bool
    logprobs: int | None
    generations: list[Generation] = field(default_factory=list)

    def admit(self, index: int) -> list[Generation]:
        """Admit the answers to one prompt.

        Raises:
            QueueFullError: none was admitted.
        """
        admitted = admit(self.engine, self.prompts[index].ids, self.params[index])
        self.generations.extend(admitted)
        return admitted

    def cancel(self) -> None:
        """Give up what is under way."""
        for generation in self.generations:
            generation.cancel()

    def usage(self, generated: int) -> Usage:
        """Each prompt is counted once."""
        prompt = sum(len(one.ids) for one in self.prompts)
        return Usage(
            prompt_tokens=prompt, completion_tokens=generated, total_tokens=prompt + generated
        )


async def completion(work: CompletionWork) -> Completion:
    """Wait for all answers to all prompts.

    Raises:
        QueueFullError: the engine did not take the first prompt.
    """
    began = time.perf_counter()
    results: dict[int, tuple[list[CompletionChoice], int]] = {}
    try:
        results[0] = await _one(work, 0, patient=False)
        work.metrics.first_token.labels(work.model).observe(time.perf_counter() - began)
        room = asyncio.Semaphore(_AT_ONCE)

        async def later(index: int) -> None:
            async with room:
                results[index] = await _one(work, index, patient=True)

        tasks = [asyncio.create_task(later(at)) for at in range(1, len(work.prompts))]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        work.cancel()
        work.metrics.prompt_tokens.labels(work.model).inc(work.usage(0).prompt_tokens)
        made = sum(count for _, count in results.values())
        work.metrics.generated_tokens.labels(work.model).inc(made)
    return Completion(
        id=work.id,
        object="text_completion",
        created=work.created,
        model=work.model,
        choices=[one for index in sorted(results) for one in results[index][0]],
        usage=work.usage(made),
    )


async def _one(
    work: CompletionWork, index: int, *, patient: bool
) -> tuple[list[CompletionChoice], int]:
    """The choices of one prompt and how many tokens were made for them.

    Args:
        work: the request.
        index: of the prompt.
        patient: wait for room in the queue, as a request that is at work already may.
    """
    while True:
        try:
            return await _choices(work, index)
        except QueueFullError:
            if not patient:
                raise
            await asyncio.sleep(_RETRY_S)


async def _choices(work: CompletionWork, index: int) -> tuple[list[CompletionChoice], int]:
    prompt, params = work.prompts[index], work.params[index]
    echoed: Sequence[TokenScore] = ()
    if work.echo and work.logprobs is not None:
        echoed = await work.engine.score(prompt.ids, top=max(work.logprobs, 1))
    generations = work.admit(index) if params else []
    texts = ["" for _ in generations]
    tokens: list[list[GeneratedToken]] = [[] for _ in generations]
    generated = [0 for _ in generations]
    finish: list[FinishReason] = ["length" for _ in generations]
    async for piece in together(
        [answer(one, work.engine.decode, work.stops, at) for at, one in enumerate(generations)]
    ):
        texts[piece.choice] += piece.text
        tokens[piece.choice] += piece.tokens
        generated[piece.choice] = piece.generated
        finish[piece.choice] = piece.finish_reason or "length"
    size = len(params) or 1
    choices = []
    for at in range(size):
        made, text = (tokens[at], texts[at]) if params else ([], "")
        logprobs = None
        if work.logprobs is not None:
            table = _Table(work.engine, work.logprobs)
            if work.echo:
                table.add_prompt(prompt, echoed)
            table.add_answer(made)
            logprobs = table.logprobs()
        choices.append(
            CompletionChoice(
                index=index * size + at,
                text=(prompt.text if work.echo else "") + text,
                logprobs=logprobs,
                finish_reason=finish[at] if params else "length",
            )
        )
    return choices, sum(generated)


async def chunks(
    work: CompletionWork, first: Sequence[Generation], *, include_usage: bool
) -> AsyncIterator[bytes]:
    """Server-sent events of all answers to all prompts, ``[DONE]`` last.

    Args:
        work: the request.
        first: the answers to the first prompt, admitted before the response began.
        include_usage: an event with the usage before the last.
    """
    no_usage: dict[str, Usage | None] = {"usage": None} if include_usage else {}
    made = 0
    began = time.perf_counter()
    work.metrics.prompt_tokens.labels(work.model).inc(work.usage(0).prompt_tokens)
    for index in range(len(work.prompts)):
        generations = first if index == 0 else await _patiently(work, index)
        tables = [_Table(work.engine, work.logprobs or 0) for _ in generations]
        generated = [0 for _ in generations]
        source = together(
            [answer(one, work.engine.decode, work.stops, at) for at, one in enumerate(generations)]
        )
        try:
            async with contextlib.aclosing(source) as pieces:  # type: ignore[type-var]
                async for piece in pieces:
                    if index == 0 and not sum(generated):
                        waited = time.perf_counter() - began
                        work.metrics.first_token.labels(work.model).observe(waited)
                    generated[piece.choice] = piece.generated
                    yield _event(work, index, piece, tables[piece.choice], no_usage)
        finally:
            made += sum(generated)
            work.metrics.generated_tokens.labels(work.model).inc(sum(generated))
    if include_usage:
        yield event(_chunk(work, [], {"usage": work.usage(made)}))
    yield DONE


async def _patiently(work: CompletionWork, index: int) -> Sequence[Generation]:
    while True:
        try:
            return work.admit(index)
        except QueueFullError:
            await asyncio.sleep(_RETRY_S)


def _event(
    work: CompletionWork,
    index: int,
    piece: Piece,
    table: "_Table",
    usage: dict[str, Usage | None],
) -> bytes:
    logprobs = None
    if work.logprobs is not None:
        table.add_answer(piece.tokens)
        logprobs = table.logprobs()
    choice = CompletionChoice(
        index=index * len(work.params[index]) + piece.choice,
        text=piece.text,
        logprobs=logprobs,
        finish_reason=piece.finish_reason,
    )
    return event(_chunk(work, [choice], usage))


def _chunk(
    work: CompletionWork, choices: list[CompletionChoice], usage: dict[str, Usage | None]
) -> CompletionChunk:
    return CompletionChunk(
        id=work.id,
        object="text_completion",
        created=work.created,
        model=work.model,
        choices=choices,
        **usage,
    )


class _Table:
    """The legacy lists of one choice: tokens with their log probabilities and places.

    Args:
        engine: whose tokens they are.
        top: alternatives per token.
    """

    def __init__(self, engine: Engine, top: int) -> None:
        self._engine = engine
        self._top = top
        self._start_over()
        self._offset = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def _start_over(self) -> None:
        self._tokens: list[str] = []
        self._logprobs: list[float | None] = []
        self._tops: list[dict[str, float] | None] = []
        self._offsets: list[int] = []

    def logprobs(self) -> LegacyLogprobs:
        """The lists since the last call."""
        made = LegacyLogprobs(
            tokens=self._tokens,
            token_logprobs=self._logprobs,
            top_logprobs=self._tops,
            text_offset=self._offsets,
        )
        self._start_over()
        return made

    def add_prompt(self, prompt: Prompt, scores: Sequence[TokenScore]) -> None:
        """A prompt's tokens; nothing is known of the first."""
        self._add(prompt.ids[0], None, (), shown=prompt.shown)
        for score in scores:
            self._add(score.id, score.logprob, score.top, shown=prompt.shown)
        self._offset = len(prompt.text)
        self._decoder.reset()

    def add_answer(self, tokens: Sequence[GeneratedToken]) -> None:
        """Tokens of the answer."""
        for token in tokens:
            self._add(token.id, token.logprob, token.top, shown=False)

    def _add(
        self,
        token_id: int,
        logprob: float | None,
        top: Sequence[tuple[int, float]],
        *,
        shown: bool,
    ) -> None:
        name = self._name(token_id)
        self._tokens.append(name)
        self._logprobs.append(logprob)
        self._tops.append(None if logprob is None else self._alternatives(name, logprob, top))
        self._offsets.append(self._offset)
        if shown or not is_special(self._engine, token_id):
            unfinished = bool(self._decoder.getstate()[0])
            text = self._decoder.decode(self._engine.token_bytes(token_id))
            # bytes before it that never became a character stand as one of their own
            self._offsets[-1] += unfinished and text.startswith("\ufffd")
            self._offset += len(text)

    def _alternatives(
        self, name: str, logprob: float, top: Sequence[tuple[int, float]]
    ) -> dict[str, float]:
        """By text; where two tokens have the same text, the likelier."""
        # the token itself is never dropped: its text may be the likeliest one's, and then that
        # number counts, which tells a client whether it was the model's first choice
        found = {name: logprob}
        for token_id, value in top[: self._top]:
            text = self._name(token_id)
            found[text] = max(value, found.get(text, value))
        return found

    def _name(self, token_id: int) -> str:
        raw = self._engine.token_bytes(token_id)
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            return "bytes:" + "".join(f"\\x{byte:02x}" for byte in raw)
