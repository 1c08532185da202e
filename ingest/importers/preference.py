"""Preference pairs: TRL ``chosen``/``rejected``, OpenAI ``preferred_output``, Anthropic HH strings.

The prompt stands apart (``prompt``) or is what both sides begin with. The chosen side lies on the
active path, the rejected one branches off beside it.
"""

import re
from collections.abc import Iterator
from typing import Any

from ingest.archive import Export
from ingest.importers.base import ImporterKind, ImportOptions, Item
from ingest.importers.openai_messages import chat_messages
from ingest.importers.pairs import branched, common_prefix
from ingest.importers.training import (
    RecordError,
    Source,
    listed,
    read_records,
    rest,
    sniff_records,
    tools_text,
)
from ingest.message import Conversation, Message, Role, conversation_id

_OPENAI = {"input", "preferred_output", "non_preferred_output"}
_HH = re.compile(r"\n\n(Human|Assistant):")
_HH_ROLES: dict[str, Role] = {"Human": "user", "Assistant": "assistant"}
_PROMPTS = ("prompt", "question")


class Preference:
    """The importer of preference pairs."""

    name = "preference"
    title = "Preference pairs: TRL, OpenAI DPO, Anthropic HH (JSON lines, JSON, parquet)"
    kind: ImporterKind = "training"
    needs = "records with chosen and rejected, or with preferred_output and non_preferred_output"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when a first record has both sides of a pair, in no other format's frame."""
        return sniff_records(export, _is_ours)

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:  # noqa: ARG002
        """Every pair, by line, array element or row."""
        return read_records(export, _is_ours, _conversation)


def _is_ours(record: Source) -> bool:
    if record.keys() >= _OPENAI:
        return True
    if record.keys() & {"conversations", "conversation", "items", "instruction"}:
        return False  # ShareGPT's and Alpaca's own pairs
    sides = (record.get("chosen"), record.get("rejected"))
    return all(isinstance(side, str | list) and side for side in sides)


def _conversation(record: Source, native: str) -> Conversation | None:
    messages, tools, metadata = (
        _openai(record) if record.keys() >= _OPENAI else _chosen_rejected(record)
    )
    if not messages:
        return None
    return Conversation(
        id=conversation_id("preference", native),
        importer="preference",
        messages=messages,
        tools=tools,
        metadata=metadata,
    )


def _openai(record: Source) -> tuple[tuple[Message, ...], str | None, Source]:
    given = record["input"]
    if not isinstance(given, dict):
        raise RecordError("'input' is not an object")
    messages = branched(
        _side(given.get("messages"), "input.messages"),
        _side(record["preferred_output"], "preferred_output"),
        _side(record["non_preferred_output"], "non_preferred_output"),
    )
    metadata = rest(record, *_OPENAI) | rest(given, "messages", "tools")
    return messages, tools_text(given.get("tools")), metadata


def _chosen_rejected(record: Source) -> tuple[tuple[Message, ...], str | None, Source]:
    prompt: list[Message] = []
    used = ["chosen", "rejected", "tools"]
    for name in _PROMPTS:
        if record.get(name):
            prompt = _side(record[name], name, role="user")
            used.append(name)
            break
    chosen = _side(record.get("chosen"), "chosen")
    rejected = _side(record.get("rejected"), "rejected")
    if all(side and side[0].role in ("system", "developer", "user") for side in (chosen, rejected)):
        at = common_prefix(chosen, rejected)
        # some data sets state the prompt and say it again on both sides
        again = prompt == chosen[max(at - len(prompt), 0) : at]
        prompt = chosen[:at] if again else prompt + chosen[:at]
        chosen, rejected = chosen[at:], rejected[at:]
    if isinstance(record.get("system"), str):
        used.append("system")
        prompt = [Message("system", record["system"]), *prompt]
    if listed(record.get("messages")) == listed(record.get("chosen")):
        used.append("messages")  # the chosen side once more, for supervised training
    return branched(prompt, chosen, rejected), tools_text(record.get("tools")), rest(record, *used)


def _side(value: Any, key: str, role: Role = "assistant") -> list[Message]:
    """One side of a pair: messages, a message, HH text, or the text of one message."""
    messages = listed(value)
    if messages is not None:
        try:
            return list(chat_messages(messages))
        except RecordError as fault:
            raise RecordError(f"{key!r}: {fault}") from None
    if isinstance(value, dict):
        return list(chat_messages([value]))
    if not isinstance(value, str):
        raise RecordError(f"{key!r} is neither text nor messages")
    return _from_hh(value) or [Message(role, value)]


def _from_hh(text: str) -> list[Message]:
    """Turns of a text in which ``Human:`` and ``Assistant:`` open paragraphs; none if it is not."""
    pieces = _HH.split("\n\n" + text.lstrip("\n"))
    if pieces[0] or len(pieces) < (3 if text.startswith("\n\n") else 5):
        return []
    turns = [
        Message(_HH_ROLES[name], said.removeprefix(" "))
        for name, said in zip(pieces[1::2], pieces[2::2], strict=True)
    ]
    # a prompt ends with the speaker who is to answer
    return turns[:-1] if turns[-1] == Message("assistant") and len(turns) > 1 else turns
