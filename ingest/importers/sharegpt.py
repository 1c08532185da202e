"""ShareGPT: ``{"conversations": [{"from": "human", "value": ...}, ...]}``, pairs included.

Turns need not alternate. Calls of functions are JSON text inside ``value`` and have no ids, so ids
are made up and results pair with calls in their order.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any

import orjson

from ingest.archive import Export
from ingest.importers.base import ImporterKind, ImportOptions, Item
from ingest.importers.pairs import branched
from ingest.importers.records import as_text
from ingest.importers.training import (
    RecordError,
    Source,
    first_item,
    listed,
    read_records,
    rest,
    sniff_records,
    tools_text,
    word,
)
from ingest.message import Conversation, Message, Role, ToolCall, conversation_id

_LISTS = ("conversations", "conversation", "items")
_ROLES: dict[str, Role] = {
    "human": "user", "user": "user",
    "gpt": "assistant", "assistant": "assistant", "chatgpt": "assistant", "bing": "assistant",
    "bard": "assistant", "model": "assistant", "function_call": "assistant",
    "system": "system", "developer": "developer",
    "observation": "tool", "tool": "tool", "function_response": "tool", "function": "tool",
}  # fmt: skip
_KEYS = (("from", "value"), ("role", "content"))
_MASKS = ("train", "loss", "weight")


class ShareGPT:
    """The importer of ShareGPT's shape."""

    name = "sharegpt"
    title = "ShareGPT conversations and pairs (JSON, JSON lines, parquet)"
    kind: ImporterKind = "training"
    needs = 'records {"conversations": [{"from": ..., "value": ...}]}'
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when a first record's list of turns has ``from`` and ``value``."""
        return sniff_records(export, _is_ours)

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:  # noqa: ARG002
        """Every record, by line, array element or row."""
        return read_records(export, _is_ours, _conversation)


def _is_ours(record: Source) -> bool:
    key = _list_key(record)
    first = first_item(record.get(key))
    # other formats call other things items
    names = _KEYS[:1] if key == "items" else _KEYS
    return any(who in first and what in first for who, what in names)


def _list_key(record: Source) -> str:
    return next((key for key in _LISTS if record.get(key) is not None), _LISTS[0])


def _conversation(record: Source, native: str) -> Conversation | None:
    key = _list_key(record)
    turns = listed(record.get(key))
    if turns is None:
        raise RecordError(f"the record has no list {key!r}")
    used = [key, "tools"]
    calls: deque[tuple[str, str]] = deque()
    messages = [_message(turn, at, calls) for at, turn in enumerate(turns)]
    if isinstance(record.get("system"), str):
        used.append("system")
        messages[:0] = [Message("system", record["system"])] if record["system"] else []
    sides = [_side(record.get(name), name, len(turns)) for name in ("chosen", "rejected")]
    if all(sides):
        used += ["chosen", "rejected"]
        messages = list(branched(messages, *sides))
    if not messages:
        return None
    return Conversation(
        id=conversation_id("sharegpt", native),
        importer="sharegpt",
        messages=tuple(messages),
        tools=tools_text(record.get("tools")),
        metadata=rest(record, *used),
    )


def _side(value: Any, name: str, at: int) -> list[Message]:
    """One side of a pair: a turn, or several."""
    turns = [value] if isinstance(value, dict) else listed(value) or []
    try:
        calls: deque[tuple[str, str]] = deque()
        return [_message(turn, at + number, calls) for number, turn in enumerate(turns)]
    except RecordError as fault:
        raise RecordError(f"{name!r}: {fault}") from None


def _message(turn: Any, at: int, calls: deque[tuple[str, str]]) -> Message:
    """One turn; ``calls`` are the (id, name) of calls that wait for their results."""
    if not isinstance(turn, dict):
        raise RecordError(f"turn {at} is not an object")
    who, what = _KEYS[0] if "from" in turn else _KEYS[1]
    speaker = turn.get(who)
    role = _ROLES.get(speaker) if isinstance(speaker, str) else None
    if role is None:
        raise RecordError(f"turn {at} has the unknown speaker {word(speaker)}")
    value = turn.get(what)
    extra = rest(turn, who, what, *(mask for mask in _MASKS if _mask(turn.get(mask)) is not None))
    if value is not None and not isinstance(value, str):
        extra[what] = value
    content = value if isinstance(value, str) else ""
    tool_calls: tuple[ToolCall, ...] = ()
    call_id = name = None
    if speaker == "function_call":
        tool_calls = _calls(value, at)
        calls.extend((call.id, call.name) for call in tool_calls)
        if tool_calls:
            content = ""
            extra.pop(what, None)
        else:
            extra["from"] = speaker
    elif role == "tool" and calls:
        call_id, name = calls.popleft()
    return Message(
        role=role,
        content=content,
        name=name,
        tool_calls=tool_calls,
        tool_call_id=call_id,
        train=next((m for key in _MASKS if (m := _mask(turn.get(key))) is not None), None),
        extra=extra,
    )


def _mask(value: Any) -> bool | None:
    """Whether a turn is trained, where the turn says so: a truth value or a weight of 0 or 1."""
    return bool(value) if isinstance(value, bool) or value in (0, 1) else None


def _calls(value: Any, at: int) -> tuple[ToolCall, ...]:
    """The calls in a ``function_call`` turn: one or a list; none if it is not written so."""
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return ()
    sources = value if isinstance(value, list) else [value]
    if not all(isinstance(each, dict) and isinstance(each.get("name"), str) for each in sources):
        return ()
    return tuple(
        ToolCall(
            f"call_{at}_{number}" if number else f"call_{at}",
            source["name"],
            as_text(source.get("arguments", {})),
        )
        for number, source in enumerate(sources)
    )
