"""Counts and times for Prometheus. No text, no free-form label: every label is one we know."""

import time
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.engine.base import Engine

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class Metrics:
    """The metrics of one application, in a registry of their own.

    Args:
        models: engine by name, whose load is read when the metrics are.
    """

    def __init__(self, models: Mapping[str, Engine]) -> None:
        self._registry = CollectorRegistry()
        registry = self._registry
        self.requests = Counter(
            "turnmill_requests", "Requests answered.", ["route", "status"], registry=registry
        )
        self.latency = Histogram(
            "turnmill_request_seconds",
            "From a request to the end of its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.first_token = Histogram(
            "turnmill_time_to_first_token_seconds",
            "From admission to the first token.",
            ["model"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.prompt_tokens = Counter(
            "turnmill_prompt_tokens", "Tokens of prompts.", ["model"], registry=registry
        )
        self.generated_tokens = Counter(
            "turnmill_generated_tokens", "Tokens generated.", ["model"], registry=registry
        )
        self.in_flight = Gauge(
            "turnmill_requests_in_flight", "Requests being answered.", registry=registry
        )
        registry.register(_Load(models))

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self._registry)


class _Load(Collector):
    """What the engines have to do at this moment."""

    def __init__(self, models: Mapping[str, Engine]) -> None:
        self._models = models

    def collect(self) -> list[GaugeMetricFamily]:
        """See ``Collector``."""
        active = GaugeMetricFamily("turnmill_active", "Requests at work.", labels=["model"])
        waiting = GaugeMetricFamily("turnmill_waiting", "Requests in queue.", labels=["model"])
        for name, engine in self._models.items():
            active.add_metric([name], engine.active)
            waiting.add_metric([name], engine.waiting)
        return [active, waiting]


class Measured:
    """Counts every request and its time.

    Args:
        app: what is measured.
        metrics: where it is counted.
        routes: paths that are labels; any other is ``other``, for a client chooses it.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, routes: frozenset[str]) -> None:
        self._app = app
        self._metrics = metrics
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on and count."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        route = self._route(scope["path"])
        began = time.perf_counter()
        # an exception that nobody turned into a response is answered with this by the server
        status = 500

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._metrics.in_flight.inc()
        try:
            await self._app(scope, receive, note)
        finally:
            self._metrics.in_flight.dec()
            self._metrics.requests.labels(route, str(status)).inc()
            self._metrics.latency.labels(route).observe(time.perf_counter() - began)

    def _route(self, path: str) -> str:
        if path in self._routes:
            return path
        parent = next((one for one in ("/v1/models/", "/models/") if path.startswith(one)), None)
        return f"{parent}{{name}}" if parent else "other"
