"""Preference pairs as rows of a version, in TRL's conversational shape.

On their way through the steps both answers stand in one row of ``dataset.rows.ROW_SCHEMA``, behind
the prompt and parted by two marks, so that every step that selects, cleans or redacts
conversations works on pairs too. What a step leaves of a pair is looked at afterwards.
"""

from collections import Counter
from typing import Any

import msgspec
import orjson
import polars as pl
import pyarrow as pa

from dataset.manifest import StepReport
from dataset.pairs import Pair, conversation_of, pairs_of
from dataset.rows import ROW_SCHEMA, chat_message, row_digest, to_row
from dataset.steps.base import StepResult, keep
from ingest.message import Conversation, Message

SIDES = ("prompt", "chosen", "rejected")
"""The columns that hold messages."""

PAIRING = "pairs"
WHOLE = "whole-pairs"
"""Names under which a manifest reports how pairs were made and what was left of them."""

NO_PAIR = "no two answers to compare"

_CHOSEN, _REJECTED = "turnmill:chosen:", "turnmill:rejected"
"""Names of the marks; what follows the first says where the preference comes from."""

_MESSAGE = pa.struct(
    [
        ("role", pa.string()),
        ("content", pa.string()),
        ("name", pa.string()),
        ("reasoning_content", pa.string()),
        (
            "tool_calls",
            pa.list_(
                pa.struct(
                    [
                        ("id", pa.string()),
                        ("type", pa.string()),
                        (
                            "function",
                            pa.struct([("name", pa.string()), ("arguments", pa.string())]),
                        ),
                    ]
                )
            ),
        ),
        ("tool_call_id", pa.string()),
    ]
)
PAIR_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("conversation", pa.string()),
        ("importer", pa.string()),
        ("source", pa.string()),
        ("created_at", pa.string()),
        ("tools", pa.string()),
        ("prompt", pa.list_(_MESSAGE)),
        ("chosen", pa.list_(_MESSAGE)),
        ("rejected", pa.list_(_MESSAGE)),
        ("content_hash", pa.string()),
    ]
)
"""One row is one pair.

``conversation`` is the id of the conversation it comes from, ``source`` what says which answer is
better: ``path``, ``rating`` or ``pair`` (see ``dataset.pairs``). Messages are as chat templates
take them, but for ``arguments`` and ``tools``, which are JSON text.
"""


class Pairing:
    """Makes rows of pairs from conversations, and counts."""

    def __init__(self) -> None:
        self._read = 0
        self._kept = 0
        self._pairs = 0
        self._left_out: Counter[str] = Counter()

    def rows(self, conversation: Conversation, content_hash: str) -> list[dict[str, Any]]:
        """The rows of a conversation on their way through the steps."""
        pairs = pairs_of(conversation, self._left_out)
        self._read += 1
        self._kept += bool(pairs)
        self._pairs += len(pairs)
        return [_folded(conversation, content_hash, pair) for pair in pairs]

    def report(self) -> StepReport:
        """How many conversations gave how many pairs; what follows counts pairs."""
        without = self._read - self._kept
        return StepReport(
            name=PAIRING,
            rows_in=self._read,
            kept=self._kept,
            dropped={NO_PAIR: without} if without else {},
            facts={"pairs": self._pairs, **dict(sorted(self._left_out.items()))},
        )


