"""What the routes share: the models, the bounds and the counts of one application."""

import asyncio
import time
from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, Request

from serve.api.errors import ApiError
from serve.api.limits import Limits
from serve.api.metrics import Metrics
from serve.api.tool_format import AnswerFormat, find_format
from serve.engine.base import Engine


class Service:
    """One application's state.

    Args:
        models: engine by the name that requests use.
        limits: bounds of one request.
    """

    def __init__(self, models: Mapping[str, Engine], limits: Limits) -> None:
        self.models = dict(models)
        self.limits = limits
        self.metrics = Metrics(self.models)
        self._formats: dict[str, AnswerFormat] = {}

    def find(self, name: str) -> Engine:
        """The engine of a model.

        Raises:
            ApiError: no such model (404).
        """
        if name not in self.models:
            raise ApiError(
                404,
                f"The model {name[:200]!r} does not exist; served: {', '.join(self.models)}",
                param="model",
                code="model_not_found",
            )
        return self.models[name]

    def only(self, name: str | None) -> Engine:
        """The engine of a model; of the only one when none is named.

        Raises:
            ApiError: no such model (404), or several are served and none is named (400).
        """
        if name is not None:
            return self.find(name)
        if len(self.models) > 1:
            raise ApiError(
                400,
                f"name a model, for several are served: {', '.join(self.models)}",
                param="model",
                code="missing_required_parameter",
            )
        return next(iter(self.models.values()))

    async def format(self, name: str) -> AnswerFormat:
        """How a model writes calls and thoughts; found out once."""
        if name not in self._formats:
            self._formats[name] = await asyncio.to_thread(find_format, self.models[name])
        return self._formats[name]


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Served = Annotated[Service, Depends(_service)]


async def sent_as_json(request: Request) -> None:
    """Refuse other content types; a form or plain text can be sent from any page without asking.

    Raises:
        ApiError: 415.
    """
    if request.method == "POST":
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise ApiError(
                415, "the body must be sent as application/json", code="unsupported_media_type"
            )


def now() -> int:
    """Unix time for a response's ``created``."""
    return int(time.time())
