"""Records of an export as typed structs: strictly where that works, forgivingly where it does not.

Importers whose exports come from many versions of an application share this: a field of an odd type
keeps its default and is named, and costs neither its record nor the records around it.
"""

import types
import typing
from collections.abc import Callable, Iterator
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from ingest.archive import Export, Member
from ingest.deep import loads_deep
from ingest.importers.base import Item, Reject, Skip
from ingest.loose import TOO_DEEP, loads_loose
from ingest.message import Conversation
from ingest.shape import peek
from ingest.stream import Broken, iter_array
from ingest.times import in_zone

T = TypeVar("T")

MAX_FILE = 512 << 20
"""Bytes of the largest file that is read whole, where one file is one conversation."""

_SNIFFED = 20


class Record(NamedTuple, Generic[T]):
    """One record.

    Attributes:
        where: its place in the export.
        value: the record.
        odd: paths of the fields that had another type than the format says.
    """

    where: str
    value: T
    odd: tuple[str, ...] = ()


def records(
    member: Member, kind: type[T], *, path: tuple[str, ...] = ()
) -> Iterator[Record[T] | Reject]:
    """The elements of a member's JSON array as records, streamed.

    Args:
        member: the file.
        kind: struct of one element.
        path: as for :func:`ingest.stream.iter_array`.
    """
    decode = msgspec.json.Decoder(kind).decode
    empty = True
    with member.open() as file:
        for item in iter_array(file, decode, path=path):
            empty = False
            if isinstance(item, Broken):
                where = f"{member.name}: bytes {item.offset}-{item.end}"
                yield Reject(where, item.reason, "export it again; the rest was imported")
            elif item.value is not None:
                yield Record(f"{member.name}: byte {item.offset}", item.value)
            else:
                yield record(item.raw, kind, f"{member.name}: byte {item.offset}")
    if empty and path and not _holds_array(peek(member).value, path):
        yield Reject(member.name, f"no list {'.'.join(path)!r}", "export it again")


def _holds_array(value: Any, path: tuple[str, ...]) -> bool:
    for key in path if not isinstance(value, list) else ():
        value = value.get(key) if isinstance(value, dict) else None
    return isinstance(value, list)


def whole(member: Member, kind: type[T]) -> Record[T] | Reject:
    """A member that is one record, such as one conversation."""
    raw = _read(member)
    return raw if isinstance(raw, Reject) else record(raw, kind, member.name)


def document(member: Member) -> Record[Any] | Reject:
    """A member that is one JSON document, as decoded, however deep it is nested."""
    raw = _read(member)
    if isinstance(raw, Reject):
        return raw
    try:
        return Record(member.name, msgspec.json.decode(raw))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return Record(member.name, loads_loose(raw))
    except ValueError as error:
        if str(error) != TOO_DEEP:
            return Reject(member.name, _fault(error), "export it again")
    try:
        return Record(member.name, loads_deep(raw))
    except ValueError as error:
        return Reject(member.name, _fault(error), "export it again")


def _read(member: Member) -> bytes | Reject:
    if member.size > MAX_FILE:
        return Reject(member.name, f"larger than {MAX_FILE >> 20} MiB", "is this one conversation?")
    with member.open() as file:
        return file.read().removeprefix(b"\xef\xbb\xbf")


def record(raw: bytes, kind: type[T], where: str) -> Record[T] | Reject:
    """JSON text as a record."""
    try:
        return Record(where, msgspec.json.decode(raw, type=kind))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    odd: list[str] = []
    try:
        return Record(where, forgive(loads_loose(raw), kind, odd), tuple(odd))
    except msgspec.ValidationError as error:
        return Reject(where, f"not of this format: {error}", "report this shape to us")
    except ValueError as error:
        return Reject(where, _fault(error), "export it again")


def _fault(error: ValueError) -> str:
    # the decoder's own text may quote the file
    position = error.args[0].rpartition("(char ")[2].rstrip(")") if error.args else ""
    return f"broken JSON at character {position}" if position.isdigit() else str(error)


def forgive(value: Any, kind: Any, odd: list[str], at: str = "") -> Any:
    """Convert to a type; fields and elements that cannot be converted are left out.

    Args:
        value: decoded JSON.
        kind: the type: structs, lists and dicts of them, optional ones.
        odd: takes the paths of what was left out.
        at: path of ``value``.

    Raises:
        msgspec.ValidationError: ``value`` itself, or a required field of it, has no such type.
    """
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError:
        if value is None:
            raise
        inner = _container(kind, value)
        if inner is None:
            raise
    if isinstance(value, list):
        return list(_kept(enumerate(value), typing.get_args(inner)[0], odd, at).values())
    if typing.get_origin(inner) is dict:
        return _kept(value.items(), typing.get_args(inner)[1], odd, at)
    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(inner):
        if field.encode_name in value:
            found = _kept([(field.encode_name, value[field.encode_name])], field.type, odd, at)
            fields.update((field.name, each) for each in found.values())
    missing = [f for f in msgspec.structs.fields(inner) if f.required and f.name not in fields]
    if missing:
        raise msgspec.ValidationError(f"no usable `{missing[0].encode_name}` - at `{at or '$'}`")
    return inner(**fields)


def _kept(items: Any, kind: Any, odd: list[str], at: str) -> dict[Any, Any]:
    kept = {}
    for key, each in items:
        path = f"{at}.{key}" if at else str(key)
        try:
            kept[key] = forgive(each, kind, odd, path)
        except msgspec.ValidationError:
            odd.append(path)
    return kept


def _container(kind: Any, value: Any) -> Any:
    """The arm of a type that a list or an object may be looked into for; None if there is none."""
    arms = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    for arm in arms:
        origin = typing.get_origin(arm)
        if isinstance(value, list) and origin is list:
            return arm
        is_struct = isinstance(arm, type) and issubclass(arm, msgspec.Struct)
        if isinstance(value, dict) and (origin is dict or is_struct):
            return arm
    return None


def certainty(export: Export, ending: str, is_ours: Callable[[Member], bool]) -> float:
    """How sure an importer of one-file-one-conversation formats is of an export.

    Looks at the only member or, in an archive or folder, at the first ones with that ending.
    """
    members = export.members
    if len(members) > 1:
        members = tuple(member for member in members if member.base.endswith(ending))[:_SNIFFED]
    found = sum(is_ours(member) for member in members)
    if not found:
        return 0.0
    return 0.95 if found == len(members) else 0.5


def ours(
    export: Export, ending: str, is_ours: Callable[[Member], bool], title: str
) -> Iterator[Member | Skip]:
    """The members to read; those with the right ending and another shape are skipped by name."""
    if len(export.members) == 1:
        yield export.members[0]
        return
    for member in export.members:
        if member.base.endswith(ending):
            yield member if is_ours(member) else Skip(member.name, f"no {title} conversation")


def as_text(value: Any) -> str:
    """A value as text: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def zoned(item: Item, zone: str | None) -> Item:
    """A conversation with its naive times as local to ``zone``; other items as they are."""
    if zone is None or not isinstance(item, Conversation):
        return item
    return msgspec.structs.replace(
        item,
        created_at=in_zone(item.created_at, zone),
        messages=tuple(
            msgspec.structs.replace(message, created_at=in_zone(message.created_at, zone))
            for message in item.messages
        ),
    )