def _folded(conversation: Conversation, content_hash: str, pair: Pair) -> dict[str, Any]:
    def said(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
        path = tuple(msgspec.structs.replace(message, on_path=True) for message in messages)
        part = msgspec.structs.replace(conversation, messages=path)
        found: list[dict[str, Any]] = to_row(part, content_hash)["messages"]
        return found

    row = to_row(msgspec.structs.replace(conversation, messages=()), content_hash)
    messages = [
        *said(pair.prompt), _mark(f"{_CHOSEN}{pair.source}"), *said(pair.chosen),
        _mark(_REJECTED), *said(pair.rejected),
    ]  # fmt: skip
    return {**row, "id": pair.id, "messages": messages}


def _mark(name: str) -> dict[str, Any]:
    return {
        "role": "system", "content": "", "name": name, "reasoning": None, "tool_calls": None,
        "tool_call_id": None, "train": None,
    }  # fmt: skip


def whole_pairs(frame: pl.DataFrame) -> StepResult:
    """Drop what the steps left no pair.

    Args:
        frame: schema ``dataset.rows.ROW_SCHEMA``, perhaps with further columns.
    """
    rows = frame.select("messages").to_dicts()
    reasons = [_fault(row["messages"] or []) for row in rows]
    return keep(frame, WHOLE, pl.Series("reason", reasons, pl.String))


def _fault(messages: list[dict[str, Any]]) -> str | None:
    parts = _parts(messages)
    if parts is None:
        return "a step changed the order of its messages"
    _, prompt, chosen, rejected = parts
    if not any(message["role"] == "user" for message in prompt):
        return "nothing is asked any more"
    for side in (chosen, rejected):
        if not any(_speaks(message) for message in side):
            return "an answer is empty"
    if any(message["role"] == "assistant" and message["train"] is False for message in chosen):
        return "the better answer is not to be trained"
    if [_said(message) for message in chosen] == [_said(message) for message in rejected]:
        return "both answers say the same"
    return None


def _speaks(message: dict[str, Any]) -> bool:
    return message["role"] == "assistant" and bool(
        (message["content"] or "").strip() or message["tool_calls"]
    )


def _said(message: dict[str, Any]) -> tuple[Any, ...]:
    calls = [(call["name"], call["arguments"]) for call in message["tool_calls"] or ()]
    return message["role"], (message["content"] or "").strip(), calls


_Messages = list[dict[str, Any]]


def _parts(messages: _Messages) -> tuple[str, _Messages, _Messages, _Messages] | None:
    """What says so, prompt, chosen and rejected; None if the marks are not where they were put."""
    names = [(message["name"] or "") for message in messages]
    first = [at for at, name in enumerate(names) if name.startswith(_CHOSEN)]
    second = [at for at, name in enumerate(names) if name == _REJECTED]
    if len(first) != 1 or len(second) != 1 or first[0] > second[0]:
        return None
    (one,), (other,) = first, second
    source = names[one].removeprefix(_CHOSEN)
    return source, messages[:one], messages[one + 1 : other], messages[other + 1 :]


def as_pairs(frame: pl.DataFrame, digest: str) -> pl.DataFrame:
    """The rows as a version holds them: schema :data:`PAIR_SCHEMA`.

    Args:
        frame: what :func:`whole_pairs` kept.
        digest: name of the column for the rows' hashes, which is made anew.
    """
    rows = [_pair(row) for row in frame.select(ROW_SCHEMA.names).to_dicts()]
    table = pa.Table.from_pylist(rows, PAIR_SCHEMA)
    digests = [row_digest(row) for row in table.to_pylist()]
    return pl.DataFrame(pl.from_arrow(table)).with_columns(pl.Series(digest, digests, pl.Binary))


def _pair(row: dict[str, Any]) -> dict[str, Any]:
    parts = _parts(row["messages"])
    assert parts is not None
    source, *sides = parts
    prompt, chosen, rejected = ([_message(each) for each in side] for side in sides)
    return {
        "id": row["id"],
        "conversation": conversation_of(row["id"]),
        "importer": row["importer"],
        "source": source,
        "created_at": row["created_at"],
        "tools": row["tools"],
        "prompt": prompt,
        "chosen": chosen,
        "rejected": rejected,
        "content_hash": row["content_hash"],
    }


def _message(message: dict[str, Any]) -> dict[str, Any]:
    calls = [
        {
            "id": call["id"],
            "type": "function",
            "function": {"name": call["name"], "arguments": call["arguments"]},
        }
        for call in message["tool_calls"] or ()
    ]
    return {
        "role": message["role"],
        "content": message["content"] or "",
        "name": message["name"],
        "reasoning_content": message["reasoning"],
        "tool_calls": calls or None,
        "tool_call_id": message["tool_call_id"],
    }


def as_conversations(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows of a version as conversations: what stands in a pair, under its conversation's id.

    Args:
        frame: schema :data:`PAIR_SCHEMA`, or ``dataset.rows.ROW_SCHEMA``: that comes back as it is.

    Returns:
        Schema ``dataset.rows.ROW_SCHEMA``.
    """
    if "messages" in frame.columns:
        return frame
    rows = [
        {
            **{name: row.get(name) for name in ROW_SCHEMA.names},
            "id": row["conversation"],
            "messages": [_stored(each) for side in SIDES for each in row[side]],
        }
        for row in frame.to_dicts()
    ]
    return pl.DataFrame(pl.from_arrow(pa.Table.from_pylist(rows, ROW_SCHEMA)))


def to_chat_pair(row: dict[str, Any]) -> dict[str, Any]:
    """A row of a version as chat templates take it.

    Returns:
        ``{"prompt": [...], "chosen": [...], "rejected": [...], "tools": [...] or None}``, messages
        as :func:`dataset.rows.to_chat` gives them.
    """
    sides = {side: [chat_message(_stored(each)) for each in row[side]] for side in SIDES}
    return {**sides, "tools": orjson.loads(row["tools"]) if row["tools"] else None}


def _stored(message: dict[str, Any]) -> dict[str, Any]:
    calls = [{"id": call["id"], **call["function"]} for call in message["tool_calls"] or ()]
    return {
        **{name: message[name] for name in ("role", "content", "name", "tool_call_id")},
        "reasoning": message["reasoning_content"],
        "tool_calls": calls or None,
        "train": None,
    }
