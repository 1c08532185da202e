"""One request to RunPod: sent, waited for, sent again where that is safe, and its answer judged.

What is raised is never raised from within an ``except``: an error of httpx holds the request, and
the request holds the key.
"""

import contextlib
from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import Literal, NamedTuple, NoReturn, TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, SecretBytes, SecretStr

from train.launchers.runpod_answers import (
    Answer,
    Lost,
    failed,
    lost,
    lost_error,
    parse,
    refusal,
)
from train.launchers.runpod_clock import Clock
from train.launchers.runpod_errors import (
    KeyRefusedError,
    RunPodError,
    TooManyError,
    UnreachableError,
)
from train.launchers.runpod_quota import retry_after_s, used_up_s

Effect = Literal["read", "again", "once"]
"""What sending twice does: nothing; the same as sending once; more than sending once."""

_LARGEST = 32 << 20
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_Model = TypeVar("_Model", bound=BaseModel)


class Timing(NamedTuple):
    """How long to wait for what, in seconds.

    Attributes:
        timeout_s: for each answer, and for silence within a log stream.
        tries: how often a request without a usable answer is sent, where that is safe.
        backoff_s: before the second try; doubles.
        patience_s: how long one call may wait for the rate limit, all in all.
    """

    timeout_s: float = 30.0
    tries: int = 4
    backoff_s: float = 0.5
    patience_s: float = 120.0


class _Bearer(httpx.Auth):
    def __init__(self, key: SecretStr) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._key.get_secret_value()}"
        yield request


