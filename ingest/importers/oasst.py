"""OpenAssistant trees, nested (``prompt`` with ``replies``) or as flat messages with ``parent_id``.

Every message is kept. The active path takes the best ranked reply at each step; deleted messages
and replies of lower rank are side branches.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from ingest.archive import Export, Member
from ingest.importers.base import ImporterKind, ImportOptions, Item, Reject
from ingest.importers.fields import name_of, stated
from ingest.importers.training import Source, first_record, listed, members, records, sniff_records
from ingest.message import Conversation, Message, Role, conversation_id
from ingest.times import from_iso
from ingest.tree import children_of, reading_order

_ROLES: dict[str, Role] = {"prompter": "user", "assistant": "assistant"}
_USED = {"message_id", "parent_id", "text", "role", "created_date", "replies", "message_tree_id",
         "tree_state"}  # fmt: skip
_HINT = "is this an OpenAssistant export?"


class Oasst:
    """The importer of OpenAssistant's conversation trees."""

    name = "oasst"
    title = "OpenAssistant trees, nested or flat (JSON lines, parquet)"
    kind: ImporterKind = "training"
    needs = "trees with replies, or messages with message_tree_id and parent_id"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when a first record is a tree or a message of one."""
        return sniff_records(export, _is_ours)

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:  # noqa: ARG002
        """Every tree."""
        for member in members(export, _is_ours):
            yield from _flat(member) if _is_message(first_record(member)) else _nested(member)


def _is_ours(record: Source) -> bool:
    return _is_message(record) or (
        "message_tree_id" in record and isinstance(record.get("prompt"), dict)
    )


def _is_message(record: Source) -> bool:
    return {"message_id", "text"} <= record.keys() and record.get("role") in tuple(_ROLES)


def _nested(member: Member) -> Iterator[Item]:
    for found in records(member):
        if isinstance(found, Reject):
            yield found
            continue
        where, record = found
        if not isinstance(record.get("prompt"), dict):
            yield Reject(where, "the tree has no 'prompt'", _HINT)
            continue
        yield _conversation(where, [record["prompt"]], record)


def _flat(member: Member) -> Iterator[Item]:
    """Trees of single messages; a first pass counts them, so that only open trees are held."""
    left = Counter(_tree(found[1]) for found in records(member) if not isinstance(found, Reject))
    trees: dict[str, tuple[str, list[Source]]] = {}
    for found in records(member):
        if isinstance(found, Reject):
            yield found
            continue
        where, record = found
        tree = _tree(record)
        if not _is_message(record):
            yield Reject(where, "no message of a tree", _HINT)
        else:
            trees.setdefault(tree, (where, []))[1].append(record)
        left[tree] -= 1
        if not left[tree] and tree in trees:
            first, sources = trees.pop(tree)
            yield _conversation(first, sources, sources[0])


def _tree(record: Source) -> str:
    """Id of a message's tree: its own where it is a root that says none."""
    return str(record.get("message_tree_id") or record.get("message_id"))


def _conversation(where: str, roots: list[Source], frame: Source) -> Item:
    parents: dict[str, str | None] = {}
    sources: dict[str, Source] = {}
    for key, source, parent in _messages(roots):
        if key not in sources:
            sources[key], parents[key] = source, parent
    if not sources:
        return Reject(where, "the tree has no message", _HINT)
    order, damaged = reading_order(parents)
    path = _best_path(parents, sources)
    native = _tree(frame if frame.get("message_tree_id") else roots[0])
    metadata = {key: frame[key] for key in ("tree_state",) if frame.get(key)}
    return Conversation(
        id=conversation_id("oasst", native),
        importer="oasst",
        source_id=native,
        created_at=from_iso(_text(sources[order[0]], "created_date")),
        messages=tuple(_message(key, sources[key], parents[key], key in path) for key in order),
        metadata=metadata | ({"damaged_tree": True} if damaged else {}),
    )


def _messages(roots: list[Source]) -> Iterator[tuple[str, Source, str | None]]:
    """(id, message, parent id) of trees of any depth, replies in their order."""
    stack: list[tuple[Any, str | None]] = [(root, None) for root in reversed(roots)]
    count = 0
    while stack:
        source, parent = stack.pop()
        if not isinstance(source, dict):
            continue
        count += 1
        key = name_of(source.get("message_id")) or f"#{count}"
        yield key, source, parent or name_of(source.get("parent_id"))
        stack += [(reply, key) for reply in reversed(listed(source.get("replies")) or ())]


def _best_path(parents: dict[str, str | None], sources: dict[str, Source]) -> set[str]:
    children = children_of(parents)
    level = [key for key, parent in parents.items() if parent not in parents]
    path: set[str] = set()
    while standing := [key for key in level if not sources[key].get("deleted") and key not in path]:
        best = min(standing, key=lambda key: _rank(sources[key]))
        path.add(best)
        level = children.get(best, [])
    return path


def _rank(source: Source) -> tuple[bool, float]:
    """Small for good replies; those that reviewers refused and those without a rank come last."""
    rank = source.get("rank")
    number = float(rank) if isinstance(rank, int | float) else float("inf")
    return source.get("review_result") is False, number


def _message(key: str, source: Source, parent: str | None, on_path: bool) -> Message:
    extra = {key: value for key, value in stated(source).items() if key not in _USED}
    for name in ("rank", "review_result"):  # 0 and false say something here
        if source.get(name) is not None:
            extra[name] = source[name]
    role = _ROLES.get(str(source.get("role")))
    text = _text(source, "text")
    if text is None and source.get("text") is not None:
        extra["text"] = source["text"]
    if role is None:
        extra["role"] = source.get("role")
    return Message(
        role=role or "system",
        content=text or "",
        created_at=from_iso(_text(source, "created_date")),
        train=None if role else False,
        source_id=key,
        parent_id=parent,
        on_path=on_path,
        extra=extra,
    )


def _text(source: Source, key: str) -> str | None:
    value = source.get(key)
    return value if isinstance(value, str) else None
