"""The server process: sockets, signals, an orderly end. Binds this machine only, unless keyed."""

import contextlib
import ipaddress
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr

from ingest.errors import UserError
from serve.api.app import create_app
from serve.api.guard import LOOPBACK_HOSTS
from serve.api.limits import Limits
from serve.engine.base import Engine
from serve.engine.embedded import open_engine

# answers under way at the end of the server get so long to finish
DRAIN_S = 30


class ServeError(UserError):
    """The server cannot start as it was asked to."""


def serve(
    models: Mapping[str, Path],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    api_key: SecretStr | None = None,
    limits: Limits | None = None,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Load models and serve them until SIGTERM or Ctrl-C; answers under way are finished first.

    Call it on the main thread: it takes over the two signals while it runs. A second Ctrl-C ends
    at once.

    Args:
        models: model folder by the name that requests use.
        host: address to bind; any but a loopback address needs ``api_key``.
        port: 0 = a free one.
        api_key: see ``create_app``.
        limits: see ``create_app``.
        on_ready: called with the base URL when requests are taken.

    Raises:
        ServeError: no key for an open address, or the port is taken.
        UserError: a folder holds no model that can be served.
    """
    _check_open(host, api_key)
    # before the weights: a taken port should be known at once
    with _bound(host, port) as bound:
        engines: dict[str, Engine] = {}
        try:
            for name, folder in models.items():
                engines[name] = open_engine(folder)
            # with a key, other names are fine: a page that rebinds its own to us has no key
            hosts = LOOPBACK_HOSTS if is_loopback(host) else None
            app = create_app(engines, api_key=api_key, allowed_hosts=hosts, limits=limits)
            ready = (lambda: on_ready(_url(host, bound))) if on_ready else None
            server = _Server(_config(app), ready)
            with _signals_to(server):
                server.run(sockets=[bound])
        finally:
            for engine in engines.values():
                engine.close()


class RunningServer:
    """The same server on a thread and a free loopback port, for as long as the block runs.

    Args:
        models: engine by the name that requests use; they are closed with the server.
        api_key: see ``create_app``.
        limits: see ``create_app``.

    Attributes:
        url: base URL without ``/v1``, once inside the block.
    """

    def __init__(
        self,
        models: Mapping[str, Engine],
        *,
        api_key: SecretStr | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.url = ""
        self._app = create_app(models, api_key=api_key, limits=limits)

    def __enter__(self) -> Self:
        """Start; returns when requests are taken."""
        self._socket = _bound("127.0.0.1", 0)
        ready = threading.Event()
        self._server = _Server(_config(self._app), ready.set)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="turnmill-server"
        )
        self._thread.start()
        while not ready.wait(timeout=0.1):
            if not self._thread.is_alive():
                self._socket.close()
                raise ServeError("the server did not start", "its log says why")
        self.url = _url("127.0.0.1", self._socket)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, after answers under way."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()


class _Server(uvicorn.Server):
    """uvicorn's server that says when it is ready and leaves signals to us."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None] | None) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell."""
        await super().startup(sockets=sockets)
        if self.started and self._on_ready:
            self._on_ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing: uvicorn's own raises the signal again, which would kill us after the drain."""
        yield


@contextlib.contextmanager
def _signals_to(server: uvicorn.Server) -> Iterator[None]:
    def leave(number: int, frame: FrameType | None) -> None:
        server.handle_exit(number, frame)

    before = {number: signal.signal(number, leave) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _config(app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        # our own access log has no query strings; uvicorn's has
        access_log=False,
        log_config=None,
        log_level=logging.WARNING,
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_graceful_shutdown=DRAIN_S,
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``; names other than localhost count as open."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_open(host: str, api_key: SecretStr | None) -> None:
    if api_key is not None and not api_key.get_secret_value().strip():
        raise ServeError("the API key is empty", "put a long random text into the key file")
    if api_key is None and not is_loopback(host):
        raise ServeError(
            f"{host} can be reached from other machines and no API key is set",
            "pass --api-key-file, or leave --host at 127.0.0.1",
        )


def _bound(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        ServeError: the address is taken or not ours.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address, family=family, backlog=128)
    except OSError as error:
        raise ServeError(
            f"cannot listen on {host} port {port}: {error.strerror or error}",
            "stop the program that uses it, or choose another --port",
        ) from None


def _url(host: str, bound: socket.socket) -> str:
    port = bound.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
