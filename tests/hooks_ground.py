"""A receiver that answers as it is told, and workspaces with hooks."""

import base64
import hashlib
import hmac
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from ingest.workspace import Workspace
from train.hooks.event import Event, Kind, make_event

KEY = b"a key of thirty-two bytes, or so"
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"
SEALED = {
    "dataset": "support", "fingerprint": "f" * 64, "path": "datasets/support/f", "state": "sealed",
}  # fmt: skip


@dataclass
class Receiver:
    """What came, and what is answered: numbers are statuses, anything else is called."""

    port: int = 0
    answers: list = field(default_factory=list)
    headers: dict = field(default_factory=dict)
    came: list = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?from=turnmill"

    @property
    def ids(self) -> list[str]:
        return [each["id"] for each in self.came]

    def wait_for(self, count: int, limit_s: float = 120) -> None:
        wait_until(lambda: len(self.came) >= count, limit_s)


def verified(headers, body: bytes, key: bytes = KEY) -> bool:
    """Our own reading of the scheme, not the code under test."""
    said = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    right = base64.b64encode(hmac.new(key, said, hashlib.sha256).digest()).decode()
    given = headers["webhook-signature"].split(" ")
    recent = abs(time.time() - int(headers["webhook-timestamp"])) < 300
    return recent and any(hmac.compare_digest(each, f"v1,{right}") for each in given)


@contextmanager
def receiver(certificate: Path | None = None) -> Iterator[Receiver]:
    """One on a free port; with a file that holds a certificate and its key it speaks TLS."""
    state = Receiver()

    class Door(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            state.came.append({
                "path": self.path, "id": self.headers["webhook-id"], "body": body,
                "headers": dict(self.headers), "verified": verified(self.headers, body),
                "json": json.loads(body),
            })  # fmt: skip
            answer = state.answers.pop(0) if state.answers else 204
            if callable(answer):
                answer(self, state)
                return
            self.send_response(answer)
            for name, value in state.headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.daemon_threads = True
    if certificate is not None:
        secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        secure.load_cert_chain(certificate)
        server.socket = secure.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None  # who does not trust us hangs up
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.stop.set()
        server.shutdown()
        server.server_close()
        thread.join()


def hang(door, state) -> None:
    state.stop.wait(60)
    door.close_connection = True


def drop(door, state) -> None:
    """It has taken the event; nobody hears so."""
    door.connection.shutdown(socket.SHUT_RDWR)
    door.close_connection = True


def drip(door, state) -> None:
    """A byte of the head now and then, for ever."""
    door.close_connection = True
    try:
        while not state.stop.wait(0.1):
            door.wfile.write(b"H")
    except OSError:
        return


def write_hooks(workspace: Workspace, text: str, *, courier: bool = False) -> None:
    head = f"courier = {str(courier).lower()}\n"
    workspace.config.write_text(head + text, "utf-8")


def posting(workspace: Workspace, url: str, more: str = "", *, courier: bool = False) -> None:
    """A workspace with one hook, which posts."""
    file = workspace.home / "secret.txt"
    file.write_text(SECRET + "\n")
    file.chmod(0o600)
    text = f"""
        [[hook]]
        name = "tell"
        on = ["dataset.sealed", "run.finished"]
        url = "{url}"
        secret_file = "secret.txt"
        {more}
    """
    write_hooks(workspace, text, courier=courier)


def happened(n: int = 1, kind: Kind = "dataset.sealed", **more) -> Event:
    """The n-th event."""
    from datetime import UTC, datetime

    at = datetime(2026, 3, 1, 10, 0, n, tzinfo=UTC)
    return make_event(kind, at, {**SEALED, **more})


def wait_until(true: Callable[[], bool], limit_s: float = 120) -> None:
    end = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < end, "it never became true"
        time.sleep(0.02)
