"""Writes the invented parquet file and what it should become: ``python make.py``.

The table's types are one for all rows: each call's arguments have the fields of every tool, null
where a call does not use them. What is expected has none of those nulls.
"""

import hashlib
import json
from pathlib import Path

import msgspec
import pyarrow as pa
from pyarrow import parquet

from ingest.message import Conversation, Message, ToolCall, conversation_id

HERE = Path(__file__).parent
M = Message
ARGUMENTS = pa.struct([("flour", pa.string()), ("kilos", pa.int64()), ("village", pa.string())])
CALL = pa.struct([
    ("id", pa.string()),
    ("type", pa.string()),
    ("function", pa.struct([("name", pa.string()), ("arguments", ARGUMENTS)])),
])
MESSAGE = pa.struct([
    ("role", pa.string()),
    ("content", pa.string()),
    ("tool_calls", pa.list_(CALL)),
    ("tool_call_id", pa.string()),
    ("weight", pa.int64()),
])
SCHEMA = pa.schema([("messages", pa.list_(MESSAGE)), ("split", pa.string()), ("photo", pa.binary())])


def call(key, name, **arguments):
    return {"id": key, "type": "function", "function": {"name": name, "arguments": arguments}}


ROWS = [
    (
        {"messages": [
            {"role": "user", "content": "Two kilos of rye, to Quernside?"},
            {"role": "assistant", "tool_calls": [
                call("c1", "price_of", flour="rye", kilos=2),
                call("c2", "delivery_day", village="Quernside"),
            ]},
            {"role": "tool", "content": "5.80", "tool_call_id": "c1"},
            {"role": "tool", "content": "Tuesday morning", "tool_call_id": "c2"},
            {"role": "assistant", "content": "5.80 crowns, on Tuesday morning."},
        ], "split": "a"},
        [
            M("user", "Two kilos of rye, to Quernside?"),
            M("assistant", tool_calls=(
                ToolCall("c1", "price_of", '{"flour":"rye","kilos":2}'),
                ToolCall("c2", "delivery_day", '{"village":"Quernside"}'),
            )),
            M("tool", "5.80", tool_call_id="c1"),
            M("tool", "Tuesday morning", tool_call_id="c2"),
            M("assistant", "5.80 crowns, on Tuesday morning."),
        ],
        {"split": "a"},
    ),
    (
        {"messages": [
            {"role": "user", "content": "Müsli?"},
            {"role": "assistant", "content": "No.", "weight": 0},
            {"role": "user", "content": "Oat flour?"},
            {"role": "assistant", "content": "3.10 crowns.", "weight": 1},
        ]},
        [
            M("user", "Müsli?"),
            M("assistant", "No.", train=False),
            M("user", "Oat flour?"),
            M("assistant", "3.10 crowns.", train=True),
        ],
        {},
    ),
]


def conversation(record, messages, metadata):
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    native = hashlib.sha256(text.encode()).hexdigest()
    return Conversation(
        id=conversation_id("openai", native),
        importer="openai",
        messages=tuple(messages),
        metadata=metadata,
    )


table = pa.Table.from_pylist(
    [{**record, "photo": b"\x89PNG" if at else None} for at, (record, _, _) in enumerate(ROWS)],
    SCHEMA,
)
parquet.write_table(table, HERE / "train-00000-of-00001.parquet")
(HERE / "expected.jsonl").write_bytes(
    b"".join(msgspec.json.encode(conversation(*row)) + b"\n" for row in ROWS)
)
