"""SillyTavern chats: JSON lines, a header and then one message a line with all its swipes."""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import msgspec

from ingest.archive import Export, Member
from ingest.importers.base import ImporterKind, ImportOptions, Item, Reject, Skip
from ingest.importers.fields import object_of, objects, text_of
from ingest.importers.records import Record, certainty, ours, record, zoned
from ingest.importers.sillytavern_dates import from_tavern
from ingest.importers.steps import Steps
from ingest.lines import iter_lines
from ingest.message import Attachment, Conversation, Message, Participant, Role, conversation_id
from ingest.shape import peek

_OWN_EXTRA = {"reasoning", "tool_invocations", "image", "file", "files", "media", "bias"}


class _Header(msgspec.Struct, gc=False):
    user_name: str | None = None
    character_name: str | None = None
    create_date: Any = None
    chat_metadata: dict[str, Any] | None = None


class _Line(msgspec.Struct, gc=False):
    mes: str
    name: str | None = None
    is_user: bool | None = None
    is_system: bool | None = None
    send_date: Any = None
    swipes: list[Any] | None = None
    swipe_id: int | None = None
    swipe_info: list[Any] | None = None
    extra: dict[str, Any] | None = None


class SillyTavern:
    """The importer of SillyTavern's chats."""

    name = "sillytavern"
    title = "SillyTavern chats (JSON lines, one chat a file)"
    kind: ImporterKind = "assistant"
    needs = "Manage chat files > Export .jsonl, or the chats folder"
    version = 1

    def sniff(self, export: Export) -> float:
        """Sure when the first line has ``user_name`` and ``character_name``, or is a message."""
        return certainty(export, ".jsonl", _is_ours)

    def read(self, export: Export, options: ImportOptions) -> Iterator[Item]:
        """One conversation per file."""
        for member in ours(export, ".jsonl", _is_ours, "SillyTavern"):
            if isinstance(member, Skip):
                yield member
            else:
                yield from (zoned(item, options.tz) for item in _file(member))


def _is_ours(member: Member) -> bool:
    look = peek(member)
    keys = look.first.keys()
    is_header = {"user_name", "character_name"} <= keys
    # chats of groups had no header for long
    return look.kind in ("lines", "object") and (is_header or {"mes", "is_user", "name"} <= keys)


def _file(member: Member) -> Iterator[Item]:
    header = _Header()
    lines: list[tuple[int, Record[_Line]]] = []
    rejected = 0
    with member.open() as file:
        for number, (_, raw) in enumerate(iter_lines(file), 1):
            where = f"{member.name}: line {number}"
            if number == 1 and (found := _header(raw, where)):
                header = found
                continue
            line = record(raw, _Line, where)
            if isinstance(line, Reject):
                rejected += 1
                yield line
            else:
                lines.append((number, line))
    if lines:
        yield _conversation(member, header, lines, rejected)
    else:
        yield Skip(member.name, "no messages")


def _header(raw: bytes, where: str) -> _Header | None:
    if b'"mes"' in raw and isinstance(record(raw, _Line, where), Record):
        return None
    found = record(raw, _Header, where)
    return found.value if isinstance(found, Record) else None


def _conversation(
    member: Member, header: _Header, lines: list[tuple[int, Record[_Line]]], rejected: int
) -> Conversation:
    messages: list[Message] = []
    parent: str | None = None
    for number, line in lines:
        made, parent = _message(line.value, str(number), parent)
        messages += made
    first = lines[0][1].value
    facts = header.chat_metadata or {}
    stable = (header.character_name, header.create_date, first.send_date, first.name)
    native = "|".join(str(each) for each in stable if each is not None)
    if facts.get("main_chat"):
        # a branch begins as its main chat does; only the file's name tells them apart
        native = f"{native}|{PurePosixPath(member.base).stem}"
    said = {
        "main_chat": facts.get("main_chat"),
        "rejected_lines": rejected,
        "unreadable": [f"line {n}: {path}" for n, line in lines for path in line.odd],
    }
    return Conversation(
        id=conversation_id("sillytavern", native),
        importer="sillytavern",
        source_id=native,
        title=_title(header, lines),
        created_at=from_tavern(header.create_date) or from_tavern(first.send_date),
        messages=tuple(messages),
        participants=_participants(messages),
        metadata={key: value for key, value in said.items() if value},
    )


