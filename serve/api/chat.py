"""A chat answer as OpenAI's objects: one completion, or the chunks of a stream."""

import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from serve.api.answer_parts import AnswerParts, Called, Part, Said, Thought
from serve.api.metrics import Metrics
from serve.api.objects import (
    AnswerMessage,
    CalledFunction,
    ChatChunk,
    ChatCompletion,
    ChatFinish,
    Choice,
    ChoiceLogprobs,
    ChunkChoice,
    Delta,
    FunctionDelta,
    TokenLogprob,
    ToolCall,
    ToolCallDelta,
    TopLogprob,
    Usage,
)
from serve.api.responses import DONE, event
from serve.api.tool_format import AnswerFormat, MarkedText
from serve.engine.base import Engine, FinishReason, GeneratedToken, Generation
from serve.engine.completion import Piece, answer, together


@dataclass(frozen=True)
class ChatAnswer:
    """An admitted request.

    Attributes:
        id: of the completion.
        created: unix time.
        model: as the request names it.
        engine: that works on it.
        metrics: where its tokens are counted.
        generations: one per choice.
        prompt_tokens: length of the prompt.
        stops: stop strings.
        logprobs: whether tokens carry them.
        format: what its text is taken apart by; ``tools`` is None when none are offered.
        names: of the tools on offer.
        parallel: whether one answer may hold several calls.
    """

    id: str
    created: int
    model: str
    engine: Engine
    metrics: Metrics
    generations: Sequence[Generation]
    prompt_tokens: int
    stops: Sequence[str]
    logprobs: bool
    format: AnswerFormat
    names: Sequence[str] = ()
    parallel: bool = True

    async def pieces(self) -> AsyncIterator[Piece]:
        """The pieces of all choices as they come."""
        decode = MarkedText(self.engine, _markers(self.format))
        began, first = time.perf_counter(), True
        generated = [0] * len(self.generations)
        source = together(
            [
                answer(generation, decode, self.stops, choice)
                for choice, generation in enumerate(self.generations)
            ]
        )
        self.metrics.prompt_tokens.labels(self.model).inc(self.prompt_tokens)
        try:
            async with contextlib.aclosing(source) as pieces:  # type: ignore[type-var]
                async for piece in pieces:
                    if first:
                        waited = time.perf_counter() - began
                        self.metrics.first_token.labels(self.model).observe(waited)
                        first = False
                    generated[piece.choice] = piece.generated
                    yield piece
        finally:
            self.metrics.generated_tokens.labels(self.model).inc(sum(generated))

    def parts(self) -> list["_ChoiceParts"]:
        """For each choice, what takes its text apart."""
        return [_ChoiceParts(self) for _ in self.generations]

    def usage(self, generated: Iterable[int]) -> Usage:
        """Counts, given the tokens made for each choice."""
        made = sum(generated)
        return Usage(
            prompt_tokens=self.prompt_tokens,
            completion_tokens=made,
            total_tokens=self.prompt_tokens + made,
        )


class _ChoiceParts:
    """The parts of one choice, and how it ends."""

    def __init__(self, request: ChatAnswer) -> None:
        self._parts = AnswerParts(request.format.thoughts, request.format.tools, request.names)
        self._parallel = request.parallel
        self.calls = 0

    def take(self, piece: Piece) -> list[Part]:
        """What became certain with a piece."""
        parts = self._parts.push(piece.text)
        if piece.finish_reason:
            parts += self._parts.finish()
        return [part for part in parts if self._wanted(part)]

    def _wanted(self, part: Part) -> bool:
        # what follows the one call that was allowed would be answered by nobody
        if not self._parallel and self.calls:
            return False
        self.calls += isinstance(part, Called)
        return True

    def finish(self, reason: FinishReason) -> ChatFinish:
        """The finish reason: a call is one, unless the answer was cut off."""
        return "tool_calls" if self.calls and reason == "stop" else reason


def _markers(found: AnswerFormat) -> list[str]:
    markers = [found.tools.opener, found.tools.closer] if found.tools else []
    markers += [found.thoughts.opener, found.thoughts.closer] if found.thoughts else []
    return [marker for marker in markers if marker]


def call_id() -> str:
    """A new id of a tool call; nine letters and digits, as some templates ask for."""
    return secrets.token_hex(5)[:9]


