"""What one server takes on at most, and how requests that exceed it are refused."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from starlette.datastructures import Headers
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
        per_key: requests at once with one key (without keys: at all); one more gets a 429.
        request_s: seconds until an answer must be done; a later one ends in a 504.
    """

    body_bytes: int = MAX_BODY_BYTES
    prompt_tokens: int = 1 << 18
    per_key: int = 128
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
    """Refuses a request when as many with the same key are at work as one key may have.

    Args:
        app: what is guarded.
        limit: requests at once.
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit
        self._at_work: Counter[bytes] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on or refuse; looking at the server's state is always allowed."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        sent = Headers(scope=scope).get("authorization", "")
        key = sha256(sent.encode("utf-8", "surrogateescape")).digest()
        if self._at_work[key] >= self._limit:
            error = ApiError(
                429,
                f"{self._limit} requests are at work already, as many as one key may have",
                code="rate_limit_exceeded",
                kind="rate_limit_error",
                headers={"Retry-After": "1"},
            )
            await error.response()(scope, receive, send)
            return
        self._at_work[key] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._at_work[key] -= 1
            if not self._at_work[key]:
                del self._at_work[key]
