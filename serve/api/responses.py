"""Sending an answer: whole or as events, given up when the client is gone or time is over."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from serve.api.errors import RequestTimeoutError, from_exception
from serve.api.limits import deadline
from serve.api.objects import ErrorResponse
from serve.engine.base import Generation

# the client is gone and will not see it; the number is the one nginx made customary
_CLIENT_CLOSED = 499

DONE = b"data: [DONE]\n\n"


async def whole(request: Request, work: Coroutine[Any, Any, BaseModel], seconds: float) -> Response:
    """The answer in one piece; cancelled if the client leaves before it is ready.

    Unset fields of the answer are left out.

    Raises:
        RequestTimeoutError: it took more than ``seconds``.
    """
    task = asyncio.create_task(work)
    gone = asyncio.create_task(_until_gone(request))
    try:
        await asyncio.wait({task, gone}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return JSONResponse((await task).model_dump(exclude_unset=True))
        if gone.done():
            return Response(status_code=_CLIENT_CLOSED)
        raise RequestTimeoutError
    finally:
        gone.cancel()
        task.cancel()
        # what it asked of the engine is cancelled by the time the request is over
        await asyncio.gather(task, return_exceptions=True)


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


class EventStream(StreamingResponse):
    """Server-sent events that cancel the generations when the client is gone.

    Args:
        content: the events.
        generations: what they come from.
        seconds: until all must be sent.
    """

    def __init__(
        self, content: AsyncIterator[bytes], generations: Sequence[Generation], seconds: float
    ) -> None:
        super().__init__(
            _with_errors(content),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )
        self._generations = generations
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send; see the class."""
        try:
            with deadline(self._generations, self._seconds):
                await super().__call__(scope, receive, send)
        finally:
            for generation in self._generations:
                generation.cancel()


async def _with_errors(content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """An error in the middle of a stream as an event: the status line is long gone."""
    try:
        async with contextlib.aclosing(content) as events:  # type: ignore[type-var]
            async for event in events:
                yield event
    except Exception as error:
        answer = from_exception(error)
        body = ErrorResponse(error=answer.body)
        yield b"data: " + body.model_dump_json().encode() + b"\n\n"
        if answer.body.code == "internal_error":
            # the cause goes to the server's log; the client sees the connection end
            raise


def event(chunk: BaseModel) -> bytes:
    """One event; unset fields are left out, null ones are part of the shape."""
    return b"data: " + chunk.model_dump_json(exclude_unset=True).encode() + b"\n\n"
