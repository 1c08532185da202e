"""Two ways into the RunPod emulator: a server with real connections, and a transport without.

Both pass the same requests to the same :class:`runpod_emulator.Emulator`.
"""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
from runpod_emulator import Cut, Emulator, Silent


class InProcess(httpx.BaseTransport):
    """Requests go straight to the emulator; silence takes the clock's time, not real time."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        try:
            reply = self._emulator.handle(
                request.method, str(request.url), dict(request.headers), request.read()
            )
        except Cut:
            raise httpx.RemoteProtocolError("cut", request=request) from None
        except Silent:
            self._emulator.world.clock.sleep(request.extensions["timeout"]["read"])
            raise httpx.ReadTimeout("silent", request=request) from None
        body = _streamed(reply.live, request) if reply.live else reply.body
        return httpx.Response(reply.status, headers=reply.headers, content=body, request=request)


def _streamed(live: Iterator[bytes], request: httpx.Request) -> Iterator[bytes]:
    try:
        yield from live
    except Cut:
        raise httpx.ReadError("cut", request=request) from None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    emulator: Emulator

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            reply = self.emulator.handle(
                self.command, self.path, dict(self.headers), body, live=True
            )
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.live is not None:
                # without a length the stream ends with the connection
                self.close_connection = True
                self.end_headers()
                for chunk in reply.live:
                    self.wfile.write(chunk)
                return
            if reply.status != 204:
                self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)
        except Cut:
            # a reset, as when a proxy gives up
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
        except Silent:
            self.emulator.stopping.wait(10)
            self.close_connection = True
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_POST = do_DELETE = do_PATCH = _serve

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        return


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        return


@contextmanager
def running(emulator: Emulator) -> Iterator[str]:
    """The emulator as a server; yields its address, for ``RUNPOD_API_BASE_URL``."""
    handler = type("Handler", (_Handler,), {"emulator": emulator})
    server = _Server(("127.0.0.1", 0), handler)
    url = f"http://127.0.0.1:{server.server_address[1]}"
    emulator.world.api_url = url
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})

    def move() -> None:
        # pods go on while nobody asks
        while not emulator.stopping.wait(0.02):
            emulator.world.tick()

    mover = threading.Thread(target=move)
    thread.start()
    mover.start()
    try:
        yield url
    finally:
        emulator.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)
        mover.join(timeout=10)
        emulator.world.close()
