"""One answer: an engine's tokens made into text, with stop strings, logprobs and a count."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from serve.engine.base import (
    Engine,
    FinishReason,
    GeneratedToken,
    Generation,
    QueueFullError,
    SamplingParams,
)
from serve.engine.text import TextPiece, TextStream


@dataclass(frozen=True)
class Piece:
    """A part of one answer.

    Attributes:
        choice: which of the n answers.
        text: new text, maybe empty on the last piece.
        tokens: the tokens that came out whole with it.
        finish_reason: set on the last piece of the choice.
        generated: tokens the engine made for this choice so far, end token included.
    """

    choice: int
    text: str
    tokens: tuple[GeneratedToken, ...]
    finish_reason: FinishReason | None
    generated: int


def admit(
    engine: Engine, prompt_ids: Sequence[int], params: Sequence[SamplingParams]
) -> list[Generation]:
    """Admit one request per element of ``params``, all or none.

    Raises:
        QueueFullError: not all were admitted; those that were are cancelled.
    """
    admitted: list[Generation] = []
    try:
        for one in params:
            admitted.append(engine.generate(prompt_ids, one))  # noqa: PERF401 - kept on errors
    except QueueFullError:
        for generation in admitted:
            generation.cancel()
        raise
    return admitted


async def answer(
    generation: Generation,
    decode: Callable[[Sequence[int]], str],
    stops: Sequence[str] = (),
    choice: int = 0,
) -> AsyncIterator[Piece]:
    """The pieces of one answer in order; empty ones are left out, the last always comes.

    Closing the iterator early cancels the generation.
    """
    stream = TextStream(decode, stops)
    tokens: list[GeneratedToken] = []
    generated = 0

    def piece(new: TextPiece, finish: FinishReason | None) -> Piece:
        return Piece(choice, new.text, tuple(tokens[i] for i in new.tokens), finish, generated)

    async with contextlib.aclosing(aiter(generation)) as source:
        async for token in source:
            generated += 1
            if token.finish_reason == "stop":
                yield piece(stream.flush(), "stop")
                return
            tokens.append(token)
            new = stream.push(token.id)
            if new.stopped:
                yield piece(new, "stop")
                return
            if new.text or new.tokens:
                yield piece(new, None)
            if token.finish_reason == "length":
                rest = stream.flush()
                yield piece(rest, "stop" if rest.stopped else "length")
                return


async def together(answers: Sequence[AsyncIterator[Piece]]) -> AsyncIterator[Piece]:
    """The pieces of several answers as they come; an error of one ends all."""
    queue: asyncio.Queue[Piece | None] = asyncio.Queue()

    async def pump(source: AsyncIterator[Piece]) -> None:
        try:
            async for piece in source:
                queue.put_nowait(piece)
        finally:
            queue.put_nowait(None)

    tasks = [asyncio.create_task(pump(source)) for source in answers]
    try:
        for _ in tasks:
            while (piece := await queue.get()) is not None:
                yield piece
            for task in tasks:
                if task.done():
                    task.result()
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
