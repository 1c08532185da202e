"""What one server takes on at most, and how requests that exceed it are refused."""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from serve.api.errors import ApiError, RequestTimeoutError
from serve.engine.base import Generation

MAX_BODY_BYTES = 2 << 20


@dataclass(frozen=True)
class Limits:
    """The bounds that an operator may set; those of single fields are in the request shapes.

    Attributes:
        body_bytes: larger bodies get a 413.
        prompt_tokens: of all prompts of one request together.
        at_once: requests at work at once, waiting ones included; one more gets a 429. A server
            has one key, so this is also what one key may have.
        request_s: seconds until an answer must be done; a later one ends in a 504.
    """

    body_bytes: int = MAX_BODY_BYTES
    prompt_tokens: int = 1 << 18
    at_once: int = 128
    request_s: float = 600.0


@contextlib.contextmanager
def deadline(generations: Sequence[Generation], seconds: float) -> Iterator[None]:
    """Fail ``generations`` if the block is not left in time."""

    def expire() -> None:
        for generation in generations:
            generation.fail(RequestTimeoutError())
            generation.cancel()

    timer = asyncio.get_running_loop().call_later(seconds, expire)
    try:
        yield
    finally:
        timer.cancel()


class ConcurrencyLimit:
    """Refuses a request when as many are at work as the server's one key may have.

    Args:
        app: what is guarded.
        limit: requests at once.
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit
        self._at_work = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on or refuse; looking at the server's state is always allowed."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        if self._at_work >= self._limit:
            error = ApiError(
                429,
                f"the server is busy: {self._limit} requests are at work already",
                code="rate_limit_exceeded",
                kind="rate_limit_error",
                headers={"Retry-After": "1"},
            )
            await error.response()(scope, receive, send)
            return
        self._at_work += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._at_work -= 1
