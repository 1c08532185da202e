"""Spans and log records of OpenTelemetry in one shape, from OTLP/JSON or as SDKs and tools print.

Attributes are flat (``llm.input_messages.0.message.role``), nested, or lists of typed values; here
they become nested objects under their names, in which indices are keys.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from ingest.importers.fields import name_of, object_of, objects, text_of
from ingest.importers.pages import Listed, Source
from ingest.importers.training import RecordError
from ingest.times import from_any, from_epoch

_SCOPES = (
    (("scopeSpans", "scope_spans", "instrumentationLibrarySpans"), ("spans",)),
    (("scopeLogs", "scope_logs"), ("logRecords", "log_records")),
)
PAGES = ("resourceSpans", "resource_spans", "resourceLogs", "resource_logs", "spans", "data")


class Span(msgspec.Struct):
    """A span or a log record.

    Attributes:
        where: its place in the export.
        trace: id of its trace.
        key: id of the span.
        start: when it began or, for a log record, when it was.
        end: when it ended.
        values: its attributes as nested objects.
        events: (name, values) of its events; of a log record, itself.
        is_log: whether it is a log record.
    """

    where: str
    trace: str | None
    key: str | None
    start: datetime | None
    end: datetime | None
    values: dict[str, Any]
    events: list[tuple[str, dict[str, Any]]]
    is_log: bool = False


def spans(found: Listed) -> Iterator[Span]:
    """The spans and log records of one record of a file."""
    source = found.value
    number = 0
    for scopes, inner in _SCOPES:
        for scope in (each for key in scopes for each in objects(source.get(key))):
            for record in (each for key in inner for each in objects(scope.get(key))):
                where = f"{found.where}, record {number}"
                yield _span(where, record, is_log="spans" not in inner)
                number += 1
    if not number and not is_resource(source):
        is_log = "body" in source and "end_time" not in source and "endTimeUnixNano" not in source
        yield _span(found.where, source, is_log=is_log)


def is_resource(source: Source) -> bool:
    """Whether a record holds spans or log records by scope."""
    return bool(source.keys() & {"scopeSpans", "scope_spans", "instrumentationLibrarySpans",
                                 "scopeLogs", "scope_logs"})  # fmt: skip


def _span(where: str, source: Source, *, is_log: bool) -> Span:
    context = object_of(source.get("context"))
    trace = _first(source, "traceId", "trace_id", "context.trace_id") or _first(
        context, "trace_id", "traceId"
    )
    key = _first(source, "spanId", "span_id", "context.span_id") or _first(
        context, "span_id", "spanId"
    )
    values = nested(_attributes(source))
    events: list[tuple[str, dict[str, Any]]] = []
    if is_log:
        name = _first(source, "eventName", "event_name") or text_of(
            object_of(values.get("event")).get("name")
        )
        body = plain(source.get("body"))
        said = nested(body) if isinstance(body, dict) else {}
        events.append((name or "", {**values, **said}))
    events += [
        (text_of(event.get("name")) or "", nested(_attributes(event)))
        for event in objects(source.get("events"))
    ]
    return Span(
        where=where,
        trace=trace,
        key=key,
        start=_time(source, "startTimeUnixNano", "start_time", "timeUnixNano",
                    "observedTimeUnixNano", "timestamp", "startTime"),
        end=_time(source, "endTimeUnixNano", "end_time", "endTime"),
        values=values,
        events=events,
        is_log=is_log,
    )  # fmt: skip


def _first(source: Source, *keys: str) -> str | None:
    return next((name for key in keys if (name := name_of(source.get(key)))), None)


def _time(source: Source, *keys: str) -> datetime | None:
    for key in keys:
        value = source.get(key)
        if key.endswith("Nano"):
            text = name_of(value) or ""
            found = from_epoch(int(text) / 1e9) if text.isdecimal() and len(text) < 30 else None
        else:
            found = from_any(value)
        if found is not None:
            return found
    return None


def _attributes(source: Source) -> dict[str, Any]:
    held = source.get("attributes")
    if isinstance(held, list):
        return {
            each["key"]: plain(each.get("value"))
            for each in objects(held)
            if isinstance(each.get("key"), str)
        }
    if isinstance(held, dict):
        return held
    # tables of spans flatten the attributes into the span
    return {key.removeprefix("attributes."): value for key, value in source.items()
            if key.startswith("attributes.")}  # fmt: skip


def plain(value: Any) -> Any:
    """A typed value of OTLP/JSON as it is; other values stay."""
    if not isinstance(value, dict) or len(value) != 1:
        return value
    ((kind, inner),) = value.items()
    if kind in ("stringValue", "boolValue", "doubleValue", "bytesValue"):
        return inner
    if kind == "intValue":
        return int(inner) if isinstance(inner, str) and inner.lstrip("-").isdecimal() else inner
    if kind == "arrayValue":
        values = object_of(inner).get("values")
        return [plain(each) for each in values] if isinstance(values, list) else []
    if kind == "kvlistValue":
        return {
            each["key"]: plain(each.get("value"))
            for each in objects(object_of(inner).get("values"))
            if isinstance(each.get("key"), str)
        }
    return value


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    """Dotted keys as nested objects; a key that contradicts another is left as it is."""
    tree: dict[str, Any] = {}
    for key, value in flat.items():
        parts = key.split(".")
        inner = tree
        for part in parts[:-1]:
            below = inner.setdefault(part, {})
            if not isinstance(below, dict):
                break
            inner = below
        else:
            held = inner.get(parts[-1])
            value = _within(value)  # noqa: PLW2901
            if isinstance(held, dict) and isinstance(value, dict):
                held.update(value)
            elif not isinstance(held, dict) or not held:
                inner[parts[-1]] = value
    return tree


def _within(value: Any) -> Any:
    if isinstance(value, dict):
        return nested(value)
    if isinstance(value, list):
        return [_within(each) for each in value]
    return value


def must_be_span(span: Span) -> None:
    """Refuse a record that is neither a span nor a log record.

    Raises:
        RecordError: it has neither attributes nor events nor an id.
    """
    if span.key is None and not span.values and not any(name for name, _ in span.events):
        raise RecordError("neither a span nor a log record")
