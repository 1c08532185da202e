"""Messages of DeepSeek's exports, made of fragments."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any

import msgspec

from ingest.importers.fields import joined, name_of, objects, stated, text_of
from ingest.importers.media import media_kind
from ingest.message import Attachment, Message, Role
from ingest.times import from_any, sort_key
from ingest.tree import nearest, read_tree

_ROLES: dict[str, Role] = {"REQUEST": "user", "THINK": "assistant", "RESPONSE": "assistant"}
_FINISHED = {"FINISHED", "SUCCESS"}


class Source(msgspec.Struct, gc=False):
    """A message as the export or the API writes it."""

    message_id: Any = None
    parent_id: Any = None
    role: Any = None
    status: Any = None
    model: Any = None
    inserted_at: Any = None
    files: Any = None
    fragments: Any = None
    content: Any = None
    thinking_content: Any = None


class Node(msgspec.Struct, gc=False):
    """A node of the export's ``mapping``."""

    message: Source | None = None
    parent: str | None = None


def messages(
    sources: Mapping[str, Source | None], links: Mapping[str, str | None], leaf: str | None
) -> tuple[tuple[Message, ...], bool]:
    """Messages in reading order, and whether the tree is damaged.

    Args:
        sources: messages by node; nodes without one are stepped over.
        links: the parent of each node.
        leaf: where the active path ends, if the export says so.
    """
    spoken = {key: source for key, source in sources.items() if source is not None}
    times = {key: sort_key(from_any(source.inserted_at)) for key, source in spoken.items()}
    reading = read_tree(links, leaf, times)
    last: dict[str | None, str | None] = {None: None}  # a node -> the last message made of it
    made: list[Message] = []
    for key in reading.order:
        if key in spoken:
            above = nearest(links, links[key], spoken)
            found = _message(key, spoken[key], last.get(above, above), on_path=key in reading.path)
            made += found
            last[key] = found[-1].source_id
    return tuple(made), reading.damaged


def _message(key: str, source: Source, parent: str | None, *, on_path: bool) -> list[Message]:
    """The messages of a node: one, or one of each side where a node holds both."""
    fragments = objects(source.fragments)
    extra: dict[str, Any] = {"model": source.model}
    train: bool | None = None
    if isinstance(source.status, str) and source.status not in _FINISHED:
        extra["status"], train = source.status, False
    made: list[Message] = []
    for role, group in _sides(source, fragments):
        text = joined(_texts(group, "REQUEST", "RESPONSE"))
        thinking = joined(_texts(group, "THINK"), "\n\n")
        if not group:  # older answers of the API
            text, thinking = text_of(source.content) or "", text_of(source.thinking_content) or ""
        # of fragments of unknown types alone it is not said whose they are; a thought without an
        # answer was broken off
        untold = role is None or (thinking and not text)
        made.append(
            Message(
                role=role or "assistant",
                content=text,
                reasoning=thinking or None,
                attachments=() if made else tuple(_file(each) for each in objects(source.files)),
                created_at=from_any(source.inserted_at),
                train=False if untold else train,
                source_id=f"{key}.{len(made)}" if made else key,
                parent_id=made[-1].source_id if made else parent,
                on_path=on_path,
                extra=stated({**extra, "fragments": _unknown(group)}),
            )
        )
    return made


def _sides(
    source: Source, fragments: list[dict[str, Any]]
) -> list[tuple[Role | None, list[dict[str, Any]]]]:
    stated_role = source.role.lower() if isinstance(source.role, str) else None
    if stated_role in ("user", "assistant"):
        return [("user" if stated_role == "user" else "assistant", fragments)]
    side: Role | None = next((role for each in fragments if (role := _side(each))), None)
    sides: list[Role | None] = []
    for each in fragments:
        side = _side(each) or side  # an unknown one belongs to what stands before it
        sides.append(side)
    pairs = groupby(zip(sides, fragments, strict=True), lambda pair: pair[0])
    return [(role, [each for _, each in group]) for role, group in pairs] or [(None, [])]


def _side(fragment: dict[str, Any]) -> Role | None:
    kind = fragment.get("type")
    return _ROLES.get(kind) if isinstance(kind, str) else None


def _texts(fragments: list[dict[str, Any]], *kinds: str) -> list[Any]:
    return [each.get("content") for each in fragments if each.get("type") in kinds]


def _unknown(fragments: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        each for each in fragments if not (_side(each) and isinstance(each.get("content"), str))
    ]


def _file(source: dict[str, Any]) -> Attachment:
    name = text_of(source.get("file_name")) or text_of(source.get("name"))
    size = source.get("file_size", source.get("size"))
    return Attachment(
        media_kind(name),
        name=name,
        uri=name_of(source.get("id")),
        size_bytes=size if type(size) is int else None,
        text=text_of(source.get("content")),
    )
