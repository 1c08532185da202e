"""The application: engines in, FastAPI out."""

import contextlib
from collections.abc import AsyncIterator, Collection, Mapping

from fastapi import FastAPI
from pydantic import SecretStr

from ingest.version import __version__
from serve.api import errors, openai_routes
from serve.api.guard import (
    LOOPBACK_HOSTS,
    MAX_BODY_BYTES,
    AccessLog,
    BodyLimit,
    HostCheck,
    KeyCheck,
)
from serve.engine.base import Engine


def create_app(
    models: Mapping[str, Engine],
    *,
    api_key: SecretStr | None = None,
    allowed_hosts: Collection[str] | None = LOOPBACK_HOSTS,
    max_body_bytes: int = MAX_BODY_BYTES,
) -> FastAPI:
    """The service for a fixed set of loaded models.

    A request names one of ``models``; it can never load another. The engines are closed when
    the application shuts down.

    Args:
        models: engine by the name that requests use.
        api_key: asked for on every route but ``/health``; None = nobody is asked.
        allowed_hosts: names accepted in the Host header; None = any, which is safe only with a
            key (a web page that rebinds its name to this machine does not have it).
        max_body_bytes: larger request bodies get a 413.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        for engine in models.values():
            engine.close()

    # no documentation pages: FastAPI's load their scripts from the network
    app = FastAPI(
        title="turnmill", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    app.state.models = dict(models)
    app.include_router(openai_routes.router)
    errors.install(app)
    # the last one added sees a request first
    app.add_middleware(BodyLimit, limit=max_body_bytes)
    app.add_middleware(KeyCheck, key=api_key)
    app.add_middleware(HostCheck, allowed=allowed_hosts)
    app.add_middleware(AccessLog)
    return app