async def completion(request: ChatAnswer) -> ChatCompletion:
    """Wait for all choices."""
    size = len(request.generations)
    takers = request.parts()
    parts: list[list[Part]] = [[] for _ in range(size)]
    tokens: list[list[GeneratedToken]] = [[] for _ in range(size)]
    generated = [0] * size
    finish: list[FinishReason] = ["stop"] * size
    async for piece in request.pieces():
        parts[piece.choice] += takers[piece.choice].take(piece)
        tokens[piece.choice] += piece.tokens
        generated[piece.choice] = piece.generated
        finish[piece.choice] = piece.finish_reason or "stop"
    choices = [
        Choice(
            index=index,
            message=_message(parts[index]),
            logprobs=_logprobs(request.engine, tokens[index]) if request.logprobs else None,
            finish_reason=takers[index].finish(finish[index]),
        )
        for index in range(size)
    ]
    return ChatCompletion(
        id=request.id,
        object="chat.completion",
        created=request.created,
        model=request.model,
        choices=choices,
        usage=request.usage(generated),
    )


def _message(parts: Sequence[Part]) -> AnswerMessage:
    said = "".join(part.text for part in parts if isinstance(part, Said))
    thought = "".join(part.text for part in parts if isinstance(part, Thought))
    calls = [
        ToolCall(
            id=call_id(),
            type="function",
            function=CalledFunction(name=part.name, arguments=part.arguments),
        )
        for part in parts
        if isinstance(part, Called)
    ]
    extra: dict[str, Any] = {}
    if thought:
        extra["reasoning_content"] = thought
    if calls:
        extra["tool_calls"] = calls
    content = said if said or not calls else None
    return AnswerMessage(role="assistant", content=content, refusal=None, **extra)


async def chunks(request: ChatAnswer, *, include_usage: bool) -> AsyncIterator[bytes]:
    """Server-sent events: role first, then the answer as it comes, ``[DONE]`` last."""
    size = len(request.generations)
    takers = request.parts()
    generated = [0] * size
    # with include_usage every chunk names usage, null but in the last: so says OpenAI's reference
    no_usage: dict[str, Usage | None] = {"usage": None} if include_usage else {}
    for index in range(size):
        yield _event(request, _choice(index, Delta(role="assistant", content="")), no_usage)
    async with contextlib.aclosing(request.pieces()) as pieces:  # type: ignore[type-var]
        async for piece in pieces:
            generated[piece.choice] = piece.generated
            before = takers[piece.choice].calls
            deltas = _deltas(takers[piece.choice].take(piece), before)
            logprobs = _logprobs(request.engine, piece.tokens) if request.logprobs else None
            if not deltas and request.logprobs and piece.tokens:
                deltas = [Delta(content="")]
            for delta in deltas:
                yield _event(request, _choice(piece.choice, delta, logprobs), no_usage)
                logprobs = None
            if piece.finish_reason:
                reason = takers[piece.choice].finish(piece.finish_reason)
                yield _event(request, _choice(piece.choice, Delta(), finish=reason), no_usage)
    if include_usage:
        yield _event(request, [], {"usage": request.usage(generated)})
    yield DONE


def _deltas(parts: Sequence[Part], calls: int) -> list[Delta]:
    """The news of one choice; ``calls`` were sent before."""
    deltas = []
    for part in parts:
        match part:
            case Said():
                deltas.append(Delta(content=part.text))
            case Thought():
                deltas.append(Delta(reasoning_content=part.text))
            case Called():
                head = ToolCallDelta(
                    index=calls,
                    id=call_id(),
                    type="function",
                    function=FunctionDelta(name=part.name, arguments=""),
                )
                body = ToolCallDelta(index=calls, function=FunctionDelta(arguments=part.arguments))
                deltas += [Delta(tool_calls=[head]), Delta(tool_calls=[body])]
                calls += 1
    return deltas


def _choice(
    index: int,
    delta: Delta,
    logprobs: ChoiceLogprobs | None = None,
    finish: ChatFinish | None = None,
) -> list[ChunkChoice]:
    return [ChunkChoice(index=index, delta=delta, logprobs=logprobs, finish_reason=finish)]


def _event(
    request: ChatAnswer, choices: list[ChunkChoice], usage: dict[str, Usage | None]
) -> bytes:
    return event(
        ChatChunk(
            id=request.id,
            object="chat.completion.chunk",
            created=request.created,
            model=request.model,
            choices=choices,
            **usage,
        )
    )


def _logprobs(engine: Engine, tokens: Sequence[GeneratedToken]) -> ChoiceLogprobs:
    content = []
    for token in tokens:
        assert token.logprob is not None, "logprobs were asked for"
        top = [_alternative(engine, one, logprob) for one, logprob in token.top]
        own = _alternative(engine, token.id, token.logprob)
        content.append(TokenLogprob(**own.model_dump(), top_logprobs=top))
    return ChoiceLogprobs(content=content, refusal=None)


def _alternative(engine: Engine, token_id: int, logprob: float) -> TopLogprob:
    raw = engine.token_bytes(token_id)
    return TopLogprob(token=raw.decode("utf-8", "replace"), logprob=logprob, bytes=list(raw))
