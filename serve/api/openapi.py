"""What ``/openapi.json`` says: the shapes, with what really comes back."""

from collections.abc import Collection
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from serve.api.objects import ErrorResponse

_MEANINGS = {
    400: "A field is wrong, unknown or not supported; `param` names it.",
    401: "No valid key.",
    403: "Another host name than the server's.",
    404: "No such model or route.",
    405: "Not this method.",
    413: "The body is too large.",
    415: "The body is not application/json.",
    429: "The queue is full; `Retry-After` says when to come again.",
    500: "A fault of the server's.",
    503: "The model is not running.",
    504: "The answer took longer than the server allows.",
}
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorResponse, "description": meaning}
    for status, meaning in _MEANINGS.items()
}
_EVENTS = {"schema": {"type": "string", "description": "server-sent events, `[DONE]` last"}}


def describe(app: FastAPI, models: Collection[str]) -> None:
    """Give ``app`` a schema that is true: errors are 400 and not 422, models are those served."""

    def schema() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _schema(app, models)
        return app.openapi_schema

    app.openapi = schema  # type: ignore[method-assign]


def _schema(app: FastAPI, models: Collection[str]) -> dict[str, Any]:
    made = get_openapi(title=app.title, version=app.version, routes=app.routes)
    for path, item in made["paths"].items():
        for operation in item.values():
            operation["responses"].pop("422", None)
            if path.endswith("/completions"):
                operation["responses"]["200"]["content"]["text/event-stream"] = _EVENTS
    shapes = made["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        shapes.pop(unused, None)
    for shape in ("ChatRequest", "CompletionRequest", "ScoreRequest"):
        shapes[shape]["properties"]["model"]["enum"] = list(models)
        for example in shapes[shape].get("examples", ()):
            example["model"] = next(iter(models))
    for shape in ("TokenizeRequest", "DetokenizeRequest"):
        shapes[shape]["properties"]["model"]["anyOf"][0]["enum"] = list(models)
    return made
