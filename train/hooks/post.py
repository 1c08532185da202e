"""One POST, by the standard library: it follows no redirect and knows no proxy of its own accord.

So what is sent goes to the host in ``turnmill.toml`` or nowhere. Of the answer nothing is read but
its head.
"""

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended.

    Attributes:
        ms: milliseconds it took.
        status: of the answer, or a program's exit status; None without one.
        error: what went wrong, one or two words; None if nothing did.
        retry_after_s: how long the receiver asks to wait.
    """

    ms: int
    status: int | None = None
    error: str | None = None
    retry_after_s: float | None = None


def post(url: str, body: bytes, headers: Mapping[str, str], timeout_s: float) -> Outcome:
    """Send ``body`` and look at the answer's status.

    Args:
        url: https, or http on this machine.
        body: sent as it is.
        headers: beside those that HTTP needs.
        timeout_s: for all of it once the connection stands, and for each address tried before.
    """
    started = time.monotonic()
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        secure = ssl.create_default_context()
        connection = http.client.HTTPSConnection(
            parts.hostname, parts.port, timeout=timeout_s, context=secure
        )
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout_s)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    late = threading.Event()
    # a socket's own timeout begins anew with each byte, and a receiver may drip for ever
    clock = threading.Timer(timeout_s, _cut, (connection, late))
    clock.daemon = True
    status, error, wait = None, None, None
    try:
        clock.start()
        connection.request("POST", target, body, dict(headers))
        answer = connection.getresponse()
        status = answer.status
        wait = _wait(answer.headers.get("Retry-After"))
        error = None if 200 <= status < 300 else f"status {status}"
    except (OSError, http.client.HTTPException) as failure:
        error = "timeout" if late.is_set() else _word(failure)
    finally:
        clock.cancel()
        connection.close()
    return Outcome(round((time.monotonic() - started) * 1000), status, error, wait)


def _cut(connection: http.client.HTTPConnection, late: threading.Event) -> None:
    late.set()
    if connection.sock is not None:
        with contextlib.suppress(OSError):  # it may be closed by now
            connection.sock.shutdown(socket.SHUT_RDWR)


def _word(failure: Exception) -> str:
    if isinstance(failure, TimeoutError):
        return "timeout"
    if isinstance(failure, ssl.SSLError):
        return "tls"
    if isinstance(failure, socket.gaierror):
        return "unknown host"
    if isinstance(failure, ConnectionRefusedError):
        return "refused"
    return "connection lost" if isinstance(failure, OSError) else "no HTTP"


def _wait(value: str | None) -> float | None:
    """Seconds that ``Retry-After`` asks for, given in seconds or as a date."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())
