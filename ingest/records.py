"""From an export's records to conversations: typed where a record is as expected, else loosely.

What importers of JSON exports share. A record that cannot be read is a Reject and costs no other; a
field of the wrong type costs itself and is named in the conversation's ``metadata``.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, TypeVar

import msgspec

from ingest.archive import Member
from ingest.importers.base import Item, Reject
from ingest.loose import TOO_DEEP, convert_loose, loads_loose
from ingest.message import Conversation
from ingest.stream import MAX_ELEMENT, Broken, iter_array

T = TypeVar("T", bound=msgspec.Struct)

Make = Callable[[T, str], Item]
"""Makes the item of a record; gets the record and its place in the export."""

_FAULTS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_NOT_OURS = "report this shape to us"
_AGAIN = "download the export again; the rest was imported"


class RecordError(ValueError):
    """Why a record is no conversation; its text holds nothing that was said."""


def from_array(
    member: Member, record: type[T], make: Make[T], *, path: tuple[str, ...] = ()
) -> Iterator[Item]:
    """An item for each element of a JSON array, read as a stream.

    Args:
        member: the file.
        record: the type of an element; fields that are not declared are passed over.
        make: see :data:`Make`; may raise :class:`RecordError`.
        path: as in :func:`ingest.stream.iter_array`.
    """
    with member.open() as file:
        for element in iter_array(file, _decoder(record), path=path):
            if isinstance(element, Broken):
                yield Reject(
                    f"{member.name}: bytes {element.offset}-{element.end}", element.reason, _AGAIN
                )
            else:
                where = f"{member.name}: byte {element.offset}"
                yield _item(element.value, element.raw, where, record, make)


def from_document(member: Member, record: type[T], make: Make[T]) -> Item:
    """The item of a file that holds one record; the file is read whole."""
    if member.size > MAX_ELEMENT:
        return Reject(member.name, "larger than one conversation can be", _NOT_OURS)
    with member.open() as file:
        raw = file.read().removeprefix(b"\xef\xbb\xbf")
    try:
        value = _decoder(record)(raw)
    except _FAULTS:
        value = None
    return _item(value, raw, member.name, record, make)


@cache
def _decoder(record: type[T]) -> Callable[[bytes], T]:
    return msgspec.json.Decoder(record).decode


def _item(value: T | None, raw: bytes, where: str, record: type[T], make: Make[T]) -> Item:
    faults: tuple[str, ...] = ()
    try:
        if value is None:
            value, faults = convert_loose(loads_loose(raw), record)
        item = make(value, where)
    except RecordError as error:
        return Reject(where, str(error), _NOT_OURS)
    except msgspec.ValidationError as error:
        return Reject(where, f"not a conversation of this format: {error}", _NOT_OURS)
    except ValueError as error:
        reason = TOO_DEEP if str(error) == TOO_DEEP else "damaged or cut off"
        return Reject(where, reason, _AGAIN)
    if faults and isinstance(item, Conversation):
        metadata = {**item.metadata, "unreadable": list(faults)}
        return msgspec.structs.replace(item, metadata=metadata)
    return item


def json_text(value: Any) -> str:
    """A value as compact JSON text, keys in their order.

    Raises:
        RecordError: nested too deeply.
    """
    try:
        return msgspec.json.encode(value).decode()
    except RecursionError:
        raise RecordError(TOO_DEEP) from None


def distinct(ids: Iterable[str | None]) -> list[str]:
    """Ids in their order, each once: a repeated one gets ``#2``, a missing one its place."""
    found: dict[str, None] = {}
    for at, id_ in enumerate(ids):
        key = base = id_ or f"#{at}"
        number = 1
        while key in found:
            number += 1
            key = f"{base}#{number}"
        found[key] = None
    return list(found)


def joined(texts: Iterable[Any], by: str = "\n") -> str:
    """The non-empty ones among ``texts`` that are text, with ``by`` between them."""
    return by.join(text for text in texts if isinstance(text, str) and text)


def said(source: dict[str, Any]) -> dict[str, Any]:
    """Entries that state something: not null, not empty, not false."""
    return {
        key: value
        for key, value in source.items()
        if value is not None and value is not False and value != "" and value not in ([], {})
    }
