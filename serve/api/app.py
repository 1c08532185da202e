"""The application: engines in, FastAPI out."""

import contextlib
from collections.abc import AsyncIterator, Collection, Mapping

from fastapi import APIRouter, Depends, FastAPI
from pydantic import SecretStr

from ingest.version import __version__
from serve.api import chat_routes, completion_routes, errors, score_routes, state_routes
from serve.api.guard import LOOPBACK_HOSTS, AccessLog, BodyLimit, HostCheck, KeyCheck
from serve.api.limits import ConcurrencyLimit, Limits
from serve.api.metrics import Measured
from serve.api.openapi import ERRORS, describe
from serve.api.service import Service, sent_as_json
from serve.engine.base import Engine


def create_app(
    models: Mapping[str, Engine],
    *,
    api_key: SecretStr | None = None,
    allowed_hosts: Collection[str] | None = LOOPBACK_HOSTS,
    limits: Limits | None = None,
) -> FastAPI:
    """The service for a fixed set of loaded models.

    A request names one of ``models``; it can never load another. The engines are closed when
    the application shuts down.

    Args:
        models: engine by the name that requests use.
        api_key: asked for on every route but ``/health``; None = nobody is asked.
        allowed_hosts: names accepted in the Host header; None = any, which is safe only with a
            key (a web page that rebinds its name to this machine does not have it).
        limits: bounds of one request.
    """
    limits = limits or Limits()
    service = Service(models, limits)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        for engine in models.values():
            engine.close()

    # no documentation pages: FastAPI's load their scripts from the network
    app = FastAPI(
        title="turnmill",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        responses=ERRORS,
        dependencies=[Depends(sent_as_json)],
    )
    app.state.service = service
    paths = _include(app)
    describe(app, service.models)
    errors.install(app)
    # the last one added sees a request first
    app.add_middleware(ConcurrencyLimit, limit=limits.at_once)
    app.add_middleware(BodyLimit, limit=limits.body_bytes)
    app.add_middleware(KeyCheck, key=api_key)
    app.add_middleware(HostCheck, allowed=allowed_hosts)
    app.add_middleware(Measured, metrics=service.metrics, routes=paths)
    app.add_middleware(AccessLog)
    return app


def _include(app: FastAPI) -> frozenset[str]:
    """Add the routes; those under ``/v1`` also without it, for clients that leave it out."""
    versioned = APIRouter()
    for router in (
        chat_routes.router,
        completion_routes.router,
        score_routes.router,
        state_routes.models,
    ):
        versioned.include_router(router)
    app.include_router(state_routes.root)
    app.include_router(versioned, prefix="/v1")
    app.include_router(versioned, include_in_schema=False)
    known = ("chat/completions", "completions", "score", "models")
    own = ("health", "metrics", "tokenize", "detokenize", "tokenizer_info", "openapi.json")
    return frozenset(f"{prefix}{one}" for prefix in ("/", "/v1/") for one in known) | {
        f"/{one}" for one in own
    }
