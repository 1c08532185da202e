"""What every request passes before the application sees it: log, host, key, size.

Plain ASGI, so that a refused request costs nothing: its body is not parsed, mostly not read.
"""

import hashlib
import hmac
import logging
import time
from collections.abc import Collection

from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.api.errors import ApiError

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
# read and thrown away, so that a client which sends first and reads later sees the 413
_DRAIN_FACTOR = 8

_log = logging.getLogger("turnmill.access")


class AccessLog:
    """Logs method, path, status and time; never a query string, a header or a body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on and log."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 0

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note)
        finally:
            elapsed_ms = 1000 * (time.perf_counter() - began)
            # %r: a path may hold line breaks that would forge log lines
            _log.info("%s %r %d %.0f ms", scope["method"], scope["path"], status, elapsed_ms)


class HostCheck:
    """Refuses requests for other host names than ours, as DNS rebinding makes a browser send.

    Args:
        app: what is guarded.
        allowed: lower-case names without port; None = any, for servers that need a key.
    """

    def __init__(self, app: ASGIApp, allowed: Collection[str] | None) -> None:
        self._app = app
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on or refuse."""
        if self._allowed is not None and scope["type"] in ("http", "websocket"):
            host = Headers(scope=scope).get("host", "")
            if _host_name(host) not in self._allowed:
                error = ApiError(403, "this host name is not served here", code="invalid_host")
                await error.response()(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _host_name(host: str) -> str:
    """The name in a Host header: no port, no brackets, lower case."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


class KeyCheck:
    """Asks for ``Authorization: Bearer <key>`` everywhere but at ``/health``.

    Args:
        app: what is guarded.
        key: the key; None = nobody is asked.
    """

    def __init__(self, app: ASGIApp, key: SecretStr | None) -> None:
        self._app = app
        self._key = key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on or refuse."""
        guarded = scope["type"] in ("http", "websocket") and scope["path"] != "/health"
        if self._key is not None and guarded:
            sent = Headers(scope=scope).get("authorization", "")
            if not hmac.compare_digest(
                _digest(sent), _digest(f"Bearer {self._key.get_secret_value()}")
            ):
                error = ApiError(
                    401,
                    "a valid API key is needed: Authorization: Bearer <key>",
                    code="invalid_api_key",
                    kind="authentication_error",
                    headers={"WWW-Authenticate": "Bearer"},
                )
                await error.response()(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _digest(text: str) -> bytes:
    # equal length whatever was sent: the comparison then takes the same time too
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


class BodyLimit:
    """Reads bodies whole up to a limit, before anything parses them; more is a 413.

    Args:
        app: what is guarded.
        limit: bytes.
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on with the body at hand, or refuse."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        body = await self._read(receive)
        if body is None:
            error = ApiError(
                413, f"the body is larger than {self._limit} bytes", code="request_too_large"
            )
            await error.response()(scope, receive, send)
            return
        given = False

        async def replay() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)

    async def _read(self, receive: Receive) -> bytes | None:
        """The whole body, or None if it is too large."""
        parts: list[bytes] = []
        size = 0
        more = True
        while more and size <= self._limit * _DRAIN_FACTOR:
            message = await receive()
            part = message.get("body", b"")
            size += len(part)
            more = message.get("more_body", False)
            if size <= self._limit:
                parts.append(part)
        return b"".join(parts) if size <= self._limit else None
