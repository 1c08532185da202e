"""The call of a model that a span tells of: GenAI attributes and events, or OpenInference's."""

from typing import Any

import orjson

from ingest.importers.api_answers import decoded, ended, instructions
from ingest.importers.api_messages import messages
from ingest.importers.api_parts import numbered
from ingest.importers.calls import Call
from ingest.importers.fields import name_of, object_of, stated, text_of
from ingest.importers.otel_spans import Span
from ingest.importers.training import RecordError
from ingest.message import Message

_DETAILS = "gen_ai.client.inference.operation.details"
_GIVEN = {"gen_ai.system.message": "system", "gen_ai.user.message": "user",
          "gen_ai.assistant.message": "assistant", "gen_ai.tool.message": "tool"}  # fmt: skip
_CHOICE = "gen_ai.choice"
_FIELDS = ("role", "content", "parts", "name", "id", "tool_call_id", "tool_calls", "message",
           "finish_reason")  # fmt: skip
_PROMPT, _COMPLETION = "gen_ai.content.prompt", "gen_ai.content.completion"


def is_said(name: str) -> bool:
    """Whether an event of this name is one message of a call, or the call."""
    return name in _GIVEN or name in (_CHOICE, _DETAILS)


def call_of(span: Span) -> tuple[Call, str | None] | None:
    """(call, session) of a span, None if it calls no model or its messages were not recorded.

    Raises:
        RecordError: its messages cannot be read, as where instrumentation cuts long values.
    """
    gen_ai, llm = object_of(span.values.get("gen_ai")), object_of(span.values.get("llm"))
    for name, values in span.events:
        if name in (_DETAILS, _PROMPT, _COMPLETION):
            gen_ai = {**gen_ai, **_without_empty(object_of(values.get("gen_ai")))}
    if numbered(llm.get("input_messages")) or numbered(llm.get("output_messages")):
        given, answers, tools = _openinference(llm)
    elif _has_messages(gen_ai):
        given, answers, tools = _genai(gen_ai)
    else:
        given, answers, tools = _from_events(span)
    if not given:
        return None
    session = _session(span, gen_ai)
    model = _model(gen_ai, llm)
    call = Call(
        key=f"{span.trace}.{span.key}" if span.key else span.where,
        at=span.start,
        given=given,
        answers=answers,
        end=span.end,
        tools=tools,
        extra=stated({"model": model}),
        facts=stated({"session_id": session}),
    )
    return call, session


def _without_empty(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in (None, {}, [])}


def _has_messages(gen_ai: dict[str, Any]) -> bool:
    held = [object_of(gen_ai.get(key)).get("messages") for key in ("input", "output")]
    return any(held) or bool(numbered(gen_ai.get("prompt")))


def _session(span: Span, gen_ai: dict[str, Any]) -> str | None:
    """The conversation that the instrumentation names; a trace is one request and names none."""
    return name_of(object_of(gen_ai.get("conversation")).get("id")) or name_of(
        object_of(span.values.get("session")).get("id")
    )


def _model(gen_ai: dict[str, Any], llm: dict[str, Any]) -> str | None:
    for key in ("response", "request"):
        found = text_of(object_of(gen_ai.get(key)).get("model"))
        if found:
            return found
    return text_of(llm.get("model_name"))


Read = tuple[list[Message], list[list[Message]], str | None]


def _genai(gen_ai: dict[str, Any]) -> Read:
    """Messages of the GenAI conventions; structured, or as JSON text."""
    asked = decoded(object_of(gen_ai.get("input")).get("messages"))
    told = decoded(object_of(gen_ai.get("output")).get("messages"))
    if asked is None:  # the first conventions number the fields
        asked = numbered(gen_ai.get("prompt"))
        told = numbered(gen_ai.get("completion")) if told is None else told
    given = instructions(decoded(gen_ai.get("system_instructions")))
    given += messages(asked, start=len(given)) if asked else []
    found = [_candidate(each, len(given)) for each in _sources(told)]
    tools = decoded(object_of(gen_ai.get("tool")).get("definitions"))
    written = orjson.dumps(tools).decode() if isinstance(tools, list) and tools else None
    return given, [each for each in found if each], written


def _sources(told: Any) -> list[Any]:
    if isinstance(told, dict):
        return numbered(told) or ([told] if told else [])
    if told is None or isinstance(told, list):
        return told or []
    raise RecordError("the output is no list of messages")


def _candidate(source: Any, start: int) -> list[Message]:
    """One output message, which is one candidate."""
    found = messages([source], start=start, role="assistant")
    return ended(found, object_of(source).get("finish_reason"))


def _openinference(llm: dict[str, Any]) -> Read:
    given = messages(numbered(llm.get("input_messages")))
    told = numbered(llm.get("output_messages"))
    answer = messages(told, start=len(given), role="assistant") if told else []
    schemas = [_schema(object_of(each)) for each in numbered(llm.get("tools"))]
    schemas = [each for each in schemas if each]
    # each choice is a message; the items of one answer are too, but not all of them are text
    several = len(answer) > 1 and all(message.content for message in answer)
    answers = [[message] for message in answer] if several else [answer]
    return given, answers if answer else [], f"[{','.join(schemas)}]" if schemas else None


def _schema(tool: dict[str, Any]) -> str:
    held = object_of(tool.get("tool", tool)).get("json_schema")
    if isinstance(held, str):
        decoded(held)
        return held
    return orjson.dumps(held).decode() if held else ""


def _from_events(span: Span) -> Read:
    """Messages of the older conventions: one event each, in the order of the events."""
    sources: list[Any] = []
    choices: list[dict[str, Any]] = []
    for name, values in span.events:
        held = _fields(values)
        if name in _GIVEN:
            if name == "gen_ai.tool.message" and "id" in held:
                held.setdefault("tool_call_id", held["id"])
            sources.append({"role": _GIVEN[name], **held})
        elif name == _CHOICE:
            choices.append(held)
    given = messages(sources) if sources else []
    return given, [answer for each in choices if (answer := _choice(each, len(given)))], None


def _fields(values: dict[str, Any]) -> dict[str, Any]:
    """The fields of one message: of the event itself, or of the JSON text that it carries."""
    event = object_of(object_of(values.get("gen_ai")).get("event"))
    held = {**values, **object_of(decoded(event.get("content")))}
    found = {key: held[key] for key in _FIELDS if held.get(key) is not None}
    for key in ("tool_calls", "message"):
        if key in found:
            found[key] = decoded(found[key])
    return found


def _choice(held: dict[str, Any], start: int) -> list[Message]:
    message = held.get("message")
    said = dict(message) if isinstance(message, dict) else {"content": message}
    for key in ("content", "tool_calls"):
        if key in held:
            said.setdefault(key, held[key])
    found = messages([{"role": "assistant", **said}], start=start, role="assistant")
    return ended(found, held.get("finish_reason"))
