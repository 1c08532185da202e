"""What can go wrong with RunPod's API, by what is to be done about it.

RunPodError (UserError)
 +-- KeyRefusedError      401: the key is wrong, or was revoked
 +-- NotAllowedError      403: the key or the account may not do this; the next candidate may do
 +-- NoBalanceError       402: no candidate will do
 +-- RefusedError         400: a rule is broken or, for a new pod, no machine is free
 +-- GoneError            404: no such pod or volume
 +-- ConflictError        409: not in this state, or managed by a cluster
 +-- TooManyError         429, and waiting did not help
 +-- UnreachableError     nothing was done: no answer to a read, or no connection for a write
 +-- UnknownOutcomeError  a write may have been done: look before doing it again
ContractError             422: a bug of ours, not the user's to mend

No error holds a request, a header or a secret, and none has another as its cause or context.
"""

import re
from collections.abc import Iterable

from ingest.errors import UserError

_LONGEST = 300
_SHORTEST_SECRET = 6
_KEYS = re.compile(r"\b(?:rpa_|hf_|sk-)\w{8,}|(?i:bearer)\s+\S+")
_MASK = "***"


class RunPodError(UserError):
    """RunPod did not do what it was asked."""


class KeyRefusedError(RunPodError):
    """The API key is wrong, or was revoked."""


class NotAllowedError(RunPodError):
    """The key or the account may not do this."""


class NoBalanceError(RunPodError):
    """The account has no money left."""


class RefusedError(RunPodError):
    """The request breaks a rule, or no machine is free."""


class GoneError(RunPodError):
    """There is no such pod or volume."""


class ConflictError(RunPodError):
    """The pod is not in a state that allows this."""


class TooManyError(RunPodError):
    """Too many requests, and waiting did not help.

    Args:
        message: see :class:`UserError`.
        hint: see :class:`UserError`.
        wait_s: how long RunPod asks to wait, in seconds.
    """

    def __init__(self, message: str, hint: str = "", wait_s: float = 0.0) -> None:
        super().__init__(message, hint)
        self.wait_s = wait_s


class UnreachableError(RunPodError):
    """No usable answer, and nothing was changed."""


class UnknownOutcomeError(RunPodError):
    """No usable answer, and what was asked may have been done."""


class ContractError(RuntimeError):
    """A request that breaks RunPod's contract: a bug of ours."""


def masked(text: str, secrets: Iterable[str] = ()) -> str:
    """A text from outside as one short line without secrets and control characters.

    Args:
        text: what RunPod said.
        secrets: what must not be in it; shorter ones than 6 characters are not looked for.
    """
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, _MASK)
    text = _KEYS.sub(_MASK, text)
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
