"""Writes the invented OpenAssistant trees, nested and flat: ``python make.py``.

``oasst/`` holds a tree a line, ``../oasst-flat/`` the same messages one a line, trees mixed.
"""

import json
from datetime import datetime
from pathlib import Path

import msgspec

from ingest.message import Conversation, Message, conversation_id

HERE = Path(__file__).parent
FLAT = HERE.parent / "oasst-flat"


def node(key, role, text, *replies, on_path=True, **fields):
    """(raw message, whether it lies on the path, replies)."""
    raw = {
        "message_id": key,
        "parent_id": None,
        "user_id": f"user-{key}",
        "created_date": f"2023-02-0{len(key)}T10:00:00.123456+00:00",
        "text": text,
        "role": role,
        "lang": "en",
        "review_count": 3,
        "review_result": True,
        "deleted": False,
        "rank": None,
        "synthetic": False,
        "model_name": None,
        **fields,
    }
    return raw, on_path, replies


P, A = "prompter", "assistant"
TREES = [
    ("t1", "ready_for_export", node(
        "a", P, "How is rye bread made?",
        # written first, ranked second
        node("ab", A, "With rye flour.", on_path=False, rank=1),
        node("ac", A, "With rye flour, water, salt and caraway.",
             node("aca", P, "How hot?", node("acaa", A, "210 degrees, 55 minutes.", rank=0)),
             rank=0),
        node("ad", A, "Buy it.", on_path=False, rank=2, synthetic=True, model_name="mill-1"),
        node("ae", A, "(removed)", on_path=False, deleted=True, rank=None),
    )),
    ("t2", "aborted_low_grade", node(
        "b", P, "Tell me about the flood.",
        node("ba", A, "Which flood?", on_path=False, review_result=False, rank=0),
        node("bb", A, "It took the first wheel in 1809."),
    )),
]


def nested(entry, parent=None):
    raw, _, replies = entry
    return {**raw, "parent_id": parent, "replies": [nested(r, raw["message_id"]) for r in replies]}


def flat(entry, tree, state, parent=None):
    raw, _, replies = entry
    yield {**raw, "parent_id": parent, "message_tree_id": tree, "tree_state": state}
    for reply in replies:
        yield from flat(reply, tree, state, raw["message_id"])


def messages(entry, parent=None):
    raw, on_path, replies = entry
    extra = {key: raw[key] for key in ("user_id", "lang", "review_count", "review_result")}
    extra |= {key: raw[key] for key in ("rank", "model_name") if raw[key] is not None}
    extra |= {key: True for key in ("deleted", "synthetic") if raw[key]}
    yield Message(
        {P: "user", A: "assistant"}[raw["role"]],
        raw["text"],
        created_at=datetime.fromisoformat(raw["created_date"]),
        source_id=raw["message_id"],
        parent_id=parent,
        on_path=on_path,
        extra=extra,
    )
    for reply in replies:
        yield from messages(reply, raw["message_id"])


expected = [
    Conversation(
        id=conversation_id("oasst", tree),
        importer="oasst",
        source_id=tree,
        created_at=datetime.fromisoformat(root[0]["created_date"]),
        messages=tuple(messages(root)),
        metadata={"tree_state": state},
    )
    for tree, state, root in TREES
]
lines = [
    {"message_tree_id": tree, "tree_state": state, "prompt": nested(root)}
    for tree, state, root in TREES
]
(HERE / "trees.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
one, two = [list(flat(root, tree, state)) for tree, state, root in TREES]
rows = [*one[:2], two[0], *one[2:], *two[1:]]  # a tree begins before the other has ended
FLAT.mkdir(exist_ok=True)
(FLAT / "messages.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
for folder in (HERE, FLAT):
    (folder / "expected.jsonl").write_bytes(
        b"".join(msgspec.json.encode(each) + b"\n" for each in expected)
    )