def _title(header: _Header, lines: list[tuple[int, Record[_Line]]]) -> str | None:
    if header.character_name and header.character_name != "unused":  # what newer versions write
        return header.character_name
    names = (line.value.name for _, line in lines if line.value.is_user is False)
    return next((name for name in names if name), None)


def _message(source: _Line, key: str, parent: str | None) -> tuple[list[Message], str | None]:
    """The messages of a line, its swipes beside each other, and the id the next line hangs on."""
    swipes = [swipe for swipe in source.swipes or () if isinstance(swipe, str)]
    if len(swipes) < 2 or len(swipes) != len(source.swipes or ()):
        if len(swipes) != len(source.swipes or ()):
            extra = {**(source.extra or {}), "swipes": source.swipes}
            source = msgspec.structs.replace(source, extra=extra)
        made = _pieces(source, key, parent)
        return made, made[-1].source_id
    selected = source.swipe_id if source.swipe_id is not None else len(swipes) - 1
    if not 0 <= selected < len(swipes):
        # saved while a new swipe was being asked for: what is shown may be one of those there
        if source.mes not in swipes:
            swipes.append(source.mes)
        selected = swipes.index(source.mes)
    made, after = [], parent
    infos = source.swipe_info or []
    for number, swipe in enumerate(swipes):
        info = object_of(infos[number] if number < len(infos) else None)
        line = source
        if number != selected:
            line = msgspec.structs.replace(
                source,
                mes=swipe,
                send_date=info.get("send_date", source.send_date),
                extra=object_of(info.get("extra")),
            )
        pieces = _pieces(line, f"{key}-{number}", parent, on_path=number == selected)
        if number == selected:
            after = pieces[-1].source_id
        made += pieces
    return made, after


def _pieces(source: _Line, key: str, parent: str | None, *, on_path: bool = True) -> list[Message]:
    extra = source.extra or {}
    steps = Steps(key)
    steps.think(text_of(extra.get("reasoning")) or "")
    calls = objects(extra.get("tool_invocations"))
    if not calls:
        steps.text(source.mes)  # beside calls it is their display
    ids = [steps.call(text_of(call.get("id")), text_of(call.get("name")) or "",
                      call.get("parameters")) for call in calls]  # fmt: skip
    for id_, call in zip(ids, calls, strict=True):
        steps.result(id_, call.get("result"))
    at = from_tavern(source.send_date)
    kept: dict[str, Any] = {k: v for k, v in extra.items() if k not in _OWN_EXTRA and v is not None}
    if at is None and source.send_date:
        kept["send_date"] = source.send_date
    if source.is_system:
        kept["is_system"] = True
    role = _role(source, bool(calls))
    if source.is_user is None:
        kept["is_user"] = None
    return steps.messages(
        Message(
            role=role,
            name=source.name,
            attachments=tuple(_attachments(extra)),
            created_at=at,
            train=False if source.is_system or role == "system" else None,
            parent_id=parent,
            on_path=on_path,
            extra=kept,
        )
    )


def _role(source: _Line, calls: bool) -> Role:
    """Hidden lines keep their role; narrators, comments and help are nobody's turn."""
    kind = object_of(source.extra).get("type")
    if calls:
        return "assistant"
    if source.is_user is None or (source.is_system and kind) or kind == "narrator":
        return "system"
    return "user" if source.is_user else "assistant"


def _attachments(extra: dict[str, Any]) -> Iterator[Attachment]:
    if image := text_of(extra.get("image")):
        yield Attachment("image", uri=image)
    for media in objects(extra.get("media")):
        yield Attachment(text_of(media.get("type")) or "image", uri=text_of(media.get("url")))
    single = extra.get("file")
    for file in objects([single]) + objects(extra.get("files")):
        size = file.get("size")
        yield Attachment(
            name=text_of(file.get("name")),
            uri=text_of(file.get("url")),
            size_bytes=size if type(size) is int else None,
            text=text_of(file.get("text")),
        )


def _participants(messages: list[Message]) -> tuple[Participant, ...]:
    found: dict[str, Participant] = {}
    for message in messages:
        if message.name and message.role in ("user", "assistant") and message.name not in found:
            found[message.name] = Participant(
                message.name, is_assistant=message.role == "assistant"
            )
    return tuple(found.values())