class Wire:
    """The connection to RunPod.

    Args:
        key: the API key.
        base_url: without ``/v2``; https, or this machine.
        timing: see :class:`Timing`.
        clock: time.
        transport: another way than the network.

    Raises:
        RunPodError: a key or address that cannot be one.
    """

    def __init__(
        self,
        key: SecretStr,
        *,
        base_url: str,
        timing: Timing,
        clock: Clock,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        # an error of the header's encoding would show it
        if not _one_word(key):
            raise KeyRefusedError(
                "RUNPOD_API_KEY: a key is one word of letters, digits and signs",
                "copy it again from the console, Settings, API Keys",
            )
        self.timing, self.clock = timing, clock
        self._key = key
        self._quiet_until = 0.0
        self._client = httpx.Client(
            base_url=_address(base_url),
            auth=_Bearer(key),
            timeout=timing.timeout_s,
            transport=transport,
            follow_redirects=False,
            # no proxy between us and this machine
            trust_env=urlsplit(base_url).hostname not in _LOOPBACK,
            headers={"Accept": "application/json, application/problem+json"},
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def ask(
        self,
        method: str,
        path: str,
        *,
        what: str,
        effect: Effect,
        query: Mapping[str, str] | None = None,
        body: SecretBytes | None = None,
        secrets: Iterable[SecretStr] = (),
    ) -> Answer:
        """Send a request until there is a usable answer or sending again is no longer safe.

        Args:
            method: GET, POST, DELETE.
            path: from ``/v2`` on.
            what: the request in words, for errors.
            effect: what sending twice does.
            query: after the question mark.
            body: JSON.
            secrets: that errors must not show.

        Returns:
            An answer that says yes.

        Raises:
            RunPodError: by status and effect; see :mod:`train.launchers.runpod_errors`.
            ContractError: the request breaks the contract.
        """
        waited, failures, maybe_done = 0.0, 0, False
        while True:
            if effect != "again":  # what ends a pod is not held back
                waited += self._wait(self._quiet_until - self.clock.monotonic(), waited, what)
            outcome = self._send(method, path, query, body)
            if isinstance(outcome, Answer) and outcome.status == 429:
                waited += self._wait(self._asked_to_wait_s(outcome), waited, what)
                continue
            if isinstance(outcome, Answer) and outcome.status < 500 and outcome.status != 408:
                if outcome.status < 300:
                    return outcome
                raise refusal(outcome, what, [self._key, *secrets])
            gone = outcome if isinstance(outcome, Lost) else failed(outcome)
            maybe_done = maybe_done or (gone.sent and effect != "read")
            failures += 1
            if (maybe_done and effect == "once") or failures >= self.timing.tries:
                raise lost_error(gone, what, maybe_done=maybe_done)
            self.clock.sleep(self.timing.backoff_s * 2 ** (failures - 1))

    def read(
        self, path: str, model: type[_Model], *, what: str, query: Mapping[str, str] | None = None
    ) -> _Model:
        """GET a value.

        Raises:
            RunPodError: see :meth:`ask`; also for a reply that cannot be read.
        """
        parsed: _Model | str = ""
        for number in range(self.timing.tries):
            if number:
                self.clock.sleep(self.timing.backoff_s * 2 ** (number - 1))
            answer = self.ask("GET", path, what=what, effect="read", query=query)
            parsed = parse(answer, model)
            if not isinstance(parsed, str):
                return parsed
        raise UnreachableError(
            f"RunPod, {what}: {parsed}", "try again; if it stays, turnmill is too old for it"
        )

    def stream(self, path: str, headers: Mapping[str, str], query: Mapping[str, str]) -> "Stream":
        """A stream of lines, to be used in a ``with`` block."""
        request = self._client.build_request("GET", path, headers=headers, params=query)
        return Stream(self, self._client, request)

    def refuse(self, answer: Answer, what: str) -> NoReturn:
        """Raise what an answer that says no means."""
        if answer.status == 429:
            wait_s = self._asked_to_wait_s(answer)
            raise TooManyError(f"RunPod, {what}: too many requests", "wait", wait_s)
        if answer.status >= 500 or answer.status == 408:
            raise lost_error(failed(answer), what, maybe_done=False)
        raise refusal(answer, what, [self._key])

    def _send(
        self, method: str, path: str, query: Mapping[str, str] | None, body: SecretBytes | None
    ) -> Answer | Lost:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        until = self.clock.monotonic() + 2 * self.timing.timeout_s
        chunks: list[bytes] = []
        try:
            with self._client.stream(
                method,
                path,
                params=query,
                headers=headers,
                content=None if body is None else body.get_secret_value(),
            ) as response:
                self._note(response.headers)
                for chunk in response.iter_bytes():
                    chunks.append(chunk)
                    # the timeout is for each piece: a trickle never meets it
                    if self.clock.monotonic() > until or sum(map(len, chunks)) > _LARGEST:
                        return Lost("the answer did not end", sent=True)
        except httpx.RequestError as error:
            return lost(error)
        return Answer(response.status_code, response.headers, b"".join(chunks))

    def _note(self, headers: httpx.Headers) -> None:
        used_up = used_up_s(headers.get("RateLimit"))
        if used_up:
            self._quiet_until = self.clock.monotonic() + used_up

    def _asked_to_wait_s(self, answer: Answer) -> float:
        said = retry_after_s(answer.headers.get("Retry-After"), self.clock.now())
        if said is None:
            said = used_up_s(answer.headers.get("RateLimit")) or 1.0
        # at least a little, else a server that says 0 is asked in a tight loop
        return max(said, 0.1)

    def _wait(self, seconds: float, waited: float, what: str) -> float:
        if seconds <= 0:
            return 0.0
        if waited + seconds > self.timing.patience_s:
            raise TooManyError(
                f"RunPod, {what}: too many requests; allowed again in {seconds:.0f} s",
                "wait so long; RunPod counts the requests of all keys of an account together",
                seconds,
            )
        self.clock.sleep(seconds)
        return seconds


class Stream:
    """Lines as they come."""

    def __init__(self, wire: Wire, client: httpx.Client, request: httpx.Request) -> None:
        self._wire, self._client, self._request = wire, client, request
        self._response: httpx.Response | None = None

    def open(self) -> Answer | Lost:
        """Send the request; the body of an answer that says yes is left to :meth:`lines`."""
        try:
            self._response = self._client.send(self._request, stream=True)
            ok = self._response.status_code == 200
            body = b"" if ok else self._response.read()
        except httpx.RequestError as error:
            return lost(error)
        return Answer(self._response.status_code, self._response.headers, body)

    def lines(self) -> Iterator[str]:
        """The lines, until the stream ends or is cut."""
        assert self._response is not None
        # who reads goes on at the last line's cursor either way
        with contextlib.suppress(httpx.RequestError):
            yield from self._response.iter_lines()

    def close(self) -> None:
        """Close the connection."""
        if self._response is not None:
            self._response.close()


def _one_word(key: SecretStr) -> bool:
    value = key.get_secret_value()
    return bool(value) and value.isascii() and value.isprintable() and " " not in value


def _address(base_url: str) -> str:
    parts = urlsplit(base_url)
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not safe or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise RunPodError(
            "RUNPOD_API_BASE_URL: not an https address (or http on this machine)",
            "unset it, or set it to the address without /v2",
        )
    return base_url.rstrip("/").removesuffix("/v2")
