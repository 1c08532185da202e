"""Faults of the Hub test server: which request goes wrong, and how; an ASGI layer round the app."""

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal[
    "status", "drop", "drop-upload", "corrupt-upload", "lose-reply", "truncate", "corrupt", "first"
]

ROUTES = [
    ("whoami", "GET", r"/api/whoami-v2"),
    ("yaml", "POST", r"/api/validate-yaml"),
    ("create", "POST", r"/api/repos/create"),
    ("preupload", "POST", r"/api/datasets/[^/]+/[^/]+/preupload/"),
    ("commit", "POST", r"/api/datasets/[^/]+/[^/]+/commit/"),
    ("paths", "POST", r"/api/datasets/[^/]+/[^/]+/paths-info/"),
    ("tag", "POST", r"/api/datasets/[^/]+/[^/]+/tag/"),
    ("tree", "GET", r"/api/datasets/[^/]+/[^/]+/tree/"),
    ("refs", "GET", r"/api/datasets/[^/]+/[^/]+/refs"),
    ("info", "GET", r"/api/datasets/[^/]+/[^/]+(/revision/.*)?$"),
    ("batch", "POST", r"/datasets/.*\.git/info/lfs/objects/batch"),
    ("verify", "POST", r"/lfs/verify"),
    ("complete", "POST", r"/lfs/complete/"),
    ("part", "PUT", r"/lfs/part/"),
    ("put", "PUT", r"/lfs/object/"),
    ("head", "HEAD", r"/datasets/.*/resolve/"),
    ("resolve", "GET", r"/datasets/.*/resolve/"),
    ("cdn", "GET", r"/cdn/"),
]


def route_of(method: str, path: str) -> str:
    for name, of, pattern in ROUTES:
        if method == of and re.match(pattern, path):
            return name
    return "other"


@dataclass
class Fault:
    """What goes wrong.

    Attributes:
        route: a name of ``ROUTES``.
        kind: ``status`` answers with ``status``; ``drop`` closes the socket before anything is
            read; ``drop-upload`` after ``after`` bytes of the body; ``lose-reply`` does the work
            and closes the socket instead of answering; ``truncate`` closes it half way through
            the answer; ``corrupt`` flips a bit of the answer and ``corrupt-upload`` of what
            arrives; ``first`` calls ``action``, then goes on as if nothing were.
        nth: the first call that goes wrong, 1 is the next.
        times: how many calls go wrong from there.
        path: only of requests whose path holds this.
    """

    route: str
    kind: Kind
    nth: int = 1
    times: int = 1
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    message: str = "out of order"
    after: int = 1000
    path: str = ""
    action: Callable[[], object] = lambda: None
    calls: int = 0

    @property
    def fired(self) -> int:
        """How many calls went wrong."""
        return max(0, min(self.calls - self.nth + 1, self.times))


@dataclass(frozen=True)
class Seen:
    """One request that arrived."""

    route: str
    method: str
    path: str
    host: str
    authorization: str | None


class Faults:
    """Wraps the app: counts what arrives, and lets the scripted requests go wrong."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.script: list[Fault] = []
        self.seen: list[Seen] = []
        self.received: dict[str, int] = {}
        self._lock = threading.Lock()

    def _note(self, scope: dict[str, Any]) -> tuple[str, Fault | None]:
        headers = dict(scope["headers"])
        token = headers.get(b"authorization")
        route = route_of(scope["method"], scope["path"])
        host = headers.get(b"host", b"").decode()
        with self._lock:
            self.seen.append(
                Seen(route, scope["method"], scope["path"], host, token and token.decode())
            )
            for fault in self.script:
                if fault.route == route and fault.path in scope["path"]:
                    fault.calls += 1
                    if fault.nth <= fault.calls < fault.nth + fault.times:
                        return route, fault
        return route, None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        route, fault = self._note(scope)
        transport = receive.__self__.transport

        async def counted() -> Any:
            message = await receive()
            with self._lock:
                size = len(message.get("body", b""))
                self.received[route] = self.received.get(route, 0) + size
            return message

        if fault is not None and fault.kind == "first":
            fault.action()
        if fault is None or fault.kind == "first":
            await self.app(scope, counted, send)
        elif fault.kind == "drop":
            transport.abort()
        elif fault.kind == "drop-upload":
            got = 0
            while got < fault.after:
                message = await counted()
                got += len(message.get("body", b""))
                if not message.get("more_body"):
                    break
            transport.abort()
        elif fault.kind == "corrupt-upload":
            await self.app(scope, _flipped(counted), send)
        elif fault.kind == "status":
            await _drain(counted)
            await _answer(send, fault)
        elif fault.kind == "lose-reply":
            await self.app(scope, counted, _ignore)
            transport.abort()
        else:
            await self.app(scope, counted, _spoiled(send, fault, transport))


def _flip(body: bytes) -> bytes:
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]


def _flipped(receive: Any) -> Any:
    async def flipped() -> Any:
        message = await receive()
        body = message.get("body", b"")
        return {**message, "body": _flip(body)} if body else message

    return flipped


async def _drain(receive: Any) -> None:
    while (await receive()).get("more_body"):
        pass


async def _ignore(_message: Any) -> None:
    return None


async def _answer(send: Any, fault: Fault) -> None:
    page = fault.headers.get("content-type") == "text/html"
    body = fault.message.encode() if page else json.dumps({"error": fault.message}).encode()
    headers = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        **fault.headers,
    }
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": fault.status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


def _spoiled(send: Any, fault: Fault, transport: Any) -> Any:
    async def spoiled(message: dict[str, Any]) -> None:
        body = message.get("body", b"")
        if message["type"] != "http.response.body" or not body:
            await send(message)
        elif fault.kind == "corrupt":
            await send({**message, "body": _flip(body)})
        else:
            await send({**message, "body": body[: len(body) // 2], "more_body": True})
            transport.close()

    return spoiled
