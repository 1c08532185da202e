"""Langfuse: exported observations, with their traces beside them where they do not carry them.

Only generations are calls of a model. In memory is one entry a trace that has a session; the rest
is as :mod:`ingest.importers.calls` says.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

from ingest.archive import Export
from ingest.importers.api_answers import answers, decoded, given
from ingest.importers.base import ImporterKind, ImportOptions, Item, Reject, Skip
from ingest.importers.calls import Call, Converted, read_calls
from ingest.importers.fields import name_of, object_of, stated, text_of
from ingest.importers.pages import Listed, Source, listed, samples
from ingest.importers.training import RecordError, tools_text
from ingest.shape import Peek, holds, like
from ingest.times import from_any

_PAGES = ("data", "observations")
_KINDS = {"GENERATION", "SPAN", "EVENT", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "EMBEDDING",
          "EVALUATOR", "GUARDRAIL"}  # fmt: skip


class Langfuse:
    """The importer of Langfuse's observations."""

    name = "langfuse"
    title = "Langfuse observations, with or without traces (JSON lines, JSON, parquet)"
    kind: ImporterKind = "assistant"
    needs = "export observations_v2, or observations and traces, as JSON lines"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when records are observations: a type of Langfuse's, a trace, a start."""
        return 0.95 if holds(export, _is_ours) else 0.0

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:
        """Every conversation that the generations make up."""
        members = export.members
        sessions: dict[str, str] = {}
        if len(members) > 1:
            members = tuple(like(export, _is_ours))
            for member in like(export, _is_traces):
                for found in listed(member, _PAGES):
                    if isinstance(found, Reject):
                        yield found
                        continue
                    trace, session = _get(found.value, "id"), _get(found.value, "session_id")
                    if isinstance(trace, str) and isinstance(session, str) and session:
                        sessions[trace] = session
        convert = partial(_call, sessions=sessions)
        yield from read_calls(self.name, members, _PAGES, convert, options)


def _get(source: Source, key: str) -> Any:
    """A field under its name in the export, or in the API's camel case."""
    if key in source:
        return source[key]
    first, *rest = key.split("_")
    return source.get(first + "".join(word.title() for word in rest))


def _is_ours(look: Peek) -> bool:
    return any(_is_observation(found.value) for found in samples(look, _PAGES))


def _is_observation(source: Source) -> bool:
    kind = source.get("type")
    return (
        isinstance(kind, str)
        and kind in _KINDS
        and _get(source, "trace_id") is not None
        and _get(source, "start_time") is not None
    )


def _is_traces(look: Peek) -> bool:
    # a trace has a session, a time and no type
    return any(
        "timestamp" in found.value and "type" not in found.value
        and ("session_id" in found.value or "sessionId" in found.value)
        for found in samples(look, _PAGES)
    )  # fmt: skip


def _time(value: object) -> datetime | None:
    """Langfuse writes its times without a zone, and means UTC."""
    found = from_any(value)
    return found.replace(tzinfo=UTC) if found is not None and found.tzinfo is None else found


def _call(found: Listed, *, sessions: dict[str, str]) -> Converted:
    source = found.value
    if not _is_observation(source):
        raise RecordError("the record is no observation of a kind that is known")
    if source["type"] != "GENERATION":
        return Skip(found.where, "a step that calls no model")
    request = decoded(_get(source, "input"), must=False)
    asked = given(request)
    if not asked:
        return Skip(found.where, "the call has no input")
    failed = source.get("level") == "ERROR"
    response = None if failed else decoded(_get(source, "output"), must=False)
    trace = name_of(_get(source, "trace_id"))
    session = text_of(_get(source, "session_id")) or sessions.get(trace or "")
    tools = object_of(request).get("tools")
    model = _get(source, "provided_model_name") or _get(source, "model")
    call = Call(
        key=name_of(source.get("id")) or found.where,
        at=_time(_get(source, "start_time")),
        given=asked,
        answers=answers(response, len(asked)),
        end=_time(_get(source, "end_time")),
        tools=tools_text(tools) if isinstance(tools, str | list) else None,
        extra=stated(
            {"model": text_of(model), "trace_id": trace, "name": text_of(source.get("name"))}
        ),
        facts=stated({"session_id": session, "trace_name": text_of(_get(source, "trace_name"))}),
    )
    return call, session
