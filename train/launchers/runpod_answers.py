"""What RunPod's answers mean, and what no answer means."""

from collections.abc import Iterable
from typing import NamedTuple, TypeVar

import httpx
from pydantic import BaseModel, SecretStr, ValidationError

from train.launchers.runpod_errors import (
    ConflictError,
    ContractError,
    GoneError,
    KeyRefusedError,
    NoBalanceError,
    NotAllowedError,
    RefusedError,
    RunPodError,
    UnknownOutcomeError,
    UnreachableError,
    masked,
)
from train.launchers.runpod_models import Problem

_REFUSALS: dict[int, tuple[type[RunPodError], str]] = {
    400: (RefusedError, "change what is asked; for a pod it may also mean that no machine is free"),
    401: (KeyRefusedError, "set RUNPOD_API_KEY to a valid key (console, Settings, API Keys)"),
    402: (NoBalanceError, "add credit to the RunPod account; a new pod needs an hour's worth"),
    403: (NotAllowedError, "use a key with more rights, or another card or cloud"),
    404: (GoneError, "it was deleted, or belongs to another account"),
    409: (ConflictError, "look at it again: its state does not allow this now"),
}
_Model = TypeVar("_Model", bound=BaseModel)


class Answer(NamedTuple):
    """What RunPod answered."""

    status: int
    headers: httpx.Headers
    body: bytes

    def __repr__(self) -> str:
        """Without the body: a traceback with locals must not show what RunPod echoes."""
        return f"Answer({self.status})"


class Lost(NamedTuple):
    """Why there is no answer that can be used.

    Attributes:
        reason: in words of ours.
        sent: whether the request may have reached RunPod.
    """

    reason: str
    sent: bool


def parse(answer: Answer, model: type[_Model]) -> _Model | str:
    """The value in an answer, or why there is none: field names, never what is in them."""
    try:
        return model.model_validate_json(answer.body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        return f"the reply cannot be read ({place or 'body'}: {first['type']})"


def lost(error: httpx.RequestError) -> Lost:
    """What an error of the network means; nothing of it is kept."""
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        return Lost("no connection", sent=False)
    if isinstance(error, httpx.ProxyError):
        return Lost("the proxy refused", sent=False)
    if isinstance(error, httpx.TimeoutException):
        return Lost("no answer in time", sent=True)
    return Lost("the connection was cut", sent=True)


def failed(answer: Answer) -> Lost:
    """An answer that says that RunPod, or a proxy before it, failed."""
    return Lost(f"status {answer.status}", sent=True)


def lost_error(gone: Lost, what: str, *, maybe_done: bool) -> RunPodError:
    """The error for a request without a usable answer."""
    if maybe_done:
        return UnknownOutcomeError(
            f"RunPod, {what}: {gone.reason}; it may have been done",
            "'turnmill reap' looks what became of it",
        )
    return UnreachableError(
        f"RunPod, {what}: {gone.reason}; nothing was changed", "check the network and try again"
    )


def refusal(answer: Answer, what: str, secrets: Iterable[SecretStr]) -> RunPodError | ContractError:
    """The error that an answer that says no means; a ContractError for a 422.

    It is returned, not raised: the frame that raises holds no secret in the clear.

    Args:
        answer: with a status from 300 to 499.
        what: the request in words.
        secrets: that its detail must not show.
    """
    said = parse(answer, Problem)
    problem = Problem() if isinstance(said, str) else said
    hidden = [secret.get_secret_value() for secret in secrets]
    detail = masked(problem.detail or problem.title or f"status {answer.status}", hidden)
    if answer.status == 422:
        broken = masked("; ".join(problem.errors), hidden)
        return ContractError(f"RunPod, {what}: {detail} {broken}".strip())
    kind, hint = _REFUSALS.get(answer.status, (RunPodError, "see what RunPod says"))
    return kind(f"RunPod, {what}: {detail}", hint)
