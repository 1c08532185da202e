"""OpenTelemetry traces and logs of model calls: the GenAI conventions, old and new, OpenInference.

Log records that are one message each lie scattered: they wait on disk until all of their span are
there. One resource of OTLP, which is one batch of an exporter, is in memory at a time. The rest is
as :mod:`ingest.importers.calls` says.
"""

from collections.abc import Iterator

import msgspec

from ingest.archive import Export
from ingest.importers.base import ImporterKind, ImportOptions, Item, Reject, Skip
from ingest.importers.calls import Calls, Converted, put
from ingest.importers.otel_calls import call_of, is_said
from ingest.importers.otel_spans import PAGES, Span, is_resource, must_be_span, spans
from ingest.importers.pages import Listed, Source, listed, samples
from ingest.importers.records import zoned
from ingest.shape import Peek, holds, like
from ingest.spool import Spool


class OTel:
    """The importer of OpenTelemetry's GenAI spans and events and of OpenInference's spans."""

    name = "otel"
    title = "OpenTelemetry GenAI and OpenInference spans and events (OTLP/JSON, JSON lines)"
    kind: ImporterKind = "assistant"
    needs = "traces or logs as JSON, from an application that records the content of messages"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when records are OTLP's resources, or spans with an id of a trace and attributes."""
        return 0.95 if holds(export, _is_ours) else 0.0

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:
        """Every conversation that the calls make up."""
        members = export.members if len(export.members) == 1 else tuple(like(export, _is_ours))
        with Spool() as scattered, Calls(self.name) as calls:
            for member in members:
                for found in listed(member, PAGES):
                    if isinstance(found, Reject):
                        yield found
                    else:
                        yield from _collect(found, calls, scattered)
            for place in scattered.chats():
                item = put(calls, Listed(place, "", {}), lambda each: _whole(each, scattered))
                if item is not None:
                    yield item
            for conversation in calls.conversations():
                yield zoned(conversation, options.tz)


def _is_ours(look: Peek) -> bool:
    return any(_is_record(found.value) for found in samples(look, PAGES))


def _is_record(source: Source) -> bool:
    if is_resource(source):
        return True
    context = source.get("context")
    names = source.keys() | (context.keys() if isinstance(context, dict) else set())
    ids = names & {"traceId", "trace_id", "context.trace_id"}
    spans_ = names & {"spanId", "span_id", "context.span_id"}
    return bool(ids and spans_) and any(key.startswith("attributes") for key in source)


def _collect(found: Listed, calls: Calls, scattered: Spool) -> Iterator[Item]:
    """The calls of a record; a span that is not one is skipped."""
    try:
        inside = list(spans(found))
    except RecursionError:
        yield Reject(found.where, "nested too deeply", "the log may have cut or changed it")
        return
    for span in inside:
        if span.is_log and span.key and is_said(span.events[0][0]):
            place = f"{span.trace}.{span.key}"
            rank = span.start.isoformat() if span.start else ""
            scattered.add(place, span.where, msgspec.json.encode(span), rank=rank)
            continue
        item = put(calls, Listed(span.where, "", {}), lambda _, span=span: _call(span))  # type: ignore[misc]
        if item is not None:
            yield item


def _call(span: Span) -> Converted:
    must_be_span(span)
    return call_of(span) or Skip(span.where, "a step that calls no model, or without its messages")


def _whole(found: Listed, scattered: Spool) -> Converted:
    """The call whose messages are log records of one span."""
    parts = [msgspec.json.decode(raw, type=Span) for raw in scattered.in_order(found.where)]
    first = parts[0]
    whole = msgspec.structs.replace(
        first, events=[event for part in parts for event in part.events]
    )
    return _call(whole)
