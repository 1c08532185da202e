"""What a logged call asked and what it got: the bodies of requests and responses of model APIs."""

from typing import Any

import msgspec
import orjson

from ingest.importers.api_messages import messages
from ingest.importers.api_parts import numbered
from ingest.importers.fields import object_of, text_of
from ingest.importers.training import RecordError
from ingest.message import Message

_DONE = {"stop", "tool_calls", "tool_call", "function_call", "end_turn", "tool_use", "completed",
         "stop_sequence", "STOP"}  # fmt: skip
_BROKEN_OFF = {"length", "max_tokens", "content_filter", "error", "incomplete", "failed",
               "cancelled", "MAX_TOKENS", "SAFETY", "refusal"}  # fmt: skip
_WRAPPED = ("messages", "input", "contents", "prompt")


def decoded(value: Any, *, must: bool = True) -> Any:
    """A value that may be written as JSON text.

    Args:
        value: as logged.
        must: whether text in brackets has to be JSON; else it stays text.

    Raises:
        RecordError: it had to be and is not, as where a log cuts long values.
    """
    if not isinstance(value, str) or value.lstrip()[:1] not in ("{", "["):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        if must:
            raise RecordError("incomplete JSON in a text field") from None
        return value


def given(request: Any) -> list[Message]:
    """The messages of a request: a list, or a body with ``messages``, ``input`` or ``contents``."""
    body = object_of(request)
    key = next((key for key in _WRAPPED if body.get(key) is not None), None)
    if key is None or "role" in body:
        return messages(request) if request not in (None, {}, []) else []
    before: list[Message] = []
    for name in ("system", "instructions", "systemInstruction", "system_instruction"):
        if body.get(name):
            before += messages(_as_system(body[name]), role="system")
    return before + messages(body[key], start=len(before))


def _as_system(value: Any) -> Any:
    """Instructions as one system message; their parts have no role of their own."""
    if isinstance(value, dict):
        value = value.get("parts", value)
    return value if isinstance(value, str) else [{"role": "system", "parts": value}]


def instructions(value: Any) -> list[Message]:
    """Instructions that stand apart from the messages: text or parts."""
    return messages(_as_system(value), role="system") if value else []


def answers(response: Any, start: int) -> list[list[Message]]:
    """The answers of a response, one a candidate; each may be several messages.

    Args:
        response: choices, response items, a message, or text.
        start: number of messages that were given.
    """
    body = object_of(response)
    if "choices" in body:
        found = [_choice(choice, start) for choice in numbered(body["choices"])]
    elif "candidates" in body:
        found = [_choice(choice, start) for choice in numbered(body["candidates"])]
    elif isinstance(body.get("output"), list):
        said = messages(body["output"], start=start, role="assistant")
        found = [ended(said, body.get("status"))]
    elif response in (None, {}, []):
        found = []
    else:
        said = messages(response, start=start, role="assistant")
        found = [ended(said, body.get("stop_reason") or body.get("finish_reason"))]
    return [answer for answer in found if any(_says(message) for message in answer)]


def _choice(choice: Any, start: int) -> list[Message]:
    source = object_of(choice)
    said = next((source[key] for key in ("message", "content", "text", "delta")
                 if source.get(key) is not None), None)  # fmt: skip
    if said is None:
        return []
    found = messages(said, start=start, role="assistant")
    return ended(found, source.get("finish_reason") or source.get("finishReason"))


def _says(message: Message) -> bool:
    return bool(message.content or message.tool_calls or message.reasoning or message.attachments
                or message.extra)  # fmt: skip


def ended(answer: list[Message], reason: Any) -> list[Message]:
    """An answer with why it ended; one that was broken off is never trained."""
    text = text_of(reason)
    if text is None or text in _DONE:
        return answer
    train = False if text in _BROKEN_OFF else None
    return [
        msgspec.structs.replace(
            message, train=train, extra={**message.extra, "finish_reason": text}
        )
        for message in answer
    ]
