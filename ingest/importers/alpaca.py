"""Alpaca: ``{"instruction", "input", "output"}`` with ``history`` and ``system``, or a pair."""

from collections.abc import Iterator
from typing import Any

from ingest.archive import Export
from ingest.importers.base import ImporterKind, ImportOptions, Item
from ingest.importers.pairs import branched
from ingest.importers.training import (
    RecordError,
    Source,
    listed,
    read_records,
    rest,
    sniff_records,
    tools_text,
)
from ingest.message import Conversation, Message, conversation_id

# Dolly's names for the same
_INPUTS = ("input", "context")
_OUTPUTS = ("output", "response")


class Alpaca:
    """The importer of Alpaca's shape."""

    name = "alpaca"
    title = "Alpaca instructions and pairs, Dolly (JSON, JSON lines, parquet)"
    kind: ImporterKind = "training"
    needs = "records with instruction, input and output"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when a first record has ``instruction`` and an output or a pair."""
        return sniff_records(export, _is_ours)

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:  # noqa: ARG002
        """Every record, by line, array element or row."""
        return read_records(export, _is_ours, _conversation)


def _is_ours(record: Source) -> bool:
    if not isinstance(record.get("instruction"), str) or record.keys() & {"messages", "prompt"}:
        return False
    return bool(record.keys() & {*_OUTPUTS, "chosen"})


def _conversation(record: Source, native: str) -> Conversation | None:
    if "instruction" not in record:
        raise RecordError("the record has no 'instruction'")
    instruction = _text(record, "instruction")
    input_key, output_key = _key(record, _INPUTS), _key(record, _OUTPUTS)
    chosen, rejected, used = _answers(record, output_key)
    prompt = _history(record.get("history"))
    if system := _text(record, "system"):
        prompt.insert(0, Message("system", system))
    given = _text(record, input_key)
    question = f"{instruction}\n{given}" if given.strip() else instruction
    if question:
        # apart as well, so that the record can be written again as it was
        prompt.append(Message("user", question, extra={input_key: given} if given else {}))
    if rejected:
        messages = branched(
            prompt, [Message("assistant", chosen)], [Message("assistant", rejected)]
        )
    else:
        messages = (*prompt, *([Message("assistant", chosen)] if chosen else []))
    if not messages:
        return None
    return Conversation(
        id=conversation_id("alpaca", native),
        importer="alpaca",
        messages=messages,
        tools=tools_text(record.get("tools")),
        metadata=rest(record, "instruction", input_key, "history", "system", "tools", *used),
    )


def _key(record: Source, names: tuple[str, ...]) -> str:
    return next((name for name in names if record.get(name) is not None), names[0])


def _text(record: Source, key: str) -> str:
    value = record.get(key)
    if value is not None and not isinstance(value, str):
        raise RecordError(f"{key!r} is not text")
    return value or ""


def _answers(record: Source, output_key: str) -> tuple[str, str, tuple[str, ...]]:
    """The answer, the worse answer of a pair, and the keys they stand under."""
    if record.get("chosen") is not None:
        return _text(record, "chosen"), _text(record, "rejected"), ("chosen", "rejected")
    both = record.get(output_key)
    if isinstance(both, list):  # the older form of a pair: better, worse
        if len(both) != 2 or not all(isinstance(each, str) for each in both):
            raise RecordError(f"{output_key!r} is neither text nor two texts")
        return both[0], both[1], (output_key,)
    return _text(record, output_key), "", (output_key,)


def _history(value: Any) -> list[Message]:
    messages: list[Message] = []
    for at, pair in enumerate(listed(value) or ()):
        if not isinstance(pair, list) or len(pair) != 2:
            raise RecordError(f"'history' {at} is no pair")
        for role, text in zip(("user", "assistant"), pair, strict=True):
            if text is not None and not isinstance(text, str):
                raise RecordError(f"'history' {at} is not text")
            if text:
                messages.append(Message(role, text))  # type: ignore[arg-type]
    return messages
