"""A chat answer as OpenAI's objects: one completion, or the chunks of a stream."""

import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

from serve.engine.base import Engine, FinishReason, GeneratedToken, Generation
from serve.engine.completion import Piece, answer, together
from serve.protocol import (
    AnswerMessage,
    ChatChunk,
    ChatCompletion,
    Choice,
    ChoiceLogprobs,
    ChunkChoice,
    Delta,
    TokenLogprob,
    TopLogprob,
    Usage,
)


@dataclass(frozen=True)
class ChatAnswer:
    """An admitted request.

    Attributes:
        id: of the completion.
        created: unix time.
        model: as the request names it.
        engine: that works on it.
        generations: one per choice.
        prompt_tokens: length of the prompt.
        stops: stop strings.
        logprobs: whether tokens carry them.
    """

    id: str
    created: int
    model: str
    engine: Engine
    generations: Sequence[Generation]
    prompt_tokens: int
    stops: Sequence[str]
    logprobs: bool

    def pieces(self) -> AsyncIterator[Piece]:
        """The pieces of all choices as they come."""
        return together(
            [
                answer(generation, self.engine.decode, self.stops, choice)
                for choice, generation in enumerate(self.generations)
            ]
        )

    def usage(self, generated: Iterable[int]) -> Usage:
        """Counts, given the tokens made for each choice."""
        made = sum(generated)
        return Usage(
            prompt_tokens=self.prompt_tokens,
            completion_tokens=made,
            total_tokens=self.prompt_tokens + made,
        )


async def completion(request: ChatAnswer) -> ChatCompletion:
    """Wait for all choices."""
    size = len(request.generations)
    texts: list[list[str]] = [[] for _ in range(size)]
    tokens: list[list[GeneratedToken]] = [[] for _ in range(size)]
    generated = [0] * size
    finish: list[FinishReason] = ["stop"] * size
    async for piece in request.pieces():
        texts[piece.choice].append(piece.text)
        tokens[piece.choice] += piece.tokens
        generated[piece.choice] = piece.generated
        finish[piece.choice] = piece.finish_reason or "stop"
    choices = [
        Choice(
            index=index,
            message=AnswerMessage(content="".join(texts[index])),
            logprobs=_logprobs(request.engine, tokens[index]) if request.logprobs else None,
            finish_reason=finish[index],
        )
        for index in range(size)
    ]
    return ChatCompletion(
        id=request.id,
        created=request.created,
        model=request.model,
        choices=choices,
        usage=request.usage(generated),
    )


async def chunks(request: ChatAnswer, *, include_usage: bool) -> AsyncIterator[bytes]:
    """Server-sent events: role first, then text as it comes, ``[DONE]`` last."""
    size = len(request.generations)
    generated = [0] * size
    # with include_usage every chunk names usage, null but in the last: so says OpenAI's reference
    no_usage: dict[str, Usage | None] = {"usage": None} if include_usage else {}
    for index in range(size):
        yield _event(request, _choice(index, Delta(role="assistant", content="")), no_usage)
    pieces = request.pieces()
    async with contextlib.aclosing(pieces):  # type: ignore[type-var]
        async for piece in pieces:
            generated[piece.choice] = piece.generated
            logprobs = _logprobs(request.engine, piece.tokens) if request.logprobs else None
            if piece.text or (request.logprobs and piece.tokens):
                choice = _choice(piece.choice, Delta(content=piece.text), logprobs)
                yield _event(request, choice, no_usage)
            if piece.finish_reason:
                choice = _choice(piece.choice, Delta(), finish=piece.finish_reason)
                yield _event(request, choice, no_usage)
    if include_usage:
        yield _event(request, [], {"usage": request.usage(generated)})
    yield b"data: [DONE]\n\n"


def _choice(
    index: int,
    delta: Delta,
    logprobs: ChoiceLogprobs | None = None,
    finish: FinishReason | None = None,
) -> list[ChunkChoice]:
    return [ChunkChoice(index=index, delta=delta, logprobs=logprobs, finish_reason=finish)]


def _event(
    request: ChatAnswer, choices: list[ChunkChoice], usage: dict[str, Usage | None]
) -> bytes:
    chunk = ChatChunk(
        id=request.id,
        object="chat.completion.chunk",
        created=request.created,
        model=request.model,
        choices=choices,
        **usage,
    )
    # a null finish_reason is part of the shape, an absent usage is too: unset is not None
    return b"data: " + chunk.model_dump_json(exclude_unset=True).encode() + b"\n\n"


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
