"""Open WebUI: its JSON export, or the table ``chat`` of its database ``webui.db``.

``chat.history`` is a tree of messages; ``chat.messages``, where both are there, repeats one path.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from ingest.archive import Export, Member
from ingest.errors import ExportError
from ingest.importers.base import ImporterKind, ImportOptions, Item, Reject, Skip
from ingest.importers.fields import object_of, objects, text_of
from ingest.importers.openwebui_content import file_of, put_content, put_output
from ingest.importers.records import Record, certainty, record, records
from ingest.importers.steps import Steps
from ingest.message import ROLES, Conversation, Message, conversation_id
from ingest.shape import like, peek
from ingest.sqlite import has_table, is_sqlite, logs_of, open_sqlite, rows
from ingest.times import from_any, sort_key
from ingest.tree import nearest, newest_leaf, path_to, reading_order

_SYSTEM = "params.system"
_SCHEMA = re.compile(
    rb"""CREATE TABLE ["`]?chat["`]? \((?=.{0,400}\buser_id\b)(?=.{0,400}\btitle\b)"""
    rb"""(?=.{0,400}\bchat["`]? (?:TEXT|JSON))""",
    re.DOTALL,
)
_LARGEST_LOOK = 256 << 20
_KEPT = ("model", "modelName", "models", "annotation", "sources", "citations", "statusHistory",
         "error", "usage", "info", "merged")  # fmt: skip


class _Message(msgspec.Struct, gc=False):
    role: str | None = None
    content: Any = None
    parentId: str | None = None  # noqa: N815
    childrenIds: list[str] | None = None  # noqa: N815
    id: str | None = None
    timestamp: Any = None
    done: bool | None = None
    output: list[Any] | None = None
    files: list[Any] | None = None
    model: Any = None
    modelName: Any = None  # noqa: N815
    models: Any = None
    annotation: Any = None
    sources: Any = None
    citations: Any = None
    statusHistory: Any = None  # noqa: N815
    error: Any = None
    usage: Any = None
    info: Any = None
    merged: Any = None


class _History(msgspec.Struct, gc=False):
    messages: dict[str, _Message] | None = None
    currentId: str | None = None  # noqa: N815


class _Chat(msgspec.Struct, gc=False):
    history: _History | None = None
    messages: list[_Message] | None = None
    title: str | None = None
    models: list[Any] | None = None
    params: dict[str, Any] | None = None
    system: str | None = None
    timestamp: Any = None
    id: str | None = None


class _Row(msgspec.Struct, gc=False):
    chat: _Chat
    id: str | None = None
    title: str | None = None
    created_at: Any = None
    archived: Any = None
    pinned: Any = None
    folder_id: str | None = None
    meta: Any = None


class OpenWebUI:
    """The importer of Open WebUI's chats."""

    name = "openwebui"
    title = "Open WebUI chats (JSON export, webui.db)"
    kind: ImporterKind = "assistant"
    needs = "Settings > Chats > Export chats, or the file webui.db"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when ``chat`` of the first element has messages, or a database has such a table."""
        if any(_is_database(member, export) for member in export.members):
            return 0.95
        return certainty(export, ".json", _is_ours)

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:  # noqa: ARG002
        """Every chat; of the database, only the table ``chat`` is read."""
        if databases := [member for member in export.members if is_sqlite(member)]:
            for member in databases:
                yield from _database(member, export)
            return
        members = export.members
        if len(members) > 1:
            members = tuple(like(export, lambda look: _has_chat(look.first)))
        for member in members:
            for found in _records(member):
                yield found if isinstance(found, Reject) else _conversation(found)


def _is_ours(member: Member) -> bool:
    return _has_chat(peek(member).first)


def _has_chat(first: dict[str, Any]) -> bool:
    chat = first.get("chat")
    if not isinstance(chat, dict):
        return False
    history = object_of(chat.get("history"))
    return isinstance(history.get("messages"), dict) or isinstance(chat.get("messages"), list)


def _records(member: Member) -> Iterator[Record[_Row] | Reject]:
    if peek(member).kind == "object":
        with member.open() as file:
            yield record(file.read().removeprefix(b"\xef\xbb\xbf"), _Row, member.name)
    else:
        yield from records(member, _Row)


def _is_database(member: Member, export: Export) -> bool:
    if not is_sqlite(member):
        return False
    if _SCHEMA.search(member.head()):
        return True
    # the schema may lie further back; a look costs a copy of the file
    return member.size <= _LARGEST_LOOK and _has_chat_table(member, export)


def _has_chat_table(member: Member, export: Export) -> bool:
    try:
        with open_sqlite(member, logs_of(member, export)) as connection:
            columns = {row["name"] for row in rows(connection, "PRAGMA table_info(chat)")}
    except ExportError:
        return False  # damaged or encrypted, so it cannot be told to be ours
    return {"id", "user_id", "title", "chat"} <= columns


def _database(member: Member, export: Export) -> Iterator[Item]:
    with open_sqlite(member, logs_of(member, export)) as connection:
        if not has_table(connection, "chat"):
            yield Skip(member.name, "no table of chats")
            return
        for row in rows(connection, "SELECT * FROM chat ORDER BY created_at, id"):
            where = f"{member.name}: chat {row.get('id')}"
            found = _chat(row, where)
            yield found if isinstance(found, Reject) else _conversation(found)


def _chat(row: dict[str, Any], where: str) -> Record[_Row] | Reject:
    written = row.get("chat")
    if not isinstance(written, str | bytes):
        return Reject(where, "the column 'chat' is empty", "delete this chat")
    found = record(written.encode() if isinstance(written, str) else written, _Chat, where)
    if isinstance(found, Reject):
        return found
    filled = _Row(
        found.value,
        id=text_of(row.get("id")),
        title=text_of(row.get("title")),
        created_at=row.get("created_at"),
        archived=row.get("archived"),
        pinned=row.get("pinned"),
        folder_id=text_of(row.get("folder_id")),
        meta=_meta(row.get("meta")),
    )
    return Record(where, filled, found.odd)


def _meta(written: Any) -> Any:
    try:
        return msgspec.json.decode(written) if isinstance(written, str) else None
    except msgspec.DecodeError:
        return written


def _conversation(found: Record[_Row]) -> Item:
    row = found.value
    chat = row.chat
    nodes, leaf = _nodes(chat)
    if not nodes:
        return Skip(found.where, "no messages")
    parents = {key: node.parentId for key, node in nodes.items()}
    order, damaged = reading_order(parents, _children(nodes, parents))
    times = {key: sort_key(from_any(node.timestamp)) for key, node in nodes.items()}
    path = path_to(parents, leaf if leaf in nodes else newest_leaf(parents, times))
    messages: list[Message] = []
    if system := text_of((chat.params or {}).get("system")) or chat.system:
        messages.append(Message("system", system, train=False, source_id=_SYSTEM))
    last: dict[str, str | None] = {}  # message id -> id of its last piece
    for key in order:
        above = nearest(parents, parents[key], last)
        parent = last[above] if above else (_SYSTEM if system else None)
        made = _pieces(key, nodes[key], parent, key in path)
        last[key] = made[-1].source_id
        messages += made
    facts = {
        "models": chat.models,
        "archived": bool(row.archived),
        "pinned": bool(row.pinned),
        "folder_id": row.folder_id,
        "meta": row.meta,
        "damaged_tree": damaged,
        "unreadable": list(found.odd),
    }
    native = row.id or chat.id or found.where
    return Conversation(
        id=conversation_id("openwebui", native),
        importer="openwebui",
        source_id=native,
        title=row.title or chat.title or None,
        created_at=from_any(row.created_at) or from_any(chat.timestamp) or _earliest(messages),
        messages=tuple(messages),
        metadata={key: value for key, value in facts.items() if value},
    )


def _nodes(chat: _Chat) -> tuple[dict[str, _Message], str | None]:
    """Messages by id, and where the talk ended; a flat list is a chain."""
    if chat.history and chat.history.messages:
        return chat.history.messages, chat.history.currentId
    nodes: dict[str, _Message] = {}
    last: str | None = None
    for number, message in enumerate(chat.messages or ()):
        key = message.id or str(number)
        if key in nodes:
            key = f"{key}#{number}"
        nodes[key] = msgspec.structs.replace(message, parentId=last)
        last = key
    return nodes, last


def _children(nodes: dict[str, _Message], parents: dict[str, str | None]) -> dict[str, list[str]]:
    """Children in the stated order, as far as the children agree; then those not stated."""
    children: dict[str, list[str]] = {}
    for key, node in nodes.items():
        stated = dict.fromkeys(node.childrenIds or ())
        children[key] = [child for child in stated if parents.get(child) == key]
    for key, parent in parents.items():
        if parent in children and key not in children[parent]:
            children[parent].append(key)
    return children


def _earliest(messages: list[Message]) -> datetime | None:
    times = [message.created_at for message in messages if message.created_at]
    return min(times, key=sort_key, default=None)


def _pieces(key: str, source: _Message, parent: str | None, on_path: bool) -> list[Message]:
    steps = Steps(key)
    extra = {name: value for name in _KEPT if (value := getattr(source, name))}
    role, train = source.role, None
    if role not in ROLES:
        extra["role"], role, train = role, "system", False
    unknown: list[Any] = []
    if role == "assistant" and source.output:
        put_output(source.output, steps, unknown)
        name = "output"
    else:
        put_content(source.content, steps, unknown, blocks=role == "assistant")
        name = "content"
    if unknown:
        extra[name] = unknown
    if source.done is False:
        extra["done"], train = False, False
    if source.error:
        train = False
    return steps.messages(
        Message(
            role=role,  # type: ignore[arg-type]
            attachments=tuple(file_of(file) for file in objects(source.files)),
            created_at=from_any(source.timestamp),
            train=train,
            parent_id=parent,
            on_path=on_path,
            extra=extra,
        )
    )
