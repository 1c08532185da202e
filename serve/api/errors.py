"""Every error of the API as an OpenAI error object with the right status."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from serve.api.objects import ErrorBody, ErrorResponse
from serve.engine.base import (
    EngineClosedError,
    GrammarError,
    PromptError,
    QueueFullError,
)

# asked for often enough that "unknown" would send people looking for a typo
_UNSUPPORTED = frozenset(
    """
    add_generation_prompt audio best_of chat_template chat_template_kwargs function_call functions
    guided_json guided_regex ignore_eos metadata min_tokens modalities moderation prediction
    prompt_cache_key prompt_cache_retention prompt_logprobs reasoning_effort repetition_penalty
    return_token_strs safety_identifier service_tier stop_token_ids store suffix
    truncate_prompt_tokens verbosity web_search_options
    """.split()  # noqa: SIM905 - a word list reads better than 30 quoted strings
)


# fields of several shapes: pydantic's location goes on with the name of the shape that it tried
_UNIONS = ("prompt", "response_format", "tool_choice")


class RequestTimeoutError(Exception):
    """A request took longer than the server allows."""


class ApiError(Exception):
    """A request that is answered with an error object.

    Args:
        status: HTTP status.
        message: what is wrong; never text of the request's messages.
        param: the field at fault.
        code: machine-readable reason.
        kind: OpenAI's ``type``.
        headers: further response headers.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        kind: str = "invalid_request_error",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = ErrorBody(message=message, type=kind, param=param, code=code)
        self.headers = headers

    def response(self) -> JSONResponse:
        """The HTTP response."""
        content = ErrorResponse(error=self.body).model_dump()
        return JSONResponse(content, self.status, headers=self.headers)


def from_exception(error: Exception) -> ApiError:
    """The API error for one of the exceptions that requests end in.

    Anything unknown becomes a 500 that says nothing of its cause: that belongs in the log.
    """
    match error:
        case ApiError():
            answer = error
        case RequestValidationError():
            answer = _from_validation(error.errors())
        case PromptError():
            answer = ApiError(400, error.message, param="messages", code="invalid_prompt")
        case GrammarError():
            answer = ApiError(400, error.message, param="response_format", code="invalid_schema")
        case RequestTimeoutError():
            # retrying would take as long again
            answer = ApiError(
                504,
                "the answer took longer than this server allows",
                code="timeout",
                kind="server_error",
                headers={"x-should-retry": "false"},
            )
        case QueueFullError():
            answer = ApiError(
                429,
                "the server is busy: too many requests are waiting",
                code="rate_limit_exceeded",
                kind="rate_limit_error",
                headers={"Retry-After": str(error.retry_after_s)},
            )
        case EngineClosedError():
            answer = ApiError(503, "the model is not running", code="closed", kind="server_error")
        case HTTPException():
            kind = "server_error" if error.status_code >= 500 else "invalid_request_error"
            answer = ApiError(error.status_code, error.detail, kind=kind, headers=error.headers)
        case _:
            answer = ApiError(500, "internal error", code="internal_error", kind="server_error")
    return answer


def install(app: FastAPI) -> None:
    """Make ``app`` answer all errors this way."""

    async def respond(_request: Request, error: Exception) -> JSONResponse:
        return from_exception(error).response()

    for kind in (
        ApiError,
        RequestValidationError,
        PromptError,
        QueueFullError,
        EngineClosedError,
        GrammarError,
        RequestTimeoutError,
        HTTPException,
        Exception,
    ):
        app.add_exception_handler(kind, respond)


def _from_validation(faults: Sequence[Any]) -> ApiError:
    # the deepest fault is the most exact one
    fault = max(faults, key=lambda one: len(one["loc"]))
    place = _place(fault["loc"])
    match fault["type"]:
        case "json_invalid":
            text, code = "the body is not valid JSON", "invalid_json"
        case "model_attributes_type":
            text, code = "the body must be a JSON object, sent as application/json", "invalid_body"
        case "extra_forbidden" if place in _UNSUPPORTED:
            text = f"Unsupported parameter: '{place}' is not supported by this server"
            code = "unsupported_parameter"
        case "extra_forbidden":
            text, code = f"Unknown parameter: '{place}'", "unknown_parameter"
        case "missing":
            text = f"Missing required parameter: '{place or 'body'}'"
            code = "missing_required_parameter"
        case "stream_options" | "top_logprobs" | "max_tokens" | "tool_choice" | "echo":
            place = fault["type"]
            text, code = fault["msg"], "invalid_value"
        case _:
            text, code = f"Invalid '{place or 'body'}': {fault['msg']}", "invalid_value"
    return ApiError(400, text, param=place, code=code)


def _place(loc: Sequence[str | int]) -> str | None:
    """``messages[0].role`` from a pydantic location."""
    steps = list(loc[1:] if loc[0] == "body" else loc)
    if len(steps) > 1 and steps[0] in _UNIONS and isinstance(steps[1], str):
        del steps[1]
    place = ""
    for step in steps:
        if isinstance(step, int):
            place += f"[{step}]"
        else:
            # a client's own field name is quoted as it is, but not at any length
            place += f".{step[:100]}" if place else step[:100]
    return place or None
