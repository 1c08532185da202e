"""OpenAI-style training files: JSON lines (or an array) of ``{"messages": [...]}``."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
import orjson

from ingest.archive import Export
from ingest.importers.base import ImporterKind, ImportOptions, Item, Reject, Skip
from ingest.loose import loads_loose
from ingest.message import ROLES, Attachment, Conversation, Message, ToolCall, conversation_id
from ingest.shape import Peek, peek
from ingest.stream import Broken, Element, iter_array, iter_lines

_MESSAGE_KEYS = {"role", "content", "name", "tool_calls", "tool_call_id", "weight",
                 "reasoning_content", "reasoning"}  # fmt: skip
_ROLES = tuple(ROLES)  # a set would want a hash of whatever stands there
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class _RecordError(ValueError):
    """Why a record is no conversation; its text holds no content."""


class OpenAIMessages:
    """The importer of OpenAI-style messages."""

    name = "openai"
    title = "OpenAI messages (JSON lines with messages, tools, weight)"
    kind: ImporterKind = "training"
    needs = 'one {"messages": [...]} a line, or an array of them'
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when the first object has a list ``messages`` of objects with ``role``."""
        return 0.9 if len(export.members) == 1 and _is_ours(peek(export.members[0])) else 0.0

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:  # noqa: ARG002
        """Every record, by line or by array element."""
        seen: Counter[str] = Counter()
        for member in export.members:
            with member.open() as file:
                if _is_array(peek(member)):
                    for item in iter_array(file, _decode):
                        yield _from_element(member.name, item, seen)
                else:
                    for number, (_, line) in enumerate(iter_lines(file), 1):
                        yield _from_raw(f"{member.name}: record {number}", line, seen)


def _is_ours(look: Peek) -> bool:
    messages = look.first.get("messages")
    if not isinstance(messages, list) or not messages or not isinstance(messages[0], dict):
        return False
    return "role" in messages[0] and ("content" in messages[0] or "tool_calls" in messages[0])


def _is_array(look: Peek) -> bool:
    """Whether the file is one array; else it is lines, even if the first line is an array."""
    first, _, rest = look.text.lstrip().partition("\n")
    if not first.startswith("["):
        return False
    return not (first.rstrip().endswith("]") and rest.lstrip().startswith("{"))


def _from_element(file: str, item: Element | Broken, seen: Counter[str]) -> Item:
    if isinstance(item, Broken):
        return Reject(f"{file}: bytes {item.offset}-{item.end}", item.reason, "mend the file")
    return _from_raw(f"{file}: byte {item.offset}", item.raw, seen)


def _from_raw(where: str, raw: bytes, seen: Counter[str]) -> Item:
    try:
        record = orjson.loads(raw)
    except orjson.JSONDecodeError:
        try:
            record = loads_loose(raw)
        except ValueError as error:
            reason = str(error).split(":")[0]
            return Reject(where, f"not JSON: {reason}", "mend or delete the record")
    if not isinstance(record, dict):
        return Reject(where, "the record is not an object", "mend or delete the record")
    try:
        return _conversation(record, seen, where)
    except _RecordError as fault:
        return Reject(where, str(fault), "mend or delete the record")


def _dumps(value: Any) -> bytes:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # orjson writes fewer levels than it reads
        raise _RecordError("nested too deeply") from None


def _conversation(record: dict[str, Any], seen: Counter[str], where: str) -> Item:
    messages = record.get("messages")
    if not isinstance(messages, list):
        raise _RecordError("the record has no list 'messages'")
    if not messages:
        return Skip(where, "no messages")
    native = hashlib.sha256(_dumps(record)).hexdigest()
    seen[native] += 1
    if seen[native] > 1:
        native = f"{native}#{seen[native]}"
    tools = record.get("tools")
    return Conversation(
        id=conversation_id("openai", native),
        importer="openai",
        messages=tuple(_message(message, at) for at, message in enumerate(messages)),
        tools=orjson.dumps(tools).decode() if tools else None,
        metadata={k: v for k, v in record.items() if k not in ("messages", "tools")},
    )


def _message(source: Any, at: int) -> Message:
    if not isinstance(source, dict):
        raise _RecordError(f"message {at} is not an object")
    role = source.get("role")
    if role not in _ROLES:
        known = role if isinstance(role, str) and len(role) < 24 else "?"
        raise _RecordError(f"message {at} has the unknown role {known!r}")
    content, attachments, unknown = _content(source.get("content"), at)
    extra = {key: value for key, value in source.items() if key not in _MESSAGE_KEYS}
    if unknown:
        extra["parts"] = unknown
    weight = source.get("weight")
    return Message(
        role=role,
        content=content,
        name=_text(source, "name", at),
        reasoning=_text(source, "reasoning_content", at) or _text(source, "reasoning", at),
        tool_calls=_calls(source.get("tool_calls") or [], at),
        tool_call_id=_text(source, "tool_call_id", at),
        attachments=attachments,
        train=None if weight is None else bool(weight),
        extra=extra,
    )


def _text(source: dict[str, Any], key: str, at: int) -> str | None:
    value = source.get(key)
    if value is not None and not isinstance(value, str):
        raise _RecordError(f"message {at}: {key!r} is not text")
    return value


def _content(content: Any, at: int) -> tuple[str, tuple[Attachment, ...], list[Any]]:
    if content is None:
        return "", (), []
    if isinstance(content, str):
        return content, (), []
    if not isinstance(content, list):
        raise _RecordError(f"message {at}: 'content' is neither text nor a list of parts")
    texts: list[str] = []
    attachments: list[Attachment] = []
    unknown: list[Any] = []
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in ("text", "input_text", "output_text") and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif kind == "image_url" and isinstance(part.get("image_url"), dict):
            attachments.append(Attachment("image", uri=str(part["image_url"].get("url"))))
        else:
            unknown.append(part)
    return "\n".join(texts), tuple(attachments), unknown


def _calls(calls: Any, at: int) -> tuple[ToolCall, ...]:
    if not isinstance(calls, list):
        raise _RecordError(f"message {at}: 'tool_calls' is not a list")
    return tuple(_call(call, at, number) for number, call in enumerate(calls))


def _call(call: Any, at: int, number: int) -> ToolCall:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise _RecordError(f"message {at}: a tool call has no function name")
    arguments = function.get("arguments", "{}")
    if not isinstance(arguments, str):
        arguments = orjson.dumps(arguments).decode()
    made_up = f"call_{at}_{number}" if number else f"call_{at}"
    return ToolCall(str(call.get("id") or made_up), function["name"], arguments)
